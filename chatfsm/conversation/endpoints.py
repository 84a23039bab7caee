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

from chatfsm.conversation import calls as c
from chatfsm.conversation import reading
from chatfsm.conversation.endpoint import segment
from chatfsm.conversation.exchange import HttpReply

__all__ = ["HISTORY", "METHODS", "POLL", "POST", "Method", "posted"]

_BOTH: Final = frozenset({1, 2})
_FIRST: Final = frozenset({1})
_SECOND: Final = frozenset({2})

Body = tuple[str | None, bytes]
"""The content type, None for JSON, and the bytes."""


def _nothing(_call: object) -> Body:
    return None, b""


def _json(value: object) -> Body:
    return None, json.dumps(value, allow_nan=False, separators=(",", ":")).encode()


def _empty(_call: object) -> Body:
    return _json({})


def posted(events: tuple[dict[str, Any], ...]) -> bytes:
    """The body that posts events of the customer's."""
    return _json({"events": events})[1]


def _chat_request(call: c.RequestChat | c.RequestSmsChat) -> Body:
    given = {
        "phone_number": call.phone_number,
        "from": call.sender,
        "parameters": call.parameters or None,
    }
    return _json({name: value for name, value in given.items() if value is not None})


def _subscription(call: c.SubscribeNotifications) -> Body:
    tokens = {
        "ios_apns_device_token": call.ios_apns_device_token,
        "ios_app_bundle_id": call.ios_app_bundle_id,
        "ios_firebase_device_token": call.ios_firebase_device_token,
        "android_firebase_device_token": call.android_firebase_device_token,
    }
    return _json({name: token for name, token in tokens.items() if token is not None})


def _upload(call: c.UploadFile) -> Body:
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
class Method:
    """One method of the API."""

    verb: Literal["GET", "POST"]
    path: str
    """`{chat}` is the chat's id in it, and `{subject}` the id of what is asked for."""
    versions: frozenset[int]
    read: Callable[[HttpReply], Any]
    """Raises ValueError for an answer that holds not what it should."""
    body: Callable[[Any], Body] = _nothing
    subject: str = ""
    """The attribute of the call that holds the id."""
    is_file: bool = False
    """Whether a file goes up or down: it takes longer."""
    is_download: bool = False
    """Whether bytes come back, which are asked for without the tenant's domain."""

    @property
    def on_chat(self) -> bool:
        """Whether it needs a chat."""
        return "{chat}" in self.path

    def path_for(self, call: object, chat_id: str) -> str:
        """The path of a call, percent-encoded."""
        subject = segment(getattr(call, self.subject)) if self.subject else ""
        chat = segment(chat_id) if self.on_chat else ""
        return self.path.format(chat=chat, subject=subject)


METHODS: Final[dict[type, Method]] = {
    c.CheckAvailability: Method("GET", "availability", _BOTH, reading.availability),
    c.GetExpectedParameters: Method("GET", "parameters", _BOTH, reading.parameters),
    c.RequestChat: Method("POST", "chats", _BOTH, reading.session, _chat_request),
    c.RequestSmsChat: Method("POST", "requestsms", _FIRST, reading.sms, _chat_request),
    c.GetActiveChat: Method("GET", "chats/active", _BOTH, reading.session),
    c.UploadFile: Method("POST", "files", _BOTH, reading.uploaded, _upload, is_file=True),
    c.GetFile: Method(
        *("GET", "chats/{chat}/files/{subject}", _BOTH, reading.download),
        subject="file_id",
        is_file=True,
        is_download=True,
    ),
    c.GetPhoto: Method(
        *("GET", "chats/{chat}/profilephotos/{subject}", _BOTH, reading.download),
        subject="party_id",
        is_download=True,
    ),
    c.GetIceServers: Method("GET", "iceservers", _BOTH, reading.ice_servers),
    c.SubscribeNotifications: Method(
        *("POST", "chats/{chat}/notifications", _SECOND, reading.nothing, _subscription)
    ),
    c.GetCaseHistory: Method("GET", "chats/{chat}/casehistory", _SECOND, reading.case_history),
    c.CloseCase: Method("POST", "chats/{chat}/closecase", _SECOND, reading.nothing, _empty),
    c.GetVersion: Method("GET", "version", _SECOND, reading.version),
}

# What the client asks by itself.
POLL: Final = Method("GET", "chats/{chat}/events", _BOTH, reading.events)
HISTORY: Final = Method("GET", "chats/{chat}/history", _BOTH, reading.events)
POST: Final = Method("POST", "chats/{chat}/events", _BOTH, reading.events)
