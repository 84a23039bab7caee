"""Snapshots at any point: a restored session continues as if it had never stopped."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import ChatSession, LocalProtocolError, Settings, Tick, effects
from chatfsm.events import Event
from chatfsm.replay.formats import records
from chatfsm.replay.sources import Source
from chatfsm.testing.strategies import inputs as any_inputs
from chatfsm.testing.strategies import pauses, with_exact_times

LOGS = Path(__file__).resolve().parents[2] / "logs"
SMALL = Settings(
    max_ids=6, max_parties=2, max_typists=2, max_forms=2, max_candidates=2, max_unsent=3
)

Step = tuple[Any, float]
Steps = list[Step]


def run(session: ChatSession, steps: Iterable[Step], clock: float = 0.0) -> list[object]:
    """Feed the steps; return their effects, or the error text of a refused command.

    `clock` is the difference of the session's clock to the times of the steps.
    """
    effects_of_steps: list[object] = []
    for item, now in steps:
        try:
            effects_of_steps.append(
                [on_its_clock(effect, clock) for effect in effects_of(session, item, now)]
            )
        except LocalProtocolError as refusal:
            effects_of_steps.append(str(refusal))
    return effects_of_steps


def effects_of(session: ChatSession, item: Any, now: float) -> list[dict[str, Any]]:
    """The effects of one input, as JSON, so that all orders are compared."""
    return [effects.to_json(effect) for effect in session.receive(item, now=now)]


def on_its_clock(effect: dict[str, Any], clock: float) -> str:
    """An effect as text, its deadline on the clock of the steps."""
    form = effect.get("form")
    if form is not None and form["deadline"] is not None:
        effect = {**effect, "form": {**form, "deadline": form["deadline"] - clock}}
    return json.dumps(effect, allow_nan=False)


def shifted(steps: Steps, clock: float) -> Steps:
    """The steps on a clock that is `clock` seconds ahead."""
    return [(item, now + clock) for item, now in steps]


def stored(session: ChatSession, now: float) -> Any:
    """A snapshot as a store returns it."""
    return json.loads(json.dumps(session.snapshot(now=now), allow_nan=False))


def check_every_cut(steps: Steps, settings: Settings, chat_id: str, clock: float = 0.0) -> None:
    """Assert that replay(a) + snapshot + restore + replay(b) = replay(a + b), for each end of a."""
    whole = ChatSession(chat_id, settings=settings)
    effects_of_steps = run(whole, steps)
    end = steps[-1][1] if steps else 0.0
    for cut in range(len(steps) + 1):
        first = ChatSession(chat_id, settings=settings)
        before = run(first, steps[:cut])
        now = steps[cut - 1][1] if cut else 0.0
        kept = stored(first, now)
        second = ChatSession.restore(kept, settings=settings, now=now + clock)
        assert stored(second, now + clock) == kept
        if not clock:
            assert second == first
        assert before + run(second, shifted(steps[cut:], clock), clock) == effects_of_steps, (
            f"cut at {cut}"
        )
        # Compared as text, because the order of the state counts too.
        assert text_of(second, end + clock) == text_of(whole, end), f"cut at {cut}"


def text_of(session: ChatSession, now: float) -> str:
    return json.dumps(stored(session, now))


@st.composite
def any_steps(draw: st.DrawFn) -> Steps:
    """Inputs of every kind, on a clock that mostly advances."""
    items = draw(st.lists(st.tuples(any_inputs(), pauses()), max_size=9))
    now, steps = 0.0, []
    for item, pause in items:
        now += pause if pause < 40 else 0.0
        steps.append((with_exact_times(item), now))
    return steps


@given(any_steps(), st.sampled_from((Settings(), SMALL, Settings(msg_id_format="chat_id:n"))))
def test_a_restart_at_any_moment_changes_nothing(steps: Steps, settings: Settings) -> None:
    """The effects and the last state are the same, whenever the process is restarted."""
    check_every_cut(steps, settings, "chat-1")


@given(any_steps(), st.integers(-(2**30), 2**30))
def test_a_restart_on_another_clock_changes_nothing(steps: Steps, clock: int) -> None:
    """The next process may have another clock: all deadlines stay as many seconds away."""
    check_every_cut(steps, SMALL, "chat-1", float(clock))


@given(any_steps())
def test_a_restart_after_every_single_input_changes_nothing(steps: Steps) -> None:
    """A session that is restored after each input has the effects of one that is not."""
    whole, session = ChatSession("chat-1"), ChatSession("chat-1")
    for item, now in steps:
        session = ChatSession.restore(stored(session, now), now=now)
        assert run(session, [(item, now)]) == run(whole, [(item, now)])
        assert session == whole


def recorded_chats(path: Path) -> dict[str, list[Event]]:
    """The events of a log, by chat."""
    chats: dict[str, list[Event]] = {}
    for record in records(Source(str(path))):
        chats.setdefault(record.chat_id or path.name.partition(".")[0], []).append(record.event)
    return chats


def steps_of(chat_id: str, logged_events: list[Event]) -> Steps:
    """A recorded chat with the ticks between its events, on a clock that starts at 0."""
    session, steps, now = ChatSession(chat_id), [], 0.0
    first = next((event.timestamp for event in logged_events if event.timestamp is not None), 0.0)
    for event in logged_events:
        until = max(now, (event.timestamp or 0.0) - first)
        while session.deadline is not None and session.deadline <= until:
            steps.append((Tick(), session.deadline))
            session.receive(Tick(), now=session.deadline)
        now = until
        steps.append((event, now))
        session.receive(event, now=now)
    return steps


LOGGED = sorted(path.name for path in LOGS.iterdir() if path.name != "README.md")


@pytest.mark.parametrize("clock", [0.0, 1_000_000.0])
@pytest.mark.parametrize("name", LOGGED)
def test_every_cut_of_every_recorded_chat_is_seamless(name: str, clock: float) -> None:
    """A recorded chat may be cut between any two of its events."""
    chats = recorded_chats(LOGS / name)
    assert chats
    for chat_id, logged_events in chats.items():
        assert logged_events
        check_every_cut(steps_of(chat_id, logged_events), Settings(), chat_id, clock)
