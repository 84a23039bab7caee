"""HTTP API: how each method is requested, and how its reply is read.

A row of `METHODS` reads: verb, path, versions, reader of the reply, writer of the body. Source:
PROTOCOL.md §1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final, Literal

from attrs import frozen

from chatfsm import api
from chatfsm import events as e
from chatfsm._protocol import names, structuring
from chatfsm._protocol.codec import MAX_ITEMS, decode, encode
from chatfsm.commands import SendText
from chatfsm.endpoint import quote_segment
from chatfsm.errors import RequestRefusedError
from chatfsm.transport import HttpReply

__all__ = ["HISTORY", "METHODS", "POLL", "POST", "MethodSpec", "TooManyItemsError", "post_body"]

# Base64 of a text that is encrypted, which newer servers send in place of ICE servers.
_CIPHERTEXT: Final = re.compile(r"[A-Za-z0-9+/_=-]{24,}")
_V1_AND_V2: Final = frozenset({1, 2})
_V1: Final = frozenset({1})
_V2: Final = frozenset({2})

# Request bodies.

Body = tuple[str | None, bytes]
"""The content type, None for JSON, and the content."""


def post_body(events: Sequence[dict[str, Any]]) -> bytes:
    """Return the body of a POST of the customer's events."""
    return _json_bytes({"events": events})


_ENCODER: Final = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


def _json_bytes(value: object) -> bytes:
    return _ENCODER.encode(value).encode()


def _no_body(_request: object) -> Body:
    return None, b""


def _empty_object(_request: object) -> Body:
    return None, _json_bytes({})


def _chat_request(request: api.RequestChat | api.RequestSmsChat) -> Body:
    fields: dict[str, Any] = {
        "phone_number": request.phone_number,
        "from": request.sender,
        "parameters": request.parameters or None,
    }
    if isinstance(request, api.RequestChat) and request.initial_message is not None:
        fields["initial_message"] = encode(SendText(request.initial_message))
    return None, _json_bytes({name: value for name, value in fields.items() if value is not None})


def _subscription(request: api.SubscribeNotifications) -> Body:
    tokens = {
        "ios_apns_device_token": request.ios_apns_device_token,
        "ios_app_bundle_id": request.ios_app_bundle_id,
        "ios_firebase_device_token": request.ios_firebase_device_token,
        "android_firebase_device_token": request.android_firebase_device_token,
    }
    return None, _json_bytes({name: token for name, token in tokens.items() if token is not None})


def _upload(request: api.UploadFile) -> Body:
    """Return a multipart body of one part, `file`."""
    # A hash of the content is a boundary that the content cannot have been written to hold.
    boundary = blake2b(request.content, digest_size=16, person=b"chatfsm").hexdigest()
    name = request.file_name.encode("utf-8", "replace")
    # Percent-encode what would end the name or the header, as browsers do.
    for unsafe, encoded in ((b'"', b"%22"), (b"\r", b"%0D"), (b"\n", b"%0A"), (b"\0", b"%00")):
        name = name.replace(unsafe, encoded)
    head = (
        b'--%b\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n'
        b"Content-Type: %b\r\n\r\n"
    ) % (boundary.encode(), name, request.content_type.encode())
    tail = b"\r\n--%b--\r\n" % boundary.encode()
    return f"multipart/form-data; boundary={boundary}", head + request.content + tail


# Reply readers. Each takes the parsed body, and raises ValueError for one that it cannot use.


class TooManyItemsError(ValueError):
    """A reply has more items than a server sends, and than can be read in a second."""


def _check_size(size: int) -> None:
    if size > MAX_ITEMS:
        raise TooManyItemsError(f"the reply has {size:,} items, more than {MAX_ITEMS:,}")


def _read_events(value: object) -> list[e.Event]:
    """Return the events of a poll, a history, or a POST of version 1."""
    items = value
    if isinstance(value, dict):
        items = [value] if "event" in value else value.get("events")
        if items is None or items == []:
            return []
    if not isinstance(items, list):
        raise ValueError("no list of events")  # noqa: TRY004  # readers raise ValueError
    _check_size(_size_of(items))
    return decode(items)


