"""Properties of the replay of any log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import ChatSession, Tick, decode
from chatfsm.effects import Effect
from chatfsm.events import Event
from chatfsm.inputs import Input
from chatfsm.replay.chat_replay import ChatReplay, ReplayStep, replay_chat
from chatfsm.replay.formats import records
from chatfsm.replay.sources import Source
from chatfsm.replay.stats import ChatStats

PARTIES = st.sampled_from(["ann", "bob", "CHAT", "chat", ""])
IDS = st.sampled_from(["1", "2", 3, None])
TIMES = st.one_of(
    st.none(),
    st.integers(0, 300),
    st.integers(0, 300).map(str),
    st.integers(100_000_000_000, 100_000_300_000),
    st.floats(0, 300),
    st.sampled_from(["", "soon", -1, True, [], 1e300]),
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
STATES = st.sampled_from(
    ["ivr", "queued", "connecting", "connected", "completed", "failed", "parked", 5]
)


def _event(word: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    name = st.just(f"chat_session_{word}")
    return st.fixed_dictionaries({"event": name}, optional={**fields, "timestamp": TIMES})


ITEMS = st.one_of(
    _event("status", state=STATES, ewt=st.sampled_from(["", "3", 0, "x"])),
    _event("party_joined", party_id=PARTIES, display_name=st.text(max_size=3)),
    _event("party_left", party_id=PARTIES),
    _event("message", party_id=PARTIES, msg=st.text(max_size=3), msg_id=IDS),
    _event("typing", party_id=PARTIES),
    _event("not_typing", party_id=PARTIES),
    _event(
        "form_show",
        form_request_id=IDS,
        form_name=st.sampled_from(["", "survey"]),
        form_timeout=st.sampled_from([0, "1", 20, 200]),
    ),
    _event("form_data", form_request_id=IDS),
    _event("timeout_warning", msg=st.text(max_size=3)),
    _event("signaling", party_id=PARTIES, data=st.just({"type": "OFFER_CALL", "sdp": "s"})),
    _event("weather"),
    # Rare, so that most logs continue for a while.
    st.integers(0, 9).flatmap(lambda number: JUNK if number else _event("ended")),
)
LOGS = st.lists(ITEMS, max_size=40).map(decode)


@frozen
class ReceivedInput:
    """One input of a session, and its effects."""

    item: Input
    now: float
    effects: tuple[Effect, ...]


class RecordingSession(ChatSession):
    """A session that records its inputs."""

    def __init__(self, chat_id: str) -> None:
        super().__init__(chat_id)
        self.received: list[ReceivedInput] = []

    def receive(self, item: Input, *, now: float) -> list[Effect]:
        """Receive the input and record it."""
        effects = super().receive(item, now=now)
        self.received.append(ReceivedInput(item, now, tuple(effects)))
        return effects


def replay_recorded(events: list[Event]) -> tuple[list[ReplayStep], list[ReceivedInput]]:
    """The steps of a replay, and the inputs of its session."""
    session = RecordingSession("chat")
    chat = ChatReplay(session)
    stats, steps = ChatStats(session), list[ReplayStep]()
    for event in events:
        chat.feed([event], stats, steps.append)
    chat.finish(stats, steps.append)
    return steps, session.received


@given(events=LOGS)
def test_the_same_log_is_reported_the_same_way_twice(events: list[Event]) -> None:
    """A replay is a function of its events."""
    assert repr(list(replay_chat(events, "chat"))) == repr(list(replay_chat(events, "chat")))


@given(events=LOGS)
def test_time_goes_forward(events: list[Event]) -> None:
    """The times of the steps do not decrease."""
    times = [step.at for step in replay_chat(events, "chat")]
    assert times == sorted(times)


@given(events=LOGS)
def test_each_event_has_one_step_of_its_own(events: list[Event]) -> None:
    """Each event is received once and in order; other steps are deadlines before their event."""
    steps, received = replay_recorded(events)
    assert [(step.at, step.effects) for step in steps] == [(h.now, h.effects) for h in received]
    is_lapse = [isinstance(each.item, Tick) for each in received]
    own = [step.seq for step, lapse in zip(steps, is_lapse, strict=True) if not lapse]
    assert own == list(range(len(events)))
    assert [each.item for each in received if not isinstance(each.item, Tick)] == events
    seqs = [step.seq for step in steps]
    assert seqs == sorted(seqs)
    assert not is_lapse or not is_lapse[-1]


@given(events=LOGS)
def test_a_lapse_always_reports_something(events: list[Event]) -> None:
    """A tick is passed only if a deadline is due, at the time of the deadline."""
    _, received = replay_recorded(events)
    for each in received:
        if isinstance(each.item, Tick):
            assert each.effects
            assert {type(effect).__name__ for effect in each.effects} <= {
                "TypingStopped",
                "FormClosed",
            }


@given(events=LOGS)
def test_the_clock_starts_at_the_first_timestamp(events: list[Event]) -> None:
    """Events before it have that time; without any timestamp all events have 0."""
    first = next((e.timestamp for e in events if e.timestamp is not None), 0.0)
    steps = list(replay_chat(events, "chat"))
    assert all(step.at >= first for step in steps)
    assert [step.at for step in steps[:1]] == [first] * len(steps[:1])


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_shipped_log_cut_short_begins_the_same(recorded: list[Path], count: int) -> None:
    """The first steps do not depend on later events."""
    for path in recorded:
        events = [record.event for record in records(Source(str(path)))]
        whole = list(replay_chat(events, "chat"))
        stamped = next(n for n, e in enumerate(events) if e.timestamp is not None)
        cut = list(replay_chat(events[: stamped + count], "chat"))
        assert cut == whole[: len(cut)]
        assert cut
