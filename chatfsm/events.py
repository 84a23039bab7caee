"""Events: what the server sends, one frozen class for each event of the wire.

Classes and fields have the wire's names; a field with a default may be missing on the wire. Two
fields are keyword-only: `timestamp` and `extra`. `FormData`, `FormDataCancel` and `ClientEvent` are
events of the client, which are in logs and histories. Source: PROTOCOL.md §2 and §3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from chatfsm.signaling import Signal

__all__ = [
    "Attachment",
    "CaseSet",
    "ClientEvent",
    "Cobrowsing",
    "Ended",
    "Event",
    "File",
    "FileUrl",
    "FormData",
    "FormDataCancel",
    "FormShow",
    "InactivityTimeout",
    "Info",
    "Location",
    "Malformed",
    "Message",
    "MessageDelete",
    "MessageDelivered",
    "MessageEdit",
    "MessageRead",
    "NotTyping",
    "PartyJoined",
    "PartyLeft",
    "SecureFormCancel",
    "SecureFormShow",
    "Signaling",
    "Status",
    "TimeoutWarning",
    "Typing",
    "Unknown",
]


@frozen
class Attachment:
    """An attachment of a message."""

    id: str | None = None
    """Id that the server gave the attachment (PROTOCOL.md §2)."""
    content_type: str | None = None
    """MIME type, as the server gives it."""
    content: str | None = field(default=None, repr=False)
    """Content as text; its encoding depends on the type."""
    name: str | None = None
    """File name that the sender gave: untrusted, it may be a path."""
    extra: Mapping[str, object] = field(factory=dict, hash=False, repr=False)
    """Fields of the attachment that chatfsm does not know, as received."""


@frozen(kw_only=True)
class _WithTimestamp:
    timestamp: float | None = None
    """Seconds since 1970, on the server's clock; None if the event has no time."""


@frozen(kw_only=True)
class _WithExtra(_WithTimestamp):
    extra: Mapping[str, object] = field(factory=dict, hash=False)
    """Fields that chatfsm does not know and values that it could not parse, as received."""


@frozen
class Status(_WithExtra):
    """The state of the session."""

    state: str
    """establishing, ivr, queued, connecting, connected, completed, failed, or a newer state."""
    ewt: float | None = None
    """Estimated waiting time in seconds."""


@frozen
class Ended(_WithExtra):
    """The session has ended."""


@frozen
class PartyJoined(_WithExtra):
    """A party joined the chat."""

    party_id: str
    """Id of the party in this chat; the customer's is the chat's id, in any letter case."""
    type: str | None = None
    """scenario, external (customer), internal (agent), msteams, or a newer type."""
    display_name: str | None = None
    """Name that the server wants shown; None or "" if it sent none."""
    first_name: str | None = None
    """First name; None or "" if the server sent none."""
    last_name: str | None = None
    """Last name; None or "" if the server sent none."""


@frozen
class PartyLeft(_WithExtra):
    """A party left the chat."""

    party_id: str
    """Id of the party, as in its `PartyJoined`."""
    type: str | None = None
    """Type of the party, as in its `PartyJoined`; undocumented (PROTOCOL.md §2)."""


@frozen
class Message(_WithExtra):
    """A chat message."""

    party_id: str | None = None
    """The sender; some servers leave it out of the customer's own messages."""
    msg_id: str | None = None
    """Id of the message; those of the server are mostly small even numbers (PROTOCOL.md §2)."""
    msg: str | None = None
    """The message, with or without HTML: untrusted."""
    msg_text: str | None = None
    """Plain text of the message, made by the server."""
    channel: str | None = None
    """Channel that the message came by, such as web."""
    attachments: tuple[Attachment, ...] = ()
    """Attachments of the message, at most 1,000; further ones are in `extra`."""


@frozen
class MessageEdit(_WithExtra):
    """A party edited a message (web client v4)."""

    ref_msg_id: str
    """Id of the message."""
    party_id: str | None = None
    """The party that edited the message; None if the server did not name it."""
    msg: str | None = None
    """The new message, with or without HTML: untrusted."""
    msg_text: str | None = None
    """Plain text of the new message, made by the server."""


@frozen
class MessageDelete(_WithExtra):
    """A party deleted a message (web client v4)."""

    ref_msg_id: str
    """Id of the message."""
    party_id: str | None = None
    """The party that deleted the message; None if the server did not name it."""


@frozen
class MessageDelivered(_WithExtra):
    """A message was delivered to a party."""

    ref_msg_id: str
    """Id of the message."""
    party_id: str | None = None
    """The party that received the message; None if the server did not name it."""


@frozen
class MessageRead(_WithExtra):
    """A party has read a message."""

    ref_msg_id: str
    """Id of the message."""
    party_id: str | None = None
    """The party that read the message; None if the server did not name it."""


@frozen
class Typing(_WithExtra):
    """A party types."""

    party_id: str
    """The party that types; it may be one that was never announced."""


@frozen
class NotTyping(_WithExtra):
    """A party has stopped typing."""

    party_id: str
    """The party that stopped typing; it may be one that was never announced."""


@frozen
class FormShow(_WithExtra):
    """A form for the customer to fill in."""

    form_request_id: str
    """Id of this showing of the form; the answer repeats it."""
    form_name: str | None = None
    """Empty for a text prompt, which the next chat text answers."""
    form_timeout: float | None = None
    """Seconds until the form expires; None: it does not."""
    channel: str | None = None
    """Channel that the form came by, such as web."""
    form_content: str | None = None
    """Text of a text prompt (web client v4)."""


@frozen
class SecureFormShow(_WithExtra):
    """A form whose answers are secret: no snapshot, log or repr has them."""

    form_request_id: str
    """Id of this showing of the form; the answer repeats it."""
    form_id: str | None = None
    """Id of the form's definition; it takes the place of a name."""


