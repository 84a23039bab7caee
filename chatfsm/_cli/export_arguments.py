"""Arguments of `chatfsm export`; like those of the other commands they load no library."""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm._cli import argument_types as types
from chatfsm._cli.arguments import Commands, add_command
from chatfsm._cli.log_arguments import add_files, add_log_options, add_reading_options

__all__ = ["add_export"]

_EXPORT: Final = """\
Write recorded chats for other tools: their events and effects as a table (csv, or parquet, which
needs the extra parquet), or their effects for process mining (xes, the XML of IEEE 1849, or ocel,
the JSON of OCEL 2.0). `chatfsm schema export` prints the columns.

FILE is read as `chatfsm replay` reads it. Times are those of receipt, where the log has them. In
csv a text that a spreadsheet would take for a formula begins with an apostrophe. With xes the
chats that are not finished are in memory.
"""
_EXPORT_EXIT: Final = """\
exit status: 0 all files were read; 2 a file cannot be read, or OUT not be written; 130 interrupted,
after OUT was written with what was read.
"""


def add_export(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `chatfsm export`."""
    export = add_command(commands, "export", "write chats for other tools", _EXPORT, _EXPORT_EXIT)
    add_files(export)
    export.add_argument(
        "--to",
        required=True,
        choices=("csv", "parquet", "xes", "ocel"),
        help="the format of OUT",
    )
    export.add_argument(
        *("-o", "--output"), required=True, metavar="OUT", type=types.text, help="the file to write"
    )
    export.add_argument("--force", action="store_true", help="overwrite OUT if it exists")
    export.add_argument(
        "--scrub",
        action="store_true",
        help="write pseudonyms for ids and names and no texts, as `chatfsm scrub` does, with "
        "CHATFSM_SCRUB_KEY as its key",
    )
    export.add_argument(
        "--chat", metavar="ID", action="append", type=types.text, help="this chat only; repeatable"
    )
    add_log_options(export)
    add_reading_options(export)
    unused = {"strict": False, "verify": False, "explain": False}
    export.set_defaults(run=_run_export, prefers_received=True, **unused)


def _run_export(options: argparse.Namespace) -> int:
    from chatfsm._cli.export import run  # noqa: PLC0415

    return run(options)
