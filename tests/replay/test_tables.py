"""Tables: CSV and Parquet files with one event in each row."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from chatfsm import events as e
from chatfsm.errors import UnreadableLogError
from chatfsm.replay import open_logs, records, tables
from chatfsm.replay.formats import Record

Log = Callable[..., Path]
NOON = 1_767_268_800.0
ROWS: list[dict[str, Any]] = [
    {"chat_id": "C1", "event": "chat_session_status", "state": "queued"},
    {
        "chat_id": "C1",
        "event": "chat_session_message",
        "party_id": "A",
        "msg_id": "2",
        "msg": 'two\nlines, "quoted"; é',
        "timestamp": "1767268800",
    },
    {"chat_id": "C2", "event": "chat_session_ended"},
]
EVENTS = [
    e.Status("queued"),
    e.Message(msg_id="2", msg=ROWS[1]["msg"], party_id="A", timestamp=NOON),
    e.Ended(),
]


def table(rows: list[dict[str, Any]] = ROWS, *, end: str = "\n", **options: Any) -> str:
    """The rows as CSV."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns, lineterminator=end, **options)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def parquet(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write the rows as Parquet."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: [row.get(name) for row in rows] for name in names}
    pq.write_table(pa.table(columns), path)
    return path


def read(path: Path, **options: Any) -> list[Record]:
    (source,) = open_logs(path, **options)
    return list(records(source))


