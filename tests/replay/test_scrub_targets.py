"""Targets of a scrubbed log that are not plain files."""

from __future__ import annotations

import json
import os
from pathlib import Path
from threading import Thread

import pytest

from chatfsm._cli import main


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log.jsonl"
    path.write_text(json.dumps({"event": "chat_session_status", "state": "queued"}))
    return path


def test_a_pipe_is_written_and_stays_a_pipe(log: Path, tmp_path: Path) -> None:
    """A pipe or a device is written to and not replaced by a file, even with --force."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    received: list[str] = []
    reading = Thread(target=lambda: received.append(pipe.read_text()), daemon=True)
    reading.start()

    assert main(["scrub", str(log), str(pipe), "--force"]) == 0

    assert pipe.is_fifo()
    reading.join(10.0)
    assert '"state": "queued"' in received[0]


def test_the_target_of_a_link_is_written(log: Path, tmp_path: Path) -> None:
    """A symbolic link is kept; its target is written."""
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("before")
    link.symlink_to(target)

    assert main(["scrub", str(log), str(link), "--force"]) == 0

    assert link.is_symlink()
    assert '"state": "queued"' in target.read_text()


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600)])
def test_a_new_file_has_the_mode_of_the_umask(
    log: Path, tmp_path: Path, umask: int, mode: int
) -> None:
    """A new file has the mode of the umask, like any other."""
    before = os.umask(umask)
    try:
        assert main(["scrub", str(log), str(tmp_path / "scrubbed")]) == 0
    finally:
        os.umask(before)
    assert (tmp_path / "scrubbed").stat().st_mode & 0o777 == mode


def test_a_replaced_file_keeps_its_mode(log: Path, tmp_path: Path) -> None:
    """The mode is kept, so that access does not change."""
    target = tmp_path / "scrubbed"
    target.write_text("before")
    target.chmod(0o640)
    assert main(["scrub", str(log), str(target), "--force"]) == 0
    assert target.stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "scrubbed"]
