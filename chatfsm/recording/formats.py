"""What a recorded file holds, told by its content, as records: whose event, and where it stood.

Read are: raw events as JSON lines, envelopes `{"events": [...]}` one a line or as a whole
document, lists, and case histories `{"sessions": [...]}`. An event or an envelope may carry a
`chat_id` of its own. A journal is JSON lines too, of inputs and what they led to.
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
from chatfsm.recording.entries import Entry, JournalLineError, Opening, entry_of
from chatfsm.recording.source import Source

__all__ = ["Record", "records"]

# A document has to be parsed as a whole; a case history of years stays far below this.
_LARGEST_DOCUMENT: Final = 256 * 1024 * 1024
_BLANK: Final = b" \t\r\n\xef\xbb\xbf"  # with the bytes of a byte order mark
# A log may start with broken lines, but a file without any good one in so many is no log.
_PATIENCE: Final = 100


Heard = Iterator[tuple[str | None, object]]
"""Items as they came, or entries of a journal, and the chats that the log says they are of."""


@frozen
class Record:
    """One recorded event: whose it is, and where it was found."""

    chat_id: str | None
    """As the log says; None where it does not."""
    event: Event | Opening | Entry
    source: Source
    unit: str
    """What `place` counts in the file: lines, or events of a document."""
    place: int
    raw: object = None
    """The item as it came, without the chat's id; None where a line could not be read."""

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
        if line.strip(_BLANK):
            yield number, line


def _document_or_lines(
    source: Source, first: tuple[int, bytes], lines: Iterator[bytes]
) -> Iterator[Record]:
    """A document spread over lines; else lines of which the first is broken."""
    taken = [first[1]]
    try:
        is_document = _take_document(taken, lines)
    except UnreadableLogError as error:
        # What was read before is told before.
        lines, is_document = _raising(error), False
    value = _parsed(b"".join(taken)) if is_document else None
    if value is not None:
        yield from _from_document(source, value)
    else:
        yield from _from_lines(source, _numbered(chain(taken, lines), first[0] - 1))


def _take_document(taken: list[bytes], lines: Iterator[bytes]) -> bool:
    """Take all lines, unless they turn out to be no parts of one document, or too many."""
    size, whole = len(taken[0]), 0
    for line in lines:
        taken.append(line)
        size += len(line)
        # The last event of a list may stand on a line by itself; a second one is no part of it.
        whole += _is_whole(line)
        if size > _LARGEST_DOCUMENT or whole > 1:
            return False
    return True


def _is_whole(line: bytes) -> bool:
    try:
        return _line(line)[0] is not None
    except JournalLineError:
        return True


def _raising(error: UnreadableLogError) -> Iterator[bytes]:
    yield from ()
    raise error


def _parsed(text: bytes) -> object:
    try:
        return json_text.parse(text)
    except DecodeError:
        return None


def _from_document(source: Source, value: object) -> Iterator[Record]:
    try:
        found = _events(value)
    except JournalLineError:
        found = None
    if found is None:
        raise UnreadableLogError(f"{source.name}: JSON, but no events that chatfsm knows")
    for place, (chat_id, item) in enumerate(found, start=1):
        yield _record(source, chat_id, item, "event", place)


def _from_lines(source: Source, lines: Iterator[tuple[int, bytes]]) -> Iterator[Record]:
    """Line by line; a broken line is a malformed event of the chat that stands before it."""
    doubtful: list[tuple[int, bytes, str]] | None = []
    chat_id: str | None = None
    for number, line in lines:
        try:
            found, why = _line(line)
        except JournalLineError as error:
            raise UnreadableLogError(f"{source.name}: line {number}: {error}") from None
        if found is None and doubtful is not None:
            doubtful.append((number, line, why))
            if len(doubtful) == _PATIENCE:
                break
            continue
        if found is None:
            yield _broken(source, chat_id, number, line, why)
            continue
        for chat_id, item in found:
            if doubtful is not None:
                yield from (_broken(source, chat_id, *doubt) for doubt in doubtful)
                doubtful = None
            yield _record(source, chat_id, item, "line", number)
    if doubtful:
        number, _, why = doubtful[0]
        raise UnreadableLogError(f"{source.name}: line {number}: no log of chat events: {why}")


def _line(line: bytes) -> tuple[Heard | None, str]:
    """The events of a line; else why there are none."""
    try:
        return _events(json_text.parse(line)), "neither an event nor an envelope of events"
    except DecodeError as error:
        return None, str(error)


def _broken(source: Source, chat_id: str | None, number: int, line: bytes, why: str) -> Record:
    text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
    return Record(chat_id, Malformed(None, text, why), source, "line", number)


def _record(source: Source, chat_id: str | None, item: object, unit: str, place: int) -> Record:
    event = item if isinstance(item, Opening | Entry | Malformed) else decode_item(item)
    return Record(chat_id, event, source, unit, place, item)


def _events(value: object, chat_id: str | None = None) -> Heard | None:
    """The events in one JSON value, each with its chat; None where it is of no known shape."""
    if isinstance(value, list):
        return _from_items(value, chat_id)
    return _from_object(value, chat_id) if isinstance(value, dict) else None


def _from_object(value: dict[str, Any], chat_id: str | None) -> Heard | None:
    if "event" in value:
        return _from_items([value], chat_id)
    entry = entry_of(value)
    if entry is not None:
        return iter([(entry.chat_id, entry)])
    chat_id = _chat_id(value) or chat_id
    if isinstance(value.get("events"), list):
        return _from_items(value["events"], chat_id)
    if isinstance(value.get("sessions"), list):
        return chain.from_iterable(_session(item) for item in value["sessions"])
    return None


def _session(item: object) -> Heard:
    """One session of a case history."""
    found = _events(item) if isinstance(item, dict) and "events" in item else None
    if found is None:
        return iter([(None, Malformed(None, item, "no session of a case history"))])
    return found


def _from_items(items: list[Any], chat_id: str | None) -> Heard:
    for item in items:
        own = _chat_id(item) if isinstance(item, dict) else None
        yield own or chat_id, item


def _chat_id(item: dict[str, Any]) -> str | None:
    """Take the chat's id off an item, so that the event is as the server said it."""
    try:
        chat_id = word(item.get("chat_id"))
    except ValueError:
        return None
    if chat_id is not None:
        del item["chat_id"]
    return chat_id
