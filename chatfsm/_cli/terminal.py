"""Timelines on paper and on terminals, and how far a long reading has come.

Colours and the progress bar are rich's, of the extra `cli`; without it all is plain.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
import unicodedata
from importlib.util import find_spec
from typing import Any, Final, Literal, TextIO

from attrs import frozen

from chatfsm._cli.timeline import RowStyle, Timeline, verdict
from chatfsm.errors import ChatError
from chatfsm.replay.sources import ReadPosition, Source

__all__ = ["STYLES", "ProgressBar", "TerminalStyle", "TimelinePrinter", "printer_for", "style_for"]

STYLES: Final[dict[RowStyle, str]] = {
    "plain": "",
    "quiet": "dim",
    "state": "cyan",
    "own": "blue",
    "good": "green",
    "bad": "bold red",
}
# Where the words would get less room than this beside the columns, they are not wrapped.
_MIN_TEXT_WIDTH: Final = 20
# Input that takes less than a second needs no bar; drawn more often than this it flickers.
_DELAY: Final = 1.0
_REDRAW: Final = 0.2

Segment = tuple[str, str]
"""Some text, and its style in rich's words."""


def printer_for(out: TextIO, colour: Literal["auto", "always", "never"]) -> TimelinePrinter:
    """Where timelines go, as `look_for` says."""
    return style_for(out, colour).printer(out)


def style_for(out: TextIO, colour: Literal["auto", "always", "never"]) -> TerminalStyle:
    """How timelines look: in colours and wrapped on a terminal, plain in a pipe.

    Raises `ChatError`, naming the extra, where colours are wanted always and rich is missing.
    """
    width = shutil.get_terminal_size().columns if out.isatty() else None
    has_rich = find_spec("rich") is not None
    if colour == "always" and not has_rich:
        raise ChatError("colours need rich: pip install 'chatfsm[cli]'")
    wanted = out.isatty() and "NO_COLOR" not in os.environ
    return TerminalStyle(width, has_rich and (colour == "always" or (colour == "auto" and wanted)))


@frozen
class TerminalStyle:
    """How timelines look, wherever they are made ready."""

    width: int | None
    """Columns of the terminal; None: lines are as long as they are."""
    is_coloured: bool

    def printer(self, out: TextIO) -> TimelinePrinter:
        """What makes them look so."""
        if not self.is_coloured:
            return TimelinePrinter(out, self.width, None)
        from rich.console import Console  # noqa: PLC0415  # an extra, needed here only

        console = Console(file=out, force_terminal=True, no_color=False, width=self.width)
        return TimelinePrinter(out, self.width, console)


class TimelinePrinter:
    """Prints timelines, in aligned columns."""

    def __init__(self, out: TextIO, width: int | None, console: Any) -> None:
        self._out = out
        self._width = width
        self._console = console

    def print(self, timeline: Timeline) -> None:
        """Print one chat: the verdict, then what happened."""
        (name, ending, tone), *more = verdict(timeline.stats)
        self._line([(name, "bold"), ("  ", ""), (ending, STYLES[tone])])
        for heading, words, tone in more:
            self._text([("  ", ""), (_padded(heading, 10), "dim")], words, STYLES[tone])
        rows = list(timeline.rows())
        if rows:
            self._line([])
        at = max((len(row.at) for row in rows), default=0)
        what = max((len(row.what) for row in rows), default=0)
        who = max((_cells(row.who) for row in rows), default=0)
        for row in rows:
            start = [
                (f"  {row.at:>{at}}  ", "dim"),
                (f"{row.what:<{what}}  ", STYLES[row.style]),
                (_padded(row.who, who), "bold"),
                ("  " if who else "", ""),
            ]
            self._text(start, row.text, STYLES[row.style])

    def note(self, words: str) -> None:
        """Print a line by itself."""
        self._line([])
        self._line([(words, "dim")])

    def _text(self, start: list[Segment], text: str, style: str) -> None:
        """Words behind a start; on a terminal, as many lines as they need."""
        indent = sum(_cells(text) for text, _ in start)
        width = None if self._width is None else self._width - indent
        if width is None or width < _MIN_TEXT_WIDTH:
            self._line([*start, (text, style)])
            return
        for number, line in enumerate(_wrapped(text, width)):
            self._line([*(start if number == 0 else [(" " * indent, "")]), (line, style)])

    def _line(self, segments: list[Segment]) -> None:
        if self._console is None:
            self._out.write("".join(text for text, _ in segments).rstrip() + "\n")
            return
        from rich.text import Text  # noqa: PLC0415  # an extra, needed here only

        self._console.print(Text.assemble(*segments), soft_wrap=True, highlight=False)


def _cells(text: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(
        0
        if unicodedata.combining(character)
        else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _wrapped(text: str, width: int) -> list[str]:
    """Words in lines of so many columns; a word that is wider is broken."""
    lines = [""]
    for word in text.split(" "):
        rest = word
        if lines[-1] and _cells(lines[-1]) + 1 + _cells(rest) <= width:
            lines[-1] += f" {rest}"
            continue
        if lines[-1]:
            lines.append("")
        for character in rest:
            if _cells(lines[-1]) + _cells(character) > width:
                lines.append("")
            lines[-1] += character
    return lines


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _cells(text))


class ProgressBar:
    """A bar on standard error, for reading that takes long; only on a terminal, and with rich."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted and sys.stderr.isatty() and find_spec("rich") is not None
        self._next = time.monotonic() + _DELAY
        self._bar: tuple[Any, Any] | None = None

    def show(self, source: Source | ReadPosition, events: int) -> None:
        """Draw the bar, unless it is too early to."""
        if not self._wanted or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _REDRAW
        bar, task = self._bar or self._start()
        bar.update(
            task,
            description=f"{source.stem}: {events:,} events",
            completed=source.position,
            total=source.size,
        )
        bar.refresh()

    def hide(self) -> None:
        """Take the bar away, so that something can be printed; it comes again by itself."""
        if self._bar is not None:
            self._bar[0].stop()
            self._bar = None

    def _start(self) -> tuple[Any, Any]:
        from rich.console import Console  # noqa: PLC0415  # an extra, needed here only
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn  # noqa: PLC0415
        from rich.progress import Progress as Bar  # noqa: PLC0415

        bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,
        )
        self._bar = bar, bar.add_task("", total=None)
        bar.start()
        return self._bar
