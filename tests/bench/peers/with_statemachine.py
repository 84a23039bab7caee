"""python-statemachine, as its README shows it: a chart of states and events, values by name.

The README makes every chart a `StateChart`. `Plain` is the older `StateMachine`, which stays nearer
to a table: it raises what goes wrong, and takes on the new state in one step.
"""

from __future__ import annotations

from typing import Any, Final

from statemachine import State, StateChart, StateMachine

from chatfsm import events
from tests.bench.peers.triggers import ENDS, HEARD, LIVE, STATUSES, Driven

__all__ = ["Chat", "Plain"]

FINAL: Final = ("failed", "ended", "timed_out")


def _chart(kind: type[StateChart]) -> type[StateChart]:
    """The class statement, for states and events that are written in tables."""
    states = {
        **{name: State(name, initial=name == "establishing") for name in LIVE},
        **{name: State(name, final=True) for name in FINAL},
    }
    rows = {
        **{f"status_{state}": _moves(states, "status_moved", state) for state in STATUSES},
        **{f"hear_{state}": _moves(states, "has_ended", state) for state in ENDS.values()},
        **{f"hear_{name}": _stays(states, name) for name in HEARD.values()},
    }
    return type(kind)(f"Chat{kind.__name__}", (kind,), {**states, **rows})


def _moves(states: dict[str, State], trigger: str, destination: str) -> Any:
    first, *others = (states[name] for name in LIVE if name != destination)
    rows = first.to(states[destination], before="remember_state", after=trigger)
    for source in others:
        rows |= source.to(states[destination], before="remember_state", after=trigger)
    return rows


def _stays(states: dict[str, State], conclusion: str) -> Any:
    first, *others = (states[name] for name in LIVE)
    rows = first.to.itself(internal=True, on=conclusion)
    for source in others:
        rows |= source.to.itself(internal=True, on=conclusion)
    return rows


class Chat(Driven):
    """The model: the chart keeps the state in it, and calls it back by name."""

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

    def status_moved(self, item: events.Status, effects: list[Any]) -> None:
        self.moved(self.previous, item, effects)

    def has_ended(self, item: events.Ended | events.InactivityTimeout, effects: list[Any]) -> None:
        text = item.msg if isinstance(item, events.InactivityTimeout) else None
        self.moved(self.previous, None, effects, text or "")


class Plain(Chat):
    """The same by a machine that is no statechart."""

    chart = _chart(StateMachine)
