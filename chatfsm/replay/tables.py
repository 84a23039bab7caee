"""Tables: CSV and Parquet files with an event in each row.

The columns are the fields of an event, with the same names; or one of them holds the event as JSON.
`chat_id` and the time of receipt are columns too. Parquet needs pyarrow, of the extra `parquet`.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from importlib import import_module
from itertools import chain, islice
from typing import Any, Final

from chatfsm.errors import UnreadableLogError
from chatfsm.events import Malformed
from chatfsm.replay.kinds import NotALogError
from chatfsm.replay.reader import RecordBatch
from chatfsm.replay.sources import Content, Source
from chatfsm.replay.times import UNREADABLE, read_time
from chatfsm.replay.wrapped import HEAD_LINES, Unwrapper, path_for, path_to_event, value_of_cell

__all__ = ["table_batches"]

_DELIMITERS: Final = ",;\t|"
_COLUMN: Final = re.compile(r"[\w@$#][\w@$# .:/-]{0,63}")
# One of these columns holds the names of events, or events as JSON.
_EVENT_COLUMNS: Final = frozenset(
    (
        *("event", "events", "payload", "data", "body", "message", "msg", "json", "raw", "_raw"),
        *("content", "log", "@message", "record", "value", "event_json", "event_data"),
    )
)
_MAX_COLUMNS: Final = 1_000
_BATCH_ROWS: Final = 512
_PARQUET_MARK: Final = b"PAR1"
# A Parquet file that is compressed or in a zip file is read as a whole.
_MAX_PARQUET_BYTES: Final = 256 * 1024 * 1024
# A group of rows is decompressed at once.
_MAX_GROUP_BYTES: Final = 1024 * 1024 * 1024

Row = tuple[int, dict[str, Any] | Malformed]
"""The place of a row, and its cells by column; or what is wrong with it."""


def table_batches(source: Source, content: Content, head: bytes) -> Iterator[RecordBatch] | None:
    """The records of a CSV or Parquet file that begins so; None if it is neither."""
    if head.startswith(_PARQUET_MARK):
        return _parquet_batches(source, content)
    delimiter = _delimiter_of(head, source.unwrap)
    if delimiter is None:
        return None
    return _batches(source, _csv_rows(source, content, delimiter), "line")


def _delimiter_of(head: bytes, unwrap: str | None) -> str | None:
    """The delimiter of a CSV file that begins so; None if it is none with events."""
    line = head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n").partition(b"\n")[0]
    text = line.decode("utf-8", "replace").strip("\r ")
    best = max(_DELIMITERS, key=text.count)
    try:
        names = next(csv.reader([text], delimiter=best), [])
    except csv.Error:  # a carriage return within the line, or a name that is too long
        return None
    known = {name.strip().lower() for name in names}
    is_header = all(_COLUMN.fullmatch(name.strip()) for name in names) and len(known) == len(names)
    if len(names) == 1 and text.startswith('"'):
        return None  # a JSON text rather than a header
    is_wanted = unwrap is not None and unwrap.lower() in known
    return best if is_header and (is_wanted or known & _EVENT_COLUMNS) else None


def _csv_rows(source: Source, content: Content, delimiter: str) -> Iterator[Row]:
    """The rows of a CSV file; the place of one is its last line."""
    lines = (
        line.decode("utf-8", "backslashreplace").removeprefix("\ufeff")
        for _, text in _texts(source, content)
        for line in text
    )
    reader = csv.reader(lines, delimiter=delimiter)
    columns: list[str] | None = None
    while True:
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield reader.line_num, Malformed(None, None, f"not CSV: {error}")
            continue
        if cells is None:
            return
        if not any(cells):
            continue
        if columns is None:
            columns = _columns(cells)
        elif len(cells) != len(columns):
            why = f"{len(cells)} cells in a table of {len(columns)} columns"
            yield reader.line_num, Malformed(None, delimiter.join(cells), why)
        else:
            yield reader.line_num, _event_fields(dict(zip(columns, cells, strict=True)))


def _texts(source: Source, content: Content) -> Iterator[tuple[int, list[bytes]]]:
    """All lines, blank ones too: a cell may have some."""
    for text in source.texts(content):
        lines = io.BytesIO(text).readlines()
        yield len(lines), lines


def _columns(cells: list[str]) -> list[str]:
    names = [cell.strip() for cell in cells]
    if len(names) > _MAX_COLUMNS:
        raise UnreadableLogError(f"a table with more than {_MAX_COLUMNS:,} columns")
    if all(name == name.upper() for name in names):  # as some databases write them
        return [name.lower() for name in names]
    return names


def _parquet_batches(source: Source, content: Content) -> Iterator[RecordBatch]:
    """The records of a Parquet file. Raises `UnreadableLogError` if pyarrow is not installed."""
    try:
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError:
        why = "Parquet needs pyarrow: pip install 'chatfsm[parquet]'"
        raise UnreadableLogError(why) from None
    arrow: Any = import_module("pyarrow")
    where: Any = content.path
    if where is None:
        data = content.read_all(_MAX_PARQUET_BYTES)
        if data is None:
            limit = f"{_MAX_PARQUET_BYTES // 1024 // 1024} MiB"
            raise UnreadableLogError(f"a Parquet file of more than {limit} must not be compressed")
        where = io.BytesIO(data)
    try:
        with parquet.ParquetFile(where) as file:
            rows = _parquet_rows(file, arrow)
            yield from _batches(source, rows, "row")
    except (arrow.ArrowException, OSError) as error:
        why = str(error).partition("\n")[0]
        raise UnreadableLogError(f"a Parquet file that is damaged: {why}") from None


def _parquet_rows(file: Any, arrow: Any) -> Iterator[Row]:
    metadata = file.metadata
    if metadata.num_columns > _MAX_COLUMNS:
        raise UnreadableLogError(f"a table with more than {_MAX_COLUMNS:,} columns")
    for group in range(metadata.num_row_groups):
        if metadata.row_group(group).total_byte_size > _MAX_GROUP_BYTES:
            raise UnreadableLogError("a Parquet file with more than 1 GiB in a group of rows")
    place = 0
    for batch in file.iter_batches(batch_size=_BATCH_ROWS):
        for row in batch.cast(_readable_schema(batch.schema, arrow), safe=False).to_pylist():
            place += 1
            yield place, _event_fields({name: _plain(value) for name, value in row.items()})


def _readable_schema(schema: Any, arrow: Any) -> Any:
    """The same schema with times in microseconds: Python has no nanoseconds."""
    fields = [
        each.with_type(arrow.timestamp("us", each.type.tz))
        if arrow.types.is_timestamp(each.type)
        else each
        for each in schema
    ]
    return arrow.schema(fields)


def _plain(value: Any) -> Any:
    """A cell of a Parquet file as JSON has it."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, list):
        if all(isinstance(each, tuple) and len(each) == 2 for each in value) and value:  # noqa: PLR2004  # a map
            return {str(key): _plain(inner) for key, inner in value}
        return [_plain(each) for each in value]
    if isinstance(value, datetime):
        at = read_time(value)
        return str(value) if at is UNREADABLE else at
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "backslashreplace")
    return str(value) if isinstance(value, (Decimal, date, time)) else value


