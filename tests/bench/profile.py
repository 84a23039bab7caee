"""The time of a replay by stage, event and function: `python -m tests.bench.profile`.

Three tables: by stage, by kind of event compared with the plain reducer, and by function. The times
of the first two are those of an unprofiled program. A profiler (cProfile) makes the third and adds
a cost to every call, so its shares and counts are more reliable than its times.
"""

from __future__ import annotations

import argparse
import gc
import json
import pstats
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from cProfile import Profile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import Any, Final

from attrs import field, frozen

import chatfsm
from chatfsm import ChatSession, decode, decode_lines
from chatfsm._protocol import codec, json_input
from chatfsm._protocol import lines as typed_lines
from chatfsm._protocol.codec import fast_decode_all, typed_parser
from chatfsm._protocol.lines import parse_typed
from tests.bench.machine import calibrate, this_machine
from tests.bench.measure import interleave, timed
from tests.bench.plain_reducer import PlainReducer
from tests.bench.report import head
from tests.bench.usage import DecodedChat, decode_chat, feed_all, feed_events
from tests.bench.workloads import EVENTS_A_CHAT, Chat, chats

__all__ = ["by_function", "by_kind", "by_stage", "main"]

PACKAGE: Final = Path(chatfsm.__file__).parent
# Functions with less than a hundredth of the time are many, and are left out.
LEAST_SHARE: Final = 0.01

EVENTS: Final = "events → effects"
ALL: Final = "all: bytes → effects"


def main() -> None:
    """Measure a log of the given size, and print the three tables."""
    options = _options()
    log = chats(options.chats)
    print(head(this_machine(), calibrate()))
    for found in (
        by_stage(log, options.rounds),
        by_kind(log, options.rounds),
        by_function(log),
    ):
        print()
        for line in found:
            print(line, flush=True)


def by_stage(log: Sequence[Chat], rounds: int) -> Iterator[str]:
    """Yield the times of each stage alone, with the extra `fast` and the standard library."""
    parse = typed_parser()
    lines = [chat.lines() for chat in log]
    if parse is not None:
        typed = [struct for part in lines for struct in parse_typed(part, parse)]
        stages: dict[str, Callable[[], object]] = {
            "bytes → Structs": lambda: [parse_typed(part, parse) for part in lines],
            "Structs → events": lambda: [struct.event() for struct in typed],
        }
        yield from _stages("extra fast", log, rounds, stages)
    items = [_parsed(chat) for chat in log]
    yield from _stages(
        "standard library",
        log,
        rounds,
        {
            "bytes → values": lambda: [json_input.parse_lines(part) for part in lines],
            "values → events": lambda: [fast_decode_all(values) for values in items],
        },
    )


def _stages(
    name: str, log: Sequence[Chat], rounds: int, stages: dict[str, Callable[[], object]]
) -> Iterator[str]:
    """Yield the rows of the stages, of the session after them, and of all three."""
    texts = [(chat.chat_id, b"\n".join(chat.lines())) for chat in log]
    events = [decode_chat(chat) for chat in log]
    works = stages | {
        EVENTS: lambda: feed_all(events),
        ALL: lambda: [feed_events(chat_id, decode_lines(text)) for chat_id, text in texts],
    }
    units = len(log) * EVENTS_A_CHAT
    with _only(name):
        times = interleave({key: timed(work, units) for key, work in works.items()}, rounds)
    took = {key: median(found) * 1e6 for key, found in times.items()}
    yield f"by stage, {name}, {units:,} events".ljust(50) + f"{'µs an event':>12}  {'share':>6}"
    for key, microseconds in took.items():
        yield f"  {key:47} {microseconds:12.2f}  {microseconds / took[ALL]:6.0%}"


@contextmanager
def _only(name: str) -> Iterator[None]:
    """Disable the extra `fast` for the block, unless it has this name."""
    if name == "extra fast":
        yield
        return
    kept = json_input._loads, codec.typed_parser, typed_lines.typed_parser
    json_input._loads = None
    codec.typed_parser = typed_lines.typed_parser = lambda **_: None
    try:
        yield
    finally:
        json_input._loads, codec.typed_parser, typed_lines.typed_parser = kept


@frozen
class _Kind:
    """The events of one class: their number, and their seconds in session and reducer."""

    name: str
    count: int
    ours: float
    reducer: float


def by_kind(log: Sequence[Chat], rounds: int) -> Iterator[str]:
    """Yield the times of each kind of event in session and reducer, without their creation."""
    kinds = sorted(_kinds([decode_chat(chat) for chat in log], rounds), key=lambda kind: -kind.ours)
    events, seconds = sum(kind.count for kind in kinds), sum(kind.ours for kind in kinds)
    yield (
        f"{'by kind of event, the least of the rounds':42} {'µs':>8}  {'reducer':>8}  {'times':>6}"
        f"  {'of the log':>10}  {'of the time':>11}"
    )
    for kind in [*kinds, _Kind("all", events, seconds, sum(kind.reducer for kind in kinds))]:
        ours, reducer = (took / kind.count * 1e6 for took in (kind.ours, kind.reducer))
        yield (
            f"  {kind.name:40} {ours:8.2f}  {reducer:8.2f}  {ours / reducer:6.2f}"
            f"  {kind.count / events:10.1%}  {kind.ours / seconds:11.1%}"
        )


