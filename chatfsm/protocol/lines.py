"""JSON lines to typed events, many at once."""

from __future__ import annotations

from typing import Final

from chatfsm.errors import DecodeError
from chatfsm.protocol import events as e
from chatfsm.protocol import json_text
from chatfsm.protocol.codec import decode, seen_all

__all__ = ["decode_lines"]

# More lines at once save nothing more, and hold more memory.
TOGETHER: Final = 512


def decode_lines(data: bytes) -> list[e.Event]:
    """The events in JSON lines, in order; each line is what `decode` takes.

    Parsed together, which the standard library does sooner than one by one. A line that `decode`
    does not take becomes a `Malformed`; blank ones are passed over. Never raises.
    """
    lines = list(filter(None, data.split(b"\n")))
    events: list[e.Event] = []
    for start in range(0, len(lines), TOGETHER):
        part = lines[start : start + TOGETHER]
        found = seen_all(json_text.parse_lines(part))
        if all(found):
            events += found
        else:
            for event, line in zip(found, part, strict=True):
                events += _line(line) if event is None else (event,)
    return events


def _line(line: bytes) -> list[e.Event]:
    if not line.strip():
        return []
    try:
        return decode(line)
    except DecodeError as error:
        text = line.decode("utf-8", "backslashreplace").rstrip("\r")
        return [e.Malformed(None, text, str(error))]
