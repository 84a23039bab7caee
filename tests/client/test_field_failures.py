"""PROTOCOL.md §6: failures observed in shipped clients, as far as they concern HTTP.

Each docstring is the row of the table, verbatim.
"""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import commands as c
from chatfsm import effects
from chatfsm.api import GetFile, UploadFile
from chatfsm.client_effects import AuthorizationFailed
from chatfsm.transport import HttpReply
from tests.client.conftest import CHAT, ClientHarness, kind_of

HELLO = {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}
ENDED = {"event": "ended"}


def polls(chat: ClientHarness) -> int:
    """Return the number of polls so far."""
    return sum(kind_of(request) == "poll" for request in chat.requests)


def messages(chat: ClientHarness) -> list[str]:
    """Return the texts of the reported messages."""
    return [e.message.text for e in chat.effects if isinstance(e, effects.MessageReceived)]


@pytest.mark.parametrize(
    "batch",
    [
        [{"event": "status", "state": "failed"}],
        [{"event": "inactivity_timeout"}],
        [{"event": "status", "state": "completed"}, ENDED],
        None,
    ],
)
def test_polling_after_the_end(chat: ClientHarness, batch: list[dict[str, Any]] | None) -> None:
    """Keeps polling after failed, inactivity or completed+ended; polls a 404 for ever."""
    if batch is None:
        chat.reply("poll", status=404, at=1.0)
    else:
        chat.reply_poll(*batch, at=1.0)
    before = polls(chat)
    for hour in range(24):
        chat.tick(at=3_600.0 * hour)
    assert polls(chat) == before
    assert chat.client.deadline is None


@pytest.mark.parametrize("status", [401, 429, 500, 503, None])
def test_a_tight_retry_loop(chat: ClientHarness, status: int | None) -> None:
    """Tight retry loop on 401, 429, 5xx or offline."""
    while chat.now < 600.0 and chat.client.deadline is not None:
        for kind in chat.pending:
            if status is None:
                chat.fail(kind, "connect")
            else:
                chat.reply(kind, status=status)
        if chat.client.deadline is not None:
            chat.run_to_deadline()
    assert len(chat.requests) < 70, "in ten minutes"
    refused = [effect for effect in chat.effects if isinstance(effect, AuthorizationFailed)]
    assert len(refused) == (status == 401)
    assert not chat.client.done


def test_five_errors_over_a_life(chat: ClientHarness) -> None:
    """Five errors over a whole life end the session."""
    for _ in range(50):
        chat.fail("poll", "connect")
        chat.run_to_deadline()
        chat.reply_history()
        chat.reply_poll(at=chat.now + 10.0)
    assert not chat.client.done
    assert chat.client.health(chat.now).failures == 0


def test_a_second_poll(chat: ClientHarness) -> None:
    """Second poll while one is held."""
    for second in range(1, 34):
        chat.tick(at=float(second))
        chat.send_text(f"text {second}")
        if "post" in chat.pending:
            chat.reply("post")
    assert polls(chat) == 1
    assert chat.pending.count("poll") == 1


def test_a_cached_poll(chat: ClientHarness) -> None:
    """Same message shown 70 times a second from a cached poll."""
    while chat.now < 60.0:
        if "poll" in chat.pending:
            chat.reply_poll(HELLO)
        chat.run_to_deadline()
    assert messages(chat) == ["hi"]
    assert polls(chat) <= 62


def test_a_history_at_each_resume(chat: ClientHarness) -> None:
    """History appended again at each resume; an old `ended` in history kills the live session."""
    chat.reply_poll(HELLO, at=1.0)
    for clock in (100.0, 7.0, 5_000.0):
        chat.restart(at=clock)
        chat.tick()
        chat.reply_history(ENDED, HELLO)
        while "poll" not in chat.pending:
            chat.run_to_deadline()
        chat.reply_poll(HELLO)
    assert messages(chat) == ["hi"]
    assert not chat.client.done


def test_failed_and_ended_together(chat: ClientHarness) -> None:
    """Callbacks fire twice when failed and ended come together; END_CALL echoed for ever."""
    reported = chat.reply_poll({"event": "status", "state": "failed"}, ENDED, ENDED, at=1.0)
    assert [type(effect).__name__ for effect in reported].count("Terminated") == 1
    assert isinstance(reported[-1], effects.Terminated)
    assert chat.posted == []


