"""A chat whose standard input or output is missing or breaks."""

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


def test_a_missing_standard_input_is_an_error(command: list[str]) -> None:
    """Without input no chat is requested."""
    closed = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
    run = subprocess.run(closed, capture_output=True, text=True, check=False, timeout=60)
    assert (run.returncode, run.stdout) == (2, "")
    assert run.stderr == "chatfsm: there is no standard input\n"


def test_a_failed_write_names_no_state_file(command: list[str]) -> None:
    """A full disk under standard output gives exit code 2, and the error names no file."""
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


def test_a_closed_pipe_ends_the_chat(command: list[str]) -> None:
    """A closed pipe at standard output ends the chat without an error."""
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
    """A character outside the encoding of the output is escaped, and the chat continues."""
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
