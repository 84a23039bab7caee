"""Every method of the API: how a call is written, and how its answer is read.

Each row of the table reads: verb, path, versions, what the body is made of, what the answer is
read with. The names of the wire are here, and in `protocol`, only. Source: PROTOCOL.md §1.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, Literal

from attrs import frozen

from chatfsm import api
from chatfsm import events as e
from chatfsm._protocol import structuring
from chatfsm._protocol.codec import decode
from chatfsm.endpoint import quote_segment
from chatfsm.transport import HttpReply

__all__ = [
    "HISTORY",
    "METHODS",
    "POLL",
    "POST",
    "ApiMethod",
    "_ignore_body",
    "_read_availability",
    "_read_case_history",
    "_read_download",
    "_read_events",
    "_read_ice_servers",
    "_read_parameters",
    "_read_session",
    "_read_sms_outcome",
    "_read_uploaded_file",
    "_read_version",
    "post_body",
]

# Bodies of replies to typed values. Each reader raises ValueError for what it cannot use.
#
# `DecodeError` is one: for what is not even JSON.


def _read_events(value: object) -> list[e.Event]:
    """The events of a poll, a history, or a POST of v1; an empty body holds none."""
    if isinstance(value, dict):
        if value.get("events") is None and "event" not in value:
            return []
    elif not isinstance(value, list):
        raise ValueError("neither an object nor a list")  # noqa: TRY004  # readers say ValueError
    return decode(value)


def _ignore_body(_value: object) -> None:
    """A success is all the answer there is."""


def _read_availability(value: object) -> api.Availability:
    """Whether somebody is there."""
    fields = structuring.json_object(value)
    word = _required(fields, "chat", structuring.identifier)
    return api.Availability(
        word.lower() == "available", _optional(fields, "ewt", structuring.seconds)
    )


def _read_parameters(value: object) -> tuple[api.ExpectedParameter, ...]:
    """Objects of one name each; what is none is passed over."""
    return tuple(
        api.ExpectedParameter(name, _optional(item, name, structuring.identifier))
        for item in _list(value, "parameters")
        if isinstance(item, dict)
        for name in item
    )


def _read_session(value: object) -> api.SessionProperties:
    """The chat that the server has; its id must be usable in a path."""
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
    """What became of the request."""
    fields = structuring.json_object(value)
    code = _required(fields, "sms_error_code", structuring.integer)
    return api.SmsOutcome(code, _optional(fields, "error_message", structuring.name) or "")


def _read_uploaded_file(value: object) -> api.UploadedFile:
    """The id that the server gave a file."""
    fields = structuring.json_object(value)
    file_id = _required(fields, "file_id", structuring.identifier)
    return api.UploadedFile(file_id, _optional(fields, "file_name", structuring.name))


def _read_download(reply: HttpReply) -> api.Download:
    """The bytes as they came."""
    return api.Download(reply.body, reply.headers.get("content-type"))


def _read_ice_servers(value: object) -> tuple[api.IceServer, ...]:
    """Those that have an address."""
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
    """The chats that have an id, each with its events."""
    return tuple(
        api.EarlierChat(
            chat_id, _optional(item, "created_time", structuring.timestamp), _events_in(item)
        )
        for item in _list(value, "sessions")
        if isinstance(item, dict)
        and (chat_id := _optional(item, "chat_id", structuring.identifier))
    )


def _read_version(value: object) -> api.ServerVersion:
    """The version, as it is written."""
    return api.ServerVersion(
        _required(structuring.json_object(value), "server_version", structuring.name)
    )


def _events_in(chat: dict[str, Any]) -> tuple[e.Event, ...]:
    found = chat.get("events")
    return tuple(decode(found)) if isinstance(found, list) else ()


def _list(value: object, name: str) -> list[Any]:
    found = structuring.json_object(value).get(name)
    if not isinstance(found, list):
        raise ValueError(f"{name} is no list")  # noqa: TRY004  # readers say ValueError
    return found


def _required(fields: dict[str, Any], name: str, reader: Any) -> Any:
    found = reader(fields.get(name))
    if found is None:
        raise ValueError(f"{name} is missing")
    return found


def _optional(fields: dict[str, Any], name: str, reader: Any) -> Any:
    try:
        return reader(fields.get(name))
    except ValueError:
        return None


_V1_AND_V2: Final = frozenset({1, 2})
_V1: Final = frozenset({1})
_V2: Final = frozenset({2})

Body = tuple[str | None, bytes]
"""The content type, None for JSON, and the bytes."""


def _no_body(_call: object) -> Body:
    return None, b""


def _json(value: object) -> Body:
    return None, json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _empty_object(_call: object) -> Body:
    return _json({})


def post_body(events: tuple[dict[str, Any], ...]) -> bytes:
    """The body that posts events of the customer's."""
    return _json({"events": events})[1]


