"""Where there is nowhere to write to, and lines that only look like a journal's."""

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


def test_without_standard_output_that_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program started without standard output gets a message and status 2."""
    monkeypatch.setattr(sys, "stdout", None)
    assert main(["replay", "any.jsonl"]) == 2
    monkeypatch.undo()
    assert capsys.readouterr().err == "chatfsm: there is no standard output\n"


def test_a_full_disk_is_reported(tmp_path: Path) -> None:
    """Output that cannot be written is an error of status 2, without a traceback."""
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
    """Ctrl-C while a log is scrubbed: a word, status 130, and no half of a file."""
    scrub = [sys.executable, "-m", "chatfsm", "scrub", "-", str(tmp_path / "scrubbed.jsonl")]
    with subprocess.Popen(scrub, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(f"{EVENT}\n".encode() * 1_000)
        process.stdin.flush()
        while not any(partial.stat().st_size for partial in tmp_path.iterdir()):
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, b"chatfsm: interrupted\n")
    assert not any(tmp_path.iterdir())


def test_a_document_that_is_a_newer_journal_is_unreadable(tmp_path: Path) -> None:
    """A line of a journal, spread over lines, and of another version, is no log."""
    path = tmp_path / "a.json"
    path.write_text(json.dumps(NEWER, indent=2))
    with pytest.raises(UnreadableLogError, match="contains no chat events"):
        list(records(Source(str(path))))


def test_a_newer_journal_behind_a_broken_line_is_named(tmp_path: Path) -> None:
    """Lines of a journal of another version are no parts of a document, and are named."""
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(["{broken", json.dumps(NEWER), json.dumps(NEWER)]))
    with pytest.raises(
        UnreadableLogError, match=r"line 2: the version of a journal must be 1, not 99"
    ):
        list(records(Source(str(path))))
