"""Reduced batches: the same results as a replay of the log, for any order of chats."""

from __future__ import annotations

import doctest
import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from attrs import asdict, frozen

from chatfsm.errors import ChatError, OutOfOrder
from chatfsm.replay import Source, ViolationError, measure_logs, records, replay_logs
from chatfsm.replay import batches as module
from chatfsm.replay.arrow_schema import class_schema
from chatfsm.replay.batches import (
    TABLES,
    ChatSummary,
    Table,
    event_schema,
    reduce_batches,
    table_schema,
)
from chatfsm.settings import Settings

pa = pytest.importorskip("pyarrow")

LOGS = Path(__file__).resolve().parents[1] / "logs"
RECORDED = [str(LOGS / f"{name}.jsonl") for name in ("transfer", "late", "survey", "duplicates")]
QUEUED = {"event": "chat_session_status", "state": "queued", "ewt": ""}
ENDED = {"event": "chat_session_ended"}
MALFORMED = {"malformed": 1, "anomalies": 1}

Row = dict[str, Any]


def row(chat_id: str | None, at: object, event: object = ENDED, seq: int | None = None) -> Row:
    text = event if isinstance(event, str) or event is None else json.dumps(event)
    return {"chat_id": chat_id, "received_at": at, "seq": seq, "event": text}


def batches(rows: Iterable[Row], size: int = 1_000, schema: Any = None) -> Iterable[Any]:
    table = pa.Table.from_pylist(list(rows), schema or event_schema())
    return table.to_batches(max_chunksize=size)


def reduced(rows: Iterable[Row], table: Table = "replay", **options: Any) -> list[Row]:
    size, schema = options.pop("size", 1_000), options.pop("schema", None)
    found = reduce_batches(batches(rows, size, schema), table, **options)
    return [each for batch in found for each in batch.to_pylist()]


def one(*rows: Row, table: Table = "replay", **options: Any) -> Row:
    """The row of the only chat."""
    (found,) = reduced(rows, table, **options)
    return found


def recorded_rows() -> list[Row]:
    """The events of the recorded logs, sorted by chat and, within a chat, in their order."""
    rows = [
        row(record.chat_id or record.source.stem, record.received_at, record.raw, place)
        for name in RECORDED
        for place, record in enumerate(records(Source(name)))
    ]
    return sorted(rows, key=lambda row: (row["chat_id"], row["seq"]))


def plain(value: Any) -> Any:
    """The value with lists instead of tuples and pairs instead of maps."""
    if isinstance(value, dict):
        return [[name, plain(inner)] for name, inner in sorted(value.items())]
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    return value


def as_map(value: Any) -> Any:
    """A row with its maps as dicts."""
    return {name: dict(each) if name in MAPS else each for name, each in value.items()}


MAPS = {"findings", "state_seconds", "messages", "forms"}


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_a_chat_is_as_a_replay_leaves_it(size: int) -> None:
    """State and statistics equal those of `replay_logs` for any batch size."""
    found = {each["chat_id"]: each for each in reduced(recorded_rows(), size=size)}
    for chat in replay_logs(RECORDED):
        row = found.pop(chat.session.chat_id)
        assert dict(row.pop("findings")) == chat.stats.findings()
        assert row.pop("events") == chat.replay.event_count
        assert (row.pop("first_at"), row.pop("last_at")) == (
            chat.stats.first_at,
            chat.stats.last_at,
        )
        assert plain(row) == plain(chat.stats.summary())
    assert not found


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_metrics_are_those_of_the_log(size: int) -> None:
    """Metrics equal those of `measure_logs` for any batch size."""
    found = {each["chat_id"]: each for each in reduced(recorded_rows(), "metrics", size=size)}
    for chat in measure_logs(RECORDED):
        row = as_map(found.pop(chat.chat_id))
        assert row.pop("events") > 0
        assert plain(row) == plain(asdict(chat))
    assert not found


def test_many_chats_come_in_several_batches() -> None:
    """A batch of rows is yielded when it is full; the last one at the end."""
    events = (row(f"{number:05}", 1.0) for number in range(2_500))
    sizes = [batch.num_rows for batch in reduce_batches(batches(events))]
    assert sizes == [1_024, 1_024, 452]


@pytest.mark.parametrize("table", TABLES)
def test_nothing_gives_nothing(table: Table) -> None:
    """No batch and an empty batch give no chats."""
    assert reduced([], table) == []
    assert list(reduce_batches([pa.RecordBatch.from_pylist([], event_schema())], table)) == []


