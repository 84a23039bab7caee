"""`chatfsm` without a command, and shell completion."""

from __future__ import annotations

import builtins
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from chatfsm._cli import ExitCode, main

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
