"""JSON lines to events, many at once."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from chatfsm import events as e
from chatfsm._protocol import json_input
from chatfsm._protocol.codec import NOT_TYPED, decode_text, fast_decode_all, typed_parser
from chatfsm.errors import DecodeError

if TYPE_CHECKING:
    from chatfsm._protocol.typed_lines import TypedLine, TypedParser

__all__ = ["decode_lines", "parse_typed"]

# More than 512 save no more time and take more memory.
LINES_AT_ONCE: Final = 512
# So many odd lines, more than there are others, until the rest is not tried.
_ODD_LINES: Final = 16


def decode_lines(data: bytes) -> list[e.Event]:
    """Return the events in JSON lines, in order; each line is one text for `decode`.

    A line that `decode` would refuse becomes a `Malformed`; blank lines are skipped. Never raises.
    """
    lines = _lines_of(data)
    events: list[e.Event] = []
    for start in range(0, len(lines), LINES_AT_ONCE):
        part = lines[start : start + LINES_AT_ONCE]
        found = _fast_decode_lines(part)
        if all(found):
            events += found
        else:
            for event, line in zip(found, part, strict=True):
                events += _decode_line(line) if event is None else (event,)
    return events


def _lines_of(data: bytes) -> list[bytes]:
    """Return the lines, which may keep their line feed; empty ones are left out."""
    if b"\0" in data:  # in UTF-16 and UTF-32 a line feed has several bytes
        return list(filter(None, data.split(b"\n")))
    lines = BytesIO(data).readlines()  # a quarter of the time of `split`
    return [line for line in lines if line != b"\n"] if b"\n" in lines else lines


class _Untyped:
    """Stands for a line that the general decoder has to read."""

    __slots__ = ()

    chat_id: Final = None

    def event(self) -> None:
        """Return no event."""


_UNTYPED: Final = _Untyped()


def parse_typed(lines: list[bytes], parse: TypedParser) -> list[TypedLine]:
    """Return what a typed parser makes of each line.

    If the general decoder has to read a line, it has no event. A failure takes twice the time of a
    success, so nothing more is tried if most lines are odd.
    """
    found: list[TypedLine] = []
    odd = 0
    for line in lines:
        try:
            found.append(parse(line))
        except NOT_TYPED:
            found.append(_UNTYPED)
            odd += 1
            if odd * 2 > len(found) + _ODD_LINES:
                return found + [_UNTYPED] * (len(lines) - len(found))
    return found


def _fast_decode_lines(lines: list[bytes]) -> list[Any]:
    """Return the event of each line; None if the general path has to decode it.

    Without msgspec, lines are parsed together: 0.6 of the time of one by one with the standard
    library.
    """
    parse = typed_parser()
    if parse is None:
        return fast_decode_all(json_input.parse_lines(lines))
    events = [line.event() for line in parse_typed(lines, parse)]
    if not all(events):
        odd = [index for index, event in enumerate(events) if event is None]
        values = json_input.parse_lines([lines[index] for index in odd])
        for index, event in zip(odd, fast_decode_all(values), strict=True):
            events[index] = event
    return events


def _decode_line(line: bytes) -> list[e.Event]:
    line = line.removesuffix(b"\n")
    if not line.strip():
        return []
    try:
        return decode_text(line)
    except DecodeError as error:
        text = line.decode("utf-8", "backslashreplace").rstrip("\r")
        return [e.Malformed(None, text, str(error))]
