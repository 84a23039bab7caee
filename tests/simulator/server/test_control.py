"""The control door: an API with which tests read requests and set events, faults and time."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from attrs import define, field

from chatfsm._cli import simulate
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.faults import Faults
from chatfsm.simulator.network import Network
from chatfsm.simulator.server import chat_log, request_journal
from chatfsm.simulator.server.access import is_loopback
from chatfsm.simulator.server.server import SimulatorServer
from chatfsm.simulator.settings import CenterSettings
from chatfsm.transport import HttpReply
from tests.simulator.server.conftest import Client, failed
from tests.simulator.server.fake_network import FakeNetwork


@define
class ControlClient:
    """An HTTP client of the control door; `client` is a customer of the same server."""

    server: SimulatorServer
    prefix: str = "__control"
    client: Client = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.client = Client(self.server.url)

    def request(
        self, method: str, path: str, value: object = None, **headers: str
    ) -> tuple[int, dict[str, Any]]:
        connection = HTTPConnection(urlsplit(self.server.url).netloc, timeout=20)
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        connection.request(
            method, f"/{self.prefix}/{path}", b"" if value is None else body, headers=headers
        )
        reply = connection.getresponse()
        found = json.loads(reply.read() or b"{}")
        connection.close()
        return reply.status, found

    def do(self, method: str, path: str, value: object = None) -> dict[str, Any]:
        """Send a request that must succeed; return the parsed body."""
        status, found = self.request(method, path, value)
        assert status == 200, found
        return found

    def chat(self) -> str:
        """Open a chat in which the agent has joined and sent its greeting."""
        chat_id = self.client.open()
        self.client.wait_for(chat_id, lambda event: event["event"] == "chat_session_message")
        return chat_id


@pytest.fixture
def door() -> Iterator[ControlClient]:
    tenant = simulate.build_tenant(simulate.builtin_scenario("echo"))
    center = ContactCenter([tenant], CenterSettings(hold=2.0, inactivity_timeout=600.0))
    network = Network(center, Faults.parse("delay=0:poll"))
    with SimulatorServer(network, control=True, speed=5.0) as server:
        door = ControlClient(server)
        with closing(door.client):
            yield door


def test_requests_are_recorded_as_they_were_sent(door: ControlClient) -> None:
    """Each has method, path, query, headers, body and status; they are read in pages."""
    chat_id = door.chat()
    door.client.post(chat_id, event="chat_session_message", msg="heron", msg_id="1")
    found = door.do("GET", "requests?limit=1000")
    first, last = found["requests"][0], found["requests"][-1]
    assert (first["method"], first["path"]) == ("POST", "/clientweb/api/v2/chats")
    assert first["query"] == "tenantUrl=tenant.example"
    assert 'appId="demo"' in dict(map(tuple, first["headers"]))["Authorization"]
    assert last["path"] == f"/clientweb/api/v2/chats/{chat_id}/events"
    assert json.loads(last["body"])["events"][0]["msg"] == "heron"
    assert (last["status"], last["outcome"]) == (200, "replied")
    assert last["at"] <= last["done_at"]
    assert [one["number"] for one in found["requests"]] == [*range(1, found["total"] + 1)]
    assert door.do("GET", "requests?limit=1")["next"] == 2
    [second] = door.do("GET", "requests?since=2&limit=1")["requests"]
    assert second == found["requests"][1]


def test_recorded_requests_can_be_removed(door: ControlClient) -> None:
    """The numbers go on after a reset, so that no page is read twice."""
    door.client.open()
    before = door.do("GET", "requests")
    door.do("DELETE", "requests")
    assert door.do("GET", "requests")["requests"] == []
    door.client.open()
    [seen] = door.do("GET", "requests")["requests"]
    assert seen["number"] == before["total"] + 1


def test_the_lists_are_bounded(door: ControlClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest entries are dropped, bodies are cut, and an invalid limit is refused."""
    assert (request_journal.MAX_REQUESTS, chat_log.MAX_EVENTS) == (1_000, 1_000)
    monkeypatch.setattr(request_journal, "_MAX_BODY", 10)
    for _ in range(1_010):
        door.client.request("POST", "chats", {"parameters": {"a": "x" * 20}})
    found = door.do("GET", "requests?limit=1000")
    assert (len(found["requests"]), found["requests"][0]["number"]) == (1_000, 11)
    assert len(found["requests"][0]["body"]) == 10
    assert found["requests"][0]["body_size"] > 20
    [chat] = door.do("GET", "chats")["chats"]
    path = f"chats/{chat['chat_id']}/events"
    for _ in range(5):
        events = [{"event": "chat_session_info", "service_name": "a"}] * 256
        assert door.do("POST", path, {"events": events}) == {"sent": 256}
    found = door.do("GET", f"{path}?limit=1000")
    assert len(found["events"]) == 1_000
    assert found["events"][0]["number"] > 256
    assert door.request("GET", "requests?limit=1001")[0] == 400
    assert door.request("POST", path, {"events": events * 2})[0] == 400


