"""What the server says: one frozen class for each wire event, named by the wire's word.

Fields carry the wire's names. Two more are keyword-only: `timestamp`, in seconds since 1970
whatever unit came, None where the event has none; and `extra`, which keeps, as they came, the
fields that a class does not know and the values that it could not use. Everything but the fields
without a default may be missing. Source: PROTOCOL.md §2; `FormData`, `FormDataCancel` and
`ClientEvent` are client events (§3), which come back in logs.
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
    "FormData",
    "FormDataCancel",
    "FormShow",
    "InactivityTimeout",
    "Info",
    "Location",
    "Malformed",
    "Message",
    "MessageDelivered",
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
    """A rich part of a message; `content` is whatever text the wire put there."""

    id: str | None = None
    content_type: str | None = None
    content: str | None = field(default=None, repr=False)
    name: str | None = None
    extra: Mapping[str, object] = field(factory=dict, hash=False, repr=False)


@frozen(kw_only=True)
class _WithTimestamp:
    timestamp: float | None = None


@frozen(kw_only=True)
class _WithExtra(_WithTimestamp):
    extra: Mapping[str, object] = field(factory=dict, hash=False)


@frozen
class Status(_WithExtra):
    """The state of the session; `ewt` is the estimated wait in seconds."""

    state: str
    ewt: float | None = None


@frozen
class Ended(_WithExtra):
    """The session has ended."""


@frozen
class PartyJoined(_WithExtra):
    """Somebody is here now; `type` is scenario, external, internal, msteams, or a new word."""

    party_id: str
    type: str | None = None
    display_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None


@frozen
class PartyLeft(_WithExtra):
    """Somebody is no longer in the conversation."""

    party_id: str
    type: str | None = None


@frozen
class Message(_WithExtra):
    """A chat message; `msg` may hold HTML, `msg_text` is plain text made by the server."""

    party_id: str | None = None
    msg_id: str | None = None
    msg: str | None = None
    msg_text: str | None = None
    channel: str | None = None
    attachments: tuple[Attachment, ...] = ()


@frozen
class MessageDelivered(_WithExtra):
    """A message has reached a party."""

    ref_msg_id: str
    party_id: str | None = None


@frozen
class MessageRead(_WithExtra):
    """A message was read by a party."""

    ref_msg_id: str
    party_id: str | None = None


@frozen
class Typing(_WithExtra):
    """A party types."""

    party_id: str


@frozen
class NotTyping(_WithExtra):
    """A party has stopped typing."""

    party_id: str


@frozen
class FormShow(_WithExtra):
    """A form to fill in; `form_name` "" is a text prompt. `form_timeout` is in seconds."""

    form_request_id: str
    form_name: str | None = None
    form_timeout: float | None = None
    channel: str | None = None


@frozen
class SecureFormShow(_WithExtra):
    """A form whose answers must not be kept."""

    form_request_id: str
    form_id: str | None = None


@frozen
class SecureFormCancel(_WithExtra):
    """A secure form is no longer wanted; either side may say so."""

    form_request_id: str
    party_id: str | None = None


@frozen
class TimeoutWarning(_WithExtra):
    """The session will be closed for inactivity unless the customer does something."""

    msg: str | None = None
    msg_text: str | None = None


@frozen
class InactivityTimeout(_WithExtra):
    """The session was closed for inactivity."""

    msg: str | None = None
    msg_text: str | None = None


@frozen
class Signaling(_WithExtra):
    """A step of a call."""

    signal: Signal
    msg_id: str | None = None
    party_id: str | None = None
    destination_party_id: str | None = None


@frozen
class File(_WithExtra):
    """A shared file; `file_type` is image or attachment; no `party_id` means an own file."""

    file_id: str
    file_type: str | None = None
    file_name: str | None = None
    msg_id: str | None = None
    party_id: str | None = None


@frozen
class Location(_WithExtra):
    """A shared place; `latitude` and `longitude` in degrees."""

    latitude: float | None = None
    longitude: float | None = None
    url: str | None = None
    msg_id: str | None = None
    party_id: str | None = None


@frozen
class CaseSet(_WithExtra):
    """The case that the conversation belongs to; None: none any more."""

    case_id: str | None = None


@frozen
class Info(_WithExtra):
    """The name of the service (undocumented)."""

    service_name: str | None = None


@frozen
class Cobrowsing(_WithExtra):
    """A step of co-browsing; `state` is the last word of the event's name."""

    state: Literal["requested", "rejected", "started", "ended"]
    msg_id: str | None = None
    party_id: str | None = None
    provider_type: str | None = None
    cobrowsing_url: str | None = None
    cobrowsing_id: str | None = None


@frozen
class FormData(_WithExtra):
    """The customer's answer to a form, met in a log; what was filled in is not kept in it."""

    form_request_id: str | None = None
    form_name: str | None = None
    secure: bool = False


@frozen
class FormDataCancel(_WithExtra):
    """The customer's refusal of a form, met in a log."""

    form_request_id: str | None = None
    form_name: str | None = None


@frozen
class ClientEvent(_WithTimestamp):
    """Any other client event met in a log: end, disconnect, navigation. Only counted."""

    name: str
    raw: Mapping[str, object] = field(hash=False, repr=False)
    msg_id: str | None = None


@frozen
class Unknown(_WithTimestamp):
    """An event with a name that nobody knows, kept whole."""

    name: str
    raw: Mapping[str, object] = field(hash=False, repr=False)


@frozen
class Malformed(_WithTimestamp):
    """An item that is no event, or lacks what its name needs; `why` never quotes the content."""

    name: str | None
    raw: object = field(hash=False, repr=False)
    why: str


Event = (
    Status
    | Ended
    | PartyJoined
    | PartyLeft
    | Message
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
