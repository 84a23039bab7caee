"""What the Python peers have in common: the names of their triggers, and the way in.

A peer is the floor, driven by a library: the library decides what may happen in which state and
calls the same few lines that draw the conclusions, so that what differs is the library alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import inf
from typing import Any, Final

from chatfsm import events
from tests.bench.floor import Floor

__all__ = ["ENDS", "HEARD", "LIVE", "STATUSES", "Driven"]

LIVE: Final = ("establishing", "ivr", "queued", "connecting", "connected", "completed")
STATUSES: Final = (*LIVE, "failed")
ENDS: Final = {events.Ended: "ended", events.InactivityTimeout: "timed_out"}

HEARD: Final = {
    events.PartyJoined: "joined",
    events.PartyLeft: "left",
    events.Message: "message",
    events.MessageDelivered: "delivered",
    events.MessageRead: "read",
    events.Typing: "types",
    events.NotTyping: "not_typing",
    events.FormShow: "form_shown",
    events.FormData: "form_answered",
    events.TimeoutWarning: "warned",
    events.File: "file",
}
"""The conclusions that move no session, by the method of the floor that draws them."""

TRIGGERS: Final = {cls: f"hear_{name}" for cls, name in (HEARD | ENDS).items()}


class Driven(Floor, ABC):
    """A floor whose moves and conclusions are triggered through a library: see `fire`."""

    @abstractmethod
    def fire(self, trigger: str, item: events.Event, now: float, effects: list[Any]) -> None:
        """Trigger by name, in the library's usual way."""

    def receive(self, item: events.Event, now: float) -> list[Any]:
        """As the floor's, but everything after the clock goes through the library."""
        if self.outcome is not None:
            self.late += 1
            return []
        effects: list[Any] = []
        if not -inf < now < self.wake:
            self.lapse(now, effects)
        if item.__class__ is not events.Status:
            self.fire(TRIGGERS[item.__class__], item, now, effects)
        elif item.state == self.state:
            self.wait_again(item, effects)
        else:
            self.fire(f"status_{item.state}", item, now, effects)
        self.events += 1
        self.effects += len(effects)
        return effects
