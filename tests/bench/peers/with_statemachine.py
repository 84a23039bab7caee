"""python-statemachine in its usual way: a machine class of states and events, a model each."""

from __future__ import annotations

from typing import Any

from statemachine import State, StateMachine

from chatfsm import events
from tests.bench.peers.triggers import ENDS, HEARD, LIVE, STATUSES, Driven

__all__ = ["Chat"]

FINAL = ("failed", "ended", "timed_out")
STATES = {
    **{name: State(name, initial=name == "establishing") for name in LIVE},
    **{name: State(name, final=True) for name in FINAL},
}


def _moves(trigger: str, destination: str) -> Any:
    sources = [name for name in LIVE if name != destination]
    rows = STATES[sources[0]].to(STATES[destination], before="remember", after=trigger)
    for name in sources[1:]:
        rows |= STATES[name].to(STATES[destination], before="remember", after=trigger)
    return rows


def _stays(conclusion: str) -> Any:
    rows = STATES[LIVE[0]].to.itself(internal=True, on=conclusion)
    for name in LIVE[1:]:
        rows |= STATES[name].to.itself(internal=True, on=conclusion)
    return rows


ROWS = {
    **{f"status_{state}": _moves("status_moved", state) for state in STATUSES},
    **{f"hear_{state}": _moves("has_ended", state) for state in ENDS.values()},
    **{f"hear_{name}": _stays(name) for name in HEARD.values()},
}

# The class statement, for states and events that are written in tables.
ChatMachine = type(StateMachine)("ChatMachine", (StateMachine,), {**STATES, **ROWS})


class Chat(Driven):
    """The model, and the machine that calls it back."""

    def __init__(self, chat_id: str) -> None:
        super().__init__(chat_id)
        self.previous = self.state
        self.machine = ChatMachine(Model(self))

    def fire(self, trigger: str, item: events.Event, now: float, effects: list[Any]) -> None:
        """Send the event by name."""
        self.machine.send(trigger, item, now, effects)


class Model:
    """What the machine moves, and calls when it does."""

    def __init__(self, chat: Chat) -> None:
        self.chat = chat
        self.state: str | None = None
        for name in HEARD.values():
            setattr(self, name, getattr(chat, name))

    def remember(self) -> None:
        self.chat.previous = self.chat.state

    def status_moved(self, item: events.Status, now: float, effects: list[Any]) -> None:
        self.chat.state = item.state
        self.chat.moved(self.chat.previous, item, effects)

    def has_ended(
        self, item: events.Ended | events.InactivityTimeout, now: float, effects: list[Any]
    ) -> None:
        self.chat.state = ENDS[item.__class__]
        text = item.msg if isinstance(item, events.InactivityTimeout) else None
        self.chat.moved(self.chat.previous, None, effects, text or "")
