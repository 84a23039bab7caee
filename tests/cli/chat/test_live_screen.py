"""The live screen: keys, rows and the status, without a terminal."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import unicodedata
from threading import Thread

import pytest
from attrs import define, field
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from chatfsm._cli.prompt import LiveScreen, Question
from chatfsm._cli.timeline import Row

CTRL_C = "\x03"
F12 = "\x1b[24~"
"""The last key: after it the screen is drawn, and then closed."""
MESSAGE = Question()
CARD = Question("1", is_hidden=True)


@define
class TypedScreen:
    """A live screen after some keys, with the lines and edits that it reported."""

    lines: list[tuple[str, Question]] = field(factory=list)
    edits: list[tuple[str, Question]] = field(factory=list)
    ends: int = 0
    out: io.StringIO = field(factory=io.StringIO)
    cells: str = ""
    """The final content of the screen."""
    screen: LiveScreen = field(init=False)

    @property
    def text(self) -> str:
        return self.screen._buffer.text

    @property
    def at(self) -> int:
        return self.screen._buffer.cursor_position

    def end(self) -> None:
        self.ends += 1

    def read_cells(self) -> None:
        """Read the content of the screen."""
        drawn = self.screen._app.renderer.last_rendered_screen
        if drawn is not None:
            rows = drawn.data_buffer.values()
            self.cells = "".join(cell.char for row in rows for cell in row.values())


def typed(*keys: str, question: Question = MESSAGE, rows: tuple[Row, ...] = ()) -> TypedScreen:
    """Type keys into a screen of 40 columns, then Ctrl-C."""
    made = TypedScreen()
    with create_pipe_input() as source:
        made.screen = screen = LiveScreen(
            lambda text, asked: made.lines.append((text, asked)),
            lambda text, asked: made.edits.append((text, asked)),
            made.end,
            keys=source,
            display=Vt100_Output(made.out, lambda: Size(rows=24, columns=40), enable_cpr=False),
        )
        screen.show_status("card: number?" if question.request_id else "", question)
        for row in rows:
            screen.show(row)
        last: list[object] = []
        screen._app.key_bindings.add("f12")(last.append)

        def after_drawing(_app: object) -> None:
            made.read_cells()
            if last:
                last.clear()
                source.send_text(CTRL_C)

        screen._app.after_render += after_drawing
        for piece in (*keys, F12):
            source.send_text(piece)
        with pytest.raises(KeyboardInterrupt):
            screen.run()
    return made


@pytest.mark.parametrize(
    ("pieces", "text", "at"),
    [
        (("abc",), "abc", 3),
        (("abc\x7f",), "ab", 2),
        (("abc\x08",), "ab", 2),
        (("abc\x1b[D\x1b[Dx",), "axbc", 2),
        (("abc\x1bOD\x1bOCx",), "abcx", 4),
        (("abc\x02\x06x",), "abcx", 4),
        (("abc\x01x",), "xabc", 1),
        (("abc\x1b[H\x1b[3~",), "bc", 0),
        (("abc\x1b[H\x1b[Fx",), "abcx", 4),
        (("one two\x17",), "one ", 4),
        (("one two  \x17",), "one ", 4),
        (("abc\x1b[D\x15",), "c", 0),
        (("\x7f\x1b[D\x1b[C\x1b[3~",), "", 0),
        (("a\x1b", "[", "D", "b"), "ba", 1),
        (("a\x1b[1;5Db",), "ba", 1),
        (("a\x1bxb",), "ab", 2),
        (("a\x00\x07b",), "ab", 2),
        (("grüße 🙂",), "grüße 🙂", 7),
        (("SKU\t42",), "SKU\t42", 6),
        (("\x1b[200~a\r\nb\nc\x1b[201~",), "a\nb\nc", 5),
        (("\x1b[200~a\nb\x1b[201~\x15",), "", 0),
    ],
)
def test_keys_edit_the_line(pieces: tuple[str, ...], text: str, at: int) -> None:
    """Letters are inserted at the cursor; editing keys work, others are ignored."""
    found = typed(*pieces)
    assert (found.text, found.at) == (text, at)


@pytest.mark.parametrize(
    "grapheme",
    ["e\u0301", "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\U0001f1e9\U0001f1ea", "京"],
)
def test_keys_act_on_graphemes(grapheme: str) -> None:
    """A grapheme is deleted and passed as one character."""
    assert typed(f"a{grapheme}\x7f").text == "a"
    assert typed(f"a{grapheme}\x1b[Db").text == f"ab{grapheme}"
    assert typed(f"a{grapheme}\x1b[D\x1b[3~").text == "a"
    assert typed(f"{grapheme}\x01\x1b[Cb").text == f"{grapheme}b"


def test_enter_ends_a_line() -> None:
    """One piece of input may hold several lines, and the beginning of another."""
    found = typed("one\rtwo\nthr")
    assert found.lines == [("one", MESSAGE), ("two", MESSAGE)]
    assert (found.text, found.at) == ("thr", 3)
    assert [text for text, _ in found.edits] == [
        *("o", "on", "one", "t", "tw", "two", "t", "th", "thr")
    ]


def test_ctrl_d_ends_an_empty_line_only() -> None:
    """Ctrl-D ends the input only if the line is empty."""
    assert typed("a\x04").ends == 0
    assert typed("a\x7f\x04").ends == 1


def test_hidden_input_is_drawn_as_stars() -> None:
    """The answer of a secure form is nowhere on the screen."""
    found = typed("4711", question=CARD)
    assert "****" in found.cells
    assert "4711" not in found.out.getvalue()
    assert found.edits[-1] == ("4711", CARD)


def test_hidden_input_is_not_restored() -> None:
    """Neither Up nor Ctrl-Y nor undo restores the answer of a secure form."""
    found = typed("4711\x174712\r\x1b[A\x19", question=CARD)
    assert found.lines == [("4712", CARD)]
    assert found.text == ""
    deleted = typed("4711\x17\x19\x1f", question=CARD)
    assert deleted.text == ""
    assert typed("4711\x17\x19").text == "4711"


@pytest.mark.parametrize("keys", [["4"], ["\x1b[200~4\x1b[201~"]])
def test_a_line_belongs_to_the_question_it_was_begun_for(keys: list[str]) -> None:
    """A later question applies to the next line, and the status says so."""
    found = typed(*keys, question=CARD)
    found.screen.show_status("", MESSAGE)
    assert found.screen._current == CARD
    assert "Enter drops this answer" in str(found.screen._status_text())
    found.screen._buffer.validate_and_handle()
    assert found.lines == [("4", CARD)]
    assert found.screen._current == MESSAGE


@given(st.lists(st.text(), max_size=5))
def test_any_input_leaves_the_screen_printable(pieces: list[str]) -> None:
    """No key sequence, complete or not, puts control characters on the screen."""
    keys = [piece.replace(CTRL_C, "").replace("\x1a", "") for piece in pieces]
    found = typed("x", *keys, "\x1b[201~")
    assert not [cell for cell in found.cells if unicodedata.category(cell) == "Cc"]
    assert 0 <= found.at <= len(found.text)


@pytest.mark.parametrize("text", ["", "hello", "a long line " * 30])
def test_rows_are_printed_above_the_input(text: str) -> None:
    """Rows are shown without interpreting markup, and long input is wrapped."""
    row = Row("+0:01", "message", "Ada", "[bold]Hello[/bold] :smile:", "plain")
    found = typed(text, rows=(row,))
    assert "[bold]Hello[/bold] :smile:" in found.out.getvalue()
    assert found.cells.replace(" ", "").startswith(">" + text[:60].replace(" ", ""))


def test_no_row_prints_an_escape_sequence() -> None:
    """Rows are escaped before; any control character left is drawn as a question mark."""
    row = Row("+0:01", "message", "Ada", "\x1b[2J", "bad")
    assert "\x1b[2J" not in typed(rows=(row,)).out.getvalue()


def test_many_rows_are_printed_in_order() -> None:
    """Another thread may show rows faster than the terminal draws; few of them wait."""
    out = io.StringIO()
    waiting: list[int] = []
    with create_pipe_input() as source:
        display = Vt100_Output(out, lambda: Size(rows=24, columns=40), enable_cpr=False)
        screen = LiveScreen(print, print, print, keys=source, display=display)

        def show() -> None:
            for number in range(5_000):
                screen.show(Row("", "message", "", f"row {number}.", "plain"))
                waiting.append(len(screen._rows))
            screen.stop()

        thread = Thread(target=show)
        screen._app.after_render += lambda _app: None if thread.ident else thread.start()
        screen.run()
        thread.join(10)
        screen.close()
    assert re.findall(r"row (\d+)\.", out.getvalue()) == [str(number) for number in range(5_000)]
    assert max(waiting) <= 256


def test_late_rows_are_printed_at_the_end() -> None:
    """A row shown after the end of the input is printed by `close`."""
    found = typed()
    found.screen.show(Row("+0:01", "over", "", "ended", "good"))
    assert "ended" not in found.out.getvalue()
    found.screen.close()
    assert "ended" in found.out.getvalue()


def test_a_stopped_screen_does_not_start() -> None:
    """A chat can be over before the first key is read."""
    with create_pipe_input() as source:
        size = Size(rows=24, columns=40)
        display = Vt100_Output(io.StringIO(), lambda: size, enable_cpr=False)
        screen = LiveScreen(print, print, print, keys=source, display=display)
        screen.stop()
        screen.run()


def test_a_closed_terminal_ends_the_input() -> None:
    """The end of the input counts as Ctrl-D."""
    ends: list[bool] = []
    with create_pipe_input() as source:
        size = Size(rows=24, columns=40)
        display = Vt100_Output(io.StringIO(), lambda: size, enable_cpr=False)
        screen = LiveScreen(print, print, lambda: ends.append(True), keys=source, display=display)
        source.close()
        screen.run()
    assert ends == [True]


def test_no_module_of_the_chat_needs_posix() -> None:
    """The modules of the chat can be imported on Windows, without POSIX modules."""
    absent = ("termios", "tty", "pty", "fcntl", "pwd", "grp", "resource", "readline", "curses")
    code = f"import sys; sys.modules.update(dict.fromkeys({absent})); import chatfsm._cli.chat"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
