"""Spark: the results of one process, for any partitions and batches."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from attrs import asdict

from chatfsm.errors import ChatError
from chatfsm.replay import measure_logs, replay_logs
from chatfsm.replay import spark as chats
from chatfsm.replay.batches import TABLES, Table
from chatfsm.replay.spark_streaming import watch
from chatfsm.replay.watched_chat import EFFECT_COLUMNS, WatchedChat
from chatfsm.settings import Settings
from tests.bench import workloads

LIBRARIES = ("pyspark", "pyarrow", "pandas")
MISSING = [name for name in LIBRARIES if find_spec(name) is None]
MISSING += [] if shutil.which("java") else ["java"]
WHY = f"Spark needs {', '.join(MISSING)}"

needs_spark = pytest.mark.skipif(bool(MISSING), reason=WHY)
pytestmark = [
    pytest.mark.spark,
    # PySpark leaves files and sockets open, and uses deprecated parts of pandas.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SCHEMA = "event string, chat_id string, seq long, received_at double"
AT = 1_744_272_000.0
CHATS = int(os.environ.get("CHATFSM_SPARK_CHATS", "40"))

Row = dict[str, Any]


def event(chat_id: str | None, at: float, seq: int, name: str, **fields: Any) -> Row:
    text = json.dumps({"event": f"chat_session_{name}", **fields})
    return {"event": text, "chat_id": chat_id, "seq": seq, "received_at": AT + at}


def plain(value: Any) -> Any:
    """The value with lists instead of tuples."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(each) for each in value] if isinstance(value, (list, tuple)) else value


# Batches.


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Interleaved chats, event by event."""
    made = [(chat.chat_id, chat.items) for chat in workloads.chats(CHATS)]
    longest = max(len(items) for _, items in made)
    rows = [
        {"chat_id": chat_id, "received_at": AT + turn + number / 100, **items[turn]}
        for turn in range(longest)
        for number, (chat_id, items) in enumerate(made)
        if turn < len(items)
    ]
    path = tmp_path_factory.mktemp("logs") / "chats.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


@pytest.fixture(scope="module")
def alone(log: Path) -> dict[Table, dict[str, Row]]:
    """The rows of one process, by chat_id."""
    summaries = {
        chat.session.chat_id: {
            **chat.stats.summary(),
            "findings": chat.stats.findings(),
            "first_at": chat.stats.first_at,
            "last_at": chat.stats.last_at,
            "events": chat.replay.event_count,
        }
        for chat in replay_logs([log])
    }
    measured = {
        chat.chat_id: {**asdict(chat), "events": summaries[chat.chat_id]["events"]}
        for chat in measure_logs([log])
    }
    return {"replay": plain(summaries), "metrics": plain(measured)}


@pytest.fixture(scope="module")
def events(spark: Any, log: Path) -> Any:
    """The events of the log as a DataFrame, unordered, and three without a chat_id."""
    lines = log.read_text().splitlines()
    rows = [
        (line, json.loads(line)["chat_id"], seq, json.loads(line)["received_at"])
        for seq, line in enumerate(lines)
    ]
    rows += [("{}", None, 0, AT)] * 3
    rows.sort()
    return spark.createDataFrame(rows, SCHEMA).cache()


@needs_spark
@pytest.mark.parametrize("cut", [(1, 7), (3, 10_000), (8, 100)], ids=str)
@pytest.mark.parametrize("table", TABLES)
def test_each_chat_has_the_results_of_one_process(
    spark: Any, events: Any, alone: Any, table: Table, cut: tuple[int, int]
) -> None:
    """All columns of all chats are equal, and one row counts the events without a chat_id."""
    partitions, size = cut
    spark.conf.set("spark.sql.shuffle.partitions", partitions)
    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", size)
    result = {"replay": chats.replay, "metrics": chats.metrics}[table](events)
    found = [row.asDict(recursive=True) for row in result.collect()]
    (unnamed,) = [row for row in found if row["chat_id"] is None]
    assert unnamed["events"] == 3
    named = {row["chat_id"]: plain(row) for row in found if row["chat_id"] is not None}
    assert len(found) == CHATS + 1
    assert named == alone[table]


@needs_spark
def test_the_error_of_a_worker_is_reported(events: Any) -> None:
    """Strict settings apply in the workers, and the error names the violation."""
    from pyspark.errors import PySparkException  # noqa: PLC0415  # only where it is installed

    odd = events.limit(1).selectExpr("'a' chat_id", "received_at", "seq", "'{}' event")
    with pytest.raises(PySparkException, match="ViolationError: events: row 1: malformed"):
        chats.replay(odd, settings=Settings(strict=True)).collect()


def test_spark_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without Spark the error names the package to install."""
    monkeypatch.setitem(sys.modules, "pyspark", None)
    monkeypatch.setitem(sys.modules, "pyspark.sql.functions", None)
    with pytest.raises(ChatError, match=r"pip install 'chatfsm\[spark\]'"):
        chats.replay(None)


