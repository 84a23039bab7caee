"""Requests of the API parsed, and its replies written."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from attrs import define, field

from chatfsm._protocol import json_input, structuring
from chatfsm.errors import DecodeError
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.state import ApiClient, CenterChat, CenterState
from chatfsm.transport import HttpReply, HttpRequest

__all__ = [
    "API_ERRORS",
    "NO_CACHE",
    "NO_VERSION",
    "ApiCall",
    "RefusedError",
    "check_event",
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

# Requests.

# The Android client loads files by a path outside the API (PROTOCOL.md §1).
_PATH: Final = re.compile(r"/clientweb/(?:api/v([12])/(.+)|(file/[^/]+))", re.DOTALL)
# Shipped clients join a base and a path with two slashes.
_SLASHES: Final = re.compile(r"//+")
NO_VERSION: Final = 0
"""The version of requests outside the API."""
# The API's queries have two fields.
_MAX_QUERY_FIELDS: Final = 64


@define
class ApiCall:
    """A request to the API; `path_args` and `new_cookie` are filled in while it is handled."""

    id: int
    """The id of the request, which its reply repeats."""
    method: str
    """The HTTP method, such as GET."""
    version: int
    """The version of the API in the path: 1 or 2."""
    path: tuple[str, ...]
    """The decoded segments of the path after the version."""
    query: dict[str, str]
    """The parameters of the query, decoded, by name; the last of repeated ones."""
    headers: dict[str, str] = field(repr=False)
    """By name in lower case; the last of repeated ones."""
    body: bytes = field(repr=False)
    """The body, as received."""
    host: str = ""
    """The server's name as the client knows it."""
    path_args: dict[str, str] = field(factory=dict)
    """The texts that the braces of the method's path match, by name."""
    new_cookie: str = field(default="", repr=False)
    """The Set-Cookie header of the reply; "": none."""


def parse_request(request: HttpRequest) -> ApiCall:
    """Return the parts of a request. Raises `RefusedError` with 404 if it is not for the API."""
    try:
        parts = urlsplit(request.url)
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS)
    except ValueError:
        raise RefusedError("", status=HTTPStatus.NOT_FOUND) from None
    match = _PATH.fullmatch(_SLASHES.sub("/", parts.path))
    if match is None:
        raise RefusedError("", status=HTTPStatus.NOT_FOUND)
    headers = {name.lower(): value for name, value in request.headers}
    return ApiCall(
        request.id,
        request.method,
        int(match[1] or NO_VERSION),
        tuple(unquote(part) for part in (match[2] or match[3]).split("/")),
        dict(pairs),
        headers,
        request.body,
        headers.get("host", parts.netloc),
    )


# Errors. The pairing of status and code is documented nowhere; it is chosen here, by the table of
# PROTOCOL.md §1.

# Code: status in version 1, status in version 2, message. A failed authorization is 401 in the old
# documentation and 403 in the current one.
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
    """A request is answered with an error; a `code` of "" stands for a reply without a body.

    `status` replaces the usual status of the code.
    """

    def __init__(self, code: str, *, status: int | None = None) -> None:
        super().__init__(code)
        self.code = code
        self.status = status


def status_for_code(code: str, version: int) -> int:
    """Return the HTTP status of an error code in a version of the API."""
    first, second, _message = API_ERRORS[code]
    return first if version == 1 else second


# JSON bodies: what is malformed is refused with 5003.

_UNDECODABLE: Final = "5003"
# Fields that hold ids: texts or integers, of bounded length.
_ID_FIELDS: Final = ("msg_id", "ref_msg_id", "form_request_id", "file_id", "destination_party_id")

# A shipped client counts its messages in fractions.
_MAY_BE_FRACTIONS: Final = {"msg_id", "ref_msg_id"}


