"""Mocks for unit tests of an app: a sender that a function answers, and captured effects.

    def handler(request: HttpRequest) -> HttpReply:
        if request.purpose == "poll":
            return events_reply(request, end_of_chat)
        return reply(request, {"chat_id": "c1", "state": "connected", "is_new_chat": True})

    sender = MockSender(handler)
    with capture_effects() as effects, Chat.connect(endpoint, sender) as chat:
        ...
    assert [request.purpose for request in sender.requests] == ["api", "poll"]

`AsyncMockSender` is the same for an async app, and its handler may be async.
"""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from attrs import evolve

from chatfsm._client.client import ChatClient
from chatfsm._session.session import ChatSession
from chatfsm.transport import FailureKind, HttpFailure, HttpReply, HttpRequest

__all__ = [
    "AsyncMockSender",
    "MockSender",
    "capture_effects",
    "error_reply",
    "events_reply",
    "failure",
    "reply",
]

_Result = HttpReply | HttpFailure


def reply(
    request: HttpRequest,
    value: object = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HttpReply:
    """Return a reply: bytes as they are, None as no body, and everything else as JSON.

    The names of headers must be in lower case.
    """
    if value is None:
        body = b""
    else:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return HttpReply(request.id, status, dict(headers or {}), body)


def events_reply(request: HttpRequest, *events: Mapping[str, Any]) -> HttpReply:
    """Return the reply to a poll, a history, or in version 1 to a POST, with these events."""
    return reply(request, {"events": [dict(event) for event in events]})


def error_reply(
    request: HttpRequest, code: str, *, status: int = 400, message: str = "an error"
) -> HttpReply:
    """Return an error of the contact center, as `error_reply(request, "5005", status=404)`."""
    return reply(request, {"error_code": code, "error_message": message}, status=status)


def failure(request: HttpRequest, kind: FailureKind, why: str = "") -> HttpFailure:
    """Return the failure of a request that has no complete reply."""
    return HttpFailure(request.id, kind, why)


class MockSender:
    """A sender that a function answers; `requests` are all requests so far, in order.

    An exception of the handler is raised. Drivers call a sender from several threads at once, so
    the handler is called by one at a time.
    """

    def __init__(self, handler: Callable[[HttpRequest], HttpReply | HttpFailure]) -> None:
        self.handler = handler
        self.requests: list[HttpRequest] = []
        self.is_closed = False
        self._lock = threading.Lock()

    def __call__(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """Return the handler's result, with the id of the request."""
        with self._lock:
            self.requests.append(request)
            return evolve(self.handler(request), id=request.id)

    def close(self) -> None:
        """Note that the sender is closed."""
        self.is_closed = True


class AsyncMockSender:
    """An async sender that a function, async or not, answers; otherwise as `MockSender`."""

    def __init__(
        self,
        handler: Callable[[HttpRequest], HttpReply | HttpFailure | Awaitable[_Result]],
    ) -> None:
        self.handler = handler
        self.requests: list[HttpRequest] = []
        self.is_closed = False

    async def __call__(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """Return the handler's result, with the id of the request."""
        self.requests.append(request)
        result = self.handler(request)
        found: _Result = await result if inspect.isawaitable(result) else result
        return evolve(found, id=request.id)

    async def aclose(self) -> None:
        """Note that the sender is closed."""
        self.is_closed = True


@contextmanager
def capture_effects() -> Iterator[list[Any]]:
    """Capture the effects of all clients and sessions of this process, in a `with` block.

    The list holds what each `receive` returns, requests included, in order. The effects of a
    client's own session are in it once. Blocks may be nested, but must end in turn.
    """
    captured: list[Any] = []
    inside = threading.local()
    of_client, of_session = ChatClient.receive, ChatSession.receive

    def client_receive(self: ChatClient, *arguments: Any, **named: Any) -> Any:
        inside.client = True
        try:
            effects = of_client(self, *arguments, **named)
        finally:
            inside.client = False
        captured.extend(effects)
        return effects

    def session_receive(self: ChatSession, *arguments: Any, **named: Any) -> Any:
        effects = of_session(self, *arguments, **named)
        if not getattr(inside, "client", False):
            captured.extend(effects)
        return effects

    ChatClient.receive = client_receive  # type: ignore[method-assign]
    ChatSession.receive = session_receive  # type: ignore[method-assign]
    try:
        yield captured
    finally:
        ChatClient.receive = of_client  # type: ignore[method-assign]
        ChatSession.receive = of_session  # type: ignore[method-assign]
