"""The API's requests, parsed and routed, and its replies."""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import define, field

from chatfsm._protocol import json_input, structuring
from chatfsm.errors import DecodeError
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.state import ApiClient, CenterChat, CenterState
from chatfsm.transport import HttpReply, HttpRequest

__all__ = [
    "API_ERRORS",
    "NO_CACHE",
    "ApiCall",
    "RefusedError",
    "empty_reply",
    "error_reply",
    "file_reply",
    "find_chat",
    "find_live_chat",
    "json_reply",
    "parse_events",
    "parse_object",
    "parse_request",
    "status_for_code",
]

# A request taken apart: which version, which path, which query, which headers.

_PATH: Final = re.compile(r"/clientweb/api/v([12])/(.+)", re.DOTALL)
_NOT_FOUND: Final = 404
# What a query of the API holds is two names; more than this is nobody's.
_MAX_QUERY_FIELDS: Final = 64


@define
class ApiCall:
    """What somebody wants; filled in while it is found out."""

    id: int
    method: str
    version: int
    path: tuple[str, ...]
    """Decoded segments, after the version."""
    query: dict[str, str]
    headers: dict[str, str] = field(repr=False)
    """Names in lower case; of repeated ones the last."""
    body: bytes = field(repr=False)
    path_args: dict[str, str] = field(factory=dict)
    """What stands in the path where a method's has a name in braces."""
    new_cookie: str = field(default="", repr=False)
    """The cookie that the reply is to set; "" for none."""


def parse_request(request: HttpRequest) -> ApiCall:
    """The parts of a request. Raises `RefusedError` with a bare 404 for what is not of this API."""
    try:
        parts = urlsplit(request.url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        raise RefusedError("", status=_NOT_FOUND) from None
    match = _PATH.fullmatch(parts.path)
    if match is None:
        raise RefusedError("", status=_NOT_FOUND)
    return ApiCall(
        request.id,
        request.method,
        int(match[1]),
        tuple(unquote(part) for part in match[2].split("/")),
        dict(pairs),
        {name.lower(): value for name, value in request.headers},
        request.body,
    )


# What a center refuses, and how it says so.
#
# The pairing of status and code is documented nowhere, and is chosen here. Source: the table of
# PROTOCOL.md §1.

# code: (status in version 1, status in version 2, message). Authorization fails with 401 in the old
# documentation and with 403 in the current one.
API_ERRORS: Final[dict[str, tuple[int, int, str]]] = {
    "1000": (400, 400, "tenantUrl is missing or invalid"),
    "2000": (401, 403, "Authorization header is missing"),
    "2001": (401, 403, "Authorization header is malformed"),
    "2002": (401, 403, "Authorization scheme is not supported"),
    "2003": (401, 403, "appId is missing"),
    "2004": (401, 403, "clientId is missing"),
    "3000": (401, 403, "appId is unknown"),
    "5000": (503, 503, "Server is too slow"),
    "5001": (503, 503, "No server is available"),
    "5003": (400, 400, "Request cannot be decoded"),
    "5004": (503, 503, "Server was disconnected"),
    "5005": (404, 404, "Chat session not found"),
    "5006": (400, 400, "Launch point not found"),
    "5500": (500, 500, "Internal error"),
    "5501": (400, 400, "Upload is too large"),
    "5502": (404, 404, "File not found"),
    "5509": (400, 429, "Too many polls for this session"),
    "5511": (400, 400, "No events"),
    "5558": (400, 400, "File I/O error"),
    "5601": (406, 406, "No case"),
    "5602": (500, 500, "CRM error"),
    "5603": (406, 406, "Too many parameters"),
    "5955": (500, 500, "Unspecified error"),
}


class RefusedError(Exception):
    """A request is answered with an error; `status` where it is not the usual one of the code.

    A `code` of "" stands for a reply without a body.
    """

    def __init__(self, code: str, *, status: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


def status_for_code(code: str, version: int) -> int:
    """The status that goes with a code in a version of the API."""
    first, second, _message = API_ERRORS[code]
    return first if version == 1 else second


# What requests bring as JSON: read with care, and refused with 5003.

_UNDECODABLE: Final = "5003"
# The fields that name something: texts or whole numbers, no longer than ids are.
_ID_FIELDS: Final = ("msg_id", "ref_msg_id", "form_request_id", "file_id", "destination_party_id")


def parse_object(body: bytes, settings: CenterSettings) -> dict[str, Any]:
    """The object that a body is, or none where it is empty. Raises `RefusedError`."""
    if len(body) > settings.max_body:
        raise RefusedError(_UNDECODABLE)
    if not body.strip():
        return {}
    try:
        value = json_input.parse(body)
    except DecodeError:
        raise RefusedError(_UNDECODABLE) from None
    # Deeper than anything that is said, and than what the history could be written with.
    if not isinstance(value, dict) or structuring.deeper_than(structuring.MAX_DEPTH, value):
        raise RefusedError(_UNDECODABLE)
    return value


def parse_events(body: bytes, settings: CenterSettings) -> list[dict[str, Any]]:
    """The customer's events in a body: all of them, or `RefusedError`."""
    events = parse_object(body, settings).get("events")
    if not isinstance(events, list) or len(events) > settings.max_events:
        raise RefusedError(_UNDECODABLE)
    for event in events:
        if not isinstance(event, dict) or not _is_event_name(event.get("event")):
            raise RefusedError(_UNDECODABLE)
        if not all(_is_id(event[name]) for name in _ID_FIELDS if name in event):
            raise RefusedError(_UNDECODABLE)
    return events


def _is_event_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= structuring.LONGEST_ID


def _is_id(value: object) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return False
    return len(str(value)) <= structuring.LONGEST_ID


# How replies are written.

_OK: Final = 200
_JSON: Final = "application/json; charset=UTF-8"
# Proxies were seen to answer polls from their caches.
NO_CACHE: Final = {"cache-control": "no-cache"}


def json_reply(request_id: int, value: Any, *, status: int = _OK) -> HttpReply:
    """A value, as JSON."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return HttpReply(request_id, status, {"content-type": _JSON, **NO_CACHE}, body)


def empty_reply(request_id: int, *, status: int = _OK) -> HttpReply:
    """Nothing but a status."""
    return HttpReply(request_id, status, dict(NO_CACHE), b"")


def file_reply(request_id: int, content: bytes, content_type: str) -> HttpReply:
    """A file."""
    return HttpReply(request_id, _OK, {"content-type": content_type, **NO_CACHE}, content)


def error_reply(request_id: int, refused: RefusedError, version: int) -> HttpReply:
    """An error, with its code where it has one."""
    if not refused.code:
        return empty_reply(request_id, status=refused.status or status_for_code("5500", version))
    status = status_for_code(refused.code, version) if refused.status is None else refused.status
    message = API_ERRORS[refused.code][2]
    return json_reply(
        request_id, {"error_code": refused.code, "error_message": message}, status=status
    )


# Which chat a path names; nobody finds another client's.


def find_chat(state: CenterState, call: ApiCall, client: ApiClient) -> CenterChat:
    """The caller's chat, even where it is over. Raises `RefusedError` with 5005."""
    chat = state.chats.get(call.path_args["chat"])
    if chat is None or (chat.tenant_url, chat.client_id) != client.key:
        raise RefusedError("5005")
    return chat


def find_live_chat(state: CenterState, call: ApiCall, client: ApiClient) -> CenterChat:
    """The caller's chat while its session lives. Raises `RefusedError` with 5005."""
    chat = find_chat(state, call, client)
    if chat.is_over:
        raise RefusedError("5005")
    return chat
