"""Bytes of a log to effects: beside parsing alone, and as the command does it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from attrs import evolve

from tests.bench.measure import interleave
from tests.bench.processes import printed, started, started_together, worker_times
from tests.bench.report import Row, absent, at_least, at_most
from tests.bench.scale import Scale
from tests.bench.workers.lines import AT_ONCE, LINE_BY_LINE, ORJSON, STDLIB
from tests.bench.workloads import EVENTS_A_CHAT, Chat, chats

__all__ = ["command", "lines"]

LINES: Final = "log bytes → effects, a line"
COMMAND: Final = "chatfsm replay --summary, a whole process"
HALF: Final = 50_000_000
"""So far counts each of two processes that share a count."""
DISTINCT: Final = 500
"""How many chats are made for the log of the command; the others are these under other ids."""


def lines(scale: Scale) -> Iterator[Row]:
    """With orjson where it is there, and without."""
    numbers = (scale.chats // 4, scale.rounds)
    fast = worker_times("lines", numbers, hiding_orjson=False)
    if ORJSON in fast:
        pair = (AT_ONCE, ORJSON)
        yield at_most(LINES, "with orjson, all bytes at once", fast, pair, 2.5)
        pair = (LINE_BY_LINE, ORJSON)
        yield at_most(LINES, "with orjson, a line a call", fast, pair, 3.0)
    else:
        yield absent(LINES, "with orjson", "pip install orjson")
    plain = worker_times("lines", numbers, hiding_orjson=True)
    yield at_most(LINES, "without orjson, all at once", plain, (AT_ONCE, STDLIB), 0.75)
    pair = (LINE_BY_LINE, STDLIB)
    yield at_most(LINES, "without orjson, a line a call", plain, pair, None)


def command(scale: Scale) -> Iterator[Row]:
    """The whole command beside the time in one process, and two workers beside one."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "chats.jsonl"
        _write(path, scale.command_chats)
        replay = ("-m", "chatfsm", "replay", "--summary", str(path))
        works = {
            "in process": lambda: float(printed("-m", "tests.bench.workers.named_log", str(path))),
            "chatfsm replay": started(*replay),
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
    yield at_most(COMMAND, name, times, ("chatfsm replay", "in process"), 1.5)
    if has_jobs:
        yield at_least(COMMAND, "two jobs, vs one", times, ("--jobs 2", "--jobs 1"), 1.6)
        row = at_least(COMMAND, "two that count, vs one", times, ("two count", "one counts"), None)
        yield evolve(row, note="they share nothing: the most that two can give here")
    else:
        yield absent(COMMAND, "two jobs, vs one", "chatfsm replay has no --jobs")


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
