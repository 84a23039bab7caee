"""Where rows are shown: line by line in a pipe, or above an input line on a terminal."""

from __future__ import annotations

from typing import Any, Protocol, TextIO

from attrs import define, field

from chatfsm.recording.printing import STYLES
from chatfsm.recording.timeline import Row

__all__ = ["Live", "Plain", "Screen"]

_MARK = "> "


class Screen(Protocol):
    """Shows what happened, and what is being typed."""

    def show(self, row: Row) -> None:
        """One more row."""

    def draw(self, status: str, text: str, at: int) -> None:
        """What passes: who types, what is asked; and the line being typed, with its cursor."""

    def close(self) -> None:
        """Leave only the rows."""


def _columns(row: Row) -> tuple[str, str, str]:
    return f"{row.at:>7}  ", f"{row.what:<11}  ", f"{row.who}: " if row.who else ""


@define
class Plain:
    """Rows as lines, without colours; what passes is shown when it changes."""

    out: TextIO
    _status: str = field(default="", init=False)

    def show(self, row: Row) -> None:
        """Print a row."""
        self.out.write(f"{''.join(_columns(row))}{row.text}".rstrip() + "\n")
        self.out.flush()

    def draw(self, status: str, text: str, at: int) -> None:  # noqa: ARG002  # a pipe shows its own
        """Print what is asked, where it has changed."""
        if status != self._status and status:
            self.out.write(f"{'':>7}  ... {status}\n")
            self.out.flush()
        self._status = status

    def close(self) -> None:
        """Nothing is left to take away."""


class Live:
    """Rows in colours, and below them who types and the line being typed; by rich."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console  # noqa: PLC0415  # an extra, needed here only
        from rich.live import Live as Region  # noqa: PLC0415

        self._console = Console(file=out, highlight=False)
        self._region: Any = Region(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._region.start()

    def show(self, row: Row) -> None:
        """Print a row above the input line."""
        from rich.text import Text  # noqa: PLC0415

        at, what, who = _columns(row)
        style = STYLES[row.tone]
        parts = ((at, "dim"), (what, style), (who, "bold"), (row.text, style))
        self._console.print(Text.assemble(*parts))

    def draw(self, status: str, text: str, at: int) -> None:
        """Draw the two lines at the bottom anew."""
        from rich.text import Text  # noqa: PLC0415

        before, after = text[:at], text[at:] + " "
        room = max(8, self._console.width - len(_MARK) - 2)
        before = before[-room:]  # the end of a long line is what is being typed
        after = after[: max(1, room - len(before))]
        line = Text.assemble((_MARK, "bold"), before, (after[0], "reverse"), after[1:])
        self._region.update(Text("\n").join([Text(status, "dim italic"), line]), refresh=True)

    def close(self) -> None:
        """Take the two lines away."""
        self._region.stop()
