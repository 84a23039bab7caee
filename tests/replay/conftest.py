"""Log files, runs of `chatfsm replay`, and the captured output."""

from __future__ import annotations

import gzip
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from chatfsm._cli import main
from chatfsm._protocol.codec import decode_item
from chatfsm.events import Event

LOGS = Path(__file__).resolve().parent.parent / "logs"


class Wire:
    """Events as JSON objects of the wire; `at` is the timestamp in seconds."""

    def event(self, word: str, /, *, at: object = None, **fields: Any) -> dict[str, Any]:
        """Any event; `word` is its name without "chat_session_"."""
        name = word if word.startswith("chat_") else f"chat_session_{word}"
        return {"event": name, **fields, **({} if at is None else {"timestamp": at})}

    def status(self, state: str, **fields: Any) -> dict[str, Any]:
        """A status event."""
        return self.event("status", state=state, **fields)

    def ended(self, **fields: Any) -> dict[str, Any]:
        """An event that ends the session."""
        return self.event("ended", **fields)

    def joins(self, party_id: str, name: str | None = None, **fields: Any) -> dict[str, Any]:
        """An agent joins."""
        usual = {"party_id": party_id, "type": "internal"}
        return self.event("party_joined", **{**usual, "display_name": name, **fields})

    def leaves(self, party_id: str, **fields: Any) -> dict[str, Any]:
        """A party leaves."""
        return self.event("party_left", party_id=party_id, **fields)

    def says(self, party_id: str, msg: str, **fields: Any) -> dict[str, Any]:
        """A party sends a message."""
        return self.event("message", party_id=party_id, msg=msg, **fields)

    def types(self, party_id: str, **fields: Any) -> dict[str, Any]:
        """A party types."""
        return self.event("typing", party_id=party_id, **fields)

    def shows(self, request_id: str, name: str = "survey", **fields: Any) -> dict[str, Any]:
        """A form is shown."""
        return self.event("form_show", form_request_id=request_id, form_name=name, **fields)

    def unknown(self, **fields: Any) -> dict[str, Any]:
        """An event of an unknown type."""
        return self.event("weather", **fields)

    def broken(self, **fields: Any) -> dict[str, Any]:
        """A malformed event of a known type."""
        return self.event("typing", **fields)

    def decoded(self, *items: dict[str, Any]) -> list[Event]:
        """The events, decoded."""
        return [decode_item(item) for item in items]


@frozen
class CommandResult:
    """The exit status and the output of one run of the command."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines of standard output, without line ends."""
        return self.out.splitlines()

    @property
    def effects(self) -> list[dict[str, Any]]:
        """The effects that `--json` printed."""
        return [json.loads(line) for line in self.lines]

    @property
    def document(self) -> dict[str, Any]:
        """The document that `--summary` printed."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def sessions(self) -> list[dict[str, Any]]:
        """The sessions of the document."""
        sessions: list[dict[str, Any]] = self.document["sessions"]
        return sessions

    @property
    def session(self) -> dict[str, Any]:
        """The only session of the document."""
        (session,) = self.sessions
        return session

    @property
    def totals(self) -> dict[str, Any]:
        """The totals of the document."""
        totals: dict[str, Any] = self.document["totals"]
        return totals


class Terminal(io.StringIO):
    """A fake terminal that keeps its output."""

    def isatty(self) -> bool:
        """True: a program takes the stream for a terminal."""
        return True


@pytest.fixture(scope="session")
def wire() -> Wire:
    """A factory of wire events."""
    return Wire()


@pytest.fixture(scope="session")
def recorded() -> list[Path]:
    """The logs that the repository ships."""
    return sorted(path for path in LOGS.iterdir() if path.suffix in {".jsonl", ".json"})


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., Path]:
    """Write a log: objects become JSON lines; text and bytes are written unchanged."""

    def write(name: str, *lines: dict[str, Any] | str | bytes, packed: bool = False) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = b"".join(map(_line, lines))
        path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
        return path

    return write


def _line(line: dict[str, Any] | str | bytes) -> bytes:
    if isinstance(line, dict):
        line = json.dumps(line) + "\n"
    return line.encode("utf-8") if isinstance(line, str) else line


@pytest.fixture
def neutral_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without settings for colours and width."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS", "LINES", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def replays(
    neutral_environment: None, capsys: pytest.CaptureFixture[str]
) -> Callable[..., CommandResult]:
    """Run `chatfsm replay` with these arguments in this process, with its output in a pipe."""

    def run(*words: object) -> CommandResult:
        capsys.readouterr()
        try:
            status = main(["replay", *map(str, words)])
        except SystemExit as stop:
            status = int(stop.code or 0)
        return CommandResult(status, *capsys.readouterr())

    return run


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], io.TextIOWrapper]:
    """Put bytes on standard input."""

    def put(data: bytes) -> io.TextIOWrapper:
        stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", stream)
        return stream

    return put


@pytest.fixture
def terminal(neutral_environment: None, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()
