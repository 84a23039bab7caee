"""A contact center behind a server, and clients of it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import define, field

from chatfsm._cli import simulate
from chatfsm.adapters.stdlib import Sender
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.network import Network
from chatfsm.simulator.server.server import SimulatorServer
from chatfsm.simulator.settings import CenterSettings
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

SCHEME = "MOBILE-API-140-327-PLAIN"


@define
class Client:
    """A customer who speaks HTTP by hand; `api` is the version."""

    url: str
    send: Sender = field(factory=Sender)
    api: int = 2
    who: str = 'appId="demo", clientId="me"'
    news: list[dict[str, Any]] = field(factory=list)

    def ask(self, method: Any, path: str, body: object = None, timeout: float = 10.0) -> Any:
        """What comes of a request: a reply, or a failure."""
        url = f"{self.url}/clientweb/api/v{self.api}/{path}?tenantUrl={simulate.TENANT_URL}"
        headers = (("Authorization", f"{SCHEME} {self.who}"),)
        text = b"" if body is None else json.dumps(body).encode()
        return self.send(HttpRequest(1, method, url, headers, text, timeout))

    def read(self, method: str, path: str, body: object = None) -> Any:
        """What a reply that has to be a success says."""
        reply = self.ask(method, path, body)
        assert isinstance(reply, HttpReply), reply
        assert reply.status == 200, reply.body
        return json.loads(reply.body or b"{}")

    def open(self) -> str:
        """Request a chat; returns its id."""
        return str(self.read("POST", "chats", {})["chat_id"])

    def hear(self, chat_id: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Poll until such an event comes."""
        for _ in range(50):
            while self.news:
                event = self.news.pop(0)
                if wanted(event):
                    return event
            self.news += self.read("GET", f"chats/{chat_id}/events")["events"]
        raise AssertionError("it never came")

    def say(self, chat_id: str, **event: Any) -> None:
        """Post an event; version 1 answers with news."""
        said = self.read("POST", f"chats/{chat_id}/events", {"events": [event]})
        self.news += said.get("events", [])

    def close(self) -> None:
        """Close its connections."""
        self.send.close()


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    """A center whose agents repeat what they hear, twenty times as fast as people."""
    center = ContactCenter(
        [simulate.build_tenant(simulate.builtin_scenario("echo"))], CenterSettings(hold=5.0)
    )
    with SimulatorServer(Network(center), speed=20.0) as served:
        yield served


@pytest.fixture
def client(server: SimulatorServer) -> Iterator[Client]:
    with closing(Client(server.url)) as client:
        yield client


def raw(url: str, method: str, path: str = "/", **headers: str) -> http.client.HTTPResponse:
    """One request as the standard library sends it, whatever the method."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request(method, path, headers=headers)
    reply = connection.getresponse()
    reply.read()
    connection.close()
    return reply


def failed(outcome: object) -> HttpFailure:
    """The failure that an outcome has to be."""
    assert isinstance(outcome, HttpFailure), outcome
    return outcome
