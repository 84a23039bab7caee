"""A fake of the simulator's network with a fixed answer for each path."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast
from urllib.parse import urlsplit

from attrs import define, evolve, field

from chatfsm.simulator.network import BrokenExchange, Network
from chatfsm.transport import HttpReply, HttpRequest

REPLY = HttpReply(0, 200, {"content-type": "application/json"}, b'{"events": []}')


@define(eq=False)
class FakeNetwork:
    """A network that answers the paths in `answers` at once and holds others until `release`."""

    answers: dict[str, HttpReply | BrokenExchange] = field(factory=dict)
    requests: list[HttpRequest] = field(factory=list)
    held: list[HttpRequest] = field(factory=list)
    cancelled: list[int] = field(factory=list)
    deadline: float | None = None
    center: object = None
    on_collect: Callable[[], object] = lambda: None
    _ready: list[HttpReply | BrokenExchange] = field(factory=list)

    def send(self, request: HttpRequest, *, now: float) -> None:
        self.requests.append(request)
        answer = self.answers.get(urlsplit(request.url).path)
        if answer is None:
            self.held.append(request)
        else:
            self._ready.append(evolve(answer, id=request.id))

    def collect(self, *, now: float) -> list[HttpReply | BrokenExchange]:
        self.on_collect()
        ready, self._ready = self._ready, []
        return ready

    def cancel(self, request_id: int, *, now: float) -> None:
        self.cancelled.append(request_id)

    def release(self, answer: HttpReply = REPLY) -> None:
        """Answer all held requests."""
        self._ready += [evolve(answer, id=request.id) for request in self.held]
        self.held.clear()

    @property
    def network(self) -> Network:
        return cast("Network", cast("Any", self))
