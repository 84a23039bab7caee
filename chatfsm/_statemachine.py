"""Transition tables: rows given to `transitions`, compiled to a dict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attrs import frozen
from transitions import Machine

__all__ = ["Row", "TransitionTable", "transition_table"]

Row = tuple[str, str, str]
"""A trigger, the state that it is met in, the state that it leads to."""


@frozen(eq=False)
class TransitionTable:
    """One machine, twice: as `transitions` has it, and as the dict that the hot path reads."""

    name: str
    machine: Machine
    moves: Mapping[str, Mapping[str, str]]
    """state → trigger → next state; a final state has an empty row."""

    @property
    def states(self) -> tuple[str, ...]:
        """All states, the initial one first."""
        return tuple(self.machine.states)

    @property
    def triggers(self) -> tuple[str, ...]:
        """All triggers, in the order of the table."""
        return tuple(self.machine.events)

    @property
    def initial(self) -> str:
        """The state that everything starts in."""
        return self.states[0]

    @property
    def finals(self) -> frozenset[str]:
        """The states that nothing leads out of."""
        return frozenset(state for state, row in self.moves.items() if not row)


def transition_table(name: str, states: Iterable[str], rows: Iterable[Row]) -> TransitionTable:
    """The law that these rows are; the first state is the one that everything starts in."""
    states = list(states)
    machine = Machine(
        model=None,
        states=states,
        initial=states[0],
        transitions=[list(row) for row in rows],
        auto_transitions=False,
        name=name,
    )
    return TransitionTable(name, machine, _compiled(machine))


def _compiled(machine: Machine) -> dict[str, dict[str, str]]:
    moves: dict[str, dict[str, str]] = {state: {} for state in machine.states}
    for trigger, event in machine.events.items():
        for source, transitions in event.transitions.items():
            # Without conditions the first row of a pair is the one that `transitions` takes.
            moves[source][trigger] = str(transitions[0].dest)
    return moves
