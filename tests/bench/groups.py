"""What is measured, in groups: each in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

from tests.bench.report import Row
from tests.bench.rows import endless, logs, parsing, sessions, sizes, snapshots, starting
from tests.bench.scale import Scale

__all__ = ["GROUPS", "measured"]

GROUPS: Final[dict[str, Callable[[Scale], Iterator[Row]]]] = {
    "events": sessions.fed,
    "parsing": parsing.parsed,
    "lines": logs.lines,
    "command": logs.command,
    "counting": logs.counting,
    "creating": sessions.created,
    "snapshots": snapshots.there_and_back,
    "memory": sizes.open_sessions,
    "endless": endless.endless,
    "starting": starting.imports,
}


def measured(name: str, scale: Scale) -> list[Row]:
    """The rows of a group: what was measured before leaves the memory of a process in pieces."""
    alone = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=alone, max_tasks_per_child=1) as pool:
        return pool.submit(_rows, name, scale).result()


def _rows(name: str, scale: Scale) -> list[Row]:
    return list(GROUPS[name](scale))
