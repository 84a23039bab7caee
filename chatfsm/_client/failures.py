"""Failures: what a reply or an error means, what follows from it, and when to try again."""

from __future__ import annotations

import re
from hashlib import blake2b
from http import HTTPStatus
from math import isfinite
from typing import Any, Final, cast

from chatfsm._client.http_api import MethodSpec, TooManyItemsError
from chatfsm._client.state import (
    HISTORY_TABLE,
    LINK_TABLE,
    ClientTurn,
    PendingRequest,
    RetryTimer,
    next_state,
)
from chatfsm._log import log_fields, logger
from chatfsm._protocol import json_input, structuring
from chatfsm.client_effects import AuthorizationFailed, LinkChanged, LinkState
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
    TransportError,
)
from chatfsm.events import Malformed
from chatfsm.inputs import Lost
from chatfsm.settings import ClientSettings
from chatfsm.transport import HttpFailure, HttpReply

__all__ = [
    "ERRORS_BY_CODE",
    "NO_EVENTS",
    "backoff",
    "change_link",
    "error_in",
    "handle_fatal",
    "is_busy",
    "is_internal_error",
    "is_too_large",
    "is_unreachable",
    "may_have_arrived",
    "parse_reply",
    "probe_server",
    "reached_no_server",
    "read_reply",
    "request_history",
    "schedule_retry",
]

# Reading a reply: parse it, look for an error, read the result.

NO_EVENTS: Final = "5511"
"""The error code that means, in the reply to a poll, that there are no events."""
_UNREADABLE_REQUEST: Final = "5003"
_NO_SERVER_FREE: Final = "5001"
_INTERNAL_CODES: Final = frozenset({"5500", "5955"})

# Characters of the server's error message that are quoted.
_MAX_MESSAGE: Final = 120
_MARKUP: Final = re.compile(rb"[^A-Za-z0-9+/_=-]")  # bytes that no word of base64 has
_DATE_LENGTHS: Final = range(16, 64)  # characters; a date of HTTP has 24 to 33
# Codes have four digits. A value that does not look like a code is ignored.
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}")

# The documentation does not pair codes with statuses (PROTOCOL.md §1). So the code decides, and the
# status only if there is no code.
ERRORS_BY_CODE: Final[dict[str, tuple[type[ApiError], str]]] = {
    "1000": (ConfigurationError, "the tenant's domain is missing or unknown"),
    "2000": (AuthorizationError, "the credentials are missing"),
    "2001": (AuthorizationError, "the credentials are malformed"),
    "2002": (AuthorizationError, "the credentials are of another scheme"),
    "2003": (AuthorizationError, "the app's id is missing"),
    "2004": (AuthorizationError, "the client's id is missing"),
    "3000": (AuthorizationError, "the app's id is unknown"),
    "5000": (TransientError, "the server is too slow"),
    _NO_SERVER_FREE: (TransientError, "no server is free"),
    _UNREADABLE_REQUEST: (RequestRefusedError, "the request cannot be decoded"),
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
# Proxies and captive portals answer with these in place of the center, and with a body of their
# own. With an empty body, or an error of the API, they are the center's (PROTOCOL.md §6).
_BORROWED: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND})
_REDIRECT: Final = 3  # the class of statuses
_ERRORS_BY_STATUS: Final[dict[int, type[ApiError]]] = {
    HTTPStatus.UNAUTHORIZED: AuthorizationError,  # in old documentation
    HTTPStatus.FORBIDDEN: AuthorizationError,  # in the current documentation
    HTTPStatus.PROXY_AUTHENTICATION_REQUIRED: TransientError,  # from proxies alone
    HTTPStatus.REQUEST_TIMEOUT: TransientError,  # from proxies, for an idle connection
    HTTPStatus.TOO_MANY_REQUESTS: BusyError,
}
# Errors that pass: the same request may succeed later.
_TRANSIENT: Final = (TransientError, BusyError)
_TRANSIENT_CODES: Final = frozenset({"5602"})


def read_reply(
    turn: ClientTurn,
    pending: PendingRequest,
    method: MethodSpec,
    item: HttpReply | HttpFailure,
    *,
    is_chat: bool,
) -> Any:
    """Return the result that a reply carries. Raises `ApiError` for a failure or an error reply.

    `is_chat`: whether a status 404 means that the chat is gone.
    """
    if isinstance(item, HttpFailure):
        raise TransportError(item.kind, item.why, too_large=item.too_large)
    if len(item.body) > pending.max_body:
        raise TransportError(
            "protocol", f"the reply is longer than {pending.max_body} bytes", too_large=True
        )
    value, flaw = parse_reply(item, is_download=method.is_download)
    secrets = (turn.endpoint.app_id, turn.endpoint.client_id)
    error = error_in(item, value, on_chat=is_chat, secrets=secrets)
    if error is not None:
        if (
            isinstance(error, AuthorizationError)
            and pending.credentials_version != turn.state.credentials_version
        ):
            # `Resume` has set new credentials since, which the server has not refused.
            raise TransientError(str(error), status=error.status, transient=True)
        raise error
    try:
        result = method.read(value)
    except TooManyItemsError as error:
        raise TransportError("protocol", str(error), too_large=True) from None
    except ValueError:
        raise TransportError("protocol", "the reply cannot be read") from None
    if flaw and is_chat:
        return [Malformed(None, None, f"the reply has {flaw}"), *result]
    return result


