"""The events of the workloads as plain frozen attrs classes, for comparison with the codec."""

from __future__ import annotations

from typing import Any

from attrs import field, frozen


@frozen(kw_only=True)
class ServerEvent:
    timestamp: float | None = None
    extra: dict[str, Any] = field(factory=dict)


@frozen
class Status(ServerEvent):
    state: str
    ewt: float | None = None


@frozen
class Ended(ServerEvent):
    pass


@frozen
class PartyJoined(ServerEvent):
    party_id: str
    type: str | None = None
    display_name: str | None = None
    first_name: str | None = None
    last_name: str | None = None


@frozen
class PartyLeft(ServerEvent):
    party_id: str
    type: str | None = None


@frozen
class Attachment:
    id: str | None = None
    content_type: str | None = None
    content: str | None = None
    name: str | None = None


@frozen
class Message(ServerEvent):
    party_id: str | None = None
    msg_id: str | None = None
    msg: str | None = None
    msg_text: str | None = None
    channel: str | None = None
    attachments: tuple[Attachment, ...] = ()


@frozen
class MessageDelivered(ServerEvent):
    ref_msg_id: str
    party_id: str | None = None


@frozen
class MessageRead(ServerEvent):
    ref_msg_id: str
    party_id: str | None = None


@frozen
class Typing(ServerEvent):
    party_id: str


@frozen
class NotTyping(ServerEvent):
    party_id: str


@frozen
class FormShow(ServerEvent):
    form_request_id: str
    form_name: str | None = None
    form_timeout: float | None = None
    channel: str | None = None
    form_content: str | None = None


@frozen
class FormData(ServerEvent):
    form_request_id: str | None = None
    form_name: str | None = None
    secure: bool = False
    has_answers: bool = True


@frozen
class TimeoutWarning(ServerEvent):
    msg: str | None = None
    msg_text: str | None = None


@frozen
class InactivityTimeout(ServerEvent):
    msg: str | None = None
    msg_text: str | None = None


@frozen
class File(ServerEvent):
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
