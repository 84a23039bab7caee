"""One session of a million events beside sessions of a thousand, over the same events."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from functools import partial
from types import FunctionType, ModuleType
from typing import Final

from chatfsm import ChatSession, decode_lines
from tests.bench.hearing import Timed, on_the_clock
from tests.bench.measure import Times, progress, timed
from tests.bench.report import Row, at_most
from tests.bench.scale import Scale
from tests.bench.workloads import EVENTS_A_BLOCK, block

__all__ = ["endless"]

GROUP: Final = "one session of many events"
LONG, SHORT = "one session", "sessions of 1,000 events"


def endless(scale: Scale) -> Iterator[Row]:
    """The cost an event, block by block; each block is made, heard by both, and let go."""
    times: Times = {LONG: [], SHORT: []}
    session = ChatSession(block(0).chat_id)
    quarter, blocks = scale.long_blocks // 4, scale.long_blocks
    sizes = []
    for number in range(blocks):
        progress(f"round {number} of {blocks}: one long session")
        _hear_both(session, number, times)
        if number + 1 in {quarter, blocks}:
            sizes.append(_size(session))
    # The first quarter is the long one's youth, in which it is no different.
    grown = {name: rounds[quarter:] for name, rounds in times.items()}
    name = f"{blocks * EVENTS_A_BLOCK:,} events, vs of 1,000 each"
    yield at_most(GROUP, name, grown, (LONG, SHORT), 1.1)
    yield _bounded(sizes, blocks)


def _bounded(sizes: list[int], blocks: int) -> Row:
    early, late = sizes
    events = blocks * EVENTS_A_BLOCK
    return Row(
        group=GROUP,
        name=f"its memory after {events:,} events",
        ours=f"{late / 1e3:,.0f} kB",
        other=f"{early / 1e3:,.0f} kB  after {events // 4:,}",
        measured=late / early,
        target=1.1,
        note="payload texts counted",
    )


def _hear_both(session: ChatSession, number: int, times: Times) -> None:
    """Let the long session hear a block, and a new one, which is made and dropped for it.

    Each hears events that nobody else holds, just decoded, and lets go of them: what a session
    remembers of a block is its own to keep and to free. Who is first changes.
    """
    text = b"\n".join(block(number).lines())
    works = [(LONG, partial(_hear, session)), (SHORT, partial(_hear_anew, session.chat_id))]
    for name, hear in works if number % 2 else reversed(works):
        events = list(on_the_clock(decode_lines(text)))
        times[name].append(timed(partial(hear, events), EVENTS_A_BLOCK)())


def _hear_anew(chat_id: str, events: list[Timed]) -> None:
    _hear(ChatSession(chat_id), events)


def _hear(session: ChatSession, events: list[Timed]) -> None:
    for event, now in events:
        session.receive(event, now=now)
    events.clear()


def _size(session: ChatSession) -> int:
    """The bytes of all that a session holds on to, classes and functions not counted."""
    met: dict[int, object] = {}
    waiting: list[object] = [session]
    while waiting:
        item = waiting.pop()
        if id(item) not in met and not isinstance(item, (type, FunctionType, ModuleType)):
            met[id(item)] = item
            waiting += gc.get_referents(item)
    return sum(sys.getsizeof(item) for item in met.values())
