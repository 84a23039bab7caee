"""Pairs of a state and a trigger, and the result of `transitions` for each."""

from __future__ import annotations

from collections.abc import Iterable

from transitions import MachineError

from chatfsm._statemachine import TransitionTable


class Model:
    """The smallest model of a Machine."""

    def __init__(self, state: str) -> None:
        self.state = state


def pairs_of(tables: Iterable[TransitionTable]) -> list[tuple[str, str, str]]:
    """Return the name of each table with each of its states and triggers."""
    return [
        (table.name, state, trigger)
        for table in tables
        for state in table.states
        for trigger in table.triggers
    ]


def moved_by_transitions(table: TransitionTable, state: str, trigger: str) -> str | None:
    """Return the state after the trigger by `transitions`; None if it raises MachineError."""
    model = Model(state)
    try:
        table.machine.events[trigger].trigger(model)
    except MachineError:
        return None
    return model.state
