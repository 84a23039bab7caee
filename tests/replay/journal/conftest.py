"""Recorded sessions, and the commands that replay or scrub their journals."""

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

from chatfsm import (
    ChatSession,
    History,
    LocalProtocolError,
    Lost,
    SendFailed,
    Sent,
    Settings,
    Tick,
    commands,
    decode,
)
from chatfsm._cli import main
from chatfsm.effects import Effect
from chatfsm.inputs import Input
from chatfsm.replay.journal import Recorded

LOGS = Path(__file__).resolve().parents[2] / "logs"
KEY = "CHATFSM_SCRUB_KEY"


def wire(word: str, /, **fields: Any) -> dict[str, Any]:
    """A wire event; `word` is its name without "chat_session_"."""
    return {"event": word if word.startswith("chat_") else f"chat_session_{word}", **fields}


class Recorder:
    """A recorded session, its journal, and the time on its clock."""

    def __init__(
        self,
        chat_id: str = "chat-1",
        *,
        lines: list[str] | None = None,
        session: ChatSession | None = None,
        at: float = 0.0,
        **settings: Any,
    ) -> None:
        session = session or ChatSession(chat_id, settings=Settings(**settings))
        self.lines: list[str] = [] if lines is None else lines
        self.recorded = Recorded(session, self.lines.append)
        self.now = at

    def receives(self, item: Input, *, at: float | None = None) -> list[Effect]:
        """Pass an input to the session."""
        if at is not None:
            self.now = at
        return self.recorded.receive(item, now=self.now)

    def receives_event(
        self, word: str, /, *, at: float | None = None, **fields: Any
    ) -> list[Effect]:
        """Pass one wire event to the session."""
        return self.receives_item(wire(word, **fields), at=at)

    def receives_item(self, item: Any, *, at: float | None = None) -> list[Effect]:
        """Pass any item of a batch to the session."""
        (event,) = decode([item])
        return self.receives(event, at=at)

    def refuses(self, command: Input, *, at: float | None = None) -> str:
        """Assert that the session refuses the command, and return the reason."""
        with pytest.raises(LocalProtocolError) as caught:
            self.receives(command, at=at)
        return str(caught.value)

    def restarts(self, *, at: float, **settings: Any) -> Recorder:
        """Restore the session in a new process, with its own clock and the same journal."""
        data = json.loads(json.dumps(self.recorded.snapshot(now=self.now)))
        session = ChatSession.restore(data, settings=Settings(**settings), now=at)
        return Recorder(lines=self.lines, session=session, at=at)

    def receives_everything(self) -> Recorder:
        """Run a chat with every kind of input; 38 inputs in all."""
        self.receives_event("status", state="queued", ewt="40", at=1.0)
        self.receives_event(
            "party_joined", party_id="ann", type="internal", display_name="Ann", at=2.0
        )
        self.receives_event("status", state="connected")
        self.receives_event("typing", party_id="ann", at=3.0)
        self.receives_event(
            "message", party_id="ann", msg="good <b>day</b>", msg_id="2", timestamp="9"
        )
        self.receives_event(
            "message", party_id="ann", msg="good <b>day</b>", msg_id="2", timestamp="9"
        )
        self.receives_event("weather", degrees=float("nan"), at=4.0)
        self.receives_item(["no event"])
        self.receives_event("status", state="parked")
        self.receives(commands.StartTyping("he"), at=5.0)
        self.receives(commands.SendText("hello", html="<i>hello</i>"), at=6.0)
        self.receives(commands.SendText("anybody?"))
        self.receives(Sent(["1"]), at=7.0)
        self.receives(SendFailed(["3"], "no reply", retryable=True))
        self.receives_event("message_delivered", ref_msg_id="1", party_id="ann")
        self.receives_event("message_read", ref_msg_id="1", party_id="ann")
        self.receives(History(tuple(decode([wire("case_set", case_id="c-1", timestamp="8")]))))
        self.receives_event(
            "form_show", form_request_id="1", form_name="survey", form_timeout=20, at=8.0
        )
        self.receives_event("form_show", form_request_id="2", form_name="")
        self.receives_event("secure_form_show", form_request_id="3", form_id="card")
        self.receives(commands.SendText("to the prompt"))
        self.receives(commands.SubmitForm("3", {"number": "4000-1234"}), at=9.0)
        self.refuses(commands.SubmitForm("3", {"number": "4000-1234"}), at=10.0)
        self.receives(Tick(), at=30.0)
        self.refuses(commands.AnswerCall("v=0"))
        self.receives_event("signaling", party_id="ann", data={"type": "OFFER_CALL", "sdp": "v=0"})
        self.receives_event(
            "signaling", data='{"type": "ICE_CANDIDATE", "candidate": "udp"}', at=31.0
        )
        self.receives(commands.AnswerCall("v=0"))
        self.receives(commands.EndCall(), at=32.0)
        self.receives(commands.SendFile("f-1", "image", "cat.png"))
        self.receives(commands.SendLocation(1.5, 2.5))
        self.receives(commands.MarkRead("2"))
        self.receives_event("timeout_warning", msg="are you there?", at=33.0)
        self.receives_event("cobrowsing_requested", msg_id="8")
        self.receives(commands.CobrowsingReply("rejected"), at=34.0)
        self.receives_event("typing", party_id="ann", at=35.0)
        self.receives(Lost("error 5005"), at=36.0)
        self.receives_event("message", party_id="ann", msg="late", msg_id="4", at=37.0)
        return self

    @property
    def written(self) -> list[dict[str, Any]]:
        """The lines of the journal, parsed."""
        return [json.loads(line) for line in self.lines]

    @property
    def text(self) -> str:
        """The text of the journal."""
        return "".join(self.lines)


