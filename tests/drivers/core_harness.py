"""A driver core with a real client, whose requests are answered by the test."""

from __future__ import annotations

import json
from typing import Any

from chatfsm._client.client import ChatClient
from chatfsm.api import RequestChat
from chatfsm.drivers._core import DriverCore
from chatfsm.endpoint import Endpoint
from chatfsm.inputs import Tick
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

APP_ID, CLIENT_ID = "the-app-id", "the-client-id"
ENDPOINT = Endpoint("https://chat.example.com", "tenant.example", APP_ID, CLIENT_ID)
OPENED = {"chat_id": "chat-1", "state": "queued", "is_new_chat": True}


class CoreHarness:
    """A driver core, its unanswered requests by purpose, and a store that can fail."""

    def __init__(self, client: ChatClient | None = None, **options: Any) -> None:
        self.core = DriverCore(client or ChatClient(ENDPOINT), self.save, 64, **options)
        self.sent: dict[str, HttpRequest] = {}
        self.save_error: Exception | None = None
        self.record: dict[str, Any] = {}
        if client is None:
            self._note(self.core.receive(RequestChat(), 0.0))

    def save(self, record: dict[str, Any]) -> None:
        if self.save_error is not None:
            raise self.save_error
        self.record = record

    def receive(self, command: object, *, at: float) -> None:
        self._note(self.core.receive(command, at))

    def reply(self, purpose: str, value: object, *, at: float, status: int = 200) -> None:
        request = self.sent.pop(purpose)
        reply = HttpReply(request.id, status, {}, json.dumps(value).encode())
        self._note(self.core.receive_safely(reply, at))

    def fail(self, purpose: str, *, at: float) -> None:
        failure = HttpFailure(self.sent.pop(purpose).id, "protocol", "reset")
        self._note(self.core.receive_safely(failure, at))

    def tick(self, *, at: float) -> None:
        self._note(self.core.receive_safely(Tick(), at))

    def _note(self, requests: list[HttpRequest]) -> None:
        self.sent.update({request.purpose: request for request in requests})
