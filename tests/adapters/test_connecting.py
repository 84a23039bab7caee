"""Senders while connecting: several addresses, slow name servers, proxies, lent clients."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import aiohttp as aiohttp_library
import httpx as httpx_library
import httpx2 as httpx2_library
import pytest
import requests as requests_library

from chatfsm.adapters import aiohttp, httpx, requests
from chatfsm.testing._cases import BODY, respond_with, response
from chatfsm.testing._loopback import LoopbackServer
from chatfsm.testing.conformance import check_async_sender, check_sender
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest
from tests.adapters.senders import AWAITED, BLOCKING, Lent, LentAsync, OnOwnLoop, get, sender

PATIENCE = 0.3
ALL = [*BLOCKING, *AWAITED]
both = pytest.mark.parametrize("name", ALL)
RAISING = [
    "reply-every-error-status",
    "reply-204",
    "redirect-302-get",
    "cookies-are-not-kept",
    "cookies-as-sent",
]

Resolver = Callable[..., Any]


@pytest.fixture
def silent_address() -> Iterator[tuple[str, int]]:
    """An address that never answers, like a broken IPv6 route."""
    with ExitStack() as stack:
        deaf = stack.enter_context(socket.socket())
        deaf.bind(("127.0.0.2", 0))
        deaf.listen(0)
        for _ in range(3):  # fill its queue of connections
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(deaf.getsockname())
        time.sleep(0.05)
        yield deaf.getsockname()


def resolving(monkeypatch: pytest.MonkeyPatch, resolve: Callable[[int], list[Any]]) -> None:
    """Have the name `dual.example` resolved by a function of the port."""
    real: Resolver = socket.getaddrinfo

    def replaced(host: Any, port: Any, *rest: Any, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name != "dual.example":
            return real(host, port, *rest, **named)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in resolve(int(port or 0))
        ]

    monkeypatch.setattr(socket, "getaddrinfo", replaced)


@both
def test_a_second_address_is_reached_in_time(
    name: str,
    usual: ssl.SSLContext,
    silent_address: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The addresses of a host share the timeout: one that never answers does not use it up."""
    server = LoopbackServer(respond_with(response()), PATIENCE)
    with server, sender(name, usual) as send:
        resolving(monkeypatch, lambda _: [silent_address, ("127.0.0.1", server.port)])
        answer = send(get(server, url=f"http://dual.example:{server.port}/", timeout=2.0))
    assert isinstance(answer, HttpReply)
    assert answer.body == BODY


