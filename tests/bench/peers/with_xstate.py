"""XState's actor, in a node process, which measures its own times."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Final, Self

from attrs import asdict

from chatfsm import events
from tests.bench.usage import DecodedChat

__all__ = ["FOLDER", "Node", "is_there"]

FOLDER: Final = Path(__file__).parent.parent / "xstate"

TYPES: Final[dict[type, str]] = {
    events.Ended: "ended",
    events.InactivityTimeout: "timed_out",
    events.PartyJoined: "party_joined",
    events.PartyLeft: "party_left",
    events.Message: "message",
    events.MessageDelivered: "message_delivered",
    events.MessageRead: "message_read",
    events.Typing: "typing",
    events.NotTyping: "not_typing",
    events.FormShow: "form_show",
    events.FormData: "form_data",
    events.TimeoutWarning: "timeout_warning",
    events.File: "file",
}


def is_there() -> bool:
    """Whether node and the XState package are installed."""
    return shutil.which("node") is not None and (FOLDER / "node_modules" / "xstate").is_dir()


class Node:
    """A node process that has read the chats, and feeds them to actors on request: `run.mjs`."""

    def __init__(self, chats: list[DecodedChat], *ways: str) -> None:
        self._folder = TemporaryDirectory()
        path = Path(self._folder.name) / "chats.json"
        path.write_text(json.dumps([_plain(chat) for chat in chats]))
        command = [shutil.which("node") or "node", str(FOLDER / "run.mjs"), str(path), *ways]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.kinds: dict[str, list[str]] = json.loads(self._line())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def feed_all(self) -> float:
        """Feed all chats to new actors; return the seconds by node's own clock."""
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        return int(self._line()) / 1e9

    def _line(self) -> str:
        return self._process.stdout.readline()


def _plain(chat: DecodedChat) -> dict[str, Any]:
    timed = [{**_fields(event), "now": now} for event, now in chat.timed]
    return {"chatId": chat.chat_id, "events": timed}


def _fields(event: events.Event) -> dict[str, Any]:
    """Return the event for an actor; its `type` is the trigger."""
    fields = asdict(event, filter=lambda attribute, _: attribute.name != "extra")
    fields["party_type"] = fields.pop("type", None)
    is_status = isinstance(event, events.Status)
    return fields | {"type": f"status_{event.state}" if is_status else TYPES[type(event)]}
