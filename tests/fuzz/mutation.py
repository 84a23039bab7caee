"""Mutation of lines of JSON to another input, most of whose lines are JSON.

A fuzzer that changes single bytes spends its time on texts that are not JSON. This one changes
values, names and lines; the worker gives every third input to the fuzzer's own mutator.
"""

from __future__ import annotations

import json
import random
from copy import deepcopy
from typing import Any, Final

from chatfsm._protocol import codec
from chatfsm._session.tables import STATUS_STATES

__all__ = ["WORDS", "mutate"]

WORDS: Final = sorted(
    {
        *codec.EVENTS,
        *(name for name in codec.SIGNALS if name),
        *(name for schema in codec.SCHEMAS.values() for field in schema for name in field.names),
        *STATUS_STATES,
        *("events", "sessions", "chat_id", "error_code", "5005", "5509", "scenario", "internal"),
        *("v", "in", "out", "refused", "journal", "seq", "at", "settings", "token", "is_new_chat"),
        *("value", "fields", "drop", "add", "input", "complete", "raw", "why"),
    }
)
"""Names and words of the protocol and of chatfsm's own formats."""

_ODD: Final = (
    *(None, True, False, 0, 1, -1, 1.5, -0.0, 1e308, float("nan"), float("inf"), 10**18, 2**64),
    *(
        "",
        "0",
        "1",
        "-1",
        "1e999",
        "true",
        "NaN",
        " ",
        "..",
        "/",
        "\0",
        "\ud800",
        "\u202e",
        "9" * 30,
    ),
    *(
        "x" * 1_025,
        "n" * 4_097,
        "<br>",
        "a" * 65,
        "\n",
        '"',
        "\\",
        [],
        {},
        [[]],
        [{}],
        {"event": 1},
    ),
)
# Depths of nested lists in place of a value.
_DEPTHS: Final = (2, 31, 33, 200)

Path = tuple[Any, ...]


def mutate(data: bytes, max_size: int, rng: random.Random) -> bytes:
    """Return another input of at most `max_size` bytes, by one to four changes."""
    lines = data.split(b"\n")
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(lines))
        match rng.randrange(12):
            case 0:
                lines.insert(rng.randrange(len(lines) + 1), lines[at])
            case 1 if len(lines) > 1:
                del lines[at]
            case 2:
                other = rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                lines[at] = _with_other_bytes(lines[at], rng)
            case _:
                lines[at] = _changed_line(lines[at], lines, rng)
    return b"\n".join(lines)[:max_size]


def _with_other_bytes(line: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(line) + 1)
    piece = rng.choice((b"", b"[", b"]", b"{", b"}", b",", b"\xff", b"\x00", b"\r", b"\x1e", b"9"))
    piece *= rng.choice((1, 1, 1, 40, 2_000))
    return line[:at] + piece + line[at + rng.randrange(3) :]


def _changed_line(line: bytes, lines: list[bytes], rng: random.Random) -> bytes:
    """Change a value of the JSON in a line, without the text before the JSON."""
    start = min((at for at in (line.find(b"{"), line.find(b"[")) if at >= 0), default=-1)
    value = _parsed(line[start:]) if start >= 0 else None
    if value is None:
        return _with_other_bytes(line, rng)
    donor = _donor(lines, rng)
    try:
        text = json.dumps(_changed(value, donor, rng), ensure_ascii=rng.random() < 0.8)
    except RecursionError:  # the value was deep already
        return _with_other_bytes(line, rng)
    return line[:start] + text.encode("utf-8", "surrogatepass")


def _donor(lines: list[bytes], rng: random.Random) -> Any:
    line = rng.choice(lines)
    start = line.find(b"{")
    return _parsed(line[start:]) if start >= 0 else None


def _parsed(text: bytes) -> Any:
    try:
        value = json.loads(text.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, (dict, list)) else None


def _paths(value: Any, path: Path = ()) -> list[Path]:
    found = [path]
    if len(path) < 12 and isinstance(value, (dict, list)):
        for key, held in value.items() if isinstance(value, dict) else enumerate(value):
            found += _paths(held, (*path, key))
    return found


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value[key]
    return value


def _changed(value: Any, donor: Any, rng: random.Random) -> Any:
    """Return a JSON value with one place changed; a change at the top returns a new value."""
    path = rng.choice(_paths(value))
    held = _at(value, path)
    how = rng.randrange(4)
    if isinstance(held, dict) and how:
        if how == 1 and held:
            del held[rng.choice([*held])]
        else:
            held[rng.choice(WORDS)] = _value(held, donor, rng)
    elif isinstance(held, list) and how:
        if how == 1 and held:
            del held[rng.randrange(len(held))]
        elif how == 2 and held:
            held.insert(rng.randrange(len(held) + 1), rng.choice(held))
        else:
            held.append(_value(held, donor, rng))
    elif path:
        _at(value, path[:-1])[path[-1]] = _value(held, donor, rng)
    else:
        return rng.choice(([value], {"events": value}, {"events": [value]}, [value, value]))
    return value


def _value(held: Any, donor: Any, rng: random.Random) -> Any:
    """Return a new value for a place with the value `held`."""
    how = rng.randrange(10)
    if how < 3:
        return rng.choice(_ODD)
    if how < 5:
        return rng.choice(WORDS)
    if how == 5:
        return str(rng.randrange(12))
    if how == 6 and donor is not None:
        return deepcopy(_at(donor, rng.choice(_paths(donor))))
    if how == 7:
        return _nested(rng.choice(_DEPTHS))
    if isinstance(held, bool):
        return not held
    if isinstance(held, int):
        return held + rng.choice((-1, 1, 1_000, -1_000_000))
    if isinstance(held, float):
        return held * rng.choice((-1.0, 0.5, 1e3, 1e200))
    if isinstance(held, str) and held:
        at = rng.randrange(len(held))
        return held[:at] + rng.choice(("", "x", "\ud83d", "é", ":", "9")) + held[at + 1 :]
    return rng.randrange(100)


def _nested(depth: int) -> Any:
    value: Any = 1
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value
