"""A client that returns scripted effects, without a session and without the API."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from attrs import frozen

from chatfsm._client.client import ChatClient
from chatfsm.effects import ServiceNamed
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

CHAT = "https://chat.example/clientweb/api/v2/chats/CHAT-1"


@frozen
class Health:
    link: str = "live"
    queued: int = 0


def poll(number: int) -> HttpRequest:
    return HttpRequest(number, "GET", f"{CHAT}/events?_={number}", (), purpose="poll")


def post(number: int) -> HttpRequest:
    return HttpRequest(number, "POST", f"{CHAT}/events?_={number}", (), b"{}", purpose="post")


def reply(number: int) -> HttpReply:
    return HttpReply(number, 200, {}, b"")


def named(*names: str) -> list[ServiceNamed]:
    return [ServiceNamed(name) for name in names]


Script = Callable[[object], Iterable[object]]
"""Takes an input, and returns the effects."""


class ScriptedClient(ChatClient):
    """A client that passes each input to its next script; without one there are no effects."""

    deadline = None
    done = False
    session = None

    def __init__(
        self, scripts: Iterable[Script] = (), *, deadline: float | None = None, queued: int = 0
    ) -> None:
        self.scripts = deque(scripts)
        self.received: list[object] = []
        self.deadline = deadline
        self.queued = queued
        self.session = SimpleNamespace(outbox={"1": "pending"}, state="queued", outcome=None)
        self.session.chat_id = "chat-1"
        self.session.last_msg_id = "1"
        self.session.forms = self.session.parties = ()

    def receive(self, item: Any, *, now: float) -> list[Any]:
        self.received.append(item)
        return list(self.scripts.popleft()(item)) if self.scripts else []

    def health(self, now: float) -> Any:
        return Health(queued=self.queued)

    def snapshot(self, *, now: float) -> dict[str, Any]:
        return {"received": len(self.received)}


def returning(*effects: object) -> Script:
    """Return a script that returns these effects, whatever the input."""
    return lambda _item: effects


def replying(request: HttpRequest) -> HttpReply | HttpFailure:
    """Perform a request successfully; there is always a reply."""
    return reply(request.id)
