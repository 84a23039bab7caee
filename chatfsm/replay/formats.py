"""Formats: recognize the format of a recorded file by its content, and read its records.

- JSON lines: an event, a list of events, or an envelope `{"events": [...]}` per line; a comma at
  its end, several values on a line, and the record separators of RFC 7464 are read too;
- one JSON document: an envelope, a list, or a case history `{"sessions": [...]}`;
- several documents that follow each other, as `jq` prints them;
- journals: JSON lines of inputs and their effects (`chatfsm.replay.journal`);
- HAR files (`chatfsm.replay.har`), CSV and Parquet files (`chatfsm.replay.tables`);
- lines with an event inside of other things (`chatfsm.replay.wrapped`).

An event or an envelope may carry the `chat_id` of its chat, and the time at which it was received.
A reader for one more format yields `RecordBatch` values as these do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Final

from attrs import evolve

from chatfsm._protocol import json_input
from chatfsm.errors import DecodeError, UnreadableLogError
from chatfsm.events import Malformed
from chatfsm.replay.items import (
    MAX_VALUES,
    Item,
    Items,
    TooManyEventsError,
    check_value_count,
    items_in,
    items_in_line,
    items_in_sequence,
    received_fields,
    value_count,
)
from chatfsm.replay.journal import JournalLineError
from chatfsm.replay.kinds import NotALogError
from chatfsm.replay.reader import BLANK, LineReader, Record, RecordBatch
from chatfsm.replay.sources import Block, Content, Source, SourceRange
from chatfsm.replay.wrapped import Unwrapper, path_for, path_to_events

__all__ = ["Record", "is_json_lines", "record_batches", "records"]

# A document is parsed as a whole; the case history of many years is far smaller.
_MAX_DOCUMENT_BYTES: Final = 256 * 1024 * 1024
_TOO_LARGE: Final = (
    f"; as one document it has more than {_MAX_DOCUMENT_BYTES // 1024 // 1024} MiB"
    f" or {MAX_VALUES:,} values"
)
_ENDS: Final = (b"}", b"]")
# The first bytes of a HAR file, and of other JSON.
_HAR: Final = re.compile(rb'(?:\xef\xbb\xbf)?\s*\{\s*"log"\s*:\s*\{')
_JSON: Final = re.compile(rb"(?:\xef\xbb\xbf)?\s*[\[{]")
# Number of events of a document in one batch.
_BATCH_SIZE: Final = 512


def records(source: Source) -> Iterator[Record]:
    """All records of a file, in order, with their raw items.

    Raises `UnreadableLogError` if the file cannot be read, or is not a log.
    """
    for batch in record_batches(source, exact=True):
        yield from batch.records()


def record_batches(source: Source, *, exact: bool = False) -> Iterator[RecordBatch]:
    """All records of a file in batches, as large as one read returns; raises as `records` does.

    `exact`: keep the raw items too.
    """
    try:
        with source.opened() as content:
            yield from _batches(source, content, exact=exact)
    except NotALogError as error:
        if not source.is_optional:
            raise
        source.notes.append(f"left out: {str(error).removeprefix(f'{source.name}: ')}")


def _batches(source: Source, content: Content, *, exact: bool) -> Iterator[RecordBatch]:
    if isinstance(source, SourceRange) and source.start:
        lines = LineReader(source, exact, source.chat_id_before)
        yield from lines.batches(source.blocks(content))
        return
    # The readers of other formats than JSON lines are loaded when they are needed.
    head = content.head()
    if _HAR.match(head):
        from chatfsm.replay.har import HarReader  # noqa: PLC0415

        yield from _from_items(source, HarReader(source).entries(content), "entry")
    elif _JSON.match(head):
        yield from _from_blocks(source, _blocks(source, content), exact=exact)
    else:
        from chatfsm.replay.tables import table_batches  # noqa: PLC0415

        batches = table_batches(source, content, head)
        if batches is None:
            batches = _from_blocks(source, _blocks(source, content), exact=exact)
        yield from batches


def is_json_lines(source: Source) -> bool:
    """Whether a file has JSON lines that are not wrapped, the first of them with an event.

    What it is read as does then not depend on how it ends.
    """
    first: Block | None = None
    with suppress(UnreadableLogError), evolve(source).opened() as content:
        head = content.head()
        if content.path and source.unwrap is None and _JSON.match(head) and not _HAR.match(head):
            first = next(_blocks(source, content), None)
    if first is None or path_to_events(first[1]) is not None:
        return False
    try:
        items, _ = items_in_line(first[1][0])
    except (JournalLineError, TooManyEventsError):
        return False
    return items is not None and any(True for _ in items)


def _from_blocks(source: Source, blocks: Iterator[Block], *, exact: bool) -> Iterator[RecordBatch]:
    """Read lines, or documents that span lines."""
    first = next(blocks, None)
    if first is None:
        return
    check_value_count(source, first[0][0], first[1][0])
    path = path_to_events(first[1]) if source.unwrap is None else path_for(source.unwrap)
    if path is not None:
        yield from Unwrapper(source, path).batches(chain([first], blocks))
        return
    lines = LineReader(source, exact)
    try:
        json_input.parse(first[1][0])
    except DecodeError:
        yield from _document_or_lines(source, lines, first, blocks)
    else:
        yield from lines.batches(chain([first], blocks))


def _blocks(source: Source, content: Content) -> Iterator[Block]:
    """Blocks of lines from the first line on that is more than a byte order mark."""
    is_blank = True
    for places, lines in source.blocks(content):
        first = 0
        while is_blank and first < len(lines):
            is_blank = not lines[first].strip(BLANK)
            first += is_blank
        if first < len(lines):
            yield places[first:], lines[first:]


def _document_or_lines(
    source: Source, lines: LineReader, first: Block, blocks: Iterator[Block]
) -> Iterator[RecordBatch]:
    """Read a document that spans lines, or lines of which the first is broken."""
    blocks_read = [first]
    try:
        is_document = _read_document(blocks_read, blocks)
    except UnreadableLogError as error:
        # Records before the error are yielded before it is raised.
        blocks, is_document = _raising(error), False
    else:
        if not is_document:
            lines.why_no_document = _TOO_LARGE
    items: Items | None = None
    if is_document:
        text = b"".join(line for _, part in blocks_read for line in part)
        items = _items_in_document(source, text, first[1][0])
    if items is not None:
        located = ((place, [item]) for place, item in enumerate(items, start=1))
        yield from _from_items(source, located, "event")
    else:
        yield from lines.batches(chain(blocks_read, blocks))


def _read_document(blocks_read: list[Block], blocks: Iterator[Block]) -> bool:
    """Read all lines; False if they are not parts of one document, or are too large."""
    size, values, complete = 0, 0, 0
    for block in chain(blocks_read[:], blocks):
        if size:
            blocks_read.append(block)
        lines = block[1]
        text = b"".join(lines)
        size += len(text)
        values += value_count(text)
        # One line of a document may be complete JSON, as the last event of a list is.
        complete += sum(map(_is_complete, lines[blocks_read[0] is block :]))
        if size > _MAX_DOCUMENT_BYTES or values > MAX_VALUES or complete > 1:
            return False
    return True


def _is_complete(line: bytes) -> bool:
    if not line.rstrip(BLANK).endswith(_ENDS):  # most lines of a document
        return False
    try:
        return items_in_line(line)[0] is not None
    except (JournalLineError, TooManyEventsError):
        return True


def _raising(error: UnreadableLogError) -> Iterator[Block]:
    yield from ()
    raise error


def _items_in_document(source: Source, text: bytes, first_line: bytes) -> Items | None:
    """The items of a document, or of several that follow each other; None if it is neither."""
    try:
        value = json_input.parse(text)
    except DecodeError:
        return _items_in_documents(source, text, first_line)
    try:
        items = items_in(value, received_fields(source))
    except JournalLineError:
        items = None
    except TooManyEventsError as error:
        raise UnreadableLogError(f"{source.name}: the JSON document has {error}") from None
    if items is None:
        raise UnreadableLogError(f"{source.name}: the JSON document contains no chat events")
    return items


def _items_in_documents(source: Source, text: bytes, first_line: bytes) -> Items | None:
    """The items of documents that follow each other, if the first of them spans lines."""
    if json_input.parse_sequence(first_line, 1)[0]:
        return None
    try:
        found, rest = items_in_sequence(text, received_fields(source))
    except (JournalLineError, TooManyEventsError) as error:
        raise UnreadableLogError(f"{source.name}: the JSON documents have {error}") from None
    if found and rest.strip():
        found.append(iter([(None, Malformed(None, rest.rstrip("\r\n"), "not JSON"), None)]))
    return chain.from_iterable(found) if found else None


def _from_items(
    source: Source, located: Iterable[tuple[int, Iterable[Item]]], unit: str
) -> Iterator[RecordBatch]:
    """The records of items, which are given after their place."""
    batch = RecordBatch(source)
    count = 0
    for place, items in located:
        for chat_id, item, received_at in items:
            batch.add(chat_id, item, unit, place, received_at)
            count += 1
        if count >= _BATCH_SIZE:
            yield batch
            batch, count = RecordBatch(source), 0
    yield batch
