"""The server: what comes over a socket reaches the network, and what comes of it a client."""

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
from tests.simulator.server.fake_network import REPLY, Wire

KINDS = ("refused", "reset", "truncated", "garbage", "lost")
LIMIT = 10_000


@pytest.fixture
def wire() -> Wire:
    broken = {f"/{kind}": BrokenExchange(0, kind, REPLY, b"\0junk\r\n\r\n") for kind in KINDS}
    return Wire({"/ok": REPLY, **broken})


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def served(wire: Wire, told: list[str]) -> Iterator[SimulatorServer]:
    with SimulatorServer(wire.network, log=told.append, max_body=LIMIT) as server:
        yield server


@pytest.fixture
def send() -> Iterator[Sender]:
    with Sender() as sender:
        yield sender


def get(server: SimulatorServer, path: str, timeout: float = 10.0) -> HttpRequest:
    return HttpRequest(1, "GET", f"{server.url}{path}", (("X-Word", "one"),), timeout=timeout)


def soon(is_so: Callable[[], object]) -> None:
    """Wait until something is so, in another thread."""
    until = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.01)


def test_a_request_arrives_as_it_was_sent(
    served: SimulatorServer, send: Sender, wire: Wire
) -> None:
    """Method, absolute URL with its query, headers and body reach the network unchanged."""
    request = HttpRequest(1, "POST", f"{served.url}/ok?a=%2F&b", (("X-Word", "ä"),), b"\0body")
    reply = send(evolve(request, headers=(("X-Word", "one"), ("X-Word-2", "two"))))
    assert isinstance(reply, HttpReply)
    assert (reply.status, reply.body) == (200, REPLY.body)
    [arrived] = wire.requests
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
def test_what_breaks_breaks_the_connection(
    served: SimulatorServer, send: Sender, path: str, kind: str, why: str
) -> None:
    """A client of ours sees each kind for what it is, and the next request finds a server."""
    failure = failed(send(get(served, path)))
    assert failure.kind == kind
    assert why in failure.why
    assert isinstance(send(get(served, "/ok")), HttpReply)


@pytest.mark.parametrize("path", ["/lost", "/held"])
def test_what_never_comes_is_waited_for(served: SimulatorServer, send: Sender, path: str) -> None:
    """A reply that is lost, or not yet due, leaves the client waiting until its own timeout."""
    assert failed(send(get(served, path, timeout=0.2))).kind == "timeout"


@pytest.mark.parametrize("reply", [None, evolve(REPLY, body=b""), evolve(REPLY, body=b"x" * 999)])
def test_a_truncated_reply_is_missed_whatever_it_was(
    served: SimulatorServer, send: Sender, wire: Wire, reply: HttpReply | None
) -> None:
    """Also where it would have been empty, and where the server gave none."""
    wire.answers["/cut"] = BrokenExchange(0, "truncated", reply)
    assert failed(send(get(served, "/cut"))).why == "IncompleteRead"


def test_a_lost_reply_is_not_held_for_ever(wire: Wire, send: Sender) -> None:
    """After a while, longer than clients wait, the connection is reset."""
    with SimulatorServer(wire.network, lost_after=0.1) as server:
        assert "reset" in failed(send(get(server, "/lost"))).why


def test_a_held_request_is_answered_when_it_is_due(
    served: SimulatorServer, send: Sender, wire: Wire
) -> None:
    """The reply comes as soon as the network has it."""
    replies: list[HttpReply | HttpFailure] = []
    waiting = threading.Thread(target=lambda: replies.append(send(get(served, "/held"))))
    waiting.start()
    soon(lambda: wire.held)
    served.call_in_loop(wire.release)
    waiting.join(10)
    assert replies == [evolve(REPLY, id=1, headers=replies[0].headers)]  # type: ignore[union-attr]


def test_a_client_that_goes_away_has_given_up(
    served: SimulatorServer, send: Sender, wire: Wire
) -> None:
    """The network is told, once; what is answered already is given up by nobody."""
    send(get(served, "/ok"))
    send(get(served, "/held", timeout=0.1))
    soon(lambda: wire.cancelled)
    assert wire.cancelled == [wire.requests[1].id]


