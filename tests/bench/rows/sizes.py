"""The memory of sessions that are open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.bench.measure import progress
from tests.bench.processes import printed
from tests.bench.report import Row, absent
from tests.bench.rows.sessions import LIBRARIES, PIP
from tests.bench.scale import Scale

__all__ = ["open_sessions"]

GROUP: Final = "bytes a session, payload texts not counted"


def open_sessions(scale: Scale) -> Iterator[Row]:
    """Many sessions at once: fresh ones, and ones in the middle of a conversation."""
    count = scale.open_sessions
    yield _row(f"fresh, of {count:,}", "fresh", count, 250)
    yield _row(f"two parties, 20 messages, of {count:,}", "middle", count, 2_000)
    for library in LIBRARIES:
        if library.maker() is None:
            yield absent(GROUP, library.name, PIP)
        else:
            what = f"{library.module}.{library.cls} fresh"
            bytes_each = _bytes(what, scale.heavy_sessions)
            note = "a fresh one of a peer's"
            yield Row(group=GROUP, name=library.name, measured=bytes_each, unit="bytes", note=note)


def _row(name: str, stage: str, count: int, most: int) -> Row:
    ours, floor = _bytes(f"chatfsm {stage}", count), _bytes(f"floor {stage}", count // 10)
    other = f"{floor:,.0f} bytes  floor"
    return Row(group=GROUP, name=name, other=other, measured=ours, unit="bytes", target=most)


def _bytes(what: str, count: int) -> float:
    progress(f"round 0: memory, {what}, {count:,}")
    return float(printed("-m", "tests.bench.workers.memory", what, str(count)))
