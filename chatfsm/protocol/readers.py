"""How one value of the wire is read: a reader takes what came and gives what the event holds.

None means that the value says nothing (null, or "" where an empty value means missing). A value
that cannot be used raises ValueError, and the codec keeps it as it came. Readers know no names
of fields: those live in the codec alone.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Final, TypeVar

from chatfsm.errors import DecodeError
from chatfsm.protocol import json_text

Read = TypeVar("Read")

# Ids and names are remembered by sessions, so their length is part of what bounds the memory.
# Real ids have 36 characters at most and real names fewer than 100.
LONGEST_ID: Final = 1_024
LONGEST_NAME: Final = 4_096

# Under 10^11 a timestamp counts seconds, from there on milliseconds; both end in the year 5138.
FIRST_MILLISECONDS: Final = 1e11
_LAST_MILLISECONDS: Final = 1e14

# json.loads stops at about a thousand levels; what is kept and compared must stay well below.
DEEPEST: Final = 32


def text(value: object) -> str | None:
    """Any text; a number is taken as its digits."""
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _digits(value)
    raise ValueError("is not text")


def word(value: object) -> str | None:
    """A text in which "" means missing, no longer than an id."""
    found = text(value)
    if found is not None and len(found) > LONGEST_ID:
        raise ValueError(f"is longer than {LONGEST_ID} characters")
    return found or None


def name(value: object) -> str | None:
    """What a person, form or service is called; "" stays ""."""
    found = text(value)
    if found is not None and len(found) > LONGEST_NAME:
        raise ValueError(f"is longer than {LONGEST_NAME} characters")
    return found


def number(value: object) -> float | None:
    """A finite number, as a number or as text."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise ValueError("is not a number")
    try:
        found = float(value)
    except (ValueError, OverflowError):
        raise ValueError("is not a number") from None
    if not isfinite(found):
        raise ValueError("is not a finite number")
    return found


def seconds(value: object) -> float | None:
    """A length of time in seconds, 0 or more."""
    found = number(value)
    if found is not None and found < 0:
        raise ValueError("is negative")
    return found


def timestamp(value: object) -> float | None:
    """A moment in seconds since 1970, from seconds or milliseconds, as a number or as text.

    The specification says milliseconds, captured traffic has strings of seconds (PROTOCOL.md §2).
    """
    found = seconds(value)
    if found is None or found < FIRST_MILLISECONDS:
        return found
    if found < _LAST_MILLISECONDS:
        return found / 1000
    raise ValueError("is no time that a chat can have")


def whole(value: object) -> int | None:
    """A whole number, as a number or as text (sdpMLineIndex comes as both)."""
    found = number(value)
    if found is None:
        return None
    if not found.is_integer():
        raise ValueError("is not a whole number")
    return int(found)


def flag(value: object) -> bool | None:
    """A truth value, as such or as "true" and "false" (offerVideo, is_new_chat)."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        lowered = value.lower()
        if lowered in {"true", "false"}:
            return lowered == "true"
        if not value:
            return None
    raise ValueError("is neither true nor false")


def dropped(_value: object) -> None:
    """Whatever it is, it is not kept (what the customer filled in)."""


def last_word(event: object) -> str:
    """What the name of an event ends with."""
    return str(event).rpartition("_")[2]


def is_secure(event: object) -> bool:
    """Whether an event is, by its name, about a secure form."""
    return "_secure_" in str(event)


def json_object(value: object) -> dict[str, object]:
    """An object, or a JSON text of one (signaling `data` is documented as a text)."""
    if isinstance(value, str):
        try:
            value = json_text.parse(value)
        except DecodeError:
            raise ValueError("is not the JSON text of an object") from None
    if not isinstance(value, dict):
        raise ValueError("is not an object")
    return value


def or_none(reader: Callable[[object], Read | None], value: object) -> Read | None:
    """What a reader makes of a value; None where it cannot use it."""
    try:
        return reader(value)
    except ValueError:
        return None


def deeper_than(levels: int, value: object) -> bool:
    """Whether lists and objects are nested in `value` more than so many levels deep."""
    if isinstance(value, dict):
        inner = value.values()
    elif isinstance(value, (list, tuple)):
        inner = value  # type: ignore[assignment]  # both are iterated, nothing more
    else:
        return False
    return levels == 0 or any(deeper_than(levels - 1, item) for item in inner)


def _digits(value: float) -> str:
    if isinstance(value, float):
        if not isfinite(value):
            raise ValueError("is not a finite number")
        if value.is_integer():
            return str(int(value))
    try:
        return str(value)
    except ValueError:  # an int of more digits than str() writes
        raise ValueError("is a number too long to write") from None
