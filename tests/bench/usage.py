"""Usage of chatfsm in the benchmarks: by its public names, on the clock of a log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from chatfsm import ChatSession, decode, decode_lines, effects, events
from tests.bench.workloads import Chat

__all__ = [
    "DecodedChat",
    "TimedEvent",
    "decode_chat",
    "decode_each",
    "effects_of",
    "feed_all",
    "feed_events",
    "with_times",
]

TimedEvent = tuple[events.Event, float]


@frozen
class DecodedChat:
    """A decoded chat: each event with the time at which a session receives it."""

    chat_id: str
    timed: tuple[TimedEvent, ...]


def decode_chat(chat: Chat) -> DecodedChat:
    """Return the events of a chat's lines; no two of them share a text object."""
    return DecodedChat(chat.chat_id, tuple(with_times(decode_lines(b"\n".join(chat.lines())))))


def with_times(decoded: Iterable[events.Event]) -> Iterator[TimedEvent]:
    """Yield each event with its time, on the clock of its log, which never runs backwards."""
    now = 0.0
    for event in decoded:
        now = max(now, event.timestamp or 0.0)
        yield event, now


def feed_all(chats: Iterable[DecodedChat]) -> None:
    """Feed each chat to a new session: decoded events to effects."""
    for chat in chats:
        receive = ChatSession(chat.chat_id).receive
        for event, now in chat.timed:
            receive(event, now=now)


def effects_of(chat: DecodedChat) -> list[list[effects.Effect]]:
    """Return the effects of a chat, one list for each event."""
    session = ChatSession(chat.chat_id)
    return [session.receive(event, now=now) for event, now in chat.timed]


def feed_events(chat_id: str, decoded: Iterable[events.Event]) -> None:
    """Feed events to a new session, on the clock of the log."""
    receive = ChatSession(chat_id).receive
    now = 0.0
    for event in decoded:
        stamp = event.timestamp
        if stamp is not None and stamp > now:
            now = stamp
        receive(event, now=now)


def decode_each(lines: Iterable[bytes]) -> Iterable[events.Event]:
    """Yield the events of lines, with one call of `decode` for each line."""
    for line in lines:
        yield from decode(line)
