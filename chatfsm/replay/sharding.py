"""Shards: the parts of a list of logs that several processes replay at the same time.

A shard is whole files, and ranges of bytes of files of JSON lines. A range begins after a line of
which the chat is known, so that a broken line at its start belongs to the same chat as in the file.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from chatfsm.replay.formats import is_json_lines
from chatfsm.replay.items import TooManyEventsError, items_in_line
from chatfsm.replay.journal import JournalLineError
from chatfsm.replay.sources import COMPRESSED_SUFFIXES, Source, SourceRange

__all__ = ["Shard", "shards_of"]

# A range is far larger than a block, whose lines tell the format of a file.
_MIN_RANGE_BYTES: Final = 1024 * 1024
# A cut is searched in so many lines, none of them longer.
_CUT_LINES: Final = 100
_CUT_LINE_BYTES: Final = 1024 * 1024
# The first shard is larger by this much of a shard: the others wait for what it hands over, and
# replay the chats that go on in them again.
_LEAD: Final = 0.05
# Logs compress to about this.
_COMPRESSION_RATIO: Final = 8


@frozen
class Shard:
    """The sources that one of several processes reads; all shards, in order, are the logs."""

    index: int
    """Number of the shard in the order of the logs, from 0."""
    sources: list[Source]
    """Files and ranges of files, in the order of the logs."""
    is_last: bool
    """Whether no shard follows."""

    def __str__(self) -> str:
        first = self.sources[0]
        more = len(self.sources) - 1
        name = f"{first.name} ({first})" if isinstance(first, SourceRange) else first.name
        return f"{name} and {more:,} more" if more else name


def shards_of(sources: Sequence[Source], jobs: int) -> list[Shard]:
    """Divide sources into `jobs` shards of about the same size; fewer if files cannot be cut."""
    sizes = [_size_of(source) for source in sources]
    total, before = sum(sizes), 0
    parts: list[list[Source]] = [[]]
    for source, size in zip(sources, sizes, strict=True):
        share = total / (jobs + _LEAD)
        ends = (int(share * (number + _LEAD)) - before for number in range(1, jobs))
        offsets = [offset for offset in ends if 0 < offset <= size]
        ranges = _ranges_of(source, [offset for offset in offsets if offset < size])
        if len(ranges) == 1 and offsets and offsets[0] < size // 2:
            parts.append([])  # the border is nearer to the start of the file
            offsets = offsets[1:]
        parts[-1].append(ranges[0])
        parts += [[each] for each in ranges[1:]]
        if (len(ranges) == 1 and offsets) or offsets[-1:] == [size]:
            parts.append([])
        before += size
    filled = [part for part in parts if part]
    last = len(filled) - 1
    return [Shard(index, part, index == last) for index, part in enumerate(filled)]


def _size_of(source: Source) -> int:
    """The bytes of a file as it is read, about; 0 if it is missing, which its reading reports."""
    path = Path(source.path)
    ratio = _COMPRESSION_RATIO if path.suffix in COMPRESSED_SUFFIXES else 1
    return path.stat().st_size * ratio if path.is_file() else 0


def _ranges_of(source: Source, offsets: list[int]) -> Sequence[Source]:
    """The ranges of a file that is cut at about these offsets; itself if it cannot be cut."""
    far = [offset for offset in offsets if offset >= _MIN_RANGE_BYTES]
    if not far or not is_json_lines(source):
        return [source]
    first = SourceRange(
        source.name,
        received_at=source.received_at,
        unwrap=source.unwrap,
        is_optional=source.is_optional,
    )
    ranges = [first]
    with Path(source.path).open("rb") as file:
        for offset in far:
            cut = _cut_at(file, offset)
            if cut is not None and cut[0] >= ranges[-1].start + _MIN_RANGE_BYTES:
                ranges[-1].end = cut[0]
                ranges.append(evolve(first, start=cut[0], end=None, chat_id_before=cut[1]))
    return ranges if len(ranges) > 1 else [source]


def _cut_at(file: io.BufferedReader, offset: int) -> tuple[int, str] | None:
    """The end of a line at or after an offset, and the chat of this line; None: not found."""
    file.seek(offset)
    line = file.readline(_CUT_LINE_BYTES)
    for _ in range(_CUT_LINES):
        if not line.endswith(b"\n"):
            return None
        line = file.readline(_CUT_LINE_BYTES)
        chat_id = _last_chat_id(line) if line.endswith(b"\n") else None
        if chat_id is not None:
            return file.tell(), chat_id
    return None


def _last_chat_id(line: bytes) -> str | None:
    """The chat of the last item of a line; None if it has none, or is broken."""
    try:
        chats = [chat_id for chat_id, _, _ in items_in_line(line)[0] or ()]
    except (JournalLineError, TooManyEventsError):
        return None
    return chats[-1] if chats else None
