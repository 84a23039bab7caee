"""How chatfsm is used by what is measured: its public names, and the clock of a log."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from attrs import frozen

from chatfsm import ChatSession, decode, decode_lines, effects, events
from tests.bench.workloads import Chat

__all__ = [
    "Heard",
    "Timed",
    "effects_of",
    "hear_all",
    "heard",
    "line_by_line",
    "lines_to_effects",
    "on_the_clock",
]

Timed = tuple[events.Event, float]


@frozen
class Heard:
    """A chat, decoded: each event and when it is heard."""

    chat_id: str
    timed: tuple[Timed, ...]


def heard(chat: Chat) -> Heard:
    """The events of a chat as its lines bring them: no two of them share a text."""
    return Heard(chat.chat_id, tuple(on_the_clock(decode_lines(b"\n".join(chat.lines())))))


def on_the_clock(decoded: Iterable[events.Event]) -> Iterator[Timed]:
    """Each event and when it is heard, on the clock of its log, which never runs backwards."""
    now = 0.0
    for event in decoded:
        now = max(now, event.timestamp or 0.0)
        yield event, now


def hear_all(chats: Iterable[Heard]) -> None:
    """The session layer: decoded events to effects."""
    for chat in chats:
        receive = ChatSession(chat.chat_id).receive
        for event, now in chat.timed:
            receive(event, now=now)


def effects_of(chat: Heard) -> list[list[effects.Effect]]:
    """What chatfsm tells of a chat, event by event."""
    session = ChatSession(chat.chat_id)
    return [session.receive(event, now=now) for event, now in chat.timed]


def lines_to_effects(chat_id: str, decoded: Iterable[events.Event]) -> None:
    """Hear what is decoded, on the clock of the log."""
    receive = ChatSession(chat_id).receive
    now = 0.0
    for event in decoded:
        stamp = event.timestamp
        if stamp is not None and stamp > now:
            now = stamp
        receive(event, now=now)


def line_by_line(lines: Iterable[bytes]) -> Iterable[events.Event]:
    """The events of lines that are given one a call."""
    for line in lines:
        yield from decode(line)
