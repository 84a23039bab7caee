"""Constructors by hand, from parsed dicts to events, for hostile input.

They do the work of chatfsm's codec: they check every value, bound lengths, require the necessary
fields, convert times to seconds, keep unknown fields, and raise no exception for a malformed item.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

from tests.bench import handwritten_events as e

__all__ = ["construct"]

Raw = dict[str, Any]

LONGEST_ID: Final = 1_024
LONGEST_NAME: Final = 4_096


def construct(raw: Any) -> Any:
    """Return the event of a parsed item."""
    if not isinstance(raw, dict):
        return e.Malformed(None, raw, "not an object")
    name = raw.get("event")
    make = MAKERS.get(name) if isinstance(name, str) else None
    if make is None:
        return e.Unknown(name, raw)
    try:
        return make(raw)
    except ValueError as error:
        return e.Malformed(name, raw, str(error))


def text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    raise ValueError("is not text")  # one exception for every invalid value


def word(value: Any) -> str | None:
    found = text(value)
    if found is not None and len(found) > LONGEST_ID:
        raise ValueError("is too long")
    return found or None


def name(value: Any) -> str | None:
    found = text(value)
    if found is not None and len(found) > LONGEST_NAME:
        raise ValueError("is too long")
    return found


def needed(value: Any) -> str:
    found = word(value)
    if found is None:
        raise ValueError("is missing")
    return found


def seconds(value: Any) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("is not a number")  # noqa: TRY004  # as above
    found = float(value)
    if not isfinite(found) or found < 0:
        raise ValueError("is no length of time")
    return found


def moment(value: Any) -> float | None:
    found = seconds(value)
    if found is None or found < 1e11:
        return found
    if found < 1e14:
        return found / 1000
    raise ValueError("is no time")


def rest(raw: Raw, known: frozenset[str]) -> Raw:
    """Return the fields that the class does not have, unchanged."""
    if raw.keys() <= known:
        return {}
    return {key: value for key, value in raw.items() if key not in known}


def attachments(value: Any) -> tuple[e.Attachment, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise ValueError("is not a list")  # noqa: TRY004  # as above
    return tuple(
        e.Attachment(
            text(item.get("id")),
            text(item.get("contentType")),
            text(item.get("content")),
            text(item.get("name")),
        )
        for item in value
    )


STATUS: Final = frozenset({"event", "state", "ewt", "timestamp"})
TIMED: Final = frozenset({"event", "timestamp"})
JOINED: Final = TIMED | {"party_id", "type", "display_name", "first_name", "last_name"}
LEFT: Final = TIMED | {"party_id", "type"}
MESSAGE: Final = TIMED | {"party_id", "msg_id", "msg", "msg_text", "channel", "attachments"}
RECEIPT: Final = TIMED | {"ref_msg_id", "msg_id", "party_id"}
TYPING: Final = TIMED | {"party_id"}
FORM: Final = TIMED | {"form_request_id", "form_name", "form_timeout", "channel"}
ANSWER: Final = TIMED | {"form_request_id", "form_name", "data"}
TEXTS: Final = TIMED | {"msg", "msg_text"}
FILE: Final = TIMED | {"file_id", "file_type", "file_name", "msg_id", "party_id", "session_id"}


def status(raw: Raw) -> e.Status:
    return e.Status(
        needed(raw.get("state")),
        seconds(raw.get("ewt")),
        timestamp=moment(raw.get("timestamp")),
        extra=rest(raw, STATUS),
    )


def ended(raw: Raw) -> e.Ended:
    return e.Ended(timestamp=moment(raw.get("timestamp")), extra=rest(raw, TIMED))


def party_joined(raw: Raw) -> e.PartyJoined:
    return e.PartyJoined(
        needed(raw.get("party_id")),
        word(raw.get("type")),
        name(raw.get("display_name")),
        name(raw.get("first_name")),
        name(raw.get("last_name")),
        timestamp=moment(raw.get("timestamp")),
        extra=rest(raw, JOINED),
    )


def party_left(raw: Raw) -> e.PartyLeft:
    return e.PartyLeft(
        needed(raw.get("party_id")),
        word(raw.get("type")),
        timestamp=moment(raw.get("timestamp")),
        extra=rest(raw, LEFT),
    )


def message(raw: Raw) -> e.Message:
    return e.Message(
        word(raw.get("party_id")),
        word(raw.get("msg_id")),
        text(raw.get("msg")),
        text(raw.get("msg_text")),
        word(raw.get("channel")),
        attachments(raw.get("attachments")),
        timestamp=moment(raw.get("timestamp")),
        extra=rest(raw, MESSAGE),
    )


def delivered(raw: Raw) -> e.MessageDelivered:
    return e.MessageDelivered(
        needed(raw.get("ref_msg_id", raw.get("msg_id"))),
        word(raw.get("party_id")),
        timestamp=moment(raw.get("timestamp")),
        extra=rest(raw, RECEIPT),
    )


def read(raw: Raw) -> e.MessageRead:
    return e.MessageRead(
        needed(raw.get("ref_msg_id", raw.get("msg_id"))),
        word(raw.get("party_id")),
        timestamp=moment(raw.get("timestamp")),
        extra=rest(raw, RECEIPT),
    )


def typing(raw: Raw) -> e.Typing:
    return e.Typing(
        needed(raw.get("party_id")),
        timestamp=moment(raw.get("timestamp")),
        extra=rest(raw, TYPING),
    )


def not_typing(raw: Raw) -> e.NotTyping:
    return e.NotTyping(
        needed(raw.get("party_id")),
        timestamp=moment(raw.get("timestamp")),
        extra=rest(raw, TYPING),
    )


def form_show(raw: Raw) -> e.FormShow:
    return e.FormShow(
        needed(raw.get("form_request_id")),
        name(raw.get("form_name")),
        seconds(raw.get("form_timeout")),
        word(raw.get("channel")),
        timestamp=moment(raw.get("timestamp")),
        extra=rest(raw, FORM),
    )


def form_data(raw: Raw) -> e.FormData:
    return e.FormData(
        word(raw.get("form_request_id")),
        name(raw.get("form_name")),
        timestamp=moment(raw.get("timestamp")),
        extra=rest(raw, ANSWER),
    )


def timeout_warning(raw: Raw) -> e.TimeoutWarning:
    return e.TimeoutWarning(
        text(raw.get("msg")),
        text(raw.get("msg_text")),
        timestamp=moment(raw.get("timestamp")),
        extra=rest(raw, TEXTS),
    )


def inactivity_timeout(raw: Raw) -> e.InactivityTimeout:
    return e.InactivityTimeout(
        text(raw.get("msg")),
        text(raw.get("msg_text")),
        timestamp=moment(raw.get("timestamp")),
        extra=rest(raw, TEXTS),
    )


def file(raw: Raw) -> e.File:
    return e.File(
        needed(raw.get("file_id")),
        word(raw.get("file_type")),
        name(raw.get("file_name")),
        word(raw.get("msg_id")),
        word(raw.get("party_id", raw.get("session_id"))),
        timestamp=moment(raw.get("timestamp")),
        extra=rest(raw, FILE),
    )


MAKERS: Final[dict[str, Any]] = {
    "chat_session_status": status,
    "chat_session_ended": ended,
    "chat_session_party_joined": party_joined,
    "chat_session_party_left": party_left,
    "chat_session_message": message,
    "chat_session_message_delivered": delivered,
    "chat_session_message_read": read,
    "chat_session_typing": typing,
    "chat_session_not_typing": not_typing,
    "chat_session_form_show": form_show,
    "chat_session_form_data": form_data,
    "chat_session_timeout_warning": timeout_warning,
    "chat_session_inactivity_timeout": inactivity_timeout,
    "chat_session_file": file,
}
