"""SimulatorServer: requests from sockets to the network, and replies and failures back."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from attrs import evolve

from chatfsm.adapters.stdlib import Sender
from chatfsm.simulator.network import BrokenExchange
from chatfsm.simulator.server.handler import NetworkPump
from chatfsm.simulator.server.server import SimulatorServer
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest
from tests.simulator.server.conftest import Client, failed, raw
from tests.simulator.server.fake_network import REPLY, FakeNetwork

KINDS = ("refused", "reset", "truncated", "garbage", "lost")
LIMIT = 10_000


@pytest.fixture
def fake() -> FakeNetwork:
    broken = {f"/{kind}": BrokenExchange(0, kind, REPLY, b"\0junk\r\n\r\n") for kind in KINDS}
    return FakeNetwork({"/ok": REPLY, **broken})


@pytest.fixture
def logged() -> list[str]:
    return []


@pytest.fixture
def served(fake: FakeNetwork, logged: list[str]) -> Iterator[SimulatorServer]:
    with SimulatorServer(fake.network, log=logged.append, max_body=LIMIT) as server:
        yield server


@pytest.fixture
def send() -> Iterator[Sender]:
    with Sender() as sender:
        yield sender


def get(server: SimulatorServer, path: str, timeout: float = 10.0) -> HttpRequest:
    return HttpRequest(1, "GET", f"{server.url}{path}", (("X-Word", "one"),), timeout=timeout)


def soon(is_so: Callable[[], object]) -> None:
    """Wait until another thread has made a condition true."""
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_request_arrives_as_it_was_sent(
    served: SimulatorServer, send: Sender, fake: FakeNetwork
) -> None:
    """Method, absolute URL with its query, headers and body reach the network unchanged."""
    request = HttpRequest(1, "POST", f"{served.url}/ok?a=%2F&b", (("X-Word", "ä"),), b"\0body")
    reply = send(evolve(request, headers=(("X-Word", "one"), ("X-Word-2", "two"))))
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.body) == (200, REPLY.body)
    [arrived] = fake.requests
    assert (arrived.method, arrived.url, arrived.body) == ("POST", request.url, b"\0body")
    assert {("X-Word", "one"), ("X-Word-2", "two")} <= set(arrived.headers)


@pytest.mark.parametrize(
    ("path", "kind", "why"),
    [
        ("/refused", "protocol", "Connection reset by peer"),
        ("/reset", "protocol", "Connection reset by peer"),
        ("/truncated", "protocol", "IncompleteRead"),
        ("/garbage", "protocol", "BadStatusLine"),
    ],
)
def test_a_broken_exchange_breaks_the_connection(
    served: SimulatorServer, send: Sender, path: str, kind: str, why: str
) -> None:
    """A client of chatfsm sees each kind of failure, and the next request succeeds."""
    failure = failed(send(get(served, path)))
    assert failure.kind == kind
    assert why in failure.why
    assert isinstance(send(get(served, "/ok")), HttpReply)


@pytest.mark.parametrize("path", ["/lost", "/held"])
def test_a_missing_reply_runs_into_the_timeout(
    served: SimulatorServer, send: Sender, path: str
) -> None:
    """If a reply is lost, or not yet due, the request runs into the client's own timeout."""
    assert failed(send(get(served, path, timeout=0.2))).kind == "timeout"


@pytest.mark.parametrize("reply", [None, evolve(REPLY, body=b""), evolve(REPLY, body=b"x" * 999)])
def test_a_truncated_reply_is_a_failure(
    served: SimulatorServer, send: Sender, fake: FakeNetwork, reply: HttpReply | None
) -> None:
    """The client reports IncompleteRead also for an empty reply, and without any reply."""
    fake.answers["/cut"] = BrokenExchange(0, "truncated", reply)
    assert failed(send(get(served, "/cut"))).why == "IncompleteRead"


def test_a_lost_reply_ends_with_a_reset(fake: FakeNetwork, send: Sender) -> None:
    """The connection is reset after a time longer than the timeouts of clients."""
    with SimulatorServer(fake.network, lost_after=0.1) as server:
        assert "reset" in failed(send(get(server, "/lost"))).why


def test_a_held_request_is_answered_when_it_is_due(
    served: SimulatorServer, send: Sender, fake: FakeNetwork
) -> None:
    """The reply is sent as soon as the network has it."""
    replies: list[HttpReply | HttpFailure] = []
    waiting = threading.Thread(target=lambda: replies.append(send(get(served, "/held"))))
    waiting.start()
    soon(lambda: fake.held)
    served.call_in_loop(fake.release)
    waiting.join(10)
    assert replies == [evolve(REPLY, id=1, headers=replies[0].headers)]  # type: ignore[union-attr]


