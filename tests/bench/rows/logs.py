"""Bytes of a log to effects: compared with parsing alone, and in the command."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from attrs import evolve

from tests.bench.instructions import Counts, count_instructions, with_instructions
from tests.bench.measure import Times, interleave
from tests.bench.processes import cpu_time, output_of, wall_time, wall_time_together, worker_times
from tests.bench.report import Row, absent, at_least, at_most
from tests.bench.scale import Scale
from tests.bench.workers.lines import AT_ONCE, LINE_BY_LINE, ORJSON, STDLIB
from tests.bench.workloads import EVENTS_A_CHAT, Chat, chats

__all__ = ["command", "counting", "lines"]

LINES: Final = "log bytes → effects, a line"
COMMAND: Final = "chatfsm replay --summary, a whole process"
COUNTING: Final = "chatfsm replay --summary, vs programs that only count"
WAYS: Final = {
    "orjson": "a loop with orjson and sets",
    "duckdb": "DuckDB, one thread",
    "polars": "Polars, one thread",
}
LESS: Final = (
    "counts chats, ends and messages; knows no states, parties, typing, forms, deadlines, and does"
    " not see late events, reused ids or lines that are none"
)
IN_PROCESS: Final = "tests.bench.workers.replay_in_process"
HALF: Final = 50_000_000
"""Half of the numbers that one process counts in the comparison of one and two processes."""
DISTINCT: Final = 500
"""Chats that are generated for the log of the command; the others are copies with other ids."""


def lines(scale: Scale) -> Iterator[Row]:
    """Yield the rows with the extra `fast`, if it is installed, and with the standard library."""
    numbers = (scale.chats // 4, scale.rounds)
    fast = worker_times("lines", numbers, without_fast=False)
    rows: tuple[tuple[str, str, str, float | None], ...]
    if ORJSON in fast:
        counts = count_instructions((AT_ONCE, LINE_BY_LINE, ORJSON, STDLIB), scale.counted_chats)
        rows = (
            ("extra fast, all bytes at once", AT_ONCE, ORJSON, 5.0),
            ("extra fast, a line a call", LINE_BY_LINE, ORJSON, 6.0),
            ("extra fast, all bytes at once", AT_ONCE, STDLIB, 0.95),
        )
        yield from _rows_of(rows, fast, counts)
    else:
        yield absent(LINES, "extra fast", "pip install orjson msgspec")
    plain = worker_times("lines", numbers, without_fast=True)
    counts = count_instructions(
        (AT_ONCE, LINE_BY_LINE, STDLIB), scale.counted_chats, without_fast=True
    )
    rows = (
        ("standard library, all bytes at once", AT_ONCE, STDLIB, 1.45),
        ("standard library, a line a call", LINE_BY_LINE, STDLIB, None),
    )
    yield from _rows_of(rows, plain, counts)


def _rows_of(
    rows: Iterable[tuple[str, str, str, float | None]], times: Times, counts: Counts
) -> Iterator[Row]:
    for name, ours, other, target in rows:
        row = at_most(LINES, name, times, (ours, other), target)
        yield with_instructions(row, counts, (ours, other))


def command(scale: Scale) -> Iterator[Row]:
    """Yield the rows of the command compared with its work in process, and of two jobs with one.

    One process is compared by processor time, two by wall time.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "chats.jsonl"
        _write(path, scale.command_chats)
        replay = ("-m", "chatfsm", "replay", "--summary", str(path))
        works = {
            "in process": lambda: float(output_of("-m", IN_PROCESS, str(path))),
            "chatfsm replay": cpu_time(*replay),
        }
        has_jobs = "--jobs" in output_of("-m", "chatfsm", "replay", "--help")
        if has_jobs:
            works |= {f"--jobs {n}": wall_time(*replay, "--jobs", str(n)) for n in (1, 2)}
            works |= {
                "one counts": wall_time_together(_count_up(2)),
                "two count": wall_time_together(_count_up(1), _count_up(1)),
            }
        # New processes need no warm-up, and each takes seconds.
        times = interleave(works, scale.command_rounds, warm_up=False)
    name = f"{scale.command_chats * EVENTS_A_CHAT:,} events, vs in process"
    yield at_most(COMMAND, name, times, ("chatfsm replay", "in process"), 1.3)
    if has_jobs:
        yield at_least(COMMAND, "two jobs, vs one", times, ("--jobs 2", "--jobs 1"), 1.6)
        row = at_least(COMMAND, "two that count, vs one", times, ("two count", "one counts"), None)
        yield evolve(row, note="they share nothing: the maximum for two processes on this machine")
    else:
        yield absent(COMMAND, "two jobs, vs one", "chatfsm replay has no --jobs")


def counting(scale: Scale) -> Iterator[Row]:
    """Yield the rows of the command compared with programs that count the same log, by CPU time."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "chats.jsonl"
        _write(path, scale.command_chats)
        replay = ("-m", "chatfsm", "replay", "--summary", str(path))
        totals = json.loads(output_of(*replay))["totals"]
        ended = totals["outcomes"]["ended"] + totals["outcomes"]["timed_out"]
        expected = [totals["sessions"], ended, totals["messages"]]
        works = {"chatfsm replay": cpu_time(*replay)}
        for way, name in WAYS.items():
            if find_spec(way) is not None:
                command = ("-m", "tests.bench.workers.chat_counters", way, str(path))
                found = json.loads(output_of(*command))
                if found != expected:
                    raise AssertionError(f"{name} counts {found}, chatfsm {expected}")
                works[name] = cpu_time(*command)
        times = interleave(works, scale.command_rounds, warm_up=False)
    size = f"{scale.command_chats * EVENTS_A_CHAT:,} events"
    for way, name in WAYS.items():
        if name in times:
            row = at_most(COUNTING, f"{size}, vs {name}", times, ("chatfsm replay", name), None)
            yield evolve(row, note=LESS)
        else:
            yield absent(COUNTING, f"vs {name}", f"pip install {way}")


def _count_up(halves: int) -> tuple[str, str]:
    """Return the arguments of a Python that counts so many halves, which takes some seconds."""
    return "-c", f"for number in range({halves * HALF}): pass"


def _write(path: Path, count: int) -> None:
    """Write a log of so many chats, one after the other, each line with its chat's id."""
    made = [(chat, b"\n".join(chat.lines(named=True)) + b"\n") for chat in chats(DISTINCT)]
    with path.open("wb") as log:
        for number in range(count):
            chat, text = made[number % DISTINCT]
            log.write(_renamed(chat, text, number // DISTINCT))


def _renamed(chat: Chat, text: bytes, number: int) -> bytes:
    """Return the chat with another id, which the customer's events contain in upper case."""
    old, new = chat.chat_id, f"{number:08x}{chat.chat_id[8:]}"
    text = text.replace(old.encode(), new.encode())
    return text.replace(old.upper().encode(), new.upper().encode())
