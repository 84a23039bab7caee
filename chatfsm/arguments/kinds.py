"""What the words of a command line may be, and what is said where they are not."""

from __future__ import annotations

import argparse
from math import isfinite
from typing import Final

from chatfsm.recording.findings import FINDINGS

__all__ = [
    "MOST_JOBS",
    "finding",
    "form",
    "jobs",
    "port",
    "rows",
    "seconds",
    "speed",
    "text",
    "whole",
]

MOST_JOBS: Final = 64
"""More processes than any machine has use for; each takes 30 MB."""
_LAST_PORT: Final = 65_535
# Beyond these a hold of fifteen seconds takes hours, or is shorter than a look at the clock.
_SLOWEST: Final = 0.001
_FASTEST: Final = 10_000.0


def text(word: str) -> str:
    """A text that is not empty."""
    if not word:
        raise argparse.ArgumentTypeError("must not be empty")
    return word


def seconds(word: str) -> float:
    """Seconds, more than none."""
    try:
        found = float(word)
    except ValueError:
        found = -1.0
    if not isfinite(found) or found <= 0:
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of seconds, more than 0")
    return found


def rows(word: str) -> int:
    """How many rows, or 0 for all."""
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number, 0 or more")
    return int(word)


def jobs(word: str) -> int:
    """How many processes."""
    if not word.isdecimal() or not 1 <= int(word) <= MOST_JOBS:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number from 1 to {MOST_JOBS}")
    return int(word)


def finding(word: str) -> tuple[str, ...]:
    """Kinds of findings, with commas between them."""
    named = tuple(kind.strip() for kind in word.split(","))
    for kind in named:
        if kind not in {*FINDINGS, "any"}:
            names = ", ".join((*FINDINGS, "any"))
            raise argparse.ArgumentTypeError(f"{kind!r} is none of {names}")
    return FINDINGS if "any" in named else named


def form(word: str) -> tuple[str, tuple[str, ...]]:
    """The name of a form, and its fields."""
    name, equals, fields = word.partition("=")
    names = tuple(part.strip() for part in fields.split(","))
    if not name.strip() or not equals or not all(names) or len({*names}) != len(names):
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=FIELD,FIELD")
    return name.strip(), names


def port(word: str) -> int:
    """A port, or 0 for one that is free."""
    if not word.isdecimal() or int(word) > _LAST_PORT:
        raise argparse.ArgumentTypeError(f"{word!r} is not a port, 0 to {_LAST_PORT}")
    return int(word)


def whole(word: str) -> int:
    """A whole number, of either sign."""
    if not word.removeprefix("-").isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number")
    return int(word)


def speed(word: str) -> float:
    """How many times as fast as the clock on the wall."""
    try:
        found = float(word)
    except ValueError:
        found = -1.0
    if not _SLOWEST <= found <= _FASTEST:
        raise argparse.ArgumentTypeError(
            f"{word!r} is not a number from {_SLOWEST:g} to {_FASTEST:g}"
        )
    return found
