"""A fake center that answers any request, and a harness for the network in front of it."""

from __future__ import annotations

from typing import Any

from chatfsm.simulator.faults import Faults
from chatfsm.simulator.network import Network
from chatfsm.transport import HttpReply, HttpRequest

HOST = "https://chat.example.com/clientweb/api/v2/"
PATHS = {
    "open": ("POST", "chats"),
    "poll": ("GET", "chats/c1/events"),
    "post": ("POST", "chats/c1/events"),
    "history": ("GET", "chats/c1/history"),
    "upload": ("POST", "files"),
    "other": ("GET", "availability"),
}


class FakeCenter:
    """A center that answers with the number of requests so far, or holds GET requests."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.holds = False
        self.held: list[int] = []
        self.aborted: list[int] = []
        self.jumped = 0.0
        self.restarts = 0
        self.ready: list[HttpReply] = []
        self.deadline: float | None = None

    def handle(self, request: HttpRequest, *, now: float) -> HttpReply | None:
        self.seen.append(request.id)
        if self.holds and request.method == "GET":
            self.held.append(request.id)
            return None
        return HttpReply(request.id, 200, {}, str(len(self.seen)).encode())

    def answer_held(self) -> None:
        self.ready += [HttpReply(number, 200, {}, b"news") for number in self.held]
        self.held.clear()

    def collect(self, *, now: float) -> list[HttpReply]:
        ready, self.ready = self.ready, []
        return ready

    def abort_poll(self, request_id: int, *, now: float) -> None:
        self.aborted.append(request_id)
        self.held.remove(request_id)

    def restart(self, *, now: float) -> list[int]:
        self.restarts += 1
        held, self.held = self.held, []
        return held

    def jump_clock(self, seconds: float) -> None:
        self.jumped += seconds


class NetworkHarness:
    """A network to the fake center, with methods to send requests and collect arrivals."""

    def __init__(self, spec: str = "", **more: Any) -> None:
        self.center = FakeCenter()
        self.network = Network(self.center, Faults.parse(spec), **more)
        self.sent = 0

    def send(self, on: str = "poll", *, at: float = 0.0, who: str = "me") -> int:
        self.sent += 1
        method, path = PATHS[on]
        url = f"{HOST}{path}?tenantUrl=tenant.example&_={self.sent}"
        headers = (("Authorization", who),)
        self.network.send(HttpRequest(self.sent, method, url, headers), now=at)  # type: ignore[arg-type]
        return self.sent

    def arrivals(self, *, at: float = 0.0) -> list[Any]:
        return self.network.collect(now=at)

    def exchange(self, on: str = "poll") -> Any:
        """Send a request; return its only arrival."""
        self.send(on)
        (arrival,) = self.arrivals()
        return arrival
