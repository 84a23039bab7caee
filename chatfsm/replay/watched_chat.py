"""A chat of a stream whose events come in batches, repeated and out of order.

>>> from chatfsm.replay.watched_chat import WatchedChat
>>> with open("tests/logs/late.jsonl") as log:
...     lines = [(float(seq), seq, line) for seq, line in enumerate(log)]
>>> chat = WatchedChat.new("a")
>>> chat.receive(reversed(lines))
>>> [row["effect"] for row in chat.advance(1.0)]
['state_changed', 'wait_estimated', 'message_received']
>>> chat = WatchedChat.from_json(chat.to_json())
>>> [row["effect"] for row in chat.advance(2.0)]
['party_added']

The stream tells up to which time all events are there: its watermark. Events wait for it, and then
go through the session in the order of time. So do deadlines, which fire at their own times. Between
two batches a chat is its JSON: the snapshot of the session, its clock, and the events that wait.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from math import inf
from typing import Any, Final, Self

from attrs import define, field

from chatfsm._session.session import ChatSession
from chatfsm.effects import to_json
from chatfsm.errors import SnapshotError
from chatfsm.replay.batches import decode_texts
from chatfsm.replay.chat_replay import ChatReplay, ReplayStep
from chatfsm.replay.export import Column
from chatfsm.replay.stats import ChatStats
from chatfsm.settings import Settings

__all__ = ["CLOSE_AFTER", "EFFECT_COLUMNS", "MAX_WAITING", "WatchedChat", "WatchedEvent"]

CLOSE_AFTER: Final = 86_400.0
"""Seconds without an event after which a chat is forgotten, whether it is over or not."""
MAX_WAITING: Final = 10_000
"""Events of a chat that wait; of more, the earliest are no longer kept waiting."""

EFFECT_COLUMNS: Final = (
    Column("chat_id", str, False, "Id of the chat."),
    Column("seq", int, False, "Number of the event in its chat, from 0."),
    Column("at", float, False, "Seconds since 1970 at which it was received, or was due."),
    Column("state", str, False, "State of the session after the event."),
    Column("effect", str, False, "Name of the effect, such as message_received."),
    Column("data", str, False, "Its fields, as JSON."),
)
"""The columns of the effects of a stream."""

WatchedEvent = tuple[float, int, str]
"""An event: seconds since 1970 at which it was received, its order among those of the same time,
and its JSON."""


@define
class WatchedChat:
    """A session, the events that wait, and the time of the last event."""

    replay: ChatReplay
    """The session of the chat, and its clock."""
    waiting: set[WatchedEvent] = field(factory=set)
    """Events that an earlier one may still precede: time, number and JSON text of each."""
    latest: float = -inf
    """Seconds since 1970 of the latest event."""

    @classmethod
    def new(cls, chat_id: str, settings: Settings | None = None) -> Self:
        """Return a chat without events."""
        session = ChatSession(chat_id, settings=settings or Settings())
        return cls(ChatReplay(session, prefers_received=True))

    @classmethod
    def from_json(cls, text: str, settings: Settings | None = None) -> Self:
        """Return the chat of a text that `to_json` returned. Raises `SnapshotError` for another."""
        settings = settings or Settings()
        try:
            state = json.loads(text)
            now, events = float(state["now"]), int(state["events"])
            session = ChatSession.restore(state["session"], settings=settings, now=now)
            waiting = {(float(at), int(seq), str(event)) for at, seq, event in state["waiting"]}
            latest = float(state["latest"])
        except SnapshotError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise SnapshotError(f"not a watched chat: {type(error).__name__}") from None
        replay = ChatReplay(session, prefers_received=True)
        replay.now, replay.event_count = now, events
        return cls(replay, waiting, latest)

    def to_json(self) -> str:
        """Return the chat as JSON: the snapshot of the session, and the events that wait."""
        now = self.replay.now or 0.0
        state = {
            "session": self.replay.session.snapshot(now=now),
            "now": now,
            "events": self.replay.event_count,
            "latest": self.latest,
            "waiting": sorted(self.waiting),
        }
        return json.dumps(state)

    def receive(self, events: Iterable[WatchedEvent]) -> None:
        """Add events that came, in any order; a repetition of one that waits is dropped."""
        self.waiting.update(events)
        self.latest = max([self.latest, *(at for at, _, _ in self.waiting)])

    def advance(self, until: float) -> list[dict[str, Any]]:
        """Process all events and deadlines up to a time, and return the rows of their effects.

        `until`: seconds since 1970; no event that is received before it will still come.
        """
        ordered = sorted(self.waiting)
        early = max(len(ordered) - MAX_WAITING, 0)
        due = [event for place, event in enumerate(ordered) if place < early or event[0] <= until]
        self.waiting = set(ordered[len(due) :])
        rows: list[dict[str, Any]] = []
        replay, stats = self.replay, ChatStats(self.replay.session)

        def add(step: ReplayStep) -> None:
            rows.extend(self._rows(step))

        if due:
            events = decode_texts([text.encode("utf-8", "surrogatepass") for _, _, text in due])
            replay.feed(events, stats, add, [at for at, _, _ in due])
        replay.pass_deadlines(until, replay.event_count, stats, add)
        return rows

    def deadline(self, close_after: float = CLOSE_AFTER) -> float:
        """When to call `advance`: for an event that waits, a deadline, or to forget the chat."""
        deadline = self.replay.session.deadline
        times = [at for at, _, _ in self.waiting]
        return min([*times, inf if deadline is None else deadline, self.latest + close_after])

    def is_silent(self, now: float, close_after: float = CLOSE_AFTER) -> bool:
        """Whether there was no event for so long that the chat can be forgotten."""
        return self.latest + close_after <= now

    def _rows(self, step: ReplayStep) -> Iterable[dict[str, Any]]:
        session = self.replay.session
        for effect in step.effects:
            fields = to_json(effect)
            yield {
                "chat_id": session.chat_id,
                "seq": step.seq,
                "at": step.at,
                "state": session.state,
                "effect": fields.pop("effect"),
                "data": json.dumps(fields),
            }
