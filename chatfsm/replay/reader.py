"""Reader: the lines of a log as records, many at once; a record is an event and its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from attrs import define, field

from chatfsm._protocol import json_input
from chatfsm._protocol.codec import decode_item, fast_decode_all, typed_parser
from chatfsm._protocol.lines import parse_typed
from chatfsm._protocol.structuring import LONGEST_ID
from chatfsm.errors import UnreadableLogError
from chatfsm.events import Event, Malformed
from chatfsm.replay.items import (
    Fields,
    TooManyEventsError,
    check_value_count,
    items_in_line,
    items_in_sequence,
    received_fields,
)
from chatfsm.replay.journal import JournalEntry, JournalHeader, JournalLineError
from chatfsm.replay.kinds import NotALogError, kind_of_line
from chatfsm.replay.sources import MAX_LINE_BYTES, Block, Source
from chatfsm.replay.times import read_time

if TYPE_CHECKING:
    from chatfsm._protocol.typed_lines import TypedParser

__all__ = ["BLANK", "LineReader", "Record", "RecordBatch", "RecordRun", "chat_id_of_line"]

_JOURNAL_LINES: Final = (JournalHeader, JournalEntry)
_NOT_ITEMS: Final = (*_JOURNAL_LINES, Malformed)


class Record(NamedTuple):
    """One recorded event, or line of a journal, with its chat and its place."""

    chat_id: str | None
    """The chat_id in the log; None if it has none."""
    event: Event | JournalHeader | JournalEntry
    """The event as it was decoded, or the line of a journal."""
    source: Source
    """The file that the record was read from."""
    unit: str
    """Unit that `place` counts: `line` of the file, or `event` of the document."""
    place: int
    """Number of the unit in the source, from 1."""
    raw: object = None
    """The item as recorded, without the chat_id; None if the line could not be parsed."""
    received_at: float | None = None
    """Seconds since 1970 at which it was received, as the log says; None if it does not say.

    `times.UNREADABLE`, which is no number, if the log says what is no time.
    """

    @property
    def where(self) -> str:
        """The place, for error texts: `file: line 12`."""
        return f"{self.source.name}: {self.unit} {self.place}"


@define
class RecordRun:
    """Consecutive records of one chat, in columns: faster than a `Record` each.

    A line of a journal is a run by itself.
    """

    chat_id: str | None
    """The chat_id in the log, of all records; None if they have none."""
    source: Source
    """The file that the records were read from."""
    unit: str
    """Unit that `places` count: `line` of the file, or `event` of the document."""
    places: Sequence[int]
    """The place of each record, from 1 on."""
    events: list[Any]
    """The event of each record; or a single `JournalHeader` or `JournalEntry`."""
    items: list[Any] | None
    """The raw item of each record; None if raw items are not kept."""
    received: list[float | None] | None = None
    """When each record was received, as `Record.received_at`; None if no record says it."""

    @property
    def is_journal(self) -> bool:
        """Whether the run is a line of a journal."""
        return isinstance(self.events[0], _JOURNAL_LINES)

    def record(self, index: int) -> Record:
        """One record of the run."""
        return Record(
            self.chat_id,
            self.events[index],
            self.source,
            self.unit,
            self.places[index],
            self.items[index] if self.items else None,
            self.received[index] if self.received else None,
        )

    def where(self, index: int) -> str:
        """The place of one record, for error texts."""
        return self.record(index).where


@define
class RecordBatch:
    """Records that were read at once."""

    source: Source
    """The file that the records were read from."""
    runs: list[RecordRun] = field(factory=list)
    """The records in the order of the file, in runs of one chat each."""

    def records(self) -> Iterator[Record]:
        """All records of the batch, one by one."""
        for run in self.runs:
            yield from map(run.record, range(len(run.events)))

    def add(  # noqa: PLR0913  # the columns of a run
        self,
        chat_id: str | None,
        item: object,
        unit: str,
        place: int,
        received_at: float | None = None,
        *,
        is_read: bool = True,
    ) -> None:
        """Add a raw item, a `Malformed` event or a line of a journal.

        `is_read`: whether `item` is as recorded, so that it is kept as the raw item too.
        """
        event: Any = item if isinstance(item, _NOT_ITEMS) else decode_item(item)
        raw = item if is_read else None
        run = RecordRun(chat_id, self.source, unit, [place], [event], [raw])
        received_at = _clock_time(item, event, received_at)
        if received_at is not None:
            run.received = [received_at]
        self.runs.append(run)


def _clock_time(item: object, event: object, received_at: float | None) -> float | None:
    """The time of an item whose own one is missing, or is none that the server writes."""
    if isinstance(item, dict) and item.get("timestamp") and getattr(event, "timestamp", 0) is None:
        return read_time(item["timestamp"])
    return received_at


# The chat of a line without parsing it: that of a broken line, if it has one.

_CHAT_ID: Final = b'"chat_id"'
_WITHOUT_SPACE: Final = b'"chat_id":"'
_WITH_SPACE: Final = b'"chat_id": "'
_BRACE, _BACKSLASH = b"{\\"
_LINE_ENDS: Final = (b"}\n", b"}\r\n", b"}")
# Ids without escapes, as nearly all are.
_IS_PLAIN: Final = re.compile(rb"[ !#-\[\]-~]{1,1024}").fullmatch
_UNUSUAL: Final = (
    b"[",  # possibly several events
    b"\\u00",  # possibly an escaped key
    b'"v"',  # possibly a line of a journal
)


def _is_unusual(text: bytes) -> bool:
    """Whether lines with this text must be parsed, wherever in them it stands."""
    return any(part in text for part in _UNUSUAL)


def chat_id_of_line(line: bytes) -> bytes | None:
    """The chat_id of a line; None if the line must be parsed to find it.

    A line with a chat_id is one record of that chat, even if it turns out to be broken JSON.
    """
    chat_id = None if _is_unusual(line) else _raw_id(line)
    return chat_id if chat_id is not None and _IS_PLAIN(chat_id) else None


def _raw_id(line: bytes) -> bytes | None:
    """The chat_id of a line that is not unusual, not yet checked to be one."""
    key = line.find(_WITHOUT_SPACE)
    start = key + len(_WITHOUT_SPACE)
    if key < 0:
        key = line.find(_WITH_SPACE)
        start = key + len(_WITH_SPACE)
    if (
        key < 1
        or line[0] != _BRACE
        or line[key - 1] == _BACKSLASH
        or line.find(b"{", 1, key) > 0  # possibly the id of an object inside
        or line.count(_CHAT_ID) > 1  # of repeated keys the last one counts
        or not line.endswith(_LINE_ENDS)
    ):
        return None
    return line[start : line.find(b'"', start)]


# Lines to records, many at once.

# A log may begin with broken lines; a file of which the first so many are broken is not a log.
_MAX_BROKEN_HEAD: Final = 100
BLANK: Final = b" \t\r\n\xef\xbb\xbf"  # and the byte order mark of UTF-8
# The brackets of a list that has an event on each line.
_BRACKETS: Final = (b"[", b"]")
_AROUND_BRACKETS: Final = BLANK + b","
_UNNAMED: Final = object()
"""Stands for the chat_id of a line without one."""


@define
class LineReader:
    """Reads the lines of a log; a broken line is a malformed event of the chat of the line before.

    If it contains a chat_id, and the end of an object, it is of that chat. A line with several JSON
    values, or with a comma at its end, is read value by value.
    """

    source: Source
    """The file that the lines are read from."""
    exact: bool
    """Whether raw items are kept, with all digits of their numbers."""
    why_no_document: str = field(default="", kw_only=True)
    """What is said after the first error if no line is of a log."""
    _chat_id: str | None = None
    """The chat_id of the last line; at first, of the line before a range of a log."""
    _unproven: list[tuple[int, bytes, str]] | None = field(factory=list)
    """Broken lines at the beginning, until a good one; None from then on."""
    _unproven_bytes: int = 0
    _fields: Fields = field(init=False)
    """The fields that may have the time at which a line was received."""
    _received_field: str | None = field(init=False)
    """The one of them that a line of this log had; None: none so far."""

    def __attrs_post_init__(self) -> None:
        self._fields = received_fields(self.source)
        if self._chat_id is not None:  # the lines are a range of a log
            self._unproven = None
        self._received_field = self.source.received_at

    def batches(self, blocks: Iterable[Block]) -> Iterator[RecordBatch]:
        """The records of the lines. Raises `UnreadableLogError` if they are not a log."""
        for places, lines in blocks:
            batch = RecordBatch(self.source)
            try:
                # Only the first line of a block can be as long as it takes.
                check_value_count(self.source, places[0], lines[0])
                self._read(batch, places, lines)
            except UnreadableLogError:
                yield batch  # records before the error
                raise
            yield batch
        self._refuse_unproven()

    def _read(self, batch: RecordBatch, places: Sequence[int], lines: list[bytes]) -> None:
        first = 0
        while self._unproven is not None and first < len(lines):
            if lines[first].strip(BLANK):
                self._read_line(batch, places[first], lines[first])
            first += 1
        if first:
            places, lines = places[first:], lines[first:]
        parsed = _ParsedLines(
            *(places, lines, self._fields, self._received_field), exact=self.exact
        )
        self._take(batch, parsed)

    def _take(self, batch: RecordBatch, parsed: _ParsedLines) -> None:
        """Add the lines, one run per chat."""
        chat_id: Any = _UNNAMED if self._chat_id is None else self._chat_id
        ids, events = parsed.ids, parsed.events
        start, end = 0, len(ids)
        for index in range(end):
            if ids[index] == chat_id and events[index] is not None:
                continue
            self._add(batch, parsed, start, index)
            start = index
            if parsed.resolve(index):
                self._received_field = self._received_field or parsed.received_field
                chat_id = ids[index]
                self._chat_id = None if chat_id is _UNNAMED else chat_id
            else:
                if parsed.lines[index].strip(BLANK):
                    self._read_line(batch, parsed.places[index], parsed.lines[index])
                chat_id = _UNNAMED if self._chat_id is None else self._chat_id
                start = index + 1
        self._add(batch, parsed, start, end)

    def _add(self, batch: RecordBatch, parsed: _ParsedLines, start: int, end: int) -> None:
        """Add a run of the current chat."""
        if start == end:
            return
        items = parsed.values[start:end] if self.exact else None
        places, events = parsed.places[start:end], parsed.events[start:end]
        run = RecordRun(self._chat_id, self.source, "line", places, events, items)
        if parsed.received is not None:
            run.received = parsed.received[start:end]
        batch.runs.append(run)

    def _read_line(self, batch: RecordBatch, place: int, line: bytes) -> None:
        """Read a line by itself, by the general path."""
        rest: bytes = line
        try:
            items, why = items_in_line(line, self._fields)
            if items is None and chat_id_of_line(line) is None:  # else it is one record
                found, text = items_in_sequence(line, self._fields)
                items = chain.from_iterable(found) if found else None
                rest = text.encode("utf-8", "surrogatepass")
        except (JournalLineError, TooManyEventsError) as error:
            raise UnreadableLogError(f"{self.source.name}: line {place}: {error}") from None
        if items is not None:
            for self._chat_id, item, received_at in items:
                self._confirm_log(batch)
                batch.add(self._chat_id, item, "line", place, received_at)
            if rest.strip(BLANK) and rest is not line:
                self._add_broken(batch, place, rest, why)
        elif self._unproven is None:
            self._add_broken(batch, place, line, why)
        else:
            self._unproven.append((place, line, why))
            self._unproven_bytes += len(line)
            too_long = self._unproven_bytes > MAX_LINE_BYTES
            if len(self._unproven) == _MAX_BROKEN_HEAD or too_long:
                self._refuse_unproven()

    def _confirm_log(self, batch: RecordBatch) -> None:
        """Add the broken lines before the first good one, as records of its chat."""
        unproven, self._unproven = self._unproven, None
        chat_id = self._chat_id
        for place, line, why in unproven or ():
            self._chat_id = chat_id
            self._add_broken(batch, place, line, why)
        self._chat_id = chat_id

    def _add_broken(self, batch: RecordBatch, place: int, line: bytes, why: str) -> None:
        if line.strip(_AROUND_BRACKETS) in _BRACKETS:
            return
        chat_id = chat_id_of_line(line)
        if chat_id is not None:
            self._chat_id = chat_id.decode()
        text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
        batch.add(self._chat_id, Malformed(None, text, why), "line", place, is_read=False)

    def _refuse_unproven(self) -> None:
        if self._unproven:
            number, line, why = self._unproven[0]
            where = f"{self.source.name}: line {number}: not a log of chat events"
            kind = kind_of_line(line) if why.startswith("not ") else None
            if kind is not None:
                raise NotALogError(f"{where}: this is {kind}")
            raise NotALogError(f"{where}: {why}{self.why_no_document}")


class _ParsedLines:
    """Lines that were parsed together, in columns, which is fastest."""

    def __init__(
        self,
        places: Sequence[int],
        lines: list[bytes],
        fields: Fields,
        received_field: str | None,
        *,
        exact: bool,
    ) -> None:
        self.places = places
        self.lines = lines
        self.values: list[Any] = []
        """The value of each line; None if it needs none, because it was just as meant."""
        self.ids: list[Any] = []
        """The raw chat_id of each line; `_UNNAMED` without one, None if the line is no object."""
        self.events: list[Any] = []
        """The event of each line; None if the fast decoder does not know it."""
        self.received_field = received_field
        """The field with the times in `received`; None if no line has one so far."""
        self.received: list[float | None] | None = None
        """When each line was received; None if no line says it."""
        self._fields = fields
        self._taken_field = received_field
        """The field that was taken out of all lines at once; None: none."""
        parse = None if exact or received_field is not None else typed_parser(chat_id=_UNNAMED)
        if parse is None:
            self._parse_all(exact=exact)
        else:
            self._parse_typed(parse)

    def _parse_all(self, *, exact: bool) -> None:
        """Parse and decode all lines."""
        lines, received_field = self.lines, self.received_field
        values: list[Any] = _exact_values(lines) if exact else json_input.parse_lines(lines)
        self.values = values
        self.ids = list(map(_pop_id, values))
        if received_field is not None:  # else the fast decoder finds it, as an unknown field
            self.received = [
                read_time(value.pop(received_field, None)) if value.__class__ is dict else None
                for value in values
            ]
        self.events = fast_decode_all(values)

    def _parse_typed(self, parse: TypedParser) -> None:
        """Take lines that are just as meant at once; parse and decode the others."""
        typed = parse_typed(self.lines, parse)
        self.ids = list(map(_ID_OF, typed))
        self.events = [line.event() for line in typed]
        self.values = [None] * len(typed)
        if not all(self.events):
            odd = [index for index, event in enumerate(self.events) if event is None]
            values: list[Any] = json_input.parse_lines([self.lines[index] for index in odd])
            for index, value in zip(odd, values, strict=True):
                self.values[index], self.ids[index] = value, _pop_id(value)
            for index, event in zip(odd, fast_decode_all(values), strict=True):
                self.events[index] = event

    def resolve(self, index: int) -> bool:
        """Decode a line by the general path; False if it has to be read by itself."""
        chat_id, value = self.ids[index], self.values[index]
        if chat_id.__class__ is int:
            chat_id = self.ids[index] = str(chat_id)
        if chat_id is not _UNNAMED and not _is_id(chat_id):
            return False
        if self.events[index] is None:
            if "event" not in value or json_input.has_big_integers(self.lines[index]):
                return False
            found = next((name for name in self._fields if name in value), None)
            if found is not None and self._may_have_taken(index):
                return False  # of several fields the first one counts, whatever lines before had
            received_at = None if found is None else read_time(value.pop(found))
            self.received_field = self.received_field or found
            event = self.events[index] = decode_item(value)
            self._set_received(index, _clock_time(value, event, received_at))
        return True

    def _may_have_taken(self, index: int) -> bool:
        """Whether the field that lines before had may have been in this line, too."""
        line, name = self.lines[index], self._taken_field
        return name is not None and (name.encode() in line or b"\\u" in line)

    def _set_received(self, index: int, received_at: float | None) -> None:
        if received_at is not None:
            received = self.received or [None for _ in self.lines]
            received[index] = received_at
            self.received = received


_ID_OF: Final = attrgetter("chat_id")


def _pop_id(value: Any) -> Any:
    """Remove the raw chat_id of a value; `_UNNAMED` without one, None if it is no object."""
    return value.pop("chat_id", _UNNAMED) if value.__class__ is dict else None


def _is_id(chat_id: object) -> bool:
    return isinstance(chat_id, str) and 0 < len(chat_id) <= LONGEST_ID


def _exact_values(lines: list[bytes]) -> list[Any]:
    """The value of each line; None if it has numbers that fast parsing would round."""
    values = json_input.parse_lines(lines)
    if json_input.has_big_integers(b"\n".join(lines)):
        return [
            None if json_input.has_big_integers(line) else value
            for line, value in zip(lines, values, strict=True)
        ]
    return values
