"""Recorded events: whose they are, and where they were found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from attrs import define, field

from chatfsm.protocol.codec import decode_item
from chatfsm.protocol.events import Event, Malformed
from chatfsm.recording.entries import Entry, Opening
from chatfsm.recording.glance import Share
from chatfsm.recording.source import Source

__all__ = ["Batch", "Record", "Run"]

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
