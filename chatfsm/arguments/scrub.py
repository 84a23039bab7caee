"""The words of `chatfsm scrub`."""

from __future__ import annotations

import argparse
from typing import Final

from chatfsm.arguments import kinds

__all__ = ["add"]

_ABOUT: Final = """\
Write a log anew without what tells of people: ids and names become pseudonyms, texts become their
length, what forms were answered with, session descriptions and unknown fields are gone. States,
effects and times stay as they were, and so does who is who.

The same pseudonyms in several logs need the same key: set CHATFSM_SCRUB_KEY to a secret of yours.
Without it a key is made for this one run, and thrown away.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its options."""
    scrub = commands.add_parser(
        "scrub",
        help="take from a log whatever tells of people",
        description=_ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    scrub.add_argument("input", metavar="IN", help="a log, or - for standard input")
    scrub.add_argument("output", metavar="OUT", help="the scrubbed log, or - for standard output")
    scrub.add_argument(
        "--chat-id", metavar="ID", type=kinds.text, help="the chat of events that name none"
    )
    scrub.add_argument("--force", action="store_true", help="write over OUT where it is there")
    scrub.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from chatfsm.recording.scrub import run  # noqa: PLC0415  # --help needs none of it

    return run(options)
