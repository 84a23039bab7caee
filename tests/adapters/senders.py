"""Every sender by name, over clients of its library with a context of the test."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any, Self

import aiohttp as aiohttp_library
import anyio
import httpx as httpx_library
import httpx2 as httpx2_library
import requests as requests_library
from anyio.from_thread import start_blocking_portal
from attrs import evolve
from requests.adapters import HTTPAdapter

from chatfsm.adapters import aiohttp, httpx, requests, stdlib
from chatfsm.testing._cases import HEADERS
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

Answer = HttpReply | HttpFailure


def get(server: Any, number: int = 1, **changes: Any) -> HttpRequest:
    """Return a GET request for a server."""
    return evolve(HttpRequest(number, "GET", f"{server.origin}/", HEADERS, timeout=5.0), **changes)


class Lent:
    """A sender over a client that was passed in, and is closed after the sender."""

    def __init__(self, make_sender: Callable[[Any], Any], client: Any) -> None:
        self.client = client
        self.sender = make_sender(client)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __call__(self, request: HttpRequest) -> Any:
        return self.sender(request)

    def close(self) -> None:
        self.sender.close()
        self.client.close()


class LentAsync(Lent):
    """A `Lent` for an asynchronous sender."""

    async def aclose(self) -> None:
        await self.sender.aclose()
        await (self.client.aclose() if hasattr(self.client, "aclose") else self.client.close())


class OnOwnLoop:
    """An asynchronous sender on its own event loop, which a test calls without awaiting."""

    def __init__(self, make_sender: Callable[[], Any]) -> None:
        self.loop = start_blocking_portal("asyncio")
        self.make_sender = make_sender

    def __enter__(self) -> Self:
        self.portal = self.loop.__enter__()
        self.sender = self.portal.call(self._made)
        return self

    def __exit__(self, *error: object) -> None:
        self.portal.call(self.sender.aclose)
        # asyncio closes the sockets below TLS a little later, and only while it runs.
        self.portal.call(anyio.sleep, 0.05)
        self.loop.__exit__(*error)

    def __call__(self, request: HttpRequest) -> Any:
        return self.portal.call(self.sender, request)

    async def _made(self) -> Any:
        return self.make_sender()


class TrustingAdapter(HTTPAdapter):
    """An adapter of requests with a TLS context."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.context = context
        super().__init__()

    def init_poolmanager(self, *sizes: Any, **named: Any) -> None:
        super().init_poolmanager(*sizes, **named, ssl_context=self.context)

    def cert_verify(self, *asked: Any, **named: Any) -> None:
        """The context has the certificates already."""


def over_requests(context: ssl.SSLContext) -> Lent:
    session = requests_library.Session()
    session.mount("https://", TrustingAdapter(context))
    return Lent(requests.Sender, session)


def over_httpx(context: ssl.SSLContext) -> Lent:
    return Lent(httpx.Sender, httpx_library.Client(verify=context))


def over_httpx2(context: ssl.SSLContext) -> Lent:
    return Lent(httpx.Sender, httpx2_library.Client(verify=context))


def over_httpx_async(context: ssl.SSLContext) -> LentAsync:
    return LentAsync(httpx.AsyncSender, httpx_library.AsyncClient(verify=context))


def over_httpx2_async(context: ssl.SSLContext) -> LentAsync:
    return LentAsync(httpx.AsyncSender, httpx2_library.AsyncClient(verify=context))


def over_aiohttp(context: ssl.SSLContext) -> LentAsync:
    session = aiohttp_library.ClientSession(connector=aiohttp_library.TCPConnector(ssl=context))
    return LentAsync(aiohttp.AsyncSender, session)


BLOCKING: dict[str, Callable[[ssl.SSLContext], Any]] = {
    "stdlib": stdlib.Sender,
    "requests": over_requests,
    "httpx": over_httpx,
    "httpx2": over_httpx2,
}
AWAITED: dict[str, Callable[[ssl.SSLContext], Any]] = {
    "httpx async": over_httpx_async,
    "httpx2 async": over_httpx2_async,
    "aiohttp": over_aiohttp,
}


def sender(name: str, context: ssl.SSLContext) -> Any:
    """Return a sender for a `with` block; an asynchronous one is wrapped."""
    if name in BLOCKING:
        return BLOCKING[name](context)
    return OnOwnLoop(lambda: AWAITED[name](context))
