"""`chatfsm chat`: options, output and exit code."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatfsm._cli import main
from chatfsm._cli.chat import SavedChat
from chatfsm.drivers.storage import FileStore
from chatfsm.errors import SnapshotError
from chatfsm.replay.journal import verify
from chatfsm.simulator.scenario import Await, EndSession, Scenario
from tests.drivers.center import Server, texts_of

Chat = Callable[..., int]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(hold=0.05) as serving:
        yield serving


@pytest.fixture
def chat(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Chat]:
    """Run the command with lines on its standard input."""
    monkeypatch.setenv("CHATFSM_APP_ID", "an-app")
    monkeypatch.setenv("CHATFSM_CLIENT_ID", "client-1")
    monkeypatch.setattr("chatfsm._cli.chat.ANSWER_TIMEOUT", 1.0)
    opened = []

    def run(lines: str, *options: str) -> int:
        source, sink = os.pipe()
        os.write(sink, lines.encode())
        os.close(sink)
        opened.append(os.fdopen(source))
        monkeypatch.setattr(sys, "stdin", opened[-1])
        return main(["chat", "--url", server.url, "--insecure-http", *options])

    yield run
    for file in opened:
        file.close()


def arguments_with(*options: str) -> list[str]:
    return ["chat", "--url", "https://chat.example", *options]


def test_a_chat_through_a_pipe(chat: Chat, server: Server, capsys: Any) -> None:
    """Lines are sent, rows are printed, and after /end the command waits for the end."""
    assert chat("hello\n/end\n") == 0
    rows = capsys.readouterr().out
    assert f"new: {server.chat.chat_id}" in rows
    assert "sent         hello\n" in rows
    assert "message      Ada: You said: hello\n" in rows
    assert rows.splitlines()[-1].split()[1:] == ["over", "ended"]
    assert texts_of(server.chat) == ["hello"]


def test_the_end_of_the_input_ends_the_command(chat: Chat, server: Server) -> None:
    """Without /end the chat stays open at the server, and the messages have arrived."""
    assert chat("hello\nlast line without an end") == 0
    assert texts_of(server.chat) == ["hello", "last line without an end"]
    assert not server.chat.is_over


def test_at_the_end_of_a_pipe_the_answers_are_waited_for(chat: Chat, capsys: Any) -> None:
    """Replies to messages of a pipe are printed before the command ends."""
    assert chat("hello\n") == 0
    assert "message      Ada: You said: hello\n" in capsys.readouterr().out


def test_without_a_message_there_is_no_answer_to_wait_for(
    chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Empty input ends the command at once."""
    monkeypatch.setattr("chatfsm._cli.chat.ANSWER_TIMEOUT", 60.0)
    began = time.monotonic()
    assert chat("/help\n") == 0
    assert time.monotonic() - began < 30


def test_a_byte_order_mark_is_not_part_of_the_first_line(chat: Chat, server: Server) -> None:
    """Windows writes one at the beginning of a file; later ones are text."""
    assert chat("\ufeff//hello\r\n\ufeffsecond\n/end\n") == 0
    assert texts_of(server.chat) == ["/hello", "\ufeffsecond"]


@pytest.mark.parametrize("version", ["1", "2"])
def test_a_chat_continues_from_its_state(
    chat: Chat, server: Server, tmp_path: Path, capsys: Any, version: str
) -> None:
    """With --state the second run continues the chat; after its end the third opens another."""
    options = ("--state", str(tmp_path / "state.json"), "--version", version)
    assert chat("one\n", *options) == 0
    assert chat("two\n/end\n", *options) == 0
    [first] = server.chats
    assert texts_of(first) == ["one", "two"]
    assert f"new: {first.chat_id}" in capsys.readouterr().out
    assert chat("three\n/end\n", *options) == 0
    assert texts_of(server.chat) == ["three"]


def test_a_journal_is_written(chat: Chat, tmp_path: Path) -> None:
    """With --record two runs append to one journal, which replay verifies."""
    journal = tmp_path / "journal.jsonl"
    options = ("--state", str(tmp_path / "state.json"), "--record", str(journal))
    assert chat("one\n", *options) == 0
    assert chat("two\n/end\n", *options) == 0
    lines = journal.read_text().splitlines()
    assert sum("journal" in json.loads(line) for line in lines) == 2
    assert verify(lines) == len(lines) - 2
    assert journal.stat().st_mode & 0o777 == 0o600


class Reader(io.StringIO):
    """Output that reacts to texts written to it."""

    def __init__(self, reactions: dict[str, Callable[[], object]]) -> None:
        super().__init__()
        self.reactions = reactions

    def write(self, text: str) -> int:
        for cue in [cue for cue in self.reactions if cue in text]:
            self.reactions.pop(cue)()
        return super().write(text)


def test_a_form_is_asked_by_its_fields(server: Server, monkeypatch: Any, chat: Chat) -> None:
    """The form of --form is asked field by field."""
    source, sink = os.pipe()
    with os.fdopen(source) as lines, os.fdopen(sink, "w", buffering=1) as typing:
        reader = Reader(
            {
                "Good morning": lambda: typing.write("form\n"),
                "... contact: score?": lambda: typing.write("9\n"),
                "... contact: why?": lambda: typing.write("quick\n"),
                "Thank you for your 2 answers.": lambda: typing.write("/end\n"),
            },
        )
        monkeypatch.setattr(sys, "stdin", lines)
        monkeypatch.setattr(sys, "stdout", reader)
        options = ("--insecure-http", "--form", "contact=score, why")
        assert main(["chat", "--url", server.url, *options]) == 0
    assert reader.reactions == {}
    [answer] = [event for event in server.chat.customer_events if "data" in event]
    assert answer["data"] == {"score": "9", "why": "quick"}


