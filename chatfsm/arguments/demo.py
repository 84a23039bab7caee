"""The words of `chatfsm demo`."""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm.arguments import kinds

__all__ = ["add"]

_ABOUT: Final = """\
One chat that goes wrong in the usual ways, on this machine alone: what chatfsm tells of it, beside
what a plain polling loop makes of the same chat.

It needs no account, and no network but the loopback. A stand-in contact center plays a short script
over HTTP; one poll is answered from a cache, one breaks off, one POST is answered to nobody, and an
agent begins to type and never stops.
"""

_STATUS: Final = """\
exit status: 0 chatfsm's chat came through whole: nothing lost, nothing doubled, nothing left
standing; 1 it did not; 2 the demo could not be had; 130 interrupted.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    demo = commands.add_parser(
        "demo",
        help="see in seconds what this is for, on this machine alone",
        description=_ABOUT,
        epilog=_STATUS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument(
        "--seed",
        metavar="N",
        type=kinds.whole,
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
    demo.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from chatfsm.demo.command import run  # noqa: PLC0415  # --help needs none of it

    return run(options)
