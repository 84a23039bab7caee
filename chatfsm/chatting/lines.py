"""What a line that somebody typed means: something to say, or an order that begins with a slash."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from chatfsm.errors import ChatError

__all__ = ["HELP", "Line", "LineError", "line_of"]

# Each order, what it takes, and what it does.
_ORDERS: Final = (
    ("file", "PATH", "share a file"),
    ("get", "FILE_ID PATH", "download a file that was shared; an existing one is not replaced"),
    ("cancel", "", "refuse the form that is being asked"),
    ("call", "", "ask for a call; there is no sound in a terminal"),
    ("hangup", "", "end the call, or decline it"),
    ("resume", "", "go on after the credentials were refused"),
    ("disconnect", "", "end the conversation; a survey may follow"),
    ("end", "", "end the chat"),
    ("quit", "", "leave; the chat goes on, see --state"),
    ("help", "", "show this"),
)
# How many words each takes; the last one is the rest of the line, so that paths may hold blanks.
_TAKES: Final = {name: len(takes.split()) for name, takes, _ in _ORDERS}

HELP: Final = (
    *(f"/{f'{name} {takes}':<18} {what}" for name, takes, what in _ORDERS),
    "//text             say a text that begins with a slash",
)
"""The orders, a line each."""


class LineError(ChatError):
    """A line that means nothing; the text says why."""


@frozen
class Line:
    """What was typed: an order and what it takes, or, with an empty order, a text to say."""

    order: str
    words: tuple[str, ...]


def line_of(text: str) -> Line:
    """What a line means. Raises `LineError`."""
    if not text.startswith("/"):
        return Line("", (text,))
    if text.startswith("//"):
        return Line("", (text[1:],))
    name, _, rest = text[1:].strip().partition(" ")
    if name not in _TAKES:
        raise LineError(f"there is no /{name}: /help shows what there is")
    words = tuple(rest.split(maxsplit=_TAKES[name] - 1)) if rest and _TAKES[name] else ()
    if len(words) != _TAKES[name] or (rest.strip() and not _TAKES[name]):
        takes = next(takes for order, takes, _ in _ORDERS if order == name)
        raise LineError(f"/{name} takes {takes or 'nothing'}")
    return Line(name, words)
