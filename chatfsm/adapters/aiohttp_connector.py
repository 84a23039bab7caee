"""How sessions of aiohttp that are ours connect."""

from __future__ import annotations

from typing import Any

from aiohttp import TCPConnector
from aiohttp.connector import Connection

__all__ = ["SilentConnector"]


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
