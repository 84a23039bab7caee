"""Measuring several things in one run, interleaved: A B C, C A B, and so on, from a seed.

Machines are noisy, so what counts is the ratio of two medians of the same rounds. The garbage
collector is emptied before and off during each measurement, for all alike: generous to whatever
makes garbage in cycles, and the same for everybody.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Mapping
from random import Random
from statistics import median, quantiles
from time import thread_time

__all__ = ["Times", "Work", "interleave", "progress", "ratio", "scatter", "spread", "timed"]

Work = Callable[[], float]
"""Does something once; returns the seconds that it took a unit: an event, a line, a session."""

Times = dict[str, list[float]]
"""By the name of what was done: the seconds a unit of each round."""


def timed(work: Callable[[], object], units: int) -> Work:
    """What measures the processor time of `work`, which deals with so many units."""

    def run() -> float:
        gc.collect()
        gc.disable()
        try:
            start = thread_time()
            work()
            return (thread_time() - start) / units
        finally:
            gc.enable()

    return run


def interleave(works: Mapping[str, Work], rounds: int, *, warm_up: bool = True) -> Times:
    """The times of so many rounds, after one that warms everything up and does not count.

    Each round has another order, so that nobody always comes after the same one: who comes after a
    long pause, or after another process, finds nothing in the processor's caches.
    """
    times: Times = {name: [] for name in works}
    for number in range(0 if warm_up else 1, rounds + 1):
        for name in Random(number).sample(list(works), len(works)):
            progress(f"round {number} of {rounds}: {name}")
            took = works[name]()
            if number:
                times[name].append(took)
    progress("")
    return times


def ratio(times: Times, one: str, other: str) -> float:
    """How many times the other's time the one takes."""
    return median(times[one]) / median(times[other])


def spread(times: Times, one: str, other: str) -> float:
    """How far the middle half of the rounds is apart, as a part of the ratio."""
    return scatter([a / b for a, b in zip(times[one], times[other], strict=True)])


def scatter(values: list[float]) -> float:
    """How far the middle half of the values is apart, as a part of the median."""
    low, middle, high = quantiles(values, n=4)
    return (high - low) / middle


def progress(text: str) -> None:
    """Say on standard error what is being done, in one line that is written over."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text.startswith("round 0"):
        print(text, file=sys.stderr, flush=True)
