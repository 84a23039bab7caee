"""Invariants of a session with any events, commands, failures and times."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis.stateful import invariant

from chatfsm import History
from chatfsm.testing.machines import SETTINGS, SessionMachine


class InsideMachine(SessionMachine):
    """The public machine, with invariants of the private state."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = 0

    def memory(self) -> object:
        """The complete state, which a refused command must not change."""
        return deepcopy(self.session._state), self.session._state.deadline_bound

    def receive(self, item: Any) -> list[Any]:
        reported = super().receive(item)
        if isinstance(item, History):
            self.counted += len(item.events)
        elif type(item).__module__ == "chatfsm.events":
            self.counted += 1
        return reported

    @invariant()
    def both_states_are_equal(self) -> None:
        if not self.clock:
            assert self.session._state == self.twin._state

    @invariant()
    def a_deadline_has_a_bound(self) -> None:
        if self.session.deadline is not None:
            assert self.session._state.deadline_bound <= self.session.deadline

    @invariant()
    def own_typing_is_dropped_at_the_end(self) -> None:
        if self.session.done:
            assert self.session._state.own_typing is None

    @invariant()
    def private_state_is_bounded(self) -> None:
        memory = self.session._state
        seen = memory.seen_ids or {}
        assert memory.seen_count == sum(len(ids) for ids in seen.values()) <= SETTINGS.max_ids
        assert all(seen.values()), "a party without ids"
        assert len(memory.joined_at) in {len(memory.parties), 0}
        assert len(memory.departed or ()) <= SETTINGS.max_parties
        assert len(memory.closed_forms or ()) <= SETTINGS.max_forms

    @invariant()
    def everything_is_counted(self) -> None:
        counts = self.session.counts
        assert counts.events + counts.late == self.counted
        assert counts.effects == len(self.effects)


TestSessionMachine = InsideMachine.TestCase
