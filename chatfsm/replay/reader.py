"""Recorded events: whose they are, and where they were found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

from attrs import define, field

from chatfsm._protocol import json_input
from chatfsm._protocol.codec import decode_item, seen_all
from chatfsm._protocol.structuring import LONGEST_ID, word
from chatfsm.errors import DecodeError, UnreadableLogError
from chatfsm.events import Event, Malformed
from chatfsm.replay.journal import Entry, JournalLineError, Opening, entry_of
from chatfsm.replay.sharding import Share, Stretch, chat_at_a_glance, stretches
from chatfsm.replay.sources import Source

__all__ = [
    "BLANK",
    "Batch",
    "Block",
    "Heard",
    "Lines",
    "Record",
    "Run",
    "items_of",
    "items_of_line",
    "take_chat_id",
]

_OF_A_JOURNAL: Final = (Opening, Entry)
_FOUND: Final = (*_OF_A_JOURNAL, Malformed)


class Record(NamedTuple):
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


@define
class Run:
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
    passed: int = 0
    """How many records of others' chats stand between the run before and this."""

    @property
    def is_journal(self) -> bool:
        """Whether it is an opening or an entry, in place of events."""
        return isinstance(self.events[0], _OF_A_JOURNAL)

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
class Batch:
    """Records that were read at once, and how many of others' chats there were after them."""

    source: Source
    share: Share | None
    """Whose records are kept; None: all are."""
    runs: list[Run] = field(factory=list)
    passed: int = 0

    def records(self) -> Iterator[Record]:
        """All that it holds, one by one."""
        for run in self.runs:
            yield from map(run.record, range(len(run.events)))

    def add(
        self, chat_id: str | None, item: object, unit: str, place: int, *, is_read: bool = True
    ) -> None:
        """Take in an item, or what it was found to be; `is_read`: it is as it came."""
        if self.share is not None and not self.share.has_record(chat_id, self.source):
            self.passed += 1
            return
        event: Any = item if isinstance(item, _FOUND) else decode_item(item)
        raw = item if is_read else None
        self.take(Run(chat_id, self.source, unit, [place], [event], [raw]))

    def take(self, run: Run) -> None:
        """Take in records of a chat of the share."""
        run.passed, self.passed = self.passed, 0
        self.runs.append(run)


# What one JSON value of a log holds: items, each with the chat that the log says it is of.

Heard = Iterator[tuple[str | None, object]]
"""Items as they came, or entries of a journal, and the chats that the log says they are of."""


def items_of_line(line: bytes) -> tuple[Heard | None, str]:
    """The items of a line; else why there are none. Raises `JournalLineError`."""
    try:
        return items_of(json_input.parse(line)), "neither an event nor an envelope of events"
    except DecodeError as error:
        return None, str(error)


def items_of(value: object, chat_id: str | None = None) -> Heard | None:
    """The items in one JSON value; None where it is of no known shape.

    Raises `JournalLineError` for a line of a journal that cannot be used.
    """
    if isinstance(value, list):
        return _from_items(value, chat_id)
    return _from_object(value, chat_id) if isinstance(value, dict) else None


def take_chat_id(item: dict[str, Any]) -> str | None:
    """Take the chat's id off an item, so that the event is as the server said it."""
    try:
        chat_id = word(item.get("chat_id"))
    except ValueError:
        return None
    if chat_id is not None:
        del item["chat_id"]
    return chat_id


def _from_object(value: dict[str, Any], chat_id: str | None) -> Heard | None:
    if "event" in value:
        return _from_items([value], chat_id)
    entry = entry_of(value)
    if entry is not None:
        return iter([(entry.chat_id, entry)])
    chat_id = take_chat_id(value) or chat_id
    if isinstance(value.get("events"), list):
        return _from_items(value["events"], chat_id)
    if isinstance(value.get("sessions"), list):
        return chain.from_iterable(_session(item) for item in value["sessions"])
    return None


def _session(item: object) -> Heard:
    """One session of a case history."""
    found = items_of(item) if isinstance(item, dict) and "events" in item else None
    if found is None:
        return iter([(None, Malformed(None, item, "no session of a case history"))])
    return found


def _from_items(items: list[Any], chat_id: str | None) -> Heard:
    for item in items:
        own = take_chat_id(item) if isinstance(item, dict) else None
        yield own or chat_id, item


# The lines of a log that become records, many at once.

# A log may start with broken lines, but a file without any good one in so many is no log.
_PATIENCE: Final = 100
BLANK: Final = b" \t\r\n\xef\xbb\xbf"  # with the bytes of a byte order mark
Block = tuple[int, list[bytes]]
"""The number of the first line, from 1 on, and the lines."""
_EMPTY: Final = (b"\n", b"\r\n")
_UNNAMED: Final = object()
"""In place of the id of a chat, where the line bears none."""


