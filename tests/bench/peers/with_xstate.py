"""XState's actor, in a node of its own, which times itself."""

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
from tests.bench.hearing import Heard

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
    """Whether node is here, and the package that the documented command brings."""
    return shutil.which("node") is not None and (FOLDER / "node_modules" / "xstate").is_dir()


class Node:
    """A node that has read the chats, and hears them all when told to; see `run.mjs`."""

    def __init__(self, chats: list[Heard], *ways: str) -> None:
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

    def hear_all(self) -> float:
        """Let it hear all chats; returns the seconds that it took by its own clock."""
        self._process.stdin.write("again\n")
        self._process.stdin.flush()
        return int(self._line()) / 1e9

    def _line(self) -> str:
        return self._process.stdout.readline()


def _plain(chat: Heard) -> dict[str, Any]:
    sent = [{**_fields(event), "now": now} for event, now in chat.timed]
    return {"chatId": chat.chat_id, "events": sent}


def _fields(event: events.Event) -> dict[str, Any]:
    """The event as an actor's event, whose `type` is the trigger."""
    fields = asdict(event, filter=lambda attribute, _: attribute.name != "extra")
    fields["party_type"] = fields.pop("type", None)
    is_status = isinstance(event, events.Status)
    return fields | {"type": f"status_{event.state}" if is_status else TYPES[type(event)]}
