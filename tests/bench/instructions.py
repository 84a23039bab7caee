"""Instructions that the processor executes, counted by callgrind: the same on a loaded machine.

A worker is run twice, with few of its chats and with all; the difference is what the others take,
without Python's start and without making the chats. What valgrind does not count is waiting for
memory, and branches that the processor guessed wrong, so a ratio of instructions is no ratio of
times: the tables show both.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from attrs import evolve

from tests.bench.measure import progress
from tests.bench.processes import ENVIRONMENT, HIDING, ROOT, printed
from tests.bench.report import Row
from tests.bench.workloads import EVENTS_A_CHAT

__all__ = ["Counts", "counted", "with_instructions"]

Counts = dict[str, float]
"""By the name of what was done: the instructions an event."""

# Chats that warm up what is made at its first use, and specialize the bytecode.
WARM: Final = 20
_COLLECTED: Final = re.compile(r"Collected : (\d+)")


def counted(names: Iterable[str], chats: int, *, hiding: bool = False) -> Counts:
    """The instructions of works of `workers.counted`; none if `chats` is 0, or without valgrind.

    `hiding`: as if the extra `fast` were not installed.
    """
    if not chats or shutil.which("valgrind") is None:
        return {}
    found: Counts = {}
    for name in names:
        # What is compiled now is not compiled in the first of the two runs alone.
        printed("-c", (HIDING if hiding else "") + _call(name, 1, 1))
        few = _collected(name, WARM, WARM + chats, hiding=hiding)
        many = _collected(name, WARM + chats, WARM + chats, hiding=hiding)
        found[name] = (many - few) / (chats * EVENTS_A_CHAT)
    return found


def with_instructions(row: Row, counts: Counts, pair: tuple[str, str]) -> Row:
    """The row with the ratio of the instructions of its pair, if both were counted."""
    one, other = (counts.get(name) for name in pair)
    if one is None or other is None:
        return row
    return evolve(row, instructions=other / one if row.is_minimum else one / other)


def _call(name: str, *numbers: int) -> str:
    return f"from tests.bench.workers.counted import main; main({name!r}, *{numbers})"


def _collected(name: str, *numbers: int, hiding: bool) -> int:
    call = _call(name, *numbers)
    progress(f"counting the instructions of {name}")
    with TemporaryDirectory() as folder:
        valgrind = ("valgrind", "--tool=callgrind")
        out = f"--callgrind-out-file={Path(folder) / 'out'}"
        done = subprocess.run(
            [*valgrind, out, sys.executable, "-c", (HIDING if hiding else "") + call],
            cwd=ROOT,
            env=ENVIRONMENT | {"PYTHONHASHSEED": "0"},  # else the same dict has other collisions
            check=True,
            capture_output=True,
            text=True,
        )
    found = _COLLECTED.search(done.stderr)
    if found is None:
        raise ValueError(f"valgrind said nothing of {name}: {done.stderr[-500:]}")
    return int(found[1])
