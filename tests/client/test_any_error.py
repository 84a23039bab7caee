"""Random errors of any request, against the rules of PROTOCOL.md §1 and §6."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from chatfsm import Tick, effects
from chatfsm import commands as c
from chatfsm.client_effects import AuthorizationFailed
from chatfsm.transport import HttpFailure, HttpReply
from tests.client.conftest import CHAT, ClientHarness, kind_of, wire

# PROTOCOL.md §1: the codes, each with its meaning for the poll of a chat.
CODES = {
    **dict.fromkeys(("2000", "2001", "2002", "2003", "2004", "3000"), "unauthorized"),
    **dict.fromkeys(("5000", "5001", "5004", "5500", "5602", "5955"), "again"),
    **dict.fromkeys(("1000", "5003", "5006", "5501", "5502", "5558", "5601", "5603"), "again"),
    "5005": "gone",
    "5509": "busy",
}
BODIES = {"empty": b"", "page": b"<html>404 page not found</html>", "text": b"404 page not found"}
STATUSES = (302, 307, 400, 401, 403, 404, 407, 408, 429, 500, 502, 503, 504)
# Statuses that proxies and portals use as well: the body decides.
BORROWED = (401, 403, 404)


def meaning(status: int, code: str | None, body: str) -> str:
    """Return the meaning of an error reply to a poll: by its code, or else by its status."""
    if code is not None:
        return CODES[code]
    if status in BORROWED and body == "empty":
        return "gone" if status == 404 else "unauthorized"
    return "busy" if status in {400, 429} else "again"


@st.composite
def errors(draw: st.DrawFn) -> tuple[int, bytes, str]:
    """Draw a status, a body and their meaning."""
    status = draw(st.sampled_from(STATUSES) | st.sampled_from(BORROWED))
    code = draw(st.none() | st.sampled_from(list(CODES)))
    body = draw(st.sampled_from(list(BODIES)))
    content = BODIES[body]
    if code is not None:
        written = int(code) if draw(st.booleans()) else code
        content = json.dumps({"error_code": written, "error_message": "no"}).encode()
    return status, content, meaning(status, code, body)


def connected(**settings: Any) -> ClientHarness:
    return ClientHarness(**settings).open_chat(state="connected")


@given(st.lists(errors(), min_size=1, max_size=8))
def test_any_errors_of_polls(story: list[tuple[int, bytes, str]]) -> None:
    """The chat ends, stops or goes on as the error says, and retries are within the backoff."""
    chat = connected()
    for attempt, (status, content, means) in enumerate(story):
        chat.reply("poll", content, status=status)
        failed_at = chat.now
        if means == "gone":
            assert chat.client.done
            assert [effects.Terminated] == [type(e) for e in chat.effects[-1:]]
            assert chat.client.session is not None
            assert chat.client.session.outcome == "gone"
            assert chat.client.deadline is None
            return
        assert not chat.client.done
        if means == "unauthorized":
            assert isinstance(chat.effects[-1], AuthorizationFailed)
            chat.tick(at=3_600.0)
            assert chat.pending == []
            return
        most = min(2.0**attempt, 30.0)
        while "poll" not in chat.pending:
            assert chat.client.deadline is not None
            chat.run_to_deadline()
            if "history" in chat.pending:
                chat.reply_history()
        assert failed_at + most / 2 <= chat.now <= failed_at + most + 0.01
    was_busy = [means for *_, means in story][-1:] == ["busy"]
    before = kinds(chat).count("history")
    chat.reply_poll()
    if was_busy:
        assert "history" in chat.pending, "a busy poll is followed by a history"
        assert kinds(chat).count("history") == before + 1
        chat.reply_history()
    assert chat.client.health(chat.now).failures == 0
    while "poll" not in chat.pending:
        chat.run_to_deadline()
        if "history" in chat.pending:
            chat.reply_history()
    failed_at = chat.now
    chat.reply("poll", status=503)
    assert chat.client.health(chat.now).failures == 1, "a successful poll resets the count"


def kinds(chat: ClientHarness) -> list[str]:
    return [kind_of(request) for request in chat.requests]


@given(st.lists(errors().filter(lambda error: error[2] in {"again", "busy"}), max_size=4))
def test_any_foreign_reply_to_a_text(story: list[tuple[int, bytes, str]]) -> None:
    """A text is not reported as failed by a reply from an intermediary, and arrives later."""
    assume(all(b"error_code" not in content and status != 400 for status, content, _ in story))
    chat = connected()
    chat.send_text("a")
    for status, content, _ in story:
        chat.reply("post", content, status=status)
        while "post" not in chat.pending:
            assert not [e for e in chat.effects if isinstance(e, effects.MessageFailed)]
            chat.run_to_deadline()
            if "history" in chat.pending:
                chat.reply_history()
            if "poll" in chat.pending:
                chat.reply_poll()
    chat.reply("post", b"")
    fates = [e for e in chat.effects if isinstance(e, effects.MessageFailed | effects.MessageSent)]
    assert [type(fate) for fate in fates] == [effects.MessageSent]


TEXTS = st.lists(st.text("ab é", min_size=1, max_size=4), min_size=1, max_size=5)
FLAWS = st.sampled_from((b"\xff", b"\xc3", b"\x01", b"\n", b"\t", b"\x80\x80"))


def messages(texts: list[str]) -> list[dict[str, Any]]:
    return wire(
        {"event": "message", "party_id": "ann", "msg_id": str(2 * at), "msg": f"{at}: {text}"}
        for at, text in enumerate(texts)
    )


def reported(chat: ClientHarness) -> list[str]:
    return [e.message.text for e in chat.effects if isinstance(e, effects.MessageReceived)]


@given(TEXTS, FLAWS, st.data(), st.sampled_from(("poll", "history")))
def test_any_flawed_byte_in_a_text(
    texts: list[str], flaw: bytes, data: st.DataObject, kind: str
) -> None:
    """One undecodable byte or raw control character loses neither its batch nor its history."""
    chat = connected() if kind == "poll" else ClientHarness(chat_id=CHAT)
    chat.tick()
    at = data.draw(st.integers(0, len(texts) - 1))
    body = json.dumps({"events": messages(texts)}, ensure_ascii=False).encode()
    mark = f'"{at}: '.encode()
    chat.reply(kind, body.replace(mark, mark + flaw, 1))
    assert [text[:1] for text in reported(chat)] == [str(number) for number in range(len(texts))]
    anomalies = [e.kind for e in chat.effects if isinstance(e, effects.Anomaly)]
    assert anomalies == ["malformed"]


@given(TEXTS)
def test_any_events_in_the_reply_to_a_post(texts: list[str]) -> None:
    """Version 1 answers a POST with new events: they are reported at once, and only once."""
    chat = connected(version=1)
    chat.send_text("a")
    chat.reply("post", {"events": messages(texts)})
    assert len(reported(chat)) == len(texts)
    chat.reply("poll", {"events": messages(texts)})
    assert len(reported(chat)) == len(texts)


@given(st.integers(0, 5), st.booleans())
def test_any_history_that_is_too_large(texts: int, is_refused_by_sender: bool) -> None:
    """It is dropped and reported once; pending texts are posted, and it is not requested again."""
    chat = ClientHarness(chat_id=CHAT, max_body=100)
    chat.tick()
    for number in range(texts):
        chat.send_text(f"text {number}")
    request = chat.pending_request("history")
    del chat.waiting[request.id]
    if is_refused_by_sender:
        chat.receive(HttpFailure(request.id, "protocol", too_large=True))
    else:
        chat.receive(HttpReply(request.id, 200, {}, b"[" + b" " * 100 + b"]"))
    for _ in range(20):
        for kind in chat.pending:
            chat.reply(kind, b"" if kind == "post" else {"events": []})
        chat.run_to_deadline()
    assert kinds(chat).count("history") == 1
    assert [text for batch in chat.posted for text in batch] == [
        f"text {number}" for number in range(texts)
    ]
    anomalies = [e for e in chat.effects if isinstance(e, effects.Anomaly)]
    assert [anomaly.kind for anomaly in anomalies] == ["malformed"]


@given(st.floats(21.0, 1e6), st.booleans())
def test_any_sleep_of_the_computer(seconds: float, has_replied: bool) -> None:
    """After a sleep the history is requested, whether or not the poll was answered."""
    chat = connected()
    if has_replied:
        chat.reply_poll()
    deadline = chat.client.deadline
    assert deadline is not None
    chat.receive(Tick(), at=deadline + seconds)
    while "history" not in chat.pending:
        assert chat.now <= deadline + seconds + 60.0, "no history is requested after the sleep"
        if chat.pending == ["poll"]:
            chat.reply_poll()
        chat.run_to_deadline()


@given(st.floats(0.0, 15.0), st.sampled_from(("timeout", "protocol", "cancelled")))
def test_any_events_lost_with_a_broken_poll(seconds: float, how: str) -> None:
    """The server may answer a broken poll within 20 s; the history then has those events."""
    chat = connected()
    chat.fail("poll", how, at=seconds)
    told_at: list[float] = []
    while chat.now < 60.0:
        while chat.pending:
            kind = chat.pending[0]
            told_at += [chat.now] if kind == "history" else []
            chat.reply(kind, {"events": []})
        chat.run_to_deadline()
    assert any(at >= 20.0 for at in told_at)


FATES = st.sampled_from(("arrived", "missing", "in flight", "gone"))


@given(st.sampled_from(("ended", "inactivity_timeout", "failed")), FATES, st.data())
def test_any_end_while_a_text_is_unconfirmed(end: str, fate: str, data: st.DataObject) -> None:
    """No poll follows the first end; the POST's reply or one history settles the text first."""
    chat = connected()
    chat.send_text("a")
    if fate in {"arrived", "missing"}:
        chat.fail("post")
    event = {"event": "status", "state": "failed"} if end == "failed" else {"event": end}
    late = data.draw(st.lists(st.sampled_from([event, {"event": "ended"}]), max_size=2))
    chat.reply_poll(event, *late)
    polls = kinds(chat).count("poll")
    chat.tick(at=chat.now + data.draw(st.floats(1.0, 9.0)))
    own = {"event": "message", "msg": "a", "msg_id": "1", "party_id": CHAT}
    while not chat.client.done:
        if "post" in chat.pending:  # a status 404 is an end too, but not the first one
            chat.reply("post", b"", status=404 if fate == "gone" else 200)
        elif "history" in chat.pending:
            chat.reply_history(*([own] if fate == "arrived" else []))
        else:
            chat.run_to_deadline()
    assert kinds(chat).count("poll") == polls
    assert chat.pending == []
    ends = [e for e in chat.effects if isinstance(e, effects.Terminated)]
    assert chat.effects[-1:] == ends
    outcomes = {"ended": "ended", "inactivity_timeout": "timed_out", "failed": "failed"}
    assert ends[0].outcome == outcomes[end]
    has_arrived = any(isinstance(e, effects.MessageSent) for e in chat.effects)
    assert has_arrived == (fate in {"arrived", "in flight"})


