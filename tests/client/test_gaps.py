"""Gaps: replies that break off, are unreadable, or come too late."""

from __future__ import annotations

import pytest

from chatfsm import effects
from chatfsm.client_effects import LinkChanged
from chatfsm.transport import HttpReply
from tests.client.conftest import ClientHarness

HELLO = {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}
TYPING = {"event": "typing", "party_id": "ann"}


def test_a_broken_poll_may_lose_events(chat: ClientHarness) -> None:
    """The server may answer a broken poll, so a later history is requested for those events."""
    chat.reply_poll(at=5.0)
    chat.fail("poll", "protocol", at=6.0)
    assert chat.run_to_deadline() == ["history"]
    chat.reply_history()
    assert chat.client.deadline == 25.0, "20 s after the poll that broke off was asked"
    assert chat.run_to_deadline() == ["history"]
    assert [type(effect) for effect in chat.reply_history(HELLO)] == [effects.MessageReceived]
    chat.reply_poll(at=30.0)
    assert chat.pending == ["poll"], "only once"


def test_a_broken_poll_needs_a_later_history(chat: ClientHarness) -> None:
    """A history requested before the break is too old, so another one is requested."""
    chat.fail("poll", "protocol", at=1.0)
    while chat.client.deadline is not None and chat.client.deadline < 20.0:
        chat.run_to_deadline()
        if "history" in chat.pending:
            break
    chat.tick(at=20.0)
    assert chat.pending == ["history"]
    chat.reply_history()
    assert chat.pending == ["history"]


@pytest.mark.parametrize("how", ["timeout", "protocol", "cancelled"])
def test_a_poll_whose_reply_may_be_lost_is_followed_by_the_history(
    chat: ClientHarness, how: str
) -> None:
    """After a gap the history is requested and reported first; then polling goes on."""
    chat.fail("poll", how, at=20.0)
    assert chat.run_to_deadline() == ["history"]
    reported = chat.reply_history(HELLO)
    assert [type(effect) for effect in reported] == [effects.MessageReceived]
    assert reported[0].replayed
    assert chat.pending == ["poll"]
    assert chat.reply_poll(HELLO, at=60.0) == [LinkChanged("live")]


def test_a_failing_history_does_not_stop_polling(chat: ClientHarness) -> None:
    """The server disconnects a client that does not poll, so polling goes on."""
    chat.fail("poll", at=20.0)
    assert chat.run_to_deadline() == ["history"]
    chat.reply("history", status=500)
    assert chat.pending == ["poll"]
    assert chat.run_to_deadline() == ["history"]
    assert isinstance(chat.reply_poll(HELLO)[-1], effects.MessageReceived)
    assert chat.reply_history(HELLO) == []
    assert chat.client.health(chat.now).failures == 0


@pytest.mark.parametrize(
    "body", [b"<html>hello</html>", b'{"events": 5}', b'"events"', b"\xff\xfe\xff", b"[" * 9999]
)
def test_an_unreadable_body_is_a_failure(chat: ClientHarness, body: bytes) -> None:
    """A success without valid JSON of a known shape counts as a lost reply."""
    chat.reply("poll", body, at=1.0)
    assert chat.run_to_deadline() == ["history"]
    assert chat.effects[-1] == LinkChanged(
        "retrying", "no reply (protocol): the reply cannot be read"
    )


def test_a_body_that_is_too_long_is_a_failure(make_client: type[ClientHarness]) -> None:
    """A body over the limit that the sender let through is not parsed."""
    chat = make_client(max_body=1_000).open_chat()
    assert chat.pending_request("poll").max_body == 1_000
    chat.reply("poll", b" " * 1_001, at=1.0)
    assert chat.client.health(1.0).link == "retrying"


def test_late_replies_are_counted_and_ignored(chat: ClientHarness) -> None:
    """A second reply, a reply to no request and one after the end change nothing."""
    poll = chat.pending_request("poll")
    chat.reply_poll(at=5.0)
    chat.receive(HttpReply(poll.id, 200, {}, b'{"events":[{"event":"chat_session_ended"}]}'))
    chat.receive(HttpReply(4711, 200, {}, b""))
    assert not chat.client.done
    chat.reply_poll({"event": "ended"}, at=9.0)
    chat.receive(HttpReply(4712, 200, {}, b""))
    assert chat.client.health(9.0).ignored == 3


def test_a_forgotten_poll_times_out(chat: ClientHarness) -> None:
    """A poll that the sender forgot times out."""
    assert chat.client.deadline == 35.0
    poll = chat.pending_request("poll")
    chat.tick(at=35.0)
    del chat.waiting[poll.id]
    assert chat.run_to_deadline() == ["history"]
    chat.reply_history()
    assert chat.pending == ["poll"]
    chat.receive(HttpReply(poll.id, 200, {}, b""))
    assert chat.client.health(chat.now).ignored == 1


def test_a_clock_jump_requests_the_history_first(chat: ClientHarness) -> None:
    """After a sleep the history is requested, though the poll is still pending."""
    chat.tick(at=35.0 + 21.0)
    chat.waiting.clear()
    assert chat.run_to_deadline() == ["history"]
    reported = chat.reply_history(HELLO)
    assert [type(effect) for effect in reported] == [effects.MessageReceived]
    assert chat.pending == ["poll"]


def test_a_reply_received_after_a_sleep_is_used(chat: ClientHarness) -> None:
    """A reply that arrived during the sleep is used, and the history is requested as well."""
    reported = chat.reply_poll(HELLO, at=500.0)
    assert isinstance(reported[-1], effects.MessageReceived)
    assert chat.pending == ["history"]
