"""Formats: recognize the format of a recorded file by its content, and read its records.

- JSON lines: an event, a list of events, or an envelope `{"events": [...]}` per line;
- one JSON document: an envelope, a list, or a case history `{"sessions": [...]}`;
- journals: JSON lines of inputs and their effects (`chatfsm.replay.journal`).

An event or an envelope may carry the `chat_id` of its chat. A reader for one more format yields
`RecordBatch` values as these do.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

from chatfsm._protocol import json_input
from chatfsm.errors import DecodeError, UnreadableLogError
from chatfsm.replay.journal import JournalLineError
from chatfsm.replay.reader import (
    BLANK,
    Block,
    LineReader,
    Record,
    RecordBatch,
    items_in,
    items_in_line,
)
from chatfsm.replay.sharding import Shard
from chatfsm.replay.sources import Source

__all__ = ["Record", "record_batches", "records"]

# A document is parsed as a whole; the case history of many years is far smaller.
_MAX_DOCUMENT_BYTES: Final = 256 * 1024 * 1024
# Number of events of a document in one batch.
_BATCH_SIZE: Final = 512


def records(source: Source) -> Iterator[Record]:
    """All records of a file, in order, with their raw items.

    Raises `UnreadableLogError` if the file cannot be read, or is not a log.
    """
    for batch in record_batches(source, exact=True):
        yield from batch.records()


def record_batches(
    source: Source, shard: Shard | None = None, *, exact: bool = False
) -> Iterator[RecordBatch]:
    """All records of a file in batches, as large as one read returns; raises as `records` does.

    `shard`: the chats whose records are kept; None: all. `exact`: keep the raw items too.
    """
    blocks = _blocks(source)
    first = next(blocks, None)
    if first is None:
        return
    try:
        json_input.parse(first[1][0])
    except DecodeError:
        yield from _document_or_lines(source, LineReader(source, shard, exact), first, blocks)
    else:
        yield from LineReader(source, shard, exact).batches(chain([first], blocks))


def _blocks(source: Source) -> Iterator[Block]:
    """Blocks of lines from the first line that is not blank, each with the number of its first."""
    number, is_blank = 1, True
    for lines in source.blocks():
        rest = lines
        while is_blank and rest:
            is_blank = not rest[0].strip(BLANK)
            rest = rest[is_blank:]
        if rest:
            yield number + len(lines) - len(rest), rest
        number += len(lines)


def _document_or_lines(
    source: Source, lines: LineReader, first: Block, blocks: Iterator[Block]
) -> Iterator[RecordBatch]:
    """Read a document that spans lines, or lines of which the first is broken."""
    number, lines_read = first
    try:
        is_document = _read_document(lines_read, blocks)
    except UnreadableLogError as error:
        # Records before the error are yielded before it is raised.
        blocks, is_document = _raising(error), False
    value = _parsed(b"".join(lines_read)) if is_document else None
    if value is not None:
        yield from _from_document(source, lines.shard, value)
    else:
        yield from lines.batches(chain([(number, lines_read)], blocks))


def _read_document(lines_read: list[bytes], blocks: Iterator[Block]) -> bool:
    """Read all lines; False if they are not parts of one document, or are too large."""
    size, complete, count = 0, 0, 0
    for lines in chain([lines_read[:]], (lines for _, lines in blocks)):
        if count:
            lines_read += lines
        for line in lines:
            size += len(line)
            # One line of a document may be complete JSON, as the last event of a list is.
            complete += count > 0 and _is_complete(line)
            count += 1
            if size > _MAX_DOCUMENT_BYTES or complete > 1:
                return False
    return True


def _is_complete(line: bytes) -> bool:
    try:
        return items_in_line(line)[0] is not None
    except JournalLineError:
        return True


def _raising(error: UnreadableLogError) -> Iterator[Block]:
    yield from ()
    raise error


def _parsed(text: bytes) -> object:
    try:
        return json_input.parse(text)
    except DecodeError:
        return None


def _from_document(source: Source, shard: Shard | None, value: object) -> Iterator[RecordBatch]:
    try:
        items = items_in(value)
    except JournalLineError:
        items = None
    if items is None:
        raise UnreadableLogError(f"{source.name}: the JSON document contains no chat events")
    batch = RecordBatch(source, shard)
    for place, (chat_id, item) in enumerate(items, start=1):
        batch.add(chat_id, item, "event", place)
        if place % _BATCH_SIZE == 0:
            yield batch
            batch = RecordBatch(source, shard)
    yield batch