@frozen
class SecureFormCancel(_WithExtra):
    """A secure form was cancelled, by the server or by the customer."""

    form_request_id: str
    """Id of the cancelled form, as in its `SecureFormShow`."""
    party_id: str | None = None
    """The party that cancelled the form; None if the server did not name it."""


@frozen
class TimeoutWarning(_WithExtra):
    """The session will be closed for inactivity unless the customer becomes active."""

    msg: str | None = None
    """Text of the warning, with or without HTML: untrusted."""
    msg_text: str | None = None
    """Plain text of the warning, made by the server."""


@frozen
class InactivityTimeout(_WithExtra):
    """The session was closed for inactivity."""

    msg: str | None = None
    """Text about the end, with or without HTML: untrusted."""
    msg_text: str | None = None
    """Plain text about the end, made by the server."""


@frozen
class Signaling(_WithExtra):
    """A signal of a call."""

    signal: Signal
    """The `data` of the event, typed."""
    msg_id: str | None = None
    """Id of the signal, by which its copies are recognized."""
    party_id: str | None = None
    """The sender; None if the server did not name it."""
    destination_party_id: str | None = None
    """The party that the signal is for, in signals of the customer alone (PROTOCOL.md §3)."""


@frozen
class File(_WithExtra):
    """A shared file."""

    file_id: str
    """Id for `api.GetFile`."""
    file_type: str | None = None
    """image, attachment, or a newer type."""
    file_name: str | None = None
    """Name that the sender gave: untrusted, it may be a path."""
    msg_id: str | None = None
    """Id of the file as an item of the chat, for receipts."""
    party_id: str | None = None
    """The sender; missing in the customer's own files on some servers."""


@frozen
class FileUrl(_WithExtra):
    """A file shared by its URL (web client v4)."""

    file_url: str
    """URL of the file: untrusted."""
    file_type: str | None = None
    """image, attachment, or a newer type."""
    msg_id: str | None = None
    """Id of the file as an item of the chat, for receipts."""
    party_id: str | None = None
    """The sender; missing in the customer's own files on some servers."""


@frozen
class Location(_WithExtra):
    """A shared location."""

    latitude: float | None = None
    """Degrees north."""
    longitude: float | None = None
    """Degrees east."""
    url: str | None = None
    """URL of a map: untrusted."""
    msg_id: str | None = None
    """Id of the location as an item of the chat, for receipts."""
    party_id: str | None = None
    """The sender; None if the server did not name it."""


@frozen
class CaseSet(_WithExtra):
    """The chat belongs to another case."""

    case_id: str | None = None
    """Id of the case; None: the chat has no case any more."""


@frozen
class Info(_WithExtra):
    """The name of the service; undocumented."""

    service_name: str | None = None
    """Name of the service; None or "" changes nothing."""


@frozen
class Cobrowsing(_WithExtra):
    """Co-browsing was requested, rejected, started or ended."""

    state: Literal["requested", "rejected", "started", "ended"]
    """The part of the event's name after `chat_session_cobrowsing_`."""
    msg_id: str | None = None
    """Id of the event, by which its copies are recognized."""
    party_id: str | None = None
    """The sender; None if the server did not name it."""
    provider_type: str | None = None
    """Co-browsing provider; like the two below only if it was started."""
    cobrowsing_url: str | None = None
    """URL of the shared session: untrusted."""
    cobrowsing_id: str | None = None
    """Id of the shared session at the provider."""


@frozen
class FormData(_WithExtra):
    """The customer's answer to a form, from a log or a history, without the answers themselves."""

    form_request_id: str | None = None
    """Id of the answered form; None if the event has none."""
    form_name: str | None = None
    """Name of the answered form; "" for a text prompt."""
    secure: bool = False
    """Whether the form was a secure one, by the name of the event."""
    has_answers: bool = True
    """False if the data is only an error text, such as "Form not found" (web client v4)."""


@frozen
class FormDataCancel(_WithExtra):
    """The customer's refusal of a form, from a log or a history."""

    form_request_id: str | None = None
    """Id of the refused form; None if the event has none."""
    form_name: str | None = None
    """Name of the refused form, if the event has it."""


@frozen
class ClientEvent(_WithTimestamp):
    """Another event of the client, from a log or a history: end, disconnect or navigation.

    A session only counts it.
    """

    name: str
    """Name of the event on the wire, such as `chat_session_end`."""
    raw: Mapping[str, object] = field(hash=False, repr=False)
    """The whole event, as received."""
    msg_id: str | None = None
    """Id that the client gave the event; None if it has none."""


@frozen
class Unknown(_WithTimestamp):
    """An event with a name that chatfsm does not know."""

    name: str
    """Name of the event on the wire."""
    raw: Mapping[str, object] = field(hash=False, repr=False)
    """The whole event, as received."""


@frozen
class Malformed(_WithTimestamp):
    """An item that is not an event, or an event with a missing or invalid field."""

    name: str | None
    """Name of the event; None if the item has none."""
    raw: object = field(hash=False, repr=False)
    """The whole item, as received; without the answers to a form."""
    why: str
    """The reason, without any content of the item."""


Event = (
    Status
    | Ended
    | PartyJoined
    | PartyLeft
    | Message
    | MessageEdit
    | MessageDelete
    | MessageDelivered
    | MessageRead
    | Typing
    | NotTyping
    | FormShow
    | SecureFormShow
    | SecureFormCancel
    | TimeoutWarning
    | InactivityTimeout
    | Signaling
    | File
    | FileUrl
    | Location
    | CaseSet
    | Info
    | Cobrowsing
    | FormData
    | FormDataCancel
    | ClientEvent
    | Unknown
    | Malformed
)
"""All events, as a closed union."""
