"""PROTOCOL.md §6: replies of intermediaries, broken replies, and replies to another client."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatfsm import api as a
from chatfsm import effects
from chatfsm.client_effects import ApiFailed, AuthorizationFailed
from chatfsm.errors import TransientError, TransportError
from chatfsm.transport import HttpFailure
from tests.client.conftest import ClientHarness, kind_of, wire

PAGES = [
    b"<html><head><title>404 Not Found</title></head></html>",
    b"404 page not found\n",
    b"default backend - 404",
    b'{"message":"no Route matched with those values"}',
]
PORTAL = [
    {"status": 302, "location": "http://portal.example.com/login"},
    {"status": 307},
    {"status": 407},
    {"status": 403, "body": b"<html>Please log in</html>"},
    {"status": 401, "body": b"<html>Please log in</html>"},
    {"status": 200, "body": b"<html>Please log in</html>"},
]


def agent_message(number: int = 2, text: str = "agent_message") -> dict[str, Any]:
    """Return a message of an agent."""
    return {"event": "message", "party_id": "ann", "msg_id": str(number), "msg": text}


def texts(chat: ClientHarness) -> list[str]:
    """Return the texts of the reported messages."""
    return [e.message.text for e in chat.effects if isinstance(e, effects.MessageReceived)]


def histories(chat: ClientHarness) -> int:
    """Return the number of history requests so far."""
    return sum(kind_of(request) == "history" for request in chat.requests)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("kind", ["poll", "history", "post"])
def test_a_404_of_a_proxy_does_not_end_the_chat(
    chat: ClientHarness, kind: str, page: bytes
) -> None:
    """A proxy answers while the backend restarts; the history then has the lost events."""
    if kind == "history":
        chat.fail("poll", "connect")
        chat.run_to_deadline()
    if kind == "post":
        chat.send_text("a")
    reported = chat.reply(kind, page, status=404)
    assert not chat.client.done
    assert not any(isinstance(effect, effects.Terminated) for effect in reported)
    while "history" not in chat.pending:
        chat.run_to_deadline()
    chat.reply_history(agent_message())
    assert texts(chat) == ["agent_message"]


@pytest.mark.parametrize("ending", [b"", {"error_code": "5005"}, {"error_code": 5005}])
def test_a_404_of_the_center_ends_the_chat(chat: ClientHarness, ending: Any) -> None:
    """A 404 with an empty body or an API error is the center's."""
    chat.reply("poll", ending, status=404)
    assert chat.client.done


@pytest.mark.parametrize("answer", PORTAL)
def test_a_portal_does_not_fail_a_message(chat: ClientHarness, answer: dict[str, Any]) -> None:
    """A text sent behind a portal is unconfirmed, and arrives when the network works again."""
    chat.send_text("a")
    chat.reply("post", **answer)
    assert chat.client.session is not None
    assert chat.client.session.outbox == {"1": "unconfirmed"}
    for _ in range(5):
        while "history" not in chat.pending:
            for kind in chat.pending:
                chat.reply(kind, **answer)
            chat.run_to_deadline()
        chat.reply("history", **answer)
    assert not any(isinstance(effect, AuthorizationFailed) for effect in chat.effects)
    while "history" not in chat.pending:
        for kind in chat.pending:
            chat.reply(kind, **answer)
        chat.run_to_deadline()
    chat.reply_history()
    assert chat.posted == [["a"], ["a"]]
    chat.reply("post")
    assert chat.client.session.outbox == {"1": "sent"}


@pytest.mark.parametrize("answer", PORTAL)
@pytest.mark.parametrize("request_", [a.GetVersion(), a.CloseCase(), a.GetActiveChat()], ids=repr)
def test_a_portal_is_a_transient_failure_of_a_request(
    chat: ClientHarness, request_: a.ApiRequest, answer: dict[str, Any]
) -> None:
    """The request fails as transient: the same request may succeed later."""
    (kind,) = {kind_of(r) for e in [chat.receive(request_)] for r in chat.requests[-1:] if e == []}
    (failed,) = chat.reply(kind, **answer)
    assert isinstance(failed, ApiFailed)
    assert isinstance(failed.error, (TransientError, TransportError))
    assert failed.error.transient


def test_a_404_of_a_proxy_does_not_mean_no_active_chat(chat: ClientHarness) -> None:
    """A proxy's 404 is not the answer "no active chat"; the center's is."""
    chat.receive(a.GetActiveChat())
    (failed,) = chat.reply("chats/active", PAGES[0], status=404)
    assert isinstance(failed, ApiFailed)
    chat.receive(a.GetActiveChat())
    (found,) = chat.reply("chats/active", status=404)
    assert found.result is None


