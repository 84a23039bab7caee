"""Inputs of a session, besides events and commands: time, transport results, histories."""

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
    if isinstance(msg_ids, str):  # tuple("12") would be two ids
        raise TypeError("msg_ids must be an iterable of ids, not one string")
    return tuple(msg_ids)


@frozen
class Tick:
    """Time has passed; the session does what is due. Early and repeated ticks are harmless."""


@frozen
class Sent:
    """The transport knows that these messages reached the server."""

    msg_ids: tuple[str, ...] = field(converter=_ids)
    """Ids of the messages, as in `SendEvents.msg_ids`."""


@frozen
class SendFailed:
    """The transport could not send these messages, or does not know whether they arrived.

    Without a connection nothing was sent: the transport retries, and this input is not needed.
    """

    msg_ids: tuple[str, ...] = field(converter=_ids)
    """Ids of the messages, as in `SendEvents.msg_ids`."""
    why: str
    """The reason, without secrets and content."""
    retryable: bool
    """False if the server refused them; True if they may have arrived, and are unconfirmed."""


@frozen
class Lost:
    """The server does not know the session any more: error code 5005, or HTTP status 404."""

    reason: str = ""
    """Text of the server."""


@frozen
class History:
    """Past events as the server has kept them: all of them, or one page.

    The session merges them with its state, whatever the order and overlap of pages, and reports
    only news, with `replayed=True`.
    """

    events: tuple[Event, ...] = field(converter=tuple)
    """The events, of the server and of the customer, as `decode` returns them."""
    complete: bool = True
    """Whether all events are here, or in earlier pages: an unconfirmed message that is in none of
    them did not arrive."""


Input = Event | Command | Tick | Sent | SendFailed | Lost | History
"""All inputs of a session, as a closed union."""
