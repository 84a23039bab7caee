"""A line being typed on a terminal, key by key."""

from __future__ import annotations

import codecs
import os
import re
import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any, Final, Protocol, TextIO

from attrs import define, field

from chatfsm._cli.terminal import STYLES
from chatfsm._cli.timeline import Row

__all__ = ["Editor", "LiveScreen", "PlainScreen", "Screen", "keys_of", "read_input"]

# A key that sends more than one character: CSI or SS3, and what follows up to the final letter.
_SEQUENCE: Final = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|O.|[^\[O])", re.DOTALL)
_UNFINISHED: Final = re.compile(r"\x1b(\[[0-?]*[ -/]*|O)?")
_KEYS: Final = {
    **dict.fromkeys(("\x1b[D", "\x1bOD", "\x02"), "left"),
    **dict.fromkeys(("\x1b[C", "\x1bOC", "\x06"), "right"),
    **dict.fromkeys(("\x1b[H", "\x1bOH", "\x1b[1~", "\x01"), "start"),
    **dict.fromkeys(("\x1b[F", "\x1bOF", "\x1b[4~", "\x05"), "stop"),
    **dict.fromkeys(("\x7f", "\b"), "back"),
    "\x1b[3~": "delete",
    "\x15": "clear",
    "\x17": "word",
}
_END: Final = "\x04"  # Ctrl-D


@define
class Editor:
    """The text so far, and where the cursor is in it."""

    text: str = ""
    at: int = 0
    is_ended: bool = False
    """Whether Ctrl-D was typed on an empty line."""
    _rest: str = field(default="", init=False)
    """The beginning of a key that has not come whole."""

    def type(self, characters: str) -> Iterator[str]:
        """Take what a terminal sent; gives each line that was ended."""
        left = self._rest + characters
        self._rest = ""
        while left:
            if _UNFINISHED.fullmatch(left):
                self._rest = left
                return
            sequence = _SEQUENCE.match(left)
            key = sequence[0] if sequence else left[0]
            left = left[len(key) :]
            if key in "\r\n":
                line, self.text, self.at = self.text, "", 0
                yield line
            else:
                self._press(key)

    def _press(self, key: str) -> None:
        match _KEYS.get(key):
            case "left":
                self.at = max(0, self.at - 1)
            case "right":
                self.at = min(len(self.text), self.at + 1)
            case "start":
                self.at = 0
            case "stop":
                self.at = len(self.text)
            case "back":
                self._cut(max(0, self.at - 1), self.at)
            case "delete":
                self._cut(self.at, self.at + 1)
            case "clear":
                self._cut(0, self.at)
            case "word":
                self._cut(len(re.sub(r"\S*\s*$", "", self.text[: self.at])), self.at)
            case _ if key.isprintable():
                self.text = self.text[: self.at] + key + self.text[self.at :]
                self.at += len(key)
            case _:
                self.is_ended = self.is_ended or (key == _END and not self.text)

    def _cut(self, start: int, stop: int) -> None:
        self.text = self.text[:start] + self.text[stop:]
        self.at = start


# What is typed, or piped in: read by a thread that can be told to stop.

_PIECE = 4_096


@contextmanager
def read_input(descriptor: int, hear: Callable[[str | None], object]) -> Iterator[None]:
    """In this block, what comes is heard piece by piece; None at its end."""
    stop, stopping = os.pipe()
    thread = Thread(target=_read, args=(descriptor, stop, hear), name="chatfsm-keyboard")
    thread.start()
    try:
        yield
    finally:
        os.close(stopping)
        thread.join()
        os.close(stop)


def _read(descriptor: int, stop: int, hear: Callable[[str | None], object]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        ready, _, _ = select.select([descriptor, stop], [], [])
        if stop in ready:
            return
        piece = os.read(descriptor, _PIECE)
        text = decoder.decode(piece, final=not piece)
        if text:
            hear(text)
        if not piece:
            hear(None)
            return


@contextmanager
def keys_of(descriptor: int) -> Iterator[None]:
    """In this block, a terminal gives each key at once, and does not show it by itself."""
    import termios  # noqa: PLC0415  # not every system has terminals
    import tty  # noqa: PLC0415

    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor, termios.TCSANOW)  # keeps what was typed already
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


# Where rows are shown: line by line in a pipe, or above an input line on a terminal.

_MARK = "> "


class Screen(Protocol):
    """Shows what happened, and what is being typed."""

    def show(self, row: Row) -> None:
        """One more row."""

    def show_status(self, status: str, text: str, at: int) -> None:
        """What passes: who types, what is asked; and the line being typed, with its cursor."""

    def close(self) -> None:
        """Leave only the rows."""


def _columns(row: Row) -> tuple[str, str, str]:
    return f"{row.at:>7}  ", f"{row.what:<11}  ", f"{row.who}: " if row.who else ""


@define
class PlainScreen:
    """Rows as lines, without colours; what passes is shown when it changes."""

    out: TextIO
    _status: str = field(default="", init=False)

    def show(self, row: Row) -> None:
        """Print a row."""
        self.out.write(f"{''.join(_columns(row))}{row.text}".rstrip() + "\n")
        self.out.flush()

    def show_status(self, status: str, text: str, at: int) -> None:  # noqa: ARG002  # a pipe shows its own
        """Print what is asked, where it has changed."""
        if status != self._status and status:
            self.out.write(f"{'':>7}  ... {status}\n")
            self.out.flush()
        self._status = status

    def close(self) -> None:
        """Nothing is left to take away."""


class LiveScreen:
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
        style = STYLES[row.style]
        parts = ((at, "dim"), (what, style), (who, "bold"), (row.text, style))
        self._console.print(Text.assemble(*parts))

    def show_status(self, status: str, text: str, at: int) -> None:
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