def refusal(path: Path) -> str:
    with pytest.raises(UnreadableLogError) as caught:
        read(path)
    return str(caught.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_columns_are_the_fields_of_an_event(
    log: Log, delimiter: str, end: str, encoding: str
) -> None:
    """Empty cells are missing fields; a cell may hold line ends."""
    text = table(delimiter=delimiter, end=end)
    found = read(log("a.csv", text.encode(encoding)))
    assert [each.event for each in found] == EVENTS
    assert [each.chat_id for each in found] == ["C1", "C1", "C2"]
    assert [(each.unit, each.place) for each in found] == [("line", 2), ("line", 4), ("line", 5)]


def test_a_column_may_hold_events_as_json(log: Log) -> None:
    """Other columns may hold the chat_id and the time of receipt."""
    rows = [
        {"id": n, "chat_id": "C1", "recv_ts": NOON + n, "payload": json.dumps({"event": name})}
        for n, name in enumerate(["chat_session_info", "chat_session_ended"])
    ]
    found = read(log("a.csv", table(rows)))
    assert [(each.chat_id, each.received_at) for each in found] == [("C1", NOON), ("C1", NOON + 1)]
    assert found[1].event == e.Ended()


def test_a_column_of_another_name_is_named(log: Log) -> None:
    """The columns may be named by `unwrap` and `received_at`, as fields of a line."""
    rows = [{"id": 1, "what": json.dumps({"event": "chat_session_ended"}), "when": NOON}]
    path = log("a.csv", table(rows))
    (record,) = read(path, unwrap="what", received_at="when")
    assert (record.event, record.received_at) == (e.Ended(), NOON)


def test_a_table_may_have_one_column(log: Log) -> None:
    """A table with one column needs no delimiter."""
    rows = [{"payload": json.dumps({"event": "chat_session_ended"})}]
    assert [each.event for each in read(log("a.csv", table(rows)))] == [e.Ended()]


def test_names_in_capitals_are_those_of_a_database(log: Log) -> None:
    """Some databases have uppercase names only."""
    text = "CHAT_ID,EVENT,STATE\nC1,chat_session_status,queued\n"
    (record,) = read(log("a.csv", text))
    assert (record.chat_id, record.event) == ("C1", e.Status("queued"))


@pytest.mark.parametrize("name", ["data", "data.type"])
def test_an_object_is_a_cell_of_json_or_columns_with_a_dot(log: Log, name: str) -> None:
    """Both forms are those of common export tools."""
    cell = json.dumps({"type": "END_CALL"}) if name == "data" else "END_CALL"
    rows = [{"event": "chat_session_signaling", name: cell}]
    (record,) = read(log("a.csv", table(rows)))
    assert isinstance(record.event, e.Signaling)


@pytest.mark.parametrize("written", ["2026-01-01 12:00:00", "1767268800.0", "2026-01-01T12:00:00Z"])
def test_a_time_may_be_written_as_tables_do(log: Log, written: str) -> None:
    """The time becomes the timestamp of the event."""
    rows = [{"event": "chat_session_message", "msg": "x", "timestamp": written}]
    (record,) = read(log("a.csv", table(rows)))
    assert record.event.timestamp == NOON  # type: ignore[union-attr]


def test_an_unreadable_time_is_a_finding(log: Log, replays: Callable[..., Any]) -> None:
    """An unreadable time is an anomaly."""
    rows = [{"event": "chat_session_message", "msg": "x", "timestamp": "soon"}]
    result = replays("--summary", log("a.csv", table(rows)))
    assert result.totals["findings"]["anomalies"] == 1


def test_a_row_with_other_columns_is_malformed(log: Log) -> None:
    """The row is reported with its line, and the rest is read."""
    text = (
        "chat_id,event\nC1,chat_session_info\nC1,chat_session_ended,more\n\nC1,chat_session_ended\n"
    )
    found = read(log("a.csv", text))
    assert [(each.chat_id, each.place) for each in found] == [("C1", 2), ("C1", 3), ("C1", 5)]
    assert found[1].event == e.Malformed(
        None, "C1,chat_session_ended,more", "3 cells in a table of 2 columns"
    )


def test_a_cell_is_bounded(log: Log) -> None:
    """An unclosed quote does not take the whole file."""
    text = 'event,msg\nchat_session_message,"' + "x" * 200_000 + "\nchat_session_ended,\n"
    found = read(log("a.csv", text))
    broken, last = found[0].event, found[-1].event
    assert isinstance(broken, e.Malformed)
    assert broken.why.startswith("not CSV: field larger than field limit")
    assert last == e.Ended()


def test_the_number_of_columns_is_bounded(log: Log) -> None:
    """A header with thousands of columns is refused."""
    names = ",".join(f"c{number}" for number in range(1_100))
    assert refusal(log("a.csv", f"event,{names}\n")) == "a table with more than 1,000 columns"


def test_a_table_without_events_is_refused(log: Log) -> None:
    """A table with a possible column of events, but without events, is refused."""
    why = "not a log of chat events: a table without events"
    assert refusal(log("a.csv", "message,level\nhello,info\n")) == why


def test_a_table_whose_column_has_no_events_is_refused(log: Log) -> None:
    """A named column without events is an error."""
    path = log("a.csv", "id,what\n1,hello\n")
    with pytest.raises(UnreadableLogError, match="no line has an event in it"):
        read(path, unwrap="what")


def test_an_empty_table_is_an_empty_log(log: Log) -> None:
    """An empty table is an empty log, not an error."""
    assert read(log("a.csv", "chat_id,event,state\n")) == []


def test_another_table_is_not_a_log(log: Log) -> None:
    """Another table is refused as plain text."""
    assert refusal(log("a.csv", "name,age\nx,1\n")).endswith("this is plain text")


def test_parquet_columns_are_the_fields_of_an_event(tmp_path: Path) -> None:
    """The columns of Parquet are used as those of CSV."""
    found = read(parquet(tmp_path / "a.parquet", ROWS))
    assert [each.event for each in found] == EVENTS
    assert [(each.unit, each.place) for each in found] == [("row", 1), ("row", 2), ("row", 3)]


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 1, 1, 12, tzinfo=UTC),
        datetime(2026, 1, 1, 12),  # noqa: DTZ001  # as many tables have it
        int(NOON) * 1_000_000,
        "2026-01-01T12:00:00Z",
    ],
)
def test_parquet_has_times_of_its_own(tmp_path: Path, at: object) -> None:
    """Native timestamps are read, in the event and as its time of receipt."""
    rows = [{"recv_ts": at, "payload": json.dumps({"event": "chat_session_ended"})}]
    (record,) = read(parquet(tmp_path / "a.parquet", rows))
    assert record.received_at == NOON