@define
class Lines:
    """Reads a log line by line; a broken line is a malformed event of the chat before it.

    Unless it bears the id of its chat, and looks whole.
    """

    source: Source
    share: Share | None
    exact: bool
    """Whether the items are kept, with all digits of their numbers."""
    _chat_id: str | None = None
    """The chat that stands before the next line."""
    _doubtful: list[tuple[int, bytes, str]] | None = field(factory=list)
    """The broken lines that the log began with, until a good one shows that it is a log."""

    def batches(self, blocks: Iterable[Block]) -> Iterator[Batch]:
        """What the lines hold. Raises `UnreadableLogError` where that is no log."""
        for number, lines in blocks:
            batch = Batch(self.source, self.share)
            try:
                self._read(batch, number, lines)
            except UnreadableLogError:
                yield batch  # what was read before is told before
                raise
            yield batch
        self._give_up()

    def _read(self, batch: Batch, number: int, lines: list[bytes]) -> None:
        first = 0
        while self._doubtful is not None and first < len(lines):
            if lines[first].strip(BLANK):
                self._look_into(batch, number + first, lines[first])
            first += 1
        places: Sequence[int] = range(number + first, number + len(lines))
        lines = lines[first:] if first else lines
        if any(end in lines for end in _EMPTY):  # lines that are parsed together hold something
            held = [
                (place, line) for place, line in zip(places, lines, strict=True) if line.strip()
            ]
            places, lines = [place for place, _ in held], [line for _, line in held]
        if self.share is None:
            self._take(batch, _Parsed(places, lines, exact=self.exact), 0, len(lines))
        else:
            self._take_share(batch, places, lines, stretches(lines, self.share))

    def _take_share(
        self, batch: Batch, places: Sequence[int], lines: list[bytes], found: list[Stretch]
    ) -> None:
        """Take in what may concern our chats, and pass over the rest."""
        wanted = [slice(start, end) for start, end, others in found if others is None]
        parsed = _Parsed(
            [place for part in wanted for place in places[part]],
            [line for part in wanted for line in lines[part]],
            exact=self.exact,
        )
        taken = 0
        for start, end, others in found:
            if others is None:
                self._take(batch, parsed, taken, taken + end - start)
                taken += end - start
            else:
                batch.passed += end - start
                self._chat_id = others.decode()

    def _take(self, batch: Batch, parsed: _Parsed, start: int, end: int) -> None:
        """Take in lines from one to another: those of one chat after the other at once."""
        whose: Any = _UNNAMED if self._chat_id is None else self._chat_id
        ids, events = parsed.ids, parsed.events
        for index in range(start, end):
            if ids[index] == whose and events[index] is not None:
                continue
            self._add(batch, parsed, start, index)
            start = index
            if parsed.look_closer(index):
                whose = ids[index]
                self._chat_id = None if whose is _UNNAMED else whose
            else:
                if parsed.lines[index].strip(BLANK):
                    self._look_into(batch, parsed.places[index], parsed.lines[index])
                whose = _UNNAMED if self._chat_id is None else self._chat_id
                start = index + 1
        self._add(batch, parsed, start, end)

    def _add(self, batch: Batch, parsed: _Parsed, start: int, end: int) -> None:
        """Take in events of the chat that stands there, unless others hear it."""
        if start == end:
            return
        chat_id, share = self._chat_id, self.share
        if share is not None and not share.has_record(chat_id, self.source):
            batch.passed += end - start
            return
        items = parsed.values[start:end] if self.exact else None
        places, events = parsed.places[start:end], parsed.events[start:end]
        batch.take(Run(chat_id, self.source, "line", places, events, items))

    def _look_into(self, batch: Batch, place: int, line: bytes) -> None:
        """Read a line by itself."""
        try:
            found, why = items_of_line(line)
        except JournalLineError as error:
            raise UnreadableLogError(f"{self.source.name}: line {place}: {error}") from None
        if found is not None:
            for self._chat_id, item in found:
                self._is_a_log(batch)
                batch.add(self._chat_id, item, "line", place)
        elif self._doubtful is None:
            self._broken(batch, place, line, why)
        else:
            self._doubtful.append((place, line, why))
            if len(self._doubtful) == _PATIENCE:
                self._give_up()

    def _is_a_log(self, batch: Batch) -> None:
        """A good line was met, so that broken ones before it are of its chat."""
        doubtful, self._doubtful = self._doubtful, None
        chat_id = self._chat_id
        for place, line, why in doubtful or ():
            self._chat_id = chat_id
            self._broken(batch, place, line, why)
        self._chat_id = chat_id

    def _broken(self, batch: Batch, place: int, line: bytes, why: str) -> None:
        whose = chat_at_a_glance(line)
        if whose is not None:
            self._chat_id = whose.decode()
        text = line.decode("utf-8", "backslashreplace").rstrip("\r\n")
        batch.add(self._chat_id, Malformed(None, text, why), "line", place, is_read=False)

    def _give_up(self) -> None:
        if self._doubtful:
            number, _, why = self._doubtful[0]
            where = f"{self.source.name}: line {number}"
            raise UnreadableLogError(f"{where}: no log of chat events: {why}")


class _Parsed:
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
        self.events = seen_all(values)
        """None for what needs a closer look."""

    def look_closer(self, index: int) -> bool:
        """Whether it is an event that names its chat; else the line has to be read by itself."""
        chat_id, value = self.ids[index], self.values[index]
        if chat_id.__class__ is int:
            chat_id = self.ids[index] = str(chat_id)
        if chat_id is not _UNNAMED and not _is_id(chat_id):
            return False
        if self.events[index] is None:
            if "event" not in value or json_input.may_be_rounded(self.lines[index]):
                return False
            self.events[index] = decode_item(value)
        return True


def _is_id(chat_id: object) -> bool:
    return isinstance(chat_id, str) and 0 < len(chat_id) <= LONGEST_ID


def _exact_values(lines: list[bytes]) -> list[Any]:
    """The value of each line; None for those that have to be read by themselves."""
    values = json_input.parse_lines(lines)
    if json_input.may_be_rounded(b"\n".join(lines)):
        return [
            None if json_input.may_be_rounded(line) else value
            for line, value in zip(lines, values, strict=True)
        ]
    return values
