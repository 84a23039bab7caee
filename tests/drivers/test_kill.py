"""A chat whose process is killed repeatedly loses no message and sends none twice."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.drivers.center import GREETING, Server, texts_of

LINES = 24
KILLED_AT = (3, 9, 16)
"""Numbers of received messages after which the process is killed."""
ROOT = Path(__file__).parents[2]


def started(
    server: Server, folder: Path, lines: int = LINES, file: str = "chat.json"
) -> subprocess.Popen[bytes]:
    program = [sys.executable, "-m", "tests.drivers.killed_app", server.url]
    files = [str(folder / file), str(folder / "received.txt"), str(lines)]
    return subprocess.Popen([*program, *files], cwd=ROOT)


def received_in(folder: Path) -> list[str]:
    path = folder / "received.txt"
    return path.read_text().splitlines() if path.exists() else []


def killed(server: Server, folder: Path, count: int, lines: int, file: str) -> None:
    """Run the app until it has received `count` messages, and kill it."""
    app = started(server, folder, lines, file)
    try:
        until = time.monotonic() + 30
        while len(received_in(folder)) < count:
            assert app.poll() is None, "the process ended by itself"
            assert time.monotonic() < until, "it receives nothing more"
            time.sleep(0.002)
    finally:
        app.kill()
        app.wait(10)


@pytest.mark.parametrize(
    ("file", "count", "killed_at"), [("chat.json", LINES, KILLED_AT), ("chat.db", 9, (3, 6))]
)
def test_nothing_is_lost_and_nothing_sent_twice(
    tmp_path: Path, file: str, count: int, killed_at: tuple[int, ...]
) -> None:
    """The customer's lines arrive once each and in order, though the process is killed repeatedly.

    All messages of the agent are received; the current one may be received twice.
    """
    with Server() as server:
        for number in killed_at:
            killed(server, tmp_path, number, count, file)
        assert started(server, tmp_path, count, file).wait(30) == 0
        [chat] = server.chats
    lines = [f"line {number}" for number in range(count)]
    assert texts_of(chat) == lines
    received = received_in(tmp_path)
    assert set(received) == {GREETING, *(f"You said: {x}" for x in lines)}
    assert len(received) - len(set(received)) <= len(killed_at)
