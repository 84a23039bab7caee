"""How many bytes a session takes, by tracemalloc, in a process of its own.

`python -m tests.bench.workers.memory WHAT COUNT` prints the bytes of a session. Ids, events and
payload texts are shared by all sessions, so that only what a session adds is counted.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Callable
from importlib import import_module
from typing import Any, Final

from chatfsm import ChatSession
from tests.bench.floor import Floor
from tests.bench.hearing import heard
from tests.bench.workloads import mid_conversation

__all__ = ["main"]

MIDDLE: Final = heard(mid_conversation())


def main(what: str, count: int) -> float:
    """The bytes of one of so many."""
    return _a_session(_maker(what), count)


def _maker(what: str) -> Callable[[], object]:
    name, _, stage = what.partition(" ")
    if name == "chatfsm":
        return _at(stage, ChatSession)
    if name == "floor":
        return _at(stage, Floor)
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


def _a_session(make: Callable[[], object], count: int) -> float:
    kept: list[object] = [None] * count
    make()  # what is made once, however many sessions there are
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
