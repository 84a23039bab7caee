"""Batches: the chats of Arrow record batches, reduced to a row a chat, for any engine.

>>> import pyarrow as pa
>>> from chatfsm.replay.batches import reduce_batches
>>> with open("tests/logs/late.jsonl") as log:
...     lines = log.readlines()
>>> table = pa.table({"chat_id": ["late"] * 12 + [None] * (len(lines) - 12), "event": lines})
>>> for rows in reduce_batches(table.to_batches()):
...     for row in rows.to_pylist():
...         print(row["chat_id"], row["state"], row["events"])
late timed_out 12
None None 3

Input: `EVENT_COLUMNS`, sorted by chat_id, received_at and seq, or at least so that the events of a
chat stand together, in the order of time; anything else raises `OutOfOrder`. How the events are cut
into batches makes no difference. Output: the fields of `ChatSummary` or `MeasuredChat`, the rows of
`TABLES`. Events without a chat_id are set aside, and counted in a last row without one, so that the
sum of `events` is the number of all events.

The session of one chat is in memory at a time, with the ids of all chats so far.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from math import inf
from typing import Any, Final, Literal

from attrs import asdict, frozen

from chatfsm._protocol import json_input
from chatfsm._protocol.codec import decode_item, fast_decode_all, typed_parser
from chatfsm._protocol.lines import parse_typed
from chatfsm._protocol.structuring import LONGEST_ID
from chatfsm._session.state import Counts, quoted
from chatfsm.errors import DecodeError, OutOfOrder
from chatfsm.events import Event, Malformed
from chatfsm.replay.arrow_schema import arrow_library, class_schema, column_schema
from chatfsm.replay.export import Column, without_surrogates
from chatfsm.replay.items import MAX_VALUES, value_count
from chatfsm.replay.metrics import ChatMetrics, finish_metrics, record_step
from chatfsm.replay.reader import RecordBatch, RecordRun
from chatfsm.replay.sources import Source
from chatfsm.replay.stream_replay import ReplayedChat, StreamReplay
from chatfsm.replay.times import RECEIVED_FIELDS, read_time
from chatfsm.settings import Settings

__all__ = [
    "EVENT_COLUMNS",
    "TABLES",
    "ArrowBatch",
    "ArrowSchema",
    "ChatSummary",
    "MeasuredChat",
    "PartySummary",
    "Table",
    "decode_texts",
    "event_schema",
    "reduce_batches",
    "table_schema",
]

ArrowBatch = Any
"""A `pyarrow.RecordBatch`; pyarrow has no types."""
ArrowSchema = Any
"""A `pyarrow.Schema`."""
Table = Literal["replay", "metrics"]
"""A table that events are reduced to."""

EVENT_COLUMNS: Final = (
    Column("chat_id", str, True, "Id of the chat; null: the event is set aside, and counted."),
    Column("received_at", float, True, "Seconds since 1970 at which it was received, or null."),
    Column("seq", int, True, "Order of events that were received at the same time, or null."),
    Column("event", str, True, "The event as JSON."),
)
"""The columns of the input. Others are ignored, and `received_at` and `seq` may be missing.
`received_at` may also be a timestamp or what `chatfsm.replay.times.read_time` reads."""

_SORT: Final = "sort by chat_id, received_at and seq"
_Place = tuple[float | None, int | None]
# Rows of an output batch.
_ROWS: Final = 1_024
# Numbers from here on are milliseconds (see `times`), or no times.
_SECONDS_BELOW: Final = 1e11


@frozen
class PartySummary:
    """A party in the chat, or at its end."""

    party_id: str
    """Id of the party, as in `Party.party_id`."""
    type: str | None
    """Type of the party, as in `Party.type`."""
    display_name: str | None
    """Name that the server wants shown; None or "" if it sent none."""


@frozen(kw_only=True)
class ChatSummary:
    """A chat after all its events, as `chatfsm replay --summary` has it."""

    chat_id: str
    """Id of the chat in the log."""
    state: str
    """The last state of the session, as in `StateChanged.state`."""
    outcome: str | None
    """ended, timed_out, failed or gone; None if the chat is not over."""
    text: str | None
    """The server's text about the end."""
    parties: tuple[PartySummary, ...]
    """The parties that are in the chat, or were at its end."""
    agent: str | None
    """Party id of the human agent who joined last and is still in the chat."""
    typing: tuple[str, ...]
    """Party ids of those that type after the last event."""
    open_forms: tuple[str, ...]
    """Request ids of the forms that await an answer."""
    warning: str | None
    """The server's last inactivity warning; None after the customer was active."""
    call: str
    """The state of the call, as in `CallChanged.state`."""
    case_id: str | None
    """Id of the case; None if the chat has none."""
    messages: int
    """Number of messages received, of all parties."""
    counts: Counts
    """Counts of the session: duplicates, unknown and malformed events and the like."""
    findings: dict[str, int]
    """Number of findings of each kind that there is."""
    first_at: float | None
    """Seconds on the clock of the log."""
    last_at: float | None
    """Time of the last event or deadline, in seconds on the clock of the log."""
    events: int
    """Number of events; in the row without a chat_id, of those that were set aside."""