STEPS = st.lists(st.sampled_from(("says", "says", "taken", "busy", "connect", "no server")))


@given(STEPS, st.integers(1, 3))
def test_any_texts_arrive_in_their_order(steps: list[str], max_batch: int) -> None:
    """A text that the server did not receive is posted again before all later texts."""
    chat = connected(max_batch=max_batch)
    said, arrived = 0, []
    for step in [*steps, *["taken"] * len(steps)]:
        if step == "says":
            chat.send_text(str(said))
            said += 1
            continue
        while "post" not in chat.pending and chat.client.health(chat.now).queued:
            chat.run_to_deadline()
            for kind in {*chat.pending} & {"poll", "history"}:
                chat.reply(kind, {"events": []})
        if "post" not in chat.pending:
            continue
        if step == "taken":
            arrived += chat.posted[-1]
            chat.reply("post", b"")
        elif step == "connect":
            chat.fail("post", "connect")
        else:
            code = b'{"error_code": "5001"}' if step == "no server" else b""
            chat.reply("post", code, status=503 if code else 429)
    assert arrived == [str(number) for number in range(said)]


@given(st.lists(st.sampled_from(("a", "b", "c")), min_size=1, max_size=5), st.booleans())
def test_any_texts_before_the_end(texts: list[str], is_flushed: bool) -> None:
    """All texts are posted before the customer's `End`, whatever requests are in flight."""
    chat = connected(max_batch=2)
    for text in texts:
        chat.send_text(text)
        if is_flushed and "post" in chat.pending:
            chat.reply("post", b"")
    chat.receive(c.End())
    while "post" in chat.pending:
        chat.reply("post", b"")
    assert [name for batch in chat.posted for name in batch] == [*texts, "end"]
