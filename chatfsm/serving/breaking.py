"""How an exchange breaks on a real connection: each kind as a client's socket sees it."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Final

from chatfsm.conversation.exchange import HttpReply

__all__ = ["cut_short", "junk", "reset"]

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
