"""Interleaved measurement of several works in one run: A B C, C A B, and so on, from a seed.

Machines are noisy, so a result is the ratio of two medians of the same rounds. The garbage
collector runs before each measurement and is disabled during it, for all works alike, which favors
the works that make garbage in cycles.
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
"""Do the work once; return its seconds per unit: an event, a line, a session."""

Times = dict[str, list[float]]
"""The seconds per unit in each round, by the name of the work."""


def timed(work: Callable[[], object], units: int) -> Work:
    """Return a Work that measures the processor time of `work`, which has so many units."""

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
    """Return the times of so many rounds, after a warm-up round that does not count.

    Each round has another order, so that no work always runs after the same one: the first work
    after a pause or after another process finds empty processor caches.
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
    """Return the ratio of the median times of two works."""
    return median(times[one]) / median(times[other])


def spread(times: Times, one: str, other: str) -> float:
    """Return the scatter of the rounds' ratios of two works."""
    return scatter([a / b for a, b in zip(times[one], times[other], strict=True)])


def scatter(values: list[float]) -> float:
    """Return the distance between the quartiles, as a share of the median."""
    low, middle, high = quantiles(values, n=4)
    return (high - low) / middle


def progress(text: str) -> None:
    """Show the current work on standard error, in one line that is overwritten."""
    if sys.stderr.isatty():
        print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
    elif text.startswith("round 0"):
        print(text, file=sys.stderr, flush=True)
