"""Recorded events: whose they are, and where they were found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from attrs import define, field

from chatfsm._protocol import json_input
from chatfsm._protocol.codec import decode_item, fast_decode_all
from chatfsm._protocol.structuring import LONGEST_ID, identifier
from chatfsm.errors import DecodeError, UnreadableLogError
from chatfsm.events import Event, Malformed
from chatfsm.replay.journal import JournalEntry, JournalHeader, JournalLineError, parse_journal_line
from chatfsm.replay.sharding import LineRange, Shard, chat_id_of_line, line_ranges
from chatfsm.replay.sources import Source

__all__ = [
    "BLANK",
    "Block",
    "Items",
    "LineReader",
    "Record",
    "RecordBatch",
    "RecordRun",
    "items_in",
    "items_in_line",
    "pop_chat_id",
]

_JOURNAL_LINES: Final = (JournalHeader, JournalEntry)
_NOT_ITEMS: Final = (*_JOURNAL_LINES, Malformed)


class Record(NamedTuple):
    """One recorded event: whose it is, and where it was found."""

    chat_id: str | None
    """As the log says; None where it does not."""
    event: Event | JournalHeader | JournalEntry
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


@define
class RecordRun:
    """Records of one chat that stand together: what they share is said once, the rest in columns.

    Entries of a journal come one by one.
    """

    chat_id: str | None
    source: Source
    unit: str
    places: Sequence[int]
    events: list[Any]
    items: list[Any] | None
    """As they came; None where nobody asked for them."""
    skipped: int = 0
    """How many records of others' chats stand between the run before and this."""

    @property
    def is_journal(self) -> bool:
        """Whether it is an opening or an entry, in place of events."""
        return isinstance(self.events[0], _JOURNAL_LINES)

    def record(self, index: int) -> Record:
        """One of them by itself."""
        return Record(
            self.chat_id,
            self.events[index],
            self.source,
            self.unit,
            self.places[index],
            self.items[index] if self.items else None,
        )

    def where(self, index: int) -> str:
        """The place of one of them, for people."""
        return self.record(index).where


@define
class RecordBatch:
    """Records that were read at once, and how many of others' chats there were after them."""

    source: Source
    share: Shard | None
    """Whose records are kept; None: all are."""
    runs: list[RecordRun] = field(factory=list)
    skipped: int = 0

    def records(self) -> Iterator[Record]:
        """All that it holds, one by one."""
        for run in self.runs:
            yield from map(run.record, range(len(run.events)))

    def add(
        self, chat_id: str | None, item: object, unit: str, place: int, *, is_read: bool = True
    ) -> None:
        """Take in an item, or what it was found to be; `is_read`: it is as it came."""
        if self.share is not None and not self.share.owns_record(chat_id, self.source):
            self.skipped += 1
            return
        event: Any = item if isinstance(item, _NOT_ITEMS) else decode_item(item)
        raw = item if is_read else None
        self.add_run(RecordRun(chat_id, self.source, unit, [place], [event], [raw]))

    def add_run(self, run: RecordRun) -> None:
        """Take in records of a chat of the share."""
        run.skipped, self.skipped = self.skipped, 0
        self.runs.append(run)


# What one JSON value of a log holds: items, each with the chat that the log says it is of.

Items = Iterator[tuple[str | None, object]]
"""Items as they came, or entries of a journal, and the chats that the log says they are of."""


def items_in_line(line: bytes) -> tuple[Items | None, str]:
    """The items of a line; else why there are none. Raises `JournalLineError`."""
    try:
        return items_in(json_input.parse(line)), "neither an event nor an envelope of events"
    except DecodeError as error:
        return None, str(error)


def items_in(value: object, chat_id: str | None = None) -> Items | None:
    """The items in one JSON value; None where it is of no known shape.

    Raises `JournalLineError` for a line of a journal that cannot be used.
    """
    if isinstance(value, list):
        return _from_items(value, chat_id)
    return _from_object(value, chat_id) if isinstance(value, dict) else None


def pop_chat_id(item: dict[str, Any]) -> str | None:
    """Take the chat's id off an item, so that the event is as the server said it."""
    try:
        chat_id = identifier(item.get("chat_id"))
    except ValueError:
        return None
    if chat_id is not None:
        del item["chat_id"]
    return chat_id


