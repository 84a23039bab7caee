"""python-statemachine, as its README shows it: a chart of states and events, values by name.

All charts of the README are a `StateChart`. `NoStatechart` is the older `StateMachine`, which is
closer to a table: it raises errors, and enters the new state in one step.
"""

from __future__ import annotations

from typing import Any, Final

from statemachine import State, StateChart, StateMachine

from chatfsm import events
from tests.bench.peers.triggers import ENDS, LIVE, NAMES, STATUSES, LibraryDriven

__all__ = ["Chat", "NoStatechart"]

FINAL: Final = ("failed", "ended", "timed_out")


def _chart(kind: type[StateChart]) -> type[StateChart]:
    """Return a chart class, made from the tables of states and events."""
    states = {
        **{name: State(name, initial=name == "establishing") for name in LIVE},
        **{name: State(name, final=True) for name in FINAL},
    }
    rows = {
        **{f"status_{state}": _moves(states, "status_changed", state) for state in STATUSES},
        **{f"receive_{state}": _moves(states, "has_ended", state) for state in ENDS.values()},
        **{f"receive_{name}": _stays(states, name) for name in NAMES.values()},
    }
    return type(kind)(f"Chat{kind.__name__}", (kind,), {**states, **rows})


def _moves(states: dict[str, State], trigger: str, destination: str) -> Any:
    first, *others = (states[name] for name in LIVE if name != destination)
    rows = first.to(states[destination], before="remember_state", after=trigger)
    for source in others:
        rows |= source.to(states[destination], before="remember_state", after=trigger)
    return rows


def _stays(states: dict[str, State], name: str) -> Any:
    first, *others = (states[name] for name in LIVE)
    rows = first.to.itself(internal=True, on=f"on_{name}")
    for source in others:
        rows |= source.to.itself(internal=True, on=f"on_{name}")
    return rows


class Chat(LibraryDriven):
    """The model: the chart stores the state in it, and calls its methods by name."""

    chart: type[StateChart] = _chart(StateChart)

    def __init__(self, chat_id: str) -> None:
        super().__init__(chat_id)
        self.previous = self.state
        self.machine = self.chart(self)

    def fire(self, trigger: str, item: events.Event, now: float, effects: list[Any]) -> None:
        """Send the event by name."""
        self.machine.send(trigger, item=item, now=now, effects=effects)

    def remember_state(self) -> None:
        self.previous = self.state

    def status_changed(self, item: events.Status, effects: list[Any]) -> None:
        self.conclude_transition(self.previous, item, effects)

    def has_ended(self, item: events.Ended | events.InactivityTimeout, effects: list[Any]) -> None:
        text = item.msg if isinstance(item, events.InactivityTimeout) else None
        self.conclude_transition(self.previous, None, effects, text or "")


class NoStatechart(Chat):
    """A chat with the older machine, which is not a statechart."""

    chart = _chart(StateMachine)
