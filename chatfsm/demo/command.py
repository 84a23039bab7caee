"""`chatfsm demo`: one chat, by two clients at once, and what became of it."""

from __future__ import annotations

import sys
from argparse import Namespace
from importlib.util import find_spec
from io import TextIOWrapper
from typing import Final

from chatfsm.demo.printing import sheet_for
from chatfsm.errors import ChatError

__all__ = ["NOT_WHOLE", "WHOLE", "run"]

WHOLE: Final = 0
NOT_WHOLE: Final = 1

_INTRODUCTION: Final = """\
One chat with a contact center, over HTTP on this machine alone, had twice at the same time: by \
chatfsm, and by a plain polling loop. Both meet the same script and the same faults."""


def run(options: Namespace) -> int:
    """Show the demo as the command line says; returns the exit status. Raises `ChatError`."""
    if find_spec("aiohttp") is None:
        raise ChatError("the demo needs aiohttp: pip install 'chatfsm[simulator]'")
    if isinstance(sys.stdout, TextIOWrapper):
        # What a terminal's encoding may not have is shown escaped.
        sys.stdout.reconfigure(errors="backslashreplace")
    sheet = sheet_for(sys.stdout, options.color)
    sheet.say(_INTRODUCTION)  # before what takes a moment
    from chatfsm.demo.playing import play  # noqa: PLC0415  # needs the extra, and time

    return WHOLE if play(options.seed, sheet) else NOT_WHOLE
