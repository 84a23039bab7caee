"""Deadlines: one timeout for a whole exchange, in libraries that have one per read.

A server that sends a byte per second never exceeds the timeout of a read. So each read and write
gets the seconds that are left of the thread's current exchange.
"""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from math import inf
from typing import TYPE_CHECKING, Any, Final

from attrs import define, field

from chatfsm.adapters._base import CHUNK_SIZE, CONNECT_SHARE, LateError, failure_of
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


__all__ = [
    "DeadlineConnection",
    "IdleConnections",
    "begin_sending",
    "connect_by_deadline",
    "deadline_for",
    "limit_stream",
    "perform_by_deadline",
    "share_timeout",
]

# Seconds. A timeout of 0 would make a socket non-blocking, which fails in another way.
_MIN_TIMEOUT: Final = 0.001
_INTERIM: Final = {100, *range(102, 200)}  # 101 is final: it switches to another protocol


@define
class Exchange:
    """The deadline and the progress of one exchange."""

    deadline: float
    """Time of `time.monotonic()`."""
    is_sent: bool = False
    """Whether some of the request may have left."""

    @property
    def seconds_left(self) -> float:
        return max(self.deadline - time.monotonic(), _MIN_TIMEOUT)

    @property
    def is_late(self) -> bool:
        return time.monotonic() >= self.deadline


_current_exchange: ContextVar[Exchange | None] = ContextVar("current_exchange", default=None)


@contextmanager
def deadline_for(request: HttpRequest) -> Iterator[Exchange]:
    """Make the block an exchange of this thread, with the request's timeout."""
    exchange = Exchange(time.monotonic() + request.timeout)
    token = _current_exchange.set(exchange)
    try:
        yield exchange
    finally:
        _current_exchange.reset(token)


def perform_by_deadline(
    request: HttpRequest, perform: Callable[[HttpRequest], HttpReply]
) -> HttpReply | HttpFailure:
    """Perform a request over a `DeadlineConnection`; an exception becomes a failure."""
    with deadline_for(request) as exchange:
        try:
            return perform(request)
        except Exception as error:  # noqa: BLE001  # a sender never raises for the network
            if not exchange.is_sent:
                return failure_of(request, "connect", error)
            is_timeout = exchange.is_late or isinstance(error, TimeoutError)
            return failure_of(request, "timeout" if is_timeout else "protocol", error)


def share_timeout(host: str, port: int, timeout: float | None) -> float | None:
    """Return the seconds for each address of a host, so that all share the time that is left.

    Raises `LateError` if there is none left, for example after a slow name server.
    """
    if _current_exchange.get() is None:
        return timeout
    count = len(socket.getaddrinfo(host, port, 0, socket.SOCK_STREAM))
    return _checked_seconds_left() * CONNECT_SHARE / max(count, 1)


def connect_by_deadline(
    address: tuple[str, int],
    timeout: float | None = None,
    source_address: tuple[str, int] | None = None,
    socket_options: Iterable[tuple[Any, ...]] | None = None,
) -> socket.socket:
    """Connect to a host, whose addresses share the time that is left; as `create_connection`.

    An address that never answers, as with a broken IPv6, must not use up the time of the others.
    """
    host, port = address
    found = socket.getaddrinfo(host.strip("[]"), port, 0, socket.SOCK_STREAM)
    error: OSError = OSError(f"no address for {host}")
    for number, (family, kind, protocol, _, place) in enumerate(found):
        left = timeout if _current_exchange.get() is None else _checked_seconds_left()
        sock = socket.socket(family, kind, protocol)
        try:
            for option in socket_options or ():
                sock.setsockopt(*option)
            sock.settimeout(None if left is None else left / (len(found) - number))
            if source_address:
                sock.bind(source_address)
            sock.connect(place)
            sock.settimeout(_seconds_left(timeout))  # for TLS
        except OSError as failed:
            sock.close()
            error = failed
        else:
            return sock
    raise error


def _checked_seconds_left() -> float:
    """Return the seconds left of this thread's exchange. Raises `LateError` if there are none."""
    exchange = _current_exchange.get()
    if exchange is None:
        return inf
    if exchange.is_late:
        raise LateError("the timeout has passed before the request was sent")
    return exchange.seconds_left


def limit_stream(stream: Any) -> None:
    """Make the reads and writes of a stream of httpcore end by the deadline."""
    read, write = stream.read, stream.write

    def read_by_deadline(max_bytes: int, timeout: float | None = None) -> bytes:
        return bytes(read(max_bytes, timeout=_seconds_left(timeout)))

    def write_by_deadline(data: bytes, timeout: float | None = None) -> None:
        begin_sending()
        for chunk in _chunks(data):
            write(chunk, timeout=_seconds_left(timeout))

    stream.read, stream.write = read_by_deadline, write_by_deadline


def begin_sending() -> None:
    """Note that the request of this thread may leave from here on.

    Raises `LateError` if its timeout has passed and nothing of it has left.
    """
    exchange = _current_exchange.get()
    if exchange is not None and not exchange.is_sent:
        _checked_seconds_left()
        exchange.is_sent = True


