"""Parsed dicts to typed events: the codec beside code by hand, and cattrs as it comes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from attrs import asdict, evolve

from chatfsm._protocol.codec import decode_item
from tests.bench import cattrs_default, handwritten, trusting
from tests.bench.measure import interleave, timed
from tests.bench.report import Row, at_least, at_most
from tests.bench.scale import Scale
from tests.bench.workloads import chats

__all__ = ["parsed", "read_the_same"]

GROUP: Final = "parsed dict → typed event, an event"


def parsed(scale: Scale) -> Iterator[Row]:
    """The codec beside the same work, less work, and a library's default."""
    # Parsed, not written: the keys of a parsed dict are no constants of this program.
    lines = [line for chat in chats(scale.chats // 2) for line in chat.lines()]
    items = [json.loads(line) for line in lines]
    read_the_same(items[:2_000])
    works = {
        "chatfsm": decode_item,
        "by hand": handwritten.construct,
        "by hand, unchecked": trusting.construct,
        "cattrs' structure": cattrs_default.structure,
    }
    times = interleave(
        {name: timed(_reading(read, items), len(items)) for name, read in works.items()},
        scale.rounds,
    )
    yield at_most(GROUP, "vs constructors by hand", times, ("chatfsm", "by hand"), 1.0)
    unchecked = "no type looked at, unknown fields lost"
    pair = ("chatfsm", "by hand, unchecked")
    row = at_most(GROUP, "vs the same without checks", times, pair, None)
    yield evolve(row, note=unchecked)
    pair = ("chatfsm", "cattrs' structure")
    yield at_least(GROUP, "vs cattrs' default, tagged union", times, pair, 2.5)


def read_the_same(items: list[dict[str, Any]]) -> None:
    """Raise where the code by hand reads an item otherwise than the codec."""
    for item in items:
        ours, theirs = decode_item(item), handwritten.construct(item)
        if type(ours).__name__ != type(theirs).__name__ or asdict(ours) != asdict(theirs):
            raise AssertionError(f"{item['event']} is read otherwise by hand")


def _reading(read: Callable[[Any], Any], items: list[dict[str, Any]]) -> Callable[[], None]:
    def read_all() -> None:
        for item in items:
            read(item)

    return read_all
