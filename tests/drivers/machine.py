"""A machine that does what a play tells it to, in place of a client."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from attrs import define, field, frozen

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


Hears = Callable[[object], Iterable[object]]


@define(eq=False)
class Machine:
    """Answers each item with what the next of its scripts makes of it, or with nothing."""

    scripts: deque[Hears] = field(converter=deque, factory=deque)
    heard: list[object] = field(factory=list)
    deadline: float | None = None
    done: bool = False
    queued: int = 0

    def receive(self, item: Any, *, now: float) -> list[Any]:
        self.heard.append(item)
        return list(self.scripts.popleft()(item)) if self.scripts else []

    def health(self, now: float) -> Health:
        return Health(queued=self.queued)

    def snapshot(self, *, now: float) -> dict[str, Any]:
        return {"heard": len(self.heard)}


def telling(*effects: object) -> Hears:
    """A script that tells these, whatever is heard."""
    return lambda _item: effects


def carried(request: HttpRequest) -> HttpReply | HttpFailure:
    """A sender that always has a reply."""
    return reply(request.id)
