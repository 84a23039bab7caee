"""Arguments of `chatfsm watch`; like those of the other commands they load no library."""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm._cli import argument_types as types
from chatfsm._cli.arguments import Commands, add_colors, add_command

__all__ = ["add_watch"]

_WATCH: Final = """\
Show the chats of a store as a table, trouble first: how the link is, how long the server has been
silent, what waits to be sent and for the app.

STORE is what the drivers save chats in: a file, a folder of files (*.chat, *.json), or a database
of SqliteStore. It is only read, while the drivers go on. On a terminal the table is shown again
every two seconds until Ctrl-C; in a pipe it is printed once. A record that cannot be read has a row
of its own. The table has ids of chats, and no texts and names.
"""
_WATCH_EXIT: Final = """\
exit status: 0 shown, also after Ctrl-C; 1 a record that cannot be read; 2 no store, or one that
cannot be read.
"""


def add_watch(commands: Commands[argparse.ArgumentParser]) -> None:
    """Add `chatfsm watch`."""
    watch = add_command(commands, "watch", "show the chats of a store", _WATCH, _WATCH_EXIT)
    watch.add_argument("store", metavar="STORE", type=types.text, help="a file, folder or database")
    watch.add_argument("--once", action="store_true", help="print the table once")
    watch.add_argument(
        "--json", action="store_true", help="print one JSON document with all chats, once"
    )
    watch.add_argument(
        "--every",
        metavar="SECONDS",
        type=types.seconds,
        default=2.0,
        help="read the store again after this time (default: 2)",
    )
    watch.add_argument("--all", action="store_true", help="show chats that are over, too")
    watch.add_argument(
        "--keys",
        action="store_true",
        help="show the keys of chats, or names of files: often ids of customers",
    )
    add_colors(watch)
    watch.set_defaults(run=_run_watch)


def _run_watch(options: argparse.Namespace) -> int:
    from chatfsm._cli.watch import run  # noqa: PLC0415

    return run(options)