def test_closing_ends_what_is_held(wire: Wire, send: Sender) -> None:
    """Whoever waits when the server closes sees the connection break, at once."""
    outcomes: list[HttpReply | HttpFailure] = []
    with SimulatorServer(wire.network) as server:
        waiting = threading.Thread(target=lambda: outcomes.append(send(get(server, "/held"))))
        waiting.start()
        soon(lambda: wire.held)
    waiting.join(10)
    assert "Connection reset by peer" in failed(outcomes[0]).why


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "TRACE"])
def test_other_verbs_are_refused(served: SimulatorServer, wire: Wire, method: str) -> None:
    """405, with what would do; the network hears nothing of it."""
    reply = raw(served.url, method, "/ok")
    assert (reply.status, reply.getheader("Allow")) == (405, "GET, POST, OPTIONS")
    assert wire.requests == []


def test_pages_of_other_origins_may_ask(served: SimulatorServer, wire: Wire) -> None:
    """A browser's preflight is answered here, and every reply says that it may be read."""
    page = {"Origin": "http://localhost:3000"}
    asked = {**page, "Access-Control-Request-Method": "POST"}
    preflight = raw(served.url, "OPTIONS", "/ok", **asked)
    assert preflight.status == 204
    allowed = (preflight.getheader("Access-Control-Allow-Headers") or "").lower()
    assert {"authorization", "content-type", "cache-control"} <= set(allowed.split(", "))
    assert "POST" in (preflight.getheader("Access-Control-Allow-Methods") or "")
    assert wire.requests == []
    replies = [preflight, *(raw(served.url, verb, "/ok", **page) for verb in ("GET", "PUT"))]
    found = [reply.getheader("Access-Control-Allow-Origin") for reply in replies]
    assert found == ["http://localhost:3000"] * 3


def test_a_body_too_long_is_refused_before_it_is_read(
    served: SimulatorServer, send: Sender, wire: Wire
) -> None:
    """Status 413 with error 5501, for what says its length; the longest that does is taken."""
    request = HttpRequest(1, "POST", f"{served.url}/ok", (), b"x" * (LIMIT + 1))
    reply = send(request)
    assert isinstance(reply, HttpReply)
    assert (reply.status, json.loads(reply.body)["error_code"]) == (413, "5501")
    assert wire.requests == []
    reply = send(evolve(request, body=b"x" * LIMIT))
    assert isinstance(reply, HttpReply)
    assert (reply.status, len(wire.requests[0].body)) == (200, LIMIT)


def test_a_length_alone_is_enough_to_refuse(served: SimulatorServer) -> None:
    """A body that is announced and never comes is not waited for."""
    with talking(served) as connection:
        connection.sendall(b"POST /ok HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")


def test_a_body_without_a_length_is_refused_as_it_grows(
    served: SimulatorServer, wire: Wire
) -> None:
    """So many chunks as are too long together, and no end of them, are answered with 413."""
    with talking(served) as connection:
        connection.sendall(b"POST /ok HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall((b"1000\r\n" + b"x" * 0x1000 + b"\r\n") * 3)
        assert connection.recv(100).startswith(b"HTTP/1.1 413 ")
    assert wire.requests == []


def test_a_client_that_asks_whether_to_go_on_is_told_to(served: SimulatorServer) -> None:
    """As curl does, which sends long bodies only after 100 Continue."""
    head = b"POST /ok HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    with talking(served) as connection:
        connection.sendall(head)
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"body")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")


def test_a_proxy_may_ask_with_the_whole_url(served: SimulatorServer, wire: Wire) -> None:
    """The path and the query of an absolute target reach the network."""
    with talking(served) as connection:
        connection.sendall(b"GET http://center.example/ok?a=1 HTTP/1.1\r\nHost: x\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200 ")
    assert wire.requests[0].url.endswith("/ok?a=1")


def test_what_is_no_http_is_refused(served: SimulatorServer, wire: Wire) -> None:
    """Junk gets 400, and the server goes on."""
    with talking(served) as connection:
        connection.sendall(b"\x16\x03\x01 nothing that anybody knows\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.0 400 ")
    assert raw(served.url, "GET", "/ok").status == 200


def test_each_request_is_told_without_what_is_secret(
    served: SimulatorServer, send: Sender, told: list[str]
) -> None:
    """Verb, path, what came of it and how long it took; no query, header or body."""
    secret = (("Authorization", 'appId="app-17", clientId="client-17"'),)
    send(HttpRequest(1, "POST", f"{served.url}/ok?who=somebody-17", secret, b"text-17"))
    send(get(served, "/reset"))
    send(get(served, "/held", timeout=0.1))
    soon(lambda: len(told) == 3)
    assert [line.rsplit(" ", 2)[0] for line in told] == [
        "POST /ok 200",
        "GET /reset broken: reset",
        "GET /held given up by the client",
    ]
    assert "17" not in "".join(line.rsplit(" ", 2)[0] for line in told)


