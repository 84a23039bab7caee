"""Common parts of the Python peers: the names of their triggers, and `receive`.

A peer is the plain reducer, driven by a library: the library decides which transition is possible
and calls the reducer's methods, so that the library is the only difference.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import inf
from typing import Any, Final

from chatfsm import events
from tests.bench.plain_reducer import PlainReducer

__all__ = ["ENDS", "LIVE", "NAMES", "STATUSES", "LibraryDriven"]

LIVE: Final = ("establishing", "ivr", "queued", "connecting", "connected", "completed")
STATUSES: Final = (*LIVE, "failed")
ENDS: Final = {events.Ended: "ended", events.InactivityTimeout: "timed_out"}

NAMES: Final = {
    events.PartyJoined: "joined",
    events.PartyLeft: "left",
    events.Message: "message",
    events.MessageDelivered: "delivered",
    events.MessageRead: "read",
    events.Typing: "typing",
    events.NotTyping: "not_typing",
    events.FormShow: "form_shown",
    events.FormData: "answered",
    events.TimeoutWarning: "warning",
    events.File: "file",
}
"""The events that do not change the state; the reducer's methods are called on_NAME."""

TRIGGERS: Final = {cls: f"receive_{name}" for cls, name in (NAMES | ENDS).items()}


class LibraryDriven(PlainReducer, ABC):
    """A plain reducer whose transitions and methods a library triggers: see `fire`."""

    @abstractmethod
    def fire(self, trigger: str, item: events.Event, now: float, effects: list[Any]) -> None:
        """Trigger a transition by name, as the library's documentation shows it."""

    def receive(self, item: events.Event, now: float) -> list[Any]:
        """Return the effects of due deadlines, then those that the library's callbacks append."""
        if self.outcome is not None:
            self.late += 1
            return []
        effects: list[Any] = []
        if not -inf < now < self.deadline_bound:
            self.expire_due(now, effects)
        if item.__class__ is not events.Status:
            self.fire(TRIGGERS[item.__class__], item, now, effects)
        elif item.state == self.state:
            self.on_repeated_status(item, effects)
        else:
            self.fire(f"status_{item.state}", item, now, effects)
        self.events += 1
        self.effects += len(effects)
        return effects
