"""The interface of chatfsm is the pinned one, on which apps and scripts depend.

`interface.json` contains it as literals: names and fields of the vocabulary, options and exit codes
of the commands, and the results of replaying the recorded logs. After an intended change, write the
file again: `CHATFSM_PIN=write python -m pytest tests/guards/test_pinned_interface.py`.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import attrs
import pytest

from chatfsm import commands, effects, events, signaling
from chatfsm._cli import main

HERE = Path(__file__).resolve().parent
PINNED = HERE / "interface.json"
LOGS = sorted(path for path in (HERE.parent / "logs").iterdir() if path.suffix != ".md")
SUBCOMMANDS = (
    "replay",
    "metrics",
    "report",
    "diff",
    "coverage",
    "export",
    "scrub",
    "chat",
    "simulate",
    "demo",
    "judge",
    "schema",
)
UNIONS = {
    "events": events.Event,
    "commands": commands.Command,
    "effects": effects.Effect,
    "signaling": signaling.Signal,
}


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "chatfsm", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "100", "PYTHONUTF8": "1"},
    )


def vocabulary() -> dict[str, dict[str, list[str]]]:
    """Return the fields of every class of each union, in their order."""
    return {
        name: {cls.__name__: [field.name for field in attrs.fields(cls)] for cls in get_args(union)}
        for name, union in UNIONS.items()
    }


def printed(*arguments: str) -> str:
    """Return the output of a command, run in this process."""
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()),
        contextlib.suppress(SystemExit),
    ):
        patch.setenv("COLUMNS", "100")
        main(arguments)
    return out.getvalue()


def options() -> dict[str, list[str]]:
    """Return the arguments of each command, as its help names them."""
    return {
        command: re.findall(r"(?m)^  (\S.*?)(?:  .*)?$", _arguments_of(command))
        for command in SUBCOMMANDS
    }


def _arguments_of(command: str) -> str:
    """Return the help from the list of arguments on, without the exit codes after it."""
    text = printed(command, "--help")
    return text[text.index("\noptions:") :].partition("\nexit status")[0]


def exit_codes() -> dict[str, int]:
    """Return the exit codes of typical calls."""
    plain, hostile = (
        str(HERE.parent / "logs" / "plain.jsonl"),
        str(HERE.parent / "logs/hostile.jsonl"),
    )
    calls = {
        "clean": ("replay", "--quiet", plain),
        "findings": ("replay", "--quiet", "--fail-on", "any", hostile),
        "strict": ("replay", "--quiet", "--strict", hostile),
        "no such file": ("replay", "--quiet", "no-such-file.jsonl"),
        "no command": (),
        "bad option": ("replay", "--no-such-option"),
        "version": ("--version",),
        "scenarios": ("simulate", "--list"),
    }
    return {name: run(*arguments).returncode for name, arguments in calls.items()}


def replays() -> dict[str, list[Any]]:
    """Return for each log the lines of `replay --json`, and digests of that and of `--summary`."""
    found = {}
    for path in LOGS:
        rows, summary = (
            printed("replay", form, f"--chat-id={path.stem}", str(path))
            for form in ("--json", "--summary")
        )
        found[path.name] = [rows.count("\n"), _digest(rows), _digest(summary)]
    return found


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


PARTS: dict[str, Callable[[], Any]] = {
    "vocabulary": vocabulary,
    "options": options,
    "exit_codes": exit_codes,
    "replays": replays,
}


@pytest.mark.parametrize("part", PARTS)
def test_the_interface_is_unchanged(part: str) -> None:
    """Names, fields, options, exit codes and JSON are those of the file."""
    pinned = json.loads(PINNED.read_text("utf-8")) if PINNED.exists() else {}
    seen = PARTS[part]()
    if os.environ.get("CHATFSM_PIN") == "write":
        pinned[part] = seen
        PINNED.write_text(json.dumps(pinned, indent=1, sort_keys=True) + "\n", "utf-8")
    assert seen == pinned[part]
