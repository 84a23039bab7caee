"""Arguments of `chatfsm coverage`; like those of the other commands they load no library."""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm._cli import argument_types as types
from chatfsm._cli.arguments import Commands, add_command
from chatfsm._cli.log_arguments import add_files, add_log_options, add_reading_options
from chatfsm.replay import COVERAGE_PARTS

__all__ = ["add_coverage"]

_COVERAGE: Final = """\
Replay recorded chats, and show which states, transitions, events and effects they exercise: what a
set of test logs leaves untested.

FILE is read as chatfsm replay reads it: a log, a journal, a directory of them, or a pattern; - is
standard input.
Counted are the state machines lifecycle, form, call and delivery, all events and all effects. What
the app did is in journals only: a log of the server's events has no delivery.
"""
_COVERAGE_EXIT: Final = """\
exit status: 0 done; 1 less than --fail-under; 2 input that cannot be read, or output that cannot be
written; 130 interrupted, after the coverage of what was read.
"""


def add_coverage(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `chatfsm coverage`."""
    summary = "show what recorded chats exercise"
    coverage = add_command(commands, "coverage", summary, _COVERAGE, _COVERAGE_EXIT)
    add_files(coverage)
    output = coverage.add_mutually_exclusive_group()
    output.add_argument(
        "--json", action="store_true", help="print one JSON document; what is missing has count 0"
    )
    output.add_argument(
        "--mermaid",
        action="store_true",
        help="print a Mermaid flowchart of the state machines: solid blue lines are exercised, "
        "dotted orange lines are missing",
    )
    coverage.add_argument(
        *("-o", "--output"),
        metavar="OUT",
        type=types.text,
        default="-",
        help="write to this file, which is overwritten (default: standard output)",
    )
    coverage.add_argument(
        "--only",
        metavar="PART",
        action="append",
        type=types.coverage_parts,
        help=f"count only this part: {', '.join(COVERAGE_PARTS)}; may be repeated",
    )
    coverage.add_argument(
        "--fail-under",
        metavar="PERCENT",
        type=types.percent,
        help="exit with 1 if less than so much is exercised, from 0 to 100",
    )
    add_log_options(coverage)
    add_reading_options(coverage)
    unused = {"strict": False, "verify": False, "chat": None}
    coverage.set_defaults(run=_run_coverage, explain=True, prefers_received=False, **unused)


def _run_coverage(options: argparse.Namespace) -> int:
    from chatfsm._cli.coverage import run  # noqa: PLC0415

    return run(options)
