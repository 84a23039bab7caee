"""Plain input of `chatfsm chat`: lines of a pipe, or of a terminal that edits them itself."""

from __future__ import annotations

import sys
from typing import Any, Final

from attrs import define, field

from chatfsm._cli.chat_ui import ChatConsole
from chatfsm._cli.prompt import Question

__all__ = ["ANSWER_TIMEOUT", "LineBuffer", "LineTerminal"]

ANSWER_TIMEOUT: Final = 10.0
"""Seconds without an effect after which a chat is left if its piped input has ended."""
_MARK: Final = "\ufeff"


class LineTerminal:
    """A terminal that edits lines itself: hides secrets, and hands over a line that is begun.

    Without termios, as on Windows, or if `descriptor` is not a terminal, it does nothing.
    """

    def __init__(self, descriptor: int) -> None:
        self.previous = Question()
        """The question before the present one, which a line that was begun then answers."""
        self._question = Question()
        self._descriptor = descriptor
        self._modes: list[Any] | None = None
        if sys.platform != "win32":
            import termios  # noqa: PLC0415  # POSIX only

            try:
                self._modes = termios.tcgetattr(descriptor)
            except termios.error:  # a pipe or a file
                return

    @property
    def is_terminal(self) -> bool:
        """Whether the input is a terminal."""
        return self._modes is not None

    def set_question(self, question: Question) -> None:
        """Set the question of the next line; what is typed already becomes input by itself."""
        if question == self._question:
            return
        self.previous, self._question = self._question, question
        # Leaving the mode of lines for a moment makes the begun line readable.
        self._set_mode(is_by_line=False)
        self._set_mode(is_by_line=True)

    def close(self) -> None:
        """Restore the mode of the terminal."""
        self._question = Question()
        self._set_mode(is_by_line=True)

    def _set_mode(self, *, is_by_line: bool) -> None:
        if self._modes is None or sys.platform == "win32":
            return
        import termios  # noqa: PLC0415  # POSIX only

        modes = [*self._modes]
        if self._question.is_hidden:
            modes[3] &= ~termios.ECHO
        if not is_by_line:
            modes[3] &= ~termios.ICANON
        termios.tcsetattr(self._descriptor, termios.TCSANOW, modes)


@define
class LineBuffer:
    """Splits plain input into lines for a console.

    A line answers the question that was asked when it was begun.
    """

    console: ChatConsole
    terminal: LineTerminal
    _rest: str = field(default="", init=False)
    _begun_for: Question | None = field(default=None, init=False)
    """The question that a begun line answers; None if no line is begun."""
    _is_start: bool = field(default=True, init=False)

    def add(self, text: str | None) -> None:
        """Add a piece of the input; None, its end, leaves the chat unless it is ending.

        At the end of a pipe the answers to what was sent are waited for.
        """
        if text and self._is_start:
            text, self._is_start = text.removeprefix(_MARK), False
        *lines, self._rest = (self._rest + (text or "")).split("\n")
        if text is None and self._rest:
            lines.append(self._rest)
            self._rest = ""
        for line in lines:
            if not self.console.is_finished:
                self.console.on_line(line.removesuffix("\r"), self._begun_for)
            self._begun_for = None
        if self._rest and self._begun_for is None:
            # A terminal hands over a line without its end only if the question has changed.
            is_terminal = self.terminal.is_terminal
            self._begun_for = self.terminal.previous if is_terminal else self.console.question
        if text is None and not self.console.is_ending:
            if self.console.has_sent and not self.terminal.is_terminal:
                self.console.is_waiting = True
            else:
                self.console.leave()
