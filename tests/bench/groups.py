"""Groups of measurements, each of which runs in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

from tests.bench.report import Row
from tests.bench.rows import logs, long_session, parsing, sessions, sizes, snapshots, starting
from tests.bench.scale import Scale

__all__ = ["GROUPS", "measure_group"]

GROUPS: Final[dict[str, Callable[[Scale], Iterator[Row]]]] = {
    "events": sessions.compare_events,
    "parsing": parsing.compare_parsing,
    "lines": logs.lines,
    "command": logs.command,
    "counting": logs.counting,
    "creating": sessions.compare_creation,
    "snapshots": snapshots.round_trip,
    "memory": sizes.open_sessions,
    "long-session": long_session.compare_long_session,
    "starting": starting.imports,
}


def measure_group(name: str, scale: Scale) -> list[Row]:
    """Return the rows of a group, measured in a new process, whose memory is not fragmented."""
    alone = get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=alone, max_tasks_per_child=1) as pool:
        return pool.submit(_rows, name, scale).result()


def _rows(name: str, scale: Scale) -> list[Row]:
    return list(GROUPS[name](scale))
