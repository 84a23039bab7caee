"""Fixtures: a contact center behind a server, and HTTP clients of it."""

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
    """A customer that sends raw HTTP requests; `api` is the version."""

    url: str
    send: Sender = field(factory=Sender)
    api: int = 2
    who: str = 'appId="demo", clientId="me"'
    events: list[dict[str, Any]] = field(factory=list)

    def request(self, method: Any, path: str, body: object = None, timeout: float = 10.0) -> Any:
        """Send a request; return the reply or the failure."""
        url = f"{self.url}/clientweb/api/v{self.api}/{path}?tenantUrl={simulate.TENANT_URL}"
        headers = (("Authorization", f"{SCHEME} {self.who}"),)
        text = b"" if body is None else json.dumps(body).encode()
        return self.send(HttpRequest(1, method, url, headers, text, timeout))

    def read(self, method: str, path: str, body: object = None) -> Any:
        """Send a request that must succeed; return the parsed body."""
        reply = self.request(method, path, body)
        assert isinstance(reply, HttpReply), reply
        assert reply.status == 200, reply.body
        return json.loads(reply.body or b"{}")

    def open(self) -> str:
        """Request a chat; return its id."""
        return str(self.read("POST", "chats", {})["chat_id"])

    def wait_for(self, chat_id: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Poll until an event satisfies `wanted`."""
        for _ in range(50):
            while self.events:
                event = self.events.pop(0)
                if wanted(event):
                    return event
            self.events += self.read("GET", f"chats/{chat_id}/events")["events"]
        raise AssertionError("the event did not come")

    def post(self, chat_id: str, **event: Any) -> None:
        """Post an event; version 1 answers with new events."""
        said = self.read("POST", f"chats/{chat_id}/events", {"events": [event]})
        self.events += said.get("events", [])

    def close(self) -> None:
        """Close the connections."""
        self.send.close()


@pytest.fixture(scope="module")
def server() -> Iterator[SimulatorServer]:
    """A server with the echo scenario, at twenty times the normal speed."""
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
    """Send one request with the standard library, which allows any method."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    connection.request(method, path, headers=headers)
    reply = connection.getresponse()
    reply.read()
    connection.close()
    return reply


def failed(outcome: object) -> HttpFailure:
    """Assert that an outcome is a failure, and return it."""
    assert isinstance(outcome, HttpFailure), outcome
    return outcome
