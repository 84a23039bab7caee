"""The words of `chatfsm replay`."""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm.arguments import kinds
from chatfsm.recording.findings import FINDINGS

__all__ = ["add"]

_ABOUT: Final = """\
Replay recorded chats and tell what follows from each event.

FILE is a log: raw events as JSON lines, an envelope {"events": [...]}, or a case history
{"sessions": [...]}, or a journal; plain or gzip; - is standard input. The format is told by the
content. An event belongs to the chat that its "chat_id" names, else to --chat-id, else to the
chat called like the file. Time is that of the events: nothing waits.
"""

_STATUS: Final = """\
exit status: 0 clean; 1 a finding of --fail-on, a violation with --strict, a difference with
--verify; 2 input that cannot be read; 130 interrupted, after the summary of what was read.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    replay = commands.add_parser(
        "replay",
        help="replay recorded chats",
        description=_ABOUT,
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    replay.add_argument("files", nargs="+", metavar="FILE", help="a log, or - for standard input")
    output = replay.add_mutually_exclusive_group()
    output.add_argument(
        "--json", action="store_true", help="one JSON line an effect, in place of the timeline"
    )
    output.add_argument(
        "--summary", action="store_true", help="one JSON document about all chats, and totals"
    )
    output.add_argument(
        "--quiet", action="store_true", help="print nothing: only the exit status and errors"
    )
    replay.add_argument(
        "--chat-id", metavar="ID", type=kinds.text, help="the chat of events that name none"
    )
    replay.add_argument(
        "--close-after",
        metavar="SECONDS",
        type=kinds.seconds,
        help="report a chat, and let it go, after so much silence in the log (default: never)",
    )
    replay.add_argument(
        "--rows",
        metavar="N",
        type=kinds.rows,
        default=1000,
        help="rows of a timeline, the first and last half; 0: all (default: 1000)",
    )
    replay.add_argument(
        "--strict", action="store_true", help="stop at the first violation of the protocol"
    )
    replay.add_argument(
        "--verify",
        action="store_true",
        help="compare journals with what they say, and stop at the first difference",
    )
    replay.add_argument(
        "--fail-on",
        metavar="KIND",
        action="append",
        type=kinds.finding,
        help=f"exit with 1 where such a finding is met: {', '.join(FINDINGS)}, or any; "
        "may be given several times. late: only what came after the terminal batch",
    )
    replay.add_argument(
        "--jobs",
        metavar="N",
        type=kinds.jobs,
        default=1,
        help=f"hear the chats in so many processes, 1 to {kinds.MOST_JOBS}; what is printed is the "
        "same. Standard input, other pipes, and --close-after take one (default: 1)",
    )
    replay.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours: on a terminal, always (needs the extra cli), or never",
    )
    replay.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.jobs > 1:
        from chatfsm.scale.processes import run  # noqa: PLC0415  # --help needs none of it
    else:
        from chatfsm.recording.command import run  # noqa: PLC0415  # --help needs none of it

    return run(options)
