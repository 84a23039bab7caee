"""Arguments of `chatfsm report`; like those of the other commands they load no library."""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm._cli import argument_types as types
from chatfsm._cli.arguments import Commands, add_command
from chatfsm._cli.log_arguments import (
    add_files,
    add_log_options,
    add_reading_options,
    add_threshold,
)

__all__ = ["add_report"]

_REPORT: Final = """\
Write recorded chats as one HTML page: totals, charts, a table of all chats, and for each chat a
timeline, its steps with events and effects, a sequence diagram and its way through the lifecycle.

FILE is read as chatfsm replay reads it: a log, a journal, a directory of them, or a pattern; - is
standard input. The page needs no network and no other file. It holds all texts of the chats: with
--scrub they are replaced as chatfsm scrub replaces them, and the page may be passed on.
"""
_REPORT_EXIT: Final = """\
exit status: 0 the page is written; 2 input that cannot be read, or a page that cannot be written;
130 interrupted, after the page of what was read.
"""


def add_report(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `chatfsm report`."""
    summary = "write recorded chats as one HTML page"
    report = add_command(commands, "report", summary, _REPORT, _REPORT_EXIT)
    add_files(report)
    report.add_argument(
        *("-o", "--output"),
        metavar="OUT",
        type=types.text,
        required=True,
        help="write the page to this file; - is standard output",
    )
    report.add_argument("--force", action="store_true", help="overwrite OUT if it exists")
    report.add_argument(
        "--title",
        metavar="TEXT",
        type=types.text,
        default="Chat report",
        help='the title of the page (default: "Chat report")',
    )
    report.add_argument(
        "--scrub",
        action="store_true",
        help="leave out personal data, with the key in CHATFSM_SCRUB_KEY or a random one",
    )
    add_threshold(report)
    report.add_argument(
        "--max-chats",
        metavar="N",
        type=types.row_count,
        default=5000,
        help="keep the traces of the first N chats; 0 keeps all. All chats are in the totals, and "
        "up to 100,000 in the table (default: 5000)",
    )
    report.add_argument(
        "--max-steps",
        metavar="N",
        type=types.row_count,
        default=20000,
        help="keep N steps of a chat, the first half and the last; 0 keeps all (default: 20000)",
    )
    add_log_options(report)
    add_reading_options(report)
    unused = {"strict": False, "verify": False, "chat": None}
    used = {"explain": True, "prefers_received": True, "locates_all": True}
    report.set_defaults(run=_run_report, **unused, **used)


def _run_report(options: argparse.Namespace) -> int:
    from chatfsm._cli.report import run  # noqa: PLC0415

    return run(options)