def test_an_event_is_sent_to_the_customer(door: ControlClient) -> None:
    """Events arrive by the poll, and the events of both sides can be read."""
    chat_id = door.chat()
    door.do("POST", f"chats/{chat_id}/events", {"event": "chat_session_info", "service_name": "a"})
    names = ["chat_session_info", "x_new"]
    events = [{"event": name, "service_name": "b"} for name in names]
    assert door.do("POST", f"chats/{chat_id}/events", {"events": events}) == {"sent": 2}
    for name, service in (("chat_session_info", "a"), ("chat_session_info", "b"), ("x_new", "b")):
        event = door.client.wait_for(chat_id, lambda event: "service_name" in event)
        assert (event["event"], event["service_name"]) == (name, service)
    door.client.post(chat_id, event="chat_session_message", msg="heron", msg_id="1")
    seen = door.do("GET", f"chats/{chat_id}/events")["events"]
    [own] = [one for one in seen if one["event"].get("msg") == "heron"]
    assert own["sender"] == "customer"
    assert {one["sender"] for one in seen if one["number"] < own["number"]} == {"center"}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (b"{", "the body must be JSON"),
        (b"[]", "the body must be a JSON object"),
        ({}, "event 1 must be an object with a field named event"),
        ({"events": []}, "events must be a list of 1 to 256 objects"),
        ({"events": [{"event": "a"}, 7]}, "event 2 must be an object"),
        ({"event": ""}, "event 1 must be"),
        ({"event": "a", "b": json.loads("[" * 40 + "]" * 40)}, "nested deeper than 32"),
    ],
)
def test_an_invalid_event_is_refused(door: ControlClient, value: object, words: str) -> None:
    """All events of the request are refused, with the reason, before the first is sent."""
    chat_id = door.chat()
    before = door.do("GET", f"chats/{chat_id}")["events"]
    status, found = door.request("POST", f"chats/{chat_id}/events", value)
    assert status == 400
    assert words in found["error"]
    assert door.do("GET", f"chats/{chat_id}")["events"] == before


@pytest.mark.parametrize("how", ["ended", "failed", "timed_out"])
def test_a_chat_is_ended(door: ControlClient, how: str) -> None:
    """The customer receives the end; an ended chat accepts no more events."""
    chat_id = door.chat()
    assert door.do("POST", f"chats/{chat_id}/end", {"how": how})["outcome"] == how
    assert door.request("POST", f"chats/{chat_id}/end")[0] == 409
    status, found = door.request("POST", f"chats/{chat_id}/events", {"event": "x"})
    assert (status, found["error"]) == (
        409,
        f"cannot send an event in chat {chat_id}: it is over",
    )
    reply = door.client.request("GET", f"chats/{chat_id}/events")
    assert isinstance(reply, HttpReply)
    assert reply.status == 200


def test_a_test_can_be_the_agent(door: ControlClient) -> None:
    """The agent's seat replaces the scenario, and its messages reach the customer."""
    chat_id = door.chat()
    status, found = door.request("POST", f"chats/{chat_id}/agent", {"action": "say", "text": "a"})
    assert (status, found["error"]) == (
        409,
        f"cannot say in chat {chat_id}: the agent must join first",
    )
    assert door.do("POST", f"chats/{chat_id}/agent", {"action": "join"})["is_seat"] is True
    door.do("POST", f"chats/{chat_id}/agent", {"action": "say", "text": "By hand."})
    door.client.wait_for(chat_id, lambda event: event.get("msg") == "By hand.")
    status, found = door.request("POST", f"chats/{chat_id}/agent", {"action": "dance"})
    assert status == 400
    assert found["error"].startswith("action must be one of join, say")


