"""The command line: help, version, and invalid arguments."""

from __future__ import annotations

import importlib
import json
import re
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import chatfsm
from chatfsm import _cli
from chatfsm._cli import main

Log = Callable[..., Path]
Replays = Callable[..., Any]
# A child that takes longer than this is stuck, even on a slow machine.
TIMEOUT = 60


@pytest.mark.parametrize(
    "words",
    [
        ["replay"],
        ["unknown"],
        ["replay", "--json", "--summary", "x"],
        ["replay", "--json", "--quiet", "x"],
        ["replay", "--wrong", "x"],
        ["replay", "--color", "sometimes", "x"],
        ["replay", "--chat-id", "", "x"],
        ["replay", "--fail-on", "wrong", "x"],
        ["replay", "--fail-on", "unknown,", "x"],
        ["replay", "--fail-on", "", "x"],
        *[["replay", f"--rows={rows}", "x"] for rows in ("-1", "1.5", "many", "", "²")],
        *[["replay", f"--jobs={jobs}", "x"] for jobs in ("0", "65", "-1", "1.5", "all", "", "²")],
        *[
            ["replay", f"--close-after={seconds}", "x"]
            for seconds in ("0", "-1", "nan", "inf", "soon", "")
        ],
    ],
)
def test_a_wrong_command_line_is_refused(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, usage and reason on standard error, nothing on standard output."""
    with pytest.raises(SystemExit) as stop:
        main(words)
    out, err = capsys.readouterr()
    assert (stop.value.code, out) == (2, "")
    assert err.startswith("usage: chatfsm")
    assert "error: " in err


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("--fail-on=wrong", "must be one of unknown, malformed, anomalies, late, any, not 'wrong'"),
        ("--rows=-1", "must be a whole number, 0 or more, not '-1'"),
        ("--close-after=0", "must be greater than 0 seconds, not '0'"),
        ("--jobs=65", "must be a whole number from 1 to 64, not '65'"),
        ("--chat-id=", "must not be empty"),
    ],
)
def test_an_error_names_the_allowed_values(replays: Replays, word: str, why: str) -> None:
    """The error quotes the value and the allowed ones."""
    result = replays(word, "x")
    assert (result.status, result.err.splitlines()[-1].endswith(why)) == (2, True)


def test_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """`chatfsm --version` prints the version, with exit code 0."""
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"chatfsm {chatfsm.__version__}\n"


def test_help_shows_every_option(replays: Replays) -> None:
    """The help has all options, the exit codes and the kinds of FILE."""
    result = replays("--help")
    assert (result.status, result.err) == (0, "")
    options = {
        "--json",
        "--summary",
        "--quiet",
        "--unnamed-chat",
        "--received-at",
        "--unwrap",
        "--chat",
        "--only-findings",
        "--explain",
        "--time",
        "--close-after",
        "--rows",
        "--strict",
        "--verify",
        "--fail-on",
        "--color",
        "--jobs",
        "--help",
    }
    assert set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", result.out, re.MULTILINE)) == options
    words = " ".join(result.out.split())
    assert "exit status: 0 clean; 1 a finding" in words
    assert "unknown, malformed, anomalies, late, or any" in words
    assert "- is standard input" in words


def test_help_names_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """`chatfsm --help` lists the commands."""
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "replay recorded chats" in capsys.readouterr().out


def test_the_module_is_the_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`python -m chatfsm` runs the command; importing the module does nothing."""
    assert importlib.import_module("chatfsm.__main__").main is main
    monkeypatch.delitem(sys.modules, "chatfsm.__main__")
    monkeypatch.setattr(sys, "argv", ["chatfsm", "--version"])
    # The import hook of pytest cannot run a package, so that it is removed.
    finders = [each for each in sys.meta_path if type(each).__name__ != "AssertionRewritingHook"]
    monkeypatch.setattr(sys, "meta_path", finders)
    with pytest.raises(SystemExit) as stop:
        runpy.run_module("chatfsm", run_name="__main__")
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("chatfsm ")


def test_python_m_chatfsm_works(wire: Any, log: Log) -> None:
    """`python -m chatfsm` runs in a process and returns its exit code."""
    path = log("a.jsonl", wire.unknown())
    words = ["replay", "--summary", "--fail-on", "any", str(path)]
    result = subprocess.run(
        [sys.executable, "-m", "chatfsm", *words],
        capture_output=True,
        check=False,
        timeout=TIMEOUT,
    )
    assert (result.returncode, result.stderr) == (1, b"")
    assert json.loads(result.stdout)["totals"]["findings"]["unknown"] == 1


def test_help_does_not_import_the_replay() -> None:
    """`chatfsm --help` is fast: it does not import the replay and its output."""
    code = (
        "import sys; from chatfsm._cli import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    )
    code += "\nsys.exit('chatfsm._cli.replay' in sys.modules or 'rich' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, timeout=TIMEOUT
    )
    assert (result.returncode, result.stderr) == (0, b"")


def test_the_public_name_of_the_command_is_main() -> None:
    """The console script calls `main`, next to the exit codes."""
    assert _cli.__all__ == ["ExitCode", "main"]
