"""What a call is answered with, typed. Source: PROTOCOL.md §1."""

from __future__ import annotations

from attrs import field, frozen

from chatfsm.protocol.events import Event

__all__ = [
    "Availability",
    "Download",
    "EarlierChat",
    "ExpectedParameter",
    "IceServer",
    "ServerVersion",
    "SessionProperties",
    "SmsOutcome",
    "UploadedFile",
]


@frozen
class Availability:
    """Whether somebody could answer a chat now; `ewt`: the estimated wait in seconds."""

    is_available: bool
    ewt: float | None = None


@frozen
class ExpectedParameter:
    """A parameter that the scenario would like; `type` is PHONE, TEXT, EMAIL, or another word."""

    name: str
    type: str | None = None


@frozen
class SessionProperties:
    """A chat that the server has for the client; `is_new` None: it did not say."""

    chat_id: str
    state: str | None = None
    ewt: float | None = None
    is_new: bool | None = None
    phone_number: str | None = field(default=None, repr=False)


@frozen
class SmsOutcome:
    """What became of the request for a chat by text message; code 0: it goes on there."""

    code: int
    message: str = ""


@frozen
class UploadedFile:
    """A file that the server has now: share it with `SendFile`."""

    file_id: str
    file_name: str | None = None


@frozen
class Download:
    """A file or a photo; the type is what the server says it is: untrusted."""

    content: bytes = field(repr=False)
    content_type: str | None = None


@frozen
class IceServer:
    """A server that helps a call through firewalls."""

    url: str
    username: str | None = field(default=None, repr=False)
    credential: str | None = field(default=None, repr=False)


@frozen
class EarlierChat:
    """A chat of the case; `created_at` in seconds since 1970."""

    chat_id: str
    created_at: float | None
    events: tuple[Event, ...] = field(repr=False)


@frozen
class ServerVersion:
    """The server's version, as it writes it."""

    text: str
