"""Missing or full output, interrupts, and lines that resemble a journal's."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chatfsm._cli import main
from chatfsm.errors import UnreadableLogError
from chatfsm.replay.formats import records
from chatfsm.replay.sources import Source

NEWER = {"v": 99, "chat_id": "a", "seq": 0, "at": 0, "in": {"input": "tick"}, "out": []}
EVENT = json.dumps({"event": "chat_session_status", "state": "queued"})


def test_a_missing_standard_output_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without standard output the command prints an error and exits with code 2."""
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["replay", "any.jsonl"]) == 2
    monkeypatch.undo()
    assert capsys.readouterr().err == "chatfsm: there is no standard output\n"


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    """A failed write gives exit code 2 and no traceback."""
    log = tmp_path / "log.jsonl"
    log.write_text(EVENT)
    command = [sys.executable, "-m", "chatfsm", "replay", "--json", str(log)]
    with Path("/dev/full").open("w") as full:
        run = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=60
        )
    assert run.returncode == 2
    assert run.stderr.startswith("chatfsm: cannot write: ")
    assert "Traceback" not in run.stderr


def test_an_interrupt_that_no_command_expects_has_no_traceback(tmp_path: Path) -> None:
    """Ctrl-C while scrubbing gives one line, exit code 130 and no partial file."""
    scrub = [sys.executable, "-m", "chatfsm", "scrub", "-", str(tmp_path / "scrubbed.jsonl")]
    with subprocess.Popen(scrub, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(f"{EVENT}\n".encode() * 1_000)
        process.stdin.flush()
        while not any(partial.stat().st_size for partial in tmp_path.iterdir()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=60)
    assert (process.returncode, stderr) == (130, b"chatfsm: interrupted\n")
    assert not any(tmp_path.iterdir())


def test_a_document_that_is_a_newer_journal_is_unreadable(tmp_path: Path) -> None:
    """A journal line of another version, spread over several lines, is not a log."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(NEWER, indent=2))
    with pytest.raises(UnreadableLogError, match="contains no chat events"):
        list(records(Source(str(path))))


def test_a_newer_journal_behind_a_broken_line_is_named(tmp_path: Path) -> None:
    """Journal lines of another version are named, and not parsed as parts of a document."""
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(["{broken", json.dumps(NEWER), json.dumps(NEWER)]))
    with pytest.raises(
        UnreadableLogError, match=r"line 2: the version of a journal must be 1, not 99"
    ):
        list(records(Source(str(path))))
