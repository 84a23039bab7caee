"""Gaps: replies that broke off, that cannot be read, or that came too late."""

from __future__ import annotations

import pytest

from chatfsm import effects
from chatfsm.client_effects import LinkChanged
from chatfsm.transport import HttpReply
from tests.client.conftest import Stage

HELLO = {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}
TYPING = {"event": "typing", "party_id": "ann"}


def test_a_poll_that_broke_off_may_swallow_what_comes(chat: Stage) -> None:
    """The server may give news to a connection that broke: later on the history tells of them."""
    chat.polled(at=5.0)
    chat.fails("poll", "protocol", at=6.0)
    assert chat.is_due() == ["history"]
    chat.remembers()
    assert chat.client.deadline == 25.0, "20 s after the poll that broke off was asked"
    assert chat.is_due() == ["history"]
    assert [type(effect) for effect in chat.remembers(HELLO)] == [effects.MessageReceived]
    chat.polled(at=30.0)
    assert chat.pending == ["poll"], "and that was it"


def test_the_doubt_about_a_broken_poll_waits_for_a_history_under_way(chat: Stage) -> None:
    """A history that was asked for before is too old to tell, and is asked for again."""
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
    """After a gap the history comes first, and is told; then the poll goes live again."""
    chat.fails("poll", how, at=20.0)
    assert chat.is_due() == ["history"]
    told = chat.remembers(HELLO)
    assert [type(effect) for effect in told] == [effects.MessageReceived]
    assert told[0].replayed
    assert chat.pending == ["poll"]
    assert chat.polled(HELLO, at=60.0) == [LinkChanged("live")]


def test_a_history_that_fails_keeps_no_poll_back_for_ever(chat: Stage) -> None:
    """A customer who does not poll is taken for gone: polls go on while the history fails."""
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
def test_a_body_that_cannot_be_read_is_a_failure(chat: Stage, body: bytes) -> None:
    """A success that is no JSON of a known shape counts as a lost reply, and crashes nothing."""
    chat.replies("poll", body, at=1.0)
    assert chat.is_due() == ["history"]
    assert chat.told[-1] == LinkChanged("retrying", "no reply (protocol): the reply cannot be read")


def test_a_body_that_is_too_long_is_a_failure(stages: type[Stage]) -> None:
    """What a carrier lets through though it is longer than allowed is not even looked at."""
    chat = stages(max_body=1_000).opens()
    assert chat.asked("poll").max_body == 1_000
    chat.replies("poll", b" " * 1_001, at=1.0)
    assert chat.client.health(1.0).link == "retrying"


def test_late_replies_are_counted_and_ignored(chat: Stage) -> None:
    """A reply that comes twice, for no request, or after the end, changes nothing."""
    poll = chat.asked("poll")
    chat.polled(at=5.0)
    chat.receives(HttpReply(poll.id, 200, {}, b'{"events":[{"event":"chat_session_ended"}]}'))
    chat.receives(HttpReply(4711, 200, {}, b""))
    assert not chat.client.done
    chat.polled({"event": "ended"}, at=9.0)
    chat.receives(HttpReply(4712, 200, {}, b""))
    assert chat.client.health(9.0).ignored == 3


def test_a_request_without_a_reply_is_given_up(chat: Stage) -> None:
    """A carrier that forgot a poll does not stall the chat: it counts as timed out."""
    assert chat.client.deadline == 35.0
    poll = chat.asked("poll")
    chat.ticks(at=35.0)
    del chat.waiting[poll.id]
    assert chat.is_due() == ["history"]
    chat.remembers()
    assert chat.pending == ["poll"]
    chat.receives(HttpReply(poll.id, 200, {}, b""))
    assert chat.client.health(chat.now).ignored == 1


def test_a_clock_that_jumps_makes_the_history_come_first(chat: Stage) -> None:
    """A computer that slept learns what it missed, though its poll seems still on its way."""
    chat.ticks(at=35.0 + 21.0)
    chat.waiting.clear()
    assert chat.is_due() == ["history"]
    told = chat.remembers(HELLO)
    assert [type(effect) for effect in told] == [effects.MessageReceived]
    assert chat.pending == ["poll"]


def test_a_reply_that_comes_with_the_waking_is_heard(chat: Stage) -> None:
    """What arrived while the computer slept is not lost, and the history is asked for as well."""
    told = chat.polled(HELLO, at=500.0)
    assert isinstance(told[-1], effects.MessageReceived)
    assert chat.pending == ["history"]
