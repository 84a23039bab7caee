"""Senders for httpx, and for httpx2, whose clients have the same interface.

If a server sends a reply twice at once, httpx (0.28, over httpcore 1.0) takes the second for the
reply to the next request on that connection, and its public interface does not show the difference.
The other adapters close such a connection.
"""

from __future__ import annotations

import ssl
from contextlib import aclosing
from copy import copy
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Final

import anyio

from chatfsm.adapters._base import (
    CONNECT_SHARE,
    AsyncClosable,
    Body,
    Closable,
    LateError,
    failure_of,
    headers_for,
    missing_library,
    reply_to,
)
from chatfsm.adapters._deadlines import deadline_for, limit_stream, share_timeout
from chatfsm.transport import FailureKind, HttpFailure, HttpReply, HttpRequest

try:
    import httpx
except ImportError:
    raise missing_library("httpx", extra="httpx") from None

__all__ = ["AsyncSender", "Sender"]

# By name, because httpx2 has other classes with the same names.
_CONNECT_ERRORS: Final = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "gaierror"}
_NOT_SENT_ERRORS: Final = {"InvalidURL", "LocalProtocolError", "UnsupportedProtocol"}
_UNLIMITED: Final = httpx.Limits(max_connections=None, max_keepalive_connections=None)
"""One client holds a poll for each of its chats."""
_SEND_OPTIONS: Final[Any] = {"stream": True, "auth": None, "follow_redirects": False}


class Sender(Closable):
    """A sender with a client of httpx or httpx2; threads may share it."""

    def __init__(self, client: Any = None) -> None:
        self._lent = client
        self._client = (
            httpx.Client(limits=_UNLIMITED, verify=_default_context())
            if client is None
            else copy(client)
        )
        _forget_between_requests(self._client)

    def __call__(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """Perform a request."""
        with deadline_for(request):
            try:
                _check_open(self._lent)
                response = self._client.send(
                    _build_request(self._client, request, _limit_new_stream), **_SEND_OPTIONS
                )
                try:
                    body = Body.of(request, response.headers.multi_items())
                    for chunk in response.iter_raw():
                        body.add(chunk)
                finally:
                    response.close()
                return reply_to(request, response.status_code, body)
            except Exception as error:  # noqa: BLE001  # a sender never raises for the network
                return failure_of(request, _failure_kind(error), error)

    def close(self) -> None:
        """Close the client, unless it was passed in."""
        if self._lent is None:
            self._client.close()


class AsyncSender(AsyncClosable):
    """A sender with an asynchronous client of httpx or httpx2, for asyncio and trio."""

    def __init__(self, client: Any = None) -> None:
        self._lent = client
        self._client: Any = (
            httpx.AsyncClient(limits=_UNLIMITED, verify=_default_context())
            if client is None
            else copy(client)
        )
        _forget_between_requests(self._client)

    async def __call__(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """Perform a request."""
        try:
            _check_open(self._lent)
            with anyio.fail_after(request.timeout):
                response = await self._client.send(
                    _build_request(self._client, request), **_SEND_OPTIONS
                )
                try:
                    body = Body.of(request, response.headers.multi_items())
                    async with aclosing(response.aiter_raw()) as chunks:
                        async for chunk in chunks:
                            body.add(chunk)
                finally:
                    await response.aclose()
                return reply_to(request, response.status_code, body)
        except Exception as error:  # noqa: BLE001  # a sender never raises for the network
            return failure_of(request, _failure_kind(error), error)

    async def aclose(self) -> None:
        """Close the client, unless it was passed in."""
        if self._lent is None:
            await self._client.aclose()


def _forget_between_requests(client: Any) -> None:
    """Keep no cookies, which belong to one chat, and call no hooks, which may raise for a status.

    A client that was passed in was copied before; the copy has the same connections.
    """
    client.event_hooks = {}
    client.cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))


def _check_open(lent: Any) -> None:
    if lent is not None and lent.is_closed:
        raise RuntimeError("the client was closed")


@cache
def _default_context() -> ssl.SSLContext:
    """Return a context with the usual certificates, which are read once per process."""
    return httpx.create_ssl_context()


def _build_request(client: Any, request: HttpRequest, trace: Any = None) -> Any:
    """Return the request as the client's library makes it."""
    connect_timeout = request.timeout * CONNECT_SHARE
    return client.build_request(
        request.method,
        request.url,
        headers=headers_for(request),
        content=request.body or None,
        # To connect, to read, to write, and to get a connection of the pool.
        timeout=(connect_timeout, request.timeout, request.timeout, connect_timeout),
        extensions={} if trace is None else {"trace": trace},
    )


def _limit_new_stream(event: str, details: dict[str, Any]) -> None:
    """Make each new connection end by the deadline; called by httpcore's trace."""
    if event.endswith("connect_tcp.started"):
        # These are the arguments of the call that follows.
        details["timeout"] = share_timeout(details["host"], details["port"], details["timeout"])
    if event.endswith(("connect_tcp.complete", "start_tls.complete")):
        limit_stream(details["return_value"])


def _failure_kind(error: Exception) -> FailureKind:
    name = type(error).__name__
    if isinstance(error, LateError):
        return "connect"
    if name in _CONNECT_ERRORS | _NOT_SENT_ERRORS:
        return "connect"
    return "timeout" if name.endswith(("Timeout", "TimeoutError")) else "protocol"