def test_parquet_has_values_of_many_kinds(tmp_path: Path) -> None:
    """Objects, lists, maps, bytes, dates and decimals become JSON values."""
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    row = {
        "event": "chat_session_signaling",
        "data": {"type": "END_CALL", "x": None},
        "raw": b"\xff1",
        "on": date(2026, 1, 1),
        "price": Decimal("1.50"),
        "list": [1, None],
        "old": datetime(1, 1, 1),  # noqa: DTZ001
        "exact": datetime(2026, 1, 1, 12),  # noqa: DTZ001
        "map": [("a", 1)],
    }
    types = {name: pa.infer_type([value]) for name, value in row.items()}
    types |= {"map": pa.map_(pa.string(), pa.int64()), "exact": pa.timestamp("ns")}
    written = pa.Table.from_pylist([row], pa.schema([*types.items()]).remove(6))
    old = pa.array([row["old"]], pa.timestamp("us"))
    pq.write_table(written.append_column("old", old), tmp_path / "a.parquet")
    (record,) = read(tmp_path / "a.parquet")
    assert isinstance(record.event, e.Signaling)
    assert record.event.extra == {
        "raw": "\\xff1",
        "on": "2026-01-01",
        "price": "1.50",
        "list": [1, None],
        "old": "0001-01-01 00:00:00",
        "exact": NOON,
        "map": {"a": 1},
    }
    assert json.dumps(record.raw)


def test_parquet_may_be_compressed_or_come_through_a_pipe(
    tmp_path: Path, stdin: Callable[[bytes], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a file is read into memory, up to a limit."""
    data = parquet(tmp_path / "a.parquet", ROWS).read_bytes()
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress(data))
    assert len(read(tmp_path / "a.parquet.gz")) == 3
    stdin(data)
    (source,) = open_logs("-")
    assert len(list(records(source))) == 3
    monkeypatch.setattr(tables, "_MAX_PARQUET_BYTES", 100)
    assert "must not be compressed" in refusal(tmp_path / "a.parquet.gz")


def test_parquet_needs_its_extra(tmp_path: Path, log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library the error names the extra."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    assert "pip install 'chatfsm[parquet]'" in refusal(log("a.parquet", b"PAR1" + b"\0" * 20))


@pytest.mark.parametrize("place", [20, -20])
def test_a_damaged_parquet_file_is_unreadable(tmp_path: Path, place: int) -> None:
    """The error says in one line that the file is damaged."""
    path = parquet(tmp_path / "a.parquet", ROWS * 10)
    data = bytearray(path.read_bytes())
    data[place:] = b"\0" * len(data[place:])
    path.write_bytes(data)
    assert refusal(path).startswith("a Parquet file that is damaged: ")


@pytest.mark.parametrize(
    ("name", "why"),
    [("_MAX_COLUMNS", "more than 1 columns"), ("_MAX_GROUP_BYTES", "more than 1 GiB in a group")],
)
def test_a_parquet_file_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, why: str
) -> None:
    """A few bytes may expand to many."""
    path = parquet(tmp_path / "a.parquet", ROWS)
    monkeypatch.setattr(tables, name, 1)
    assert why in refusal(path)


def test_many_rows_are_read_in_batches(tmp_path: Path, log: Log) -> None:
    """Rows of several batches are read completely."""
    assert len(read(parquet(tmp_path / "a.parquet", ROWS * 500))) == 1_500
    assert len(read(log("a.csv", table(ROWS * 500)))) == 1_500