@frozen(kw_only=True)
class MeasuredChat(ChatMetrics):
    """The metrics of a chat, and the number of its events."""

    events: int
    """Number of events; in the row without a chat_id, of those that were set aside."""


TABLES: Final[dict[Table, type]] = {"replay": ChatSummary, "metrics": MeasuredChat}
"""For each table the class of its rows. All other columns are null in the row without a chat_id."""


def event_schema() -> ArrowSchema:
    """Return the Arrow schema of the input."""
    return column_schema(EVENT_COLUMNS, arrow_library("reducing batches"))


def table_schema(table: Table) -> ArrowSchema:
    """Return the Arrow schema of a table. Raises ValueError for an unknown one."""
    if table not in TABLES:
        raise ValueError(f"the table must be one of {', '.join(TABLES)}, not {table!r}")
    arrow = arrow_library("reducing batches")
    # The row without a chat_id has nulls.
    return arrow.schema([each.with_nullable(True) for each in class_schema(TABLES[table], arrow)])


def reduce_batches(
    batches: Iterable[ArrowBatch], table: Table = "replay", *, settings: Settings | None = None
) -> Iterator[ArrowBatch]:
    """Replay the events of sorted Arrow record batches, and yield batches with a row a chat.

    Times are those of `replay_logs` for the table `replay`, and of `measure_logs` for `metrics`.

    Raises `OutOfOrder` if the events of a chat do not stand together, or not in the order of time;
    `ViolationError` if the settings are strict and a chat violates the protocol; ValueError if the
    table is unknown, or `chat_id` or `event` is missing; TypeError if a column has another type;
    and `ChatError` if pyarrow is not installed.
    """
    schema = table_schema(table)
    arrow = arrow_library("reducing batches")
    reducer = _Reducer(table, settings or Settings(), arrow)
    rows: list[dict[str, Any]] = []
    for batch in batches:
        for row in reducer.feed(batch):
            rows.append(row)
            if len(rows) == _ROWS:
                yield _batch_of(rows, schema, arrow)
                rows = []
    rows += reducer.finish()
    if rows:
        yield _batch_of(rows, schema, arrow)


def _batch_of(rows: list[dict[str, Any]], schema: ArrowSchema, arrow: Any) -> ArrowBatch:
    try:
        return arrow.RecordBatch.from_pylist(rows, schema)
    except UnicodeEncodeError:
        return arrow.RecordBatch.from_pylist(_storable(rows), schema)


def _storable(value: Any) -> Any:
    """Return rows, or a part of one, without half characters."""
    if isinstance(value, dict):
        return {name: _storable(inner) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_storable(inner) for inner in value]
    return without_surrogates(value)


class _Reducer:
    """The chat whose events are being read, and the ids of the chats before it."""

    def __init__(self, table: Table, settings: Settings, arrow: Any) -> None:
        self._arrow = arrow
        is_measured = table == "metrics"
        on_step = record_step if is_measured else None
        self._stream = StreamReplay(settings, on_step=on_step, prefers_received=is_measured)
        self._row_of = _measured if is_measured else _summary
        self._source = Source("events")
        self._chat_id: str | None = None
        self._seen: set[str] = set()
        self._set_aside = 0
        self._next_row = 1
        """Number of the first row of the next batch."""
        self._latest = -inf
        """The latest received_at of the chat."""
        self._last: _Place = (None, None)
        """The received_at and seq of the row before, of the same chat."""

    def feed(self, batch: ArrowBatch) -> Iterator[dict[str, Any]]:
        """Feed a batch, and yield the row of each chat that it ends."""
        arrow = self._arrow
        ids = _column(batch, "chat_id", arrow.string())
        texts = _column(batch, "event", arrow.binary())
        times = _times(batch, arrow)
        numbers = _column(batch, "seq", arrow.int64(), is_optional=True)
        start = 0
        for chat_id, rows in groupby(ids):
            end = start + sum(1 for _ in rows)
            if not chat_id or len(chat_id) > LONGEST_ID:
                self._set_aside += end - start
            else:
                if chat_id != self._chat_id:
                    yield from self._end_chat()
                    self._begin_chat(chat_id)
                for index in range(start, end):
                    self._check_order(times[index], numbers[index], self._next_row + index)
                places = range(self._next_row + start, self._next_row + end)
                run = RecordRun(
                    chat_id, self._source, "row", places, decode_texts(texts[start:end]), None
                )
                received = times[start:end]
                run.received = received if any(at is not None for at in received) else None
                for _ in self._stream.feed(RecordBatch(self._source, [run])):
                    pass  # a chat is released by `_end_chat`
            start = end
        self._next_row += start

    def finish(self) -> Iterator[dict[str, Any]]:
        """Yield the row of the last chat, and the number of events that were set aside."""
        yield from self._end_chat()
        if self._set_aside:
            yield {"events": self._set_aside}

    def _begin_chat(self, chat_id: str) -> None:
        if chat_id in self._seen:
            why = "its events do not stand together"
            raise OutOfOrder(f"chat {quoted(chat_id)} comes again: {why}; {_SORT}")
        self._seen.add(chat_id)
        self._chat_id = chat_id
        self._latest, self._last = -inf, (None, None)

    def _end_chat(self) -> Iterator[dict[str, Any]]:
        for chat in self._stream.finish():
            yield {**self._row_of(chat), "events": chat.replay.event_count}

    def _check_order(self, at: float | None, number: int | None, row: int) -> None:
        """Raise `OutOfOrder` if the time or, at the same time, the seq is lower than before."""
        last_at, last_number = self._last
        if at is not None and at < self._latest:
            what = f"received_at {at} after {self._latest}"
        elif (
            at == last_at
            and number is not None
            and last_number is not None
            and number < last_number
        ):
            what = f"seq {number} after {last_number}"
        else:
            if at is not None and at > self._latest:
                self._latest = at
            self._last = at, number
            return
        raise OutOfOrder(f"row {row}, chat {quoted(self._chat_id or '')}: {what}; {_SORT}")


