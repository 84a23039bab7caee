"""What one JSON value of a log holds: items, each with the chat that the log says it is of."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any

from chatfsm.errors import DecodeError
from chatfsm.protocol import json_text
from chatfsm.protocol.events import Malformed
from chatfsm.protocol.readers import word
from chatfsm.recording.entries import entry_of

__all__ = ["Heard", "items_of", "items_of_line", "take_chat_id"]

Heard = Iterator[tuple[str | None, object]]
"""Items as they came, or entries of a journal, and the chats that the log says they are of."""


def items_of_line(line: bytes) -> tuple[Heard | None, str]:
    """The items of a line; else why there are none. Raises `JournalLineError`."""
    try:
        return items_of(json_text.parse(line)), "neither an event nor an envelope of events"
    except DecodeError as error:
        return None, str(error)


def items_of(value: object, chat_id: str | None = None) -> Heard | None:
    """The items in one JSON value; None where it is of no known shape.

    Raises `JournalLineError` for a line of a journal that cannot be used.
    """
    if isinstance(value, list):
        return _from_items(value, chat_id)
    return _from_object(value, chat_id) if isinstance(value, dict) else None


def take_chat_id(item: dict[str, Any]) -> str | None:
    """Take the chat's id off an item, so that the event is as the server said it."""
    try:
        chat_id = word(item.get("chat_id"))
    except ValueError:
        return None
    if chat_id is not None:
        del item["chat_id"]
    return chat_id


def _from_object(value: dict[str, Any], chat_id: str | None) -> Heard | None:
    if "event" in value:
        return _from_items([value], chat_id)
    entry = entry_of(value)
    if entry is not None:
        return iter([(entry.chat_id, entry)])
    chat_id = take_chat_id(value) or chat_id
    if isinstance(value.get("events"), list):
        return _from_items(value["events"], chat_id)
    if isinstance(value.get("sessions"), list):
        return chain.from_iterable(_session(item) for item in value["sessions"])
    return None


def _session(item: object) -> Heard:
    """One session of a case history."""
    found = items_of(item) if isinstance(item, dict) and "events" in item else None
    if found is None:
        return iter([(None, Malformed(None, item, "no session of a case history"))])
    return found


def _from_items(items: list[Any], chat_id: str | None) -> Heard:
    for item in items:
        own = take_chat_id(item) if isinstance(item, dict) else None
        yield own or chat_id, item
