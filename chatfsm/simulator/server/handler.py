"""One HTTP request at a time: from aiohttp into the carrier, and back as aiohttp wants it."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.resources import files
from itertools import count
from math import inf
from typing import Final, Literal, Self, cast

from aiohttp import web
from attrs import define, field, frozen

from chatfsm.simulator.network import BrokenExchange, Network
from chatfsm.transport import HttpReply, HttpRequest

__all__ = [
    "LOST_AFTER",
    "MAX_BODY",
    "ExchangeResult",
    "NetworkPump",
    "PageFiles",
    "RequestHandler",
    "reset_connection",
    "send_garbage",
    "send_truncated",
]

# Requests into the simulated network, and what comes out of it to whoever waits for it.

ExchangeResult = HttpReply | BrokenExchange | None
"""None: the face closes before anything came."""


@define(eq=False)
class NetworkPump:
    """Keeps a network going in real time; all of it runs in one event loop.

    `speed`: seconds of the center's to one second here.
    """

    network: Network
    speed: float = 1.0
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _numbers: count[int] = field(factory=lambda: count(1), init=False)
    _pending: dict[int, asyncio.Future[ExchangeResult]] = field(factory=dict, init=False)
    _next_run: float = field(default=inf, init=False)
    """When `run` looks next."""
    _error: Exception | None = field(default=None, init=False)
    _wake: asyncio.Event = field(factory=asyncio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.clock()

    def now(self) -> float:
        """Seconds of the center's since it began."""
        return (self.clock() - self._began) * self.speed

    async def exchange(
        self,
        method: Literal["GET", "POST"],
        url: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
    ) -> ExchangeResult:
        """What comes back; a caller who is cancelled has given the request up."""
        request = HttpRequest(next(self._numbers), method, url, headers, body)
        arrived: asyncio.Future[ExchangeResult] = asyncio.get_running_loop().create_future()
        self._pending[request.id] = arrived
        self.advance(lambda now: self.network.send(request, now=now))
        try:
            return await arrived
        finally:
            # What has come is waited for no longer: only who went away before is found here.
            if self._pending.pop(request.id, None) is not None:
                self.advance(lambda now: self.network.cancel(request.id, now=now))

    def advance(self, work: Callable[[float], object] = lambda _now: None) -> None:
        """Do something to the network, told the time, and bring everybody what is theirs then.

        What the center raises ends `run`: it broke, and nothing that it says can be trusted.
        """
        try:
            work(self.now())
            arrivals = self.network.collect(now=self.now())
            deadline = self.network.deadline
        except Exception as error:  # noqa: BLE001  # raised by `run`, whatever it is
            self._error = self._error or error
            arrivals, deadline = [], -inf
        for outcome in arrivals:
            arrived = self._pending.pop(outcome.id, None)
            if arrived is not None and not arrived.done():
                arrived.set_result(outcome)
        if deadline is not None and deadline < self._next_run:
            self._next_run = deadline
            self._wake.set()

    async def run(self) -> None:
        """Look whenever something is due, until cancelled. Raises what broke the center."""
        while self._error is None:
            self._next_run = inf
            self.advance()
            self._wake.clear()
            rest = (
                None
                if self._next_run == inf
                else max(0.0, self._next_run - self.now()) / self.speed
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._wake.wait()
        raise self._error

    def close(self) -> None:
        """Nothing comes any more: whoever waits is told so."""
        while self._pending:
            _, arrived = self._pending.popitem()
            if not arrived.done():
                arrived.set_result(None)


# How an exchange breaks on a real connection: each kind as a client's socket sees it.

# On, and no seconds: closing discards what was not sent, and says RST in place of FIN.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


def reset_connection(transport: asyncio.Transport) -> None:
    """The connection is reset by its peer."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def send_truncated(transport: asyncio.Transport, reply: HttpReply | None) -> None:
    """Half of a reply comes, of the length that it should have had; then the connection ends."""
    status, body = (reply.status, reply.body) if reply else (200, b"")
    # One more than there is: what is cut from an empty body must be missed too.
    head = (
        f"HTTP/1.1 {status} \r\nContent-Type: application/json\r\nContent-Length: {len(body) + 1}"
    )
    transport.write(head.encode() + b"\r\n\r\n" + body[: len(body) // 2])
    transport.close()


def send_garbage(transport: asyncio.Transport, garbage: bytes) -> None:
    """Bytes come that are no HTTP; then the connection ends."""
    transport.write(garbage)
    transport.close()


# The web page where a person chats with the simulator, as it lies in the package.

_SCRIPT: Final = "text/javascript; charset=utf-8"
_CONTENT_TYPES: Final = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(("page.js", "heard.js", "forms.js", "law.js", "wire.js"), _SCRIPT),
}
_INDEX: Final = "index.html"
# Nothing of other places is loaded, and nothing that a center says can run.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


@frozen
class PageFiles:
    """What is served beside the API, by path."""

    replies: Mapping[str, HttpReply]

    @classmethod
    def for_apps(cls, tenant: str, apps: Mapping[str, str]) -> Self:
        """The page, and what it asks to know: the tenant, and the ids of apps with their titles."""
        folder = files("chatfsm.simulator.server") / "page"
        found = {
            f"/{'' if name == _INDEX else name}": _page(kind, (folder / name).read_bytes())
            for name, kind in _CONTENT_TYPES.items()
        }
        entries = [{"app_id": app_id, "title": title} for app_id, title in apps.items()]
        told = json.dumps({"tenant": tenant, "apps": entries}).encode()
        return cls({**found, "/simulator.json": _page("application/json", told)})

    def reply_for(self, path: str) -> HttpReply | None:
        """What stands there, if anything."""
        return self.replies.get(path)


def _page(kind: str, body: bytes) -> HttpReply:
    return HttpReply(0, 200, {**_HEADERS, "content-type": kind}, body)


MAX_BODY: Final = 26 * 1024 * 1024
"""Bytes: a file of 25 MB, and a megabyte for what stands around it."""
LOST_AFTER: Final = 120.0
"""Seconds that a reply which never comes is held: longer than clients wait for one."""
# Seconds that a browser may rely on the answer to its preflight: as long as Chromium does at most.
_PREFLIGHT_SECONDS: Final = "7200"
_METHODS: Final = "GET, POST, OPTIONS"

# Pages of other origins may speak with it: the client's ids stand in a header, not in cookies.
_CORS_HEADERS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After, Content-Disposition",
}
_PREFLIGHT_HEADERS: Final = {
    **_CORS_HEADERS,
    "Access-Control-Allow-Methods": _METHODS,
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Cache-Control, Pragma,"
    " If-Modified-Since, X-Requested-With",
    "Access-Control-Max-Age": _PREFLIGHT_SECONDS,
    "Allow": _METHODS,
}
_TOO_LARGE: Final = HttpReply(
    0,
    413,
    {"content-type": "application/json", "connection": "close"},
    json.dumps({"error_code": "5501", "error_message": "the body is too large"}).encode(),
)
_METHOD_NOT_ALLOWED: Final = HttpReply(
    0,
    405,
    {"content-type": "application/json", "allow": _METHODS},
    json.dumps({"error_code": "5003", "error_message": "only GET and POST"}).encode(),
)
# Characters: what is longer was made to be.
_MAX_LOGGED: Final = 200
# Written anew by whoever carries the body.
_CONNECTION_HEADERS: Final = {"content-length", "transfer-encoding", "connection", "date"}


class _TooLargeError(Exception):
    """The body is longer than any that the center takes."""


@define(eq=False)
class RequestHandler:
    """Answers requests; `told` is given a line about each, without ids of clients or content."""

    pump: NetworkPump
    origin: Callable[[], str]
    pages: PageFiles | None = None
    log: Callable[[str], object] | None = None
    max_body: int = MAX_BODY
    lost_after: float = LOST_AFTER

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """The response; on a broken connection one that nobody receives."""
        began = time.monotonic()
        word = "given up by the client"
        try:
            outcome = await self._result(request)
            word = _describe(outcome)
            return await self._response(request, outcome)
        finally:
            self._log_request(request, word, time.monotonic() - began)

    async def _result(self, request: web.BaseRequest) -> ExchangeResult:
        if request.method == "OPTIONS":
            return HttpReply(0, 204, _PREFLIGHT_HEADERS, b"")
        if request.method not in {"GET", "POST"}:
            return _METHOD_NOT_ALLOWED
        method = cast("Literal['GET', 'POST']", request.method)
        if method == "GET" and self.pages is not None:
            page = self.pages.reply_for(request.path)
            if page is not None:
                return page
        try:
            body = await self._body(request)
        except _TooLargeError:
            return _TOO_LARGE
        target = request.raw_path
        if not target.startswith("/"):  # a proxy's way of asking
            target = str(request.rel_url)
        headers = tuple((name, value) for name, value in request.headers.items())
        return await self.pump.exchange(method, self.origin() + target, headers, body)

    async def _body(self, request: web.BaseRequest) -> bytes:
        if (request.content_length or 0) > self.max_body:
            raise _TooLargeError
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = bytearray()
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > self.max_body:
                raise _TooLargeError
        return bytes(body)

    async def _response(
        self, request: web.BaseRequest, outcome: ExchangeResult
    ) -> web.StreamResponse:
        if isinstance(outcome, HttpReply):
            return _as_response(outcome)
        if isinstance(outcome, BrokenExchange) and outcome.kind == "lost":
            await asyncio.sleep(self.lost_after)
        if request.transport is not None:
            _break(request.transport, outcome)
        response = web.Response()  # goes nowhere
        response.force_close()
        return response

    def _log_request(self, request: web.BaseRequest, word: str, seconds: float) -> None:
        if self.log is not None:
            what = f"{request.method} {request.path}"[:_MAX_LOGGED]
            self.log(f"{ascii(what)[1:-1]} {word} {seconds * 1000:.0f} ms")


def _break(transport: asyncio.Transport, broken: BrokenExchange | None) -> None:
    match broken:
        case BrokenExchange(kind="truncated"):
            send_truncated(transport, broken.reply)
        case BrokenExchange(kind="garbage"):
            send_garbage(transport, broken.garbage)
        case _:
            reset_connection(transport)


def _as_response(reply: HttpReply) -> web.Response:
    headers = {
        name.title(): value
        for name, value in reply.headers.items()
        if name.lower() not in _CONNECTION_HEADERS
    }
    response = web.Response(status=reply.status, headers=_CORS_HEADERS | headers, body=reply.body)
    if reply.headers.get("connection") == "close":
        response.force_close()
    return response


def _describe(outcome: ExchangeResult) -> str:
    match outcome:
        case HttpReply(status=status):
            return str(status)
        case BrokenExchange(kind=kind):
            return f"broken: {kind}"
        case None:
            return "closing"
