"""What a recorded file holds, told by its content, as records: whose event, and where it stood.

Read are: raw events as JSON lines, envelopes `{"events": [...]}` one a line or as a whole
document, lists, and case histories `{"sessions": [...]}`. An event or an envelope may carry a
`chat_id` of its own. A journal is JSON lines too, of inputs and what they led to.
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

# A document has to be parsed as a whole; a case history of years stays far below this.
_MAX_DOCUMENT_BYTES: Final = 256 * 1024 * 1024
# So many events of a document are told at once.
_BATCH_SIZE: Final = 512


def records(source: Source) -> Iterator[Record]:
    """All that a file holds, in order. Raises `UnreadableLogError` where it is no log at all."""
    for batch in record_batches(source, exact=True):
        yield from batch.records()


def record_batches(
    source: Source, share: Shard | None = None, *, exact: bool = False
) -> Iterator[RecordBatch]:
    """As `records`, as many at once as are there; of a share of the chats, or of all.

    `exact`: with the items as they came.
    """
    blocks = _blocks(source)
    first = next(blocks, None)
    if first is None:
        return
    try:
        json_input.parse(first[1][0])
    except DecodeError:
        yield from _document_or_lines(source, LineReader(source, share, exact), first, blocks)
    else:
        yield from LineReader(source, share, exact).batches(chain([first], blocks))


def _blocks(source: Source) -> Iterator[Block]:
    """The lines, with the number of each block's first, from the first that holds something."""
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
    """A document spread over lines; else lines of which the first is broken."""
    number, lines_read = first
    try:
        is_document = _read_document(lines_read, blocks)
    except UnreadableLogError as error:
        # What was read before is told before.
        blocks, is_document = _raising(error), False
    value = _parsed(b"".join(lines_read)) if is_document else None
    if value is not None:
        yield from _from_document(source, lines.share, value)
    else:
        yield from lines.batches(chain([(number, lines_read)], blocks))


def _read_document(lines_read: list[bytes], blocks: Iterator[Block]) -> bool:
    """Take all lines, unless they turn out to be no parts of one document, or too many."""
    size, complete, count = 0, 0, 0
    for lines in chain([lines_read[:]], (lines for _, lines in blocks)):
        if count:
            lines_read += lines
        for line in lines:
            size += len(line)
            # The last event of a list may stand on a line by itself; a second one is no part.
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


def _from_document(source: Source, share: Shard | None, value: object) -> Iterator[RecordBatch]:
    try:
        items = items_in(value)
    except JournalLineError:
        items = None
    if items is None:
        raise UnreadableLogError(f"{source.name}: JSON, but no events that chatfsm knows")
    batch = RecordBatch(source, share)
    for place, (chat_id, item) in enumerate(items, start=1):
        batch.add(chat_id, item, "event", place)
        if place % _BATCH_SIZE == 0:
            yield batch
            batch = RecordBatch(source, share)
    yield batch