def test_a_state_that_cannot_be_saved(
    chat: Chat, server: Server, monkeypatch: Any, tmp_path: Path, capsys: Any
) -> None:
    """A message whose state cannot be saved is not sent: the chat stops, and the file is named."""
    folder = tmp_path / "gone"
    folder.mkdir()
    # In one step, since another thread may be writing into the directory.
    remove_folder = lambda: folder.rename(tmp_path / "elsewhere")  # noqa: E731
    monkeypatch.setattr(sys, "stdout", Reader({"Good morning": remove_folder}))
    source, sink = os.pipe()
    with os.fdopen(source) as lines:
        monkeypatch.setattr(sys, "stdin", lines)
        options = ("--insecure-http", "--state", str(folder / "state.json"))
        assert main(["chat", "--url", server.url, *options]) == 2
    os.close(sink)
    assert re.search(rf"{folder}\S*: No such file", capsys.readouterr().err)


def test_a_chat_that_fails_has_another_status(chat: Chat) -> None:
    """A chat that the center ends with a failure gives exit code 1."""
    failing = Scenario("failing", (Await("chat_session_message"), EndSession("failed")))
    with Server(failing) as server:
        assert chat("hello\n/disconnect\n", "--url", server.url) == 1


def test_an_unreachable_server(chat: Chat, capsys: Any) -> None:
    """The error is on standard error, without a traceback."""
    assert chat("hello\n", "--url", "http://127.0.0.1:9") == 2
    assert "chatfsm: no reply (connect)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--url", "http://chat.example", "--app-id", "secret-app"], "see --insecure-http"),
        (["--url", "https://chat.example/path", "--app-id", "secret-app"], "without path"),
        (["--url", "https://chat.example", "--app-id", 'secret"app'], "app_id must be visible"),
        (["--url", "https://chat.example"], "set CHATFSM_APP_ID"),
        (["--url", "nonsense", "--app-id", "secret-app"], "https://"),
        (["--url", "https://c.example", "--app-id", "a", "--state", "/"], "/: "),
        (["--url", "https://c.example", "--app-id", "a", "--record", "/no/where"], "/no/where: "),
    ],
)
def test_a_wrong_option_is_named(
    arguments: list[str], why: str, monkeypatch: Any, capsys: Any
) -> None:
    """The error names the wrong option, and shows no id."""
    monkeypatch.delenv("CHATFSM_APP_ID", raising=False)
    assert main(["chat", *arguments]) == 2
    printed = capsys.readouterr().err
    assert why in printed
    assert "secret" not in printed


@pytest.mark.parametrize("form", ["survey", "=a", "survey=", "survey=a,,b", "survey=a,a"])
def test_a_form_without_fields_is_refused(form: str, capsys: Any) -> None:
    """--form takes a name and distinct fields."""
    with pytest.raises(SystemExit):
        main(arguments_with("--form", form))
    assert "must be NAME=FIELD,FIELD" in capsys.readouterr().err


def test_the_help_is_complete(capsys: Any) -> None:
    """The help has every option, the environment variables and the exit codes."""
    with pytest.raises(SystemExit):
        main(["chat", "--help"])
    printed = capsys.readouterr().out
    for word in (
        *("--url", "--tenant-url", "--app-id", "--version", "--form", "--state", "--record"),
        *("--plain", "--insecure-http", "CHATFSM_APP_ID", "CHATFSM_CLIENT_ID", "exit status"),
    ):
        assert word in printed


def test_the_client_id_stays_the_same(tmp_path: Path) -> None:
    """A client_id is created once and kept; another one in the environment is refused."""
    path = str(tmp_path / "state.json")
    saved = SavedChat.load(path, {})
    saved.save({"a": "record"})
    again = SavedChat.load(path, {"CHATFSM_CLIENT_ID": saved.client_id})
    assert (again.client_id, again.record) == (saved.client_id, {"a": "record"})
    assert saved.client_id not in repr(saved)
    assert SavedChat.load(None, {}).client_id != saved.client_id
    SavedChat.load(None, {}).save({"nowhere": "to keep it"})
    with pytest.raises(SnapshotError, match="another client id"):
        SavedChat.load(path, {"CHATFSM_CLIENT_ID": "other"})
    Path(path).write_text("{}")
    with pytest.raises(SnapshotError, match="does not hold the state"):
        SavedChat.load(path, {})


def test_a_second_process_on_one_state_file_is_refused(tmp_path: Path, capsys: Any) -> None:
    """Two processes would overwrite each other's state."""
    path = tmp_path / "state.json"
    held = FileStore(path)
    held.lock()
    options = ["chat", "--url", "https://chat.example", "--app-id", "a", "--state", str(path)]
    assert main(options) == 2
    assert "another process or chat has it open" in capsys.readouterr().err
    held.close()
    assert not path.exists()
