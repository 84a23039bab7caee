"""What happens in the chats, written down as it happens."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from chatfsm._cli.simulate import EventRecorder


def test_each_event_is_a_line_with_its_chat(tmp_path: Path) -> None:
    """The chat's id is the center's, whatever the event holds; what is not ASCII is escaped."""
    file = tmp_path / "chats.jsonl"
    with EventRecorder(str(file), pytest.fail) as write:
        write("A", {"event": "chat_session_message", "msg": "ä\ud800\n"})
        write("B", {"event": "chat_session_ended", "chat_id": "another's"})
    lines = file.read_text("ascii").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"event": "chat_session_message", "msg": "ä\ud800\n", "chat_id": "A"},
        {"event": "chat_session_ended", "chat_id": "B"},
    ]


def test_a_line_tells_when_the_event_was_sent(tmp_path: Path) -> None:
    """By the center's clock, which gives a replay the time of events without a timestamp."""
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


def test_a_full_disk_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The center goes on, and nothing more is written: half a record would be none."""
    told: list[str] = []
    file = tmp_path / "chats.jsonl"

    def full(_descriptor: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with EventRecorder(str(file), told.append) as write:
        write("A", {"event": "one"})
        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            write("A", {"event": "two"})
        write("A", {"event": "three"})
    assert told == [f"{file}: No space left on device: recording stops here"]
    assert [json.loads(line)["event"] for line in file.read_text().splitlines()] == ["one"]


def test_what_the_system_takes_in_parts_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that took less than all of it is gone on with."""
    file = tmp_path / "chats.jsonl"
    write_really = os.write
    with EventRecorder(str(file), pytest.fail) as write, monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda where, data: write_really(where, data[:5]))
        write("A", {"event": "chat_session_ended"})
    assert json.loads(file.read_text()) == {"event": "chat_session_ended", "chat_id": "A"}