def _summary(chat: ReplayedChat) -> dict[str, Any]:
    stats = chat.stats
    times = {"first_at": stats.first_at, "last_at": stats.last_at}
    return {**stats.summary(), "findings": [*stats.findings().items()], **times}


def _measured(chat: ReplayedChat) -> dict[str, Any]:
    return asdict(finish_metrics(chat), value_serializer=_pairs)


def _pairs(_instance: object, _field: object, value: Any) -> Any:
    """Return the pairs of a map, as Arrow takes it; other values as they are."""
    return [*value.items()] if isinstance(value, dict) else value


# Columns.


def _column(batch: ArrowBatch, name: str, kind: Any, *, is_optional: bool = False) -> list[Any]:
    """Return the values of a column; Nones if it is missing and may be."""
    index = batch.schema.get_field_index(name)
    if index < 0:
        if is_optional:
            return [None] * batch.num_rows
        raise ValueError(f"the batches need one column {name!r}")
    column = batch.column(index)
    try:
        values: list[Any] = column.cast(kind).to_pylist()
    except (NotImplementedError, ValueError) as error:  # as pyarrow's errors are
        raise TypeError(f"column {name!r} must be {kind}, not {column.type}: {error}") from None
    return values


def _times(batch: ArrowBatch, arrow: Any) -> list[float | None]:
    """Return received_at in seconds, `UNREADABLE` for what is no time."""
    index = batch.schema.get_field_index("received_at")
    if index < 0:
        return [None] * batch.num_rows
    column = batch.column(index)
    if arrow.types.is_timestamp(column.type):
        column = column.cast(arrow.timestamp("us", column.type.tz), safe=False)
        column = arrow.compute.divide(column.cast(arrow.int64()).cast(arrow.float64()), 1e6)
    elif arrow.types.is_decimal(column.type):
        column = column.cast(arrow.float64())
    values: list[Any] = column.to_pylist()
    if arrow.types.is_floating(column.type):
        known = column.drop_null()
        seconds = arrow.compute.and_(
            arrow.compute.greater_equal(known, 0), arrow.compute.less(known, _SECONDS_BELOW)
        )
        if arrow.compute.all(seconds, min_count=0).as_py():  # nearly always, and without a loop
            return values
    return [read_time(value) for value in values]


def decode_texts(texts: list[bytes | None]) -> list[Event]:
    """Return the event of each JSON text, without what the log has added to it."""
    lines = [b"" if text is None or _is_too_large(text) else text for text in texts]
    parse = typed_parser(chat_id=None)
    typed = [None] * len(lines) if parse is None else parse_typed(lines, parse)
    events: list[Any] = [line and line.event() for line in typed]
    if not all(events):
        odd = [index for index, event in enumerate(events) if event is None]
        values = json_input.parse_lines([lines[index] for index in odd])
        for value in values:
            if isinstance(value, dict):
                value.pop("chat_id", None)
                value.pop(RECEIVED_FIELDS[0], None)
        found = fast_decode_all(values)
        for index, value, event in zip(odd, values, found, strict=True):
            events[index] = event or _decode(texts[index] or b"", value)
    return events


def _is_too_large(text: bytes) -> bool:
    return len(text) >= MAX_VALUES and value_count(text) > MAX_VALUES


def _decode(line: bytes, value: Any) -> Event:
    """Decode an event by the general path."""
    if _is_too_large(line):
        return Malformed(None, None, f"more than {MAX_VALUES:,} values")
    try:
        if value is None or json_input.has_big_integers(line):
            value = json_input.parse(line)
    except DecodeError as error:
        return Malformed(None, line.decode("utf-8", "backslashreplace"), str(error))
    if isinstance(value, dict):
        for name in ("chat_id", *RECEIVED_FIELDS):
            value.pop(name, None)
    return decode_item(value)
