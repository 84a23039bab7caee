"""A log of many chats to effects in this process: what `chatfsm replay` is compared with.

`python -m tests.bench.workers.named_log FILE` prints the seconds from bytes to effects, without
starting Python and without reading the file.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Final

from chatfsm import ChatSession
from chatfsm._protocol import json_input
from chatfsm._protocol.codec import decode_item

__all__ = ["hear"]

# As much at a time as a reader of large files takes.
_PORTION: Final = 1 << 20


def hear(data: bytes) -> int:
    """Hear all chats, each on its own clock, told apart by `chat_id`; returns how many."""
    sessions: dict[object, tuple[ChatSession, list[float]]] = {}
    for portion in _portions(data):
        for item in json_input.parse_lines(portion.splitlines()):
            assert isinstance(item, dict), "a line that wants parsing by itself"
            chat_id = item.pop("chat_id")
            event = decode_item(item)
            known = sessions.get(chat_id)
            if known is None:
                known = sessions[chat_id] = ChatSession(str(chat_id)), [0.0]
            session, clock = known
            stamp = event.timestamp
            if stamp is not None and stamp > clock[0]:
                clock[0] = stamp
            session.receive(event, now=clock[0])
    return len(sessions)


def _portions(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + _PORTION) + 1 or len(data)
        yield data[start:end]
        start = end


if __name__ == "__main__":
    log = Path(sys.argv[1]).read_bytes()
    begin = perf_counter()
    hear(log)
    print(perf_counter() - begin)
