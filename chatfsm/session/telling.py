"""What was told before, in a snapshot: the greatest part of it, and nearly all of it is texts.

Of each speaker the ids and the contents stand side by side: there may be thousands. JSON has
neither tuples, which are lists there, nor bytes: a digest is a text that says so, and is longer
than any content that stands there as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from chatfsm.session.identity import SHORT
from chatfsm.session.state import Content, Name, Speaker
from chatfsm.session.ways import Way, maybe, number, text

__all__ = ["content", "texts_in", "told"]

_DIGEST: Final = "the digest of a longer text, in hexadecimal: "
# The id of a party may be a content, too, and be longer than what people wrote.
_LONG: Final = "as it came: "


def _content_written(held: Content, _now: float = 0.0) -> str:
    if isinstance(held, bytes):
        return _DIGEST + held.hex()
    return held if len(held) <= SHORT else _LONG + held


def _content(held: Any, now: float = 0.0) -> Content:
    if held[: len(_DIGEST)] == _DIGEST:
        return bytes.fromhex(held[len(_DIGEST) :])
    if len(text.read(held, now)) <= SHORT:
        return str(held)
    if not held.startswith(_LONG):
        raise ValueError("is neither as it came nor a digest")
    return str(held[len(_LONG) :])


def _told_written(told: dict[Speaker, dict[Name, Content]], _now: float) -> list[list[Any]]:
    return [
        [
            speaker if speaker.__class__ is str else _speaker_written(speaker),
            [name if name.__class__ is str else _name_written(name) for name in names],
            [
                held if held.__class__ is str and len(held) <= SHORT else _content_written(held)
                for held in names.values()
            ],
        ]
        for speaker, names in told.items()
    ]


def _told(held: Any, _now: float) -> dict[Speaker, dict[Name, Content]]:
    told: dict[Speaker, dict[Name, Content]] = {}
    for speaker, names, contents in held:
        "".join(contents)  # TypeError where one is no text
        ids = dict(zip(_names(names), contents, strict=True))
        for name, known in ids.items():
            if len(known) > SHORT:
                ids[name] = _content(known)
        told[speaker if speaker.__class__ is str else _speaker(speaker)] = ids
    return told


def _names(held: Any) -> Any:
    """Nearly always texts, and to join them is the fastest way to be sure."""
    try:
        "".join(held)
    except TypeError:
        return [_name(name) for name in held]
    return held


content: Final = Way(_content_written, _content)
told: Final = Way(_told_written, _told)


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


def _name(held: Any) -> Name:
    if isinstance(held, list):
        msg_id, known, *rest = held
        if msg_id is None:
            (at,) = rest
            return None, _content(known), _at(at, 0.0)
        if rest:
            raise ValueError("is neither an id of before nor none")
        return str(text.read(msg_id, 0.0)), _content(known)
    return str(text.read(held, 0.0))


def texts_in(rows: Any, as_text: Callable[[Any], str]) -> Iterator[str]:
    """What the digest of a snapshot takes of it: the texts themselves, where there is no more.

    JSON of them takes five times as long, and is needed where somebody has no id, say.
    """
    for row in rows:
        try:
            yield _joined(*row)
        except TypeError:
            yield as_text(row)


def _joined(speaker: Any, names: Any, contents: Any) -> str:
    if not names.__class__ is contents.__class__ is list:
        raise TypeError("are no lists")
    return "\0".join([speaker, str(len(names)), *names, *contents])
