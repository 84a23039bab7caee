"""The senders over httpx, and over httpx2, whose clients have the same face.

Where a server says a reply twice in one go, httpx (0.28, over httpcore 1.0) takes the second for
the answer to the next request on that connection; nothing of its public face tells them apart. The
other senders of ours let go of what nobody asked for.
"""

from __future__ import annotations

import ssl
from contextlib import aclosing
from functools import cache
from typing import Any, Final

import anyio

from chatfsm.adapters._base import (
    CONNECT_SHARE,
    AsyncClosing,
    Body,
    Closing,
    failure,
    headers_for,
    missing,
    reply,
)
from chatfsm.adapters._deadlines import bound_stream, bounded
from chatfsm.transport import FailureKind, HttpFailure, HttpReply, HttpRequest

try:
    import httpx
except ImportError:
    raise missing("httpx", extra="httpx") from None

__all__ = ["AsyncSender", "Sender"]

# By name, for httpx2 has other classes with the same names.
_CONNECTING: Final = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"}
_NEVER_ASKED: Final = {"InvalidURL", "LocalProtocolError", "UnsupportedProtocol"}
_UNLIMITED: Final = httpx.Limits(max_connections=None, max_keepalive_connections=None)
"""A client of ours holds a poll for each of its chats."""
_ALONE: Final[Any] = {"stream": True, "auth": None, "follow_redirects": False}


class Sender(Closing):
    """Sends with a client of httpx or httpx2; any number of threads may use it at once."""

    def __init__(self, client: Any = None) -> None:
        self._client = client or httpx.Client(limits=_UNLIMITED, verify=_verifying())
        self._owned = client is None

    def __call__(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """The whole reply, or what became of it."""
        with bounded(request):
            try:
                response = self._client.send(_built(self._client, request, _bound), **_ALONE)
                try:
                    body = Body.of(request, response.headers.multi_items())
                    for piece in response.iter_raw():
                        body.take(piece)
                finally:
                    response.close()
                return reply(request, response.status_code, response.headers.multi_items(), body)
            except Exception as error:  # noqa: BLE001  # whatever the network did is an answer
                return failure(request, _kind(error), error)

    def close(self) -> None:
        """Close the client, unless it was passed in."""
        if self._owned:
            self._client.close()


class AsyncSender(AsyncClosing):
    """Sends with an asynchronous client of httpx or httpx2, under asyncio and trio."""

    def __init__(self, client: Any = None) -> None:
        self._client: Any = client or httpx.AsyncClient(limits=_UNLIMITED, verify=_verifying())
        self._owned = client is None

    async def __call__(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """The whole reply, or what became of it."""
        try:
            with anyio.fail_after(request.timeout):
                response = await self._client.send(_built(self._client, request), **_ALONE)
                try:
                    body = Body.of(request, response.headers.multi_items())
                    async with aclosing(response.aiter_raw()) as pieces:
                        async for piece in pieces:
                            body.take(piece)
                finally:
                    await response.aclose()
                return reply(request, response.status_code, response.headers.multi_items(), body)
        except Exception as error:  # noqa: BLE001  # whatever the network did is an answer
            return failure(request, _kind(error), error)

    async def aclose(self) -> None:
        """Close the client, unless it was passed in."""
        if self._owned:
            await self._client.aclose()


@cache
def _verifying() -> ssl.SSLContext:
    """What verifies servers; certificates are read once, not once a client."""
    return httpx.create_ssl_context()


def _built(client: Any, request: HttpRequest, trace: Any = None) -> Any:
    """The request as the client's own library makes it."""
    patience = request.timeout * CONNECT_SHARE
    return client.build_request(
        request.method,
        request.url,
        headers=headers_for(request),
        content=request.body or None,
        # To connect, to read, to write, and to be given a connection.
        timeout=(patience, request.timeout, request.timeout, patience),
        extensions={} if trace is None else {"trace": trace},
    )


def _bound(event: str, details: dict[str, Any]) -> None:
    """Hear of each new connection, and let it keep to deadlines."""
    if event.endswith(("connect_tcp.complete", "start_tls.complete")):
        bound_stream(details["return_value"])


def _kind(error: Exception) -> FailureKind:
    name = type(error).__name__
    if name in _CONNECTING | _NEVER_ASKED:
        return "connect"
    return "timeout" if name.endswith(("Timeout", "TimeoutError")) else "protocol"
