"""Every command that reads logs gives the same output with `--jobs`."""

from __future__ import annotations

import json
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import pytest

from chatfsm import _cli

LOGS = Path(__file__).resolve().parents[2] / "logs"
MANY = [str(LOGS / name) for name in ("two_chats.jsonl", "late.jsonl", "transfer.jsonl")]
STUCK = str(LOGS / "stuck_typing.jsonl")
COMMANDS = (
    ["metrics", "--per=chat", "--format=json"],
    ["coverage", "--json"],
    ["report", "-o", "-"],
    ["report", "-o", "-", "--max-chats=2", "--max-steps=5"],
)
DIFFS = (
    [MANY[0], MANY[0], "--set-b=typing_timeout=1"],
    [str(LOGS), str(LOGS)],
    [MANY[0], MANY[2], "--metrics"],
)


def run_command(*words: str) -> tuple[int, str, str]:
    """The exit code, the output and the errors of a command."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = _cli.main([*words])
    return status, out.getvalue(), err.getvalue()


@pytest.fixture
def interleaved(tmp_path: Path) -> str:
    """A log of interleaved chats, with unnamed events, a broken line and a finding."""
    parts = [Path(name).read_bytes().splitlines() for name in (STUCK, *MANY[1:])]
    lines: list[bytes] = []
    for number in range(max(map(len, parts))):
        for chat, part in enumerate(parts):
            if number < len(part):
                event = json.loads(part[number])
                lines.append(json.dumps({**event, "chat_id": f"c{chat}"}).encode())
    lines[5:5] = [b'{"event": "chat_session_weather"}', b"broken"]
    path = tmp_path / "interleaved.jsonl"
    path.write_bytes(b"\n".join(lines))
    return str(path)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_prints_the_same(interleaved: str, words: list[str]) -> None:
    """The output is identical, byte for byte, for any number of processes."""
    alone = run_command(*words, interleaved, *MANY)
    assert alone[1]
    for jobs in ("2", "3"):
        status, out, err = run_command(*words, interleaved, *MANY, "--jobs", jobs)
        assert (status, out, err) == alone


@pytest.mark.parametrize("words", DIFFS, ids=["settings", "directories", "metrics"])
def test_a_comparison_prints_the_same(words: list[str]) -> None:
    """Both sides are read by all processes, twice if a chat differs."""
    alone = run_command("diff", *words)
    assert run_command("diff", *words, "--jobs=3") == alone


def test_a_side_that_cannot_be_read_ends_a_comparison(tmp_path: Path) -> None:
    """The error is that of one process."""
    bad = tmp_path / "bad.jsonl"
    bad.write_bytes(Path(STUCK).read_bytes() + b'{"v": 9, "chat_id": "a", "in": 5}\n')
    alone = run_command("diff", str(bad), STUCK)
    assert alone[0] == 2
    assert run_command("diff", str(bad), STUCK, "--jobs=2") == alone


def test_a_page_notes_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The note is printed once, for any number of processes."""
    missing = str(tmp_path / "missing.jsonl")
    alone = run_command("report", "-o", "-", STUCK, missing)
    assert alone[0] == 2
    assert "cannot be read: No such file" in alone[1]
    assert run_command("report", "-o", "-", STUCK, missing, "--jobs=2") == alone
