"""A test harness: a client without IO, its clock, and methods for app inputs and server replies."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from chatfsm import LocalProtocolError, Tick, commands
from chatfsm._client.client import ChatClient
from chatfsm.api import RequestChat
from chatfsm.endpoint import Endpoint
from chatfsm.settings import ClientSettings
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

CHAT = "chat-1"
HOST = "https://chat.example.com"


def endpoint(**changes: Any) -> Endpoint:
    """Return an endpoint of a fictitious contact center."""
    usual = {
        "url": HOST,
        "tenant_url": "tenant.example.com",
        "app_id": "the-app",
        "client_id": "the-client",
    }
    return Endpoint(**(usual | changes))


def kind_of(request: HttpRequest) -> str:
    """Return the kind of a request: poll, post, history, or the last segments of its path."""
    path = urlsplit(request.url).path.rpartition("/clientweb/api/")[2].partition("/")[2]
    if path.endswith("/events"):
        return {"GET": "poll", "POST": "post"}[request.method]
    return path.rpartition("/")[2] if path.endswith("/history") else path


class ClientHarness:
    """A client with its clock, its effects, and its unanswered requests.

    `at` moves the clock; without it the clock stands still.
    """

    def __init__(
        self,
        version: int = 2,
        chat_id: str | None = None,
        where: dict[str, Any] | None = None,
        token: str = "",
        **settings: Any,
    ) -> None:
        self.endpoint = endpoint(version=version, **(where or {}))
        self.settings = ClientSettings(**settings)
        self.client = ChatClient(
            self.endpoint, settings=self.settings, chat_id=chat_id, token=token
        )
        self.now = 0.0
        self.effects: list[Any] = []
        self.waiting: dict[int, HttpRequest] = {}
        self.requests: list[HttpRequest] = []

    def receive(self, item: Any, *, at: float | None = None) -> list[Any]:
        """Give the client an input; return its effects without the requests."""
        if at is not None:
            self.now = at
        effects = self.client.receive(item, now=self.now)
        asked = [effect for effect in effects if isinstance(effect, HttpRequest)]
        self.requests += asked
        self.waiting |= {request.id: request for request in asked}
        reported = [effect for effect in effects if not isinstance(effect, HttpRequest)]
        self.effects += reported
        return reported

    def tick(self, *, at: float | None = None) -> list[Any]:
        """Give the client a tick."""
        return self.receive(Tick(), at=at)

    def pending_request(self, kind: str) -> HttpRequest:
        """Return the only unanswered request of its kind."""
        (request,) = [r for r in self.waiting.values() if kind_of(r) == kind]
        return request

    @property
    def pending(self) -> list[str]:
        """The kinds of the unanswered requests."""
        return sorted(kind_of(request) for request in self.waiting.values())

    def reply(
        self,
        kind: str,
        body: Any = b"",
        *,
        status: int = 200,
        at: float | None = None,
        **headers: str,
    ) -> list[Any]:
        """Answer a request; a body that is not bytes is written as JSON."""
        request = self.pending_request(kind)
        del self.waiting[request.id]
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.receive(HttpReply(request.id, status, named, content), at=at)

    def reply_poll(self, *events: dict[str, Any], at: float | None = None) -> list[Any]:
        """Answer the poll; event names are given without the prefix `chat_session_`."""
        return self.reply("poll", {"events": wire(events)}, at=at)

    def reply_history(self, *events: dict[str, Any], at: float | None = None) -> list[Any]:
        """Answer the history request with these events."""
        return self.reply("history", {"events": wire(events)}, at=at)

    def fail(
        self, kind: str, how: Any = "timeout", why: str = "", *, at: float | None = None
    ) -> list[Any]:
        """Let a request fail without a reply."""
        request = self.pending_request(kind)
        del self.waiting[request.id]
        return self.receive(HttpFailure(request.id, how, why), at=at)

    def open_chat(self, *, is_new: bool = True, state: str = "queued") -> ClientHarness:
        """Request a chat as the app, and answer with a new or existing one."""
        self.receive(RequestChat())
        self.reply("chats", {"chat_id": CHAT, "state": state, "is_new_chat": is_new})
        return self

    def receive_chat(self, chat_id: object) -> list[Any]:
        """Request a chat as the app, and answer with this chat id."""
        self.receive(RequestChat())
        return self.reply("chats", {"chat_id": chat_id, "state": "queued"})

    def send_text(self, text: str = "hello", *, at: float | None = None) -> list[Any]:
        """Send a text as the customer."""
        return self.receive(commands.SendText(text), at=at)

    def refused(self, item: Any, *, at: float | None = None) -> str:
        """Give an input that must be refused; return the reason and check that nothing changed."""
        if at is not None:
            self.now = at
        before = self.copy_state()
        with pytest.raises(LocalProtocolError) as caught:
            self.client.receive(item, now=self.now)
        assert self.copy_state() == before
        return str(caught.value)

    def restart(self, *, at: float, **changes: Any) -> ClientHarness:
        """Restore the client from its snapshot, on another clock, without its open requests."""
        snapshot = json.loads(json.dumps(self.client.snapshot(now=self.now)))
        self.now = at
        self.client = ChatClient.restore(
            snapshot, changes.get("endpoint", self.endpoint), settings=self.settings, now=at
        )
        self.waiting.clear()
        return self

    def copy_state(self) -> Any:
        """Return a copy of the state of the client and of its session."""
        session = self.client.session
        memory = None if session is None else deepcopy(session._state)
        return deepcopy(self.client._state), memory

    def run_to_deadline(self) -> list[str]:
        """Advance to the client's deadline and tick; return the kinds of the new requests."""
        deadline = self.client.deadline
        assert deadline is not None
        before = set(self.waiting)
        self.tick(at=max(self.now, deadline))
        return sorted(kind_of(r) for number, r in self.waiting.items() if number not in before)

    @property
    def posted(self) -> list[list[str]]:
        """The contents of the POSTs, one list each: texts of messages, names of other events."""
        return [
            [
                event.get("msg", short(event["event"]))
                for event in json.loads(request.body)["events"]
            ]
            for request in self.requests
            if kind_of(request) == "post"
        ]


def short(name: str) -> str:
    """Return the name of a wire event without its prefix."""
    return name.removeprefix("chat_session_")


def wire(events: Any) -> list[dict[str, Any]]:
    """Return events with the full wire names."""
    return [{**event, "event": f"chat_session_{event['event']}"} for event in events]


def query_of(request: HttpRequest) -> dict[str, list[str]]:
    """Return the query of a request's URL."""
    return parse_qs(urlsplit(request.url).query)


@pytest.fixture
def harness() -> ClientHarness:
    """A client without a chat, at time 0."""
    return ClientHarness()


@pytest.fixture
def chat() -> ClientHarness:
    """A client that has just opened a chat; the first poll is pending."""
    return ClientHarness().open_chat()


@pytest.fixture(scope="session")
def make_client() -> type[ClientHarness]:
    """The class of the harness, to be called as `make_client(version=1, max_batch=2)`."""
    return ClientHarness
