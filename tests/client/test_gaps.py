"""Gaps: replies that break off, are unreadable, or come too late."""

from __future__ import annotations

import pytest

from chatfsm import effects
from chatfsm.client_effects import LinkChanged
from chatfsm.transport import HttpReply
from tests.client.conftest import Stage

HELLO = {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}
TYPING = {"event": "typing", "party_id": "ann"}


def test_a_broken_poll_may_lose_events(chat: Stage) -> None:
    """The server may answer a broken poll, so a later history is requested for those events."""
    chat.polled(at=5.0)
    chat.fails("poll", "protocol", at=6.0)
    assert chat.is_due() == ["history"]
    chat.remembers()
    assert chat.client.deadline == 25.0, "20 s after the poll that broke off was asked"
    assert chat.is_due() == ["history"]
    assert [type(effect) for effect in chat.remembers(HELLO)] == [effects.MessageReceived]
    chat.polled(at=30.0)
    assert chat.pending == ["poll"], "and that was it"


def test_a_broken_poll_needs_a_later_history(chat: Stage) -> None:
    """A history requested before the break is too old, so another one is requested."""
    chat.fails("poll", "protocol", at=1.0)
    while chat.client.deadline is not None and chat.client.deadline < 20.0:
        chat.is_due()
        if "history" in chat.pending:
            break
    chat.ticks(at=20.0)
    assert chat.pending == ["history"]
    chat.remembers()
    assert chat.pending == ["history"]


@pytest.mark.parametrize("how", ["timeout", "protocol", "cancelled"])
def test_a_poll_whose_reply_may_be_lost_is_followed_by_the_history(chat: Stage, how: str) -> None:
    """After a gap the history is requested and reported first; then polling goes on."""
    chat.fails("poll", how, at=20.0)
    assert chat.is_due() == ["history"]
    told = chat.remembers(HELLO)
    assert [type(effect) for effect in told] == [effects.MessageReceived]
    assert told[0].replayed
    assert chat.pending == ["poll"]
    assert chat.polled(HELLO, at=60.0) == [LinkChanged("live")]


def test_a_failing_history_does_not_stop_polling(chat: Stage) -> None:
    """The server disconnects a client that does not poll, so polling goes on."""
    chat.fails("poll", at=20.0)
    assert chat.is_due() == ["history"]
    chat.replies("history", status=500)
    assert chat.pending == ["poll"]
    assert chat.is_due() == ["history"]
    assert isinstance(chat.polled(HELLO)[-1], effects.MessageReceived)
    assert chat.remembers(HELLO) == []
    assert chat.client.health(chat.now).failures == 0


@pytest.mark.parametrize(
    "body", [b"<html>hello</html>", b'{"events": 5}', b'"events"', b"\xff\xfe\xff", b"[" * 9999]
)
def test_an_unreadable_body_is_a_failure(chat: Stage, body: bytes) -> None:
    """A success without valid JSON of a known shape counts as a lost reply."""
    chat.replies("poll", body, at=1.0)
    assert chat.is_due() == ["history"]
    assert chat.told[-1] == LinkChanged("retrying", "no reply (protocol): the reply cannot be read")


def test_a_body_that_is_too_long_is_a_failure(stages: type[Stage]) -> None:
    """A body over the limit that the sender let through is not parsed."""
    chat = stages(max_body=1_000).opens()
    assert chat.asked("poll").max_body == 1_000
    chat.replies("poll", b" " * 1_001, at=1.0)
    assert chat.client.health(1.0).link == "retrying"


def test_late_replies_are_counted_and_ignored(chat: Stage) -> None:
    """A second reply, a reply to no request and one after the end change nothing."""
    poll = chat.asked("poll")
    chat.polled(at=5.0)
    chat.receives(HttpReply(poll.id, 200, {}, b'{"events":[{"event":"chat_session_ended"}]}'))
    chat.receives(HttpReply(4711, 200, {}, b""))
    assert not chat.client.done
    chat.polled({"event": "ended"}, at=9.0)
    chat.receives(HttpReply(4712, 200, {}, b""))
    assert chat.client.health(9.0).ignored == 3


def test_a_forgotten_poll_times_out(chat: Stage) -> None:
    """A poll that the sender forgot times out."""
    assert chat.client.deadline == 35.0
    poll = chat.asked("poll")
    chat.ticks(at=35.0)
    del chat.waiting[poll.id]
    assert chat.is_due() == ["history"]
    chat.remembers()
    assert chat.pending == ["poll"]
    chat.receives(HttpReply(poll.id, 200, {}, b""))
    assert chat.client.health(chat.now).ignored == 1


def test_a_clock_jump_requests_the_history_first(chat: Stage) -> None:
    """After a sleep the history is requested, though the poll is still pending."""
    chat.ticks(at=35.0 + 21.0)
    chat.waiting.clear()
    assert chat.is_due() == ["history"]
    told = chat.remembers(HELLO)
    assert [type(effect) for effect in told] == [effects.MessageReceived]
    assert chat.pending == ["poll"]


def test_a_reply_received_after_a_sleep_is_used(chat: Stage) -> None:
    """A reply that arrived during the sleep is used, and the history is requested as well."""
    told = chat.polled(HELLO, at=500.0)
    assert isinstance(told[-1], effects.MessageReceived)
    assert chat.pending == ["history"]
