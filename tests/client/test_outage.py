"""An outage of the server, which may lose undelivered events."""

from __future__ import annotations

import pytest

from chatfsm import effects
from chatfsm.client_effects import LinkChanged
from tests.client.conftest import ClientHarness, kind_of

HELLO = {"event": "message", "party_id": "ann", "msg_id": "2", "msg": "hi"}
NO_SERVER = {"error_code": "5001"}


@pytest.mark.parametrize("version", [1, 2])
def test_one_history_after_an_outage(make_client: type[ClientHarness], version: int) -> None:
    """The history is requested instead of the poll until the server answers.

    Then polling goes on.
    """
    chat = make_client(version=version).open_chat()
    chat.fail("poll", "connect")
    waits = []
    for _ in range(10):
        before = chat.now
        assert chat.pending == []
        assert chat.run_to_deadline() == ["history"], "no poll beside the history"
        waits.append(chat.now - before)
        chat.fail("history", "connect")
    steps = [min(2.0**attempt, 30.0) for attempt in range(10)]
    assert all(step / 2 <= wait <= step for step, wait in zip(steps, waits, strict=True))
    assert chat.run_to_deadline() == ["history"]
    assert [type(reported) for reported in chat.reply_history(HELLO)] == [effects.MessageReceived]
    assert chat.pending == ["poll"]
    assert chat.reply_poll(HELLO, at=chat.now + 9.0) == [LinkChanged("live")]
    assert chat.pending == ["poll"]
    assert chat.client.health(chat.now).failures == 0


def test_a_busy_server_is_polled(chat: ClientHarness) -> None:
    """A server that answers the history with an error may answer polls, so polling goes on."""
    chat.reply("poll", NO_SERVER, status=503)
    assert chat.run_to_deadline() == ["history"]
    chat.reply("history", NO_SERVER, status=503)
    assert chat.pending == ["poll"]
    chat.reply_poll()
    chat.tick(at=chat.now + 30.0)
    assert chat.pending == ["history", "poll"]
    assert [type(reported) for reported in chat.reply_history(HELLO)] == [effects.MessageReceived]
    chat.reply_poll(HELLO)
    assert chat.run_to_deadline() == ["poll"]


def test_an_outage_while_the_history_fails(chat: ClientHarness) -> None:
    """Polling beside a failing history stops if no server answers either."""
    chat.fail("poll", "timeout", at=20.0)
    chat.run_to_deadline()
    chat.reply("history", status=500)
    assert chat.pending == ["poll"]
    chat.fail("poll", "connect")
    for _ in range(5):
        assert chat.run_to_deadline() == ["history"]
        chat.fail("history", "connect")
    chat.run_to_deadline()
    chat.reply_history()
    assert chat.pending == ["poll"]


def test_a_text_does_not_wait_for_the_history(chat: ClientHarness) -> None:
    """A POST that reached no server is repeated once, without waiting for the history."""
    chat.send_text("a")
    chat.fail("post", "connect")
    chat.fail("poll", "connect")
    chat.tick(at=2.0)
    assert chat.pending == ["history", "post"]
    assert chat.reply("post") == [effects.MessageSent("1")]
    chat.reply_history({"event": "message", "party_id": "chat-1", "msg_id": "1", "msg": "a"})
    assert chat.posted == [["a"], ["a"]]


def test_a_server_that_restarts_without_the_chat(chat: ClientHarness) -> None:
    """The history is refused, a poll confirms it, and no request follows."""
    chat.fail("poll", "connect")
    chat.run_to_deadline()
    chat.reply("history", status=404)
    reported = chat.reply("poll", status=404)
    assert reported[-1] == effects.Terminated("gone", "status 404")
    assert chat.client.deadline is None


def test_an_end_in_an_outage(chat: ClientHarness) -> None:
    """An end reported by a late poll counts; the history is not requested again."""
    chat.fail("poll", "connect", "refused")
    assert chat.effects[-1] == LinkChanged("retrying", "no reply (connect): refused")
    chat.run_to_deadline()
    chat.reply_history()
    chat.reply_poll({"event": "ended"}, at=9.0)
    assert chat.client.done
    assert chat.client.deadline is None


def test_a_server_without_a_history_is_polled(chat: ClientHarness) -> None:
    """If the history is refused permanently, polling goes on without it."""
    chat.fail("poll", "connect")
    chat.run_to_deadline()
    chat.reply("history", status=400)
    assert chat.pending == ["poll"]


def test_a_flapping_network_is_no_storm(chat: ClientHarness) -> None:
    """If each second request reaches no server, delays grow until a poll is answered."""
    for _ in range(40):
        chat.fail("poll", "connect")
        chat.run_to_deadline()
        chat.reply_history()
    assert chat.now > 600.0
    kinds = [kind_of(request) for request in chat.requests]
    assert kinds.count("history") == 40
