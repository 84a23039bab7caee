"""transitions, as its README shows it: a Machine a session, a trigger an event, callbacks by name.

`Chat` is the README's first example: a Machine for each object, with the defaults. The README also
shows two smaller ones: without the triggers `to_STATE` (`NoAutoTransitions`), and one Machine that
many objects share (`SharedMachine`).
"""

from __future__ import annotations

from typing import Any, Final

from transitions import Machine

from chatfsm import events
from tests.bench.peers.triggers import ENDS, LIVE, NAMES, STATUSES, LibraryDriven

__all__ = ["Chat", "NoAutoTransitions", "SharedMachine"]

STATES: Final = [*LIVE, "failed", "ended", "timed_out"]
ROWS: Final[list[dict[str, Any]]] = [
    *(
        {
            "trigger": f"status_{state}",
            "source": [source for source in LIVE if source != state],
            "dest": state,
            "before": "remember_state",
            "after": "status_changed",
        }
        for state in STATUSES
    ),
    *(
        {
            "trigger": f"receive_{state}",
            "source": list(LIVE),
            "dest": state,
            "before": "remember_state",
            "after": "has_ended",
        }
        for state in ENDS.values()
    ),
    *(
        {"trigger": f"receive_{name}", "source": list(LIVE), "dest": None, "after": f"on_{name}"}
        for name in NAMES.values()
    ),
]


class Model(LibraryDriven):
    """The model of a machine, which sets its state and calls its methods by name."""

    def __init__(self, chat_id: str) -> None:
        super().__init__(chat_id)
        self.previous = self.state

    def fire(self, trigger: str, item: events.Event, now: float, effects: list[Any]) -> None:
        """Call the method that the machine has added to the model."""
        getattr(self, trigger)(item, now, effects)

    def remember_state(self, item: events.Event, now: float, effects: list[Any]) -> None:
        self.previous = self.state

    def status_changed(self, item: events.Status, now: float, effects: list[Any]) -> None:
        self.conclude_transition(self.previous, item, effects)

    def has_ended(
        self, item: events.Ended | events.InactivityTimeout, now: float, effects: list[Any]
    ) -> None:
        text = item.msg if isinstance(item, events.InactivityTimeout) else None
        self.conclude_transition(self.previous, None, effects, text or "")


class Chat(Model):
    """A chat with a Machine of its own, which adds a method for each trigger."""

    def __init__(self, chat_id: str) -> None:
        super().__init__(chat_id)
        self.machine = Machine(model=self, states=STATES, transitions=ROWS, initial="establishing")


class NoAutoTransitions(Model):
    """A chat with a Machine of its own, without the triggers `to_STATE`."""

    def __init__(self, chat_id: str) -> None:
        super().__init__(chat_id)
        self.machine = Machine(
            model=self,
            states=STATES,
            transitions=ROWS,
            initial="establishing",
            auto_transitions=False,
        )


class SharedMachine(Model):
    """A chat of a Machine that all chats share, until the chat is over."""

    machine: Final = Machine(
        model=None,
        states=STATES,
        transitions=ROWS,
        initial="establishing",
        auto_transitions=False,
    )

    def __init__(self, chat_id: str) -> None:
        super().__init__(chat_id)
        self.machine.add_model(self)

    def has_ended(
        self, item: events.Ended | events.InactivityTimeout, now: float, effects: list[Any]
    ) -> None:
        super().has_ended(item, now, effects)
        self.machine.remove_model(self)
