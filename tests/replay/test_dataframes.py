"""The recipes of docs/dataframes.md, if their libraries are installed."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

from chatfsm.replay import measure_logs
from tests.bench import workloads

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

EXAMPLES = Path(__file__).resolve().parents[2] / "docs" / "examples"


def recipe(library: str) -> Any:
    """The example of a library, as a module."""
    pytest.importorskip(library)
    path = EXAMPLES / f"{library}_chats.py"
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The events of interleaved chats as Parquet, in the order of receipt."""
    rows = [
        {"chat_id": chat.chat_id, "received_at": float(turn), "seq": turn, "event": item}
        for chat in workloads.chats(20)
        for turn, item in enumerate(chat.items)
    ]
    rows.sort(key=lambda row: row["received_at"])
    log = tmp_path / "chats.jsonl"
    with log.open("w") as file:
        for row in rows:
            added = {"chat_id": row["chat_id"], "received_at": row["received_at"]}
            file.write(json.dumps({**row["event"], **added}) + "\n")
    text = [{**row, "event": json.dumps(row["event"])} for row in rows]
    parquet.write_table(pa.Table.from_pylist(text), tmp_path / "chats.parquet")
    return tmp_path / "chats.parquet"


def wanted(table: Path) -> dict[str, tuple[object, ...]]:
    """The metrics of the same events, by `measure_logs`."""
    chats = measure_logs([table.with_suffix(".jsonl")])
    return {
        chat.chat_id: (chat.outcome, chat.queue_seconds, [*chat.response_seconds]) for chat in chats
    }


def by_chat(rows: list[dict[str, Any]]) -> dict[str, tuple[object, ...]]:
    return {
        row["chat_id"]: (row["outcome"], row["queue_seconds"], row["response_seconds"])
        for row in rows
    }


def test_the_recipe_of_duckdb(table: Path) -> None:
    """DuckDB sorts the events and receives the metrics as a table."""
    duckdb = pytest.importorskip("duckdb")
    chats = recipe("duckdb").metrics(str(table))
    assert by_chat(chats.read_all().to_pylist()) == wanted(table)
    chats = recipe("duckdb").metrics(str(table))
    assert duckdb.sql("SELECT count(DISTINCT chat_id) FROM chats").fetchall() == [(20,)]


def test_the_recipe_of_polars(table: Path) -> None:
    """Polars sorts the events and receives the metrics as a frame."""
    chats = recipe("polars").metrics(str(table))
    assert by_chat(chats.to_dicts()) == wanted(table)
