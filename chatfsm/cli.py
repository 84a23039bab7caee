"""The command `chatfsm`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from math import isfinite
from typing import Final

from chatfsm.errors import ChatError
from chatfsm.recording.report import FINDINGS

__all__ = ["main"]

_REPLAY: Final = """\
Replay recorded chats and tell what follows from each event.

FILE is a log: raw events as JSON lines, an envelope {"events": [...]}, or a case history
{"sessions": [...]}, or a journal; plain or gzip; - is standard input. The format is told by the
content. An event belongs to the chat that its "chat_id" names, else to --chat-id, else to the
chat called like the file. Time is that of the events: nothing waits.
"""

_SCRUB: Final = """\
Write a log anew without what tells of people: ids and names become pseudonyms, texts become their
length, what forms were answered with, session descriptions and unknown fields are gone. States,
effects and times stay as they were, and so does who is who.

The same pseudonyms in several logs need the same key: set CHATFSM_SCRUB_KEY to a secret of yours.
Without it a key is made for this one run, and thrown away.
"""

_CHAT: Final = """\
Chat with a contact center, on a terminal, or line by line through a pipe.

Whoever asks is named by two ids. CHATFSM_APP_ID in the environment, or --app-id, names the entry
of the scenario. CHATFSM_CLIENT_ID names the customer; without it there is a fresh id, which
--state keeps. Lines are said as they are; /help shows the orders that begin with a slash.
"""

_CHAT_STATUS: Final = """\
exit status: 0 the chat was left, or has ended; 1 it ended otherwise: failed, timed out, or gone;
2 it could not be had at all; 130 interrupted, after what was said has been sent.
"""

_STATUS: Final = """\
exit status: 0 clean; 1 a finding of --fail-on, a violation with --strict, a difference with
--verify; 2 input that cannot be read; 130 interrupted, after the summary of what was read.
"""

# More processes than any machine has use for; each takes 30 MB.
_MOST_JOBS: Final = 64


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    if sys.stdout is None:
        print("chatfsm: there is no standard output", file=sys.stderr)
        return 2
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
        sys.stdout.flush()
    except ChatError as error:
        print(f"chatfsm: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        # What is still buffered must not fail again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 0  # whoever read the output has seen enough
        print(f"chatfsm: cannot write: {error.strerror}", file=sys.stderr)
        return 2
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="chatfsm", description="Sessions of live chats with a contact center."
    )
    parser.add_argument("--version", action="version", version=f"chatfsm {version('chatfsm')}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_replay(commands)
    _add_scrub(commands)
    _add_chat(commands)
    return parser


def _add_replay(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    replay = commands.add_parser(
        "replay",
        help="replay recorded chats",
        description=_REPLAY,
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
        "--chat-id", metavar="ID", type=_text, help="the chat of events that name none"
    )
    replay.add_argument(
        "--close-after",
        metavar="SECONDS",
        type=_seconds,
        help="report a chat, and let it go, after so much silence in the log (default: never)",
    )
    replay.add_argument(
        "--rows",
        metavar="N",
        type=_rows,
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
        type=_finding,
        help=f"exit with 1 where such a finding is met: {', '.join(FINDINGS)}, or any; "
        "may be given several times. late: only what came after the terminal batch",
    )
    replay.add_argument(
        "--jobs",
        metavar="N",
        type=_jobs,
        default=1,
        help=f"hear the chats in so many processes, 1 to {_MOST_JOBS}; what is printed is the "
        "same. Standard input, other pipes, and --close-after take one (default: 1)",
    )
    replay.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours: on a terminal, always (needs the extra cli), or never",
    )
    replay.set_defaults(run=_replay)


def _add_scrub(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    scrub = commands.add_parser(
        "scrub",
        help="take from a log whatever tells of people",
        description=_SCRUB,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    scrub.add_argument("input", metavar="IN", help="a log, or - for standard input")
    scrub.add_argument("output", metavar="OUT", help="the scrubbed log, or - for standard output")
    scrub.add_argument(
        "--chat-id", metavar="ID", type=_text, help="the chat of events that name none"
    )
    scrub.add_argument("--force", action="store_true", help="write over OUT where it is there")
    scrub.set_defaults(run=_scrub)


def _add_chat(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    chat = commands.add_parser(
        "chat",
        help="chat with a contact center",
        description=_CHAT,
        epilog=_CHAT_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    chat.add_argument("--url", required=True, type=_text, help="https:// and the host of the API")
    chat.add_argument(
        "--tenant-url", metavar="DOMAIN", type=_text, help="the tenant (default: the host of --url)"
    )
    chat.add_argument(
        "--app-id", metavar="ID", type=_text, help="the scenario entry (default: CHATFSM_APP_ID)"
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
        type=_form,
        help="the fields of a form, which is then asked field by field; may be given several "
        "times. Other forms are answered in lines name=value, with an empty line at the end",
    )
    chat.add_argument(
        "--state", metavar="FILE", type=_text, help="keep the chat here, and go on from here"
    )
    chat.add_argument(
        "--record", metavar="FILE", type=_text, help="add a journal of the chat to this file"
    )
    chat.add_argument("--plain", action="store_true", help="no colours, and no editing, ever")
    chat.add_argument(
        "--insecure-http",
        action="store_true",
        help="allow http://, where anybody on the way can read all: for tests on this machine",
    )
    chat.set_defaults(run=_chat)


def _replay(options: argparse.Namespace) -> int:
    if options.jobs > 1:
        from chatfsm.scale.processes import run  # noqa: PLC0415  # --help needs none of it
    else:
        from chatfsm.recording.command import run  # noqa: PLC0415  # as above

    return run(options)


def _scrub(options: argparse.Namespace) -> int:
    from chatfsm.recording.scrub import run  # noqa: PLC0415  # as above

    return run(options)


def _chat(options: argparse.Namespace) -> int:
    from chatfsm.chatting.command import run  # noqa: PLC0415  # as above

    return run(options)


def _text(word: str) -> str:
    if not word:
        raise argparse.ArgumentTypeError("must not be empty")
    return word


def _seconds(word: str) -> float:
    try:
        seconds = float(word)
    except ValueError:
        seconds = -1.0
    if not isfinite(seconds) or seconds <= 0:
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of seconds, more than 0")
    return seconds


def _rows(word: str) -> int:
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number, 0 or more")
    return int(word)


def _jobs(word: str) -> int:
    if not word.isdecimal() or not 1 <= int(word) <= _MOST_JOBS:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number from 1 to {_MOST_JOBS}")
    return int(word)


def _finding(word: str) -> tuple[str, ...]:
    kinds = tuple(kind.strip() for kind in word.split(","))
    for kind in kinds:
        if kind not in {*FINDINGS, "any"}:
            names = ", ".join((*FINDINGS, "any"))
            raise argparse.ArgumentTypeError(f"{kind!r} is none of {names}")
    return FINDINGS if "any" in kinds else kinds


def _form(word: str) -> tuple[str, tuple[str, ...]]:
    name, equals, fields = word.partition("=")
    names = tuple(part.strip() for part in fields.split(","))
    if not name.strip() or not equals or not all(names) or len({*names}) != len(names):
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=FIELD,FIELD")
    return name.strip(), names
