"""Constructors by hand, from parsed dicts to events, without checks: they accept wrong types.

They do less than chatfsm's codec, and are no option for hostile input.
"""

from __future__ import annotations

from typing import Any, Final

from tests.bench import handwritten_events as e

__all__ = ["construct"]


def construct(raw: dict[str, Any]) -> Any:
    """Return the event of a parsed dict that is well-formed."""
    return MAKERS[raw["event"]](raw.get, _time(raw))


def _time(raw: dict[str, Any]) -> float | None:
    stamp = raw.get("timestamp")
    return None if stamp is None else float(stamp)


MAKERS: Final[dict[str, Any]] = {
    "chat_session_status": lambda get, at: e.Status(
        get("state"), float(get("ewt")) if get("ewt") else None, timestamp=at
    ),
    "chat_session_ended": lambda get, at: e.Ended(timestamp=at),
    "chat_session_party_joined": lambda get, at: e.PartyJoined(
        get("party_id"),
        get("type"),
        get("display_name"),
        get("first_name"),
        get("last_name"),
        timestamp=at,
    ),
    "chat_session_party_left": lambda get, at: e.PartyLeft(
        get("party_id"), get("type"), timestamp=at
    ),
    "chat_session_message": lambda get, at: e.Message(
        get("party_id"), get("msg_id"), get("msg"), get("msg_text"), get("channel"), timestamp=at
    ),
    "chat_session_message_delivered": lambda get, at: e.MessageDelivered(
        get("ref_msg_id"), get("party_id"), timestamp=at
    ),
    "chat_session_message_read": lambda get, at: e.MessageRead(
        get("ref_msg_id"), get("party_id"), timestamp=at
    ),
    "chat_session_typing": lambda get, at: e.Typing(get("party_id"), timestamp=at),
    "chat_session_not_typing": lambda get, at: e.NotTyping(get("party_id"), timestamp=at),
    "chat_session_form_show": lambda get, at: e.FormShow(
        get("form_request_id"),
        get("form_name"),
        float(get("form_timeout")),
        get("channel"),
        timestamp=at,
    ),
    "chat_session_form_data": lambda get, at: e.FormData(
        get("form_request_id"), get("form_name"), timestamp=at
    ),
    "chat_session_timeout_warning": lambda get, at: e.TimeoutWarning(
        get("msg"), get("msg_text"), timestamp=at
    ),
    "chat_session_inactivity_timeout": lambda get, at: e.InactivityTimeout(
        get("msg"), get("msg_text"), timestamp=at
    ),
    "chat_session_file": lambda get, at: e.File(
        get("file_id"),
        get("file_type"),
        get("file_name"),
        get("msg_id"),
        get("party_id"),
        timestamp=at,
    ),
}
