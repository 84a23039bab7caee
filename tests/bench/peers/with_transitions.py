"""transitions in its usual way: a Machine a session, a trigger an event, callbacks by name."""

from __future__ import annotations

from typing import Any, Final

from transitions import Machine

from chatfsm import events
from tests.bench.peers.triggers import ENDS, HEARD, LIVE, STATUSES, Driven

__all__ = ["Chat"]

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


class Chat(Driven):
    """The model; its machine adds a method for each trigger."""

    def __init__(self, chat_id: str) -> None:
        super().__init__(chat_id)
        self.previous = self.state
        self.machine = Machine(
            model=self,
            states=[*LIVE, "failed", "ended", "timed_out"],
            transitions=ROWS,
            initial="establishing",
            auto_transitions=False,
        )

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
