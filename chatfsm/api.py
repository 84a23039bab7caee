"""API requests: requests of the app to the contact center, beside the chat, and their results.

A client answers each with one `ApiSucceeded` or `ApiFailed` that carries it. `Resume` is the
exception: it is an order to the client. Source: PROTOCOL.md §1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Generic, TypeVar

from attrs import Attribute, field, frozen
from attrs.validators import matches_re

from chatfsm._validators import OPTIONAL_TEXT, non_empty_text, text
from chatfsm.endpoint import quote_segment
from chatfsm.events import Event

__all__ = [
    "LARGEST_FILE",
    "ApiRequest",
    "Availability",
    "CheckAvailability",
    "CloseCase",
    "Configuration",
    "Download",
    "EarlierChat",
    "ExpectedParameter",
    "GetActiveChat",
    "GetCaseHistory",
    "GetConfiguration",
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

LARGEST_FILE: Final = 25 * 1024 * 1024
"""Bytes: the server takes no larger upload (PROTOCOL.md §1)."""

_MIME_TYPE: Final = re.compile(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+")

_Result_co = TypeVar("_Result_co", covariant=True)


def _path_segment(_request: object, attribute: Attribute[Any], value: object) -> None:
    text(_request, attribute, value)
    quote_segment(str(value), attribute.name)


def _file_content(_request: object, attribute: Attribute[Any], value: object) -> None:
    if not isinstance(value, bytes):
        raise TypeError(f"{attribute.name} must be bytes, not {type(value).__name__}")
    if len(value) > LARGEST_FILE:
        raise ValueError(
            f"{attribute.name} must be at most {LARGEST_FILE} bytes long, not {len(value)}"
        )


def _parameters(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(
            f"parameters must be a mapping of names to values, not {type(value).__name__}"
        )
    return dict(value)


def _json_value(_request: object, attribute: Attribute[Any], value: object) -> None:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        raise ValueError(f"{attribute.name} must hold only values that JSON has") from None


class TypedRequest(Generic[_Result_co]):
    """Base of the requests to the API: `TypedRequest[Result]` succeeds with a `Result`."""

    __slots__ = ()


@frozen
class _ChatRequest:
    phone_number: str | None = field(default=None, validator=OPTIONAL_TEXT, repr=False)
    """Phone number of the customer."""
    sender: str | None = field(default=None, validator=OPTIONAL_TEXT, repr=False)
    """Name or address of the customer; "from" on the wire."""
    parameters: dict[str, Any] = field(
        factory=dict, converter=_parameters, validator=_json_value, repr=False, hash=False
    )
    """Parameters of the scenario, see `GetExpectedParameters`: JSON values, in no repr."""


@frozen
class RequestChat(_ChatRequest, TypedRequest["SessionProperties"]):
    """Open a chat, or return to the one that the client id already has."""

    initial_message: str | None = field(
        default=None, kw_only=True, validator=OPTIONAL_TEXT, repr=False
    )
    """First message of the customer, posted with the request, for a form before the chat.

    The session does not track it: like a text from another device it comes back as an own message.
    """


@frozen
class RequestSmsChat(_ChatRequest, TypedRequest["SmsOutcome"]):
    """Open a chat by text message (API version 1)."""


@frozen
class CheckAvailability(TypedRequest["Availability"]):
    """Ask whether an agent could answer a chat now."""


@frozen
class GetExpectedParameters(TypedRequest["tuple[ExpectedParameter, ...]"]):
    """Ask for the parameters that the scenario expects in `RequestChat`."""


@frozen
class GetConfiguration(TypedRequest["Configuration"]):
    """Ask for the configuration of the chat widget: its forms, texts and styles."""


@frozen
class GetActiveChat(TypedRequest["SessionProperties | None"]):
    """Ask for the chat of the client id; the result is None if it has none."""


@frozen
class UploadFile(TypedRequest["UploadedFile"]):
    """Upload a file; `SendFile` then shares it in the chat by the id that it got."""

    file_name: str = field(validator=non_empty_text)
    """Name of the file in the upload, for the server and the agent."""
    content: bytes = field(validator=_file_content, repr=False)
    """At most `LARGEST_FILE` bytes."""
    content_type: str = field(
        default="application/octet-stream", validator=[text, matches_re(_MIME_TYPE)]
    )
    """MIME type without parameters."""


@frozen
class GetFile(TypedRequest["Download"]):
    """Download a file that was shared in the chat."""

    file_id: str = field(validator=_path_segment)
    """`SharedFile.file_id` of the file."""


@frozen
class GetPhoto(TypedRequest["Download"]):
    """Download the photo of a party."""

    party_id: str = field(validator=_path_segment)
    """`Party.party_id` of the agent."""


@frozen
class GetIceServers(TypedRequest["tuple[IceServer, ...]"]):
    """Ask for the ICE servers, which help a call through firewalls.

    Newer servers encrypt them for the vendor's web client: the request then fails with a
    `RequestRefusedError` that says so.
    """


@frozen
class SubscribeNotifications(TypedRequest[None]):
    """Subscribe a phone to push notifications, or unsubscribe it (API version 2).

    Takes one token: APNS with the bundle id of the app, Firebase for iOS, or Firebase for Android.
    Without a token it unsubscribes.
    """

    ios_apns_device_token: str | None = field(default=None, validator=OPTIONAL_TEXT, repr=False)
    """Token of the device from Apple's service; needs `ios_app_bundle_id`. In no repr."""
    ios_app_bundle_id: str | None = field(default=None, validator=OPTIONAL_TEXT)
    """Bundle id of the iOS app, beside an APNS token only."""
    ios_firebase_device_token: str | None = field(default=None, validator=OPTIONAL_TEXT, repr=False)
    """Token of the iOS device from Firebase; in no repr."""
    android_firebase_device_token: str | None = field(
        default=None, validator=OPTIONAL_TEXT, repr=False
    )
    """Token of the Android device from Firebase; in no repr."""

    def __attrs_post_init__(self) -> None:
        if (self.ios_apns_device_token is None) != (self.ios_app_bundle_id is None):
            raise ValueError("ios_apns_device_token and ios_app_bundle_id must be given together")
        tokens = (
            self.ios_apns_device_token,
            self.ios_firebase_device_token,
            self.android_firebase_device_token,
        )
        given = sum(token is not None for token in tokens)
        if given > 1:
            raise ValueError(f"at most 1 device token must be given, not {given}")


