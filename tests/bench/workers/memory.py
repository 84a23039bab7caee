"""Bytes of a session, by tracemalloc, in a process of its own.

`python -m tests.bench.workers.memory SUBJECT COUNT` prints the bytes per session. All sessions
share ids, events and payload texts, so that only the objects of the session itself are counted.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from chatfsm import ChatSession
from tests.bench.plain_reducer import PlainReducer
from tests.bench.usage import decode_chat
from tests.bench.workloads import mid_conversation

__all__ = ["main"]

MIDDLE: Final = decode_chat(mid_conversation())


def main(subject: str, count: int) -> float:
    """Return the bytes per session, measured on `count` sessions."""
    return _bytes_per_session(_maker(subject), count)


def _maker(subject: str) -> Callable[[], object]:
    name, _, stage = subject.partition(" ")
    if name == "chatfsm":
        return _at(stage, ChatSession)
    if name == "reducer":
        return _at(stage, PlainReducer)
    module, _, peer = name.partition(".")
    return _at(stage, getattr(import_module(f"tests.bench.peers.{module}"), peer))


def _at(stage: str, cls: Callable[[str], Any]) -> Callable[[], object]:
    def fresh() -> object:
        return cls(MIDDLE.chat_id)

    def in_mid_conversation() -> object:
        session = cls(MIDDLE.chat_id)
        for event, now in MIDDLE.timed:
            session.receive(event, now=now)
        return session

    return {"fresh": fresh, "middle": in_mid_conversation}[stage]


def _bytes_per_session(make: Callable[[], object], count: int) -> float:
    kept: list[object] = [None] * count
    make()  # create the objects that all sessions share
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(count):
        kept[number] = make()
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    return (after - before) / count


if __name__ == "__main__":
    print(main(sys.argv[1], int(sys.argv[2])))
