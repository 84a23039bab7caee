"""The floor once more, whose effects carry the event: less copied, so harder to beat."""

from __future__ import annotations

from math import inf
from typing import Any

from chatfsm import events
from tests.bench import lean_effects as e
from tests.bench.floor import HANDLERS, Floor

__all__ = ["LeanFloor"]


class LeanFloor(Floor):
    """A floor that tells messages and files as the events that they are."""

    def receive(self, item: events.Event, now: float) -> list[Any]:
        """As the floor's."""
        if self.outcome is not None:
            self.late += 1
            return []
        effects: list[Any] = []
        if not -inf < now < self.wake:
            self.lapse(now, effects)
        LEAN_HANDLERS[item.__class__](self, item, now, effects)
        self.events += 1
        self.effects += len(effects)
        return effects

    def message(self, item: events.Message, now: float, effects: list[Any]) -> None:
        own = self.is_own(item.party_id)
        if not self.is_repeated_message(item, own, effects):
            self.spoke(item, own, effects)
            sender = self.parties.get(self.chat_id if own else item.party_id)
            effects.append(e.MessageReceived(item, sender, own))

    def file(self, item: events.File, now: float, effects: list[Any]) -> None:
        own = item.party_id is None or self.is_own(item.party_id)
        if not self.is_repeated_file(item, own, effects):
            if own:
                self.clear_warning(effects)
            sender = self.parties.get(self.chat_id if own else item.party_id)
            effects.append(e.FileReceived(item, sender, own))


LEAN_HANDLERS = {
    **HANDLERS,
    events.Message: LeanFloor.message,
    events.File: LeanFloor.file,
}