def _size_of(items: list[Any]) -> int:
    """Return the number of items and of their attachments."""
    size = len(items)
    for item in items:
        if item.__class__ is dict:
            attachments = item.get("attachments")
            if attachments.__class__ is list:
                size += len(attachments)
    return size


def _ignore_body(value: object) -> None:
    """Return None: the status is all there is, unless a portal answers with a page of its own."""
    if value is None or isinstance(value, str):
        raise ValueError("not an object")


def _read_availability(value: object) -> api.Availability:
    fields = structuring.json_object(value)
    chat = _required(fields, "chat", structuring.identifier)
    return api.Availability(
        chat.lower() == "available", _optional(fields, "ewt", structuring.seconds)
    )


def _read_parameters(value: object) -> tuple[api.ExpectedParameter, ...]:
    """Return the parameters; the server sends an object for each, with one name and its type."""
    return tuple(
        api.ExpectedParameter(name, _optional(item, name, structuring.identifier))
        for item in _list(value, "parameters")
        if isinstance(item, dict)
        for name in item
    )


def _read_configuration(value: object) -> api.Configuration:
    rest = {**structuring.json_object(value)}
    definition = rest.pop("definition", {})
    return api.Configuration(structuring.json_object(definition), rest.pop("styles", None), rest)


def _read_session(value: object) -> api.SessionProperties:
    """Return the properties of a chat. Its id must be usable as a path segment."""
    fields = structuring.json_object(value)
    chat_id = _required(fields, "chat_id", structuring.identifier)
    quote_segment(chat_id)
    return api.SessionProperties(
        chat_id,
        _optional(fields, "state", structuring.identifier),
        _optional(fields, "ewt", structuring.seconds),
        _optional(fields, "is_new_chat", structuring.boolean),
        _optional(fields, "phone_number", structuring.name),
    )


def _read_sms_outcome(value: object) -> api.SmsOutcome:
    fields = structuring.json_object(value)
    code = _required(fields, "sms_error_code", structuring.integer)
    return api.SmsOutcome(code, _optional(fields, "error_message", structuring.name) or "")


def _read_uploaded_file(value: object) -> api.UploadedFile:
    fields = structuring.json_object(value)
    file_id = _required(fields, "file_id", structuring.identifier)
    return api.UploadedFile(file_id, _optional(fields, "file_name", structuring.name))


def _read_download(reply: HttpReply) -> api.Download:
    return api.Download(reply.body, reply.headers.get("content-type"))


def _read_ice_servers(value: object) -> tuple[api.IceServer, ...]:
    """Return the servers that have a URL. Raises `RequestRefusedError` if they are encrypted."""
    if isinstance(value, str) and _CIPHERTEXT.fullmatch(value):
        raise RequestRefusedError("the ICE servers are encrypted for the vendor's web client")
    return tuple(
        api.IceServer(
            url,
            _optional(item, "username", structuring.name),
            _optional(item, "credential", structuring.name),
        )
        for item in _list(value, "servers")
        if isinstance(item, dict) and (url := _optional(item, "url", structuring.name))
    )


def _read_case_history(value: object) -> tuple[api.EarlierChat, ...]:
    """Return the chats that have an id, each with its events."""
    sessions = _list(value, "sessions")
    events = (item.get("events") for item in sessions if item.__class__ is dict)
    _check_size(sum(_size_of(found) for found in events if found.__class__ is list))
    return tuple(
        api.EarlierChat(
            chat_id, _optional(item, "created_time", structuring.timestamp), _events_of(item)
        )
        for item in sessions
        if isinstance(item, dict)
        and (chat_id := _optional(item, "chat_id", structuring.identifier))
    )


def _read_version(value: object) -> api.ServerVersion:
    fields = structuring.json_object(value)
    return api.ServerVersion(_required(fields, "server_version", structuring.name))


def _events_of(chat: dict[str, Any]) -> tuple[e.Event, ...]:
    events = chat.get("events")
    return tuple(decode(events)) if isinstance(events, list) else ()


def _list(value: object, name: str) -> list[Any]:
    found = structuring.json_object(value).get(name)
    if not isinstance(found, list):
        raise ValueError(f"{name} must be a list")  # noqa: TRY004  # readers raise ValueError
    _check_size(len(found))
    return found


