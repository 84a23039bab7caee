"""A chat in mid-conversation, made in the same way each time: the recorded files hold it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from attrs import define, field

from chatfsm import ChatClient, Endpoint, commands
from chatfsm.api import RequestChat
from chatfsm.drivers.storage import make_record
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

__all__ = [
    "AGENT",
    "BEFORE_NUMBERS",
    "CHAT",
    "ENDPOINT",
    "RECORDED",
    "WALL",
    "chat_in_mid_conversation",
    "record_of",
]

RECORDED: Final = Path(__file__).parent / "recorded"
CHAT: Final = "5f0c4a52-7c1e-4d0f-9b76-2f1d0c8e4a11"
AGENT: Final = "B1A1F2C3-0002-4E4E-8D8D-BBBBBBBBBBBB"
ENDPOINT: Final = Endpoint("https://chat.example", "tenant.example", "an-app", "a-client")
BEFORE_NUMBERS: Final = "k3"
"""The begin of the ids of own messages."""
WALL: Final = 1_742_461_300.0
"""Seconds since 1970 at which the records were made; the client's clock was then at 20."""

_FIRST_POLL: Final[list[dict[str, Any]]] = [
    {"event": "chat_session_status", "state": "connected", "ewt": ""},
    {
        "event": "chat_session_party_joined",
        "party_id": AGENT,
        "type": "internal",
        "display_name": "Odalys",
        "timestamp": "1742461210",
    },
    {
        "event": "chat_session_message",
        "party_id": AGENT,
        "msg_id": "2",
        "msg": "Which tree is it?",
        "timestamp": "1742461215",
    },
]
_SECOND_POLL: Final[list[dict[str, Any]]] = [
    {
        "event": "chat_session_form_show",
        "form_request_id": "31",
        "form_name": "address",
        "form_timeout": "120",
        "timestamp": "1742461230",
    },
    {"event": "chat_session_typing", "party_id": AGENT, "timestamp": "1742461231"},
]


@define
class _Run:
    """A client, its journal, its effects, and the requests that have no reply yet."""

    client: ChatClient
    effects: list[Any] = field(factory=list)
    waiting: list[HttpRequest] = field(factory=list)

    def receive(self, item: Any, now: float) -> None:
        found = self.client.receive(item, now=now)
        self.waiting += [effect for effect in found if isinstance(effect, HttpRequest)]
        self.effects += [effect for effect in found if not isinstance(effect, HttpRequest)]

    def reply(self, method: str, body: object, now: float) -> None:
        """Reply to the request that has waited longest of those with this method."""
        self.receive(HttpReply(self._take(method).id, 200, {}, json.dumps(body).encode()), now)

    def lose(self, method: str, now: float) -> None:
        """Lose the reply to a request."""
        request = self._take(method)
        self.receive(HttpFailure(request.id, "timeout", "no reply within 15 s"), now)

    def _take(self, method: str) -> HttpRequest:
        request = next(request for request in self.waiting if request.method == method)
        self.waiting.remove(request)
        return request


def chat_in_mid_conversation(lines: list[str] | None = None) -> _Run:
    """Return a client at 20 on its clock; `lines` takes its journal.

    One text has arrived, one is in doubt, one waits; a form is open and the agent types.
    """
    journal = None if lines is None else lines.append
    run = _Run(ChatClient(ENDPOINT, token=BEFORE_NUMBERS, journal=journal))
    run.receive(RequestChat(), 0.0)
    run.reply("POST", {"chat_id": CHAT, "is_new_chat": True, "state": "queued"}, 1.0)
    run.reply("GET", {"events": _FIRST_POLL}, 2.0)
    run.receive(commands.SendText("A pear tree."), 3.0)
    run.reply("POST", {}, 4.0)
    run.receive(commands.SendText("Very old."), 5.0)
    run.lose("POST", 19.0)
    run.receive(commands.SendText("Hello?"), 19.5)
    run.reply("GET", {"events": _SECOND_POLL}, 20.0)
    return run


def record_of(run: _Run) -> dict[str, Any]:
    """Return the record that a driver stores of a chat; the app has handled no effect yet."""
    record = make_record(run.client.snapshot(now=20.0), run.effects, 20.0, wall=WALL)
    found: dict[str, Any] = json.loads(json.dumps(record))
    return found
