"""Screens of `chatfsm chat`: rows above an input line on a terminal, or plain lines in a pipe."""

from __future__ import annotations

import asyncio
import codecs
import os
import select
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Condition, Thread
from typing import TYPE_CHECKING, Any, Final, Protocol, TextIO

from attrs import define, field, frozen

from chatfsm._cli.timeline import Row, RowStyle

if TYPE_CHECKING:
    from prompt_toolkit.formatted_text import StyleAndTextTuples

__all__ = ["LiveScreen", "PlainScreen", "Question", "Screen", "read_input"]


@frozen
class Question:
    """The question that an input line answers."""

    request_id: str = ""
    """Request id of the form; "" if none is asked: the line is a message or a command."""
    is_hidden: bool = False
    """Whether the answer must not be shown, because the form is secure."""


class Screen(Protocol):
    """Shows rows, and a status: the parties that are typing, and the question that is asked."""

    def show(self, row: Row) -> None:
        """Add a row."""

    def show_status(self, status: str, question: Question) -> None:
        """Replace the status, and the question that the next line answers."""


def _columns(row: Row) -> tuple[str, str, str]:
    return f"{row.at:>7}  ", f"{row.what:<11}  ", f"{row.who}: " if row.who else ""


@define
class PlainScreen:
    """Prints rows as lines without colours, and each new status as a line."""

    out: TextIO
    on_question: Callable[[Question], object] = lambda _question: None
    """Called with the question of the next line."""
    _status: str = field(default="", init=False)

    def show(self, row: Row) -> None:
        """Print a row."""
        self.out.write(f"{''.join(_columns(row))}{row.text}".rstrip() + "\n")
        self.out.flush()

    def show_status(self, status: str, question: Question) -> None:
        """Print the status if it has changed."""
        self.on_question(question)
        if status != self._status and status:
            self.out.write(f"{'':>7}  ... {status}\n")
            self.out.flush()
        self._status = status


# The styles of rows, in the words of prompt_toolkit.
_STYLES: Final[dict[RowStyle, str]] = {
    "plain": "",
    "quiet": "ansibrightblack",
    "state": "ansicyan",
    "own": "ansiblue",
    "good": "ansigreen",
    "bad": "bold ansired",
}
_PROMPT: Final = "> "
_MAX_INPUT_ROWS: Final = 10
"""Rows of the terminal for the input; a longer text scrolls in them."""
_MAX_WAITING_ROWS: Final = 256
"""Rows that wait for a slow terminal; beyond it the effects wait, and the driver stops polling."""
_STILL_A_MESSAGE: Final = "(send or clear this message first)"
_FORM_CLOSED: Final = "(the form is closed: Enter drops this answer)"


