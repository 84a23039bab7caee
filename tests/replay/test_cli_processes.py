"""The command as a process: pipes that close or stay open, Ctrl-C, and a terminal."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chatfsm._cli import main

Log = Callable[..., Path]
Replays = Callable[..., Any]
# A child that takes longer than this is stuck, even on a slow machine.
TIMEOUT = 60
# Set the handler, since a shell may start background processes with SIGINT ignored.
COMMAND = """\
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from chatfsm._cli import main
sys.exit(main())
"""


class InterruptedPipe(io.RawIOBase):
    """A pipe that yields some bytes and then raises KeyboardInterrupt."""

    def __init__(self, data: bytes) -> None:
        pieces = range(0, len(data), 1024)
        self._left = [data[at : at + 1024] for at in reversed(pieces)]

    def readable(self) -> bool:
        """True: the stream can be read."""
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        """Yield the bytes, then raise KeyboardInterrupt."""
        if not self._left:
            raise KeyboardInterrupt
        data = self._left.pop()
        buffer[: len(data)] = data
        return len(data)


@pytest.fixture
def interrupted(wire: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input yields a chat of two events, then Ctrl-C."""
    items = [wire.status("queued", at=1), wire.says("ann", "hello", at=2)]
    data = "".join(json.dumps(item) + "\n" for item in items).encode()
    stream = io.TextIOWrapper(io.BufferedReader(InterruptedPipe(data)))
    monkeypatch.setattr(sys, "stdin", stream)


def test_ctrl_c_prints_the_partial_summary(
    interrupted: None, wire: Any, log: Log, replays: Replays
) -> None:
    """One document of the events so far, with exit code 130; later files are not read."""
    early, never = log("early.jsonl", wire.ended()), log("never.jsonl", wire.ended())
    result = replays("--summary", early, "-", never)
    assert result.status == 130
    assert result.err == "chatfsm: interrupted: this is what was read so far\n"
    assert [(each["chat_id"], each["state"]) for each in result.sessions] == [
        ("early", "ended"),
        ("stdin", "queued"),
    ]
    assert (result.totals["messages"], result.totals["complete"]) == (1, False)


def test_ctrl_c_prints_the_timeline_so_far(interrupted: None, replays: Replays) -> None:
    """The timeline shows the chat as far as it was read."""
    result = replays("-")
    assert result.status == 130
    assert "stdin  not over: queued at the end of the log, after 1 s" in result.lines
    assert result.lines[-1].endswith("message  ann  hello")


