"""A session under whatever a server may send, at whatever time: what always holds."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from chatfsm import ChatSession, Settings, Tick, decode, effects
from tests.strategies import odd_items, valid_items

# Small bounds, so that a few steps reach them.
SETTINGS = Settings(max_ids=8, max_parties=2, max_typists=2, max_forms=2, max_candidates=2)


class SessionMachine(RuleBasedStateMachine):
    """Two sessions hear the same; what they tell is followed as an app would."""

    def __init__(self) -> None:
        super().__init__()
        self.session = ChatSession("chat-1", settings=SETTINGS)
        self.twin = ChatSession("chat-1", settings=SETTINGS)
        self.now = 0.0
        self.said: list[Any] = []
        self.typing: set[str] = set()
        self.forms: set[str] = set()
        self.parties: dict[str, Any] = {}
        self.ends = 0
        self.heard = 0
        self.told = 0

    @initialize(state=st.sampled_from(("ivr", "queued", "connected")))
    def begins(self, state: str) -> None:
        self.hear({"event": "chat_session_status", "state": state})

    @rule(item=valid_items(ending=False))
    def hears_an_event(self, item: dict[str, Any]) -> None:
        self.hear(item)

    @rule(item=odd_items())
    def hears_something_odd(self, item: Any) -> None:
        self.hear(item)

    @precondition(lambda self: self.said)
    @rule(data=st.data())
    def hears_something_again(self, data: st.DataObject) -> None:
        self.hear(data.draw(st.sampled_from(self.said)))

    @precondition(lambda self: len(self.said) > 4)
    @rule(item=valid_items())
    def hears_what_may_end_it(self, item: dict[str, Any]) -> None:
        self.hear(item)

    @rule(seconds=st.floats(0, 50))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.receive(Tick())

    @precondition(lambda self: self.session.deadline is not None)
    @rule()
    def the_deadline_comes(self) -> None:
        assert self.session.deadline is not None
        self.now = max(self.now, self.session.deadline)
        assert self.receive(Tick()), "a deadline that nothing is due at"

    @rule(seconds=st.floats(0, 100))
    def an_early_tick_comes(self, seconds: float) -> None:
        """Ticks that come from a clock behind do nothing."""
        before = self.session._memory
        earlier = self.now - seconds
        if self.session.deadline is None or earlier < self.session.deadline:
            was = repr(before)
            assert self.session.receive(Tick(), now=earlier) == []
            assert self.twin.receive(Tick(), now=earlier) == []
            assert repr(self.session._memory) == was

    def hear(self, item: Any) -> None:
        self.said.append(item)
        for event in decode([item]):
            self.receive(event)

    def receive(self, item: Any) -> list[effects.Effect]:
        was_done = self.session.done
        told = self.session.receive(item, now=self.now)
        assert told == self.twin.receive(item, now=self.now), "the same inputs, other effects"
        if was_done:
            assert told == [], "effects after the end"
        for effect in told:
            assert self.ends == 0, "an effect after Terminated"
            self.follow(effect)
            json.dumps(effects.to_json(effect), allow_nan=False)
        self.told += len(told)
        self.heard += not isinstance(item, Tick)
        return told

    def follow(self, effect: effects.Effect) -> None:
        """Keep the books that an app would keep."""
        match effect:
            case effects.TypingStarted(party_id):
                assert party_id not in self.typing, "started twice"
                self.typing.add(party_id)
            case effects.TypingStopped(party_id):
                self.typing.remove(party_id)
            case effects.FormOpened(form):
                assert form.request_id not in self.forms, "opened twice"
                self.forms.add(form.request_id)
            case effects.FormClosed(form):
                self.forms.remove(form.request_id)
            case effects.PartyAdded(party):
                assert party.party_id not in self.parties, "added twice"
                self.parties[party.party_id] = party
            case effects.PartyChanged(party):
                assert self.parties[party.party_id] != party, "changed to the same"
                self.parties[party.party_id] = party
            case effects.PartyRemoved(party):
                del self.parties[party.party_id]
            case effects.StateChanged(previous, state):
                assert previous != state
            case effects.Terminated(outcome):
                self.ends += 1
                assert outcome == self.session.outcome
            case _:
                pass

    @invariant()
    def what_was_told_is_what_can_be_read(self) -> None:
        session = self.session
        assert set(session.typing) == self.typing
        assert {form.request_id for form in session.forms} == self.forms
        assert list(session.parties) == list(self.parties.values())
        assert session.done == (self.ends == 1)

    @invariant()
    def both_remember_the_same(self) -> None:
        assert self.session._memory == self.twin._memory

    @invariant()
    def whoever_types_has_a_deadline(self) -> None:
        if self.session.typing:
            assert self.session.deadline is not None
            assert self.session.deadline <= self.now + SETTINGS.typing_timeout
        if self.session.deadline is not None:
            assert self.session._memory.wake <= self.session.deadline
            assert self.session.deadline > self.now, "something due was not told"

    @invariant()
    def nothing_survives_the_end(self) -> None:
        if self.session.done:
            assert not self.session.typing
            assert not self.session.forms
            assert self.session.deadline is None
            assert self.session.call in {"idle", "ended", "rejected"}

    @invariant()
    def memory_is_bounded(self) -> None:
        memory = self.session._memory
        told = memory.told or {}
        assert memory.told_count == sum(len(ids) for ids in told.values()) <= SETTINGS.max_ids
        assert all(told.values()), "a speaker of whom nothing is remembered"
        assert len(memory.parties) <= SETTINGS.max_parties
        assert len(memory.departed or ()) <= SETTINGS.max_parties
        assert len(memory.typing or ()) <= SETTINGS.max_typists
        assert len(memory.forms or ()) <= SETTINGS.max_forms
        assert len(memory.candidates or ()) <= SETTINGS.max_candidates

    @invariant()
    def everything_is_counted(self) -> None:
        counts = self.session.counts
        assert counts.events + counts.late == self.heard
        assert counts.effects == self.told


TestSessionMachine = SessionMachine.TestCase