@pytest.mark.parametrize("table", TABLES)
def test_events_without_a_chat_are_counted(table: Table) -> None:
    """Events with a null, empty or too long chat_id are counted in a last row without one."""
    events = [row(None, 1.0), row("", 1.0), row("a", 1.0), row("b" * 2_000, 1.0), row(None, 1.0)]
    found = reduced(events, table, size=2)
    assert [(each["chat_id"], each["events"]) for each in found] == [("a", 1), (None, 4)]
    assert {name for name, value in found[1].items() if value is not None} == {"events"}


def test_a_chat_that_is_not_adjacent_is_out_of_order() -> None:
    """The events of a chat must be adjacent; the error names the chat."""
    with pytest.raises(OutOfOrder, match=r"chat 'a' comes again: .*sort by chat_id"):
        reduced([row("a", 1.0), row("b", 1.0), row("a", 2.0)], size=1)


def test_chats_may_be_in_any_order() -> None:
    """Chats may have any order if the events of each are adjacent."""
    found = reduced([row("b", 1.0), row("a", 1.0)])
    assert [each["chat_id"] for each in found] == ["b", "a"]


@pytest.mark.parametrize("size", [1, 100])
def test_time_must_not_run_backwards(size: int) -> None:
    """Times must not decrease within a chat, across batches and events without a time."""
    with pytest.raises(OutOfOrder, match=r"row 3, chat 'a': received_at 1.0 after 2.0"):
        reduced([row("a", 2.0), row("a", None), row("a", 1.0)], size=size)


def test_each_chat_has_its_own_time() -> None:
    """Times of different chats are independent."""
    assert len(reduced([row("a", 9.0), row("b", 1.0)])) == 2


def test_seq_must_not_run_backwards_at_one_time() -> None:
    """At equal times `seq` must not decrease; at different times it may."""
    with pytest.raises(OutOfOrder, match=r"row 2, chat 'a': seq 1 after 2"):
        reduced([row("a", 1.0, seq=2), row("a", 1.0, seq=1)])
    assert one(row("a", 1.0, seq=2), row("a", 2.0, seq=1), row("a", None, seq=0))["events"] == 3


def test_an_event_may_be_repeated() -> None:
    """Equal times and equal `seq` are in order: the session finds the duplicate."""
    message = {"event": "chat_session_message", "party_id": "A", "msg_id": "1", "msg": "Hi"}
    found = one(row("a", 1.0, message, seq=1), row("a", 1.0, message, seq=1))
    assert (found["messages"], found["counts"]["duplicates"]) == (1, 1)


@pytest.mark.parametrize(
    "event", [None, "", "{", "[]", "7", '{"event": 5}', '{"event": "chat_session_typing"}']
)
def test_a_broken_event_is_malformed(event: str | None) -> None:
    """An item that is not an event is counted as malformed; the other events are not affected."""
    found = one(row("a", 1.0, QUEUED), row("a", 2.0, event), row("a", 3.0))
    assert (found["state"], dict(found["findings"])) == ("ended", MALFORMED)


def test_an_event_with_too_many_values_is_malformed() -> None:
    """A text of more than two million values is not parsed."""
    found = one(row("a", 1.0, "[" + "7," * 2_000_000 + "7]"))
    assert dict(found["findings"]) == MALFORMED


def test_an_unknown_event_is_a_finding() -> None:
    """An unknown event is counted as unknown."""
    assert dict(one(row("a", 1.0, {"event": "weather"}))["findings"]) == {"unknown": 1}


def test_fields_that_the_log_added_are_not_part_of_the_event() -> None:
    """A chat_id and a time of receipt inside the JSON do not change the event."""
    message = {"event": "chat_session_message", "party_id": "A", "msg_id": "1", "msg": "Hi"}
    events = [
        row("a", at, {**message, "chat_id": "b", name: at})
        for at, name in ((1.0, "received_at"), (2.0, "recv_ts"), (3.0, "@timestamp"))
    ]
    assert one(*events)["counts"]["duplicates"] == 2


def test_big_numbers_keep_their_digits() -> None:
    """Two ids that differ only in the last of 20 digits are two parties."""
    joined = {"event": "chat_session_party_joined", "type": "internal", "party_id": 10**19}
    found = one(row("a", 1.0, joined), row("a", 2.0, {**joined, "party_id": 10**19 + 1}))
    assert [party["party_id"] for party in found["parties"]] == [str(10**19), str(10**19 + 1)]