def parse_object(
    body: bytes, settings: CenterSettings, *, may_be_list: bool = False
) -> dict[str, Any]:
    """Return the object in a body, empty if the body is. Raises `RefusedError` with 5003.

    `may_be_list`: the object may be the only item of a list.
    """
    if len(body) > settings.max_body:
        raise RefusedError(_UNDECODABLE)
    if not body.strip():
        return {}
    try:
        value = json_input.parse(body)
    except DecodeError:
        raise RefusedError(_UNDECODABLE) from None
    if may_be_list and isinstance(value, list) and len(value) == 1:
        value = value[0]
    # No event is nested so deep, and no history could be written with it.
    if not isinstance(value, dict) or structuring.deeper_than(structuring.MAX_DEPTH, value):
        raise RefusedError(_UNDECODABLE)
    return value


def parse_events(body: bytes, settings: CenterSettings) -> list[dict[str, Any]]:
    """Return all the customer's events in a body. Raises `RefusedError` with 5003."""
    events = parse_object(body, settings).get("events")
    if not isinstance(events, list) or len(events) > settings.max_events:
        raise RefusedError(_UNDECODABLE)
    for event in events:
        check_event(event)
    return events


def check_event(event: object) -> None:
    """Raise `RefusedError` with 5003 unless this is an event of a customer's."""
    if not isinstance(event, dict) or not _is_event_name(event.get("event")):
        raise RefusedError(_UNDECODABLE)
    if not all(_is_id(name, event[name]) for name in _ID_FIELDS if name in event):
        raise RefusedError(_UNDECODABLE)


def _is_event_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= structuring.LONGEST_ID


def _is_id(name: str, value: object) -> bool:
    if value is None:
        return True
    kinds = (str, int, float) if name in _MAY_BE_FRACTIONS else (str, int)
    if isinstance(value, bool) or not isinstance(value, kinds):
        return False
    return len(str(value)) <= structuring.LONGEST_ID


# Replies.

_JSON: Final = "application/json; charset=UTF-8"
# Proxies were seen to answer polls from their caches.
NO_CACHE: Final = {"cache-control": "no-cache"}


def json_reply(request_id: int, value: Any, *, status: int = HTTPStatus.OK) -> HttpReply:
    """Return a reply with a JSON body."""
    body = json.dumps(value, separators=(",", ":")).encode()
    return HttpReply(request_id, status, {"content-type": _JSON, **NO_CACHE}, body)


def empty_reply(request_id: int, *, status: int = HTTPStatus.OK) -> HttpReply:
    """Return a reply without a body."""
    return HttpReply(request_id, status, dict(NO_CACHE), b"")


def file_reply(
    request_id: int, content: bytes, content_type: str, file_name: str | None = None
) -> HttpReply:
    """Return a reply with the bytes of a file.

    With a `file_name` a browser saves the file and does not show it: a page that a customer
    uploaded must not run beside the API. Images are shown by `<img>` all the same.
    """
    headers = {"content-type": content_type, **NO_CACHE, "x-content-type-options": "nosniff"}
    if file_name is not None:
        name = quote(file_name, safe="", errors="replace")
        headers["content-disposition"] = f"attachment; filename*=UTF-8''{name}"
        headers["content-security-policy"] = "sandbox; default-src 'none'"
    return HttpReply(request_id, HTTPStatus.OK, headers, content)


def error_reply(request_id: int, refused: RefusedError, version: int) -> HttpReply:
    """Return the reply for a refused request."""
    if not refused.code:
        return empty_reply(request_id, status=refused.status or status_for_code("5500", version))
    status = status_for_code(refused.code, version) if refused.status is None else refused.status
    message = API_ERRORS[refused.code][2]
    return json_reply(
        request_id, {"error_code": refused.code, "error_message": message}, status=status
    )


# Chats: a client finds its own only.


def find_chat(state: CenterState, call: ApiCall, client: ApiClient) -> CenterChat:
    """Return the client's chat in the path, also if it is over. Raises `RefusedError` with 5005."""
    chat = state.chats.get(call.path_args["chat"])
    if chat is None or (chat.tenant_url, chat.client_id) != client.key:
        raise RefusedError("5005")
    return chat


def find_live_chat(state: CenterState, call: ApiCall, client: ApiClient) -> CenterChat:
    """Return the client's live chat in the path. Raises `RefusedError` with 5005."""
    chat = find_chat(state, call, client)
    if chat.is_over:
        raise RefusedError("5005")
    return chat
