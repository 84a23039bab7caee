"""Ways to write values as JSON and to read them again: what a snapshot is made of.

By hand, since each field of a session is written and read one by one: cattrs takes twice as long,
and needs a further walk that moves what it has written to another clock. What a way's `write`
would not have written its `read` refuses, by whatever exception is at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import fsum, isfinite
from operator import attrgetter
from typing import Any, Final, NamedTuple

from attrs import fields

from chatfsm._plain import json_safe
from chatfsm._session.duplicates import SHORT
from chatfsm._session.state import Fingerprint, MessageKey, Scope

__all__ = [
    "Way",
    "by_name",
    "content",
    "flag",
    "listed",
    "maybe",
    "moment",
    "number",
    "one_of",
    "record",
    "row",
    "seen",
    "stamp",
    "text",
    "unread",
    "whole",
]


class Way(NamedTuple):
    """How a value is written at a moment `now`, and read at another, on whatever clock."""

    write: Callable[[Any, float], Any]
    read: Callable[[Any, float], Any]


def _as_it_is(value: Any, _now: float) -> Any:
    """Of what is JSON already; known by sight, so that it need not be called."""
    return value


def _text(held: Any, _now: float) -> str:
    if not isinstance(held, str):
        raise TypeError("is no text")
    return held


def _flag(held: Any, _now: float) -> bool:
    if not isinstance(held, bool):
        raise TypeError("is neither true nor false")
    return held


def _whole(held: Any, _now: float) -> int:
    if not isinstance(held, int) or isinstance(held, bool):
        raise TypeError("is no whole number")
    return held


def _number(held: Any, _now: float) -> float:
    if isinstance(held, bool) or not isfinite(held):
        raise ValueError("is no finite number")
    return held  # type: ignore[no-any-return]


def _left(at: float, now: float) -> list[float]:
    """How far off a moment is: seconds, and what was lost in rounding them.

    The three together, `now` and these two, add up to that very moment again.
    """
    left = at - now
    back = at - left
    lost = (at - (left + back)) - (now - back)
    return [left, lost]


def _moment(held: Any, now: float) -> float:
    left, lost = held
    return fsum((now, left, lost))


def _stamp_written(at: float, _now: float) -> float | str:
    return at if isfinite(at) else str(at)


def _stamp(held: Any, now: float) -> float:
    return float(held) if held == "inf" else _number(held, now)


def _unread_written(value: object, _now: float) -> Any:
    return json_safe(value)


def _unread(held: Any, _now: float) -> Any:
    if not isinstance(held, dict):
        raise TypeError("is no object")
    return json_safe(held)


text: Final = Way(_as_it_is, _text)
flag: Final = Way(_as_it_is, _flag)
whole: Final = Way(_as_it_is, _whole)
number: Final = Way(_as_it_is, _number)
moment: Final = Way(_left, _moment)
"""On the session's clock: travels as seconds from `now`."""
stamp: Final = Way(_stamp_written, _stamp)
"""On the server's clock: infinite where the server did not say."""
unread: Final = Way(_unread_written, _unread)
"""An object from the wire or for it, whatever it holds."""


def one_of(words: Iterable[str]) -> Way:
    """One of so many words."""
    known = {word: word for word in words}
    return Way(_as_it_is, lambda held, _now: known[held])


def maybe(way: Way) -> Way:
    """The same, or None."""
    write, read = way

    def written(value: Any, now: float) -> Any:
        return value if value is None else write(value, now)

    return Way(written, lambda held, now: None if held is None else read(held, now))


def listed(way: Way) -> Way:
    """Several of a kind: a tuple, which JSON does not have."""
    write, read = way

    def written(values: tuple[Any, ...], now: float) -> list[Any]:
        return [*values] if write is _as_it_is else [write(value, now) for value in values]

    return Way(written, lambda held, now: tuple([read(value, now) for value in held]))


def by_name(way: Way) -> Way:
    """A dict whose order means something, which JSON does not promise to keep: a list of pairs."""
    write, read = way

    def written(values: dict[str, Any], now: float) -> list[list[Any]]:
        return [[name, write(value, now)] for name, value in values.items()]

    return Way(
        written,
        lambda held, now: {_text(name, now): read(value, now) for name, value in held},
    )