def test_faults_are_set_and_cleared(door: ControlClient) -> None:
    """Faults are set as text; counts start at that moment, and an invalid text changes nothing."""
    chat_id = door.chat()
    assert door.do("GET", "faults")["faults"] == "delay=0:poll"
    assert door.do("PUT", "faults", {"faults": "503:post@1"})["faults"] == "503:post@1"
    path = f"chats/{chat_id}/events"
    event = {"events": [{"event": "chat_session_typing"}]}
    statuses = [door.client.request("POST", path, event).status for _ in range(2)]
    assert statuses == [503, 200]
    assert door.do("GET", "faults")["hits"]["503"] == 1
    status, found = door.request("PUT", "faults", {"faults": "explode"})
    assert status == 400
    assert "'explode'" in found["error"]
    assert door.request("PUT", "faults", {})[0] == 400
    assert door.do("GET", "faults")["faults"] == "503:post@1"
    listed = door.do("PUT", "faults", {"faults": [{"kind": "reset", "on": "post"}]})
    assert listed["faults"] == "reset:post"
    failed(door.client.request("POST", path, event))
    assert door.do("DELETE", "faults")["faults"] == ""
    assert door.client.request("POST", path, event).status == 200


def test_time_can_be_advanced(door: ControlClient) -> None:
    """An inactivity warning after 300 s comes at once, and then the chat ends."""
    chat_id = door.chat()
    door.do("POST", f"chats/{chat_id}/agent", {"action": "join"})
    assert door.do("POST", "advance", {"seconds": 150})["now"] >= 150
    events = door.client.read("GET", f"chats/{chat_id}/events")["events"]
    assert "chat_session_timeout_warning" not in {event["event"] for event in events}
    door.do("POST", "advance", {"seconds": 150})
    door.client.wait_for(chat_id, lambda event: event["event"] == "chat_session_timeout_warning")
    door.client.read("GET", f"chats/{chat_id}/events")
    door.do("POST", "advance", {"seconds": 170})
    door.client.read("GET", f"chats/{chat_id}/events")
    door.do("POST", "advance", {"seconds": 130.5})
    assert door.do("GET", f"chats/{chat_id}")["outcome"] == "timed_out"


@pytest.mark.parametrize("seconds", [0, -1, 3601, "30", None, True, 10**400])
def test_a_time_out_of_range_is_refused(door: ControlClient, seconds: object) -> None:
    """The error names the range."""
    status, found = door.request("POST", "advance", {"seconds": seconds})
    assert status == 400
    assert found["error"].startswith("seconds must be above 0 and at most 3600, not ")
    assert len(found["error"]) <= 200


def test_a_reset_ends_all_chats(door: ControlClient) -> None:
    """The recorded requests are removed, and the faults are those of the start again."""
    chat_id = door.chat()
    door.do("PUT", "faults", {"faults": "storm"})
    door.do("POST", "reset")
    assert door.do("GET", f"chats/{chat_id}")["outcome"] == "ended"
    assert door.do("GET", "requests")["requests"] == []
    assert door.do("GET", "faults")["faults"] == "delay=0:poll"
    assert door.client.open() != chat_id


def test_the_chats_are_listed(door: ControlClient) -> None:
    """The newest chat is first, each with its state and parties, and without credentials."""
    chat_id = door.chat()
    door.client.who = 'appId="plain", clientId="secret-17"'
    other = door.client.open()
    found = door.do("GET", "chats")
    assert [chat["chat_id"] for chat in found["chats"]] == [other, chat_id]
    assert found["chats"][1]["state"] == "connected"
    assert found["chats"][1]["app_id"] == "demo"
    assert len(found["chats"][1]["parties"]) == 1
    assert "secret-17" not in json.dumps(found)
    assert len(door.do("GET", "chats?limit=1")["chats"]) == 1


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "chats/none", 404, "no chat has the id 'none'"),
        ("POST", "chats/none/end", 404, "no chat has the id 'none'"),
        ("GET", "chats/none/events", 404, "no chat has the id 'none'"),
        ("GET", "dance", 404, "no such path; GET /__control/ lists them"),
        ("GET", "chats/a/b/c", 404, "no such path"),
        ("PUT", "requests", 405, "this path takes GET, DELETE"),
        ("GET", "requests?limit=0", 400, "limit must be from 1 to 1000, not '0'"),
        ("GET", "requests?since=-1", 400, "since must be from 1"),
        ("GET", "chats?limit=%C2%B2", 400, "limit must be from 1 to 1000"),
    ],
)
def test_other_requests_are_refused(
    door: ControlClient, method: str, path: str, status: int, words: str
) -> None:
    """The error is JSON and names the reason."""
    found, answer = door.request(method, path)
    assert found == status
    assert words in answer["error"]


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://elsewhere.example"},
        {"Origin": "null"},
        {"Host": "elsewhere.example"},
        {"Host": "localhost.elsewhere.example:80"},
    ],
)
def test_pages_of_other_origins_are_refused(door: ControlClient, headers: dict[str, str]) -> None:
    """Pages of another origin and rebound host names are refused."""
    status, found = door.request("POST", "reset", {}, **headers)
    if "Host" in headers:  # the server refuses the host name itself
        assert status == 421
        assert "names another server" in found["error_message"]
    else:
        assert status == 403
        assert "may use this" in found["error"]
    assert door.request("GET", "chats", Origin=door.server.url)[0] == 200


