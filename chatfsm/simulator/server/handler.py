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

from chatfsm.simulator.network import Broken, Network
from chatfsm.transport import HttpReply, HttpRequest

__all__ = [
    "LARGEST_BODY",
    "LOST_AFTER",
    "Answering",
    "Carrier",
    "Outcome",
    "Pages",
    "cut_short",
    "junk",
    "reset",
]

# Requests into the simulated network, and what comes out of it to whoever waits for it.

Outcome = HttpReply | Broken | None
"""None: the face closes before anything came."""


@define(eq=False)
class Carrier:
    """Keeps a network going in real time; all of it runs in one event loop.

    `speed`: seconds of the center's to one second here.
    """

    network: Network
    speed: float = 1.0
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _numbers: count[int] = field(factory=lambda: count(1), init=False)
    _waiting: dict[int, asyncio.Future[Outcome]] = field(factory=dict, init=False)
    _due: float = field(default=inf, init=False)
    """When `run` looks next."""
    _broken: Exception | None = field(default=None, init=False)
    _sooner: asyncio.Event = field(factory=asyncio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.clock()

    def now(self) -> float:
        """Seconds of the center's since it began."""
        return (self.clock() - self._began) * self.speed

    async def carry(
        self,
        method: Literal["GET", "POST"],
        url: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
    ) -> Outcome:
        """What comes back; a caller who is cancelled has given the request up."""
        request = HttpRequest(next(self._numbers), method, url, headers, body)
        arrived: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = arrived
        self.look(lambda now: self.network.send(request, now=now))
        try:
            return await arrived
        finally:
            # What has come is waited for no longer: only who went away before is found here.
            if self._waiting.pop(request.id, None) is not None:
                self.look(lambda now: self.network.cancel(request.id, now=now))

    def look(self, work: Callable[[float], object] = lambda _now: None) -> None:
        """Do something to the network, told the time, and bring everybody what is theirs then.

        What the center raises ends `run`: it broke, and nothing that it says can be trusted.
        """
        try:
            work(self.now())
            arrivals = self.network.collect(now=self.now())
            deadline = self.network.deadline
        except Exception as error:  # noqa: BLE001  # raised by `run`, whatever it is
            self._broken = self._broken or error
            arrivals, deadline = [], -inf
        for outcome in arrivals:
            arrived = self._waiting.pop(outcome.id, None)
            if arrived is not None and not arrived.done():
                arrived.set_result(outcome)
        if deadline is not None and deadline < self._due:
            self._due = deadline
            self._sooner.set()

    async def run(self) -> None:
        """Look whenever something is due, until cancelled. Raises what broke the center."""
        while self._broken is None:
            self._due = inf
            self.look()
            self._sooner.clear()
            rest = None if self._due == inf else max(0.0, self._due - self.now()) / self.speed
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._sooner.wait()
        raise self._broken

    def close(self) -> None:
        """Nothing comes any more: whoever waits is told so."""
        while self._waiting:
            _, arrived = self._waiting.popitem()
            if not arrived.done():
                arrived.set_result(None)


# How an exchange breaks on a real connection: each kind as a client's socket sees it.

# On, and no seconds: closing discards what was not sent, and says RST in place of FIN.
_NO_LINGER: Final = struct.pack("ii", 1, 0)


def reset(transport: asyncio.Transport) -> None:
    """The connection is reset by its peer."""
    connection = transport.get_extra_info("socket")
    if connection is not None and connection.fileno() >= 0:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


def cut_short(transport: asyncio.Transport, reply: HttpReply | None) -> None:
    """Half of a reply comes, of the length that it should have had; then the connection ends."""
    status, body = (reply.status, reply.body) if reply else (200, b"")
    # One more than there is: what is cut from an empty body must be missed too.
    head = (
        f"HTTP/1.1 {status} \r\nContent-Type: application/json\r\nContent-Length: {len(body) + 1}"
    )
    transport.write(head.encode() + b"\r\n\r\n" + body[: len(body) // 2])
    transport.close()


def junk(transport: asyncio.Transport, garbage: bytes) -> None:
    """Bytes come that are no HTTP; then the connection ends."""
    transport.write(garbage)
    transport.close()


# The web page where a person chats with the simulator, as it lies in the package.

_SCRIPT: Final = "text/javascript; charset=utf-8"
_KINDS: Final = {
    "index.html": "text/html; charset=utf-8",
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(("page.js", "heard.js", "forms.js", "law.js", "wire.js"), _SCRIPT),
}
_FIRST: Final = "index.html"
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
class Pages:
    """What is served beside the API, by path."""

    replies: Mapping[str, HttpReply]

    @classmethod
    def about(cls, tenant: str, apps: Mapping[str, str]) -> Self:
        """The page, and what it asks to know: the tenant, and the ids of apps with their titles."""
        folder = files("chatfsm.simulator.server") / "page"
        found = {
            f"/{'' if name == _FIRST else name}": _page(kind, (folder / name).read_bytes())
            for name, kind in _KINDS.items()
        }
        entries = [{"app_id": app_id, "title": title} for app_id, title in apps.items()]
        told = json.dumps({"tenant": tenant, "apps": entries}).encode()
        return cls({**found, "/simulator.json": _page("application/json", told)})

    def at(self, path: str) -> HttpReply | None:
        """What stands there, if anything."""
        return self.replies.get(path)


def _page(kind: str, body: bytes) -> HttpReply:
    return HttpReply(0, 200, {**_HEADERS, "content-type": kind}, body)


LARGEST_BODY: Final = 26 * 1024 * 1024
"""Bytes: a file of 25 MB, and a megabyte for what stands around it."""
LOST_AFTER: Final = 120.0
"""Seconds that a reply which never comes is held: longer than clients wait for one."""
# Seconds that a browser may rely on the answer to its preflight: as long as Chromium does at most.
_PREFLIGHT: Final = "7200"
_VERBS: Final = "GET, POST, OPTIONS"

# Pages of other origins may speak with it: the client's ids stand in a header, not in cookies.
_OPEN: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After, Content-Disposition",
}
_PREFLIGHT_HEADERS: Final = {
    **_OPEN,
    "Access-Control-Allow-Methods": _VERBS,
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Cache-Control, Pragma,"
    " If-Modified-Since, X-Requested-With",
    "Access-Control-Max-Age": _PREFLIGHT,
    "Allow": _VERBS,
}
_TOO_LARGE: Final = HttpReply(
    0,
    413,
    {"content-type": "application/json", "connection": "close"},
    json.dumps({"error_code": "5501", "error_message": "the body is too large"}).encode(),
)
_NO_SUCH_VERB: Final = HttpReply(
    0,
    405,
    {"content-type": "application/json", "allow": _VERBS},
    json.dumps({"error_code": "5003", "error_message": "only GET and POST"}).encode(),
)
# Characters: what is longer was made to be.
_LONGEST_TOLD: Final = 200
# Written anew by whoever carries the body.
_OF_THE_CONNECTION: Final = {"content-length", "transfer-encoding", "connection", "date"}


class _TooLargeError(Exception):
    """The body is longer than any that the center takes."""


@define(eq=False)
class Answering:
    """Answers requests; `told` is given a line about each, without ids of clients or content."""

    carrier: Carrier
    origin: Callable[[], str]
    pages: Pages | None = None
    told: Callable[[str], object] | None = None
    largest_body: int = LARGEST_BODY
    patience: float = LOST_AFTER

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """The response; on a broken connection one that nobody receives."""
        began = time.monotonic()
        word = "given up by the client"
        try:
            outcome = await self._outcome(request)
            word = _word(outcome)
            return await self._response(request, outcome)
        finally:
            self._tell(request, word, time.monotonic() - began)

    async def _outcome(self, request: web.BaseRequest) -> Outcome:
        if request.method == "OPTIONS":
            return HttpReply(0, 204, _PREFLIGHT_HEADERS, b"")
        if request.method not in {"GET", "POST"}:
            return _NO_SUCH_VERB
        method = cast("Literal['GET', 'POST']", request.method)
        if method == "GET" and self.pages is not None:
            page = self.pages.at(request.path)
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
        return await self.carrier.carry(method, self.origin() + target, headers, body)

    async def _body(self, request: web.BaseRequest) -> bytes:
        if (request.content_length or 0) > self.largest_body:
            raise _TooLargeError
        if request.headers.get("Expect", "").lower() == "100-continue" and request.transport:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = bytearray()
        async for piece in request.content.iter_any():
            body += piece
            if len(body) > self.largest_body:
                raise _TooLargeError
        return bytes(body)

    async def _response(self, request: web.BaseRequest, outcome: Outcome) -> web.StreamResponse:
        if isinstance(outcome, HttpReply):
            return _written(outcome)
        if isinstance(outcome, Broken) and outcome.kind == "lost":
            await asyncio.sleep(self.patience)
        if request.transport is not None:
            _break(request.transport, outcome)
        response = web.Response()  # goes nowhere
        response.force_close()
        return response

    def _tell(self, request: web.BaseRequest, word: str, seconds: float) -> None:
        if self.told is not None:
            what = f"{request.method} {request.path}"[:_LONGEST_TOLD]
            self.told(f"{ascii(what)[1:-1]} {word} {seconds * 1000:.0f} ms")


def _break(transport: asyncio.Transport, broken: Broken | None) -> None:
    match broken:
        case Broken(kind="truncated"):
            cut_short(transport, broken.reply)
        case Broken(kind="garbage"):
            junk(transport, broken.garbage)
        case _:
            reset(transport)


def _written(reply: HttpReply) -> web.Response:
    headers = {
        name.title(): value
        for name, value in reply.headers.items()
        if name.lower() not in _OF_THE_CONNECTION
    }
    response = web.Response(status=reply.status, headers=_OPEN | headers, body=reply.body)
    if reply.headers.get("connection") == "close":
        response.force_close()
    return response


def _word(outcome: Outcome) -> str:
    match outcome:
        case HttpReply(status=status):
            return str(status)
        case Broken(kind=kind):
            return f"broken: {kind}"
        case None:
            return "closing"
