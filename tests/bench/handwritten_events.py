"""The events of the workloads as plain frozen attrs classes, to compare the codec with."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen


@frozen(kw_only=True)
class Said:
    timestamp: float | None = None
    extra: dict[str, Any] = field(factory=dict)


@frozen
class Status(Said):
    state: str
    ewt: float | None = None


@frozen
class Ended(Said):
    pass


@frozen
class PartyJoined(Said):
    party_id: str
    type: str | None = None
    display_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None


@frozen
class PartyLeft(Said):
    party_id: str
    type: str | None = None


@frozen
class Attachment:
    id: str | None = None
    content_type: str | None = None
    content: str | None = None
    name: str | None = None


@frozen
class Message(Said):
    party_id: str | None = None
    msg_id: str | None = None
    msg: str | None = None
    msg_text: str | None = None
    channel: str | None = None
    attachments: tuple[Attachment, ...] = ()


@frozen
class MessageDelivered(Said):
    ref_msg_id: str
    party_id: str | None = None


@frozen
class MessageRead(Said):
    ref_msg_id: str
    party_id: str | None = None


@frozen
class Typing(Said):
    party_id: str


@frozen
class NotTyping(Said):
    party_id: str


@frozen
class FormShow(Said):
    form_request_id: str
    form_name: str | None = None
    form_timeout: float | None = None
    channel: str | None = None
    form_content: str | None = None


@frozen
class FormData(Said):
    form_request_id: str | None = None
    form_name: str | None = None
    secure: bool = False
    has_answers: bool = True


@frozen
class TimeoutWarning(Said):
    msg: str | None = None
    msg_text: str | None = None


@frozen
class InactivityTimeout(Said):
    msg: str | None = None
    msg_text: str | None = None


@frozen
class File(Said):
    file_id: str
    file_type: str | None = None
    file_name: str | None = None
    msg_id: str | None = None
    party_id: str | None = None


@frozen
class Unknown:
    name: str | None
    raw: Any


@frozen
class Malformed:
    name: str | None
    raw: Any
    why: str
