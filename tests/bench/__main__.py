"""Measures chatfsm, beside its peers, in one run: `python -m tests.bench`.

What is measured together is interleaved, and what counts is the ratio of two medians, since
machines are noisy; `spread` is how far the middle half of the rounds' ratios is apart. Peers do the
same work on the same decoded events, and a check before the first round proves that they tell the
same. What is not installed is "not there". How to set up the peers, and how to read the table, is
in `notes.md` beside this file.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from attrs import asdict, evolve

from tests.bench.groups import GROUPS, measured
from tests.bench.machine import calibrated, this_machine
from tests.bench.measure import progress
from tests.bench.report import document, head, table
from tests.bench.scale import FULL, QUICK


def main() -> None:
    """Measure what was asked for, and print it."""
    options = _options()
    if options.list:
        print("\n".join(GROUPS))
        return
    scale = QUICK if options.quick else FULL
    if options.rounds:
        scale = evolve(scale, rounds=options.rounds, command_rounds=options.rounds)
    machine = this_machine()
    calibration = calibrated()
    rows = []
    for name in options.only or GROUPS:
        print(f"{name} …", file=sys.stderr, flush=True)
        rows += measured(name, scale)
        progress("")
    about = {"on": asdict(machine), "calibration_us": calibration, "scale": asdict(scale)}
    found = document(rows, about)
    if options.save:
        options.save.write_text(found + "\n", "utf-8")
    print(found if options.json else f"{head(machine, calibration)}\n\n{table(rows)}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--json", action="store_true", help="one JSON document, and no table")
    parser.add_argument("--save", type=Path, metavar="FILE", help="also write the JSON there")
    parser.add_argument("--quick", action="store_true", help="less of everything, in a minute")
    parser.add_argument("--rounds", type=_rounds, metavar="N", help="rounds of everything")
    parser.add_argument("--only", nargs="+", choices=GROUPS, metavar="NAME", help="these groups")
    parser.add_argument("--list", action="store_true", help="the names of the groups")
    return parser.parse_args()


def _rounds(word: str) -> int:
    if not word.isdecimal() or int(word) < 2:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number, 2 or more")
    return int(word)


if __name__ == "__main__":
    main()
