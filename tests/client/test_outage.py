"""A server that is away, and may come back without what it had not delivered."""

from __future__ import annotations

import pytest

from chatfsm import effects
from chatfsm.client_effects import LinkChanged
from tests.client.conftest import Stage, kind_of

HELLO = {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}
NO_SERVER = {"error_code": "5001"}


@pytest.mark.parametrize("version", [1, 2])
def test_one_history_after_an_outage(stages: type[Stage], version: int) -> None:
    """Until a server is found the history is asked in the poll's place, and polls go on then."""
    chat = stages(version=version).opens()
    chat.fails("poll", "connect")
    waits = []
    for _ in range(10):
        before = chat.now
        assert chat.pending == []
        assert chat.is_due() == ["history"], "and no poll beside it"
        waits.append(chat.now - before)
        chat.fails("history", "connect")
    steps = [min(2.0**attempt, 30.0) for attempt in range(10)]
    assert all(step / 2 <= wait <= step for step, wait in zip(steps, waits, strict=True))
    assert chat.is_due() == ["history"]
    assert [type(told) for told in chat.remembers(HELLO)] == [effects.MessageReceived]
    assert chat.pending == ["poll"]
    assert chat.polled(HELLO, at=chat.now + 9.0) == [LinkChanged("live")]
    assert chat.pending == ["poll"]
    assert chat.client.health(chat.now).failures == 0


def test_no_server_is_free(chat: Stage) -> None:
    """A server that answers a history so may answer polls: they go on, and the history waits."""
    chat.replies("poll", NO_SERVER, status=503)
    assert chat.is_due() == ["history"]
    chat.replies("history", NO_SERVER, status=503)
    assert chat.pending == ["poll"]
    chat.polled()
    chat.ticks(at=chat.now + 30.0)
    assert chat.pending == ["history", "poll"]
    assert [type(told) for told in chat.remembers(HELLO)] == [effects.MessageReceived]
    chat.polled(HELLO)
    assert chat.is_due() == ["poll"]


def test_an_outage_while_the_history_fails(chat: Stage) -> None:
    """Polls that go on beside a failing history stop where there is no server for either."""
    chat.fails("poll", "timeout", at=20.0)
    chat.is_due()
    chat.replies("history", status=500)
    assert chat.pending == ["poll"]
    chat.fails("poll", "connect")
    for _ in range(5):
        assert chat.is_due() == ["history"]
        chat.fails("history", "connect")
    chat.is_due()
    chat.remembers()
    assert chat.pending == ["poll"]


def test_what_was_said_waits_for_no_history_of_an_outage(chat: Stage) -> None:
    """A POST that found no server took nothing along: it goes out again by itself, once."""
    chat.says("a")
    chat.fails("post", "connect")
    chat.fails("poll", "connect")
    chat.ticks(at=2.0)
    assert chat.pending == ["history", "post"]
    assert chat.replies("post") == [effects.MessageSent("1")]
    chat.remembers({"event": "message", "party_id": "chat-1", "msg_id": "1", "msg": "a"})
    assert chat.posted == [["a"], ["a"]]


def test_a_server_that_came_back_without_the_chat(chat: Stage) -> None:
    """The history that finds it finds the chat gone, a poll agrees, and nothing is asked after."""
    chat.fails("poll", "connect")
    chat.is_due()
    chat.replies("history", status=404)
    told = chat.replies("poll", status=404)
    assert told[-1] == effects.Terminated("gone", "status 404")
    assert chat.client.deadline is None


def test_an_end_amid_an_outage(chat: Stage) -> None:
    """What a late poll says of the end counts: the history of the outage is asked no more."""
    chat.fails("poll", "connect", "refused")
    assert chat.told[-1] == LinkChanged("retrying", "no reply (connect): refused")
    chat.is_due()
    chat.remembers()
    chat.polled({"event": "ended"}, at=9.0)
    assert chat.client.done
    assert chat.client.deadline is None


def test_a_server_that_tells_no_history_is_polled(chat: Stage) -> None:
    """Where the history of an outage is refused for good, polls go on without."""
    chat.fails("poll", "connect")
    chat.is_due()
    chat.replies("history", status=400)
    assert chat.pending == ["poll"]


def test_a_flapping_network_is_no_storm(chat: Stage) -> None:
    """Where each second request finds no server, waits grow as long as no poll is answered."""
    for _ in range(40):
        chat.fails("poll", "connect")
        chat.is_due()
        chat.remembers()
    assert chat.now > 600.0
    kinds = [kind_of(request) for request in chat.requests]
    assert kinds.count("history") == 40
