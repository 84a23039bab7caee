"""Bytes of a log to effects: beside parsing alone, and as the command does it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from attrs import evolve

from tests.bench.instructions import Counts, counted, with_instructions
from tests.bench.measure import Times, interleave
from tests.bench.processes import printed, spent, started, started_together, worker_times
from tests.bench.report import Row, absent, at_least, at_most
from tests.bench.scale import Scale
from tests.bench.workers.lines import AT_ONCE, LINE_BY_LINE, ORJSON, STDLIB
from tests.bench.workloads import EVENTS_A_CHAT, Chat, chats

__all__ = ["command", "counting", "lines"]

LINES: Final = "log bytes → effects, a line"
COMMAND: Final = "chatfsm replay --summary, a whole process"
COUNTING: Final = "chatfsm replay --summary, beside what only counts"
WAYS: Final = {
    "orjson": "a loop with orjson and sets",
    "duckdb": "DuckDB, one thread",
    "polars": "Polars, one thread",
}
LESS: Final = (
    "counts chats, ends and messages; knows no states, parties, typing, forms, deadlines, and does"
    " not see late events, reused ids or lines that are none"
)
HALF: Final = 50_000_000
"""So far counts each of two processes that share a count."""
DISTINCT: Final = 500
"""How many chats are made for the log of the command; the others are these under other ids."""


def lines(scale: Scale) -> Iterator[Row]:
    """With the extra `fast` where it is there, and without."""
    numbers = (scale.chats // 4, scale.rounds)
    fast = worker_times("lines", numbers, hiding=False)
    rows: tuple[tuple[str, str, str, float | None], ...]
    if ORJSON in fast:
        counts = counted((AT_ONCE, LINE_BY_LINE, ORJSON, STDLIB), scale.counted_chats)
        rows = (
            ("extra fast, all bytes at once", AT_ONCE, ORJSON, 5.0),
            ("extra fast, a line a call", LINE_BY_LINE, ORJSON, 6.0),
            ("extra fast, all bytes at once", AT_ONCE, STDLIB, 0.95),
        )
        yield from _compared(rows, fast, counts)
    else:
        yield absent(LINES, "extra fast", "pip install orjson msgspec")
    plain = worker_times("lines", numbers, hiding=True)
    counts = counted((AT_ONCE, LINE_BY_LINE, STDLIB), scale.counted_chats, hiding=True)
    rows = (
        ("standard library, all bytes at once", AT_ONCE, STDLIB, 1.45),
        ("standard library, a line a call", LINE_BY_LINE, STDLIB, None),
    )
    yield from _compared(rows, plain, counts)


def _compared(
    rows: Iterable[tuple[str, str, str, float | None]], times: Times, counts: Counts
) -> Iterator[Row]:
    for name, ours, other, target in rows:
        row = at_most(LINES, name, times, (ours, other), target)
        yield with_instructions(row, counts, (ours, other))


def command(scale: Scale) -> Iterator[Row]:
    """The whole command beside its work in one process, and two workers beside one.

    One process is compared by processor time, and two by the time that passes.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "chats.jsonl"
        _write(path, scale.command_chats)
        replay = ("-m", "chatfsm", "replay", "--summary", str(path))
        works = {
            "in process": lambda: float(printed("-m", "tests.bench.workers.named_log", str(path))),
            "chatfsm replay": spent(*replay),
        }
        has_jobs = "--jobs" in printed("-m", "chatfsm", "replay", "--help")
        if has_jobs:
            works |= {f"--jobs {n}": started(*replay, "--jobs", str(n)) for n in (1, 2)}
            works |= {
                "one counts": started_together(_counting(2)),
                "two count": started_together(_counting(1), _counting(1)),
            }
        # Fresh processes have nothing to warm, and each takes seconds.
        times = interleave(works, scale.command_rounds, warm_up=False)
    name = f"{scale.command_chats * EVENTS_A_CHAT:,} events, vs in process"
    yield at_most(COMMAND, name, times, ("chatfsm replay", "in process"), 1.3)
    if has_jobs:
        yield at_least(COMMAND, "two jobs, vs one", times, ("--jobs 2", "--jobs 1"), 1.6)
        row = at_least(COMMAND, "two that count, vs one", times, ("two count", "one counts"), None)
        yield evolve(row, note="they share nothing: the most that two can give here")
    else:
        yield absent(COMMAND, "two jobs, vs one", "chatfsm replay has no --jobs")


def counting(scale: Scale) -> Iterator[Row]:
    """The whole command beside whole processes that count the same log, by processor time."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "chats.jsonl"
        _write(path, scale.command_chats)
        replay = ("-m", "chatfsm", "replay", "--summary", str(path))
        totals = json.loads(printed(*replay))["totals"]
        ended = totals["outcomes"]["ended"] + totals["outcomes"]["timed_out"]
        expected = [totals["sessions"], ended, totals["messages"]]
        works = {"chatfsm replay": spent(*replay)}
        for way, name in WAYS.items():
            if find_spec(way) is not None:
                command = ("-m", "tests.bench.workers.counting", way, str(path))
                found = json.loads(printed(*command))
                if found != expected:
                    raise AssertionError(f"{name} counts {found}, chatfsm {expected}")
                works[name] = spent(*command)
        times = interleave(works, scale.command_rounds, warm_up=False)
    size = f"{scale.command_chats * EVENTS_A_CHAT:,} events"
    for way, name in WAYS.items():
        if name in times:
            row = at_most(COUNTING, f"{size}, vs {name}", times, ("chatfsm replay", name), None)
            yield evolve(row, note=LESS)
        else:
            yield absent(COUNTING, f"vs {name}", f"pip install {way}")


def _counting(halves: int) -> tuple[str, str]:
    """What counts up, for some seconds, as far as so many halves."""
    return "-c", f"for number in range({halves * HALF}): pass"


def _write(path: Path, count: int) -> None:
    """A log of so many chats, one after the other, each line with its chat's id."""
    made = [(chat, b"\n".join(chat.lines(named=True)) + b"\n") for chat in chats(DISTINCT)]
    with path.open("wb") as log:
        for number in range(count):
            chat, text = made[number % DISTINCT]
            log.write(_renamed(chat, text, number // DISTINCT))


def _renamed(chat: Chat, text: bytes, number: int) -> bytes:
    """The same chat under another id, which the customer's own events bear in upper case."""
    old, new = chat.chat_id, f"{number:08x}{chat.chat_id[8:]}"
    text = text.replace(old.encode(), new.encode())
    return text.replace(old.upper().encode(), new.upper().encode())