@both
def test_no_address_is_waited_for_longer_than_the_timeout(
    name: str,
    usual: ssl.SSLContext,
    silent_address: tuple[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Four addresses that never answer take one timeout, not four."""
    server = LoopbackServer(respond_with(response()), PATIENCE)
    with server, sender(name, usual) as send:
        resolving(monkeypatch, lambda _: [silent_address] * 4)
        began = time.monotonic()
        answer = send(get(server, url=f"http://dual.example:{server.port}/", timeout=1.0))
    assert isinstance(answer, HttpFailure)
    assert answer.kind == "connect"
    assert time.monotonic() - began < 3.0  # four would take 4


@both
def test_nothing_is_sent_after_the_timeout(
    name: str, usual: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers after the timeout comes too late: the request is not sent."""

    def resolve(port: int) -> list[Any]:
        time.sleep(0.5)
        return [("127.0.0.1", port)]

    server = LoopbackServer(respond_with(response()), PATIENCE)
    with server, sender(name, usual) as send:
        resolving(monkeypatch, resolve)
        url = f"http://dual.example:{server.port}/"
        answer = send(get(server, url=url, timeout=0.3, method="POST", body=b"{}"))
        time.sleep(0.4)
    assert isinstance(answer, HttpFailure)
    assert answer.kind in {"connect", "timeout"}
    if name in BLOCKING:
        assert answer.kind == "connect"
    assert server.received == []


def requests_over(proxy: str) -> Any:
    session = requests_library.Session()
    session.proxies = {"https": proxy}
    return Lent(requests.Sender, session)


def aiohttp_over(proxy: str) -> Any:
    return OnOwnLoop(
        lambda: LentAsync(aiohttp.AsyncSender, aiohttp_library.ClientSession(proxy=proxy))
    )


PROXIED: dict[str, Callable[[str], Any]] = {
    "requests": requests_over,
    "httpx": lambda proxy: Lent(httpx.Sender, httpx_library.Client(proxy=proxy)),
    "httpx2": lambda proxy: Lent(httpx.Sender, httpx2_library.Client(proxy=proxy)),
    "httpx async": lambda proxy: OnOwnLoop(
        lambda: LentAsync(httpx.AsyncSender, httpx_library.AsyncClient(proxy=proxy))
    ),
    "aiohttp": aiohttp_over,
}


@pytest.mark.parametrize("name", PROXIED)
@pytest.mark.parametrize("status", [407, 502])
def test_a_refused_tunnel_is_a_connect_failure(name: str, status: int) -> None:
    """A proxy that opens no tunnel has not received the request: the kind is `connect`."""
    request = HttpRequest(1, "POST", "https://chat.invalid/events", (), b"{}", 5.0)
    server = LoopbackServer(respond_with(response(b"", status=status)), PATIENCE)
    with server, PROXIED[name](server.origin) as send:
        answer = send(request)
    assert isinstance(answer, HttpFailure)
    assert answer.kind == "connect"
    assert [received.method for received in server.received] == ["CONNECT"]


def raise_for_status(response: Any, *_: object, **__: object) -> None:
    response.raise_for_status()


async def raise_for_status_soon(response: Any) -> None:
    response.raise_for_status()


def raising_requests() -> Any:
    session = requests_library.Session()
    session.hooks["response"].append(raise_for_status)
    session.cookies.set("mine", "1")
    return Lent(requests.Sender, session)


def raising_httpx(library: Any) -> Any:
    hooks = {"response": [raise_for_status]}
    return Lent(httpx.Sender, library.Client(event_hooks=hooks, cookies={"mine": "1"}))


def raising_httpx_async(library: Any) -> Any:
    hooks = {"response": [raise_for_status_soon]}
    client = library.AsyncClient(event_hooks=hooks, cookies={"mine": "1"})
    return LentAsync(httpx.AsyncSender, client)


def raising_aiohttp() -> Any:
    session = aiohttp_library.ClientSession(
        raise_for_status=True,
        cookies={"mine": "1"},
        cookie_jar=aiohttp_library.CookieJar(unsafe=True),
    )
    return LentAsync(aiohttp.AsyncSender, session)


@pytest.mark.parametrize(
    "make",
    [raising_requests, lambda: raising_httpx(httpx_library), lambda: raising_httpx(httpx2_library)],
    ids=["requests", "httpx", "httpx2"],
)
def test_a_client_that_raises_for_a_status_gives_replies(make: Callable[[], Any]) -> None:
    """A client of the app may raise for error statuses, and have cookies.

    The sender returns replies.
    """
    assert check_sender(make, only=RAISING).passed == len(RAISING)


@pytest.mark.parametrize(
    "make",
    [
        lambda: raising_httpx_async(httpx_library),
        lambda: raising_httpx_async(httpx2_library),
        raising_aiohttp,
    ],
    ids=["httpx", "httpx2", "aiohttp"],
)
def test_an_asynchronous_client_that_raises_gives_replies(make: Callable[[], Any]) -> None:
    """Asynchronous clients give replies too."""
    report = asyncio.run(check_async_sender(make, only=RAISING))
    assert report.passed == len(RAISING)


def test_a_lent_client_keeps_its_hooks_and_cookies() -> None:
    """The sender does not change a client that was passed in."""
    client = httpx_library.Client(
        event_hooks={"response": [raise_for_status]}, cookies={"mine": "1"}
    )
    server = LoopbackServer(
        respond_with(response(BODY, "Set-Cookie: other=2"), response()), PATIENCE
    )
    with server, client:
        assert isinstance(httpx.Sender(client)(get(server)), HttpReply)
        assert client.get(server.origin).content == BODY
        assert client.event_hooks["response"] == [raise_for_status]
        assert dict(client.cookies) == {"mine": "1"}
    assert isinstance(httpx.Sender(client)(get(server)), HttpFailure)
    [first, second] = [request.values("cookie") for request in server.received]
    assert (first, second) == ([], ["mine=1"])