def _seconds_left(default: float | None) -> float | None:
    """Return the seconds left of this thread's exchange; `default` outside of one."""
    exchange = _current_exchange.get()
    return default if exchange is None else exchange.seconds_left


def _chunks(data: Any) -> Iterator[Any]:
    view = memoryview(data)
    return (view[start : start + CHUNK_SIZE] for start in range(0, len(view), CHUNK_SIZE))


class _Reader(io.RawIOBase):
    """The bytes of a socket; each read ends by the deadline."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        # Keeps the socket open after http.client has dropped it.
        self._raw = sock.makefile("rb", buffering=0)
        self.at_eof = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int | None:
        self._sock.settimeout(_seconds_left(self._sock.gettimeout()))
        count = self._raw.readinto(buffer)
        self.at_eof = count == 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class DeadlineResponse(HTTPResponse):
    """A response that ends by the deadline, and must be as long as it claims."""

    def __init__(self, sock: socket.socket, *rest: Any, **named: Any) -> None:
        super().__init__(sock, *rest, **named)
        self.fp.close()
        self._reader = _Reader(sock)
        self.fp = io.BufferedReader(self._reader)

    def begin(self) -> None:
        """Read the headers. Raises `IncompleteRead` if the connection ended before their end.

        http.client skips the interim status 100 alone, and accepts headers that break off.
        """
        super().begin()
        while self.status in _INTERIM:
            unread: Any = self
            unread.headers = unread.msg = None  # as before the first `begin`
            super().begin()
        if self._reader.at_eof:
            raise IncompleteRead(b"")

    def read1(self, n: int = -1) -> bytes:
        """Return some of the body, b"" at its end. Raises `IncompleteRead` if it is too short."""
        chunk = super().read1(n)
        # http.client reads a chunk of negative size as if it were valid.
        is_negative = self.chunked and (self.chunk_left or 0) < 0
        if is_negative or (self.length and not chunk):
            raise IncompleteRead(chunk)
        return chunk


class DeadlineConnection(HTTPConnection):
    """A connection that ends by the deadline, and notes when some of the request has left."""

    response_class = DeadlineResponse

    def connect(self) -> None:
        """Connect within the time that is left."""
        self.timeout = _seconds_left(self.timeout)
        client: Any = self
        client._create_connection = connect_by_deadline  # noqa: SLF001  # http.client calls it
        super().connect()

    def _tunnel(self) -> None:
        """Have a proxy connect to the server. The request itself is sent after that."""
        tunneled: Any = super()
        try:
            tunneled._tunnel()  # noqa: SLF001  # the method of http.client
        finally:
            exchange = _current_exchange.get()
            if exchange is not None:
                exchange.is_sent = False

    def send(self, data: Any) -> None:
        """Send within the time that is left; from here on the request may arrive."""
        if self.sock is None:
            self.connect()
        sock: Any = self.sock
        begin_sending()
        for chunk in _chunks(data) if isinstance(data, Sized) else (data,):
            sock.settimeout(_seconds_left(sock.gettimeout()))
            super().send(chunk)


# A poll's and a POST's connection, and a few for concurrent API requests.
_MAX_IDLE: Final = 8


@define
class IdleConnections:
    """Kept-alive connections with their origins, the last used one last; threads may share it."""

    _idle: list[tuple[str, DeadlineConnection]] = field(factory=list, init=False, repr=False)
    _max_idle: int = field(default=_MAX_IDLE, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False, repr=False)

    def take(self, origin: str) -> DeadlineConnection | None:
        """Remove and return a reusable connection to an origin; None if there is none."""
        while (connection := self._pop(origin)) is not None:
            if _is_reusable(connection):
                return connection
            connection.close()
        return None

    def put(self, origin: str, connection: DeadlineConnection) -> None:
        """Add a connection unless it is closed; the oldest ones above the limit are closed."""
        with self._lock:
            if connection.sock is not None:
                self._idle.append((origin, connection))
            surplus = self._idle[: max(0, len(self._idle) - self._max_idle)]
            self._idle = self._idle[len(surplus) :]
        for _, oldest in surplus:
            oldest.close()

    def close(self) -> None:
        """Close all connections, and from now on each that is put."""
        with self._lock:
            self._max_idle = 0
            idle, self._idle = self._idle, []
        for _, connection in idle:
            connection.close()

    def _pop(self, origin: str) -> DeadlineConnection | None:
        with self._lock:
            for index in reversed(range(len(self._idle))):
                if self._idle[index][0] == origin:
                    return self._idle.pop(index)[1]
        return None


def _is_reusable(connection: DeadlineConnection) -> bool:
    """Whether the server has sent nothing since the last reply, and not closed."""
    sock = connection.sock
    sock.settimeout(0)
    try:
        # On the plain socket, also below TLS, whose own `recv` cannot peek.
        socket.socket.recv(sock, 1, socket.MSG_PEEK)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
