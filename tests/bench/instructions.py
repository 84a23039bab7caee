"""Instructions that the processor executes, counted by callgrind: the same on a loaded machine.

A worker runs twice, with few of its chats and with all; the difference is the cost of the other
chats, without Python's start and without making the chats. valgrind does not count the waits for
memory and the branches that the processor predicts wrong, so a ratio of instructions is not a ratio
of times: the tables show both.
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
from tests.bench.processes import ENVIRONMENT, ROOT, WITHOUT_FAST, output_of
from tests.bench.report import Row
from tests.bench.workloads import EVENTS_A_CHAT

__all__ = ["Counts", "count_instructions", "with_instructions"]

Counts = dict[str, float]
"""The instructions per event, by the name of the work."""

# The first chats create lazy objects and specialize the bytecode.
WARM: Final = 20
_COLLECTED: Final = re.compile(r"Collected : (\d+)")


def count_instructions(names: Iterable[str], chats: int, *, without_fast: bool = False) -> Counts:
    """Return the instructions of works of `workers.counted_work`, per event.

    Returns no counts if `chats` is 0 or valgrind is not installed. With `without_fast`, the worker
    cannot import the packages of the extra `fast`.
    """
    if not chats or shutil.which("valgrind") is None:
        return {}
    found: Counts = {}
    for name in names:
        # Compile the bytecode before both runs, else only the first one would include it.
        output_of("-c", (WITHOUT_FAST if without_fast else "") + _call(name, 1, 1))
        few = _collected(name, WARM, WARM + chats, without_fast=without_fast)
        many = _collected(name, WARM + chats, WARM + chats, without_fast=without_fast)
        found[name] = (many - few) / (chats * EVENTS_A_CHAT)
    return found


def with_instructions(row: Row, counts: Counts, pair: tuple[str, str]) -> Row:
    """Return the row with the ratio of the instructions of its pair, if both were counted."""
    one, other = (counts.get(name) for name in pair)
    if one is None or other is None:
        return row
    return evolve(row, instructions=other / one if row.is_minimum else one / other)


def _call(name: str, *numbers: int) -> str:
    return f"from tests.bench.workers.counted_work import main; main({name!r}, *{numbers})"


def _collected(name: str, *numbers: int, without_fast: bool) -> int:
    call = _call(name, *numbers)
    progress(f"counting the instructions of {name}")
    with TemporaryDirectory() as folder:
        valgrind = ("valgrind", "--tool=callgrind")
        out = f"--callgrind-out-file={Path(folder) / 'out'}"
        done = subprocess.run(
            [*valgrind, out, sys.executable, "-c", (WITHOUT_FAST if without_fast else "") + call],
            cwd=ROOT,
            env=ENVIRONMENT | {"PYTHONHASHSEED": "0"},  # else the same dict has other collisions
            check=True,
            capture_output=True,
            text=True,
        )
    found = _COLLECTED.search(done.stderr)
    if found is None:
        raise ValueError(f"valgrind printed no count for {name}: {done.stderr[-500:]}")
    return int(found[1])
