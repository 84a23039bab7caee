"""Chat log: the latest events of both sides of a center's chats, for the agent's seat and tests."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from attrs import define, field

from chatfsm.simulator.center import ContactCenter

__all__ = ["MAX_EVENTS", "ChatLog", "LoggedEvent"]

MAX_EVENTS: Final = 1_000
"""The most events kept of a chat; the oldest are dropped."""
# Chats whose events are kept; those of the oldest chat are dropped.
_MAX_CHATS: Final = 1_000


@define
class LoggedEvent:
    """An event of a chat."""

    number: int
    """Counted from 1 in its chat."""
    at: float
    """Seconds since 1970 by the center's wall clock."""
    sender: str
    """customer or center."""
    event: Mapping[str, Any] = field(repr=False)
    """The event, as the wire has it; in no repr."""

    def to_json(self) -> dict[str, Any]:
        """Return the event as JSON, with its number, time and sender."""
        return {
            "number": self.number,
            "at": round(self.at, 3),
            "sender": self.sender,
            "event": dict(self.event),
        }


@define
class _Events:
    latest: deque[LoggedEvent] = field(factory=lambda: deque(maxlen=MAX_EVENTS))
    count: int = 0


@define(eq=False)
class ChatLog:
    """Keeps the events that a center reports, beside the callback that the center has already.

    Answers to secure forms are not in them.
    """

    center: ContactCenter
    """The center whose events are kept."""
    now: Callable[[], float]
    """Returns the center's time in seconds."""
    is_closed: bool = field(default=False, init=False)
    """Whether the log has ended, and no stream waits for its events any more."""
    _chats: dict[str, _Events] = field(factory=dict, init=False, repr=False)
    _changed: asyncio.Event = field(factory=asyncio.Event, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        before = self.center.on_event

        def on_event(chat_id: str, event: dict[str, Any]) -> None:
            if before is not None:
                before(chat_id, event)
            self._add(chat_id, event)

        self.center.on_event = on_event

    def since(self, chat_id: str, number: int) -> Iterator[LoggedEvent]:
        """Yield the events kept of a chat with at least this number, in order."""
        held = self._chats.get(chat_id)
        return iter(()) if held is None else (e for e in held.latest if e.number >= number)

    def count(self, chat_id: str) -> int:
        """Return the number of events of a chat so far."""
        held = self._chats.get(chat_id)
        return 0 if held is None else held.count

    async def wait(self, chat_id: str, number: int) -> None:
        """Wait until a chat has an event of this number, or the log is closed."""
        while not self.is_closed and self.count(chat_id) < number:
            await self._changed.wait()

    def close(self) -> None:
        """End all waiting."""
        self.is_closed = True
        self._changed.set()

    def _add(self, chat_id: str, event: dict[str, Any]) -> None:
        held = self._chats.get(chat_id)
        if held is None:
            while len(self._chats) >= _MAX_CHATS:
                del self._chats[next(iter(self._chats))]
            held = self._chats[chat_id] = _Events()
        held.count += 1
        at = self.center.settings.started_at + self.now()
        sender = "customer" if event.get("party_id") == chat_id else "center"
        held.latest.append(LoggedEvent(held.count, at, sender, event))
        self._changed.set()
        self._changed = asyncio.Event()