def test_half_characters_are_replaced() -> None:
    """Lone surrogates become U+FFFD, since a table cannot hold them."""
    joined = {"event": "chat_session_party_joined", "party_id": "A", "display_name": "\ud800!"}
    (party,) = one(row("a", 1.0, joined))["parties"]
    assert party["display_name"] == "\ufffd!"


AT = 1_700_000_000.25


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (pa.float64(), AT),
        (pa.float64(), AT * 1e3),
        (pa.int64(), 1_700_000_000_250),
        (pa.decimal128(15, 3), Decimal("1700000000.25")),
        (pa.timestamp("ms"), datetime.fromtimestamp(AT, UTC)),
        (pa.timestamp("ns", "Europe/Oslo"), datetime.fromtimestamp(AT, UTC)),
        (pa.string(), "2023-11-14T22:13:20.25Z"),
    ],
    ids=str,
)
def test_received_at_may_be_any_time(kind: Any, value: object) -> None:
    """Seconds, milliseconds, timestamps of any unit and zone, and ISO 8601 are read."""
    index = event_schema().get_field_index("received_at")
    schema = event_schema().set(index, pa.field("received_at", kind))
    assert one(row("a", value, QUEUED), schema=schema)["last_at"] == AT


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
def test_an_invalid_time_is_a_finding(value: float) -> None:
    """A value that is not a time is an anomaly, as `unreadable_time` in a log."""
    assert dict(one(row("a", value, QUEUED))["findings"]) == {"anomalies": 1}


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.binary()], ids=str)
def test_texts_may_have_any_type(kind: Any) -> None:
    """All Arrow types of text are accepted, since each engine uses another one."""
    schema = pa.schema([("chat_id", kind), ("event", kind)])
    table = pa.Table.from_pylist([row("a", None)]).select(["chat_id", "event"]).cast(schema)
    (found,) = reduce_batches(table.to_batches())
    assert found.column("state").to_pylist() == ["ended"]


@pytest.mark.parametrize("name", ["chat_id", "event"])
def test_a_missing_column_is_named(name: str) -> None:
    """The columns chat_id and event are required; the error names the missing one."""
    (batch,) = batches([row("a", 1.0)])
    with pytest.raises(ValueError, match=f"need one column '{name}'"):
        list(reduce_batches([batch.drop_columns([name])]))


def test_a_column_of_another_type_is_named() -> None:
    """The error names the column, its type and the required one."""
    schema = pa.schema([("chat_id", pa.string()), ("event", pa.list_(pa.string()))])
    batch = pa.RecordBatch.from_pylist([{"chat_id": "a", "event": ["x"]}], schema)
    with pytest.raises(TypeError, match="column 'event' must be binary, not list<"):
        list(reduce_batches([batch]))


def test_an_unknown_table_is_refused() -> None:
    """The error names the valid tables."""
    with pytest.raises(ValueError, match="one of replay, metrics, not 'chats'"):
        reduced([], "chats")  # type: ignore[arg-type]


def test_strict_settings_name_the_row() -> None:
    """A violation of the protocol stops the reduction; the error has the number of the row."""
    with pytest.raises(ViolationError, match="events: row 2: unknown"):
        reduced(
            [row("a", 1.0), row("b", 1.0, {"event": "weather"})], settings=Settings(strict=True)
        )


@pytest.mark.parametrize("table", TABLES)
def test_the_schema_of_a_table_has_the_fields_of_its_class(table: Table) -> None:
    """The fields are in order, with their docstrings; all are nullable for the last row."""
    schema = table_schema(table)
    assert schema.names == [each.name for each in TABLES[table].__attrs_attrs__]
    assert all(each.nullable for each in schema)
    assert b"events" in schema.field("events").metadata[b"description"]


def test_a_class_with_another_type_has_no_schema() -> None:
    """The error names the type."""

    @frozen
    class Odd:
        what: complex

    with pytest.raises(TypeError, match="complex'> has no column"):
        class_schema(Odd, pa)
    assert class_schema(ChatSummary, pa).field("parties").type.value_type.names == [
        "party_id",
        "type",
        "display_name",
    ]


def test_pyarrow_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow the error names the package to install."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ChatError, match=r"pip install 'chatfsm\[parquet\]'"):
        next(iter(reduce_batches([])))


def test_the_examples_of_the_module_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctests run in the root of the project."""
    monkeypatch.chdir(LOGS.parents[1])
    results = doctest.testmod(module)
    assert (results.failed, results.attempted > 3) == (0, True)
