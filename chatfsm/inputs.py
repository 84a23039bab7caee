"""What a session can be told, beside events and commands."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import field, frozen

from chatfsm.commands import Command
from chatfsm.events import Event

__all__ = [
    "History",
    "Input",
    "Lost",
    "SendFailed",
    "Sent",
    "Tick",
]


def _ids(msg_ids: Iterable[str]) -> tuple[str, ...]:
    if isinstance(msg_ids, str):  # else the ids of a whole chat are its digits
        raise TypeError("msg_ids are several ids, not one text")
    return tuple(msg_ids)


@frozen
class Tick:
    """The time has come, or may have: whatever is due happens."""


@frozen
class Sent:
    """The transport knows that these messages have reached the server."""

    msg_ids: tuple[str, ...] = field(converter=_ids)


@frozen
class SendFailed:
    """The transport could not send these messages, or does not know whether it did.

    `retryable`: False where the server refused them for good; True where the reply was lost, so
    that they may have arrived: they are *unconfirmed* until a history tells. What surely never
    left (no connection could be made) is the transport's to send again, and no failure yet.
    """

    msg_ids: tuple[str, ...] = field(converter=_ids)
    why: str
    retryable: bool


@frozen
class Lost:
    """The server says that it knows no such session (error 5005, or 404): it is gone."""

    reason: str = ""


@frozen
class History:
    """Events of the past, as the server keeps them: a page of them, or all.

    What they say is merged by identity, in whatever order and overlap the pages come; only what
    was not told before is told, with `replayed=True`. `complete`: with this page all have come,
    so that a message of doubtful fate that is in none of them was never received.
    """

    events: tuple[Event, ...] = field(converter=tuple)
    complete: bool = True


Input = Event | Command | Tick | Sent | SendFailed | Lost | History