def parse_reply(reply: HttpReply, *, is_download: bool = False) -> tuple[Any, str]:
    """Return the JSON value of a body: {} if the body is empty, None if it is not JSON.

    A single word without quotes counts as a text: newer servers send encrypted values so. The text
    beside the value names what had to be mended to read the body; "" if nothing had to.
    `is_download`: whether a success carries a file. Such a reply is returned as it is.
    """
    if is_download and _is_success(reply):
        return reply, ""
    if not reply.body.strip():
        return {}, ""
    try:
        return json_input.parse(reply.body), ""
    except DecodeError:
        return _parse_leniently(reply.body)


def _parse_leniently(body: bytes) -> tuple[Any, str]:
    try:
        return json_input.parse_leniently(body)
    except DecodeError:
        word = body.strip()
        return (word.decode(), "") if word.isascii() and not _MARKUP.search(word) else (None, "")


def error_in(
    reply: HttpReply, value: object, *, on_chat: bool = False, secrets: tuple[str, ...] = ()
) -> ApiError | None:
    """Return the error that a reply stands for; None if it is a success.

    `value`: the value that `parse_reply` returned. `on_chat`: whether a status 404 means that the
    session is gone. `secrets` are removed from the server's message.
    """
    code, message = _error_fields(value)
    if code is None and _is_success(reply):
        return None
    cls, meaning = _classify(reply, value, code, on_chat=on_chat)
    what = f"status {reply.status}" if code is None else f"error {code} (status {reply.status})"
    for secret in secrets:
        message = message.replace(secret, "(hidden)")
    # With this code the server may quote the request, and with it what people wrote.
    quoted = f", {message[:_MAX_MESSAGE]!a}" if message and code != _UNREADABLE_REQUEST else ""
    return cls(
        f"{what}: {meaning}{quoted}",
        error_code=code,
        status=reply.status,
        retry_after=_retry_after(reply),
        transient=issubclass(cls, _TRANSIENT) or code in _TRANSIENT_CODES,
    )


def _is_success(reply: HttpReply) -> bool:
    return reply.status // 100 == 2  # noqa: PLR2004  # the class of successes


def _classify(
    reply: HttpReply, value: object, code: str | None, *, on_chat: bool
) -> tuple[type[ApiError], str]:
    status = reply.status
    if code in ERRORS_BY_CODE:
        return ERRORS_BY_CODE[code]
    if status // 100 == _REDIRECT or (status in _BORROWED and _is_foreign(reply, value)):
        return TransientError, "not from the contact center, but from a proxy or portal"
    if status == HTTPStatus.NOT_FOUND and on_chat:
        return SessionGoneError, "there is no such chat session"
    if status in _ERRORS_BY_STATUS:
        cls = _ERRORS_BY_STATUS[status]
    else:
        is_server_error = status >= HTTPStatus.INTERNAL_SERVER_ERROR
        cls = TransientError if is_server_error else RequestRefusedError
    return cls, "the server failed" if cls is TransientError else "refused"


def _is_foreign(reply: HttpReply, value: object) -> bool:
    """Whether a body is neither empty nor an error of the API."""
    is_error = isinstance(value, dict) and "error_code" in value
    return bool(reply.body.strip()) and not is_error


def _error_fields(value: object) -> tuple[str | None, str]:
    """Return the error code and the message of a parsed body; None and "" if it has no code."""
    if not isinstance(value, dict) or "error_code" not in value:
        return None, ""
    code = _text(value["error_code"])
    if code == "0" or not _CODE.fullmatch(code):
        return None, ""
    return code, _text(value.get("error_message"))


def _text(value: object) -> str:
    try:
        return (structuring.text(value) or "").strip()
    except ValueError:
        return ""


def _retry_after(reply: HttpReply) -> float | None:
    """Return the seconds of a Retry-After header.

    A date counts from the reply's own Date header, because the client has no calendar; without that
    header it is ignored.
    """
    value = reply.headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        until, since = _http_date(value), _http_date(reply.headers.get("date", ""))
        return None if until is None or since is None else max(0.0, until - since)
    return seconds if isfinite(seconds) and seconds >= 0 else None


