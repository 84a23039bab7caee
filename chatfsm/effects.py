"""Effects of a session: facts for the app, and work for the transport, in the order they happen.

`to_json` gives the stable JSON form of each: `{"effect": "message_received", …}`.
"""

from __future__ import annotations

from typing import Any, Final, Literal, get_args

from attrs import field, frozen

from chatfsm._plain import redact_secure_form, snake_case, to_plain
from chatfsm.events import Event
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
    "AppEffect",
    "CallChanged",
    "CaseChanged",
    "CobrowsingChanged",
    "DeliveryConfirmed",
    "Effect",
    "FileReceived",
    "FormClosed",
    "FormOpened",
    "FormReason",
    "Ignored",
    "IgnoredReason",
    "LocationReceived",
    "MessageDeleted",
    "MessageEdited",
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
    "TypingReason",
    "TypingStarted",
    "TypingStopped",
    "UnknownReceived",
    "WaitEstimated",
    "WarningCleared",
    "WarningRaised",
    "to_json",
]

TypingReason = Literal[
    "event",  # the server reported it
    "message",  # the party sent a message
    "left",  # the party left
    "completed",  # the session completed
    "terminated",  # the session ended
    "timeout",  # no typing event within `Settings.typing_timeout`
]
"""Reason of a `TypingStopped`."""

IgnoredReason = Literal[
    "duplicate",  # received before
    "late",  # received after the session ended
]
"""Reason of an `Ignored`."""

FormReason = Literal[
    "submitted",  # the customer answered it
    "cancelled",  # the customer or the server cancelled it
    "expired",  # its deadline passed
    "replaced",  # the server showed another form with the same request id
    "terminated",  # the session ended
]
"""Reason of a `FormClosed`."""


def _event_names(events: tuple[dict[str, Any], ...]) -> str:
    return f"({', '.join(str(event.get('event')) for event in events)})"


@frozen(kw_only=True)
class _Effect:
    replayed: bool = field(default=False, repr=False)
    """Whether the effect comes from a history, and may be long past."""


@frozen
class StateChanged(_Effect):
    """The session entered another state."""

    previous: str
    """The state before, in the words of `state`; never an `Outcome`."""
    state: str
    """establishing, ivr, queued, connecting, connected, completed, or an `Outcome`."""


@frozen
class WaitEstimated(_Effect):
    """The server estimates the time until an agent answers."""

    seconds: float
    """Estimated waiting time from now on, in seconds, as in `Status.ewt`."""


@frozen
class PartyAdded(_Effect):
    """A party joined the chat."""

    party: Party
    """The new party, as the roster has it now."""


@frozen
class PartyChanged(_Effect):
    """A party in the roster has another name or another type."""

    party: Party
    """The party with its new names and type."""


@frozen
class PartyRemoved(_Effect):
    """A party left the chat."""

    party: Party
    """The party, as the roster had it last."""


@frozen
class MessageReceived(_Effect):
    """A chat message arrived, or an own message of another device; never reported twice."""

    message: ChatMessage
    """The message, with its sender, if that is known."""


@frozen
class MessageEdited(_Effect):
    """A party edited a message, perhaps one that the session never received."""

    msg_id: str
    """Id of the edited message."""
    text: str
    """Plain text of the new message."""
    html: str | None
    """The new message as received, with or without HTML: untrusted."""
    party_id: str | None
    """The party that edited it, if the server named it."""


@frozen
class MessageDeleted(_Effect):
    """A party deleted a message, perhaps one that the session never received."""

    msg_id: str
    """Id of the deleted message."""
    party_id: str | None
    """The party that deleted it, if the server named it."""


@frozen
class TypingStarted(_Effect):
    """A party started typing."""

    party_id: str
    """The party that types; it may be one that was never announced."""


@frozen
class TypingStopped(_Effect):
    """A party stopped typing."""

    party_id: str
    """The party of the `TypingStarted`."""
    reason: TypingReason
    """The event, or the lack of one, that ended the typing."""


@frozen
class FormOpened(_Effect):
    """The server showed a form, which now awaits an answer."""

    form: Form
    """The form, with its deadline on the session's clock."""


@frozen
class FormClosed(_Effect):
    """A form no longer awaits an answer."""

    form: Form
    """The form, as its `FormOpened` had it."""
    reason: FormReason
    """The cause; the form was answered only if it is submitted."""


@frozen
class WarningRaised(_Effect):
    """The server will close the session for inactivity unless the customer becomes active."""

    text: str
    """Text of the server; empty if it gave none."""


@frozen
class WarningCleared(_Effect):
    """The customer became active after a warning."""


@frozen
class SignalReceived(_Effect):
    """A signal of a call, for the part of the app that handles the media."""

    party_id: str | None
    """The sender, if the server named it."""
    signal: Signal
    """The signal, typed (PROTOCOL.md §4)."""


@frozen
class CallChanged(_Effect):
    """The call entered another state, of those in diagrams/call.mmd."""

    previous: str
    """The state before, in the words of `state`."""
    state: str
    """idle, requested, offered, active, rejected or ended."""


@frozen
class FileReceived(_Effect):
    """A party shared a file."""

    file: SharedFile
    """The file, with its sender, if that is known; its content is not loaded."""


