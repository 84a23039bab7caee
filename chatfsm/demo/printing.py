"""The demo on paper and on terminals: rows as they come, and the verdict as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, TextIO

from chatfsm.demo.verdict import Line
from chatfsm.recording.printing import STYLES, Paper, look_for
from chatfsm.recording.timeline import Row

__all__ = ["Sheet", "sheet_for"]

_IN_A_PIPE: Final = 80  # columns, where no terminal says how many it has
_QUESTION: Final = 28
_ANSWER: Final = 18


def sheet_for(out: TextIO, colour: Literal["auto", "always", "never"]) -> Sheet:
    """Where the demo is told: in colours on a terminal, plain in a pipe, wrapped in both.

    Raises `ChatError`, naming the extra, where colours are wanted always and rich is missing.
    """
    look = look_for(out, colour)
    width = look.width or _IN_A_PIPE
    console: Any = None
    if look.is_coloured:
        from rich.console import Console  # noqa: PLC0415  # an extra, needed here only

        console = Console(file=out, force_terminal=True, no_color=False, width=width)
    return Sheet(out, width, console)


class Sheet(Paper):
    """Prints what the demo has to say, each line at once."""

    def say(self, words: str) -> None:
        """Print a paragraph, and an empty line after it."""
        self._words([], words, "")
        self._line([])
        self._out.flush()

    def head(self, words: str) -> None:
        """Print a heading."""
        self._line([(words, "bold")])
        self._out.flush()

    def rows(self, rows: Iterable[Row]) -> None:
        """Print what has happened."""
        for row in rows:
            style = STYLES[row.tone]
            start = [(f"{row.at:>6}  ", "dim"), (f"{row.what:<9}  ", style)]
            if row.who:
                start.append((f"{row.who}{': ' if row.text else ''}", "bold"))
            self._words(start, row.text, style)
        self._out.flush()

    def table(self, clients: Sequence[str], lines: Iterable[Line]) -> None:
        """Print the verdict: a line a question, a column a client."""
        heads = [(f"{client:<{_ANSWER}}", "bold") for client in clients]
        self._line([(" " * (2 + _QUESTION), ""), *heads])
        for line in lines:
            answers = [(f"{words:<{_ANSWER}}", STYLES[tone]) for words, tone in line.answers]
            self._line([(f"  {line.question:<{_QUESTION}}", "dim"), *answers])
        self._line([])