def _from_object(value: dict[str, Any], chat_id: str | None) -> Items | None:
    if "event" in value:
        return _from_items([value], chat_id)
    entry = parse_journal_line(value)
    if entry is not None:
        return iter([(entry.chat_id, entry)])
    chat_id = pop_chat_id(value) or chat_id
    if isinstance(value.get("events"), list):
        return _from_items(value["events"], chat_id)
    if isinstance(value.get("sessions"), list):
        return chain.from_iterable(_session_items(item) for item in value["sessions"])
    return None


def _session_items(item: object) -> Items:
    """One session of a case history."""
    items = items_in(item) if isinstance(item, dict) and "events" in item else None
    if items is None:
        return iter([(None, Malformed(None, item, "no session of a case history"))])
    return items


def _from_items(items: list[Any], chat_id: str | None) -> Items:
    for item in items:
        own = pop_chat_id(item) if isinstance(item, dict) else None
        yield own or chat_id, item


# The lines of a log that become records, many at once.

# A log may start with broken lines, but a file without any good one in so many is no log.
_MAX_BROKEN_HEAD: Final = 100
BLANK: Final = b" \t\r\n\xef\xbb\xbf"  # with the bytes of a byte order mark
Block = tuple[int, list[bytes]]
"""The number of the first line, from 1 on, and the lines."""
_EMPTY_LINES: Final = (b"\n", b"\r\n")
_UNNAMED: Final = object()
"""In place of the id of a chat, where the line bears none."""


@define
class LineReader:
    """Reads a log line by line; a broken line is a malformed event of the chat before it.

    Unless it bears the id of its chat, and looks whole.
    """

    source: Source
    share: Shard | None
    exact: bool
    """Whether the items are kept, with all digits of their numbers."""
    _chat_id: str | None = None
    """The chat that stands before the next line."""
    _unproven: list[tuple[int, bytes, str]] | None = field(factory=list)
    """The broken lines that the log began with, until a good one shows that it is a log."""

    def batches(self, blocks: Iterable[Block]) -> Iterator[RecordBatch]:
        """What the lines hold. Raises `UnreadableLogError` where that is no log."""
        for number, lines in blocks:
            batch = RecordBatch(self.source, self.share)
            try:
                self._read(batch, number, lines)
            except UnreadableLogError:
                yield batch  # what was read before is told before
                raise
            yield batch
        self._refuse_unproven()

    def _read(self, batch: RecordBatch, number: int, lines: list[bytes]) -> None:
        first = 0
        while self._unproven is not None and first < len(lines):
            if lines[first].strip(BLANK):
                self._read_line(batch, number + first, lines[first])
            first += 1
        places: Sequence[int] = range(number + first, number + len(lines))
        lines = lines[first:] if first else lines
        if any(
            end in lines for end in _EMPTY_LINES
        ):  # lines that are parsed together hold something
            filled = [
                (place, line) for place, line in zip(places, lines, strict=True) if line.strip()
            ]
            places, lines = [place for place, _ in filled], [line for _, line in filled]
        if self.share is None:
            self._take(batch, _ParsedLines(places, lines, exact=self.exact), 0, len(lines))
        else:
            self._take_shard(batch, places, lines, line_ranges(lines, self.share))

    def _take_shard(
        self, batch: RecordBatch, places: Sequence[int], lines: list[bytes], ranges: list[LineRange]
    ) -> None:
        """Take in what may concern our chats, and pass over the rest."""
        wanted = [slice(start, end) for start, end, others in ranges if others is None]
        parsed = _ParsedLines(
            [place for part in wanted for place in places[part]],
            [line for part in wanted for line in lines[part]],
            exact=self.exact,
        )
        taken = 0
        for start, end, others in ranges:
            if others is None:
                self._take(batch, parsed, taken, taken + end - start)
                taken += end - start
            else:
                batch.skipped += end - start
                self._chat_id = others.decode()

    def _take(self, batch: RecordBatch, parsed: _ParsedLines, start: int, end: int) -> None:
        """Take in lines from one to another: those of one chat after the other at once."""
        chat_id: Any = _UNNAMED if self._chat_id is None else self._chat_id
        ids, events = parsed.ids, parsed.events
        for index in range(start, end):
            if ids[index] == chat_id and events[index] is not None:
                continue
            self._add(batch, parsed, start, index)
            start = index
            if parsed.resolve(index):
                chat_id = ids[index]
                self._chat_id = None if chat_id is _UNNAMED else chat_id
            else:
                if parsed.lines[index].strip(BLANK):
                    self._read_line(batch, parsed.places[index], parsed.lines[index])
                chat_id = _UNNAMED if self._chat_id is None else self._chat_id
                start = index + 1
        self._add(batch, parsed, start, end)

    def _add(self, batch: RecordBatch, parsed: _ParsedLines, start: int, end: int) -> None:
        """Take in events of the chat that stands there, unless others hear it."""
        if start == end:
            return
        chat_id, share = self._chat_id, self.share
        if share is not None and not share.owns_record(chat_id, self.source):
            batch.skipped += end - start
            return
        items = parsed.values[start:end] if self.exact else None
        places, events = parsed.places[start:end], parsed.events[start:end]
        batch.add_run(RecordRun(chat_id, self.source, "line", places, events, items))

    def _read_line(self, batch: RecordBatch, place: int, line: bytes) -> None:
        """Read a line by itself."""
        try:
            items, why = items_in_line(line)
        except JournalLineError as error:
            raise UnreadableLogError(f"{self.source.name}: line {place}: {error}") from None
        if items is not None:
            for self._chat_id, item in items:
                self._confirm_log(batch)
                batch.add(self._chat_id, item, "line", place)
        elif self._unproven is None:
            self._add_broken(batch, place, line, why)
        else:
            self._unproven.append((place, line, why))
            if len(self._unproven) == _MAX_BROKEN_HEAD:
                self._refuse_unproven()

    def _confirm_log(self, batch: RecordBatch) -> None:
        """A good line was met, so that broken ones before it are of its chat."""
        unproven, self._unproven = self._unproven, None
        chat_id = self._chat_id
        for place, line, why in unproven or ():
            self._chat_id = chat_id
            self._add_broken(batch, place, line, why)
        self._chat_id = chat_id

    def _add_broken(self, batch: RecordBatch, place: int, line: bytes, why: str) -> None:
        chat_id = chat_id_of_line(line)
        if chat_id is not None:
            self._chat_id = chat_id.decode()
        text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
        batch.add(self._chat_id, Malformed(None, text, why), "line", place, is_read=False)

    def _refuse_unproven(self) -> None:
        if self._unproven:
            number, _, why = self._unproven[0]
            where = f"{self.source.name}: line {number}"
            raise UnreadableLogError(f"{where}: no log of chat events: {why}")