def test_one_unknown_event(chat: ClientHarness) -> None:
    """One unknown event, missing field or odd type crashes the app or loses the whole batch."""
    odd: list[Any] = [None, 5, "x", [], {}, {"event": 7}, {"event": "chat_session_typing"}]
    good = {"event": "chat_session_message", "party_id": "ann", "msg_id": "2", "msg": "hi"}
    chat.reply("poll", {"events": [*odd, {"event": "chat_session_weather"}, good]}, at=1.0)
    assert messages(chat) == ["hi"]
    assert chat.pending == ["poll"]


def test_two_chats(make_client: type[ClientHarness]) -> None:
    """Events without chat id, so two chats cannot be reported apart."""
    first, second = make_client(chat_id="one"), make_client(chat_id="two")
    for harness in (first, second):
        harness.tick()
        harness.reply_history()
    assert "/chats/one/" in first.pending_request("poll").url
    assert "/chats/two/" in second.pending_request("poll").url
    first.reply_poll(HELLO, at=1.0)
    assert (messages(first), messages(second)) == (["hi"], [])


def test_an_end_after_a_message(chat: ClientHarness) -> None:
    """End event dropped because the connection closes first."""
    for text in ("a", "b"):
        chat.send_text(text)
    chat.receive(c.End())
    chat.fail("post", "connect")
    chat.run_to_deadline()
    assert chat.posted == [["a"], ["a", "b", "end"]]
    chat.reply("post")
    assert "poll" in chat.pending, "until the server confirms"
    assert not chat.client.done
    chat.reply_poll(ENDED, at=9.0)
    assert chat.client.done


def test_events_in_the_post_response(make_client: type[ClientHarness]) -> None:
    """Events in the v1 POST response thrown away."""
    chat = make_client(version=1).open_chat()
    chat.send_text("a")
    reply = {"events": [{"event": "chat_session_message", "msg_id": "2", "msg": "hi"}]}
    chat.reply("post", reply)
    assert messages(chat) == ["hi"]


def test_a_mime_type_as_file_type(chat: ClientHarness) -> None:
    """File uploads: MIME type sent as file_type."""
    chat.receive(UploadFile("a.png", b"png", "image/png"))
    (reported,) = chat.reply("files", {"file_id": "f1"})
    with pytest.raises(ValueError, match="file_type"):
        c.SendFile(reported.result.file_id, "image/png")  # type: ignore[arg-type]  # the wrong type is the claim
    chat.receive(c.SendFile(reported.result.file_id, "image", "a.png"))
    assert b'"file_type":"image"' in chat.pending_request("post").body


def test_replies_that_come_late(chat: ClientHarness) -> None:
    """Duplicates are real: cached polls, overlapping polls, history overlapping with the poll."""
    poll = chat.pending_request("poll")
    chat.fail("poll")
    chat.run_to_deadline()
    body = b'{"events":[{"event":"chat_session_message","msg_id":"2","msg":"hi","party_id":"ann"}]}'
    chat.receive(HttpReply(poll.id, 200, {}, body))
    assert messages(chat) == [], "late, and for no pending request"
    chat.reply_history(HELLO)
    chat.reply_poll(HELLO)
    assert messages(chat) == ["hi"]


def test_no_secret_in_a_log(chat: ClientHarness, caplog: pytest.LogCaptureFixture) -> None:
    """DESIGN L10: ids of the app and texts are in no log record above DEBUG."""
    caplog.set_level("INFO")
    chat.send_text("my card is 4111")
    chat.reply("post", {"error_code": "5003", "error_message": "my card is 4111"}, status=400)
    chat.reply("poll", {"error_code": "3000", "error_message": "no app the-app"}, status=401)
    assert caplog.records
    text = caplog.text + repr(chat.effects)
    for secret in ("4111", "the-app", "the-client"):
        assert secret not in text


def test_an_api_request_delays_no_poll(chat: ClientHarness) -> None:
    """A slow download delays no other request."""
    chat.receive(GetFile("f1"))
    chat.reply_poll(HELLO, at=5.0)
    chat.send_text("a")
    chat.reply("post")
    assert chat.pending == ["chats/" + CHAT + "/files/f1", "poll"]
    assert messages(chat) == ["hi"]
