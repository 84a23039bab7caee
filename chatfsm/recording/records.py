"""Recorded events, and the lines of a log that become them, many at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple

from attrs import define, field

from chatfsm.errors import UnreadableLogError
from chatfsm.protocol import json_text
from chatfsm.protocol.codec import decode_item, seen
from chatfsm.protocol.events import Event, Malformed
from chatfsm.protocol.readers import LONGEST_ID
from chatfsm.recording.entries import Entry, JournalLineError, Opening
from chatfsm.recording.glance import Share, chat_at_a_glance, id_in_plain, is_odd
from chatfsm.recording.items import items_of_line, take_chat_id
from chatfsm.recording.source import Source

__all__ = ["BLANK", "Batch", "Block", "Lines", "Record"]

# A log may start with broken lines, but a file without any good one in so many is no log.
_PATIENCE: Final = 100
BLANK: Final = b" \t\r\n\xef\xbb\xbf"  # with the bytes of a byte order mark
Block = tuple[int, list[bytes]]
"""The number of the first line, from 1 on, and the lines."""
_FOUND: Final = (Opening, Entry, Malformed)
# A third of the time of Record(...), which is paid for every event.
_made: Final = tuple.__new__

_Wanted = tuple[int, bytes, int, bytes | None, bool]
"""A line's number, the line, how many others were passed over before it, the last one's chat, and
whether the line is surely of our chats."""


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
    passed: int = 0
    """How many records of others' chats stand between the one before and this."""

    @property
    def where(self) -> str:
        """The place, for people: `file: line 12`."""
        return f"{self.source.name}: {self.unit} {self.place}"


@define
class Batch:
    """Records that were read at once, and how many of others' chats there were after them."""

    source: Source
    share: Share | None
    """Whose records are kept; None: all are."""
    records: list[Record] = field(factory=list)
    passed: int = 0

    def add_event(self, item: dict[str, Any], place: int, *, is_ours: bool = False) -> str | None:
        """Take in the item of a line; returns the chat that it says it is of.

        `is_ours`: of the share it surely is.
        """
        chat_id: str | None = item.get("chat_id")
        if isinstance(chat_id, str) and 0 < len(chat_id) <= LONGEST_ID:
            del item["chat_id"]
        else:
            chat_id = take_chat_id(item)
        share = self.share
        if share is not None and not is_ours and not share.has_record(chat_id, self.source):
            self.passed += 1
            return chat_id
        event = seen(item) or decode_item(item)
        found = (chat_id, event, self.source, "line", place, item, self.passed)
        self.records.append(_made(Record, found))
        self.passed = 0
        return chat_id

    def add(
        self, chat_id: str | None, item: object, unit: str, place: int, *, is_read: bool = True
    ) -> None:
        """Take in an item, or what it was found to be; `is_read`: it is as it came."""
        if self.share is not None and not self.share.has_record(chat_id, self.source):
            self.passed += 1
            return
        event: Any = item if isinstance(item, _FOUND) else decode_item(item)
        raw = item if is_read else None
        self.records.append(Record(chat_id, event, self.source, unit, place, raw, self.passed))
        self.passed = 0


@define
class Lines:
    """Reads a log line by line; a broken line is a malformed event of the chat before it.

    Unless it bears the id of its chat, and looks whole.
    """

    source: Source
    share: Share | None
    _chat_id: str | None = None
    """The chat that stands before the next line."""
    _doubtful: list[tuple[int, bytes, str]] | None = field(factory=list)
    """The broken lines that the log began with, until a good one shows that it is a log."""

    def batches(self, blocks: Iterable[Block]) -> Iterator[Batch]:
        """What the lines hold. Raises `UnreadableLogError` where that is no log."""
        for block in blocks:
            batch = Batch(self.source, self.share)
            try:
                self._read(batch, *block)
            except UnreadableLogError:
                yield batch  # what was read before is told before
                raise
            yield batch
        self._give_up()

    def _read(self, batch: Batch, number: int, lines: list[bytes]) -> None:
        if self._doubtful is None and self.share is None and all(map(bytes.strip, lines)):
            self._take(batch, number, lines)
            return
        held = [line for line in enumerate(lines, number) if line[1].strip(BLANK)]
        first = 0
        while self._doubtful is not None and first < len(held):
            self._look_into(batch, *held[first])
            first += 1
        wanted, passed, last = self._wanted(held[first:])
        values = _values([line for _, line, *_ in wanted])
        for (place, line, before, whose, is_ours), value in zip(wanted, values, strict=True):
            if before:
                self._pass(batch, before, whose)
            if value.__class__ is dict and "event" in value:
                self._chat_id = batch.add_event(value, place, is_ours=is_ours)
            else:
                self._look_into(batch, place, line)
        self._pass(batch, passed, last)

    def _take(self, batch: Batch, number: int, lines: list[bytes]) -> None:
        """Take in lines of which all are wanted, and none is blank; one may be a mark alone."""
        for place, value in enumerate(_values(lines), number):
            if value.__class__ is dict and "event" in value:
                self._chat_id = batch.add_event(value, place)
            elif lines[place - number].strip(BLANK):
                self._look_into(batch, place, lines[place - number])

    def _wanted(self, held: list[tuple[int, bytes]]) -> tuple[list[_Wanted], int, bytes | None]:
        """The lines that may concern our chats, and what was passed over after the last."""
        share = self.share
        if share is None:
            return [(place, line, 0, None, False) for place, line in held], 0, None
        wanted: list[_Wanted] = []
        passed, last = 0, None
        known = share.known
        look = chat_at_a_glance if is_odd(b"".join([line for _, line in held])) else id_in_plain
        for place, line in held:
            whose = look(line)
            ours = known[whose] if whose in known else share.look_up(whose)
            if ours is False:
                passed, last = passed + 1, whose
            else:
                wanted.append((place, line, passed, last, ours is True))
                passed, last = 0, None
        return wanted, passed, last

    def _pass(self, batch: Batch, number: int, last: bytes | None) -> None:
        batch.passed += number
        if last is not None:
            self._chat_id = last.decode()

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


def _values(lines: list[bytes]) -> list[Any]:
    """The value of each line, parsed together; None for those that want parsing by themselves."""
    values = json_text.parse_lines(lines)
    if json_text.may_be_rounded(b"\n".join(lines)):
        return [
            None if json_text.may_be_rounded(line) else value
            for line, value in zip(lines, values, strict=True)
        ]
    return values