@pytest.mark.parametrize(
    "refusal",
    [{"status": 400, "body": {"error_code": "5509"}}, {"status": 429}, {"status": 400}],
)
def test_events_polled_by_another_client_are_reported(
    chat: ClientHarness, refusal: dict[str, Any]
) -> None:
    """While polls are refused as busy, another client gets the events; one history follows."""
    chat.reply_poll(at=1.0)
    for _ in range(3):
        while "poll" not in chat.pending:
            chat.run_to_deadline()
        chat.reply("poll", **refusal)
    while "poll" not in chat.pending:
        chat.run_to_deadline()
    assert histories(chat) == 0, "not before a poll is answered"
    chat.reply_poll(agent_message(4, "second"))
    assert chat.pending == ["history"]
    chat.reply_history(agent_message(2, "first"), agent_message(4, "second"))
    assert texts(chat) == ["second", "first"]
    for _ in range(5):
        chat.run_to_deadline()
        chat.reply_poll()
    assert histories(chat) == 1


def test_a_busy_refusal_survives_a_restart(chat: ClientHarness) -> None:
    """The history after the next successful poll is requested also by a restored client."""
    chat.reply("poll", status=429)
    chat.restart(at=50.0)
    chat.tick()
    chat.reply_history()
    while "poll" not in chat.pending:
        chat.run_to_deadline()
    chat.reply_poll()
    assert chat.pending == ["history"]


BROKEN = [b"caf\xc3", b"one\x0btwo", b"one\ntwo", b"one\x00", b"\xff\xfe", b"\xe2\x82"]


def body_with(raw: bytes) -> bytes:
    """Return a batch of two messages, the first with these bytes as its text."""
    return (
        json.dumps({"events": wire([agent_message(2, "XX"), agent_message(4, "fine")])})
        .encode()
        .replace(b"XX", raw)
    )


@pytest.mark.parametrize("raw", BROKEN, ids=repr)
@pytest.mark.parametrize("kind", ["poll", "history", "post"])
def test_one_bad_byte_does_not_lose_its_batch(raw: bytes, kind: str) -> None:
    """The event is read with replacements, and an anomaly reports it once, also in histories."""
    chat = ClientHarness(version=1).open_chat()
    if kind == "post":
        chat.send_text("a")
    for _ in range(2 if kind == "history" else 1):
        if kind == "history":
            while "poll" not in chat.pending:
                chat.run_to_deadline()
            chat.fail("poll", "connect")
            chat.run_to_deadline()
        chat.reply(kind, body_with(raw))
    reported = raw.decode("utf-8", "replace")
    assert texts(chat) == [reported, "fine"]
    anomalies = [e for e in chat.effects if isinstance(e, effects.Anomaly)]
    assert [anomaly.kind for anomaly in anomalies] == ["malformed"]
    assert "reply has" in anomalies[0].text


def test_bad_bytes_of_a_cache_do_not_speed_up_polling(chat: ClientHarness) -> None:
    """Polling stays at one poll per second, though each poll reports an anomaly."""
    body = body_with(BROKEN[0])
    while chat.now < 60.0:
        if "poll" in chat.pending:
            chat.reply("poll", body)
        chat.run_to_deadline()
    assert sum(kind_of(request) == "poll" for request in chat.requests) <= 62
    assert len(texts(chat)) == 2


@pytest.mark.parametrize("by_sender", [True, False])
def test_a_history_over_the_limit_is_skipped(
    make_client: type[ClientHarness], by_sender: bool
) -> None:
    """The chat goes on without it and reports that, because a retry would be as long."""
    chat = make_client(max_body=1_000).open_chat()
    chat.send_text("a")
    chat.fail("post")
    while "history" not in chat.pending:
        chat.run_to_deadline()
    if by_sender:
        request = chat.pending_request("history")
        del chat.waiting[request.id]
        reported = chat.receive(HttpFailure(request.id, "protocol", "too much", too_large=True))
    else:
        reported = chat.reply("history", bytes(1_001))
    (anomaly,) = [effect for effect in reported if isinstance(effect, effects.Anomaly)]
    assert anomaly.kind == "malformed"
    assert "history" in anomaly.text
    chat.send_text("b")
    assert chat.posted[-1][-1] == "b", "later texts are sent"
    for _ in range(40):
        for kind in chat.pending:
            chat.reply(kind)
        if not chat.pending:
            chat.run_to_deadline()
    assert histories(chat) == 1
