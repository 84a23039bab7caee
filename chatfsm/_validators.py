"""Validators of attrs fields; their errors name the field, the allowed range and the value.

A wrong type raises TypeError, a wrong value ValueError. Of free text, errors show the type only: it
may be a message or a secret.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Final

from attrs import Attribute
from attrs.validators import optional

__all__ = [
    "LARGEST_FLOAT",
    "OPTIONAL_TEXT",
    "Validator",
    "count",
    "degrees",
    "flag",
    "non_empty_text",
    "number",
    "one_of",
    "seconds",
    "text",
]

LARGEST_FLOAT: Final = 1.7976931348623157e308
_LONGEST_SHOWN: Final = 40  # characters of a value in an error

Validator = Callable[[Any, "Attribute[Any]", Any], None]


def text(_instance: object, attribute: Attribute[Any], value: object) -> None:
    """Refuse everything but a str."""
    if not isinstance(value, str):
        raise TypeError(f"{attribute.name} must be a string, not {_type_of(value)}")


OPTIONAL_TEXT: Final = optional(text)
"""Refuses everything but a str and None."""


def non_empty_text(_instance: object, attribute: Attribute[Any], value: object) -> None:
    """Refuse everything but a str with at least one character; raises ValueError."""
    if not isinstance(value, str) or not value:
        shown = repr(value) if value == "" else _type_of(value)
        raise ValueError(f"{attribute.name} must be a non-empty string, not {shown}")


def flag(_instance: object, attribute: Attribute[Any], value: object) -> None:
    """Refuse everything but a bool."""
    if not isinstance(value, bool):
        raise TypeError(f"{attribute.name} must be True or False, not {_type_of(value)}")


def one_of(*choices: object) -> Validator:
    """Return a validator that refuses everything but these values; raises ValueError."""
    allowed = " or ".join(map(repr, choices))

    def check(_instance: object, attribute: Attribute[Any], value: object) -> None:
        if not any(value.__class__ is choice.__class__ and value == choice for choice in choices):
            raise ValueError(f"{attribute.name} must be {allowed}, not {_shown(value)}")

    return check


def count(_instance: object, attribute: Attribute[Any], value: object) -> None:
    """Refuse everything but an int of 1 or more."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{attribute.name} must be an integer, not {_type_of(value)}")
    if value < 1:
        raise ValueError(f"{attribute.name} must be 1 or more, not {_shown(value)}")


def number(
    unit: str,
    *,
    at_least: float = -LARGEST_FLOAT,
    more_than: float = -inf,
    at_most: float = LARGEST_FLOAT,
) -> Validator:
    """Return a validator of finite numbers in a range, in `unit`."""
    allowed = _range(at_least, more_than, at_most)

    def check(_instance: object, attribute: Attribute[Any], value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise TypeError(f"{attribute.name} must be a number of {unit}, not {_type_of(value)}")
        if not (at_least <= value <= at_most and value > more_than):
            is_finite = abs(value) <= LARGEST_FLOAT
            limits = allowed if is_finite or at_most < LARGEST_FLOAT else "a finite number of"
            raise ValueError(f"{attribute.name} must be {limits} {unit}, not {_shown(value)}")

    return check


def degrees(limit: float) -> Validator:
    """Return a validator of angles from -limit to limit."""
    return number("degrees", at_least=-limit, at_most=limit)


def seconds(
    *, at_least: float = -LARGEST_FLOAT, more_than: float = -inf, at_most: float = LARGEST_FLOAT
) -> Validator:
    """Return a validator of durations in a range."""
    return number("seconds", at_least=at_least, more_than=more_than, at_most=at_most)


def _range(at_least: float, more_than: float, at_most: float) -> str:
    if more_than > -inf:
        return f"greater than {more_than:g}"
    if at_most < LARGEST_FLOAT:
        return f"from {at_least:g} to {at_most:.10g}"
    return f"{at_least:g} or more"


def _type_of(value: object) -> str:
    return type(value).__name__


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:  # an int of more digits than Python writes
        return "an integer of thousands of digits"
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"
