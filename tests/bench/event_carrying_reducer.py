"""The plain reducer with effects that carry the event, which takes less time than copies."""

from __future__ import annotations

from math import inf
from typing import Any

from chatfsm import events
from tests.bench import event_carrying_effects as e
from tests.bench.plain_reducer import HANDLERS, PlainReducer

__all__ = ["EventCarryingReducer"]


class EventCarryingReducer(PlainReducer):
    """A plain reducer whose effects of messages and files carry the event."""

    def receive(self, item: events.Event, now: float) -> list[Any]:
        """Return the effects of the deadlines that are due, then those of the event."""
        if self.outcome is not None:
            self.late += 1
            return []
        effects: list[Any] = []
        if not -inf < now < self.deadline_bound:
            self.expire_due(now, effects)
        EVENT_CARRYING_HANDLERS[item.__class__](self, item, now, effects)
        self.events += 1
        self.effects += len(effects)
        return effects

    def on_message(self, item: events.Message, now: float, effects: list[Any]) -> None:
        own = self.is_own(item.party_id)
        if not self.is_duplicate_message(item, own, effects):
            self.conclude_message(item, own, effects)
            sender = self.parties.get(self.chat_id if own else item.party_id)
            effects.append(e.MessageReceived(item, sender, own))

    def on_file(self, item: events.File, now: float, effects: list[Any]) -> None:
        own = item.party_id is None or self.is_own(item.party_id)
        if not self.is_duplicate_file(item, own, effects):
            if own:
                self.clear_warning(effects)
            sender = self.parties.get(self.chat_id if own else item.party_id)
            effects.append(e.FileReceived(item, sender, own))


EVENT_CARRYING_HANDLERS = {
    **HANDLERS,
    events.Message: EventCarryingReducer.on_message,
    events.File: EventCarryingReducer.on_file,
}
