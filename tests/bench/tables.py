"""Tables of events, by one process, two jobs, DuckDB and Spark: `python -m tests.bench.tables`.

All read the same events: JSON lines, or Parquet if an engine sorts them. Each runs in a process of
its own, which does its work twice, on a few chats and then on all, and measures the second run; the
measurement of the command includes its start. Needs the extras `fast` and `spark`, DuckDB and Java.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Any, Final

from tests.bench import workloads
from tests.bench.processes import ENVIRONMENT, ROOT

__all__ = ["main", "write_tables"]

FEW: Final = 400
_SORTED: Final = """
    SELECT chat_id, received_at, seq, event FROM read_parquet(?)
    ORDER BY chat_id, received_at NULLS FIRST, seq
"""
_COUNTS: Final = """
    SELECT count(*), count(DISTINCT chat_id), count(*) FILTER (event = 'chat_session_message')
    FROM read_json(?, columns = {chat_id: 'varchar', event: 'varchar'}, format = 'nd')
"""


def write_tables(folder: Path, name: str, chats: int) -> None:
    """Write the events of so many chats in both formats; groups of 200 chats alternate."""
    arrow, parquet = import_module("pyarrow"), import_module("pyarrow.parquet")
    rows: list[dict[str, Any]] = []
    made = workloads.chats(chats)
    for first in range(0, chats, 200):
        group = made[first : first + 200]
        for turn in range(max(len(chat.items) for chat in group)):
            for chat in group:
                if turn < len(chat.items):
                    at = 1_744_272_000 + len(rows) / 50
                    event = json.dumps(chat.items[turn])
                    row = {"chat_id": chat.chat_id, "received_at": at, "seq": len(rows)}
                    rows.append({**row, "event": event})
    parquet.write_table(arrow.Table.from_pylist(rows), folder / f"{name}.parquet")
    with (folder / f"{name}.jsonl").open("w") as log:
        for row in rows:
            log.write(f'{{"chat_id": "{row["chat_id"]}", {row["event"][1:]}\n')


# The works of the processes; each takes the path of the files without the suffix.


def _replay(path: str) -> None:
    from chatfsm.replay import ChatTotals, Totals, replay_logs  # noqa: PLC0415

    totals = Totals()
    for chat in replay_logs([f"{path}.jsonl"]):
        totals.add(ChatTotals.of(chat.stats))


def _reduce(path: str) -> None:
    from chatfsm.replay.batches import reduce_batches  # noqa: PLC0415

    events = _duckdb(1).sql(_SORTED, params=[f"{path}.parquet"]).to_arrow_reader(10_000)
    for _ in reduce_batches(events):
        pass


def _count(path: str) -> None:
    _duckdb(2).execute(_COUNTS, [f"{path}.jsonl"]).fetchall()


def _duckdb(threads: int) -> Any:
    connection = import_module("duckdb").connect()
    connection.execute(f"SET threads = {threads:d}; SET enable_progress_bar = false")
    return connection


def _spark(path: str) -> None:
    from chatfsm.replay import spark  # noqa: PLC0415

    builder = import_module("pyspark.sql").SparkSession.builder.master("local[2]")
    options = {"ui.enabled": "false", "ui.showConsoleProgress": "false", "driver.memory": "2g"}
    options |= {"driver.host": "127.0.0.1", "driver.bindAddress": "127.0.0.1"}
    for name, value in {**options, "sql.shuffle.partitions": "4"}.items():
        builder = builder.config(f"spark.{name}", value)
    events = builder.getOrCreate().read.parquet(f"{path}.parquet")
    spark.replay(events).write.format("noop").mode("overwrite").save()


WORKS: Final[Mapping[str, Callable[[str], None]]] = {
    "one process": _replay,
    "Spark, local[2]": _spark,
    "DuckDB sorts, one process": _reduce,
    "DuckDB only counts, two threads": _count,
}
COMMANDS: Final = {"`replay --summary`": "1", "`replay --summary --jobs 2`": "2"}


def _measure(folder: Path, name: str) -> tuple[float, float]:
    """Return the seconds of a work, and the largest memory of its processes in MB."""
    if name in COMMANDS:
        words = ["chatfsm", "replay", "--summary", "--jobs", COMMANDS[name]]
        words.append(str(folder / "all.jsonl"))
    else:
        words = ["tests.bench.tables", "--work", name, "--folder", str(folder)]
    environment = {**ENVIRONMENT, "PYSPARK_PYTHON": sys.executable, "PYTHONPATH": str(ROOT)}
    start = perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    memory = [0.0]

    def watch() -> None:
        while process.poll() is None:
            memory[0] = max(memory[0], _memory_of(process.pid))
            sleep(0.2)

    watcher = threading.Thread(target=watch)
    watcher.start()
    output, _ = process.communicate()
    took = perf_counter() - start
    watcher.join()
    if process.returncode:
        raise RuntimeError(f"{name} failed: {' '.join(words)}")
    return took if name in COMMANDS else float(output.split()[-1]), memory[0]


def _memory_of(pid: int) -> float:
    """Return the resident memory of a process and its descendants in MB, as Linux counts it."""
    children: dict[int, list[tuple[int, int]]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        children.setdefault(int(fields[1]), []).append((int(stat.parent.name), int(fields[21])))
    own = [pages for each in children.values() for child, pages in each if child == pid]
    pages, parents = sum(own), [pid]
    while parents:
        for child, size in children.get(parents.pop(), ()):
            pages += size
            parents.append(child)
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main(arguments: list[str] | None = None) -> None:
    """Measure all works in rounds, and print a table of the medians."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tables", description=__doc__)
    parser.add_argument("--chats", type=int, default=20_000, help="chats of fifty events")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--work", choices=WORKS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.work is not None:
        work = WORKS[options.work]
        work(str(options.folder / "few"))
        start = perf_counter()
        work(str(options.folder / "all"))
        print(perf_counter() - start)
        return
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in (*WORKS, *COMMANDS)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_tables(folder, "few", min(FEW, options.chats))
        write_tables(folder, "all", options.chats)
        for _ in range(options.rounds):
            for work_name, measured in found.items():
                measured.append(_measure(folder, work_name))
                print(f"{work_name}: {measured[-1][0]:.1f} s", file=sys.stderr)
    one = median(seconds for seconds, _ in found["one process"])
    print(f"{50 * options.chats:,} events | seconds | ÷ one process | MB\n--- | --- | --- | ---")
    for work_name, measured in found.items():
        seconds = median(seconds for seconds, _ in measured)
        memory = max(memory for _, memory in measured)
        print(f"{work_name} | {seconds:.1f} | {seconds / one:.2f} | {memory:.0f}")


if __name__ == "__main__":
    main()
