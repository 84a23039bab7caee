"""What follows from an input: immutable conclusions for the app, in the order they were drawn.

Each has a stable JSON form, by `to_json`: `{"effect": "message_received", …}`.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from attrs import field, frozen

from chatfsm.protocol.signaling import Signal
from chatfsm.session.law import Outcome
from chatfsm.session.plain import snake, to_plain
from chatfsm.session.values import ChatMessage, Form, Party, SharedFile, SharedLocation

FormReason = Literal["submitted", "cancelled", "expired", "replaced", "terminated"]
AnomalyKind = Literal[
    "unexpected_transition",  # a state that the law does not expect after the one before
    "unknown_state",  # a state word that nobody knows
    "unknown_party",  # somebody left who was not there
    "malformed",  # an item that is no event, or lacks what it needs
    "id_reused",  # a message id of before, with other content
    "too_many_ids",  # told once: from here on, old duplicates cannot be known any more
    "too_many_parties",
    "too_many_typists",
    "too_many_forms",
    "too_many_candidates",
]


@frozen
class StateChanged:
    """The session is in another state."""

    previous: str
    state: str


@frozen
class WaitEstimated:
    """The server estimates so many seconds until somebody answers."""

    seconds: float


@frozen
class PartyAdded:
    """Somebody joined."""

    party: Party


@frozen
class PartyChanged:
    """Somebody who is here goes by other names, or is of another type."""

    party: Party


@frozen
class PartyRemoved:
    """Somebody left."""

    party: Party


@frozen
class MessageReceived:
    """A message that was not told before."""

    message: ChatMessage


@frozen
class TypingStarted:
    """A party types."""

    party_id: str


@frozen
class TypingStopped:
    """A party no longer types: it said so, spoke, left or fell silent, or the chat is over."""

    party_id: str


@frozen
class FormOpened:
    """A form waits for an answer."""

    form: Form


@frozen
class FormClosed:
    """A form no longer waits for an answer."""

    form: Form
    reason: FormReason


@frozen
class WarningRaised:
    """The session will be closed for inactivity unless the customer does something."""

    text: str


@frozen
class WarningCleared:
    """The customer did something."""


@frozen
class SignalReceived:
    """A step of a call, for whoever handles the media."""

    party_id: str | None
    signal: Signal


@frozen
class CallChanged:
    """The call is in another state."""

    previous: str
    state: str


@frozen
class FileReceived:
    """A file was shared."""

    file: SharedFile


@frozen
class LocationReceived:
    """A place was shared."""

    location: SharedLocation


@frozen
class DeliveryConfirmed:
    """A message has reached the other side."""

    msg_id: str
    party_id: str | None


@frozen
class ReadConfirmed:
    """A message was read by the other side."""

    msg_id: str
    party_id: str | None


@frozen
class CaseChanged:
    """The conversation belongs to this case now; None: to none."""

    case_id: str | None


@frozen
class ServiceNamed:
    """The service has this name."""

    name: str


@frozen
class CobrowsingChanged:
    """Co-browsing was requested, rejected, started or ended."""

    state: str


@frozen
class UnknownReceived:
    """An event that nobody knows, whole."""

    name: str
    raw: object = field(hash=False, repr=False)


@frozen
class Anomaly:
    """Something that should not be; `text` names ids and kinds, never what somebody wrote."""

    kind: AnomalyKind
    text: str
    raw: object = field(default=None, hash=False, repr=False)


@frozen
class Terminated:
    """The session is over; nothing follows, ever."""

    outcome: Outcome
    text: str = ""
    """What the server said about it, "" where it said nothing."""


Effect = (
    StateChanged
    | WaitEstimated
    | PartyAdded
    | PartyChanged
    | PartyRemoved
    | MessageReceived
    | TypingStarted
    | TypingStopped
    | FormOpened
    | FormClosed
    | WarningRaised
    | WarningCleared
    | SignalReceived
    | CallChanged
    | FileReceived
    | LocationReceived
    | DeliveryConfirmed
    | ReadConfirmed
    | CaseChanged
    | ServiceNamed
    | CobrowsingChanged
    | UnknownReceived
    | Anomaly
    | Terminated
)

_NAMES: Final = {cls: snake(cls) for cls in get_args(Effect)}


def to_json(effect: Effect) -> dict[str, Any]:
    """The effect as plain JSON: `effect` names it, the rest are its fields."""
    return {"effect": _NAMES[type(effect)], **to_plain(effect)}
