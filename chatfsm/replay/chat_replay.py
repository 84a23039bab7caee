"""Replay of one chat: its events go through a session, on the clock of the log.

An event happens at its timestamp; without one, when the log received it; without that, at the time
of the event before it. Time never runs backwards. A deadline between two events fires first, at its
own time; after the last event no deadline fires.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final

from attrs import define, field, frozen

from chatfsm._session.session import ChatSession
from chatfsm.effects import Anomaly, Effect, Ignored, MessageReceived, UnknownReceived
from chatfsm.errors import RemoteProtocolError
from chatfsm.events import Event
from chatfsm.inputs import Input, Tick
from chatfsm.replay.journal import JournalEntry
from chatfsm.replay.stats import COUNTED_EFFECTS, ChatStats
from chatfsm.replay.times import UNREADABLE
from chatfsm.settings import Settings

__all__ = ["ChatReplay", "ReplayStep", "is_finding", "replay_chat"]

# Events before a chat's first timestamp wait for it; a real log has one within a few lines.
MAX_UNSTAMPED: Final = 1_000


@frozen
class ReplayStep:
    """The effects of one event, or of a deadline before it."""

    seq: int
    """Index of the event in its chat, from 0; a deadline has the index of the event after it."""
    at: float
    """Seconds on the clock of the log."""
    effects: tuple[Effect, ...]
    """The effects, in the order of the session."""
    item: Input | None = None
    """The input: the event, the input of a journal, or a `Tick` for a deadline; None if unknown."""
    where: str = ""
    """Place of the event, such as `file: line 12`, if an effect is a finding, or if all steps are
    to have it (`StreamReplay.locates_all`); else empty."""

    @property
    def findings(self) -> tuple[Effect, ...]:
        """The effects that are findings: anomalies, unknown events, and late ones if reported."""
        return tuple(filter(is_finding, self.effects))


def is_finding(effect: Effect) -> bool:
    """Whether an effect tells of something that a log should not have."""
    is_late = isinstance(effect, Ignored) and effect.reason == "late"
    return is_late or isinstance(effect, (Anomaly, UnknownReceived))


OnStep = Callable[[ReplayStep], object]


@define
class ChatReplay:
    """A session and the clock of its log."""

    session: ChatSession
    """The session that receives the events."""
    now: float | None = field(default=None, init=False)
    """Seconds on the clock of the log; None until the first timestamp is known."""
    event_count: int = field(default=0, init=False)
    """Number of events that the session has received."""
    prefers_received: bool = field(default=False, kw_only=True)
    """Whether the clock is the time at which the log received an event, where it says that."""
    _unstamped: list[Event] = field(factory=list, init=False)
    """Events that wait for the first timestamp."""

    def feed(  # noqa: C901  # the hot path: a call costs more than a branch
        self,
        events: Sequence[Any],
        stats: ChatStats,
        on_step: OnStep | None = None,
        received: Sequence[float | None] | None = None,
    ) -> None:
        """Feed events to the session, add their effects to `stats`, and report each step.

        `received`: when the log received each event, in seconds since 1970; None: it is not known.

        Events before the first timestamp of the chat are kept, at most `MAX_UNSTAMPED`, and fed
        with it. Without `on_step`, deadlines between two events are left to the session, which
        reports them at the time of the later event: `stats` are the same, and it is faster.

        A strict session raises `RemoteProtocolError`; `event_count` is then the index of the
        event that violates the protocol.
        """
        if self.now is None:
            events, received = self._ready(events, received, stats)
            if not events:
                return
        # The hot path of every replay: messages, the most frequent effects, are counted inline.
        receive = self.session.receive
        now = self.now or 0.0
        count = first = self.event_count
        messages = 0
        try:
            for event in events:
                timestamp = event.timestamp
                if received is not None:
                    timestamp = self._time_of(timestamp, received[count - first])
                if timestamp is not None and timestamp > now:
                    if on_step is not None:
                        self.pass_deadlines(timestamp, count, stats, on_step)
                    now = timestamp
                effects = receive(event, now=now)
                for effect in effects:
                    kind = type(effect)
                    if kind is MessageReceived:
                        messages += 1
                    elif kind in COUNTED_EFFECTS:
                        stats.count(effect, now)
                if on_step is not None:
                    stats.messages += messages
                    messages = 0
                    stats.touch(now)
                    on_step(ReplayStep(count, now, tuple(effects), event))
                count += 1
                if stats.ended_at is not None:
                    stats.count_late(timestamp)
            stats.touch(now)
        finally:
            self.now = now
            self.event_count = count
            stats.messages += messages

    def feed_entry(
        self,
        line: JournalEntry,
        effects: Sequence[Effect],
        stats: ChatStats,
        on_step: OnStep | None,
    ) -> None:
        """Add the effects of a journal's line, which has a time of its own."""
        at = line.at
        if self.prefers_received and line.received_at is not None:
            at = line.received_at
        self.now = at
        stats.add(at, effects)
        if on_step is not None:
            on_step(ReplayStep(self.event_count, at, tuple(effects), line.item))
        self.event_count += 1

    def finish(self, stats: ChatStats, on_step: OnStep | None = None, *, now: float = 0.0) -> None:
        """Feed the events that still wait for a first timestamp; they happen at `now`."""
        if self._unstamped:
            self.feed(self._start(now, stats), stats, on_step)

    def pass_deadlines(self, until: float, seq: int, stats: ChatStats, on_step: OnStep) -> None:
        """Let the deadlines up to a time fire, each at its own; `seq` is that of their steps."""
        while (deadline := self.session.deadline) is not None and deadline <= until:
            tick = Tick()
            effects = self.session.receive(tick, now=deadline)
            stats.add(deadline, effects)
            on_step(ReplayStep(seq, deadline, tuple(effects), tick))

    def _time_of(self, timestamp: float | None, received_at: float | None) -> float | None:
        """The time of an event on the clock of the log; `received_at` may be `UNREADABLE`."""
        if timestamp is None or (self.prefers_received and received_at is not None):
            return received_at
        return timestamp

    def _ready(
        self, events: Sequence[Event], received: Sequence[float | None] | None, stats: ChatStats
    ) -> tuple[Sequence[Event], Sequence[float | None] | None]:
        """Return the events with a known time, and their times of receipt; the rest wait."""
        for index, event in enumerate(events):
            at = event.timestamp
            if received is not None:
                at = self._time_of(at, received[index])
            is_known = at is not None and at is not UNREADABLE
            if is_known or len(self._unstamped) == MAX_UNSTAMPED:
                waited = self._start((at or 0.0) if is_known else 0.0, stats)
                if received is not None:
                    received = [*[None] * len(waited), *received[index:]]
                return [*waited, *events[index:]], received
            self._unstamped.append(event)
        return (), None

    def _start(self, now: float, stats: ChatStats) -> list[Event]:
        """Start the clock, and return the events that waited for it."""
        self.now = now
        stats.touch(now)
        unstamped, self._unstamped = self._unstamped, []
        return unstamped


def replay_chat(
    events: Iterable[Event], chat_id: str, settings: Settings | None = None
) -> Iterator[ReplayStep]:
    """Replay one chat: yield the steps of all its events, in order.

    With strict `settings`, `RemoteProtocolError` is raised at the event that violates the
    protocol, after the steps before it.
    """
    replay = ChatReplay(ChatSession(chat_id, settings=settings or Settings()))
    stats = ChatStats(replay.session)
    steps: list[ReplayStep] = []
    try:
        for event in events:
            replay.feed((event,), stats, steps.append)
            yield from steps
            steps.clear()
        replay.finish(stats, steps.append)
    except RemoteProtocolError:
        yield from steps
        raise
    yield from steps
