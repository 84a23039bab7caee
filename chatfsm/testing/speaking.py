"""The words in which the servers of the cases speak: replies as bytes, and small plays."""

from __future__ import annotations

import gzip
from typing import Final

from chatfsm.testing.loopback import Connection, Play

__all__ = ["BODY", "GZIP_BODY", "HUGE", "as_chunks", "chunked", "head", "packed", "reply", "says"]

BODY: Final = b'{"events": []}'
GZIP_BODY: Final = gzip.compress(BODY, mtime=0)
HUGE: Final = 64 * 1024 * 1024
"""Bytes: far more than any request here allows for."""


def head(status: int | str = 200, *lines: str, version: str = "1.1") -> bytes:
    """A status line and headers, to their empty line."""
    return "\r\n".join((f"HTTP/{version} {status} Said", *lines, "", "")).encode("latin-1")


def reply(body: bytes = BODY, *lines: str, status: int = 200) -> bytes:
    """A whole reply that says its length."""
    return head(status, f"Content-Length: {len(body)}", *lines) + body


def as_chunks(body: bytes, size: int = 5) -> bytes:
    """A body in chunks, without the last, empty one."""
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def chunked(body: bytes, *lines: str) -> bytes:
    """A whole reply in chunks."""
    return head(200, "Transfer-Encoding: chunked", *lines) + as_chunks(body) + b"0\r\n\r\n"


def packed(body: bytes) -> bytes:
    """A whole reply whose body claims to be gzip."""
    return reply(body, "Content-Encoding: gzip")


def says(*replies: bytes) -> Play:
    """The play that answers each request of a connection with the next of these, then closes."""

    def play(connection: Connection) -> None:
        for each in replies:
            connection.hears()
            connection.says(each)

    return play