def _http_date(text: str) -> float | None:
    """Return the seconds since 1970 of a date in a header; None if it is no date."""
    if len(text) not in _DATE_LENGTHS:
        return None
    from email.utils import mktime_tz, parsedate_tz  # noqa: PLC0415  # slow to load, seldom needed

    try:
        parts = parsedate_tz(text)
        return None if parts is None else float(mktime_tz(parts))
    except (ValueError, OverflowError, IndexError):
        return None


# Kinds of errors.


def is_busy(error: ApiError) -> bool:
    """Whether the server asks the client to wait: 5509, 429, or a 400 without a code.

    No source says what such a 400 means: to wait is the choice of chatfsm.
    """
    return isinstance(error, BusyError) or (
        error.status == HTTPStatus.BAD_REQUEST and error.error_code is None
    )


def is_internal_error(error: ApiError) -> bool:
    """Whether the server failed for an unknown reason, perhaps the content of the request."""
    return error.error_code in _INTERNAL_CODES or (
        error.error_code is None and error.status == HTTPStatus.INTERNAL_SERVER_ERROR
    )


def is_unreachable(error: ApiError) -> bool:
    """Whether no connection could be made."""
    return isinstance(error, TransportError) and error.kind == "connect"


def is_too_large(error: ApiError) -> bool:
    """Whether the reply exceeded a bound, as the next one to the same request will."""
    return isinstance(error, TransportError) and error.too_large


def reached_no_server(error: ApiError) -> bool:
    """Whether no server had the request: no connection could be made, or no server was free."""
    return is_unreachable(error) or error.error_code == _NO_SERVER_FREE


def may_have_arrived(error: ApiError) -> bool:
    """Whether the server may have processed the request although it did not confirm it."""
    is_open = isinstance(error, (TransportError, TransientError))
    return is_open and not reached_no_server(error)


# What follows from an error.


def handle_fatal(turn: ClientTurn, error: ApiError) -> bool:
    """Handle an error that concerns the whole chat. Returns False if the error is none of these."""
    if isinstance(error, SessionGoneError) and turn.session is not None:
        turn.begin_ending(Lost(f"error {error.error_code}" if error.error_code else "status 404"))
        return True
    if isinstance(error, AuthorizationError):
        if change_link(turn, "refused", str(error)):
            turn.effects.append(AuthorizationFailed(error))
        return True
    return False


def change_link(turn: ClientTurn, trigger: str, why: str = "") -> bool:
    """Move the link, and report it if its state is another one. Returns whether it is."""
    state = turn.state
    destination = next_state(LINK_TABLE, state.link, trigger)
    if destination == state.link:
        return False
    state.link = destination
    turn.effects.append(LinkChanged(cast("LinkState", destination), why))
    logger.info("link: %s", destination, extra=log_fields(turn.chat_id))
    return True


def request_history(turn: ClientTurn, *, after: float = 0.0) -> None:
    """Request the history in `after` seconds, because events may have been lost or have arrived."""
    state = turn.state
    before = state.history
    state.history = next_state(HISTORY_TABLE, before, "request")
    at = turn.now + after
    state.history_timer.at = at if before == "fresh" else max(state.history_timer.at, at)


def probe_server(turn: ClientTurn, error: ApiError) -> None:
    """If a poll reached no server, request the history instead of polling until a server answers.

    A server that was away may have forgotten events that it had not delivered. It gets one request
    for the history, however long it was away, at the intervals of the polls. If it answers with an
    error because no server is free for histories, polls go on beside them.
    """
    delay = schedule_retry(turn, turn.state.poll_timer, error)
    turn.state.history_timer.failures = 0  # so that polls wait for the history again
    request_history(turn, after=delay)
    change_link(turn, "failed", str(error))


def schedule_retry(turn: ClientTurn, timer: RetryTimer, error: ApiError) -> float:
    """Count a failure and schedule the next attempt. Returns the delay in seconds.

    The failure of another request does not bring an attempt forward that the server has put off.
    """
    timer.failures += 1
    delay = backoff(turn.settings, turn.chat_id, timer.failures, error.retry_after)
    timer.at = max(timer.at, turn.now + delay)
    return delay


# 2 to this power is above every limit, and still a float.
_MAX_DOUBLINGS: Final = 64


def backoff(
    settings: ClientSettings, key: str, attempt: int, retry_after: float | None = None
) -> float:
    """Return the seconds to wait before the next attempt, after `attempt` failures in a row.

    The delay doubles with each failure, up to `backoff_most`. A hash of `key` and `attempt` selects
    a point between half of it and all of it: clients that lost a server together do not return
    together, and a replay waits as long. A longer `retry_after` from the server is respected, up to
    `retry_after_most`.
    """
    doublings = min(attempt - 1, _MAX_DOUBLINGS)
    delay = min(settings.backoff_first * 2.0**doublings, settings.backoff_most)
    digest = blake2b(f"{key}\0{attempt}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    jitter = int.from_bytes(digest) / 2**64
    requested = min(retry_after or 0.0, settings.retry_after_most)
    return max(delay * (1 + jitter) / 2, requested)