@frozen
class GetCaseHistory(TypedRequest["tuple[EarlierChat, ...]"]):
    """Ask for the earlier chats of the case (API version 2)."""


@frozen
class CloseCase(TypedRequest[None]):
    """Close the case that the chat belongs to (API version 2)."""


@frozen
class GetVersion(TypedRequest["ServerVersion"]):
    """Ask for the server's version (API version 2)."""


@frozen
class Resume:
    """Continue after `AuthorizationFailed`, with new credentials or the same ones."""

    app_id: str | None = field(default=None, repr=False)
    """Replaces `Endpoint.app_id`; None: unchanged."""
    client_id: str | None = field(default=None, repr=False)
    """Replaces `Endpoint.client_id`; None: unchanged."""


ApiRequest = (
    RequestChat
    | RequestSmsChat
    | CheckAvailability
    | GetExpectedParameters
    | GetConfiguration
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
"""All requests to the API, as a closed union."""


@frozen
class Availability:
    """Result of `CheckAvailability`."""

    is_available: bool
    """Whether an agent could answer a chat now."""
    ewt: float | None = None
    """Estimated waiting time in seconds; None if the server gave none."""


@frozen
class ExpectedParameter:
    """A parameter that the scenario expects."""

    name: str
    """Key in `RequestChat.parameters`."""
    type: str | None = None
    """PHONE, TEXT, EMAIL, FIRST_NAME, LAST_NAME, ACCOUNT, COMPANY, or a newer type."""


@frozen
class Configuration:
    """Configuration of the chat widget, in the structure of the server, which is undocumented."""

    definition: dict[str, Any] = field(factory=dict, hash=False, repr=False)
    """chatInitiations, forms, preChat, chatWidgetStyling and more."""
    styles: object = field(default=None, hash=False, repr=False)
    """Styles of the widget, as received; None if the reply has none."""
    extra: dict[str, Any] = field(factory=dict, hash=False, repr=False)
    """All other fields of the reply."""


@frozen
class SessionProperties:
    """The chat that the server has for the client id."""

    chat_id: str
    """Id of the chat, in the paths of all its requests."""
    state: str | None = None
    """A state of the session, as in `StateChanged.state`."""
    ewt: float | None = None
    """Estimated waiting time in seconds."""
    is_new: bool | None = None
    """False if the chat existed before; None if the server did not say."""
    phone_number: str | None = field(default=None, repr=False)
    """Phone number that the server has for the customer; in no repr."""


@frozen
class SmsOutcome:
    """Result of `RequestSmsChat`."""

    code: int
    """0 if the chat continues by text message, else an error code of the server."""
    message: str = ""
    """Text of the server about the error; "" if it gave none."""


@frozen
class UploadedFile:
    """A file that the server has stored."""

    file_id: str
    """Id for `SendFile`."""
    file_name: str | None = None
    """Name under which the server stored the file; None if it did not say."""


@frozen
class Download:
    """The content of a file or of a photo."""

    content: bytes = field(repr=False)
    """The bytes, as received, at most `ClientSettings.max_file`."""
    content_type: str | None = None
    """The Content-Type header of the server: untrusted."""


@frozen
class IceServer:
    """A STUN or TURN server for calls."""

    url: str
    """URL of the server, as the API gives it, such as `stun:stun.example.com:3478`."""
    username: str | None = field(default=None, repr=False)
    """User name for a TURN server; None: none is needed. In no repr."""
    credential: str | None = field(default=None, repr=False)
    """Password for a TURN server; None: none is needed. In no repr."""


@frozen
class EarlierChat:
    """An earlier chat of the case."""

    chat_id: str
    """Id of the earlier chat."""
    created_at: float | None
    """Seconds since 1970, on the server's clock."""
    events: tuple[Event, ...] = field(repr=False)
    """Its events, of the server and of the customer, in the order of the server."""


@frozen
class ServerVersion:
    """Result of `GetVersion`."""

    text: str
    """Version as the server writes it, such as "5.5.6.12345 (Stable)"."""