def _required(fields: dict[str, Any], name: str, parser: Any) -> Any:
    found = parser(fields.get(name))
    if found is None:
        raise ValueError(f"{name} is missing")
    return found


def _optional(fields: dict[str, Any], name: str, parser: Any) -> Any:
    return structuring.parse_or_none(parser, fields.get(name))


# The methods.


@frozen
class MethodSpec:
    """One method of the API."""

    verb: Literal["GET", "POST"]
    path: str
    """`{chat}` stands for the chat's id, `{subject}` for the id of what is requested."""
    versions: frozenset[int]
    read: Callable[[Any], Any]
    """Reads the result from a value of `parse_reply`. Raises ValueError if it cannot."""
    body: Callable[[Any], Body] = _no_body
    subject: str = ""
    """The attribute of the request that holds the id of its subject."""
    is_file: bool = False
    """Whether a file is uploaded or downloaded, which takes longer."""
    is_download: bool = False
    """Whether the reply is a file, which is requested without the tenant's domain."""

    @property
    def needs_chat(self) -> bool:
        """Whether the method is one of a chat."""
        return "{chat}" in self.path

    def path_for(self, request: object, chat_id: str) -> str:
        """Return the path of a request, percent-encoded."""
        if not self.subject:
            return _path(self.path, chat_id)
        subject = quote_segment(getattr(request, self.subject))
        chat = quote_segment(chat_id) if self.needs_chat else ""
        return self.path.format(chat=chat, subject=subject)


@lru_cache(maxsize=4_096)  # polls, POSTs and histories of thousands of chats
def _path(path: str, chat_id: str) -> str:
    return path.format(chat=quote_segment(chat_id)) if "{chat}" in path else path


METHODS: Final[dict[type, MethodSpec]] = {
    api.CheckAvailability: MethodSpec(
        "GET", names.AVAILABILITY_PATH, _V1_AND_V2, _read_availability
    ),
    api.GetExpectedParameters: MethodSpec(
        "GET", names.PARAMETERS_PATH, _V1_AND_V2, _read_parameters
    ),
    api.GetConfiguration: MethodSpec(
        "GET", names.CONFIGURATION_PATH, _V1_AND_V2, _read_configuration
    ),
    api.RequestChat: MethodSpec("POST", names.CHATS_PATH, _V1_AND_V2, _read_session, _chat_request),
    api.RequestSmsChat: MethodSpec("POST", names.SMS_PATH, _V1, _read_sms_outcome, _chat_request),
    api.GetActiveChat: MethodSpec("GET", names.ACTIVE_CHAT_PATH, _V1_AND_V2, _read_session),
    api.UploadFile: MethodSpec(
        "POST", names.UPLOAD_PATH, _V1_AND_V2, _read_uploaded_file, _upload, is_file=True
    ),
    api.GetFile: MethodSpec(
        *("GET", names.FILE_PATH, _V1_AND_V2, _read_download),
        subject="file_id",
        is_file=True,
        is_download=True,
    ),
    api.GetPhoto: MethodSpec(
        *("GET", names.PHOTO_PATH, _V1_AND_V2, _read_download),
        subject="party_id",
        is_download=True,
    ),
    api.GetIceServers: MethodSpec("GET", names.ICE_SERVERS_PATH, _V1_AND_V2, _read_ice_servers),
    api.SubscribeNotifications: MethodSpec(
        "POST", names.NOTIFICATIONS_PATH, _V2, _ignore_body, _subscription
    ),
    api.GetCaseHistory: MethodSpec("GET", names.CASE_HISTORY_PATH, _V2, _read_case_history),
    api.CloseCase: MethodSpec("POST", names.CLOSE_CASE_PATH, _V2, _ignore_body, _empty_object),
    api.GetVersion: MethodSpec("GET", names.VERSION_PATH, _V2, _read_version),
}

# Methods that the client uses by itself.
POLL: Final = MethodSpec("GET", names.EVENTS_PATH, _V1_AND_V2, _read_events)
HISTORY: Final = MethodSpec("GET", names.HISTORY_PATH, _V1_AND_V2, _read_events)
POST: Final = MethodSpec("POST", names.EVENTS_PATH, _V1_AND_V2, _read_events)
