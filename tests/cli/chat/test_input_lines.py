"""What is typed: lines, answers, and the keys of a terminal."""

from __future__ import annotations

import os
import pty
import termios
from queue import SimpleQueue

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm._cli.chat_ui import COMMAND_HELP, FormDialog, LineError, ParsedLine, parse_line
from chatfsm._cli.prompt import Editor, keys_of, read_input
from chatfsm.models import Form


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("hello", ParsedLine("", ("hello",))),
        ("", ParsedLine("", ("",))),
        (" /end", ParsedLine("", (" /end",))),
        ("//end", ParsedLine("", ("/end",))),
        ("/end", ParsedLine("end", ())),
        ("/end  ", ParsedLine("end", ())),
        ("/file a b.txt", ParsedLine("file", ("a b.txt",))),
        ("/get f-1 a b.txt", ParsedLine("get", ("f-1", "a b.txt"))),
        ("/get f-1   a", ParsedLine("get", ("f-1", "a"))),
    ],
)
def test_a_line_is_said_or_is_an_order(text: str, line: ParsedLine) -> None:
    """Only a slash at the very beginning makes an order, and paths may hold blanks."""
    assert parse_line(text) == line


@pytest.mark.parametrize("text", ["/", "/nope", "/End", "/end now", "/file", "/file ", "/get f-1"])
def test_an_order_that_is_none_says_why(text: str) -> None:
    """What is misspelt is never said to the agent."""
    with pytest.raises(LineError, match=r"there is no|takes"):
        parse_line(text)


def test_every_order_is_in_the_help() -> None:
    """What the help names is understood, given as many words as it says."""
    for words in COMMAND_HELP[:-1]:
        order, *takes = words[:18].split()
        assert parse_line(" ".join([order, *takes])).command == order[1:]


def test_known_fields_are_asked_one_by_one() -> None:
    """Each line is the answer to the field that was asked, whatever is in it."""
    asking = FormDialog(Form("7", "survey"), ("score", "comment"))
    assert asking.question == "score"
    assert not asking.take_line("9")
    assert asking.question == "comment"
    assert asking.take_line("a=b")
    assert asking.answers == {"score": "9", "comment": "a=b"}


def test_unknown_fields_are_named_by_whoever_answers() -> None:
    """Lines name=value, until an empty one; what is none of them changes nothing."""
    asking = FormDialog(Form("7", "survey"))
    assert "name=value" in asking.question
    assert not asking.take_line("score = 9")
    with pytest.raises(LineError, match="name=value"):
        asking.take_line("nine")
    with pytest.raises(LineError, match="name=value"):
        asking.take_line("=nine")
    assert asking.take_line(" ")
    assert asking.answers == {"score": "9"}


def test_answers_are_in_no_repr() -> None:
    """What answers a form is nobody's business."""
    asking = FormDialog(Form("8", "card", secure=True), ("number",))
    asking.take_line("4111")
    assert "4111" not in repr(asking)


def typed(*pieces: str) -> Editor:
    editor = Editor()
    for piece in pieces:
        assert list(editor.type(piece)) == []
    return editor


@pytest.mark.parametrize(
    ("pieces", "text", "at"),
    [
        (("abc",), "abc", 3),
        (("abc\x7f",), "ab", 2),
        (("abc\x1b[D\x1b[Dx",), "axbc", 2),
        (("abc\x1bOD\x1bOCx",), "abcx", 4),
        (("abc\x01x",), "xabc", 1),
        (("abc\x1b[H\x1b[3~",), "bc", 0),
        (("abc\x1b[H\x1b[Fx",), "abcx", 4),
        (("one two\x17",), "one ", 4),
        (("one two  \x17",), "one ", 4),
        (("abc\x1b[D\x15",), "c", 0),
        (("\x7f\x1b[D",), "", 0),
        (("a\x1b", "[", "D", "b"), "ba", 1),
        (("a\x1b[1;5Db",), "ab", 2),
        (("a\x1bxb",), "ab", 2),
        (("a\x00\x07b",), "ab", 2),
        (("grüße 🙂",), "grüße 🙂", 7),
    ],
)
def test_keys_edit_the_line(pieces: tuple[str, ...], text: str, at: int) -> None:
    """Letters go where the cursor is, the usual keys do the usual, others nothing."""
    editor = typed(*pieces)
    assert (editor.text, editor.at) == (text, at)


def test_enter_ends_a_line() -> None:
    """A piece may hold several lines, and the beginning of another."""
    editor = Editor()
    assert list(editor.type("one\rtwo\nthr")) == ["one", "two"]
    assert (editor.text, editor.at) == ("thr", 3)


def test_ctrl_d_ends_an_empty_line_only() -> None:
    """Ctrl-D leaves, unless something was typed."""
    assert not typed("a\x04").is_ended
    assert typed("a\x7f\x04").is_ended


@given(st.lists(st.text(), max_size=5))
def test_whatever_is_typed_the_line_stays_printable(pieces: list[str]) -> None:
    """No key, and no half of one, puts anything into the line that moves a cursor."""
    editor = Editor()
    for piece in pieces:
        for line in editor.type(piece):
            assert line.isprintable()
        assert editor.text.isprintable()
        assert 0 <= editor.at <= len(editor.text)


def test_what_comes_is_heard_until_its_end() -> None:
    """A letter that is cut in two is heard whole, what is no text is marked, None is the end."""
    source, sink = os.pipe()
    heard: SimpleQueue[str | None] = SimpleQueue()
    with read_input(source, heard.put):
        os.write(sink, "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}".encode()[:-1])
        assert heard.get(timeout=10) == "gr"
        os.write(sink, b"\xbc\xff")
        assert heard.get(timeout=10) == "ü�"
        os.close(sink)
        assert heard.get(timeout=10) is None
    os.close(source)


def test_reading_ends_though_nothing_comes() -> None:
    """The block ends at once, and its thread with it."""
    source, sink = os.pipe()
    with read_input(source, lambda _piece: None):
        pass
    os.close(source)
    os.close(sink)


def test_a_terminal_gives_each_key_and_is_put_back() -> None:
    """Without waiting for a line, and without showing it; afterwards all is as it was."""
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    with keys_of(theirs):
        os.write(ours, b"k")
        assert os.read(theirs, 1) == b"k"
    assert termios.tcgetattr(theirs) == before
    os.close(ours)
    os.close(theirs)