class _ParsedLines:
    """Lines that were parsed together, as columns: a list each is the least that they can cost."""

    def __init__(self, places: Sequence[int], lines: list[bytes], *, exact: bool) -> None:
        self.places = places
        self.lines = lines
        values: list[Any] = _exact_values(lines) if exact else json_input.parse_lines(lines)
        self.values = values
        self.ids: list[Any] = [
            value.pop("chat_id", _UNNAMED) if value.__class__ is dict else None for value in values
        ]
        """As they came; None where that needs a closer look."""
        self.events = fast_decode_all(values)
        """None for what needs a closer look."""

    def resolve(self, index: int) -> bool:
        """Whether it is an event that names its chat; else the line has to be read by itself."""
        chat_id, value = self.ids[index], self.values[index]
        if chat_id.__class__ is int:
            chat_id = self.ids[index] = str(chat_id)
        if chat_id is not _UNNAMED and not _is_id(chat_id):
            return False
        if self.events[index] is None:
            if "event" not in value or json_input.has_big_integers(self.lines[index]):
                return False
            self.events[index] = decode_item(value)
        return True


def _is_id(chat_id: object) -> bool:
    return isinstance(chat_id, str) and 0 < len(chat_id) <= LONGEST_ID


def _exact_values(lines: list[bytes]) -> list[Any]:
    """The value of each line; None for those that have to be read by themselves."""
    values = json_input.parse_lines(lines)
    if json_input.has_big_integers(b"\n".join(lines)):
        return [
            None if json_input.has_big_integers(line) else value
            for line, value in zip(lines, values, strict=True)
        ]
    return values
