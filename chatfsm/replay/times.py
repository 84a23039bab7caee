"""Times of logs: ISO 8601, or seconds, milliseconds or microseconds since 1970."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from math import isfinite, nan
from typing import Any, Final

from chatfsm._protocol.names import RECEIVED_FIELDS

__all__ = [
    "RECEIVED_FIELDS",
    "UNREADABLE",
    "WRAPPER_FIELDS",
    "leading_time",
    "pop_time",
    "read_time",
]

WRAPPER_FIELDS: Final = (*RECEIVED_FIELDS, "time", "timestamp", "ts")
"""The same for the fields around an event, among which the last three are not the server's."""

UNREADABLE: Final = nan
"""Stands for a time that is given and cannot be read: not a number, known by its identity."""

# From these on a number is in milliseconds, in microseconds, or no time: all are the year 5138.
_MILLISECONDS: Final = 1e11
_MICROSECONDS: Final = 1e14
_TOO_LATE: Final = 1e17
_LONGEST: Final = 64
# A date and a time at the beginning of a line, possibly after the name of a container.
_LEADING_TIME: Final = re.compile(
    r"^.{0,256}?(?<!\d)(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?"
    r"(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?)(?!\d)"
)


def read_time(value: object) -> float | None:
    """Return seconds since 1970; None for an empty value, `UNREADABLE` for one that is no time.

    `value`: a number, a text, or a `datetime`. A time without a time zone is in UTC.
    """
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return _seconds_of(value)
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return UNREADABLE
    try:
        return _seconds_in(float(value))
    except (ValueError, OverflowError):
        return _read_text(value) if isinstance(value, str) else UNREADABLE


def pop_time(item: dict[str, Any], fields: Iterable[str]) -> float | None:
    """Remove the first of some fields that an object has, and return its time."""
    for name in fields:
        if name in item:
            return read_time(item.pop(name))
    return None


def leading_time(line: str) -> float | None:
    """The time at the beginning of a line of a text; None if there is none."""
    found = _LEADING_TIME.match(line)
    at = None if found is None else read_time(found[1])
    return None if at is UNREADABLE else at


def _seconds_in(number: float) -> float:
    """Seconds since 1970, from a number that may be in smaller units."""
    if not isfinite(number) or not 0 <= number < _TOO_LATE:
        return UNREADABLE
    if number >= _MICROSECONDS:
        return number / 1e6
    return number / 1e3 if number >= _MILLISECONDS else number


def _read_text(text: str) -> float:
    text = text.strip().removesuffix(" UTC")
    if len(text) > _LONGEST:
        return UNREADABLE
    try:
        return _seconds_of(datetime.fromisoformat(text.replace(" +", "+").replace(" -", "-")))
    except ValueError:
        return UNREADABLE


def _seconds_of(time: datetime) -> float:
    try:
        found = (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return UNREADABLE
    return found if found >= 0 else UNREADABLE
