"""Output of the commands: safe for terminals, for every encoding and for JSON parsers."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chatfsm._cli import main
from chatfsm._cli.terminal_text import harmless_text, prepare_streams, print_error
from chatfsm._plain import json_text

HOSTILE = "\x1b[31mred\x07\u202e"
STATUS = '{"chat_id":"C1","event":"chat_session_status","state":"connected"}\n'
Refused = Callable[..., str]


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Refused:
    """Run a command that fails, and return its standard error."""

    def run(*words: str) -> str:
        code: object
        try:
            code = main(words)
        except SystemExit as stop:
            code = stop.code
        assert code == 2
        return capsys.readouterr().err

    return run


@pytest.mark.parametrize(
    "words",
    [
        ("replay", HOSTILE),
        ("replay", "--rows", HOSTILE, "x"),
        ("replay", f"--{HOSTILE}", "x"),
        ("scrub", HOSTILE, "-"),
        ("simulate", HOSTILE),
        ("simulate", "--scenario", HOSTILE),
        ("chat", "--url", "https://chat.example", "--app-id", "a", "--state", f"{HOSTILE}/x/"),
        ("chat", "--url", f"http://{HOSTILE}", "--app-id", "a"),
        ("demo", "--seed", HOSTILE),
        (HOSTILE,),
    ],
)
def test_an_error_quotes_no_control_characters(
    refused: Refused, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Arguments and file names may be hostile."""
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        printed = refused(*words)
    assert printed
    assert printed.replace("\n", "").isprintable()


def test_an_error_escapes_a_hostile_file_name(refused: Refused, tmp_path: Path) -> None:
    """The file name in the error is escaped."""
    path = tmp_path / f"{HOSTILE}.jsonl"
    path.write_text("no log")
    assert "\\x1b[31mred\\x07\\u202e.jsonl: line 1: not a log" in refused("replay", str(path))


@pytest.mark.skipif(sys.platform in {"win32", "darwin"}, reason="names are Unicode there")
def test_a_file_name_that_is_not_unicode_is_printed_escaped(tmp_path: Path) -> None:
    """Old file systems have such names."""
    path = os.fsencode(tmp_path) + b"/caf\xe9.jsonl"
    Path(os.fsdecode(path)).write_text(STATUS.replace('"chat_id":"C1",', ""))
    for options in ([], ["--json"], ["--summary"]):
        command = [sys.executable, "-m", "chatfsm", "replay", *options, path]
        result = subprocess.run(command, capture_output=True, check=False, timeout=60)
        assert (result.returncode, result.stderr) == (0, b"")
        assert "caf" in result.stdout.decode("utf-8")


def test_errors_without_a_standard_error_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under pythonw there is no standard error."""
    monkeypatch.setattr(sys, "stderr", None)
    print_error("unseen")


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "latin-1", "utf-8"])
def test_each_stream_takes_each_character(encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A character outside the encoding is escaped, and does not end the command."""
    for name in ("stdout", "stderr"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        monkeypatch.setattr(sys, name, stream)
    prepare_streams()
    for stream in (sys.stdout, sys.stderr):
        stream.write("Łucja \U0001f642 \udce9\n")
        stream.flush()


@pytest.mark.parametrize("command", ["replay", "simulate", "demo"])
def test_each_command_survives_a_stream_that_cannot_encode(command: str, tmp_path: Path) -> None:
    """Pipes on Windows and LANG=C have such streams."""
    path = tmp_path / "Łucja.jsonl"
    path.write_text(
        STATUS + json.dumps({"event": "chat_session_message", "msg": "Dzień dobry \U0001f642"})
    )
    words = {"replay": ["replay", str(path)], "simulate": ["simulate", "--list"], "demo": ["demo"]}
    result = subprocess.run(
        [sys.executable, "-m", "chatfsm", *words[command]],
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
    )
    assert result.returncode == 0
    assert result.stdout.isascii()
    assert result.stderr == b""


LONE = {"high": "a\ud83db", "low": "\ude42", "two": "\ud83d\ud83d\ude42", "escaped": "\\ud83d"}
WHOLE = {"high": "a\ufffdb", "low": "\ufffd", "two": "\ufffd\U0001f642", "escaped": "\\ud83d"}


@pytest.mark.parametrize("kind", LONE)
def test_json_has_no_lone_surrogates(kind: str) -> None:
    """Strict parsers such as jq refuse them; pairs and escaped texts are unchanged."""
    text = LONE[kind]
    assert json.loads(json_text({text: [text]})) == {WHOLE[kind]: [WHOLE[kind]]}


@pytest.mark.parametrize("option", ["--json", "--summary"])
def test_the_json_of_replay_has_no_lone_surrogates(
    tmp_path: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lone surrogates of the log are replaced in all JSON output."""
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"chat_id":"C\\ud83d","event":"chat_session_party_joined","party_id":"\\ude42"}\n'
        '{"chat_id":"C\\ud83d","event":"chat_session_message","msg":"\\ud83d","party_id":"\\ude42"}\n'
        '{"chat_id":"C\\ud83d","event":"\\ud83d","x":{"\\ud83d":"\\ud83d"}}\n'
    )
    assert main(["replay", option, str(path)]) == 0
    printed = capsys.readouterr().out
    assert "\\ufffd" in printed
    for document in printed.splitlines() if option == "--json" else [printed]:
        json.dumps(json.loads(document), ensure_ascii=False).encode("utf-8")


def test_a_surrogate_is_escaped() -> None:
    """A lone surrogate is escaped."""
    assert harmless_text("caf\udce9") == "caf\\udce9"
