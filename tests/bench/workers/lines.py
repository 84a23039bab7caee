"""Log bytes to effects compared with parsing alone, in a process with or without orjson."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from typing import Any, Final

from chatfsm import decode_lines
from tests.bench.measure import Times, Work, interleave, timed
from tests.bench.usage import decode_each, feed_events
from tests.bench.workloads import EVENTS_A_CHAT, chats

__all__ = ["AT_ONCE", "LINE_BY_LINE", "ORJSON", "STDLIB", "main"]

AT_ONCE: Final = "chatfsm, all bytes at once"
LINE_BY_LINE: Final = "chatfsm, a line a call"
STDLIB: Final = "json.loads alone"
ORJSON: Final = "orjson.loads alone"

Log = list[tuple[str, list[bytes]]]


def main(count: int, rounds: int) -> None:
    """Measure `count` chats, and print the times as JSON."""
    print(json.dumps(measured(count, rounds)))


def measured(count: int, rounds: int) -> Times:
    """Return the times per line; works that take single lines get lines that are split already."""
    log = [(chat.chat_id, chat.lines()) for chat in chats(count)]
    whole = [(chat_id, b"\n".join(lines)) for chat_id, lines in log]
    works: dict[str, Callable[[], object]] = {
        STDLIB: lambda: _parse(json.loads, log),
        AT_ONCE: lambda: _feed(decode_lines, whole),
        LINE_BY_LINE: lambda: _feed(decode_each, log),
    }
    if _has_orjson():
        import orjson  # noqa: PLC0415  # may not be installed

        works[ORJSON] = lambda: _parse(orjson.loads, log)
    timing: dict[str, Work] = {
        name: timed(work, count * EVENTS_A_CHAT) for name, work in works.items()
    }
    return interleave(timing, rounds)


def _has_orjson() -> bool:
    try:
        return find_spec("orjson") is not None
    except ValueError:  # None in sys.modules
        return False


def _parse(loads: Callable[[bytes], Any], log: Log) -> None:
    for _, lines in log:
        for line in lines:
            loads(line)


def _feed(decoded: Callable[[Any], Iterable[Any]], log: Iterable[tuple[str, Any]]) -> None:
    for chat_id, data in log:
        feed_events(chat_id, decoded(data))