def test_ctrl_c_limits_the_rows(
    wire: Any, replays: Replays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows after Ctrl-C are limited even if --rows asks for all."""
    items = [wire.says("ann", f"text {n}", msg_id=f"m{n}", at=n) for n in range(1, 1500)]
    data = "".join(json.dumps(item) + "\n" for item in items).encode()
    keyboard = io.TextIOWrapper(io.BufferedReader(InterruptedPipe(data)))
    monkeypatch.setattr(sys, "stdin", keyboard)
    result = replays("--rows", "0", "-")
    assert result.status == 130
    rows = [line for line in result.lines if "  message  " in line]
    assert 900 < len(rows) <= 1000
    assert rows[-1].endswith("text 1499")


def test_ctrl_c_wins_over_findings(monkeypatch: pytest.MonkeyPatch, replays: Replays) -> None:
    """Exit code 130 takes precedence over findings, since the rest is unknown."""
    stream = io.TextIOWrapper(io.BufferedReader(InterruptedPipe(b"")))
    monkeypatch.setattr(sys, "stdin", stream)
    assert replays("--quiet", "--fail-on=any", "-").status == 130


def test_a_reader_that_stops_gets_no_error(
    wire: Any, log: Log, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A closed pipe at standard output ends the command with exit code 0."""
    for times in (1, 5_000):
        path = log("a.jsonl", *[wire.says("ann", "hello")] * times)
        reader, writer = os.pipe()
        os.close(reader)
        with os.fdopen(writer, "w", encoding="utf-8") as pipe:
            monkeypatch.setattr(sys, "stdout", pipe)
            assert main(["replay", "--json", str(path)]) == 0
    assert capfd.readouterr().err == ""


@contextlib.contextmanager
def running(*words: str, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run the command in a process that is killed at the end."""
    child = subprocess.Popen(
        [sys.executable, "-u", "-c", COMMAND, "replay", *words],
        stdout=subprocess.PIPE,
        **{"stderr": subprocess.PIPE, **streams},
    )
    with child:
        try:
            yield child
        finally:
            child.kill()


def test_the_head_of_a_long_output_is_enough(wire: Any, log: Log) -> None:
    """`chatfsm replay --json big | head -1` prints one line and no error."""
    path = log("big.jsonl", *[wire.says("ann", "hello " * 20)] * 3_000)
    with running("--json", str(path)) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert json.loads(child.stdout.readline())["seq"] == 0
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(TIMEOUT) == 0


def next_line(child: subprocess.Popen[bytes]) -> bytes:
    """The next line of the child's output, within ten seconds."""
    assert child.stdout is not None
    ready, _, _ = select.select([child.stdout], [], [], 10)
    assert ready, "no output for a line within 10 seconds"
    return child.stdout.readline()


def test_ctrl_c_in_a_pipe_that_stays_open(wire: Any) -> None:
    """Lines are reported as they arrive; Ctrl-C ends the command with exit code 130."""
    with running("--json", "-", stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        child.stdin.write(json.dumps(wire.says("ann", "hello", at=1)).encode() + b"\n")
        child.stdin.flush()
        assert json.loads(next_line(child))["effect"] == "message_received"
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=TIMEOUT)
        assert (child.returncode, out) == (130, b"")
        assert err == b"chatfsm: interrupted: this is what was read so far\n"


def test_ctrl_c_gives_a_complete_document(wire: Any) -> None:
    """The summary of an interrupted run is one JSON document."""
    line = json.dumps(wire.says("ann", "hello", at=1)).encode() + b"\n"
    with running("--summary", "-", stdin=subprocess.PIPE) as child:
        assert child.stdin is not None
        # More than a pipe holds: once it is written, the child has begun to read.
        child.stdin.write(line * (2 * 1024 * 1024 // len(line)))
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=TIMEOUT)
    assert child.returncode == 130
    assert err == b"chatfsm: interrupted: this is what was read so far\n"
    document = json.loads(out)
    assert document["totals"]["complete"] is False
    assert document["totals"]["messages"] == document["sessions"][0]["messages"] > 1_000


def drawn_on(master: int) -> str:
    """All output on a terminal, until no process holds it open."""
    taken = b""
    while True:
        ready, _, _ = select.select([master], [], [], TIMEOUT)
        assert ready, "no output, but a process holds the terminal open"
        try:
            part = os.read(master, 4_096)
        except OSError:  # Linux raises OSError if the other end is closed
            part = b""
        if not part:
            return taken.decode()
        taken += part


@pytest.mark.parametrize("quiet", [[], ["--quiet"]])
def test_a_terminal_sees_the_bar(wire: Any, log: Log, quiet: list[str]) -> None:
    """The progress bar is drawn on the terminal and removed; standard output does not hold it."""
    path = log("a.jsonl", *[wire.says("ann", "hello")] * 5_000)
    master, slave = pty.openpty()
    without_delay = "from chatfsm._cli import progress; progress._DELAY = 0.0; "
    child = subprocess.Popen(
        [sys.executable, "-c", without_delay + COMMAND, "replay", "--rows=1", *quiet, str(path)],
        stdout=subprocess.PIPE,
        stderr=slave,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
    )
    os.close(slave)
    try:
        shown = drawn_on(master)
        out, _ = child.communicate(timeout=TIMEOUT)
    finally:
        os.close(master)
        child.kill()
    assert child.returncode == 0
    assert b"\x1b" not in out
    if quiet:
        assert (shown, out) == ("", b"")
    else:
        assert re.search(r"a: [0-9,]+ events", shown)
        assert shown.endswith("\x1b[2K")
