"""An outage of the server, which may lose undelivered events."""

from __future__ import annotations

import pytest

from chatfsm import effects
from chatfsm.client_effects import LinkChanged
from tests.client.conftest import Stage, kind_of

HELLO = {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}
NO_SERVER = {"error_code": "5001"}


@pytest.mark.parametrize("version", [1, 2])
def test_one_history_after_an_outage(stages: type[Stage], version: int) -> None:
    """The history is requested instead of the poll until the server answers.

    Then polling goes on.
    """
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


def test_a_busy_server_is_polled(chat: Stage) -> None:
    """A server that answers the history with an error may answer polls, so polling goes on."""
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
    """Polling beside a failing history stops if no server answers either."""
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


def test_a_text_does_not_wait_for_the_history(chat: Stage) -> None:
    """A POST that reached no server is repeated once, without waiting for the history."""
    chat.says("a")
    chat.fails("post", "connect")
    chat.fails("poll", "connect")
    chat.ticks(at=2.0)
    assert chat.pending == ["history", "post"]
    assert chat.replies("post") == [effects.MessageSent("1")]
    chat.remembers({"event": "message", "party_id": "chat-1", "msg_id": "1", "msg": "a"})
    assert chat.posted == [["a"], ["a"]]


def test_a_server_that_restarts_without_the_chat(chat: Stage) -> None:
    """The history is refused, a poll confirms it, and no request follows."""
    chat.fails("poll", "connect")
    chat.is_due()
    chat.replies("history", status=404)
    told = chat.replies("poll", status=404)
    assert told[-1] == effects.Terminated("gone", "status 404")
    assert chat.client.deadline is None


def test_an_end_in_an_outage(chat: Stage) -> None:
    """An end reported by a late poll counts; the history is not requested again."""
    chat.fails("poll", "connect", "refused")
    assert chat.told[-1] == LinkChanged("retrying", "no reply (connect): refused")
    chat.is_due()
    chat.remembers()
    chat.polled({"event": "ended"}, at=9.0)
    assert chat.client.done
    assert chat.client.deadline is None


def test_a_server_without_a_history_is_polled(chat: Stage) -> None:
    """If the history is refused permanently, polling goes on without it."""
    chat.fails("poll", "connect")
    chat.is_due()
    chat.replies("history", status=400)
    assert chat.pending == ["poll"]


def test_a_flapping_network_is_no_storm(chat: Stage) -> None:
    """If each second request reaches no server, delays grow until a poll is answered."""
    for _ in range(40):
        chat.fails("poll", "connect")
        chat.is_due()
        chat.remembers()
    assert chat.now > 600.0
    kinds = [kind_of(request) for request in chat.requests]
    assert kinds.count("history") == 40
