"""Parsed dicts to typed events: the codec compared with constructors by hand and cattrs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from attrs import asdict, evolve

from chatfsm._protocol.codec import decode_item
from tests.bench import cattrs_default, handwritten, unchecked
from tests.bench.measure import interleave, timed
from tests.bench.report import Row, at_least, at_most
from tests.bench.scale import Scale
from tests.bench.workloads import chats

__all__ = ["check_same_events", "compare_parsing"]

GROUP: Final = "parsed dict → typed event, an event"


def compare_parsing(scale: Scale) -> Iterator[Row]:
    """Yield the rows of the codec compared with the same work, less work, and cattrs."""
    # Parsed from text, because the keys of dict literals would be interned constants.
    lines = [line for chat in chats(scale.chats // 2) for line in chat.lines()]
    items = [json.loads(line) for line in lines]
    check_same_events(items[:2_000])
    works = {
        "chatfsm": decode_item,
        "by hand": handwritten.construct,
        "by hand, unchecked": unchecked.construct,
        "cattrs' structure": cattrs_default.structure,
    }
    times = interleave(
        {name: timed(_reading(read, items), len(items)) for name, read in works.items()},
        scale.rounds,
    )
    yield at_most(GROUP, "vs constructors by hand", times, ("chatfsm", "by hand"), 1.0)
    note = "types are not checked, unknown fields are lost"
    pair = ("chatfsm", "by hand, unchecked")
    row = at_most(GROUP, "vs the same without checks", times, pair, None)
    yield evolve(row, note=note)
    pair = ("chatfsm", "cattrs' structure")
    yield at_least(GROUP, "vs cattrs' default, tagged union", times, pair, 2.5)


def check_same_events(items: list[dict[str, Any]]) -> None:
    """Raise AssertionError if the constructors by hand return another event than the codec."""
    for item in items:
        ours, theirs = decode_item(item), handwritten.construct(item)
        if type(ours).__name__ != type(theirs).__name__ or asdict(ours) != asdict(theirs):
            raise AssertionError(f"the constructor by hand differs for {item['event']}")


def _reading(read: Callable[[Any], Any], items: list[dict[str, Any]]) -> Callable[[], None]:
    def read_all() -> None:
        for item in items:
            read(item)

    return read_all
