"""The words of `chatfsm simulate`."""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm.arguments import kinds

__all__ = ["add"]

_ABOUT: Final = """\
A contact center on this machine, for trying and testing clients of any make: the whole API, with
agents who play by a scenario. Nothing of it leaves the machine, and nothing is real.

SCRIPT is what the entry "demo" plays: a scenario as JSON, or a recorded log, whose agents then say
again what they said. Without it, --scenario names one of those that are built in. Each of these is
also there under its own name as the app's id. Any client id does.
"""

_STATUS: Final = """\
exit status: 0 it was told to stop, by Ctrl-C or SIGTERM; 2 it could not begin.
"""

# Easily remembered, and of no well-known service.
_PORT: Final = 8765


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    simulate = commands.add_parser(
        "simulate",
        help="serve a contact center to try clients with",
        description=_ABOUT,
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    script = simulate.add_mutually_exclusive_group()
    script.add_argument("script", nargs="?", metavar="SCRIPT", help="a scenario, or a recorded log")
    script.add_argument(
        "--scenario", metavar="NAME", type=kinds.text, help="what the entry demo plays (echo)"
    )
    script.add_argument(
        "--list", action="store_true", help="print the scenarios and faults there are, and end"
    )
    simulate.add_argument(
        "--chat-id", metavar="ID", type=kinds.text, help="which chat of a log is said again"
    )
    simulate.add_argument(
        "--web", action="store_true", help="serve a page, too, for chatting in a browser"
    )
    _add_place(simulate)
    _add_behaviour(simulate)
    simulate.add_argument(
        "--record",
        metavar="FILE",
        type=kinds.text,
        help="write what happens in all chats to this new file, which `chatfsm replay` reads",
    )
    simulate.add_argument(
        "--quiet", action="store_true", help="no line on standard error about each request"
    )
    simulate.set_defaults(run=_run)


def _add_place(simulate: argparse.ArgumentParser) -> None:
    simulate.add_argument(
        "--host",
        metavar="ADDRESS",
        type=kinds.text,
        default="127.0.0.1",
        help="whom to listen to: 0.0.0.0 is everybody in the network (default: 127.0.0.1)",
    )
    simulate.add_argument(
        "--port",
        metavar="N",
        type=kinds.port,
        default=_PORT,
        help=f"0: one that is free (default: {_PORT})",
    )


def _add_behaviour(simulate: argparse.ArgumentParser) -> None:
    simulate.add_argument(
        "--faults",
        metavar="SPEC",
        type=kinds.text,
        help="what goes wrong on the way, and how often, as storm or drop-reply:0.05: see --list",
    )
    simulate.add_argument(
        "--seed",
        metavar="N",
        type=kinds.whole,
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
        type=kinds.seconds,
        help="how long an empty poll is held (default: 15)",
    )
    simulate.add_argument(
        "--inactivity",
        metavar="SECONDS",
        type=kinds.seconds,
        help="the customer is warned after half of them, and the chat is over after all "
        "(default: 600)",
    )
    simulate.add_argument(
        "--speed",
        metavar="X",
        type=kinds.speed,
        default=1.0,
        help="time passes so many times as fast for the center (default: 1)",
    )


def _run(options: argparse.Namespace) -> int:
    from chatfsm.serving.command import run  # noqa: PLC0415  # --help needs none of it

    return run(options)
