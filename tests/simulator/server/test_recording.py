"""EventRecorder: writes the events of the chats to a file."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from chatfsm._cli.simulate import EventRecorder


def test_each_event_is_a_line_with_its_chat(tmp_path: Path) -> None:
    """The chat id is the center's, even if the event has one; non-ASCII text is escaped."""
    file = tmp_path / "chats.jsonl"
    with EventRecorder(str(file), pytest.fail) as write:
        write("A", {"event": "chat_session_message", "msg": "ä\ud800\n"})
        write("B", {"event": "chat_session_ended", "chat_id": "another's"})
    lines = file.read_text("ascii").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"event": "chat_session_message", "msg": "ä\ud800\n", "chat_id": "A"},
        {"event": "chat_session_ended", "chat_id": "B"},
    ]


def test_a_line_has_the_time_of_the_event(tmp_path: Path) -> None:
    """The time is the center's, so that a replay has times for events without a timestamp."""
    file = tmp_path / "chats.jsonl"
    with EventRecorder(str(file), pytest.fail) as write:
        write.wall_clock = lambda: 1_767_268_800.12345
        write("A", {"event": "chat_session_ended", "received_at": "another's"})
    (line,) = map(json.loads, file.read_text("ascii").splitlines())
    assert line == {
        "event": "chat_session_ended",
        "received_at": 1_767_268_800.123,
        "chat_id": "A",
    }


def test_a_full_disk_is_reported_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The center goes on, and recording stops, because half a record would be invalid."""
    reported: list[str] = []
    file = tmp_path / "chats.jsonl"

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with EventRecorder(str(file), reported.append) as write:
        write("A", {"event": "one"})
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            write("A", {"event": "two"})
        write("A", {"event": "three"})
    assert reported == [f"{file}: No space left on device: recording stops here"]
    assert [json.loads(line)["event"] for line in file.read_text().splitlines()] == ["one"]


def test_partial_writes_are_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partial write is continued."""
    file = tmp_path / "chats.jsonl"
    write_really = os.write
    with EventRecorder(str(file), pytest.fail) as write, monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda where, data: write_really(where, data[:5]))
        write("A", {"event": "chat_session_ended"})
    assert json.loads(file.read_text()) == {"event": "chat_session_ended", "chat_id": "A"}
