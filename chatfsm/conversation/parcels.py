"""What was said, cut into the smallest parts that arrive, fail, and are sent again as one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from attrs import define, field

from chatfsm.protocol import commands as c
from chatfsm.protocol import events as e
from chatfsm.protocol.outbound import encode
from chatfsm.session.effects import SendEvents

__all__ = ["Parcel", "cut", "has_arrived", "is_answer", "is_typing", "repeats", "subject_of"]

_TYPING: Final = encode(c.StartTyping())["event"]
_PASSING: Final = frozenset({_TYPING, encode(c.StopTyping())["event"]})
_ANSWERS: Final = frozenset(
    encode(order)["event"]
    for secure in (True, False)
    for order in (c.SubmitForm("a form", {}, secure=secure), c.CancelForm("a form", secure=secure))
)
_ANSWERED: Final = (e.FormData, e.FormDataCancel, e.SecureFormCancel)


@define
class Parcel:
    """A message with what goes before it, or one event that is no message; in no repr."""

    events: tuple[dict[str, Any], ...] = field(repr=False)
    msg_id: str | None
    """The message's id; None where it is none."""
    said_at: float
    attempts: int = 0
    """How often the server answered it, when it was alone, with an internal error."""
    is_lost: bool = False
    """Whether its content is gone: what answers a secure form survives no restart."""


def cut(effect: SendEvents, now: float) -> list[Parcel]:
    """The parcels of what a session wants to be posted, in order.

    What a message brings along (the answer to a text prompt, say) is a part of it: the session
    sends both again.
    """
    if not effect.msg_ids:
        return [Parcel((event,), None, now) for event in effect.events]
    parcels: list[Parcel] = []
    events = list(effect.events)
    for following, msg_id in zip((*effect.msg_ids[1:], None), effect.msg_ids, strict=True):
        end = len(events) if following is None else _end_of(events, msg_id)
        parcels.append(Parcel(tuple(events[:end]), msg_id, now))
        del events[:end]
    return parcels


def _end_of(events: list[dict[str, Any]], msg_id: str) -> int:
    """Where a message ends: at its id, or at an empty one, as some connectors want of files."""
    return next(
        (at for at, event in enumerate(events, 1) if event.get("msg_id") in {msg_id, ""}),
        len(events),
    )


def is_typing(parcel: Parcel) -> bool:
    """Whether it says that the customer types: of interest for seconds only."""
    return parcel.events[0]["event"] == _TYPING and parcel.msg_id is None


def is_answer(parcel: Parcel) -> bool:
    """Whether it answers a form."""
    return parcel.events[0]["event"] in _ANSWERS and parcel.msg_id is None


def repeats(parcel: Parcel, other: Parcel) -> bool:
    """Whether what waits already makes it needless, or it makes needless what waits."""
    if parcel.msg_id is not None or other.msg_id is not None:
        return False
    return parcel.events == other.events or (
        parcel.events[0]["event"] in _PASSING and other.events[0]["event"] in _PASSING
    )


def has_arrived(parcel: Parcel, past: Iterable[e.Event]) -> bool:
    """Whether a history holds a parcel that is no message; what leaves no trace has not."""
    event = parcel.events[0]
    if is_answer(parcel):
        form = event["form_request_id"]
        return any(isinstance(item, _ANSWERED) and item.form_request_id == form for item in past)
    msg_id = event.get("msg_id")
    return msg_id is not None and any(
        isinstance(item, (e.Signaling, e.Cobrowsing)) and item.msg_id == msg_id for item in past
    )


def subject_of(parcel: Parcel) -> str | None:
    """The id of the form or message that it is about."""
    event = parcel.events[0]
    found = (event.get(name) for name in ("form_request_id", "ref_msg_id", "msg_id"))
    return next((str(value) for value in found if value), None)
