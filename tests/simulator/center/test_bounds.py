"""Bounds on the memory of a center, as its settings say."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm.simulator.settings import CenterSettings
from tests.simulator.center.harness import CenterHarness, agent_message, event


def test_the_memory_of_a_chat_is_bounded() -> None:
    """A chat keeps only the newest history, pending events, customer events and receipts."""
    harness = CenterHarness(max_history=3, max_pending=2)
    chat_id = harness.open_chat()
    for number in range(5):
        harness.send(chat_id, agent_message(str(number)))
        harness.post(chat_id, event("message_read", ref_msg_id=str(number)))
    chat = harness.chat(chat_id)
    assert [one["msg"] for one in chat.history] == ["2", "3", "4"]
    assert [one["msg"] for one in chat.pending] == ["3", "4"]
    assert [one["ref_msg_id"] for one in chat.customer_events] == ["2", "3", "4"]
    assert list(chat.receipts) == ["2", "3", "4"]


def test_old_ended_sessions_are_dropped() -> None:
    """The oldest ended sessions are dropped first; a live session is never dropped."""
    harness = CenterHarness(max_ended_chats=2)
    lives = harness.open_chat(client="lives")
    ids = []
    for number in range(4):
        ids.append(harness.open_chat(client=str(number)))
        harness.post(ids[-1], event("end"), client=str(number))
    assert list(harness.center.chats) == [lives, *ids[2:]]
    assert not harness.center._state.chats_by_waiter.keys() - {harness.scripts[0]}


def test_a_held_poll_of_a_dropped_session_is_answered() -> None:
    """Held polls of two sessions that end at once are answered, though only one session is kept."""
    harness = CenterHarness(max_ended_chats=1)
    first, second = harness.open_chat(), harness.open_chat(client="bert")
    numbers = harness.poll(first), harness.poll(second, client="bert")
    for chat_id in (first, second):
        harness.center.send_event(chat_id, event("ended"), now=0.0)
    harness.collect()
    assert set(harness.replies) == set(numbers)
    assert list(harness.center.chats) == [second]


def test_stale_alarms_are_removed() -> None:
    """Polls and news of a busy chat leave no stale alarms, while a quiet chat is due earlier."""
    harness = CenterHarness(max_ended_chats=1)
    for client in ("bert", "carl"):
        harness.post(harness.open_chat(client=client), event("end"), client=client)
    harness.poll(harness.open_chat(client="quiet"), client="quiet")
    harness.now = 1.0
    chat_id = harness.open_chat()
    for number in range(500):
        harness.poll(chat_id)
        harness.now += 0.01
        harness.send(chat_id, agent_message(str(number)))
        assert len(harness.center._state.alarms) <= 72
    assert harness.center.deadline == 12.0
    harness.post(chat_id, event("end"))
    harness.advance(1000)
    assert harness.center._state.alarms == []


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"hold": -1}, ValueError),
        ({"hold": float("nan")}, ValueError),
        ({"hold": "1"}, TypeError),
        ({"hold": True}, TypeError),
        ({"inactivity_timeout": 0}, ValueError),
        ({"max_files": 0}, ValueError),
        ({"max_files": 1.5}, TypeError),
        ({"max_files": True}, TypeError),
        ({"milliseconds": 1}, TypeError),
        ({"server_version": 5}, TypeError),
    ],
)
def test_settings_are_checked(wrong: dict[str, Any], error: type[Exception]) -> None:
    """A setting out of range is refused with its name."""
    with pytest.raises(error, match=next(iter(wrong))):
        CenterSettings(**wrong)


def test_settings_can_be_read() -> None:
    """The center has its settings as an attribute."""
    assert CenterHarness(hold=5.0).center.settings == CenterSettings(hold=5.0)
