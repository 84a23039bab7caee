"""The arguments of all commands."""

from __future__ import annotations

import argparse
from math import isfinite
from typing import Final

from chatfsm.replay import FINDINGS

__all__ = [
    "MAX_JOBS",
    "add_chat",
    "add_demo",
    "add_replay",
    "add_scrub",
    "add_simulate",
    "finding_kinds",
    "form_fields",
    "integer",
    "job_count",
    "port",
    "row_count",
    "seconds",
    "speed",
    "text",
]

# The words of `chatfsm chat`.

_ABOUT_CHAT: Final = """\
Chat with a contact center, on a terminal, or line by line through a pipe.

Whoever asks is named by two ids. CHATFSM_APP_ID in the environment, or --app-id, names the entry
of the scenario. CHATFSM_CLIENT_ID names the customer; without it there is a fresh id, which
--state keeps. Lines are said as they are; /help shows the orders that begin with a slash.
"""

_STATUS_CHAT: Final = """\
exit status: 0 the chat was left, or has ended; 1 it ended otherwise: failed, timed out, or gone;
2 it could not be had at all; 130 interrupted, after what was said has been sent.
"""


def add_chat(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    chat = commands.add_parser(
        "chat",
        help="chat with a contact center",
        description=_ABOUT_CHAT,
        epilog=_STATUS_CHAT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    chat.add_argument("--url", required=True, type=text, help="https:// and the host of the API")
    chat.add_argument(
        "--tenant-url",
        metavar="DOMAIN",
        type=text,
        help="the tenant (default: the host of --url)",
    )
    chat.add_argument(
        "--app-id",
        metavar="ID",
        type=text,
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
        type=form_fields,
        help="the fields of a form, which is then asked field by field; may be given several "
        "times. Other forms are answered in lines name=value, with an empty line at the end",
    )
    chat.add_argument(
        "--state", metavar="FILE", type=text, help="keep the chat here, and go on from here"
    )
    chat.add_argument(
        "--record", metavar="FILE", type=text, help="add a journal of the chat to this file"
    )
    chat.add_argument("--plain", action="store_true", help="no colours, and no editing, ever")
    chat.add_argument(
        "--insecure-http",
        action="store_true",
        help="allow http://, where anybody on the way can read all: for tests on this machine",
    )
    chat.set_defaults(run=_run_chat)


def _run_chat(options: argparse.Namespace) -> int:
    from chatfsm._cli.chat import run  # noqa: PLC0415  # --help needs none of it

    return run(options)


# The words of `chatfsm demo`.

_ABOUT_DEMO: Final = """\
One chat that goes wrong in the usual ways, on this machine alone: what chatfsm tells of it, beside
what a plain polling loop makes of the same chat.

It needs no account, and no network but the loopback. A stand-in contact center plays a short script
over HTTP; one poll is answered from a cache, one breaks off, one POST is answered to nobody, and an
agent begins to type and never stops.
"""

_STATUS_DEMO: Final = """\
exit status: 0 chatfsm's chat came through whole: nothing lost, nothing doubled, nothing left
standing; 1 it did not; 2 the demo could not be had; 130 interrupted.
"""


def add_demo(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    demo = commands.add_parser(
        "demo",
        help="see in seconds what this is for, on this machine alone",
        description=_ABOUT_DEMO,
        epilog=_STATUS_DEMO,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument(
        "--seed",
        metavar="N",
        type=integer,
        default=0,
        help="other ids; the same seed gives the same (default: 0)",
    )
    look = demo.add_mutually_exclusive_group()
    look.add_argument(
        "--plain",
        dest="color",
        action="store_const",
        const="never",
        default="auto",  # the first of two options of one dest decides
        help="no colours, ever: as --color never",
    )
    look.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours: on a terminal, always, or never",
    )
    demo.set_defaults(run=_run_demo)


def _run_demo(options: argparse.Namespace) -> int:
    from chatfsm._cli.demo import run  # noqa: PLC0415  # --help needs none of it

    return run(options)


# What the words of a command line may be, and what is said where they are not.

MAX_JOBS: Final = 64
"""More processes than any machine has use for; each takes 30 MB."""
_MAX_PORT: Final = 65_535
# Beyond these a hold of fifteen seconds takes hours, or is shorter than a look at the clock.
_MIN_SPEED: Final = 0.001
_MAX_SPEED: Final = 10_000.0


def text(word: str) -> str:
    """A text that is not empty."""
    if not word:
        raise argparse.ArgumentTypeError("must not be empty")
    return word


def seconds(word: str) -> float:
    """Seconds, more than none."""
    try:
        found = float(word)
    except ValueError:
        found = -1.0
    if not isfinite(found) or found <= 0:
        raise argparse.ArgumentTypeError(f"{word!r} is not a number of seconds, more than 0")
    return found


def row_count(word: str) -> int:
    """How many rows, or 0 for all."""
    if not word.isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number, 0 or more")
    return int(word)


def job_count(word: str) -> int:
    """How many processes."""
    if not word.isdecimal() or not 1 <= int(word) <= MAX_JOBS:
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number from 1 to {MAX_JOBS}")
    return int(word)


def finding_kinds(word: str) -> tuple[str, ...]:
    """Kinds of findings, with commas between them."""
    named = tuple(kind.strip() for kind in word.split(","))
    for kind in named:
        if kind not in {*FINDINGS, "any"}:
            names = ", ".join((*FINDINGS, "any"))
            raise argparse.ArgumentTypeError(f"{kind!r} is none of {names}")
    return FINDINGS if "any" in named else named


def form_fields(word: str) -> tuple[str, tuple[str, ...]]:
    """The name of a form, and its fields."""
    name, equals, fields = word.partition("=")
    names = tuple(part.strip() for part in fields.split(","))
    if not name.strip() or not equals or not all(names) or len({*names}) != len(names):
        raise argparse.ArgumentTypeError(f"{word!r} is not NAME=FIELD,FIELD")
    return name.strip(), names


def port(word: str) -> int:
    """A port, or 0 for one that is free."""
    if not word.isdecimal() or int(word) > _MAX_PORT:
        raise argparse.ArgumentTypeError(f"{word!r} is not a port, 0 to {_MAX_PORT}")
    return int(word)


def integer(word: str) -> int:
    """A whole number, of either sign."""
    if not word.removeprefix("-").isdecimal():
        raise argparse.ArgumentTypeError(f"{word!r} is not a whole number")
    return int(word)


def speed(word: str) -> float:
    """How many times as fast as the clock on the wall."""
    try:
        found = float(word)
    except ValueError:
        found = -1.0
    if not _MIN_SPEED <= found <= _MAX_SPEED:
        raise argparse.ArgumentTypeError(
            f"{word!r} is not a number from {_MIN_SPEED:g} to {_MAX_SPEED:g}"
        )
    return found


# The words of `chatfsm replay`.

_ABOUT_REPLAY: Final = """\
Replay recorded chats and tell what follows from each event.

FILE is a log: raw events as JSON lines, an envelope {"events": [...]}, or a case history
{"sessions": [...]}, or a journal; plain or gzip; - is standard input. The format is told by the
content. An event belongs to the chat that its "chat_id" names, else to --chat-id, else to the
chat called like the file. Time is that of the events: nothing waits.
"""

_STATUS_REPLAY: Final = """\
exit status: 0 clean; 1 a finding of --fail-on, a violation with --strict, a difference with
--verify; 2 input that cannot be read; 130 interrupted, after the summary of what was read.
"""


def add_replay(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    replay = commands.add_parser(
        "replay",
        help="replay recorded chats",
        description=_ABOUT_REPLAY,
        epilog=_STATUS_REPLAY,
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
        "--chat-id", metavar="ID", type=text, help="the chat of events that name none"
    )
    replay.add_argument(
        "--close-after",
        metavar="SECONDS",
        type=seconds,
        help="report a chat, and let it go, after so much silence in the log (default: never)",
    )
    replay.add_argument(
        "--rows",
        metavar="N",
        type=row_count,
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
        type=finding_kinds,
        help=f"exit with 1 where such a finding is met: {', '.join(FINDINGS)}, or any; "
        "may be given several times. late: only what came after the terminal batch",
    )
    replay.add_argument(
        "--jobs",
        metavar="N",
        type=job_count,
        default=1,
        help=f"hear the chats in so many processes, 1 to {MAX_JOBS}; what is printed is the "
        "same. Standard input, other pipes, and --close-after take one (default: 1)",
    )
    replay.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colours: on a terminal, always (needs the extra cli), or never",
    )
    replay.set_defaults(run=_run_replay)


def _run_replay(options: argparse.Namespace) -> int:
    if options.jobs > 1:
        from chatfsm._cli.parallel import run  # noqa: PLC0415  # --help needs none of it
    else:
        from chatfsm._cli.replay import run  # noqa: PLC0415  # --help needs none of it

    return run(options)


# The words of `chatfsm scrub`.

_ABOUT_SCRUB: Final = """\
Write a log anew without what tells of people: ids and names become pseudonyms, texts become their
length, what forms were answered with, session descriptions and unknown fields are gone. States,
effects and times stay as they were, and so does who is who.

The same pseudonyms in several logs need the same key: set CHATFSM_SCRUB_KEY to a secret of yours.
Without it a key is made for this one run, and thrown away.
"""


def add_scrub(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    scrub = commands.add_parser(
        "scrub",
        help="take from a log whatever tells of people",
        description=_ABOUT_SCRUB,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    scrub.add_argument("input", metavar="IN", help="a log, or - for standard input")
    scrub.add_argument("output", metavar="OUT", help="the scrubbed log, or - for standard output")
    scrub.add_argument(
        "--chat-id", metavar="ID", type=text, help="the chat of events that name none"
    )
    scrub.add_argument("--force", action="store_true", help="write over OUT where it is there")
    scrub.set_defaults(run=_run_scrub)


def _run_scrub(options: argparse.Namespace) -> int:
    from chatfsm._cli.scrub import run  # noqa: PLC0415  # --help needs none of it

    return run(options)


# The words of `chatfsm simulate`.

_ABOUT_SIMULATE: Final = """\
A contact center on this machine, for trying and testing clients of any make: the whole API, with
agents who play by a scenario. Nothing of it leaves the machine, and nothing is real.

SCRIPT is what the entry "demo" plays: a scenario as JSON, or a recorded log, whose agents then say
again what they said. Without it, --scenario names one of those that are built in. Each of these is
also there under its own name as the app's id. Any client id does.
"""

_STATUS_SIMULATE: Final = """\
exit status: 0 it was told to stop, by Ctrl-C or SIGTERM; 2 it could not begin.
"""

# Easily remembered, and of no well-known service.
_PORT: Final = 8765


def add_simulate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    simulate = commands.add_parser(
        "simulate",
        help="serve a contact center to try clients with",
        description=_ABOUT_SIMULATE,
        epilog=_STATUS_SIMULATE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    script = simulate.add_mutually_exclusive_group()
    script.add_argument("script", nargs="?", metavar="SCRIPT", help="a scenario, or a recorded log")
    script.add_argument(
        "--scenario", metavar="NAME", type=text, help="what the entry demo plays (echo)"
    )
    script.add_argument(
        "--list", action="store_true", help="print the scenarios and faults there are, and end"
    )
    simulate.add_argument(
        "--chat-id", metavar="ID", type=text, help="which chat of a log is said again"
    )
    simulate.add_argument(
        "--web", action="store_true", help="serve a page, too, for chatting in a browser"
    )
    _add_address(simulate)
    _add_behaviour(simulate)
    simulate.add_argument(
        "--record",
        metavar="FILE",
        type=text,
        help="write what happens in all chats to this new file, which `chatfsm replay` reads",
    )
    simulate.add_argument(
        "--quiet", action="store_true", help="no line on standard error about each request"
    )
    simulate.set_defaults(run=_run_simulate)


def _add_address(simulate: argparse.ArgumentParser) -> None:
    simulate.add_argument(
        "--host",
        metavar="ADDRESS",
        type=text,
        default="127.0.0.1",
        help="whom to listen to: 0.0.0.0 is everybody in the network (default: 127.0.0.1)",
    )
    simulate.add_argument(
        "--port",
        metavar="N",
        type=port,
        default=_PORT,
        help=f"0: one that is free (default: {_PORT})",
    )


def _add_behaviour(simulate: argparse.ArgumentParser) -> None:
    simulate.add_argument(
        "--faults",
        metavar="SPEC",
        type=text,
        help="what goes wrong on the way, and how often, as storm or drop-reply:0.05: see --list",
    )
    simulate.add_argument(
        "--seed",
        metavar="N",
        type=integer,
        default=0,
        help="other ids, and other moments of faults; the same seed gives the same (default: 0)",
    )
    simulate.add_argument(
        "--milliseconds",
        action="store_true",
        help="timestamps in milliseconds, as documented, in place of seconds, as seen",
    )
    simulate.add_argument(
        "--hold",
        metavar="SECONDS",
        type=seconds,
        help="how long an empty poll is held (default: 15)",
    )
    simulate.add_argument(
        "--inactivity",
        metavar="SECONDS",
        type=seconds,
        help="the customer is warned after half of them, and the chat is over after all "
        "(default: 600)",
    )
    simulate.add_argument(
        "--speed",
        metavar="X",
        type=speed,
        default=1.0,
        help="time passes so many times as fast for the center (default: 1)",
    )


def _run_simulate(options: argparse.Namespace) -> int:
    from chatfsm._cli.simulate import run  # noqa: PLC0415  # --help needs none of it

    return run(options)
