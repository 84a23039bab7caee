"""transitions, as its README shows it: a Machine a session, a trigger an event, callbacks by name.

The README's first example is `Chat`: a Machine of the object itself, with all that a Machine is
given unless one says otherwise. The README also says how to have less of it: without the triggers
`to_STATE` that nobody asked for (`Lean`), and one Machine that many objects share (`Sharing`).
"""

from __future__ import annotations

from typing import Any, Final

from transitions import Machine

from chatfsm import events
from tests.bench.peers.triggers import ENDS, HEARD, LIVE, STATUSES, Driven

__all__ = ["Chat", "Lean", "Sharing"]

STATES: Final = [*LIVE, "failed", "ended", "timed_out"]
ROWS: Final[list[dict[str, Any]]] = [
    *(
        {
            "trigger": f"status_{state}",
            "source": [source for source in LIVE if source != state],
            "dest": state,
            "before": "remember_state",
            "after": "status_moved",
        }
        for state in STATUSES
    ),
    *(
        {
            "trigger": f"hear_{state}",
            "source": list(LIVE),
            "dest": state,
            "before": "remember_state",
            "after": "has_ended",
        }
        for state in ENDS.values()
    ),
    *(
        {"trigger": f"hear_{name}", "source": list(LIVE), "dest": None, "after": name}
        for name in HEARD.values()
    ),
]


class Called(Driven):
    """What a machine moves, and calls back by name."""

    def __init__(self, chat_id: str) -> None:
        super().__init__(chat_id)
        self.previous = self.state

    def fire(self, trigger: str, item: events.Event, now: float, effects: list[Any]) -> None:
        """Call the method that the machine has added."""
        getattr(self, trigger)(item, now, effects)

    def remember_state(self, item: events.Event, now: float, effects: list[Any]) -> None:
        self.previous = self.state

    def status_moved(self, item: events.Status, now: float, effects: list[Any]) -> None:
        self.moved(self.previous, item, effects)

    def has_ended(
        self, item: events.Ended | events.InactivityTimeout, now: float, effects: list[Any]
    ) -> None:
        text = item.msg if isinstance(item, events.InactivityTimeout) else None
        self.moved(self.previous, None, effects, text or "")


class Chat(Called):
    """A chat with a Machine of its own, which adds a method for each trigger."""

    def __init__(self, chat_id: str) -> None:
        super().__init__(chat_id)
        self.machine = Machine(model=self, states=STATES, transitions=ROWS, initial="establishing")


class Lean(Called):
    """The same, and no more methods than there are triggers."""

    def __init__(self, chat_id: str) -> None:
        super().__init__(chat_id)
        self.machine = Machine(
            model=self,
            states=STATES,
            transitions=ROWS,
            initial="establishing",
            auto_transitions=False,
        )


class Sharing(Called):
    """A chat that one Machine for all of them moves, until it is over."""

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
