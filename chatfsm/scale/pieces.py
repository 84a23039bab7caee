"""What workers say to the process that prints, and its order, which is that of one process."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import merge
from typing import NamedTuple

from chatfsm.recording.chat import Moment
from chatfsm.recording.report import ChatTotals
from chatfsm.recording.source import Reached

__all__ = ["Crash", "Farewell", "Parcel", "Piece", "in_order"]


class Piece(NamedTuple):
    """Something that was said at a moment of the log."""

    moment: Moment
    text: str = ""
    """What is printed of a step, or of a chat that is over; or a complaint."""
    over: ChatTotals | None = None
    """What the chat adds to the totals, where it is over."""
    is_complaint: bool = False
    """It is why a file could not be read."""
    is_stop: bool = False
    """Here something was met that ends the reading, and that only one worker can see."""


class Parcel(NamedTuple):
    """What a worker has said since the last one."""

    pieces: list[Piece]
    reached: Reached | None
    """How far it has come in a file."""
    records: int
    """How many records of that file, of all chats, there were."""
    where: str
    """The last input that it has heard."""


class Farewell(NamedTuple):
    """The last word of a worker that has read all."""

    agreed: int
    """How many entries of journals agree with what they say."""


class Crash(NamedTuple):
    """The last word of a worker that cannot go on."""

    why: str


def in_order(workers: Iterable[Iterator[Piece]]) -> Iterator[Piece]:
    """All pieces in the order in which one process says them."""
    return merge(*workers, key=_moment)


def _moment(piece: Piece) -> Moment:
    return piece.moment
