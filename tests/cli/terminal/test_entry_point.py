"""`chatfsm` without a command, and shell completion."""

from __future__ import annotations

import argparse
import builtins
import gc
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chatfsm import _cli
from chatfsm._cli import ExitCode, main
from chatfsm.errors import ChatError

SHELLS = ("bash", "zsh", "fish", "tcsh")


def test_no_command_prints_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Without arguments, help is on standard error, and the exit code is that of wrong usage."""
    assert main([]) == ExitCode.ERROR
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "commands:" in printed.err
    assert "replay recorded chats" in printed.err


def test_no_command_and_no_standard_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under pythonw nothing is printed, and the exit code is the same."""
    monkeypatch.setattr("sys.stderr", None)
    assert main([]) == ExitCode.ERROR


def script_of(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as stop:
        main(["--print-completion", shell])
    assert not stop.value.code
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", SHELLS)
def test_each_shell_has_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The script contains a command and an option of another one."""
    script = script_of(shell, capsys)
    assert "simulate" in script
    assert "only-findings" in script


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("re",), {"replay", "report"}),
        (("replay", "--only"), {"--only-findings"}),
        (("replay", "--time", ""), {"relative", "utc", "local"}),
        (("metrics", "plain.j"), {"plain.jsonl"}),
        (("export", "--to", "csv", "-o", "plain"), {"plain.jsonl"}),
    ],
)
def test_bash_completes(
    words: tuple[str, ...], found: set[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Bash completes commands, options, choices and files."""
    (tmp_path / "completion").write_text(script_of("bash", capsys), "utf-8")
    (tmp_path / "plain.jsonl").touch()
    program = (
        'source completion; COMP_WORDS=(chatfsm "$@"); COMP_CWORD=$#; _shtab_chatfsm; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    run = subprocess.run(
        ["bash", "--norc", "-c", program, "bash", *words],  # noqa: S607  # bash has no fixed path
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert set(run.stdout.split()) == found


def test_an_absent_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without shtab the error names the extra to install."""
    real = builtins.__import__

    def without_shtab(name: str, *rest: Any) -> Any:
        if name == "shtab":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without_shtab)
    assert main(["--print-completion", "bash"]) == ExitCode.ERROR
    assert "pip install 'chatfsm[cli]'" in capsys.readouterr().err


def _commands(parser: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    [choices] = [action.choices for action in parser._actions if action.metavar == "COMMAND"]
    return dict(choices or {})


@pytest.mark.parametrize("name", _commands(_cli._parser()))
def test_a_command_is_parsed_without_the_others(name: str) -> None:
    """Its help is the same, whether its arguments are all that were made, or not."""
    every, alone = _cli._parser(), _cli._parser(name)
    assert [*_commands(alone)] == [name]
    assert _commands(alone)[name].format_help() == _commands(every)[name].format_help()
    assert alone.format_usage() == every.format_usage()


@pytest.mark.parametrize("word", ["--help", "nothing", "re"])
def test_words_that_are_no_command_need_all(word: str) -> None:
    """Help lists all of them, and so does the error."""
    assert [*_commands(_cli._parser(word))] == [*_commands(_cli._parser())]


def test_the_garbage_collector_is_as_before_after_a_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It runs rarely while the command does, also if that fails."""
    met: list[tuple[int, int, int]] = []

    def fail(_options: object) -> int:
        met.append(gc.get_threshold())
        raise ChatError("nothing to print")

    monkeypatch.setattr("chatfsm._cli.schema.run", fail)
    before = gc.get_threshold()
    assert main(["schema"]) == ExitCode.ERROR
    assert met[0][0] > before[0]
    assert gc.get_threshold() == before
