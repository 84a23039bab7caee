"""Access to the server: pages of other origins, host names, many clients and slow ones."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest

from chatfsm._cli import simulate
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.network import Network
from chatfsm.simulator.server.access import AccessRules, is_origin
from chatfsm.simulator.server.connections import LimitedLog, connection_limit
from chatfsm.simulator.server.server import SimulatorServer
from tests.simulator.server.conftest import SCHEME, raw

PATH = f"/clientweb/api/v1/availability?tenantUrl={simulate.TENANT_URL}"
WHO = f'{SCHEME} appId="demo", clientId="me"'
SHOP = "https://shop.example"


def serve(**options: Any) -> SimulatorServer:
    center = ContactCenter([simulate.build_tenant(simulate.builtin_scenario("echo"))])
    return SimulatorServer(Network(center), **options)


@pytest.fixture(scope="module")
def served() -> Iterator[SimulatorServer]:
    """A server that allows the origin of a shop."""
    with serve(allow_origins=(SHOP,)) as server:
        yield server


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://127.0.0.1:8000", "http://[::1]:1", SHOP]
)
def test_an_allowed_page_is_named_and_may_send_credentials(
    served: SimulatorServer, origin: str
) -> None:
    """Browsers refuse `*` for a page that sends cookies, as the vendor's pages do."""
    reply = raw(served.url, "GET", PATH, Origin=origin, Authorization=WHO)
    assert reply.status == 200
    assert reply.getheader("Access-Control-Allow-Origin") == origin
    assert reply.getheader("Access-Control-Allow-Credentials") == "true"
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    preflight = raw(served.url, "OPTIONS", PATH, **asked)
    assert preflight.status == 204
    assert "User-Agent" in (preflight.getheader("Access-Control-Allow-Headers") or "")
    assert preflight.getheader("Access-Control-Allow-Origin") == origin


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://[bad", ""]
)
@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_a_page_of_another_origin_may_not_read(
    served: SimulatorServer, origin: str, method: str
) -> None:
    """The reply has no CORS header for a page of another origin."""
    reply = raw(served.url, method, PATH, Origin=origin, Authorization=WHO)
    assert reply.getheader("Access-Control-Allow-Origin") is None
    assert reply.getheader("Access-Control-Allow-Headers") is None
    assert reply.getheader("Vary") == "Origin", "no cache may give it to another page"


def test_all_origins_may_be_allowed() -> None:
    """The origin `*` allows all; the reply names the origin of the page."""
    headers = AccessRules(origins=("*",)).reply_headers("null")
    assert headers["Access-Control-Allow-Origin"] == "null"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("127.0.0.1.evil.example:80", 421),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("app.localhost", 200),
        ("[::1]:8765", 200),
        ("192.0.2.7:8765", 200),
        ("simulator:8765", 200),
        ("Tenant.Example", 200),
        ("shop.example", 200),
    ],
)
def test_foreign_host_names_are_refused(served: SimulatorServer, host: str, status: int) -> None:
    """A page whose name resolves to this machine sends its own name (DNS rebinding): 421."""
    for path in (PATH, "/web/chats"):
        found = raw(served.url, "GET", path, Host=host, Authorization=WHO).status
        assert (found == 421) == (status == 421)


def test_the_name_of_the_option_host_is_allowed() -> None:
    """The name given as `--host` is allowed; with the origin `*`, any name is."""
    assert AccessRules(("Box.example",)).allows_host("box.example:80")
    assert AccessRules((), ("*",)).allows_host("any.example")
    assert AccessRules().allows_host(None), "HTTP/1.0 needs none"


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("https://a.example", True),
        ("http://localhost:3000", True),
        ("null", True),
        ("*", True),
        ("a.example", False),
        ("https://a.example/", False),
        ("https://a.example:x", False),
        ("https://[", False),
        ("", False),
    ],
)
def test_is_origin(text: str, is_one: bool) -> None:
    """An origin is a scheme, a host and an optional port, or `null` or `*`."""
    assert is_origin(text) is is_one


def connect(server: SimulatorServer, sent: bytes = b"") -> socket.socket:
    parts = urlsplit(server.url)
    assert parts.hostname
    assert parts.port
    connection = socket.create_connection((parts.hostname, parts.port), timeout=5)
    connection.sendall(sent)
    return connection


@pytest.mark.parametrize("body", [b"xx", b""])
def test_a_body_that_cannot_be_decompressed(served: SimulatorServer, body: bytes) -> None:
    """It is refused with 5003, not with an internal error."""
    head = (
        f"POST /clientweb/api/v2/chats?tenantUrl={simulate.TENANT_URL} HTTP/1.1\r\n"
        f"Host: localhost\r\nAuthorization: {WHO}\r\nContent-Encoding: gzip\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    with connect(served, head.encode() + body) as connection:
        reply = b"".join(iter(lambda: connection.recv(65_536), b""))
    if body:
        assert reply.startswith(b"HTTP/1.1 400 ")
        assert b'"5003"' in reply
    else:
        assert reply.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: local"])
def test_incomplete_headers_time_out(sent: bytes) -> None:
    """A connection with incomplete headers is closed, both at the first and at a later request."""
    first = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {WHO}\r\n\r\n".encode()
    with serve(header_timeout=0.3) as server:
        for before in (b"", first):
            with connect(server, before) as connection:
                if before:
                    assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
                    connection.sendall(sent or b"G")
                else:
                    connection.sendall(sent)
                began = time.monotonic()
                assert connection.recv(10) == b""
                assert time.monotonic() - began < 10


def test_an_idle_connection_between_requests_is_kept() -> None:
    """The header timeout starts with a request, not with the end of the one before."""
    first = f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {WHO}\r\n\r\n".encode()
    with serve(header_timeout=0.2) as server, connect(server, first) as connection:
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
        time.sleep(0.5)
        connection.sendall(first)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_the_number_of_connections_is_limited() -> None:
    """One connection more than the limit is closed at once; a closed one frees its place."""
    lines: list[str] = []
    with serve(max_connections=3, log=lines.append) as server, ExitStack() as stack:
        held = [stack.enter_context(connect(server)) for _ in range(3)]
        time.sleep(0.2)
        with connect(server) as refused, suppress(ConnectionError):
            assert refused.recv(1) == b""
        held[0].close()
        time.sleep(0.2)
        assert raw(server.url, "GET", PATH, Authorization=WHO).status == 200
    assert "closed a connection: 3 are open" in lines


def test_the_connection_limit_is_below_that_of_the_system() -> None:
    """The limit is at least one."""
    assert 1 <= connection_limit() <= 10_000
    assert connection_limit(5) <= 5


def test_a_flood_leaves_a_short_log() -> None:
    """The log has a bounded number of lines per second, and the number of omitted ones."""
    lines: list[str] = []
    now = [0.0]
    log = LimitedLog(lines.append, most=2, clock=lambda: now[0])
    for number in range(5):
        log(str(number))
    now[0] = 1.0
    log("next")
    log.close()
    assert lines == ["0", "1", "and 3 more lines", "next"]


def test_invalid_http_leaves_a_line() -> None:
    """The line has no traceback and nothing of the input."""
    lines: list[str] = []
    with serve(log=lines.append) as server:
        with connect(server, b"GET / HTTP/1.1\r\nsecret \x00: y\r\n\r\n") as connection:
            assert b" 400 Bad Request" in connection.recv(65_536)
        time.sleep(0.1)
    assert lines
    assert not [line for line in lines if "\n" in line or "secret" in line]