@pytest.fixture
def recorder() -> Recorder:
    """A recorded session that is new, at time 0."""
    return Recorder()


@pytest.fixture(scope="session")
def new_recorder() -> type[Recorder]:
    """A factory of recorded sessions."""
    return Recorder


@frozen
class CommandResult:
    """The exit status and the output of one run of the command."""

    status: int
    out: str
    err: str

    @property
    def items(self) -> list[dict[str, Any]]:
        """The printed JSON objects, one for each line."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def document(self) -> Any:
        """The one JSON document on standard output."""
        return json.loads(self.out)


@pytest.fixture
def runs(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., CommandResult]:
    """Run `chatfsm` with these arguments in this process, without a key in the environment."""
    for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "COLUMNS", "LINES", KEY):
        monkeypatch.delenv(name, raising=False)

    def run(*words: object) -> CommandResult:
        capsys.readouterr()
        try:
            status = main([*map(str, words)])
        except SystemExit as stop:
            status = int(stop.code or 0)
        return CommandResult(status, *capsys.readouterr())

    return run


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Write a file: objects become JSON lines; text and bytes are written unchanged."""

    def write(name: str, *lines: object, packed: bool = False) -> Path:
        path = tmp_path / name
        data = b"".join(map(_line, lines))
        path.write_bytes(gzip.compress(data, mtime=0) if packed else data)
        return path

    return write


def _line(line: object) -> bytes:
    if isinstance(line, bytes):
        return line
    return (line if isinstance(line, str) else json.dumps(line) + "\n").encode()


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Put bytes on standard input."""

    def put(data: bytes) -> None:
        stream = io.TextIOWrapper(io.BufferedReader(io.BytesIO(data)), encoding="utf-8")
        monkeypatch.setattr(sys, "stdin", stream)

    return put


@pytest.fixture(scope="session")
def logs() -> list[Path]:
    """The logs that the repository ships."""
    return sorted(path for path in LOGS.iterdir() if path.suffix in {".jsonl", ".json"})