def test_a_client_that_disconnects_cancels_its_request(
    served: SimulatorServer, send: Sender, fake: FakeNetwork
) -> None:
    """The network gets one cancellation, and none for a request that was answered."""
    send(get(served, "/ok"))
    send(get(served, "/held", timeout=0.1))
    soon(lambda: fake.cancelled)
    assert fake.cancelled == [fake.requests[1].id]


def test_closing_ends_held_requests(fake: FakeNetwork, send: Sender) -> None:
    """Held requests fail at once with a connection reset."""
    outcomes: list[HttpReply | HttpFailure] = []
    with SimulatorServer(fake.network) as server:
        waiting = threading.Thread(target=lambda: outcomes.append(send(get(server, "/held"))))
        waiting.start()
        soon(lambda: fake.held)
    waiting.join(10)
    assert "Connection reset by peer" in failed(outcomes[0]).why


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "TRACE"])
def test_other_methods_are_refused(served: SimulatorServer, fake: FakeNetwork, method: str) -> None:
    """Status 405 with the allowed methods; the request does not reach the network."""
    reply = raw(served.url, method, "/ok")
    assert (reply.status, reply.getheader("Allow")) == (405, "GET, POST, OPTIONS")
    assert fake.requests == []


def test_pages_of_other_origins_may_send_requests(
    served: SimulatorServer, fake: FakeNetwork
) -> None:
    """The server answers a preflight itself, and every reply has the CORS headers."""
    page = {"Origin": "http://localhost:3000"}
    asked = {**page, "Access-Control-Request-Method": "POST"}
    preflight = raw(served.url, "OPTIONS", "/ok", **asked)
    assert preflight.status == 204
    allowed = (preflight.getheader("Access-Control-Allow-Headers") or "").lower()
    assert {"authorization", "content-type", "cache-control"} <= set(allowed.split(", "))
    assert "POST" in (preflight.getheader("Access-Control-Allow-Methods") or "")
    assert fake.requests == []
    replies = [preflight, *(raw(served.url, verb, "/ok", **page) for verb in ("GET", "PUT"))]
    found = [reply.getheader("Access-Control-Allow-Origin") for reply in replies]
    assert found == ["http://localhost:3000"] * 3


def test_a_body_too_long_is_refused_before_it_is_read(
    served: SimulatorServer, send: Sender, fake: FakeNetwork
) -> None:
    """Status 413 with error 5501 if Content-Length is too long; the limit itself is accepted."""
    request = HttpRequest(1, "POST", f"{served.url}/ok", (), b"x" * (LIMIT + 1))
    reply = send(request)
    assert isinstance(reply, HttpReply)
    assert (reply.status, json.loads(reply.body)["error_code"]) == (413, "5501")
    assert fake.requests == []
    reply = send(evolve(request, body=b"x" * LIMIT))
    assert isinstance(reply, HttpReply)
    assert (reply.status, len(fake.requests[0].body)) == (200, LIMIT)


