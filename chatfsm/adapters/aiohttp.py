"""The sender over aiohttp."""

from __future__ import annotations

import asyncio
import io
from typing import Any, Final

from chatfsm.adapters._base import (
    CONNECT_SHARE,
    AsyncClosing,
    Body,
    failure,
    headers_for,
    missing,
    reply,
)
from chatfsm.transport import FailureKind, HttpFailure, HttpReply, HttpRequest

try:
    import aiohttp
    from aiohttp import ClientConnectorError, ClientHttpProxyError, ConnectionTimeoutError
    from yarl import URL

except ImportError:
    raise missing("aiohttp", extra="aiohttp") from None

from aiohttp import TCPConnector
from aiohttp.connector import Connection

__all__ = ["AsyncSender", "SilentConnector"]

_CONNECTING: Final = (ClientConnectorError, ClientHttpProxyError, ConnectionTimeoutError)


class AsyncSender(AsyncClosing):
    """Sends with a session of aiohttp, by default one without a limit of connections."""

    def __init__(self, session: aiohttp.ClientSession | None = None) -> None:
        self._session = session
        self._owned = session is None

    async def __call__(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """The whole reply, or what became of it."""
        if self._session is None:  # made here, for it belongs to the loop that runs
            self._session = aiohttp.ClientSession(connector=SilentConnector(limit=0))
        try:
            async with (
                asyncio.timeout(request.timeout),
                self._session.request(
                    request.method,
                    URL(request.url, encoded=True),
                    headers=headers_for(request),
                    data=io.BytesIO(request.body) if request.body else None,
                    allow_redirects=False,
                    auto_decompress=False,
                    timeout=aiohttp.ClientTimeout(None, request.timeout * CONNECT_SHARE),
                ) as response,
            ):
                body = Body.of(request, response.headers.items())
                async for piece in response.content.iter_any():
                    body.take(piece)
                return reply(request, response.status, response.headers.items(), body)
        except Exception as error:  # noqa: BLE001  # whatever the network did is an answer
            return failure(request, _kind(error), error)

    async def aclose(self) -> None:
        """Close the session, unless it was passed in."""
        if self._owned and self._session is not None:
            await self._session.close()


def _kind(error: Exception) -> FailureKind:
    if isinstance(error, _CONNECTING):
        return "connect"
    return "timeout" if isinstance(error, TimeoutError) else "protocol"


# How sessions of aiohttp that are ours connect.


class SilentConnector(TCPConnector):
    """Does not use a connection again on which more came than was asked for.

    aiohttp itself would take it for the reply to the next request.
    """

    async def connect(self, *asked: Any, **named: Any) -> Connection:
        """A connection for one request."""
        while True:
            made = await super().connect(*asked, **named)
            if made.protocol is not None and not made.protocol.should_close:
                return made
            made.close()
