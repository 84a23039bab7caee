"""Memory of open sessions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.bench.measure import progress
from tests.bench.processes import output_of
from tests.bench.report import Row, absent
from tests.bench.rows.sessions import LIBRARIES, PIP
from tests.bench.scale import Scale

__all__ = ["open_sessions"]

GROUP: Final = "bytes a session, payload texts not counted"


def open_sessions(scale: Scale) -> Iterator[Row]:
    """Yield the rows of many sessions at once: new ones, and ones in mid-conversation."""
    count = scale.open_sessions
    yield _row(f"fresh, of {count:,}", "fresh", count, 250)
    yield _row(f"two parties, 20 messages, of {count:,}", "middle", count, 2_000)
    for library in LIBRARIES:
        if library.maker() is None:
            yield absent(GROUP, library.name, PIP)
        else:
            subject = f"{library.module}.{library.cls} fresh"
            bytes_each = _bytes(subject, scale.heavy_sessions)
            note = "a fresh session of the peer"
            yield Row(group=GROUP, name=library.name, measured=bytes_each, unit="bytes", note=note)


def _row(name: str, stage: str, count: int, most: int) -> Row:
    ours, reducer = _bytes(f"chatfsm {stage}", count), _bytes(f"reducer {stage}", count // 10)
    other = f"{reducer:,.0f} bytes  plain reducer"
    return Row(group=GROUP, name=name, other=other, measured=ours, unit="bytes", target=most)


def _bytes(subject: str, count: int) -> float:
    progress(f"round 0: memory, {subject}, {count:,}")
    return float(output_of("-m", "tests.bench.workers.memory", subject, str(count)))
