"""Whatever comes, what is remembered is bounded by the settings."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm.simulator.settings import CenterSettings
from tests.simulator.center.office import Office, event, says


def test_a_chat_remembers_so_much() -> None:
    """The newest of history, news, what was said, and receipts."""
    office = Office(max_history=3, max_pending=2)
    chat_id = office.opens()
    for number in range(5):
        office.tells(chat_id, says(str(number)))
        office.posts(chat_id, event("message_read", ref_msg_id=str(number)))
    chat = office.chat(chat_id)
    assert [one["msg"] for one in chat.history] == ["2", "3", "4"]
    assert [one["msg"] for one in chat.pending] == ["3", "4"]
    assert [one["ref_msg_id"] for one in chat.customer_events] == ["2", "3", "4"]
    assert list(chat.receipts) == ["2", "3", "4"]


def test_sessions_that_are_over_are_let_go() -> None:
    """The oldest first; one that lives never."""
    office = Office(max_ended_chats=2)
    lives = office.opens(client="lives")
    ids = []
    for number in range(4):
        ids.append(office.opens(client=str(number)))
        office.posts(ids[-1], event("end"), client=str(number))
    assert list(office.center.chats) == [lives, *ids[2:]]
    assert not office.center._state.chats_by_waiter.keys() - {office.scripts[0]}


def test_a_poll_of_a_session_that_is_let_go_is_answered() -> None:
    """Though two sessions end at once, and one is kept."""
    office = Office(max_ended_chats=1)
    first, second = office.opens(), office.opens(client="bert")
    numbers = office.polls(first), office.polls(second, client="bert")
    for chat_id in (first, second):
        office.center.send_event(chat_id, event("ended"), now=0.0)
    office.collects()
    assert set(office.replies) == set(numbers)
    assert list(office.center.chats) == [second]


def test_alarms_that_are_out_of_date_are_thrown_away() -> None:
    """However busy one chat is while another one is quiet, and is due before."""
    office = Office(max_ended_chats=1)
    for client in ("bert", "carl"):
        office.posts(office.opens(client=client), event("end"), client=client)
    office.polls(office.opens(client="quiet"), client="quiet")
    office.now = 1.0
    chat_id = office.opens()
    for number in range(500):
        office.polls(chat_id)
        office.now += 0.01
        office.tells(chat_id, says(str(number)))
        assert len(office.center._state.alarms) <= 72
    assert office.center.deadline == 12.0
    office.posts(chat_id, event("end"))
    office.waits(1000)
    assert office.center._state.alarms == []


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
    """A value out of range is refused, saying which."""
    with pytest.raises(error, match=next(iter(wrong))):
        CenterSettings(**wrong)


def test_settings_can_be_read() -> None:
    """From the center that has them."""
    assert Office(hold=5.0).center.settings == CenterSettings(hold=5.0)
