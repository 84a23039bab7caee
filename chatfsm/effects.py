"""What follows from an input: immutable conclusions for the app, in the order they were drawn.

Each has a stable JSON form, by `to_json`: `{"effect": "message_received", …}`.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from attrs import field, frozen

from chatfsm._plain import redact_secure_form, snake_case, to_plain
from chatfsm.models import (
    AnomalyKind,
    ChatMessage,
    Form,
    Outcome,
    Party,
    SharedFile,
    SharedLocation,
)
from chatfsm.signaling import Signal

__all__ = [
    "Anomaly",
    "CallChanged",
    "CaseChanged",
    "CobrowsingChanged",
    "Conclusion",
    "DeliveryConfirmed",
    "Effect",
    "FileReceived",
    "FormClosed",
    "FormOpened",
    "FormReason",
    "LocationReceived",
    "MessageFailed",
    "MessageReceived",
    "MessageSent",
    "MessageUnconfirmed",
    "OutgoingMessage",
    "PartyAdded",
    "PartyChanged",
    "PartyRemoved",
    "ReadConfirmed",
    "SendEvents",
    "ServiceNamed",
    "SignalReceived",
    "StateChanged",
    "Terminated",
    "TypingStarted",
    "TypingStopped",
    "UnknownReceived",
    "WaitEstimated",
    "WarningCleared",
    "WarningRaised",
    "to_json",
]

FormReason = Literal["submitted", "cancelled", "expired", "replaced", "terminated"]


def _event_names(events: tuple[dict[str, Any], ...]) -> str:
    return f"({', '.join(str(event.get('event')) for event in events)})"


@frozen(kw_only=True)
class _Effect:
    replayed: bool = field(default=False, repr=False)
    """Whether a history told it, of something that is past."""


@frozen
class StateChanged(_Effect):
    """The session is in another state."""

    previous: str
    state: str


@frozen
class WaitEstimated(_Effect):
    """The server estimates so many seconds until somebody answers."""

    seconds: float


@frozen
class PartyAdded(_Effect):
    """Somebody joined."""

    party: Party


@frozen
class PartyChanged(_Effect):
    """Somebody who is here goes by other names, or is of another type."""

    party: Party


@frozen
class PartyRemoved(_Effect):
    """Somebody left."""

    party: Party


@frozen
class MessageReceived(_Effect):
    """A message that was not told before."""

    message: ChatMessage


@frozen
class TypingStarted(_Effect):
    """A party types."""

    party_id: str


@frozen
class TypingStopped(_Effect):
    """A party no longer types: it said so, spoke, left or fell silent, or the chat is over."""

    party_id: str


@frozen
class FormOpened(_Effect):
    """A form waits for an answer."""

    form: Form


@frozen
class FormClosed(_Effect):
    """A form no longer waits for an answer."""

    form: Form
    reason: FormReason


@frozen
class WarningRaised(_Effect):
    """The session will be closed for inactivity unless the customer does something."""

    text: str


@frozen
class WarningCleared(_Effect):
    """The customer did something."""


@frozen
class SignalReceived(_Effect):
    """A step of a call, for whoever handles the media."""

    party_id: str | None
    signal: Signal


@frozen
class CallChanged(_Effect):
    """The call is in another state."""

    previous: str
    state: str


@frozen
class FileReceived(_Effect):
    """A file was shared."""

    file: SharedFile


@frozen
class LocationReceived(_Effect):
    """A place was shared."""

    location: SharedLocation


@frozen
class DeliveryConfirmed(_Effect):
    """A message has reached the other side."""

    msg_id: str
    party_id: str | None


@frozen
class ReadConfirmed(_Effect):
    """A message was read by the other side."""

    msg_id: str
    party_id: str | None


@frozen
class CaseChanged(_Effect):
    """The conversation belongs to this case now; None: to none."""

    case_id: str | None


@frozen
class ServiceNamed(_Effect):
    """The service has this name."""

    name: str


@frozen
class CobrowsingChanged(_Effect):
    """Co-browsing was requested, rejected, started or ended."""

    state: str


@frozen
class UnknownReceived(_Effect):
    """An event that nobody knows, whole."""

    name: str
    raw: object = field(hash=False, repr=False)


@frozen
class Anomaly(_Effect):
    """Something that should not be; `text` names ids and kinds, never what somebody wrote."""

    kind: AnomalyKind
    text: str
    raw: object = field(default=None, hash=False, repr=False)


@frozen
class Terminated(_Effect):
    """The session is over; nothing follows, ever."""

    outcome: Outcome
    text: str = ""
    """What the server said about it, "" where it said nothing."""


@frozen
class OutgoingMessage:
    """Wire events that are posted, arrive, fail and are sent again together.

    `events`: as `codec.encode` makes them. A message comes last, after the events that belong to
    it. `msg_id`: the id of the message; None for an event that is no message and stands alone.
    """

    events: tuple[dict[str, Any], ...] = field(hash=False, repr=_event_names)
    msg_id: str | None = None


@frozen
class SendEvents(_Effect):
    """Work for the transport: post these messages, in order, and report the outcome.

    Post `events`, and name `msg_ids` in `Sent` or `SendFailed`. No repr shows what they hold.
    """

    messages: tuple[OutgoingMessage, ...]

    @property
    def events(self) -> tuple[dict[str, Any], ...]:
        """The events of all messages."""
        return tuple(event for message in self.messages for event in message.events)

    @property
    def msg_ids(self) -> tuple[str, ...]:
        """The ids of those messages that have one."""
        return tuple(message.msg_id for message in self.messages if message.msg_id is not None)


@frozen
class MessageSent(_Effect):
    """A message of the customer's has reached the server."""

    msg_id: str


@frozen
class MessageFailed(_Effect):
    """A message of the customer's was refused, and will not be sent."""

    msg_id: str
    why: str


@frozen
class MessageUnconfirmed(_Effect):
    """Nobody knows whether a message arrived: a complete `History` will tell, or send it again."""

    msg_id: str
    why: str


Conclusion = (
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
    | MessageSent
    | MessageFailed
    | MessageUnconfirmed
    | DeliveryConfirmed
    | ReadConfirmed
    | CaseChanged
    | ServiceNamed
    | CobrowsingChanged
    | UnknownReceived
    | Anomaly
    | Terminated
)
"""Effects for the app."""

Effect = Conclusion | SendEvents
"""All effects of a session: `SendEvents` is for the transport, the others are for the app."""

_NAMES: Final = {cls: snake_case(cls) for cls in get_args(Effect)}


def to_json(effect: Effect) -> dict[str, Any]:
    """The effect as plain JSON: `effect` names it, the rest are its fields.

    `replayed` is there, and true, only where a history told it. What answers a secure form is
    not in it: that goes to the server from `SendEvents.events`, and nowhere else.
    """
    plain = {"effect": _NAMES[type(effect)], **to_plain(effect)}
    if not effect.replayed:
        del plain["replayed"]
    if isinstance(effect, SendEvents):
        del plain["messages"]
        plain["events"] = [redact_secure_form(event) for event in effect.events]
        plain["msg_ids"] = list(effect.msg_ids)
    return plain
