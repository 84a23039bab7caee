"""One deadline for a whole exchange, where a library's timeout is for each read alone.

A server that drips a byte a second never meets a timeout for a read, so before each read and
write the socket is given what is left of the whole. The exchange in hand is the thread's own.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from chatfsm.adapters._base import PIECE, failure
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


__all__ = ["BoundedConnection", "Idle", "bound_stream", "exchange"]

# A timeout of 0 would mean "do not block", and fail in another way.
_LEAST: Final = 0.001
_INTERIM: Final = {100, *range(102, 200)}  # 101 is final: it goes on in another protocol


@define
class Progress:
    """How far an exchange has come."""

    deadline: float
    left: bool = False
    """Whether any of the request may have left."""

    @property
    def seconds_left(self) -> float:
        return max(self.deadline - time.monotonic(), _LEAST)

    @property
    def is_late(self) -> bool:
        return time.monotonic() >= self.deadline


_in_hand: ContextVar[Progress | None] = ContextVar("in_hand", default=None)


@contextmanager
def bounded(request: HttpRequest) -> Iterator[Progress]:
    """What the thread does in this block is an exchange with the request's timeout."""
    progress = Progress(time.monotonic() + request.timeout)
    token = _in_hand.set(progress)
    try:
        yield progress
    finally:
        _in_hand.reset(token)


def exchange(
    request: HttpRequest, carry: Callable[[HttpRequest], HttpReply]
) -> HttpReply | HttpFailure:
    """Carry a request over `BoundedConnection`s, which know whether it has left."""
    with bounded(request) as progress:
        try:
            return carry(request)
        except Exception as error:  # noqa: BLE001  # whatever the network did is an answer
            if not progress.left:
                return failure(request, "connect", error)
            late = progress.is_late or isinstance(error, TimeoutError)
            return failure(request, "timeout" if late else "protocol", error)


def bound_stream(stream: Any) -> None:
    """Let reads and writes of one stream of httpcore end when the exchange in hand has to."""
    read, write = stream.read, stream.write

    def bounded_read(max_bytes: int, timeout: float | None = None) -> bytes:
        return bytes(read(max_bytes, timeout=_seconds(timeout)))

    def bounded_write(data: bytes, timeout: float | None = None) -> None:
        for piece in _pieces(data):
            write(piece, timeout=_seconds(timeout))

    stream.read, stream.write = bounded_read, bounded_write


def _seconds(otherwise: float | None) -> float | None:
    progress = _in_hand.get()
    return otherwise if progress is None else progress.seconds_left


def _pieces(data: Any) -> Iterator[Any]:
    view = memoryview(data)
    return (view[start : start + PIECE] for start in range(0, len(view), PIECE))


class _Reader(io.RawIOBase):
    """A socket's bytes, each read within what is left of the exchange in hand."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # Keeps the socket open where http.client has let go of it.
        self._raw = sock.makefile("rb", buffering=0)
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._sock.settimeout(_seconds(self._sock.gettimeout()))
        taken = self._raw.readinto(buffer)
        self.ended = taken == 0
        return taken

    def close(self) -> None:
        self._raw.close()
        super().close()


class BoundedResponse(HTTPResponse):
    """A response that keeps to the deadline, and to what it says of its own length."""

    def __init__(self, sock: socket.socket, *rest: Any, **named: Any) -> None:
        super().__init__(sock, *rest, **named)
        self.fp.close()
        self._reader = _Reader(sock)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        """Read to the end of the headers. Raises `IncompleteRead` where they have none.

        http.client passes over the interim 100, but over no other, and takes what came until
        the connection ended for headers.
        """
        super().begin()
        while self.status in _INTERIM:
            begun: Any = self
            begun.headers = begun.msg = None  # what a response has that was not begun
            super().begin()
        if self._reader.ended:
            raise IncompleteRead(b"")

    def read1(self, n: int = -1) -> bytes:
        """Some of the body, b"" at its end. Raises `IncompleteRead` where it lied."""
        piece = super().read1(n)
        # A chunk of less than nothing is read as if it were one.
        negative = self.chunked and (self.chunk_left or 0) < 0
        if negative or (self.length and not piece):
            raise IncompleteRead(piece)
        return piece


class BoundedConnection(HTTPConnection):
    """A connection that keeps to the deadline of the exchange in hand, and marks its leaving."""

    response_class = BoundedResponse

    def connect(self) -> None:
        """Connect in what time is left."""
        self.timeout = _seconds(self.timeout)
        super().connect()

    def send(self, data: Any) -> None:
        """Send in what time is left; from here on the request may have arrived."""
        if self.sock is None:
            self.connect()
        sock: Any = self.sock
        progress = _in_hand.get()
        if progress is not None:
            progress.left = True
        for piece in _pieces(data) if isinstance(data, Sized) else (data,):
            sock.settimeout(_seconds(sock.gettimeout()))
            super().send(piece)


# Connections that are kept alive between requests; threads may share them.

# A poll's and a post's, and a few threads more.
_MOST: Final = 8


@define
class Idle:
    """The connections that wait, each with its origin; the one that was used last is last."""

    _waiting: list[tuple[str, BoundedConnection]] = field(factory=list, init=False, repr=False)
    _most: int = field(default=_MOST, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def take(self, origin: str) -> BoundedConnection | None:
        """A connection to there that can be used again, if one waits."""
        while (found := self._last(origin)) is not None:
            if _is_silent(found):
                return found
            found.close()
        return None

    def keep(self, origin: str, connection: BoundedConnection) -> None:
        """Let a connection wait, unless it is closed; the one that waits longest makes room."""
        with self._lock:
            if connection.sock is not None:
                self._waiting.append((origin, connection))
            surplus = self._waiting[: max(0, len(self._waiting) - self._most)]
            self._waiting = self._waiting[len(surplus) :]
        for _, too_many in surplus:
            too_many.close()

    def close(self) -> None:
        """Close all that wait, and let none wait any more."""
        with self._lock:
            self._most = 0
            waiting, self._waiting = self._waiting, []
        for _, connection in waiting:
            connection.close()

    def _last(self, origin: str) -> BoundedConnection | None:
        with self._lock:
            for index in reversed(range(len(self._waiting))):
                if self._waiting[index][0] == origin:
                    return self._waiting.pop(index)[1]
        return None


def _is_silent(connection: BoundedConnection) -> bool:
    """Whether nothing came since the last reply: neither its end, nor what nobody asked for."""
    sock = connection.sock
    sock.settimeout(0)
    try:
        # Of the plain socket, also below TLS, whose own recv cannot look without taking.
        socket.socket.recv(sock, 1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
