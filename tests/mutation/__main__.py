"""Mutation testing of chatfsm: make one small change at a time, and report those no test notices.

The changed copies run in a temporary folder, never in this checkout, with HOME and TMPDIR there,
and with bounds of time and memory. An interrupted run continues from its results. Mutants that were
judged to be equivalent to the code are in equivalents.json, with the reason.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from tests.mutation.mutants import mutants_of, sampled
from tests.mutation.report import Report, equivalents
from tests.mutation.runner import Result, Workplace

PACKAGES = ("_protocol", "_session", "_client")
ROOT = Path(__file__).parent.parent.parent


def main() -> int:
    """Run a sample, and print the report; return 0 if the score is high enough, else 1."""
    options = _options()
    options.work.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    share = -(-options.mutants // len(options.packages))
    possible = {package: mutants_of(ROOT, [package]) for package in PACKAGES}
    mutants = [
        mutant
        for package in options.packages
        for mutant in sampled(possible[package], share, options.seed)
    ]
    if options.only:
        mutants = [mutant for mutant in mutants if options.only in mutant.key]
    judged = equivalents()
    work = Workplace(ROOT, options.work, options.jobs, options.profile, _progress)
    work.prepare()
    coverage = work.coverage(sorted(options.packages))
    tried = [mutant for mutant in mutants if options.judged or mutant.key not in judged]
    results = {result.key: result for result in work.run(tried, coverage)}
    _progress("")
    report = Report(
        options.seed,
        {m.key: (m, results.get(m.key) or Result(m.key, "survived")) for m in mutants},
        judged,
        sorted(judged.keys() - {m.key for found in possible.values() for m in found}),
        round(time.monotonic() - started),
    )
    if options.save:
        options.save.write_text(report.to_json() + "\n", "utf-8")
    print(report.to_json() if options.json else report.to_text())
    return 0 if report.score >= options.least else 1


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
    elif text:
        print(text, file=sys.stderr, flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="another seed, another sample")
    parser.add_argument(
        "--mutants", type=_positive, default=600, metavar="N", help="in all; the default is 600"
    )
    parser.add_argument(
        *("--packages",), nargs="+", choices=PACKAGES, default=[*PACKAGES], metavar="NAME",
        help=f"of {', '.join(PACKAGES)}; an equal part of the mutants is of each",
    )  # fmt: skip
    parser.add_argument("--jobs", type=_positive, default=2, metavar="N", help="at once; 2")
    parser.add_argument(
        "--work", type=Path, metavar="DIR", default=Path(tempfile.gettempdir(), "chatfsm-mutation"),
        help="where the copies and the results are; the default is %(default)s",
    )  # fmt: skip
    parser.add_argument(
        "--profile", choices=("few", "usual"), default="few",
        help="how many examples Hypothesis tries: 20, or 100",
    )  # fmt: skip
    parser.add_argument("--only", metavar="TEXT", help="of the sample, those with this text")
    parser.add_argument(
        "--judged", action="store_true", help="also try those that were judged to be equivalent"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument("--save", type=Path, metavar="FILE", help="also write the JSON there")
    parser.add_argument(
        "--least", type=float, default=96.0, metavar="PERCENT",
        help="exit with 1 if fewer are killed, without the equivalent ones; 96",
    )  # fmt: skip
    return parser.parse_args()


def _positive(word: str) -> int:
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number, 1 or more")
    return int(word)


if __name__ == "__main__":
    sys.exit(main())
