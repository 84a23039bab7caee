"""One HTTP request at a time: from aiohttp into the carrier, and back as aiohttp wants it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from typing import Final, Literal, cast

from aiohttp import web
from attrs import define

from chatfsm.conversation.exchange import HttpReply
from chatfsm.serving import breaking
from chatfsm.serving.carrying import Carrier, Outcome
from chatfsm.serving.pages import Pages
from chatfsm.simulator.network import Broken

__all__ = ["LARGEST_BODY", "LOST_AFTER", "Answering"]

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
            breaking.cut_short(transport, broken.reply)
        case Broken(kind="garbage"):
            breaking.junk(transport, broken.garbage)
        case _:
            breaking.reset(transport)


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
