"""One recorded chat, heard again by a session, on the clock of the log.

The time of an event is its timestamp; an event without one happens when the one before did, and
time never runs backwards. What is due between two events happens first, at its own time; after
the last event nothing happens any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from attrs import define, field, frozen

from chatfsm._session.session import ChatSession
from chatfsm.effects import Effect
from chatfsm.events import Event
from chatfsm.inputs import Tick
from chatfsm.replay.journal import JournalEntry
from chatfsm.settings import Settings

__all__ = ["ChatReplay", "ReplayStep", "replay_chat"]

# Events before a chat's first timestamp wait for it; a real log has one within a few lines.
MAX_UNSTAMPED: Final = 1_000


@frozen
class ReplayStep:
    """What followed from one event, or from a deadline before it."""

    seq: int
    """The event's index in its chat, from 0; a deadline has that of the event that follows it."""
    at: float
    """Seconds on the clock of the log."""
    effects: tuple[Effect, ...]


@define
class ChatReplay:
    """A session and the clock of its log."""

    session: ChatSession
    now: float | None = field(default=None, init=False)
    """None until the first timestamp is known."""
    event_count: int = field(default=0, init=False)
    """How many events the session has heard."""
    _unstamped: list[Event] = field(factory=list, init=False)

    def feed(self, event: Event) -> Iterator[ReplayStep]:
        """The steps that follow; none while events wait for the first timestamp.

        In a strict session `RemoteProtocolError` comes out of the step that breaks the protocol;
        `heard` then is the index of the event.
        """
        timestamp = event.timestamp
        if self.now is None:
            if timestamp is None and len(self._unstamped) < MAX_UNSTAMPED:
                self._unstamped.append(event)
                return
            yield from self._start(timestamp or 0.0)
        if timestamp is not None and self.now is not None and timestamp > self.now:
            yield from self._deadline_steps(timestamp)
            self.now = timestamp
        yield self._step(event)

    def at_once(self, event: Event) -> list[Effect] | None:
        """The effects of an event, where its step is the only one; None where `hear` tells.

        So it is for nearly all events, and it costs half as much. Raises as `hear` does.
        """
        now, timestamp = self.now, event.timestamp
        if now is None:
            return None
        if timestamp is not None and timestamp > now:
            # No later than `deadline`, in a third of its time, which is paid for every event.
            if self.session._memory.deadline_bound <= timestamp:  # noqa: SLF001
                deadline = self.session.deadline
                if deadline is not None and deadline <= timestamp:
                    return None
            self.now = now = timestamp
        effects = self.session.receive(event, now=now)
        self.event_count += 1
        return effects

    def add_entry(self, entry: JournalEntry, effects: list[Effect]) -> ReplayStep:
        """The step of a journal's entry, at its own time."""
        self.now = entry.at
        self.event_count += 1
        return ReplayStep(self.event_count - 1, entry.at, tuple(effects))

    def finish(self) -> Iterator[ReplayStep]:
        """The steps of events that never met a timestamp; they happen at 0."""
        if self.now is None:
            yield from self._start(0.0)

    def _start(self, now: float) -> Iterator[ReplayStep]:
        self.now = now
        waiting, self._unstamped = self._unstamped, []
        for event in waiting:
            yield self._step(event)

    def _deadline_steps(self, until: float) -> Iterator[ReplayStep]:
        while (deadline := self.session.deadline) is not None and deadline <= until:
            yield ReplayStep(
                self.event_count, deadline, tuple(self.session.receive(Tick(), now=deadline))
            )

    def _step(self, event: Event) -> ReplayStep:
        now = self.now or 0.0
        effects = self.session.receive(event, now=now)
        self.event_count += 1
        return ReplayStep(self.event_count - 1, now, tuple(effects))


def replay_chat(
    events: Iterable[Event], chat_id: str, settings: Settings | None = None
) -> Iterator[ReplayStep]:
    """Replay one chat: the steps of all its events, in order."""
    chat = ChatReplay(ChatSession(chat_id, settings=settings or Settings()))
    for event in events:
        yield from chat.feed(event)
    yield from chat.finish()
