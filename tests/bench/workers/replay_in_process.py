"""A replay of many chats in this process, for comparison with `chatfsm replay`.

`python -m tests.bench.workers.replay_in_process FILE` prints the processor seconds from bytes to
effects, without the start of Python and without reading the file. It decodes the lines as the
command does.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from time import process_time
from typing import Any, Final

from chatfsm import ChatSession
from chatfsm._protocol import json_input
from chatfsm._protocol.codec import decode_item, typed_parser
from chatfsm._protocol.lines import parse_typed

__all__ = ["replay"]

# The block size of the command for large files.
_PORTION: Final = 1 << 20


def replay(data: bytes) -> int:
    """Replay all chats by `chat_id`, each on its own clock; return their number."""
    sessions: dict[object, tuple[ChatSession, list[float]]] = {}
    for portion in _portions(data):
        for chat_id, event in _decoded(portion.splitlines()):
            known = sessions.get(chat_id)
            if known is None:
                known = sessions[chat_id] = ChatSession(str(chat_id)), [0.0]
            session, clock = known
            stamp = event.timestamp
            if stamp is not None and stamp > clock[0]:
                clock[0] = stamp
            session.receive(event, now=clock[0])
    return len(sessions)


def _decoded(lines: list[bytes]) -> Iterable[tuple[object, Any]]:
    """Yield the chat_id and the event of each line."""
    parse = typed_parser(chat_id=None)
    if parse is None:
        for item in json_input.parse_lines(lines):
            yield _named(item)
        return
    for line, typed in zip(lines, parse_typed(lines, parse), strict=True):
        event = typed.event()
        if event is None:
            yield _named(json_input.parse_fast(line))
        else:
            yield typed.chat_id, event


def _named(item: object) -> tuple[object, Any]:
    assert isinstance(item, dict), "a line that wants parsing by itself"
    return item.pop("chat_id"), decode_item(item)


def _portions(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.find(b"\n", start + _PORTION) + 1 or len(data)
        yield data[start:end]
        start = end


if __name__ == "__main__":
    log = Path(sys.argv[1]).read_bytes()
    begin = process_time()
    replay(log)
    print(process_time() - begin)
