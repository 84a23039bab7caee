"""One reading of logs: what they hold is heard, in order, and their ends are told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from chatfsm.errors import UnreadableLogError
from chatfsm.recording.chats import Chats
from chatfsm.recording.formats import batches
from chatfsm.recording.glance import Share
from chatfsm.recording.records import Run
from chatfsm.recording.source import Source

__all__ = ["Reader", "read"]


class Reader(Protocol):
    """Who reads, and is told how it goes."""

    def reached(self, source: Source, records: int, /) -> None:
        """So many records of a file were heard; more are about to be."""

    def unreadable(self, error: UnreadableLogError, /) -> None:
        """A file, or the rest of it, cannot be read; the next one is read now."""


def read(
    sources: Iterable[Source],
    chats: Chats,
    reader: Reader,
    hear: Callable[[Run], None],
    share: Share | None = None,
) -> None:
    """Let `chats` `hear` all records, or those of a share of the chats.

    Raises what strict sessions and journals raise.
    """
    for source in sources:
        before = chats.records
        try:
            for batch in batches(source, share):
                reader.reached(source, chats.records - before)
                for run in batch.runs:
                    hear(run)
                chats.pass_over(batch.passed)
        except UnreadableLogError as error:
            reader.unreadable(error)
        chats.end_of(source)
    chats.finish()
