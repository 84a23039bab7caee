"""A pseudo-terminal that runs `chatfsm chat`: keys are written to it, its output is read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from typing import Any, Self

from tests.drivers.customer import APP

_SEQUENCES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|.)")


def command(url: str, *options: str) -> list[str]:
    words = ["chat", "--url", url, "--insecure-http", "--app-id", APP]
    return [sys.executable, "-m", "chatfsm", *words, *options]


class Terminal:
    """Runs a program on its own terminal of 80 columns and 24 rows, until the block ends."""

    def __init__(self, words: list[str], **environment: str) -> None:
        self.controller, self.terminal = pty.openpty()
        fcntl.ioctl(self.controller, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.modes = self.mode()
        self.process = subprocess.Popen(
            words,
            stdin=self.terminal,
            stdout=self.terminal,
            stderr=self.terminal,
            env={**os.environ, "TERM": "xterm-256color", **environment},
            start_new_session=True,
            # For shells, which stop and continue processes of their own terminal.
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),  # noqa: PLW1509
        )
        self.drawn = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait(10)
        os.close(self.controller)
        os.close(self.terminal)

    @property
    def text(self) -> str:
        """The output without escape sequences."""
        return _SEQUENCES.sub("", self.drawn)

    def mode(self) -> list[Any]:
        return termios.tcgetattr(self.terminal)

    @property
    def echoes(self) -> bool:
        return bool(self.mode()[3] & termios.ECHO)

    def press(self, keys: str) -> None:
        os.write(self.controller, keys.encode())

    def read(self, seconds: float) -> bool:
        """Read output for some seconds at most; whether there was any."""
        ready, _, _ = select.select([self.controller], [], [], max(0.0, seconds))
        if ready:
            with contextlib.suppress(OSError):  # the program has ended
                self.drawn += os.read(self.controller, 65_536).decode("utf-8", "replace")
        return bool(ready)

    def until(self, condition: Callable[[], bool], what: str) -> None:
        """Read output until the condition holds."""
        end = time.monotonic() + 30
        while not condition():
            self.read(0.05)
            assert time.monotonic() < end, f"timeout: {what}; drawn: {self.text}"

    def shows(self, text: str) -> None:
        """Wait until the text is in the output."""
        self.until(lambda: text in self.text, f"show {text!r}")

    def ends(self) -> int:
        """Wait for the end of the program, and return its exit code."""
        self.until(lambda: self.process.poll() is not None, "end")
        return self.process.returncode
