"""A chat of which the standard input or output is not there, or breaks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.drivers.center import Server
from tests.drivers.customer import APP


@pytest.fixture
def command() -> Iterator[list[str]]:
    """The command line of a chat with an agent who repeats each message."""
    with Server() as server:
        words = ["chat", "--url", server.url, "--app-id", APP, "--insecure-http"]
        yield [sys.executable, "-m", "chatfsm", *words]


def test_without_standard_input_that_is_said(command: list[str]) -> None:
    """Without input no chat is requested."""
    closed = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    run = subprocess.run(closed, capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "chatfsm: there is no standard input\n"


def test_output_that_cannot_be_written_is_not_called_the_state(command: list[str]) -> None:
    """A full disk under the output is an error of status 2, and no file is blamed for it."""
    with Path("/dev/full").open("w", encoding="utf-8") as full:
        run = subprocess.run(
            command,
            input="hello\n/end\n",
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
        )
    assert (run.returncode, run.stderr) == (2, "chatfsm: cannot write: No space left on device\n")


def test_who_reads_no_further_has_seen_enough(command: list[str]) -> None:
    """When what reads the output goes away, the chat is left without a complaint."""
    source, sink = os.pipe()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=sink, stderr=subprocess.PIPE, text=True
    ) as process:
        os.close(sink)
        assert os.read(source, 1)
        os.close(source)
        _, errors = process.communicate("hello\n/end\n", timeout=60)
    assert (process.returncode, errors) == (0, "")


def test_a_character_that_the_output_lacks_is_escaped(command: list[str]) -> None:
    """As on Windows: an agent's emoji in a pipe of another encoding does not end the chat."""
    run = subprocess.run(
        command,
        input="Dzie\u0144 dobry \U0001f642\n/end\n",
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
        check=False,
        timeout=60,
    )
    assert (run.returncode, run.stderr) == (0, "")
    assert r"You said: Dzie\u0144 dobry \U0001f642" in run.stdout
