"""Items: the parts of one JSON value of a log, each with what the log says of it.

A value is an event, a list of events, an envelope of events, a case history, or a line of a
journal. An item is one event of it, or the line of a journal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from chatfsm._protocol import json_input
from chatfsm._protocol.structuring import identifier
from chatfsm.errors import DecodeError, UnreadableLogError
from chatfsm.events import Malformed
from chatfsm.replay.journal import parse_journal_line
from chatfsm.replay.sources import Source
from chatfsm.replay.times import RECEIVED_FIELDS, pop_time

__all__ = [
    "MAX_EVENTS",
    "MAX_VALUES",
    "NOT_EVENTS",
    "Fields",
    "Item",
    "Items",
    "TooManyEventsError",
    "check_value_count",
    "items_in",
    "items_in_line",
    "items_in_sequence",
    "pop_chat_id",
    "received_fields",
    "value_count",
]

NOT_EVENTS: Final = "neither an event nor an envelope of events"
"""Why a value has no items."""
# Bounds of one line, and of one document: 4 million empty objects are 12 MB, and 11 KB as gzip.
MAX_EVENTS: Final = 100_000
MAX_VALUES: Final = 2_000_000


class TooManyEventsError(ValueError):
    """A line or a document has more than `MAX_EVENTS` events."""

    def __init__(self) -> None:
        super().__init__(f"more than {MAX_EVENTS:,} events: write one on each line")


def value_count(text: bytes) -> int:
    """The largest number of JSON values that a text can have."""
    return text.count(b",") + text.count(b"[") + text.count(b"{") + 1


def check_value_count(source: Source, place: int, line: bytes) -> None:
    """Raise `UnreadableLogError` if a line may have more than `MAX_VALUES` JSON values."""
    if len(line) >= MAX_VALUES and value_count(line) > MAX_VALUES:
        raise UnreadableLogError(f"{source.name}: line {place}: more than {MAX_VALUES:,} values")


Item = tuple[str | None, object, float | None]
"""A raw item or a line of a journal, between its chat_id and the time at which it was received."""
Items = Iterator[Item]
Fields = tuple[str, ...]
"""The fields that may have the time at which an item was received."""


def received_fields(source: Source) -> Fields:
    """The fields of the events and envelopes of a log with the time at which it received them."""
    return RECEIVED_FIELDS if source.received_at is None else (source.received_at,)


def items_in_line(line: bytes, fields: Fields = RECEIVED_FIELDS) -> tuple[Items | None, str]:
    """The items of a line, or None and the reason. Raises as `items_in` does."""
    try:
        return items_in(json_input.parse(line), fields), NOT_EVENTS
    except DecodeError as error:
        return None, str(error)


def items_in(
    value: object,
    fields: Fields = RECEIVED_FIELDS,
    chat_id: str | None = None,
    received_at: float | None = None,
) -> Items | None:
    """The items in one JSON value; None if its shape is unknown.

    `chat_id`, `received_at`: those of items without. Raises `JournalLineError` if the value is a
    line of a journal that cannot be used, and `TooManyEventsError`.
    """
    if isinstance(value, list):
        return _from_items(value, fields, chat_id, received_at)
    if isinstance(value, dict):
        return _from_object(value, fields, chat_id, received_at)
    return None


def items_in_sequence(text: bytes, fields: Fields = RECEIVED_FIELDS) -> tuple[list[Items], str]:
    """The items of each JSON value in a text with several, and the text after the last of them.

    No items if the first value has an unknown shape. Raises as `items_in` does.
    """
    values, rest = json_input.parse_sequence(text, MAX_EVENTS + 1)
    if len(values) > MAX_EVENTS:
        raise TooManyEventsError
    found: list[Items] = []
    for value in values:
        items = items_in(value, fields)
        if items is None and not found:
            return [], rest
        found.append(items or iter([(None, Malformed(None, value, NOT_EVENTS), None)]))
    return found, "" if rest.strip() == "]" else rest


def pop_chat_id(item: dict[str, Any]) -> str | None:
    """Remove the chat_id from an item and return it; the event is then as the server sent it."""
    try:
        chat_id = identifier(item.get("chat_id"))
    except ValueError:
        return None
    if chat_id is not None:
        del item["chat_id"]
    return chat_id


def _from_object(
    value: dict[str, Any], fields: Fields, chat_id: str | None, received_at: float | None
) -> Items | None:
    if "event" in value:
        return _from_items([value], fields, chat_id, received_at)
    entry = parse_journal_line(value)
    if entry is not None:
        return iter([(entry.chat_id, entry, entry.received_at)])
    if isinstance(value.get("events"), list):
        chat_id = pop_chat_id(value) or chat_id
        received_at = _popped_or(value, fields, received_at)
        return _from_items(value["events"], fields, chat_id, received_at)
    if isinstance(value.get("sessions"), list):
        return _from_sessions(value["sessions"], fields)
    return None


def _popped_or(value: dict[str, Any], fields: Fields, received_at: float | None) -> float | None:
    own = pop_time(value, fields)
    return received_at if own is None else own


def _from_sessions(sessions: list[Any], fields: Fields) -> Items:
    """The sessions of a case history."""
    found: list[Item] = []
    for session in sessions:
        is_session = isinstance(session, dict) and "events" in session
        items = items_in(session, fields) if is_session else None
        broken = Malformed(None, session, "no session of a case history")
        found += items or [(None, broken, None)]
        if len(found) > MAX_EVENTS:
            raise TooManyEventsError
    return iter(found)


def _from_items(
    items: list[Any], fields: Fields, chat_id: str | None, received_at: float | None
) -> Items:
    if len(items) > MAX_EVENTS:
        raise TooManyEventsError
    return _with_chat_ids(items, fields, chat_id, received_at)


def _with_chat_ids(
    items: list[Any], fields: Fields, chat_id: str | None, received_at: float | None
) -> Items:
    for item in items:
        own, at = None, received_at
        if isinstance(item, dict):
            own, at = pop_chat_id(item), _popped_or(item, fields, received_at)
        yield own or chat_id, item, at
