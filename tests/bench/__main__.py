"""Benchmarks of chatfsm and its peers in one run: `python -m tests.bench`.

Measurements that are compared are interleaved, and a result is the ratio of two medians, because
machines are noisy; `spread` is the distance between the quartiles of the rounds' ratios. Peers do
the same work on the same decoded events; before the first round a check compares their effects. A
peer that is not installed is reported as "not there". `notes.md` beside this file describes the
installation of the peers and the columns of the table.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from attrs import asdict, evolve

from tests.bench.groups import GROUPS, measure_group
from tests.bench.machine import calibrate, this_machine
from tests.bench.measure import progress
from tests.bench.report import document, head, table
from tests.bench.scale import FULL, QUICK


def main() -> None:
    """Measure the groups that the options name, and print the table or the JSON document."""
    options = _options()
    if options.list:
        print("\n".join(GROUPS))
        return
    scale = QUICK if options.quick else FULL
    if options.rounds:
        scale = evolve(scale, rounds=options.rounds, command_rounds=options.rounds)
    machine = this_machine()
    calibration = calibrate()
    rows = []
    for name in options.only or GROUPS:
        print(f"{name} …", file=sys.stderr, flush=True)
        rows += measure_group(name, scale)
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
