"""What a recorded file holds, told by its content, as records: whose event, and where it stood.

Read are: raw events as JSON lines, envelopes `{"events": [...]}` one a line or as a whole
document, lists, and case histories `{"sessions": [...]}`. An event or an envelope may carry a
`chat_id` of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Any, Final

from attrs import frozen

from chatfsm.errors import DecodeError, UnreadableLogError
from chatfsm.protocol import json_text
from chatfsm.protocol.codec import decode_item
from chatfsm.protocol.events import Event, Malformed
from chatfsm.protocol.readers import word
from chatfsm.recording.source import Source

__all__ = ["Record", "records"]

# A document has to be parsed as a whole; a case history of years stays far below this.
_LARGEST_DOCUMENT: Final = 256 * 1024 * 1024
# A log may start with broken lines, but a file without any good one in so many is no log.
_PATIENCE: Final = 100


@frozen
class Record:
    """One recorded event: whose it is, and where it was found."""

    chat_id: str | None
    """As the log says; None where it does not."""
    event: Event
    source: Source
    unit: str
    """What `place` counts in the file: lines, or events of a document."""
    place: int

    @property
    def where(self) -> str:
        """The place, for people: `file: line 12`."""
        return f"{self.source.name}: {self.unit} {self.place}"


def records(source: Source) -> Iterator[Record]:
    """All that a file holds, in order. Raises `UnreadableLogError` where it is no log at all."""
    lines = source.lines()
    first = next((line for line in _numbered(lines)), None)
    if first is None:
        return
    try:
        json_text.parse(first[1])
    except DecodeError:
        yield from _document_or_lines(source, first, lines)
    else:
        yield from _from_lines(source, chain([first], _numbered(lines, first[0])))


def _numbered(lines: Iterator[bytes], last: int = 0) -> Iterator[tuple[int, bytes]]:
    """The lines that hold something, with their numbers, from 1 on."""
    for number, line in enumerate(lines, start=last + 1):
        if line.strip():
            yield number, line


def _document_or_lines(
    source: Source, first: tuple[int, bytes], lines: Iterator[bytes]
) -> Iterator[Record]:
    """A document spread over lines; else lines of which the first is broken."""
    taken = [first[1]]
    size = len(first[1])
    for line in lines:
        taken.append(line)
        size += len(line)
        if size > _LARGEST_DOCUMENT:
            break
    else:
        try:
            value = json_text.parse(b"".join(taken))
        except DecodeError:
            pass
        else:
            yield from _from_document(source, value)
            return
    last = first[0] - 1
    yield from _from_lines(source, _numbered(chain(taken, lines), last))


def _from_document(source: Source, value: object) -> Iterator[Record]:
    found = _events(value)
    if found is None:
        raise UnreadableLogError(f"{source.name}: JSON, but no events that chatfsm knows")
    for place, (chat_id, event) in enumerate(found, start=1):
        yield Record(chat_id, event, source, "event", place)


def _from_lines(source: Source, lines: Iterator[tuple[int, bytes]]) -> Iterator[Record]:
    """Line by line; a broken line is a malformed event among good ones."""
    doubtful: list[Record] | None = []
    doubt = ""
    for number, line in lines:
        try:
            found = _events(json_text.parse(line))
            why = "neither an event nor an envelope of events"
        except DecodeError as error:
            found, why = None, str(error)
        if found is None:
            text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
            broken = Record(None, Malformed(None, text, why), source, "line", number)
            if doubtful is None:
                yield broken
                continue
            doubtful.append(broken)
            doubt = doubt or f"{broken.where}: no log of chat events: {why}"
            if len(doubtful) == _PATIENCE:
                break
            continue
        if doubtful is not None:
            yield from doubtful
            doubtful = None
        for chat_id, event in found:
            yield Record(chat_id, event, source, "line", number)
    if doubtful:
        raise UnreadableLogError(doubt)


def _events(value: object, chat_id: str | None = None) -> Iterator[tuple[str | None, Event]] | None:
    """The events in one JSON value, each with its chat; None where it is of no known shape."""
    if isinstance(value, list):
        return _from_items(value, chat_id)
    if not isinstance(value, dict):
        return None
    if "event" in value:
        return _from_items([value], chat_id)
    chat_id = _chat_id(value) or chat_id
    if isinstance(value.get("events"), list):
        return _from_items(value["events"], chat_id)
    if isinstance(value.get("sessions"), list):
        return chain.from_iterable(_session(item) for item in value["sessions"])
    return None


def _session(item: object) -> Iterator[tuple[str | None, Event]]:
    """One session of a case history."""
    found = _events(item) if isinstance(item, dict) and "events" in item else None
    if found is None:
        return iter([(None, Malformed(None, item, "no session of a case history"))])
    return found


def _from_items(items: list[Any], chat_id: str | None) -> Iterator[tuple[str | None, Event]]:
    for item in items:
        own = _chat_id(item) if isinstance(item, dict) else None
        yield own or chat_id, decode_item(item)


def _chat_id(item: dict[str, Any]) -> str | None:
    """Take the chat's id off an item, so that the event is as the server said it."""
    try:
        chat_id = word(item.get("chat_id"))
    except ValueError:
        return None
    if chat_id is not None:
        del item["chat_id"]
    return chat_id
