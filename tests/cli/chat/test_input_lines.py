"""Lines of input: messages, commands, answers, and partial lines of a pipe."""

from __future__ import annotations

import os
from queue import SimpleQueue

import pytest

from chatfsm._cli.chat_ui import COMMAND_HELP, FormDialog, LineError, ParsedLine, parse_line
from chatfsm._cli.prompt import read_input
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
def test_a_line_is_a_message_or_a_command(text: str, line: ParsedLine) -> None:
    """Only a leading slash makes a command; paths may contain spaces."""
    assert parse_line(text) == line


@pytest.mark.parametrize("text", ["/", "/nope", "/End", "/end now", "/file", "/file ", "/get f-1"])
def test_an_unknown_command_is_refused(text: str) -> None:
    """A misspelt command is never sent to the agent."""
    with pytest.raises(LineError, match=r"there is no|takes"):
        parse_line(text)


def test_every_command_is_in_the_help() -> None:
    """Each command of the help is parsed, with the shown number of arguments."""
    for words in COMMAND_HELP[:-1]:
        command, *parameters = words[:18].split()
        assert parse_line(" ".join([command, *parameters])).command == command[1:]


def test_known_fields_are_asked_one_by_one() -> None:
    """Each line is the answer to the asked field, whatever its text."""
    dialog = FormDialog(Form("7", "survey"), ("score", "comment"))
    assert dialog.prompt == "score"
    assert not dialog.take("9")
    assert dialog.prompt == "comment"
    assert dialog.take("a=b")
    assert dialog.answers == {"score": "9", "comment": "a=b"}


def test_unknown_fields_are_named_in_the_answers() -> None:
    """Lines name=value are read until an empty one; malformed ones are errors."""
    dialog = FormDialog(Form("7", "survey"))
    assert "name=value" in dialog.prompt
    assert not dialog.take("score = 9")
    with pytest.raises(LineError, match="name=value"):
        dialog.take("nine")
    with pytest.raises(LineError, match="name=value"):
        dialog.take("=nine")
    assert dialog.take(" ")
    assert dialog.answers == {"score": "9"}


def test_answers_are_in_no_repr() -> None:
    """The repr of a form dialog holds no answers."""
    dialog = FormDialog(Form("8", "card", secure=True), ("number",))
    dialog.take("4111")
    assert "4111" not in repr(dialog)


def test_input_is_read_to_its_end() -> None:
    """A split character is joined, an invalid byte is replaced, and None is the end."""
    source, sink = os.pipe()
    pieces: SimpleQueue[str | None] = SimpleQueue()
    with read_input(source, pieces.put):
        os.write(sink, "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}".encode()[:-1])
        assert pieces.get(timeout=10) == "gr"
        os.write(sink, b"\xbc\xff")
        assert pieces.get(timeout=10) == "ü�"
        os.close(sink)
        assert pieces.get(timeout=10) is None
    os.close(source)


def test_reading_ends_without_input() -> None:
    """The block ends at once, and its thread with it."""
    source, sink = os.pipe()
    with read_input(source, lambda _piece: None):
        pass
    os.close(source)
    os.close(sink)
