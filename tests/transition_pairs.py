"""Pairs of a state and a trigger, and what `transitions` itself does with each."""

from __future__ import annotations

from collections.abc import Iterable

from transitions import MachineError

from chatfsm._statemachine import TransitionTable


class Model:
    """The least that a Machine can move."""

    def __init__(self, state: str) -> None:
        self.state = state


def pairs_of(tables: Iterable[TransitionTable]) -> list[tuple[str, str, str]]:
    """The name of each table with each of its states and each of its triggers."""
    return [
        (table.name, state, trigger)
        for table in tables
        for state in table.states
        for trigger in table.triggers
    ]


def moved_by_transitions(table: TransitionTable, state: str, trigger: str) -> str | None:
    """Where `transitions` itself goes; None where it refuses."""
    model = Model(state)
    try:
        table.machine.events[trigger].trigger(model)
    except MachineError:
        return None
    return model.state
