"""The sender over aiohttp."""

from __future__ import annotations

import asyncio
import io
from typing import Final

from chatfsm.adapters.exchanges import (
    CONNECT_SHARE,
    AsyncClosing,
    Body,
    failure,
    headers_for,
    missing,
    reply,
)
from chatfsm.conversation.exchange import FailureKind, HttpFailure, HttpReply, HttpRequest

try:
    import aiohttp
    from aiohttp import ClientConnectorError, ClientHttpProxyError, ConnectionTimeoutError
    from yarl import URL

    from chatfsm.adapters.aiohttp_connector import SilentConnector
except ImportError:
    raise missing("aiohttp", extra="aiohttp") from None

__all__ = ["AsyncSender"]

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