class LiveScreen:
    """Shows rows in colours, and below them the status and an input line; by prompt_toolkit.

    `run` takes the main thread until `stop`; all other methods may be called from any thread.
    `on_line` and `on_edit` are given the text and the question that it answers, `on_end` is called
    for Ctrl-D in an empty line. `keys` and `display`: an Input and an Output of prompt_toolkit, by
    default those of the terminal.
    """

    def __init__(
        self,
        on_line: Callable[[str, Question], object],
        on_edit: Callable[[str, Question], object],
        on_end: Callable[[], object],
        *,
        keys: Any = None,
        display: Any = None,
    ) -> None:
        # An extra, needed here only.
        from prompt_toolkit.application import Application  # noqa: PLC0415
        from prompt_toolkit.buffer import Buffer  # noqa: PLC0415
        from prompt_toolkit.input import create_input  # noqa: PLC0415
        from prompt_toolkit.output import create_output  # noqa: PLC0415
        from prompt_toolkit.renderer import CPR_Support  # noqa: PLC0415

        self._on_line = on_line
        self._on_edit = on_edit
        self._on_end = on_end
        self._status = ""
        self._question = Question()
        self._begun_for: Question | None = None
        self._rows: deque[Row] = deque()
        self._changed = Condition()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_stopped = False
        self._buffer = Buffer(
            multiline=False,
            accept_handler=self._accept,
            on_text_changed=lambda _buffer: self._edited(),
        )
        self._app: Application[None] = Application(
            layout=self._layout(),
            key_bindings=self._key_bindings(),
            erase_when_done=True,
            input=keys or create_input(sys.stdin),
            output=display or create_output(sys.stdout),
        )
        # No cursor position reports: nothing here needs them, and not every terminal answers.
        self._app.renderer.cpr_support = CPR_Support.NOT_SUPPORTED

    def run(self) -> None:
        """Read keys until `stop`. Raises KeyboardInterrupt on Ctrl-C."""
        asyncio.run(self._run())

    def stop(self) -> None:
        """End `run`, now or as soon as it begins."""
        with self._changed:
            self._is_stopped = True
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._exit)

    def show(self, row: Row) -> None:
        """Print a row above the input line; waits while the terminal is slow."""
        with self._changed:
            while self._loop is not None and len(self._rows) >= _MAX_WAITING_ROWS:
                self._changed.wait()
            self._rows.append(row)
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._print_rows)

    def show_status(self, status: str, question: Question) -> None:
        """Replace the status; the question is that of the next line, not of one that was begun."""
        self._status, self._question = status, question
        self._app.invalidate()

    def close(self) -> None:
        """Print the rows that were added after `run`."""
        self._print_rows()

    @property
    def _current(self) -> Question:
        """The question of the line: the one that was asked when its first key was pressed."""
        return self._begun_for or self._question

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _loop, context: self._exit(context.get("exception")))
        with self._changed:
            self._loop = loop
        try:
            await self._app.run_async(pre_run=self._prepare, set_exception_handler=False)
        except EOFError:  # the terminal is gone
            self._on_end()
        finally:
            with self._changed:
                self._loop = None
                self._changed.notify_all()

    def _prepare(self) -> None:
        """Begin once the terminal is in raw mode: until then it handles keys itself."""
        asyncio.get_running_loop().call_soon(self._begin)

    def _begin(self) -> None:
        self._print_rows()
        if self._is_stopped:
            self._exit()

    def _exit(self, error: BaseException | None = None) -> None:
        if self._app.future is None or self._app.is_done:
            return
        if error is None:
            self._app.exit()
        else:
            self._app.exit(exception=error)

    def _print_rows(self) -> None:
        """Print the waiting rows; the terminal stays in raw mode, so that it echoes no key."""
        with self._changed:
            rows = [*self._rows]
            self._rows.clear()
            self._changed.notify_all()
        fragments: StyleAndTextTuples = []
        for row in rows:
            at, what, who = _columns(row)
            style = _STYLES[row.style]
            fragments += [(_STYLES["quiet"], at), (style, what), ("bold", who)]
            fragments += [(style, row.text), ("", "\n")]
        if fragments:
            self._app.renderer.erase()
            self._app.print_text(fragments)
            self._app.invalidate()

    # The input line.

    def _edited(self) -> None:
        question = self._current
        if self._buffer.text:
            self._begun_for = question
        else:
            self._forget(question)
        self._on_edit(self._buffer.text, question)

    def _accept(self, _buffer: Any) -> bool:
        """Hand over the line, and empty it; text that is not hidden goes into the history."""
        text, question = self._buffer.text.rstrip("\n"), self._current
        if not question.is_hidden:
            self._buffer.append_to_history()
        self._buffer.reset()
        self._forget(question)
        self._on_line(text, question)
        return True  # the buffer is empty already

    def _forget(self, question: Question) -> None:
        """End the line; hidden text must not come back by undo, or by Ctrl-Y from the clipboard."""
        from prompt_toolkit.clipboard import InMemoryClipboard  # noqa: PLC0415  # an extra

        self._begun_for = None
        if question.is_hidden:
            self._buffer.reset()
            self._app.clipboard = InMemoryClipboard()

    def _layout(self) -> Any:
        from prompt_toolkit.filters import Condition  # noqa: PLC0415  # an extra
        from prompt_toolkit.layout import (  # noqa: PLC0415
            BufferControl,
            Dimension,
            FormattedTextControl,
            HSplit,
            Layout,
            Window,
        )
        from prompt_toolkit.layout.processors import (  # noqa: PLC0415
            ConditionalProcessor,
            PasswordProcessor,
            TabsProcessor,
        )

        is_hidden = Condition(lambda: self._current.is_hidden)
        processors = [
            ConditionalProcessor(PasswordProcessor(), is_hidden),
            TabsProcessor(char1=" ", char2=" "),
        ]
        line = Window(
            BufferControl(self._buffer, input_processors=processors),
            height=Dimension(min=1, max=_MAX_INPUT_ROWS),
            dont_extend_height=True,
            wrap_lines=True,
            get_line_prefix=lambda line, wrap: (
                [("bold", _PROMPT)] if line == wrap == 0 else " " * len(_PROMPT)
            ),
        )
        status = Window(FormattedTextControl(self._status_text), height=1)
        return Layout(HSplit([status, line]), focused_element=line)

    def _status_text(self) -> StyleAndTextTuples:
        parts = [self._status]
        if self._current.request_id != self._question.request_id:
            parts.insert(0, _FORM_CLOSED if self._current.request_id else _STILL_A_MESSAGE)
        return [("italic", "   ".join(filter(None, parts)))]

    def _key_bindings(self) -> Any:
        """Return the keys that differ from the usual ones: the ends, and steps of graphemes."""
        from prompt_toolkit.filters import Condition  # noqa: PLC0415  # an extra
        from prompt_toolkit.key_binding import KeyBindings  # noqa: PLC0415

        bindings, buffer = KeyBindings(), self._buffer
        add = bindings.add
        add("c-c")(lambda _event: self._exit(KeyboardInterrupt()))
        add("<sigint>")(lambda _event: self._exit(KeyboardInterrupt()))
        add("c-d", filter=Condition(lambda: not buffer.text))(lambda _event: self._on_end())
        add("c-z")(lambda event: event.app.suspend_to_background())
        add("tab")(lambda _event: buffer.insert_text("\t"))
        add("escape", "<any>")(lambda _event: None)  # a letter with Alt is no letter
        add("c-u")(lambda _event: buffer.delete_before_cursor(buffer.cursor_position))
        for key in ("backspace", "c-h"):
            add(key)(lambda _event: buffer.delete_before_cursor(self._length_before()))
        add("delete")(lambda _event: buffer.delete(self._length_after()))
        for key in ("left", "c-b"):
            add(key)(lambda _event: self._move(-self._length_before()))
        for key in ("right", "c-f"):
            add(key)(lambda _event: self._move(self._length_after()))
        return bindings

    def _move(self, distance: int) -> None:
        self._buffer.cursor_position += distance

    def _length_before(self) -> int:
        """Code points of the grapheme before the cursor, such as a whole joined emoji."""
        from wcwidth import grapheme_boundary_before  # noqa: PLC0415  # an extra

        at = self._buffer.cursor_position
        return at - grapheme_boundary_before(self._buffer.text, at)

    def _length_after(self) -> int:
        from wcwidth import iter_graphemes  # noqa: PLC0415  # an extra

        return len(next(iter_graphemes(self._buffer.document.text_after_cursor), ""))


# Input of a pipe, read by a thread that can be stopped.

_CHUNK_SIZE: Final = 4_096


@contextmanager
def read_input(descriptor: int, on_text: Callable[[str | None], object]) -> Iterator[None]:
    """Read UTF-8 text in this block, and give it to `on_text` piece by piece; None at its end."""
    stop, stopping = os.pipe()
    thread = Thread(
        target=_read, args=(descriptor, stop, on_text), name="chatfsm-input", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        os.close(stopping)
        if sys.platform != "win32":  # a read cannot be stopped there
            thread.join()
        os.close(stop)


def _read(descriptor: int, stop: int, on_text: Callable[[str | None], object]) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        if sys.platform != "win32":  # select takes only sockets there
            ready, _, _ = select.select([descriptor, stop], [], [])
            if stop in ready:
                return
        piece = os.read(descriptor, _CHUNK_SIZE)
        text = decoder.decode(piece, final=not piece)
        if text:
            on_text(text)
        if not piece:
            on_text(None)
            return