@frozen
class LocationReceived(_Effect):
    """A party shared a location."""

    location: SharedLocation
    """The location, with its sender, if that is known."""


@frozen
class DeliveryConfirmed(_Effect):
    """An own message was delivered to a party."""

    msg_id: str
    """Id of the own message."""
    party_id: str | None
    """The party that confirmed it, if the server named it."""


@frozen
class ReadConfirmed(_Effect):
    """A party has read an own message."""

    msg_id: str
    """Id of the own message."""
    party_id: str | None
    """The party that confirmed it, if the server named it."""


@frozen
class CaseChanged(_Effect):
    """The chat belongs to another case."""

    case_id: str | None
    """Id of the case; None: the chat has no case any more."""


@frozen
class ServiceNamed(_Effect):
    """The server named the service."""

    name: str
    """The name, as in `events.Info`; never empty."""


@frozen
class CobrowsingChanged(_Effect):
    """Co-browsing was requested, rejected, started or ended."""

    state: str
    """requested, rejected, started or ended."""


@frozen
class UnknownReceived(_Effect):
    """An event with a name that chatfsm does not know."""

    name: str
    """Name of the event on the wire."""
    raw: object = field(hash=False, repr=False)
    """The whole event, as received."""


@frozen
class Anomaly(_Effect):
    """An input of the server that breaks the protocol, or exceeds a limit of `Settings`."""

    kind: AnomalyKind
    """The kind of breach or limit."""
    text: str
    """Description with ids and kinds, without message content."""
    raw: object = field(default=None, hash=False, repr=False)
    """The item, as received, if it is malformed."""


@frozen
class Ignored(_Effect):
    """A duplicate or late event, reported only with `Settings(explain=True)`."""

    reason: IgnoredReason
    """The reason why the event had no effect."""
    event: Event = field(repr=False)
    """The event, as it was decoded; in no repr."""


@frozen
class Terminated(_Effect):
    """The session has ended. Always the last effect of a session."""

    outcome: Outcome
    """The end, as the final state of the session."""
    text: str = ""
    """Text of the server; empty if it gave none."""


@frozen
class OutgoingMessage:
    """Events that are posted, confirmed, refused and sent again together."""

    events: tuple[dict[str, Any], ...] = field(hash=False, repr=_event_names)
    """JSON objects, as `encode` returns them; a message is the last one."""
    msg_id: str | None = None
    """Id of the message; None for a single event that is not a message."""


@frozen
class SendEvents(_Effect):
    """Work for the transport: post these messages in order, and report the outcome.

    Post `events`, and name `msg_ids` in `Sent` or `SendFailed`. No repr shows the content.
    """

    messages: tuple[OutgoingMessage, ...]
    """The messages, in the order in which they must reach the server."""

    @property
    def events(self) -> tuple[dict[str, Any], ...]:
        """Events of all messages, in order."""
        return tuple(event for message in self.messages for event in message.events)

    @property
    def msg_ids(self) -> tuple[str, ...]:
        """Ids of the messages that have one, in order."""
        return tuple(message.msg_id for message in self.messages if message.msg_id is not None)


@frozen
class MessageSent(_Effect):
    """An own message has reached the server."""

    msg_id: str
    """Id that the command had, or that the session chose for it."""


@frozen
class MessageFailed(_Effect):
    """An own message did not arrive, and will not be sent again; the app may say it anew.

    The server refused it, it was never posted, because the chat ended first, or a history lacks it
    that holds a later one. A message that may have arrived is `MessageUnconfirmed`.
    """

    msg_id: str
    """Id that the command had, or that the session chose for it."""
    why: str
    """The reason, without message content."""


@frozen
class MessageUnconfirmed(_Effect):
    """It is unknown whether an own message arrived.

    A complete `History` decides: the session then reports `MessageSent`, or sends it again; a
    client reports `MessageFailed` if it has posted a later one. After the end of the chat nothing
    decides any more.
    """

    msg_id: str
    """Id that the command had, or that the session chose for it."""
    why: str
    """The reason, without message content."""


AppEffect = (
    StateChanged
    | WaitEstimated
    | PartyAdded
    | PartyChanged
    | PartyRemoved
    | MessageReceived
    | MessageEdited
    | MessageDeleted
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
    | Ignored
    | Terminated
)
"""All effects for the app, as a closed union."""

Effect = AppEffect | SendEvents
"""All effects of a session, as a closed union; `SendEvents` is for the transport."""

_NAMES: Final = {cls: snake_case(cls) for cls in get_args(Effect)}


def to_json(effect: Effect) -> dict[str, Any]:
    """Return an effect as a JSON object: `effect` is its kind, the other names are its fields.

    `replayed` is present only if it is true. The answers to a secure form are replaced by
    "(secure)": only `SendEvents.events` has them.
    """
    plain = {"effect": _NAMES[type(effect)], **to_plain(effect)}
    if not effect.replayed:
        del plain["replayed"]
    if isinstance(effect, Ignored):
        plain["event"] = {"event": snake_case(type(effect.event)), **to_plain(effect.event)}
    if isinstance(effect, SendEvents):
        del plain["messages"]
        plain["events"] = [redact_secure_form(event) for event in effect.events]
        plain["msg_ids"] = list(effect.msg_ids)
    return plain