def record(cls: type, **ways: Way) -> Way:
    """An attrs class by the names of its fields; what is as in a fresh one is left out."""
    fresh = {known.name: _usual(known.default) for known in fields(cls)}
    table = [(name, fresh[name], way.write) for name, way in ways.items()]
    readers = {name: way.read for name, way in ways.items()}
    values_of = attrgetter(*ways)

    def written(value: Any, now: float) -> dict[str, Any]:
        return {
            name: held if write is _as_it_is else write(held, now)
            for (name, usual, write), held in zip(table, values_of(value), strict=True)
            if held is not usual and held != usual
        }

    def read(held: Any, now: float) -> Any:
        return cls(**{name: readers[name](value, now) for name, value in held.items()})

    return Way(written, read)


def row(cls: type) -> Way:
    """A small attrs class of texts: all of them in their order, each but the first may be None.

    A party with names takes twice the time of one without, and every session has some.
    """
    names = [known.name for known in fields(cls)]
    values_of = attrgetter(*names)

    def read(held: Any, now: float) -> Any:
        for value in held:
            if value is not None and not isinstance(value, str):
                raise TypeError("is neither a text nor null")
        if held.__class__ is not list or len(held) != len(names):
            raise ValueError("has other parts")
        return cls(_text(held[0], now), *held[1:])

    return Way(lambda value, _now: [*values_of(value)], read)


def _usual(default: Any) -> Any:
    """What a field holds by default; one that must be given equals nothing of that."""
    make = getattr(default, "factory", None)
    return default if make is None or default.takes_self else make()


_DIGEST: Final = "the digest of a longer text, in hexadecimal: "
# The id of a party may be a content, too, and be longer than what people wrote.
_LONG: Final = "as it came: "


def _content_written(held: Fingerprint, _now: float = 0.0) -> str:
    if isinstance(held, bytes):
        return _DIGEST + held.hex()
    return held if len(held) <= SHORT else _LONG + held


def _content(held: Any, now: float = 0.0) -> Fingerprint:
    if held[: len(_DIGEST)] == _DIGEST:
        return bytes.fromhex(held[len(_DIGEST) :])
    if len(text.read(held, now)) <= SHORT:
        return str(held)
    if not held.startswith(_LONG):
        raise ValueError("is neither as it came nor a digest")
    return str(held[len(_LONG) :])


def _seen_written(seen: dict[Scope, dict[MessageKey, Fingerprint]], _now: float) -> list[list[Any]]:
    return [
        [
            speaker if speaker.__class__ is str else _speaker_written(speaker),
            [name if name.__class__ is str else _name_written(name) for name in names],
            [
                held if held.__class__ is str and len(held) <= SHORT else _content_written(held)
                for held in names.values()
            ],
        ]
        for speaker, names in seen.items()
    ]


def _seen(held: Any, _now: float) -> dict[Scope, dict[MessageKey, Fingerprint]]:
    seen: dict[Scope, dict[MessageKey, Fingerprint]] = {}
    for speaker, names, contents in held:
        "".join(contents)  # TypeError where one is no text
        ids = dict(zip(_names(names), contents, strict=True))
        for name, known in ids.items():
            if len(known) > SHORT:
                ids[name] = _content(known)
        seen[speaker if speaker.__class__ is str else _speaker(speaker)] = ids
    return seen


def _names(held: Any) -> Any:
    """Nearly always texts, and to join them is the fastest way to be sure."""
    try:
        "".join(held)
    except TypeError:
        return [_name(name) for name in held]
    return held


content: Final = Way(_content_written, _content)
seen: Final = Way(_seen_written, _seen)


def _speaker_written(speaker: Any) -> Any:
    return [*speaker] if isinstance(speaker, tuple) else speaker


def _speaker(held: Any) -> Any:
    kind, who = held if isinstance(held, list) else ("", held)
    who = _who(who, 0.0)
    return (text.read(kind, 0.0), who) if kind else who


_who: Final = maybe(text).read
_at: Final = maybe(number).read


def _name_written(name: Any) -> Any:
    """An id that came again, and its further content; or None, the content and the time."""
    if not isinstance(name, tuple):
        return name
    msg_id, held, *at = name
    return [msg_id, _content_written(held), *at]


def _name(held: Any) -> MessageKey:
    if isinstance(held, list):
        msg_id, known, *rest = held
        if msg_id is None:
            (at,) = rest
            return None, _content(known), _at(at, 0.0)
        if rest:
            raise ValueError("is neither an id of before nor none")
        return str(text.read(msg_id, 0.0)), _content(known)
    return str(text.read(held, 0.0))
