"""What an app may ask the contact center for, beside what it says in the chat.

Each is answered by one `ApiSucceeded` or `ApiFailed` that names it. Source: PROTOCOL.md §1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

from attrs import Attribute, field, frozen
from attrs.validators import instance_of, matches_re, optional

from chatfsm.endpoint import quote_segment
from chatfsm.events import Event

__all__ = [
    "LARGEST_FILE",
    "ApiRequest",
    "Availability",
    "CheckAvailability",
    "CloseCase",
    "Download",
    "EarlierChat",
    "ExpectedParameter",
    "GetActiveChat",
    "GetCaseHistory",
    "GetExpectedParameters",
    "GetFile",
    "GetIceServers",
    "GetPhoto",
    "GetVersion",
    "IceServer",
    "RequestChat",
    "RequestSmsChat",
    "Resume",
    "ServerVersion",
    "SessionProperties",
    "SmsOutcome",
    "SubscribeNotifications",
    "TypedRequest",
    "UploadFile",
    "UploadedFile",
]

_Result_co = TypeVar("_Result_co", covariant=True)

_TEXT: Final = optional(instance_of(str))
LARGEST_FILE: Final = 25 * 1024 * 1024
"""Bytes: the server takes no larger one (PROTOCOL.md §1)."""

_MIME: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")


def _path_segment(_call: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str):
        raise TypeError(f"{attribute.name} must be a text")
    quote_segment(value)


def _named(_call: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, str) or not value:
        raise ValueError(f"{attribute.name} must be a text that is not empty")


def _uploadable(_call: object, _attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, bytes):
        raise TypeError("content must be bytes")
    if len(value) > LARGEST_FILE:
        raise ValueError(f"content has {len(value)} bytes: the server takes {LARGEST_FILE} at most")


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError("parameters must be a mapping of names to values")
    return dict(value)


def _writable(_call: object, attribute: Attribute[Any], value: object) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ValueError(f"{attribute.name} must be what JSON can hold") from None


class TypedRequest(Generic[_Result_co]):
    """Base of the requests to the API: `TypedRequest[Result]` succeeds with a `Result`."""

    __slots__ = ()


@frozen
class _ChatRequest:
    phone_number: str | None = field(default=None, validator=_TEXT, repr=False)
    sender: str | None = field(default=None, validator=_TEXT, repr=False)
    """Who asks; the wire calls it "from"."""
    parameters: dict[str, Any] = field(
        factory=dict, converter=_mapping, validator=_writable, repr=False, hash=False
    )
    """What the scenario is to know: see `GetExpectedParameters`. JSON, in no repr."""


@frozen
class RequestChat(_ChatRequest, TypedRequest["SessionProperties"]):
    """Open a chat, or go on with the one that the client id has already."""


@frozen
class RequestSmsChat(_ChatRequest, TypedRequest["SmsOutcome"]):
    """Open a chat by text message (v1)."""


@frozen
class CheckAvailability(TypedRequest["Availability"]):
    """Ask whether somebody could answer a chat now."""


@frozen
class GetExpectedParameters(TypedRequest["tuple[ExpectedParameter, ...]"]):
    """Ask which parameters the scenario would like `RequestChat` to bring."""


@frozen
class GetActiveChat(TypedRequest["SessionProperties | None"]):
    """Ask which chat the client id has; answered with None where it has none."""


@frozen
class UploadFile(TypedRequest["UploadedFile"]):
    """Bring a file to the server; share it then with `SendFile` and the id that it got."""

    file_name: str = field(validator=_named)
    content: bytes = field(validator=_uploadable, repr=False)
    content_type: str = field(
        default="application/octet-stream", validator=[instance_of(str), matches_re(_MIME)]
    )


@frozen
class GetFile(TypedRequest["Download"]):
    """Download a file that was shared in the chat."""

    file_id: str = field(validator=_path_segment)


@frozen
class GetPhoto(TypedRequest["Download"]):
    """Download the photo of a party."""

    party_id: str = field(validator=_path_segment)


@frozen
class GetIceServers(TypedRequest["tuple[IceServer, ...]"]):
    """Ask for the servers that help a call through firewalls."""


@frozen
class SubscribeNotifications(TypedRequest[None]):
    """Have a phone told of news by push (v2); without any token: no longer.

    Give one of: an APNS token with the app's bundle id, a Firebase token for iOS, one for Android.
    """

    ios_apns_device_token: str | None = field(default=None, validator=_TEXT, repr=False)
    ios_app_bundle_id: str | None = field(default=None, validator=_TEXT)
    ios_firebase_device_token: str | None = field(default=None, validator=_TEXT, repr=False)
    android_firebase_device_token: str | None = field(default=None, validator=_TEXT, repr=False)

    def __attrs_post_init__(self) -> None:
        if (self.ios_apns_device_token is None) != (self.ios_app_bundle_id is None):
            raise ValueError("an APNS token goes with the bundle id of its app")
        tokens = (
            self.ios_apns_device_token,
            self.ios_firebase_device_token,
            self.android_firebase_device_token,
        )
        if sum(token is not None for token in tokens) > 1:
            raise ValueError("notifications go to one token, not to several")


@frozen
class GetCaseHistory(TypedRequest["tuple[EarlierChat, ...]"]):
    """Ask for the earlier chats of the case (v2)."""


@frozen
class CloseCase(TypedRequest[None]):
    """Close the case that the chat belongs to (v2)."""


@frozen
class GetVersion(TypedRequest["ServerVersion"]):
    """Ask for the server's version (v2)."""


@frozen
class Resume:
    """Go on after `AuthorizationFailed`, with other credentials where they are given."""

    app_id: str | None = field(default=None, repr=False)
    client_id: str | None = field(default=None, repr=False)


ApiRequest = (
    RequestChat
    | RequestSmsChat
    | CheckAvailability
    | GetExpectedParameters
    | GetActiveChat
    | UploadFile
    | GetFile
    | GetPhoto
    | GetIceServers
    | SubscribeNotifications
    | GetCaseHistory
    | CloseCase
    | GetVersion
)


# What a call is answered with, typed. Source: PROTOCOL.md §1.


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