def test_a_taken_port_is_an_error(served: SimulatorServer, wire: Wire) -> None:
    """Whoever begins learns it, as OSError."""
    port = urlsplit(served.url).port or 0
    with (
        pytest.raises(OSError, match="address already in use"),
        SimulatorServer(wire.network, port=port),
    ):
        pass


def test_a_server_that_does_not_run_does_nothing(wire: Wire) -> None:
    """Work for its center needs a loop that runs."""
    server = SimulatorServer(wire.network)
    with pytest.raises(RuntimeError, match="use it in its with block"):
        server.call_in_loop(lambda: None)
    with server:
        assert server.call_in_loop(lambda: 5) == 5
    with pytest.raises(RuntimeError, match="use it in its with block"):
        server.call_in_loop(lambda: None)


def test_a_center_that_breaks_is_no_silence(wire: Wire, send: Sender) -> None:
    """What it raised ends the serving, and is raised where the block ends."""

    def broken() -> None:
        raise ZeroDivisionError

    server = SimulatorServer(wire.network)
    server.__enter__()
    wire.when_collecting = broken
    assert failed(send(get(server, "/ok"))).kind == "protocol"
    with pytest.raises(ZeroDivisionError):
        server.__exit__(None)


def talking(server: SimulatorServer) -> socket.socket:
    """A connection, to say anything on."""
    parts = urlsplit(server.url)
    return socket.create_connection((parts.hostname, parts.port), timeout=10)


def test_time_passes_as_fast_as_was_asked(wire: Wire) -> None:
    """The center's clock begins at 0, and runs so many times as fast as the one on the wall."""
    wall = iter((100.0, 100.0, 102.5))
    carrier = NetworkPump(wire.network, speed=20.0, clock=lambda: next(wall))
    assert [carrier.now(), carrier.now()] == [0.0, 50.0]


def test_two_polls_of_one_chat_are_one_too_many(client: Client) -> None:
    """The second is refused as the protocol says, and the first goes on."""
    chat_id = client.open()
    client.hear(chat_id, lambda event: event["event"] == "chat_session_message")
    held: list[object] = []
    first = threading.Thread(
        target=lambda: held.append(client.ask("GET", f"chats/{chat_id}/events"))
    )
    first.start()
    second = None
    while first.is_alive() and second is None:
        reply = client.ask("POST", f"chats/{chat_id}/events", {"events": []})
        reply = client.ask("GET", f"chats/{chat_id}/events")
        second = reply if reply.status != 200 else None
    first.join(10)
    assert second is not None
    assert (second.status, json.loads(second.body)["error_code"]) == (429, "5509")
    assert isinstance(held[0], HttpReply)


@pytest.mark.parametrize("api", [1, 2])
@pytest.mark.parametrize("mark", ['"', ""])
def test_a_chat_from_its_beginning_to_its_end(client: Client, api: int, mark: str) -> None:
    """Both versions, and both ways to write the credentials."""
    client.api = api
    client.who = f"appId={mark}echo{mark}, clientId={mark}client-{api}-{len(mark)}{mark}"
    chat_id = client.open()
    client.hear(chat_id, lambda event: event.get("state") == "connected")
    client.say(chat_id, event="chat_session_message", msg="heron", msg_id="1")
    client.hear(chat_id, lambda event: event.get("msg") == "You said: heron")
    client.say(chat_id, event="chat_session_end")
    client.hear(chat_id, lambda event: event["event"] == "chat_session_ended")
    if api == 1:  # what came in the reply to the POST comes by the poll too
        assert b"chat_session_ended" in client.ask("GET", f"chats/{chat_id}/events").body
    assert client.ask("GET", f"chats/{chat_id}/events").status == 404


def test_somebody_of_the_center_may_be_told_what_to_do(
    server: SimulatorServer, client: Client
) -> None:
    """`do` works between two requests, and what it brings about reaches a held poll."""
    client.who = 'appId="demo", clientId="told"'
    chat_id = client.open()
    client.hear(chat_id, lambda event: event.get("state") == "connected")
    center = server.network.center
    event = {"event": "chat_session_timeout_warning", "msg": "By hand"}
    server.call_in_loop(lambda: center.send_event(chat_id, event, now=server.now()))  # type: ignore[attr-defined]
    client.hear(chat_id, lambda event: event.get("msg") == "By hand")
