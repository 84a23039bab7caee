"""Thousands of chats in virtual time under all faults: `python -m tests.soak --help`."""

from __future__ import annotations

import argparse
import shlex
import sys
import time

from chatfsm.simulator.faults import Faults
from tests.soak.groups import Group, Outcome
from tests.soak.totals import Totals

# Chats that share a world, its agents and its network.
TOGETHER = 20
# One group of so many has faults that end sessions.
LASTING_EVERY = 8
# One group of so many has faults that no client can handle.
OPAQUE_EVERY = 8


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=3.0, help="with faults, for each chat")
    parser.add_argument("--chats", type=int, default=10_000)
    parser.add_argument("--faults", default="storm", help="faults: a spec, or a preset")
    parser.add_argument("--group", type=int, help="run this group alone")
    options = parser.parse_args(arguments)
    try:
        Faults.parse(options.faults)
    except ValueError as error:
        parser.error(str(error))
    began, used = time.perf_counter(), time.process_time()
    totals = Totals(options.seed, words_of(options))
    groups = range(-(-options.chats // TOGETHER))
    for number in groups if options.group is None else [options.group]:
        chats = min(TOGETHER, options.chats - number * TOGETHER)
        totals.add(play(options.seed, number, chats, options.faults, options.minutes))
        if sys.stderr.isatty() or number % 50 == 49:
            print(f"\r{totals.line()}", end="\n" if number % 50 == 49 else "", file=sys.stderr)
    print(totals.report(time.perf_counter() - began, time.process_time() - used))
    return 1 if totals.violations else 0


def words_of(options: argparse.Namespace) -> str:
    """Return the options that repeat a run, independent of the defaults."""
    return shlex.join(
        [
            *("--seed", str(options.seed), "--minutes", f"{options.minutes:g}"),
            *("--chats", str(options.chats), "--faults", options.faults),
        ]
    )


def play(seed: int, number: int, chats: int, faults: str, minutes: float) -> Outcome:
    """Run one group, from the first chat to the last end."""
    lasting = number % LASTING_EVERY == LASTING_EVERY - 1
    opaque = number % OPAQUE_EVERY == OPAQUE_EVERY // 2
    group = Group(seed, number, chats, faults, lasting=lasting, opaque=opaque)
    return group.run(minutes * 60.0)


if __name__ == "__main__":
    raise SystemExit(main())
