"""Recorded plays: logs written to disk, the command that replays them, and what it printed."""

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
    """Events as the wire writes them; `at` is the timestamp, in seconds."""

    def event(self, word: str, /, *, at: object = None, **fields: Any) -> dict[str, Any]:
        """Any event; `word` is its name without "chat_session_"."""
        name = word if word.startswith("chat_") else f"chat_session_{word}"
        return {"event": name, **fields, **({} if at is None else {"timestamp": at})}

    def status(self, state: str, **fields: Any) -> dict[str, Any]:
        """The server tells a state."""
        return self.event("status", state=state, **fields)

    def ended(self, **fields: Any) -> dict[str, Any]:
        """The server ends the session."""
        return self.event("ended", **fields)

    def joins(self, party_id: str, name: str | None = None, **fields: Any) -> dict[str, Any]:
        """An agent joins."""
        usual = {"party_id": party_id, "type": "internal"}
        return self.event("party_joined", **{**usual, "display_name": name, **fields})

    def leaves(self, party_id: str, **fields: Any) -> dict[str, Any]:
        """Somebody leaves."""
        return self.event("party_left", party_id=party_id, **fields)

    def says(self, party_id: str, msg: str, **fields: Any) -> dict[str, Any]:
        """Somebody says something."""
        return self.event("message", party_id=party_id, msg=msg, **fields)

    def types(self, party_id: str, **fields: Any) -> dict[str, Any]:
        """Somebody types."""
        return self.event("typing", party_id=party_id, **fields)

    def shows(self, request_id: str, name: str = "survey", **fields: Any) -> dict[str, Any]:
        """The server shows a form."""
        return self.event("form_show", form_request_id=request_id, form_name=name, **fields)

    def unknown(self, **fields: Any) -> dict[str, Any]:
        """An event that nobody knows."""
        return self.event("weather", **fields)

    def broken(self, **fields: Any) -> dict[str, Any]:
        """An event that lacks what it needs, and whose name is known."""
        return self.event("typing", **fields)

    def heard(self, *items: dict[str, Any]) -> list[Event]:
        """The same events, decoded."""
        return [decode_item(item) for item in items]


@frozen
class Ran:
    """What came of one run of the command."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What was printed, line by line, without the ends."""
        return self.out.splitlines()

    @property
    def effects(self) -> list[dict[str, Any]]:
        """What `--json` printed."""
        return [json.loads(line) for line in self.lines]

    @property
    def document(self) -> dict[str, Any]:
        """The one document that `--summary` printed."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def sessions(self) -> list[dict[str, Any]]:
        """The sessions of that document."""
        sessions: list[dict[str, Any]] = self.document["sessions"]
        return sessions

    @property
    def session(self) -> dict[str, Any]:
        """The one session of that document."""
        (session,) = self.sessions
        return session

    @property
    def totals(self) -> dict[str, Any]:
        """The totals of that document."""
        totals: dict[str, Any] = self.document["totals"]
        return totals


class Terminal(io.StringIO):
    """A terminal that remembers what was written on it."""

    def isatty(self) -> bool:
        """It is one."""
        return True


@pytest.fixture(scope="session")
def wire() -> Wire:
    """A writer of wire events."""
    return Wire()


@pytest.fixture(scope="session")
def recorded() -> list[Path]:
    """The logs that the repository ships."""
    return sorted(path for path in LOGS.iterdir() if path.suffix in {".jsonl", ".json"})


@pytest.fixture
def log(tmp_path: Path) -> Callable[..., Path]:
    """Writes a log: objects become JSON lines, text and bytes stand as they are."""

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
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing about colours and widths."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS", "LINES", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


@pytest.fixture
def replays(calm: None, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs `chatfsm replay` with these words, in this process and with its output in a pipe."""

    def run(*words: object) -> Ran:
        capsys.readouterr()
        try:
            status = main(["replay", *map(str, words)])
        except SystemExit as stop:
            status = int(stop.code or 0)
        return Ran(status, *capsys.readouterr())

    return run


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], io.TextIOWrapper]:
    """Puts bytes on standard input."""

    def put(data: bytes) -> io.TextIOWrapper:
        stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", stream)
        return stream

    return put


@pytest.fixture
def terminal(calm: None, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")
    return Terminal()
