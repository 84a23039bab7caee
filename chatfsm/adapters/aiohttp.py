"""Sender for aiohttp."""

from __future__ import annotations

import asyncio
import io
from functools import lru_cache
from typing import Any, Final

from chatfsm.adapters._base import (
    CHUNK_SIZE,
    CONNECT_SHARE,
    AsyncClosable,
    Body,
    failure_of,
    missing_library,
    reply_to,
)
from chatfsm.transport import FailureKind, HttpFailure, HttpReply, HttpRequest

try:
    import aiohttp
    from aiohttp import (
        ClientConnectorError,
        ClientHttpProxyError,
        ConnectionTimeoutError,
        TCPConnector,
    )
    from aiohttp.connector import Connection
    from yarl import URL
except ImportError:
    raise missing_library("aiohttp", extra="aiohttp") from None

__all__ = ["AsyncSender", "CheckedConnector"]

_ENCODINGS: Final = {"Accept-Encoding": "gzip"}
"""Header of each request that has none of its own."""
_CONNECT_ERRORS: Final = (ClientConnectorError, ClientHttpProxyError, ConnectionTimeoutError)


class AsyncSender(AsyncClosable):
    """A sender with a session of aiohttp; its own has no limit of connections."""

    def __init__(self, session: aiohttp.ClientSession | None = None) -> None:
        self._session = session
        self._owns_client = session is None

    async def __call__(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """Perform a request."""
        if self._session is None:  # made here: it belongs to the running event loop
            self._session = aiohttp.ClientSession(
                connector=CheckedConnector(limit=0),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=_ENCODINGS,
            )
        session = self._session if self._owns_client else _borrowed(self._session)
        try:
            async with (
                asyncio.timeout(request.timeout),
                session.request(
                    request.method,
                    _as_it_is(request.url),
                    headers=request.headers,
                    data=_data_of(request.body),
                    allow_redirects=False,
                    auto_decompress=False,
                    raise_for_status=False,
                    timeout=_connect_timeout(request.timeout * CONNECT_SHARE),
                ) as response,
            ):
                body = Body.of(request, response.headers.items())
                while chunk := await response.content.readany():
                    body.add(chunk)
                return reply_to(request, response.status, body)
        except Exception as error:  # noqa: BLE001  # a sender never raises for the network
            return failure_of(request, _failure_kind(error), error)
        finally:
            if not self._owns_client:
                session.detach()

    async def aclose(self) -> None:
        """Close the session, unless it was passed in."""
        if self._owns_client and self._session is not None:
            await self._session.close()


def _borrowed(lent: aiohttp.ClientSession) -> aiohttp.ClientSession:
    """Return a session over the connections of another, without its cookies, to be detached."""
    return aiohttp.ClientSession(
        connector=lent.connector,
        connector_owner=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=_ENCODINGS,
        trust_env=lent.trust_env,
        trace_configs=lent.trace_configs,
        proxy=getattr(lent, "_default_proxy", None),
        proxy_auth=getattr(lent, "_default_proxy_auth", None),
    )


@lru_cache(maxsize=16)
def _connect_timeout(seconds: float) -> aiohttp.ClientTimeout:
    return aiohttp.ClientTimeout(None, seconds)


def _as_it_is(url: str) -> URL:
    """Return a percent-encoded URL. Each is another one, and parsing takes twice as long."""
    scheme, _, rest = url.partition("://")
    authority, _, target = rest.partition("/")
    path, _, query = target.partition("?")
    return URL.build(
        scheme=scheme, authority=authority, path=f"/{path}", query_string=query, encoded=True
    )


def _data_of(body: bytes) -> bytes | io.BytesIO | None:
    """Return a body as aiohttp takes it: it sends a large one in pieces only from a file."""
    return (body if len(body) <= CHUNK_SIZE else io.BytesIO(body)) or None


def _failure_kind(error: Exception) -> FailureKind:
    if isinstance(error, _CONNECT_ERRORS):
        return "connect"
    return "timeout" if isinstance(error, TimeoutError) else "protocol"


class CheckedConnector(TCPConnector):
    """A connector that does not reuse a connection on which the server sent too much.

    aiohttp itself would take the surplus for the reply to the next request.
    """

    async def connect(self, *args: Any, **kwargs: Any) -> Connection:
        """Return a connection for one request."""
        while True:
            connection = await super().connect(*args, **kwargs)
            protocol = connection.protocol
            if protocol is not None and not protocol.should_close:
                return connection
            connection.close()
