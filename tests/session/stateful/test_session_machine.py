"""A session under whatever may be sent, ordered or lost, at whatever time: what always holds."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from hypothesis.stateful import invariant

from chatfsm import History
from chatfsm.testing.machines import SETTINGS, SessionMachine


class InsideMachine(SessionMachine):
    """The public machine, and what holds of a session's inside."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = 0

    def memory(self) -> object:
        """All that a refusal must leave as it was, to the last field."""
        return deepcopy(self.session._state), self.session._state.deadline_bound

    def receive(self, item: Any) -> list[Any]:
        told = super().receive(item)
        if isinstance(item, History):
            self.counted += len(item.events)
        elif type(item).__module__ == "chatfsm.events":
            self.counted += 1
        return told

    @invariant()
    def both_remember_the_same(self) -> None:
        if not self.clock:
            assert self.session._state == self.twin._state

    @invariant()
    def a_deadline_has_a_bound(self) -> None:
        if self.session.deadline is not None:
            assert self.session._state.deadline_bound <= self.session.deadline

    @invariant()
    def nothing_survives_the_end(self) -> None:
        if self.session.done:
            assert self.session._state.own_typing is None

    @invariant()
    def what_nobody_reads_is_bounded(self) -> None:
        memory = self.session._state
        told = memory.seen_ids or {}
        assert memory.seen_count == sum(len(ids) for ids in told.values()) <= SETTINGS.max_ids
        assert all(told.values()), "a speaker of whom nothing is remembered"
        assert len(memory.joined_at) in {len(memory.parties), 0}
        assert len(memory.departed or ()) <= SETTINGS.max_parties
        assert len(memory.closed_forms or ()) <= SETTINGS.max_forms

    @invariant()
    def everything_is_counted(self) -> None:
        counts = self.session.counts
        assert counts.events + counts.late == self.counted
        assert counts.effects == len(self.effects)


TestSessionMachine = InsideMachine.TestCase
