"""Arguments of `chatfsm diff`: its options and its help."""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm._cli.arguments import Commands, add_command
from chatfsm._cli.log_arguments import add_jobs, add_threshold

__all__ = ["add_diff"]

_DIFF: Final = """\
Compare two replays: print the first effect of each chat that differs, and the totals.

A and B are logs, directories or patterns, as `chatfsm replay` reads them; or outputs of `chatfsm
replay --json`, for instance of two versions of chatfsm. Chats are matched by their ids; if each
side has one, they are matched in any case. To compare two settings, give one log twice:

  chatfsm diff LOG LOG --set-b typing_timeout=60

With --metrics, two periods are compared: the totals of `chatfsm metrics`, and their change.
"""
_DIFF_EXIT: Final = """\
exit status: 0 no difference, or --metrics; 1 a difference; 2 a file cannot be read; 130
interrupted.
"""


def add_diff(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `chatfsm diff`."""
    diff = add_command(commands, "diff", "compare two replays", _DIFF, _DIFF_EXIT)
    diff.add_argument("a", metavar="A", help="the first side")
    diff.add_argument("b", metavar="B", help="the other side")
    for side in ("a", "b"):
        diff.add_argument(
            f"--set-{side}",
            metavar="NAME=VALUE",
            action="append",
            default=[],
            help=f"a setting of the session for {side.upper()}; may be repeated",
        )
    diff.add_argument(
        "--metrics", action="store_true", help="compare the totals of the metrics instead"
    )
    add_threshold(diff, "with --metrics: ")
    diff.add_argument("--json", action="store_true", help="print one JSON document")
    add_jobs(diff)
    # What parallel replay takes from the command line, and has no option here.
    absent = dict.fromkeys(("chat", "close_after", "received_at", "unnamed_chat", "unwrap"))
    unused = {"strict": False, "verify": False, "prefers_received": False}
    diff.set_defaults(run=_run_diff, **unused, **absent)


def _run_diff(options: argparse.Namespace) -> int:
    from chatfsm._cli.diff import run  # noqa: PLC0415

    return run(options)
