"""Seed faults into copies of the project, and report the test that finds each.

Usage: `python -m tests.seeded`. Each fault is applied alone, in a temporary folder. The tests that
must find it run under several seeds of Hypothesis, up to the first failure. Before that, the same
tests run without a fault and must pass. The exit code is 1 if a seed does not find a fault.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from tests.seeded.faults import FAULTS, Fault
from tests.seeded.tree import copy_tree

_LONGEST: Final = 1_800  # seconds for all seeds of a fault; a fault may make a loop endless
_HEAD: Final = ("fault", "covers", "found", "by", "examples")


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.seeded", description=__doc__)
    parser.add_argument(
        "--fault", action="append", metavar="NAME", help="only this one; repeatable"
    )
    parser.add_argument(
        "--seeds", type=int, default=8, metavar="N", help="seeds 1 to N; default: 8"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, metavar="N", help="faults at once; default: 1"
    )
    parser.add_argument("--list", action="store_true", help="list the faults, and run nothing")
    parser.add_argument(
        "--no-baseline", action="store_true", help="do not run without a fault first"
    )
    parser.add_argument("--json", action="store_true", help="print JSON lines in place of a table")
    options = parser.parse_args(arguments)
    known = {fault.name: fault for fault in FAULTS}
    for name in options.fault or ():
        if name not in known:
            parser.error(f"--fault must be one of those that --list shows, not {name!r}")
    for option in ("seeds", "jobs"):
        if getattr(options, option) < 1:
            parser.error(f"--{option} must be 1 or more, not {getattr(options, option)}")
    faults = [known[name] for name in options.fault or known]
    if options.list:
        for fault in faults:
            print(f"{fault.name:26}{fault.covers:16}{fault.about}")
        return 0
    seeds = list(range(1, options.seeds + 1))
    if not options.no_baseline and not is_green(faults, seeds):
        return 1
    rows = try_all(faults, seeds, options.jobs, is_json=options.json)
    if not options.json:
        print(table(rows))
    return 0 if all(row["found"] == f"{len(seeds)}/{len(seeds)}" for row in rows) else 1


def try_all(
    faults: list[Fault], seeds: list[int], jobs: int, *, is_json: bool
) -> list[dict[str, Any]]:
    """Try all faults, so many at once; print each result as soon as it is known."""
    with ThreadPoolExecutor(jobs) as pool:
        tried = [pool.submit(try_fault, fault, seeds) for fault in faults]
        for done in as_completed(tried):
            row = done.result()
            print(f"{row['fault']}: {row['found']} {row['why']}", file=sys.stderr, flush=True)
            if is_json:
                print(json.dumps(row), flush=True)
    return [done.result() for done in tried]


def is_green(faults: list[Fault], seeds: list[int]) -> bool:
    """Whether the tests of the faults pass without a fault, under each seed."""
    tests = list(dict.fromkeys(test for fault in faults for test in fault.tests))
    failed = [run for run in run_tests(None, tests, seeds) if run["test"] or run["error"]]
    for run in failed:
        print(
            f"without a fault, seed {run['seed']}: {run['test']}: {run['error']}", file=sys.stderr
        )
    return not failed


def try_fault(fault: Fault, seeds: list[int]) -> dict[str, Any]:
    """Run the tests of one fault, and return its row of the table."""
    runs = run_tests(fault, list(fault.tests), seeds)
    found = [run for run in runs if run["test"]]
    by = Counter(str(run["test"]) for run in found)
    return {
        "fault": fault.name,
        "covers": fault.covers,
        "found": f"{len(found)}/{len(seeds)}",
        "by": {short(test): count for test, count in by.most_common()},
        "examples": sorted(run["examples"] for run in found),
        "runs": runs,
        "why": next((run["error"] for run in runs if not run["test"]), ""),
    }


def short(test: str) -> str:
    """Return the name of a test without its folders."""
    path, _, name = test.partition("::")
    return f"{Path(path).stem}::{name}"


def run_tests(fault: Fault | None, tests: list[str], seeds: list[int]) -> list[dict[str, Any]]:
    """Run tests in a copy of the project, and return the result of each seed."""
    environment = {**os.environ, "CHATFSM_HYPOTHESIS": "seeded", "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPATH", None)
    with tempfile.TemporaryDirectory(prefix="chatfsm-seeded-") as folder:
        tree, results = Path(folder, "tree"), Path(folder, "results")
        tree.mkdir()
        copy_tree(tree, fault)
        numbers = ",".join(map(str, seeds))
        command = [sys.executable, "-m", "tests.seeded.runner", str(results), numbers, *tests]
        why = run_bounded(command, _LONGEST, cwd=tree, env=environment)
        lines = results.read_text("utf-8").splitlines() if results.exists() else []
        runs = [json.loads(line) for line in lines]
    missing = set(seeds) - {run["seed"] for run in runs}
    return runs + [{"seed": seed, "test": None, "examples": 0, "error": why} for seed in missing]


def run_bounded(command: list[str], seconds: float, **options: Any) -> str:
    """Run a command for so many seconds at most; return the end of its output.

    Its forked processes end with it: the runner forks one for each seed, and a fault may make the
    loop of one endless.
    """
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **options,
    ) as process:
        try:
            printed, errors = process.communicate(timeout=seconds)
        except BaseException as error:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            if not isinstance(error, subprocess.TimeoutExpired):
                raise  # Ctrl-C reaches no other group
            return f"no result after {seconds:g} s"
    return (errors or printed).strip()[-300:]


def table(rows: list[dict[str, Any]]) -> str:
    """Return the rows as a table of text."""
    cells = [_HEAD, *(tuple(cells_of(row)) for row in rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(_HEAD))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    )


def cells_of(row: dict[str, Any]) -> Iterator[str]:
    """Yield the cells of a row; the examples are the smallest, the median and the largest."""
    yield row["fault"]
    yield row["covers"]
    yield row["found"]
    yield ", ".join(f"{test} ({count})" for test, count in row["by"].items()) or "nothing"
    counts = row["examples"]
    yield f"{counts[0]} / {counts[len(counts) // 2]} / {counts[-1]}" if counts else "-"


if __name__ == "__main__":
    raise SystemExit(main())
