"""What requests bring as JSON: read with care, and refused with 5003."""

from __future__ import annotations

from typing import Any, Final

from chatfsm.errors import DecodeError
from chatfsm.protocol import json_text, readers
from chatfsm.simulator.errors import RefusedError
from chatfsm.simulator.settings import CenterSettings

__all__ = ["events_in", "object_in"]

_UNREADABLE: Final = "5003"
# The fields that name something: texts or whole numbers, no longer than ids are.
_IDS: Final = ("msg_id", "ref_msg_id", "form_request_id", "file_id", "destination_party_id")


def object_in(body: bytes, settings: CenterSettings) -> dict[str, Any]:
    """The object that a body is, or none where it is empty. Raises `RefusedError`."""
    if len(body) > settings.max_body:
        raise RefusedError(_UNREADABLE)
    if not body.strip():
        return {}
    try:
        value = json_text.parse(body)
    except DecodeError:
        raise RefusedError(_UNREADABLE) from None
    # Deeper than anything that is said, and than what the history could be written with.
    if not isinstance(value, dict) or readers.deeper_than(readers.DEEPEST, value):
        raise RefusedError(_UNREADABLE)
    return value


def events_in(body: bytes, settings: CenterSettings) -> list[dict[str, Any]]:
    """The customer's events in a body: all of them, or `RefusedError`."""
    events = object_in(body, settings).get("events")
    if not isinstance(events, list) or len(events) > settings.max_events:
        raise RefusedError(_UNREADABLE)
    for event in events:
        if not isinstance(event, dict) or not _is_name(event.get("event")):
            raise RefusedError(_UNREADABLE)
        if not all(_is_id(event[name]) for name in _IDS if name in event):
            raise RefusedError(_UNREADABLE)
    return events


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= readers.LONGEST_ID


def _is_id(value: object) -> bool:
    if value is None:
        return True
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        return False
    return len(str(value)) <= readers.LONGEST_ID