def test_only_this_machine_is_answered() -> None:
    """An address other than loopback is refused, even if the server listens there."""
    assert is_loopback("127.3.2.1")
    assert is_loopback("::1")
    assert is_loopback("::ffff:127.0.0.1")
    assert not any(map(is_loopback, ("192.168.1.7", "::", "0.0.0.0", "", "localhost.x")))  # noqa: S104  # the address is refused


def test_the_control_door_is_off_by_default(door: ControlClient) -> None:
    """Without the option its paths get the center's refusal, and no request is recorded."""
    assert "POST /__control/advance" in door.do("GET", "")["paths"]
    tenant = simulate.build_tenant(simulate.builtin_scenario("echo"))
    with SimulatorServer(Network(ContactCenter([tenant]))) as server:
        connection = HTTPConnection(urlsplit(server.url).netloc, timeout=20)
        connection.request("GET", "/__control/")
        assert connection.getresponse().status == 404
        connection.close()
        assert server.pump.journal is None


def test_the_seat_of_the_page_has_fewer_rights(door: ControlClient) -> None:
    """It has chats, streams, agent actions and faults, but no requests, time or foreign origins."""
    tenant = simulate.build_tenant(simulate.builtin_scenario("echo"))
    network = Network(ContactCenter([tenant]))
    with SimulatorServer(network, pages=simulate.build_pages(tenant)) as server:
        seat = ControlClient(server, "web/agent")
        with closing(seat.client):
            chat_id = seat.chat()
            assert seat.do("POST", f"chats/{chat_id}/agent", {"action": "join"})["is_seat"]
            assert seat.do("PUT", "faults", {"faults": "503:post"})["hits"] == {}
            for method, path in (
                ("GET", "requests"),
                ("POST", "advance"),
                ("POST", "reset"),
                ("POST", f"chats/{chat_id}/events"),
                ("POST", f"chats/{chat_id}/end"),
            ):
                assert seat.request(method, path)[0] == 404
            elsewhere = {"Origin": "http://elsewhere.example"}
            assert seat.request("GET", "chats", **elsewhere)[0] == 403
            door.server = server
            assert door.request("GET", "chats")[0] == 404


def test_a_broken_stream_can_be_resumed(door: ControlClient) -> None:
    """Events are numbered, and a stream starts after the last number that the page has."""
    chat_id = door.chat()
    whole = door.do("GET", f"chats/{chat_id}/events")["events"]
    for last in (None, 2):
        connection = HTTPConnection(urlsplit(door.server.url).netloc, timeout=20)
        headers = {} if last is None else {"Last-Event-ID": str(last)}
        connection.request("GET", f"/__control/chats/{chat_id}/stream", headers=headers)
        reply = connection.getresponse()
        assert reply.getheader("Content-Type") == "text/event-stream"
        wanted = whole[last or 0 :]
        lines = [reply.readline().decode().rstrip("\n") for _ in range(3 * len(wanted))]
        assert lines[::3] == [f"id: {one['number']}" for one in wanted]
        assert [json.loads(line.removeprefix("data: ")) for line in lines[1::3]] == wanted
        connection.close()


def test_a_fake_center_has_no_control_door(network_without_center: Network) -> None:
    """The control door needs a ContactCenter."""
    with pytest.raises(TypeError, match="control needs a network with a ContactCenter"):
        SimulatorServer(network_without_center, control=True)


@pytest.fixture
def network_without_center() -> Network:
    return FakeNetwork().network
