"""One session of a million events compared with sessions of a thousand, over the same events."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from functools import partial
from types import FunctionType, ModuleType
from typing import Final

from chatfsm import ChatSession, decode_lines
from tests.bench.measure import Times, progress, timed
from tests.bench.report import Row, at_most
from tests.bench.scale import Scale
from tests.bench.usage import TimedEvent, with_times
from tests.bench.workloads import EVENTS_A_BLOCK, block

__all__ = ["compare_long_session"]

GROUP: Final = "one session of many events"
LONG, SHORT = "one session", "sessions of 1,000 events"


def compare_long_session(scale: Scale) -> Iterator[Row]:
    """Yield the rows of cost per event and memory; each block is generated, fed and dropped."""
    times: Times = {LONG: [], SHORT: []}
    session = ChatSession(block(0).chat_id)
    quarter, blocks = scale.long_blocks // 4, scale.long_blocks
    sizes = []
    for number in range(blocks):
        progress(f"round {number} of {blocks}: one long session")
        _feed_both(session, number, times)
        if number + 1 in {quarter, blocks}:
            sizes.append(_size(session))
    # In the first quarter the long session is not yet larger than the short ones.
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


def _feed_both(session: ChatSession, number: int, times: Times) -> None:
    """Feed a block to the long session and to a new one, whose creation and removal count.

    Each session gets newly decoded events of its own and is their only owner, so that it frees what
    it does not keep. The order of the two alternates.
    """
    text = b"\n".join(block(number).lines())
    works = [(LONG, partial(_feed, session)), (SHORT, partial(_feed_new, session.chat_id))]
    for name, feed in works if number % 2 else reversed(works):
        events = list(with_times(decode_lines(text)))
        times[name].append(timed(partial(feed, events), EVENTS_A_BLOCK)())


def _feed_new(chat_id: str, events: list[TimedEvent]) -> None:
    _feed(ChatSession(chat_id), events)


def _feed(session: ChatSession, events: list[TimedEvent]) -> None:
    for event, now in events:
        session.receive(event, now=now)
    events.clear()


def _size(session: ChatSession) -> int:
    """Return the bytes of all objects that a session refers to, without classes and functions."""
    seen: dict[int, object] = {}
    pending: list[object] = [session]
    while pending:
        item = pending.pop()
        if id(item) not in seen and not isinstance(item, (type, FunctionType, ModuleType)):
            seen[id(item)] = item
            pending += gc.get_referents(item)
    return sum(sys.getsizeof(item) for item in seen.values())
