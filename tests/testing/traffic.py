"""Requests and replies for a judge, built by hand."""

from __future__ import annotations

import json
from typing import Any

from chatfsm.simulator.network import BrokenExchange
from chatfsm.testing.judge import Judge
from chatfsm.transport import HttpReply, HttpRequest

HOST = "https://chat.example.com/clientweb/api"
AUTH = 'MOBILE-API-140-327-PLAIN appId="demo", clientId="c"'


class Traffic:
    """A judge with its requests and replies, each one second after the last."""

    def __init__(self, *, version: int = 2) -> None:
        self.judge = Judge()
        self.version = version
        self.now = 0.0
        self.count = 0

    def send(  # noqa: PLR0913  # a request has as many parts
        self,
        method: str,
        path: str,
        events: Any = None,
        *,
        at: float | None = None,
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
        query: str | None = None,
    ) -> int:
        """Send a request; return its number."""
        self.now = self.now + 1.0 if at is None else at
        self.count += 1
        body = b"" if events is None else json.dumps({"events": events}).encode()
        body = body if raw is None else raw
        given = {"Authorization": AUTH, "Cache-Control": "no-cache"} if headers is None else headers
        query = f"&_={self.count}" if query is None else query
        url = f"{HOST}/v{self.version}/{path}?tenantUrl=tenant.example{query}"
        request = HttpRequest(self.count, method, url, tuple(given.items()), body)  # type: ignore[arg-type]
        self.judge.on_request(request, now=self.now)
        return self.count

    def poll(self, *, at: float | None = None) -> int:
        return self.send("GET", "chats/c1/events", at=at)

    def post(self, *events: Any, at: float | None = None) -> int:
        return self.send("POST", "chats/c1/events", list(events), at=at)

    def text(self, msg_id: str, text: str) -> int:
        return self.post({"event": "chat_session_message", "msg_id": msg_id, "msg": text})

    def reply(self, number: int, *events: Any, status: int = 200, body: Any = None) -> None:
        """Let the center reply, and the reply arrive."""
        self.arrive(number, self.handle(number, *events, status=status, body=body))

    def handle(self, number: int, *events: Any, status: int = 200, body: Any = None) -> HttpReply:
        """Let the center reply."""
        value = {"events": list(events)} if body is None else body
        reply = HttpReply(number, status, {}, json.dumps(value).encode() if value != "" else b"")
        self.judge.on_handled(number, reply, now=self.now)
        return reply

    def arrive(self, number: int, reply: HttpReply) -> None:
        self.judge.on_arrival(reply, now=self.now)

    def lose(self, number: int, kind: Any = "lost") -> None:
        self.judge.on_arrival(BrokenExchange(number, kind), now=self.now)

    def cancel(self, number: int, *, at: float | None = None) -> None:
        self.now = self.now if at is None else at
        self.judge.on_cancel(number, now=self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass; the judge learns of it by the next request."""
        self.now += seconds
        self.judge.now = self.now

    @property
    def broken(self) -> list[str]:
        """The broken rules, each as often as it is broken."""
        return self.found("error")

    @property
    def warned(self) -> list[str]:
        """The rules with a warning, each as often as it is given."""
        return self.found("warning")

    def found(self, severity: str) -> list[str]:
        found = self.judge.verdict().violations
        return [violation.rule for violation in found if violation.severity == severity]