def test_a_long_body_is_refused_by_its_announced_length(served: SimulatorServer) -> None:
    """The refusal does not wait for the announced body."""
    with open_socket(served) as connection:
        connection.sendall(b"POST /ok HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_is_refused_as_it_grows(
    served: SimulatorServer, fake: FakeNetwork
) -> None:
    """An endless chunked body is refused with 413 when it exceeds the limit."""
    with open_socket(served) as connection:
        connection.sendall(b"POST /ok HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall((b"1000\r\n" + b"x" * 0x1000 + b"\r\n") * 3)
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    assert fake.requests == []


def test_expect_100_continue_is_answered(served: SimulatorServer) -> None:
    """Clients such as curl send a long body only after 100 Continue."""
    head = b"POST /ok HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with open_socket(served) as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"body")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_an_absolute_request_target_is_accepted(served: SimulatorServer, fake: FakeNetwork) -> None:
    """The path and the query of an absolute target reach the network."""
    with open_socket(served) as connection:
        connection.sendall(b"GET http://center.example/ok?a=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    assert fake.requests[0].url.endswith("/ok?a=1")


def test_invalid_http_is_refused(served: SimulatorServer, fake: FakeNetwork) -> None:
    """Invalid bytes get 400, and the server goes on."""
    with open_socket(served) as connection:
        connection.sendall(b"\x16\x03\x01 nothing that anybody knows\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.0 400 ")
    assert raw(served.url, "GET", "/ok").status == 200


def test_each_request_is_logged_without_secrets(
    served: SimulatorServer, send: Sender, logged: list[str]
) -> None:
    """The log line has method, path, outcome and duration; no query, header or body."""
    secret = (("Authorization", 'appId="app-17", clientId="client-17"'),)
    send(HttpRequest(1, "POST", f"{served.url}/ok?who=somebody-17", secret, b"text-17"))
    send(get(served, "/reset"))
    send(get(served, "/held", timeout=0.1))
    soon(lambda: len(logged) == 3)
    assert [line.rsplit(" ", 2)[0] for line in logged] == [
        "POST /ok 200",
        "GET /reset broken: reset",
        "GET /held given up by the client",
    ]
    assert "17" not in "".join(line.rsplit(" ", 2)[0] for line in logged)


def test_a_taken_port_is_an_error(served: SimulatorServer, fake: FakeNetwork) -> None:
    """The start raises OSError."""
    port = urlsplit(served.url).port or 0
    with (
        pytest.raises(OSError, match="address already in use"),
        SimulatorServer(fake.network, port=port),
    ):
        pass


def test_a_stopped_server_runs_no_calls(fake: FakeNetwork) -> None:
    """`call_in_loop` raises unless the server runs."""
    server = SimulatorServer(fake.network)
    with pytest.raises(RuntimeError, match="use it in its with block"):
        server.call_in_loop(lambda: None)
    with server:
        assert server.call_in_loop(lambda: 5) == 5
    with pytest.raises(RuntimeError, match="use it in its with block"):
        server.call_in_loop(lambda: None)


def test_an_exception_of_the_center_is_raised(fake: FakeNetwork, send: Sender) -> None:
    """An exception of the center ends the server and is raised at the end of the block."""

    def broken() -> None:
        raise ZeroDivisionError

    server = SimulatorServer(fake.network)
    server.__enter__()
    fake.on_collect = broken
    assert failed(send(get(server, "/ok"))).kind == "protocol"
    with pytest.raises(ZeroDivisionError):
        server.__exit__(None)


def open_socket(server: SimulatorServer) -> socket.socket:
    """Open a socket connection to the server."""
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def test_the_speed_scales_the_clock(fake: FakeNetwork) -> None:
    """The center's clock begins at 0 and runs `speed` times as fast as the wall clock."""
    wall = iter((100.0, 100.0, 102.5))
    carrier = NetworkPump(fake.network, speed=20.0, clock=lambda: next(wall))
    assert [carrier.now(), carrier.now()] == [0.0, 50.0]


def test_a_second_poll_of_one_chat_is_refused(client: Client) -> None:
    """The second poll is refused, and the first goes on."""
    chat_id = client.open()
    client.wait_for(chat_id, lambda event: event["event"] == "chat_session_message")
    held: list[object] = []
    first = threading.Thread(
        target=lambda: held.append(client.request("GET", f"chats/{chat_id}/events"))
    )
    first.start()
    second = None
    while first.is_alive() and second is None:
        reply = client.request("POST", f"chats/{chat_id}/events", {"events": []})
        reply = client.request("GET", f"chats/{chat_id}/events")
        second = reply if reply.status != 200 else None
    first.join(10)
    assert second is not None
    assert (second.status, json.loads(second.body)["error_code"]) == (429, "5509")
    assert isinstance(held[0], HttpReply)


@pytest.mark.parametrize("api", [1, 2])
@pytest.mark.parametrize("mark", ['"', ""])
def test_a_whole_chat(client: Client, api: int, mark: str) -> None:
    """A chat runs to its end in both versions and both notations of the credentials."""
    client.api = api
    client.who = f"appId={mark}echo{mark}, clientId={mark}client-{api}-{len(mark)}{mark}"
    chat_id = client.open()
    client.wait_for(chat_id, lambda event: event.get("state") == "connected")
    client.post(chat_id, event="chat_session_message", msg="heron", msg_id="1")
    client.wait_for(chat_id, lambda event: event.get("msg") == "You said: heron")
    client.post(chat_id, event="chat_session_end")
    client.wait_for(chat_id, lambda event: event["event"] == "chat_session_ended")
    if api == 1:  # the poll repeats the events of the reply to the POST
        assert b"chat_session_ended" in client.request("GET", f"chats/{chat_id}/events").body
    assert client.request("GET", f"chats/{chat_id}/events").status == 404


def test_an_event_sent_by_call_in_loop_reaches_a_held_poll(
    server: SimulatorServer, client: Client
) -> None:
    """`call_in_loop` runs a call between requests, and its events reach a held poll."""
    client.who = 'appId="demo", clientId="logged"'
    chat_id = client.open()
    client.wait_for(chat_id, lambda event: event.get("state") == "connected")
    center = server.network.center
    event = {"event": "chat_session_timeout_warning", "msg": "By hand"}
    server.call_in_loop(lambda: center.send_event(chat_id, event, now=server.now()))  # type: ignore[attr-defined]
    client.wait_for(chat_id, lambda event: event.get("msg") == "By hand")