# Streams.

JOINED = {"party_id": "A", "type": "internal", "display_name": "Ada"}
HELLO = {"party_id": "A", "msg_id": "1", "msg": "Hello"}
FORM = {"form_request_id": "f", "form_name": "survey", "form_timeout": "20"}
# The files of a stream. Events that are as old as the watermark of 10 s are dropped.
STREAM = (
    [  # unordered, with one event without a chat_id
        event("one", 3, 3, "message", **HELLO),
        event("one", 2, 2, "party_joined", **JOINED),
        event("one", 1, 1, "status", state="queued", ewt="7"),
        event(None, 1, 1, "ended"),
        event("two", 2, 1, "status", state="connected", ewt=""),
    ],
    [  # a repetition, a late event, and a form that expires at 28
        event("one", 3, 3, "message", **HELLO),
        event("one", 2.5, 9, "status", state="connected", ewt=""),
        event("two", 8, 2, "form_show", **FORM),
        event("one", 20, 4, "typing", party_id="A"),  # without an event that ends it
    ],
    [event("three", 70, 1, "status", state="queued", ewt="")],  # advances the watermark
    [event("two", 4, 4, "message", **{**HELLO, "msg_id": "2"})],  # too late
    [event("one", 95, 5, "ended"), event("one", 95, 5, "ended")],
    [event("four", 300, 1, "status", state="queued", ewt="")],  # all other chats are dropped
)
TOO_LATE = STREAM[3][0]
WATCHED = ("one", "two", "three")


def wanted_effects(until: float) -> list[Row]:
    """The effects of the sorted events of each chat, up to a time."""
    rows: list[Row] = []
    for chat_id in WATCHED:
        chat = WatchedChat.new(chat_id)
        chat.receive(
            (row["received_at"], row["seq"], row["event"])
            for file in STREAM
            for row in file
            if row["chat_id"] == chat_id and row is not TOO_LATE
        )
        rows += chat.advance(AT + until)
    return rows


def progress_of(query: Any) -> Iterator[Row]:
    for progress in query.recentProgress:
        yield progress if type(progress) is dict else json.loads(progress.json)


@needs_spark
def test_a_stream_gives_the_effects_of_a_sorted_log(spark: Any, tmp_path: Path) -> None:
    """Events are unordered, repeated or late; deadlines pass without events; state is freed."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "in"
    folder.mkdir()
    stream = spark.readStream.schema(SCHEMA).parquet(str(folder))
    effects = watch(stream, delay="10 seconds", close_after=150.0)
    writer = effects.writeStream.format("memory").queryName("effects").outputMode("append")
    spark.conf.set("spark.sql.shuffle.partitions", 1)
    query = writer.option("checkpointLocation", str(tmp_path / "checkpoint")).start()
    try:
        for number, rows in enumerate(STREAM):
            path = tmp_path / f"{number}.parquet"
            pq.write_table(pa.Table.from_pylist(rows), path)
            path.rename(folder / path.name)  # appears in the stream as a complete file
            query.processAllAvailable()
        progress = [*progress_of(query)]
        found = [row.asDict() for row in spark.table("effects").collect()]
    finally:
        query.stop()
    found.sort(key=lambda row: (WATCHED.index(row["chat_id"]), row["at"]))
    assert found == wanted_effects(290.0)
    assert [*found[0]] == [column.name for column in EFFECT_COLUMNS]
    operators = [operator for each in progress for operator in each["stateOperators"]]
    assert sum(each["numRowsDroppedByWatermark"] for each in operators) == 1
    metrics = [(each.get("observedMetrics") or {}).get("chatfsm") or {} for each in progress]
    assert sum(each.get("without_chat_id", 0) for each in metrics) == 1
    assert operators[-1]["numRowsTotal"] == 1, "the state holds chat four only"


@pytest.mark.parametrize("close_after", [0.0, -1.0])
def test_a_stream_needs_a_time_to_keep_chats(close_after: float) -> None:
    """The error names the argument, the value and the range."""
    with pytest.raises(ValueError, match="close_after must be greater than 0 seconds, not"):
        watch(None, close_after=close_after)