def by_function(log: Sequence[Chat]) -> Iterator[str]:
    """Yield the functions from parsed values to effects, by the time in each function alone."""
    items = [(chat.chat_id, _parsed(chat)) for chat in log]
    for chat_id, values in items[:20]:
        feed_events(chat_id, decode(values))  # create the lazy objects
    profile = Profile(process_time)  # without the time of other processes
    profile.enable()
    for chat_id, values in items:
        feed_events(chat_id, decode(values))
    profile.disable()
    events = len(log) * EVENTS_A_CHAT
    rows = [_Called(*key, calls=row[0], own=row[2]) for key, row in _entries(profile)]
    seconds = sum(row.own for row in rows)
    yield (
        f"{'by function, decoding and session, profiled':60} {'µs an event':>11}  {'share':>6}"
        f"  {'calls an event':>14}"
    )
    for row in sorted(rows, key=lambda row: (-row.own, row.name)):
        if row.own / seconds >= LEAST_SHARE:
            yield (
                f"  {row.name[:58]:58} {row.own / events * 1e6:11.3f}  {row.own / seconds:6.1%}"
                f"  {row.calls / events:14.2f}"
            )


@frozen
class _Called:
    """A function in the profile."""

    path: str
    line: int
    word: str
    calls: int = field(kw_only=True)
    own: float = field(kw_only=True)
    """Seconds in the function itself, without the functions that it calls."""

    @property
    def name(self) -> str:
        """The module and name; functions compiled at import or written in C have no module."""
        if self.path == "~":
            return f"C: {self.word.strip('<>')}"
        if self.path == "<string>":
            return f"compiled: {self.word}"
        path = Path(self.path)
        if path.is_relative_to(PACKAGE):
            return f"{'.'.join(path.relative_to(PACKAGE).with_suffix('').parts)}.{self.word}"
        return f"{path.stem}.{self.word}"


def _entries(profile: Profile) -> Iterator[tuple[tuple[str, int, str], tuple[Any, ...]]]:
    stats: Any = pstats.Stats(profile)
    yield from stats.stats.items()


def _parsed(chat: Chat) -> list[Any]:
    """Return the parsed lines of a chat; the keys of literals would be interned constants."""
    return [json.loads(line) for line in chat.lines()]


def _kinds(log: Sequence[DecodedChat], rounds: int) -> Iterator[_Kind]:
    count = sum(len(chat.timed) for chat in log)
    ours, reducer = [float("inf")] * count, [float("inf")] * count
    for _ in range(rounds):
        ours = list(map(min, ours, _one_by_one(log, ChatSession)))
        reducer = list(map(min, reducer, _one_by_one(log, PlainReducer)))
    clock = _clock_overhead()
    found: dict[str, list[float]] = {}
    names = (type(event).__name__ for chat in log for event, _ in chat.timed)
    for name, one, other in zip(names, ours, reducer, strict=True):
        total = found.setdefault(name, [0, 0.0, 0.0])
        total[0] += 1
        total[1] += one - clock
        total[2] += other - clock
    for name, (number, one, other) in found.items():
        yield _Kind(name, int(number), one, other)


def _one_by_one(log: Sequence[DecodedChat], make: Callable[[str], Any]) -> list[float]:
    """Return the seconds of each event, the clock's overhead included.

    A session takes the time by name and the reducer by position, as in their usual calls.
    """
    took = []
    gc.collect()
    gc.disable()
    try:
        for chat in log:
            receive = make(chat.chat_id).receive
            if make is ChatSession:
                for event, now in chat.timed:
                    start = perf_counter()
                    receive(event, now=now)
                    took.append(perf_counter() - start)
            else:
                for event, now in chat.timed:
                    start = perf_counter()
                    receive(event, now)
                    took.append(perf_counter() - start)
    finally:
        gc.enable()
    return took


def _clock_overhead() -> float:
    """Return the seconds of two readings of the clock."""
    return min(-perf_counter() + perf_counter() for _ in range(1_000))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.profile",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--chats", type=_some, default=400, metavar="N", help="fifty events each")
    parser.add_argument(
        "--rounds", type=_some, default=7, metavar="N", help="rounds of the timings"
    )
    return parser.parse_args()


def _some(word: str) -> int:
    if not word.isdecimal() or int(word) < 2:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number, 2 or more")
    return int(word)


if __name__ == "__main__":
    sys.exit(main())