def _event_fields(cells: dict[str, Any]) -> dict[str, Any]:
    """The cells of a row as an event has its fields: no empty ones, JSON parsed, times as numbers.

    A column `data.type` is the field `type` of the object `data`.
    """
    fields: dict[str, Any] = {}
    for name, cell in cells.items():
        if cell is None or cell == "":
            continue
        outer, dot, inner = name.partition(".")
        if dot and isinstance(fields.setdefault(outer, {}), dict):
            fields[outer][inner] = cell
        else:
            fields[name] = value_of_cell(cell) if name in {"data", "attachments"} else cell
    stamp = fields.get("timestamp")
    at = read_time(stamp) if isinstance(stamp, str) and not stamp.strip().isdecimal() else None
    if at is not None and at is not UNREADABLE:
        fields["timestamp"] = at
    return fields


def _batches(source: Source, rows: Iterable[Row], unit: str) -> Iterator[RecordBatch]:
    """The records of rows. Raises `NotALogError` if no row among the first has an event."""
    rows = iter(rows)
    head = list(islice(rows, HEAD_LINES))
    if source.unwrap is not None:
        path: Any = path_for(source.unwrap)
    else:
        paths = (path_to_event(row) for _, row in head if isinstance(row, dict))
        path = next((path for path in paths if path is not None), None)
        if path is None and head:
            raise NotALogError("not a log of chat events: a table without events")
    unwrapper = Unwrapper(source, path or ())
    batch = RecordBatch(source)
    has_events = False
    for count, (place, row) in enumerate(chain(head, rows), 1):
        if isinstance(row, Malformed):
            batch.add(unwrapper.chat_id, row, unit, place, is_read=False)
        else:
            has_events |= unwrapper.add(batch, row, place, unit)
        if count % _BATCH_ROWS == 0:
            yield batch
            batch = RecordBatch(source)
    yield batch
    unwrapper.note(has_events=has_events, unit=unit)
