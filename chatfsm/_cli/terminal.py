"""Terminal: prints timelines.

Colours need rich, of the extra `cli`; without it, output is plain.
"""

from __future__ import annotations

import os
import shutil
import unicodedata
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any, Final, Literal, TextIO

from attrs import define, frozen

from chatfsm._cli.terminal_text import harmless_text
from chatfsm._cli.timeline import Row, RowStyle, Timeline, verdict
from chatfsm.errors import ChatError

__all__ = [
    "STYLES",
    "Columns",
    "TerminalStyle",
    "TimelinePrinter",
    "padded",
    "printer_for",
    "style_for",
]

STYLES: Final[dict[RowStyle, str]] = {
    "plain": "",
    "quiet": "dim",
    "state": "cyan",
    "own": "blue",
    "good": "green",
    "bad": "bold red",
}
# Text with fewer columns than this beside it is not wrapped.
_MIN_TEXT_WIDTH: Final = 20

Segment = tuple[str, str]
"""A text and its style, as rich names it."""


def printer_for(out: TextIO, colour: Literal["auto", "always", "never"]) -> TimelinePrinter:
    """The printer of the style that `style_for` returns."""
    return style_for(out, colour).printer(out)


def style_for(out: TextIO, colour: Literal["auto", "always", "never"]) -> TerminalStyle:
    """The style for an output: coloured and wrapped on a terminal, plain in a pipe.

    Raises `ChatError`, which names the extra, if `colour` is `always` and rich is not installed.
    """
    width = shutil.get_terminal_size().columns if out.isatty() else None
    has_rich = find_spec("rich") is not None
    if colour == "always" and not has_rich:
        raise ChatError("colours need rich: pip install 'chatfsm[cli]'")
    wanted = out.isatty() and "NO_COLOR" not in os.environ
    return TerminalStyle(width, has_rich and (colour == "always" or (colour == "auto" and wanted)))


@frozen
class TerminalStyle:
    """The style of timelines; can be sent to another process."""

    width: int | None
    """Columns of the terminal; None: do not wrap."""
    is_coloured: bool

    def printer(self, out: TextIO) -> TimelinePrinter:
        """The printer of this style."""
        return TimelinePrinter(out, self.width, self.console(out, self.width))

    def console(self, out: TextIO, width: int | None) -> Any:
        """Return the console of rich that prints in colours; None: there are none."""
        if not self.is_coloured:
            return None
        from rich.console import Console  # noqa: PLC0415  # an extra, needed here only

        return Console(file=out, force_terminal=True, no_color=False, width=width)


@define
class Columns:
    """The widths of the columns before the texts of a timeline."""

    at: int = 0
    what: int = 0
    who: int = 0

    def widen(self, rows: Sequence[Row]) -> None:
        """Make room for rows."""
        self.at = max([self.at, *(len(row.at) for row in rows)])
        self.what = max([self.what, *(len(row.what) for row in rows)])
        self.who = max([self.who, *(_cells(row.who) for row in rows)])


class TimelinePrinter:
    """Prints timelines in aligned columns."""

    def __init__(self, out: TextIO, width: int | None, console: Any) -> None:
        self._out = out
        self._width = width
        self._console = console

    def print(self, timeline: Timeline) -> None:
        """Print one chat: the verdict, then the rows."""
        self.print_verdict(timeline)
        rows = list(timeline.rows())
        if rows:
            self._line([])
            self.print_rows(rows, Columns())

    def print_heading(self, chat_id: str, note: str = "") -> None:
        """Print the line above the rows of a chat that are printed as they come."""
        self._line([(harmless_text(chat_id), "bold"), (f"  {note}" if note else "", "dim")])

    def print_verdict(self, timeline: Timeline) -> None:
        """Print what became of a chat."""
        (name, ending, style), *more = verdict(timeline.stats)
        self._line([(name, "bold"), ("  ", ""), (ending, STYLES[style])])
        span = timeline.span()
        if span is not None:
            more.insert(0, ("time", span, "plain"))
        missing = timeline.missing_ids()
        if missing is not None:
            more.append(("hint", missing, "quiet"))
        for heading, text, style in more:
            self._text([("  ", ""), (padded(heading, 10), "dim")], text, STYLES[style])

    def print_rows(self, rows: list[Row], columns: Columns) -> None:
        """Print rows in columns as wide as these and all rows before need."""
        columns.widen(rows)
        at, what, who = columns.at, columns.what, columns.who
        for row in rows:
            start = [
                (f"  {row.at:>{at}}  ", "dim"),
                (f"{row.what:<{what}}  ", STYLES[row.style]),
                (padded(row.who, who), "bold"),
                ("  " if who else "", ""),
            ]
            self._text(start, row.text, STYLES[row.style])

    def note(self, text: str) -> None:
        """Print one line after an empty one."""
        self._line([])
        self._line([(text, "dim")])

    def _text(self, start: list[Segment], text: str, style: str) -> None:
        """Print a text after other segments; on a terminal, in as many lines as it needs."""
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
    """Number of terminal columns of a text."""
    return sum(
        0
        if unicodedata.combining(character)
        else 1 + (unicodedata.east_asian_width(character) in "WF")
        for character in text
    )


def _wrapped(text: str, width: int) -> list[str]:
    """Wrap a text into lines of `width` columns; wider words are broken."""
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


def padded(text: str, width: int) -> str:
    """Return a text with spaces behind it, up to a number of terminal columns."""
    return text + " " * (width - _cells(text))
