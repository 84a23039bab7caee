"""Transition tables, bounds of settings, and the backoff."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm._client import state
from chatfsm._client.client import Health
from chatfsm._client.failures import backoff
from chatfsm._client.state import next_state
from chatfsm.settings import ClientSettings
from tests.client.conftest import ClientHarness
from tests.transition_pairs import moved_by_transitions, pairs_of

TABLES = {
    table.name: table
    for table in (state.LINK_TABLE, state.POLL_TABLE, state.HISTORY_TABLE, state.POST_TABLE)
}
PAIRS = pairs_of(TABLES.values())


@pytest.mark.parametrize(("name", "state", "trigger"), PAIRS)
def test_the_compiled_table_moves_as_transitions_does(name: str, state: str, trigger: str) -> None:
    """The compiled table and the Machine agree on every state and trigger, also without a row."""
    goes = moved_by_transitions(TABLES[name], state, trigger)
    assert TABLES[name].moves[state].get(trigger) == goes
    assert next_state(TABLES[name], state, trigger) == (goes or state)


def test_only_the_links_end_is_final() -> None:
    """No transition leaves `over`; each other state of each table has one."""
    assert state.LINK_TABLE.finals == {"over"}
    assert not any(table.finals for table in TABLES.values() if table is not state.LINK_TABLE)


def test_only_one_poll_is_in_flight() -> None:
    """The tables allow at most one poll, one history and one POST in flight."""
    assert [s for s, row in state.POLL_TABLE.moves.items() if "send" in row] == ["due"]
    assert [s for s, row in state.HISTORY_TABLE.moves.items() if "send" in row] == ["due"]
    assert [s for s, row in state.POST_TABLE.moves.items() if "send" in row] == ["idle"]


@given(st.text(), st.integers(1, 10_000), st.none() | st.floats(0, 1e9))
def test_a_wait_is_bounded_and_the_same_each_time(
    key: str, attempt: int, asked: float | None
) -> None:
    """The delay is above 0, within the limits, and depends on its inputs only."""
    settings = ClientSettings()
    first = backoff(settings, key, attempt, asked)
    assert settings.backoff_first / 2 <= first
    assert first <= max(settings.backoff_most, settings.retry_after_most)
    assert first == backoff(settings, key, attempt, asked)
    assert first >= min(asked or 0.0, settings.retry_after_most)


def test_clients_do_not_reconnect_together() -> None:
    """A thousand chats that lost their server at once are spread over half a delay."""
    waits = sorted(backoff(ClientSettings(), f"chat {number}", 6) for number in range(1_000))
    assert 15.0 <= waits[0] < waits[-1] <= 30.0
    quarters = [sum(15 + 3.75 * n <= w < 18.75 + 3.75 * n for w in waits) for n in range(4)]
    assert all(200 < quarter < 300 for quarter in quarters)


@pytest.mark.parametrize(
    ("setting", "error"),
    [
        ({"poll_timeout": 19}, ValueError),
        ({"poll_timeout": float("inf")}, ValueError),
        ({"request_timeout": 0}, ValueError),
        ({"timeout_grace": float("nan")}, ValueError),
        ({"backoff_first": 0}, ValueError),
        ({"settle_delay": -1}, ValueError),
        ({"suspend_gap": True}, TypeError),
        ({"poll_every": "1"}, TypeError),
        ({"max_batch": 0}, ValueError),
        ({"max_body": 1.5}, TypeError),
        ({"max_api_requests": True}, TypeError),
        ({"session": None}, TypeError),
    ],
)
def test_settings_have_bounds(setting: dict[str, Any], error: type[Exception]) -> None:
    """A value out of range is refused with its name."""
    with pytest.raises(error, match=next(iter(setting))):
        ClientSettings(**setting)


def test_health_of_a_live_chat(chat: ClientHarness) -> None:
    """Health has the link, the last good poll, the next deadline, failures and pending requests."""
    assert chat.client.health(0.0) == Health("waiting", None, 35.0, 0, 1, 0, 0)
    chat.reply_poll(at=10.0)
    chat.send_text("a")
    chat.send_text("b")
    chat.fail("poll", "connect", at=12.0)
    health = chat.client.health(12.25)
    assert (health.link, health.silent_for, health.failures) == ("retrying", 2.25, 1)
    assert (health.pending, health.queued, health.ignored) == (1, 2, 0)
    assert health.next_in is not None
    assert 0.25 <= health.next_in <= 0.75
    assert chat.client.health(99.0).next_in == 0.0


def test_health_of_an_ended_chat(chat: ClientHarness) -> None:
    """After the end there are no deadline and no pending request."""
    chat.reply_poll({"event": "ended"}, at=1.0)
    assert chat.client.health(5.0) == Health("over", 4.0, None, 0, 0, 0, 0)