def _chat_request(call: api.RequestChat | api.RequestSmsChat) -> Body:
    given = {
        "phone_number": call.phone_number,
        "from": call.sender,
        "parameters": call.parameters or None,
    }
    return _json({name: value for name, value in given.items() if value is not None})


def _subscription(call: api.SubscribeNotifications) -> Body:
    tokens = {
        "ios_apns_device_token": call.ios_apns_device_token,
        "ios_app_bundle_id": call.ios_app_bundle_id,
        "ios_firebase_device_token": call.ios_firebase_device_token,
        "android_firebase_device_token": call.android_firebase_device_token,
    }
    return _json({name: token for name, token in tokens.items() if token is not None})


def _upload(call: api.UploadFile) -> Body:
    """One part called `file`, after a boundary that nobody can have put into the content."""
    boundary = blake2b(call.content, digest_size=16, person=b"chatfsm").hexdigest()
    name = call.file_name.encode("utf-8", "replace")
    # As browsers write it: what would end the name, or the header, is percent-encoded.
    for unfit, written in ((b'"', b"%22"), (b"\r", b"%0D"), (b"\n", b"%0A"), (b"\0", b"%00")):
        name = name.replace(unfit, written)
    head = (
        b'--%b\r\nContent-Disposition: form-data; name="file"; filename="%b"\r\n'
        b"Content-Type: %b\r\n\r\n"
    ) % (boundary.encode(), name, call.content_type.encode())
    tail = b"\r\n--%b--\r\n" % boundary.encode()
    return f"multipart/form-data; boundary={boundary}", head + call.content + tail


@frozen
class ApiMethod:
    """One method of the API."""

    verb: Literal["GET", "POST"]
    path: str
    """`{chat}` is the chat's id in it, and `{subject}` the id of what is asked for."""
    versions: frozenset[int]
    read: Callable[[Any], Any]
    """Raises ValueError for an answer that holds not what it should."""
    body: Callable[[Any], Body] = _no_body
    subject: str = ""
    """The attribute of the call that holds the id."""
    is_file: bool = False
    """Whether a file goes up or down: it takes longer."""
    is_download: bool = False
    """Whether bytes come back, which are asked for without the tenant's domain."""

    @property
    def needs_chat(self) -> bool:
        """Whether it needs a chat."""
        return "{chat}" in self.path

    def path_for(self, call: object, chat_id: str) -> str:
        """The path of a call, percent-encoded."""
        subject = quote_segment(getattr(call, self.subject)) if self.subject else ""
        chat = quote_segment(chat_id) if self.needs_chat else ""
        return self.path.format(chat=chat, subject=subject)


METHODS: Final[dict[type, ApiMethod]] = {
    api.CheckAvailability: ApiMethod("GET", "availability", _V1_AND_V2, _read_availability),
    api.GetExpectedParameters: ApiMethod("GET", "parameters", _V1_AND_V2, _read_parameters),
    api.RequestChat: ApiMethod("POST", "chats", _V1_AND_V2, _read_session, _chat_request),
    api.RequestSmsChat: ApiMethod("POST", "requestsms", _V1, _read_sms_outcome, _chat_request),
    api.GetActiveChat: ApiMethod("GET", "chats/active", _V1_AND_V2, _read_session),
    api.UploadFile: ApiMethod(
        "POST", "files", _V1_AND_V2, _read_uploaded_file, _upload, is_file=True
    ),
    api.GetFile: ApiMethod(
        *("GET", "chats/{chat}/files/{subject}", _V1_AND_V2, _read_download),
        subject="file_id",
        is_file=True,
        is_download=True,
    ),
    api.GetPhoto: ApiMethod(
        *("GET", "chats/{chat}/profilephotos/{subject}", _V1_AND_V2, _read_download),
        subject="party_id",
        is_download=True,
    ),
    api.GetIceServers: ApiMethod("GET", "iceservers", _V1_AND_V2, _read_ice_servers),
    api.SubscribeNotifications: ApiMethod(
        *("POST", "chats/{chat}/notifications", _V2, _ignore_body, _subscription)
    ),
    api.GetCaseHistory: ApiMethod("GET", "chats/{chat}/casehistory", _V2, _read_case_history),
    api.CloseCase: ApiMethod("POST", "chats/{chat}/closecase", _V2, _ignore_body, _empty_object),
    api.GetVersion: ApiMethod("GET", "version", _V2, _read_version),
}

# What the client asks by itself.
POLL: Final = ApiMethod("GET", "chats/{chat}/events", _V1_AND_V2, _read_events)
HISTORY: Final = ApiMethod("GET", "chats/{chat}/history", _V1_AND_V2, _read_events)
POST: Final = ApiMethod("POST", "chats/{chat}/events", _V1_AND_V2, _read_events)
