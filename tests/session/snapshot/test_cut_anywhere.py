"""A session that was put away and taken out again anywhere goes on as if nothing had happened."""

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
Play = list[Step]


def heard(session: ChatSession, play: Iterable[Step], clock: float = 0.0) -> list[object]:
    """What follows from a play, step by step; a refusal is what follows from a refused command.

    `clock`: how much the session's clock is ahead of that of the play.
    """
    told: list[object] = []
    for item, now in play:
        try:
            told.append([on_its_clock(effect, clock) for effect in effects_of(session, item, now)])
        except LocalProtocolError as refusal:
            told.append(str(refusal))
    return told


def effects_of(session: ChatSession, item: Any, now: float) -> list[dict[str, Any]]:
    """What follows from one input, as JSON, so that the order of everything counts."""
    return [effects.to_json(effect) for effect in session.receive(item, now=now)]


def on_its_clock(effect: dict[str, Any], clock: float) -> str:
    """An effect as text, its deadline on the clock of the play."""
    form = effect.get("form")
    if form is not None and form["deadline"] is not None:
        effect = {**effect, "form": {**form, "deadline": form["deadline"] - clock}}
    return json.dumps(effect, allow_nan=False)


def later(play: Play, clock: float) -> Play:
    """The same on a clock that is so much ahead."""
    return [(item, now + clock) for item, now in play]


def put_away(session: ChatSession, now: float) -> Any:
    """A snapshot as it comes from a disk."""
    return json.loads(json.dumps(session.snapshot(now=now), allow_nan=False))


def prove_every_cut(play: Play, settings: Settings, chat_id: str, clock: float = 0.0) -> None:
    """replay(a) + snapshot + restore + replay(b) = replay(a + b), wherever a ends."""
    whole = ChatSession(chat_id, settings=settings)
    told = heard(whole, play)
    end = play[-1][1] if play else 0.0
    for cut in range(len(play) + 1):
        first = ChatSession(chat_id, settings=settings)
        before = heard(first, play[:cut])
        now = play[cut - 1][1] if cut else 0.0
        kept = put_away(first, now)
        second = ChatSession.restore(kept, settings=settings, now=now + clock)
        assert put_away(second, now + clock) == kept
        if not clock:
            assert second == first
        assert before + heard(second, later(play[cut:], clock), clock) == told, f"cut at {cut}"
        # As text: in which order things are remembered counts too.
        assert text_of(second, end + clock) == text_of(whole, end), f"cut at {cut}"


def text_of(session: ChatSession, now: float) -> str:
    return json.dumps(put_away(session, now))


@st.composite
def plays(draw: st.DrawFn) -> Play:
    """Inputs of every kind, on a clock that goes on, though not always."""
    items = draw(st.lists(st.tuples(any_inputs(), pauses()), max_size=9))
    now, play = 0.0, []
    for item, pause in items:
        now += pause if pause < 40 else 0.0
        play.append((with_exact_times(item), now))
    return play


@given(plays(), st.sampled_from((Settings(), SMALL, Settings(msg_id_format="chat_id:n"))))
def test_a_restart_at_any_moment_changes_nothing(play: Play, settings: Settings) -> None:
    """What follows, and what is remembered at last, is the same wherever a restart falls."""
    prove_every_cut(play, settings, "chat-1")


@given(plays(), st.integers(-(2**30), 2**30))
def test_a_restart_on_another_clock_changes_nothing(play: Play, clock: int) -> None:
    """The process after the restart may read another clock: all that was due stays as far off."""
    prove_every_cut(play, SMALL, "chat-1", float(clock))


@given(plays())
def test_a_restart_after_every_single_input_changes_nothing(play: Play) -> None:
    """A session that is put away after each input is told the same as one that never was."""
    whole, session = ChatSession("chat-1"), ChatSession("chat-1")
    for item, now in play:
        session = ChatSession.restore(put_away(session, now), now=now)
        assert heard(session, [(item, now)]) == heard(whole, [(item, now)])
        assert session == whole


def recorded_chats(path: Path) -> dict[str, list[Event]]:
    """The events of a log, chat by chat."""
    chats: dict[str, list[Event]] = {}
    for record in records(Source(str(path))):
        chats.setdefault(record.chat_id or path.name.partition(".")[0], []).append(record.event)
    return chats


def play_of(chat_id: str, said: list[Event]) -> Play:
    """A recorded chat with the ticks that fall between its events, on a clock that starts at 0."""
    session, play, now = ChatSession(chat_id), [], 0.0
    first = next((event.timestamp for event in said if event.timestamp is not None), 0.0)
    for event in said:
        until = max(now, (event.timestamp or 0.0) - first)
        while session.deadline is not None and session.deadline <= until:
            play.append((Tick(), session.deadline))
            session.receive(Tick(), now=session.deadline)
        now = until
        play.append((event, now))
        session.receive(event, now=now)
    return play


LOGGED = sorted(path.name for path in LOGS.iterdir() if path.name != "README.md")


@pytest.mark.parametrize("clock", [0.0, 1_000_000.0])
@pytest.mark.parametrize("name", LOGGED)
def test_every_cut_of_every_recorded_chat_is_seamless(name: str, clock: float) -> None:
    """A recorded chat may be cut between any two of its events."""
    chats = recorded_chats(LOGS / name)
    assert chats
    for chat_id, said in chats.items():
        assert said
        prove_every_cut(play_of(chat_id, said), Settings(), chat_id, clock)
