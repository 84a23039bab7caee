"""HTTP requests: from aiohttp into a simulated network, and its replies and failures back."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from itertools import count
from math import inf
from typing import Final, Literal, cast

from aiohttp import web
from attrs import define, field

from chatfsm.simulator.network import BrokenExchange, Network
from chatfsm.simulator.server.access import AccessRules
from chatfsm.simulator.server.connections import TimedConnection
from chatfsm.simulator.server.request_journal import RequestJournal
from chatfsm.simulator.server.web_page import PageFiles
from chatfsm.transport import HttpReply, HttpRequest

__all__ = [
    "LOST_AFTER",
    "MAX_BODY",
    "WEB_CHATS",
    "ExchangeResult",
    "NetworkPump",
    "OwnHandler",
    "RequestHandler",
    "reset_connection",
    "send_garbage",
    "send_truncated",
]

# The network in real time.

ExchangeResult = HttpReply | BrokenExchange | None
"""The result of an exchange; None: the server closes."""


@define(eq=False)
class NetworkPump:
    """Runs a network in real time, in one event loop.

    `speed` is the number of seconds that pass for the center in one real second.
    """

    network: Network
    """The network that is run."""
    speed: float = 1.0
    """Seconds of the center's time for each second of `clock`."""
    clock: Callable[[], float] = time.monotonic
    """Returns a time in seconds that does not go backwards."""
    journal: RequestJournal | None = None
    """Keeps the requests and their results; None: they are not kept."""
    jump_count: int = field(default=0, init=False)
    """The number of jumps of the time."""
    on_jump: list[Callable[[], object]] = field(factory=list, init=False)
    """Called after each jump of the time: timers that were set before are late."""
    _began: float = field(init=False)
    _numbers: count[int] = field(factory=lambda: count(1), init=False)
    _pending: dict[int, asyncio.Future[ExchangeResult]] = field(factory=dict, init=False)
    _next_run: float = field(default=inf, init=False)
    """The time at which `run` advances the network next."""
    _error: Exception | None = field(default=None, init=False)
    _wake: asyncio.Event = field(factory=asyncio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.clock()

    def now(self) -> float:
        """Return the center's time: seconds since its start."""
        return (self.clock() - self._began) * self.speed

    async def exchange(
        self,
        method: Literal["GET", "POST"],
        url: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
    ) -> ExchangeResult:
        """Return the result of an exchange; if the caller is cancelled, the request is too."""
        request = HttpRequest(next(self._numbers), method, url, headers, body)
        arrived: asyncio.Future[ExchangeResult] = asyncio.get_running_loop().create_future()
        self._pending[request.id] = arrived
        result: ExchangeResult = None
        if self.journal is not None:
            self.journal.add(request, now=self.now())
        self.advance(lambda now: self.network.send(request, now=now))
        try:
            result = await arrived
            return result
        finally:
            if self.journal is not None:
                self.journal.finish(request.id, result, now=self.now())
            # Without a result, the caller was cancelled.
            if self._pending.pop(request.id, None) is not None:
                self.advance(lambda now: self.network.cancel(request.id, now=now))

    def jump(self, seconds: float) -> None:
        """Let so many seconds pass for the center at once, and do what is then due."""
        self._began -= seconds / self.speed
        self.jump_count += 1
        self._next_run = inf  # in real time, `run` would now wait too long
        self.advance()
        for callback in self.on_jump:
            callback()

    def advance(self, work: Callable[[float], object] = lambda _now: None) -> None:
        """Call `work` with the time, then give all results to their callers.

        An exception of the center ends `run`, as its state can no longer be relied on.
        """
        try:
            work(self.now())
            arrivals = self.network.collect(now=self.now())
            deadline = self.network.deadline
        except Exception as error:  # noqa: BLE001  # `run` raises it, whatever it is
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
        """Advance the network at its deadlines until cancelled; raises what the center raises."""
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
        """End all exchanges without a result."""
        while self._pending:
            _, arrived = self._pending.popitem()
            if not arrived.done():
                arrived.set_result(None)


# Failures on a real connection, as a client's socket sees them.

# Linger for no seconds: closing discards what was not sent, and sends RST in place of FIN.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


def reset_connection(transport: asyncio.Transport) -> None:
    """Reset the connection."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def send_truncated(transport: asyncio.Transport, reply: HttpReply | None) -> None:
    """Send half of a reply with its whole length, then close the connection."""
    status, body = (reply.status, reply.body) if reply else (HTTPStatus.OK, b"")
    # One byte more than there is, so that the cut of an empty body is noticed too.
    head = (
        f"HTTP/1.1 {status} \r\nContent-Type: application/json\r\nContent-Length: {len(body) + 1}"
    )
    transport.write(head.encode() + b"\r\n\r\n" + body[: len(body) // 2])
    transport.close()


def send_garbage(transport: asyncio.Transport, garbage: bytes) -> None:
    """Send bytes that are not HTTP, then close the connection."""
    transport.write(garbage)
    transport.close()


# Requests.

MAX_BODY: Final = 26 * 1024 * 1024
"""The most bytes of a body: a file of 25 MB, and a megabyte for the parts around it."""
LOST_AFTER: Final = 120.0
"""Seconds after which a lost reply becomes a reset: longer than any client waits."""
# Seconds for the next piece of a body.
_BODY_TIMEOUT: Final = 30.0


def _refusal(status: int, code: str, message: str, **headers: str) -> HttpReply:
    body = json.dumps({"error_code": code, "error_message": message}).encode()
    return HttpReply(0, status, {"content-type": "application/json", **headers}, body)


_TOO_LARGE: Final = _refusal(
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "5501", "the body is too large", connection="close"
)
_UNDECODABLE: Final = _refusal(
    HTTPStatus.BAD_REQUEST, "5003", "the body cannot be decoded", connection="close"
)
_TOO_SLOW: Final = _refusal(
    HTTPStatus.REQUEST_TIMEOUT, "5003", "the body took too long", connection="close"
)
_METHOD_NOT_ALLOWED: Final = _refusal(
    HTTPStatus.METHOD_NOT_ALLOWED, "5003", "only GET and POST", allow="GET, POST, OPTIONS"
)
_UNKNOWN_HOST: Final = _refusal(
    HTTPStatus.MISDIRECTED_REQUEST,
    "1000",
    "the Host header names another server: allow it by --allow-origin http://NAME",
    connection="close",
)
# Characters of a request that a log line shows.
_MAX_LOGGED: Final = 200
# aiohttp writes these itself.
_CONNECTION_HEADERS: Final = {"content-length", "transfer-encoding", "connection", "date"}


WEB_CHATS: Final = "/web/chats"
"""The path of the web page's chats."""
OwnHandler = Callable[[web.BaseRequest, bytes], Awaitable[web.StreamResponse]]
"""A handler of the simulator's own requests, with the request and its body."""


class _BodyError(Exception):
    """The body cannot be taken; `reply` is the reason."""

    def __init__(self, reply: HttpReply) -> None:
        super().__init__(reply.status)
        self.reply = reply


@define(eq=False)
class RequestHandler:
    """Answers HTTP requests; `log` is called with a line for each, without ids or content."""

    pump: NetworkPump
    """Gives requests to the network and returns their results."""
    origin: Callable[[], str]
    """Returns the scheme and host that the URLs in the network begin with."""
    pages: PageFiles | None = None
    """The files of the web page; None: there is no page."""
    own_paths: Mapping[str, OwnHandler] = field(factory=dict)
    """Handlers of requests that are not for the center, by the first part of their paths."""
    log: Callable[[str], object] | None = None
    """Called with a line for each request; None: nothing is logged."""
    max_body: int = MAX_BODY
    """The most bytes of a request's body; a longer one is refused."""
    lost_after: float = LOST_AFTER
    """Seconds after which a lost reply becomes a reset."""
    rules: AccessRules = field(factory=AccessRules)
    """The hosts and origins that requests may name."""

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Return the response; on a broken connection, one that is not sent."""
        began = time.monotonic()
        result_text = "given up by the client"
        if isinstance(request.protocol, TimedConnection):
            request.protocol.stop_header_timer()
        try:
            if not self.rules.allows_host(request.headers.get("Host")):
                result_text = _describe(_UNKNOWN_HOST)
                return self._as_response(request, _UNKNOWN_HOST)
            own_handler = self._own_handler(request.path)
            if own_handler is not None:
                response = await own_handler(request, await self._body(request))
                result_text = str(response.status)
                return response
            outcome = await self._result(request)
            result_text = _describe(outcome)
            return await self._response(request, outcome)
        except _BodyError as error:
            result_text = _describe(error.reply)
            return self._as_response(request, error.reply)
        finally:
            self._log_request(request, result_text, time.monotonic() - began)

    def _own_handler(self, path: str) -> OwnHandler | None:
        for prefix, handler in self.own_paths.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                return handler
        return None

    async def _result(self, request: web.BaseRequest) -> ExchangeResult:
        if request.method == "OPTIONS":
            answer = self.rules.preflight_headers(request.headers.get("Origin"))
            return HttpReply(0, HTTPStatus.NO_CONTENT, answer, b"")
        if request.method not in {"GET", "POST"}:
            return _METHOD_NOT_ALLOWED
        method = cast("Literal['GET', 'POST']", request.method)
        if method == "GET" and self.pages is not None:
            page = self.pages.reply_for(request.path)
            if page is not None:
                return page
        body = await self._body(request)
        target = request.raw_path
        if not target.startswith("/"):  # absolute form, as for a proxy
            target = str(request.rel_url)
        headers = tuple((name, value) for name, value in request.headers.items())
        return await self.pump.exchange(method, self.origin() + target, headers, body)

    async def _body(self, request: web.BaseRequest) -> bytes:
        if (request.content_length or 0) > self.max_body:
            raise _BodyError(_TOO_LARGE)
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = bytearray()
        try:
            while not request.content.at_eof():
                async with asyncio.timeout(_BODY_TIMEOUT):
                    body += await request.content.readany()
                if len(body) > self.max_body:
                    raise _BodyError(_TOO_LARGE)
        except TimeoutError:
            raise _BodyError(_TOO_SLOW) from None
        except web.RequestPayloadError:  # as of a body that is not compressed as its header says
            raise _BodyError(_UNDECODABLE) from None
        return bytes(body)

    async def _response(
        self, request: web.BaseRequest, outcome: ExchangeResult
    ) -> web.StreamResponse:
        if isinstance(outcome, HttpReply):
            return self._as_response(request, outcome)
        if isinstance(outcome, BrokenExchange) and outcome.kind == "lost":
            await asyncio.sleep(self.lost_after)
        if request.transport is not None:
            _break(request.transport, outcome)
        response = web.Response()  # is not sent
        response.force_close()
        return response

    def _as_response(self, request: web.BaseRequest, reply: HttpReply) -> web.Response:
        headers = self.rules.reply_headers(request.headers.get("Origin")) | {
            name.title(): value
            for name, value in reply.headers.items()
            if name.lower() not in _CONNECTION_HEADERS
        }
        response = web.Response(status=reply.status, headers=headers, body=reply.body)
        if reply.headers.get("connection") == "close":
            response.force_close()
        return response

    def _log_request(self, request: web.BaseRequest, result_text: str, seconds: float) -> None:
        if self.log is not None:
            path = request.path
            if path.startswith(WEB_CHATS):
                path = WEB_CHATS  # the rest is the key of a chat
            target = f"{request.method} {path}"[:_MAX_LOGGED]
            self.log(f"{ascii(target)[1:-1]} {result_text} {seconds * 1000:.0f} ms")


def _break(transport: asyncio.Transport, broken: BrokenExchange | None) -> None:
    match broken:
        case BrokenExchange(kind="truncated"):
            send_truncated(transport, broken.reply)
        case BrokenExchange(kind="garbage"):
            send_garbage(transport, broken.garbage)
        case _:
            reset_connection(transport)


def _describe(outcome: ExchangeResult) -> str:
    match outcome:
        case HttpReply(status=status):
            return str(status)
        case BrokenExchange(kind=kind):
            return f"broken: {kind}"
        case None:
            return "closing"
