"""What a reply that is no success means: by error_code first, by status where there is none.

The pairing of the two is documented nowhere. Source: the table of PROTOCOL.md §1.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import Any, Final

from chatfsm.conversation.exchange import HttpReply
from chatfsm.errors import (
    ApiError,
    AuthorizationError,
    BusyError,
    CaseError,
    ConfigurationError,
    DecodeError,
    FileError,
    RequestRefusedError,
    SessionGoneError,
    TransientError,
)
from chatfsm.protocol import json_text, readers

__all__ = ["NO_EVENTS", "UNREADABLE_REQUEST", "error_of"]

NO_EVENTS: Final = "5511"
"""No error where it answers a poll."""
UNREADABLE_REQUEST: Final = "5003"

# How much of what the server says about an error is passed on.
_LONGEST_MESSAGE: Final = 120
# Codes have four digits; what is no such word is no code.
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}")

BY_CODE: Final[dict[str, tuple[type[ApiError], str]]] = {
    "1000": (ConfigurationError, "the tenant's domain is missing or unknown"),
    "2000": (AuthorizationError, "the credentials are missing"),
    "2001": (AuthorizationError, "the credentials are malformed"),
    "2002": (AuthorizationError, "the credentials are of another scheme"),
    "2003": (AuthorizationError, "the app's id is missing"),
    "2004": (AuthorizationError, "the client's id is missing"),
    "3000": (AuthorizationError, "the app's id is unknown"),
    "5000": (TransientError, "the server is too slow"),
    "5001": (TransientError, "no server is free"),
    "5003": (RequestRefusedError, "the request cannot be decoded"),
    "5004": (TransientError, "the server was disconnected"),
    "5005": (SessionGoneError, "there is no such chat session"),
    "5006": (ConfigurationError, "the launch point is unknown"),
    "5500": (TransientError, "an internal error"),
    "5501": (FileError, "the upload is too large"),
    "5502": (FileError, "there is no such file"),
    "5509": (BusyError, "too many polls of this session"),
    NO_EVENTS: (TransientError, "there are no events"),
    "5558": (FileError, "the file could not be read or written"),
    "5601": (CaseError, "there is no case"),
    "5602": (CaseError, "the system that keeps the cases failed"),
    "5603": (RequestRefusedError, "too many parameters"),
    "5955": (TransientError, "an unspecified error"),
}
_BY_STATUS: Final[dict[int, type[ApiError]]] = {
    401: AuthorizationError,  # in old documentation
    403: AuthorizationError,  # in the current one
    408: TransientError,  # a proxy's word for a connection that was idle too long
    429: BusyError,
}
# Errors that the server, or the network, gets over.
_PASSING: Final = (TransientError, BusyError)
_PASSING_CODES: Final = {"5602"}
_SERVER_ERRORS: Final = 500
_NOT_FOUND: Final = 404


def error_of(
    reply: HttpReply,
    *,
    is_json: bool = True,
    on_chat: bool = False,
    secrets: tuple[str, ...] = (),
) -> ApiError | None:
    """The error that a reply is; None where it is a success.

    `is_json` False: what comes with a success is a file, and not looked at. `on_chat`: a status
    404 means that the session is gone. `secrets` are left out of what the server says.
    """
    succeeded = reply.status // 100 == 2  # noqa: PLR2004  # the class of successes
    code, message = None, ""
    if is_json or not succeeded:
        code, message = _said_in(reply.body)
    if succeeded and code is None:
        return None
    cls, meaning = _kind(reply.status, code, on_chat=on_chat)
    what = f"status {reply.status}" if code is None else f"error {code} (status {reply.status})"
    for secret in secrets:
        message = message.replace(secret, "(hidden)")
    # Where it could not decode what was sent, the server may quote it.
    said = f", {message[:_LONGEST_MESSAGE]!a}" if message and code != UNREADABLE_REQUEST else ""
    return cls(
        f"{what}: {meaning}{said}",
        error_code=code,
        status=reply.status,
        retry_after=_retry_after(reply),
        transient=issubclass(cls, _PASSING) or code in _PASSING_CODES,
    )


def _kind(status: int, code: str | None, *, on_chat: bool) -> tuple[type[ApiError], str]:
    if code in BY_CODE:
        return BY_CODE[code]
    if status == _NOT_FOUND and on_chat:
        return SessionGoneError, "there is no such chat session"
    if status in _BY_STATUS:
        cls = _BY_STATUS[status]
    else:
        cls = TransientError if status >= _SERVER_ERRORS else RequestRefusedError
    return cls, "the server failed" if cls is TransientError else "refused"


def _said_in(body: bytes) -> tuple[str | None, str]:
    """The error code and message in a body, where there are any."""
    try:
        value: Any = json_text.parse(body)
    except DecodeError:
        return None, ""
    if not isinstance(value, dict):
        return None, ""
    code = _text(value.get("error_code"))
    if code == "0" or not _CODE.fullmatch(code):
        return None, ""
    return code, _text(value.get("error_message"))


def _text(value: object) -> str:
    try:
        return (readers.text(value) or "").strip()
    except ValueError:
        return ""


def _retry_after(reply: HttpReply) -> float | None:
    """Seconds; a date is not read, since nobody here knows what day it is."""
    try:
        seconds = float(reply.headers.get("retry-after", ""))
    except ValueError:
        return None
    return seconds if isfinite(seconds) and seconds >= 0 else None
