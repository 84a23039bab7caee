"""The words of `chatfsm chat`."""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm.arguments import kinds

__all__ = ["add"]

_ABOUT: Final = """\
Chat with a contact center, on a terminal, or line by line through a pipe.

Whoever asks is named by two ids. CHATFSM_APP_ID in the environment, or --app-id, names the entry
of the scenario. CHATFSM_CLIENT_ID names the customer; without it there is a fresh id, which
--state keeps. Lines are said as they are; /help shows the orders that begin with a slash.
"""

_STATUS: Final = """\
exit status: 0 the chat was left, or has ended; 1 it ended otherwise: failed, timed out, or gone;
2 it could not be had at all; 130 interrupted, after what was said has been sent.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    chat = commands.add_parser(
        "chat",
        help="chat with a contact center",
        description=_ABOUT,
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    chat.add_argument(
        "--url", required=True, type=kinds.text, help="https:// and the host of the API"
    )
    chat.add_argument(
        "--tenant-url",
        metavar="DOMAIN",
        type=kinds.text,
        help="the tenant (default: the host of --url)",
    )
    chat.add_argument(
        "--app-id",
        metavar="ID",
        type=kinds.text,
        help="the scenario entry (default: CHATFSM_APP_ID)",
    )
    chat.add_argument(
        *("--version", "--api-version"),
        dest="api",
        type=int,
        choices=(1, 2),
        default=2,
        help="of the API (default: 2)",
    )
    chat.add_argument(
        "--form",
        metavar="NAME=FIELD,FIELD",
        action="append",
        type=kinds.form,
        help="the fields of a form, which is then asked field by field; may be given several "
        "times. Other forms are answered in lines name=value, with an empty line at the end",
    )
    chat.add_argument(
        "--state", metavar="FILE", type=kinds.text, help="keep the chat here, and go on from here"
    )
    chat.add_argument(
        "--record", metavar="FILE", type=kinds.text, help="add a journal of the chat to this file"
    )
    chat.add_argument("--plain", action="store_true", help="no colours, and no editing, ever")
    chat.add_argument(
        "--insecure-http",
        action="store_true",
        help="allow http://, where anybody on the way can read all: for tests on this machine",
    )
    chat.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from chatfsm.chatting.command import run  # noqa: PLC0415  # --help needs none of it

    return run(options)
