"""Loopback server: runs a script for each connection, on raw sockets of 127.0.0.1."""

from __future__ import annotations

import socket
import ssl
import struct
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from attrs import define, field, frozen

__all__ = [
    "CERTIFICATE",
    "BadRequestError",
    "Connection",
    "LoopbackServer",
    "ReceivedRequest",
    "Script",
    "server_context",
    "shown",
]

_CHUNK_SIZE: Final = 64 * 1024
_MAX_HEAD: Final = 256 * 1024
# SO_LINGER on, for 0 seconds: closing the socket resets the connection.
_RESET: Final = struct.pack("ii", 1, 0)

_MAX_DIGITS: Final = 18
_MAX_SHOWN: Final = 80  # characters of a request in a problem


class BadRequestError(Exception):
    """A request that no sender may send, in the words of a problem."""


Script = Callable[["Connection"], None]


@frozen
class ReceivedRequest:
    """A request as the server received it."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    def values(self, name: str) -> list[str]:
        """Return every value of a header; the case of the name does not matter."""
        return [value for other, value in self.headers if other.lower() == name.lower()]


def shown(text: str) -> str:
    """Return a part of a request for a problem: in ASCII, in quotes, shortened."""
    return ascii(text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…")


@define
class Connection:
    """The server's end of one connection."""

    server: LoopbackServer
    sock: socket.socket
    number: int
    """Number of the connection, from 1."""
    _unread: bytes = field(default=b"", init=False, repr=False)

    def receive_head(self) -> ReceivedRequest:
        """Receive a request without its body.

        Raises `ConnectionError` if none comes, `BadRequestError` if it is none of HTTP.
        """
        while b"\r\n\r\n" not in self._unread:
            if len(self._unread) > _MAX_HEAD:
                raise ConnectionError(f"the request's head must have {_MAX_HEAD} bytes or fewer")
            self._unread += self._receive_some()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        if first.count(" ") != 2:  # noqa: PLR2004  # between its three words
            raise BadRequestError(
                "the request must begin with a method, a target and a version, not with"
                f" {shown(first)}"
            )
        method, target, _ = first.split(" ")
        pairs = (line.partition(":") for line in lines)
        request = ReceivedRequest(
            method, target, tuple((name, value.strip()) for name, _, value in pairs), b""
        )
        self.server.received.append(request)
        return request

    def receive(self) -> ReceivedRequest:
        """Receive a whole request; raises as `receive_head`."""
        head = self.receive_head()
        given = (head.values("content-length") or ["0"])[0]
        if not (given.isascii() and given.isdecimal()):
            raise BadRequestError(f"Content-Length must be a number, not {shown(given)}")
        length = int(given[:_MAX_DIGITS])
        chunks = [self._unread]
        while (missing := length - sum(map(len, chunks))) > 0:
            chunks.append(self._receive_some(missing))
        body = b"".join(chunks)
        self._unread = body[length:]
        request = ReceivedRequest(head.method, head.target, head.headers, body[:length])
        self.server.received[self.server.received.index(head)] = request
        return request

    def send(self, data: bytes) -> None:
        """Send all bytes."""
        for start in range(0, len(data), _CHUNK_SIZE):
            chunk = data[start : start + _CHUNK_SIZE]
            self.sock.sendall(chunk)
            self.server.sent_bytes += len(chunk)

    def drip(self, data: bytes, *, every: float) -> None:
        """Send byte by byte, with a pause of `every` seconds after each."""
        for byte in data:
            self.send(bytes([byte]))
            if self.server.stopped.wait(every):
                break

    def wait(self) -> None:
        """Discard what comes until the sender closes the connection, or the server stops."""
        with suppress(OSError):
            while self.sock.recv(_CHUNK_SIZE):
                pass

    def reset(self) -> None:
        """Close the connection by a reset."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()

    def _receive_some(self, most: int = _CHUNK_SIZE) -> bytes:
        if not (chunk := self.sock.recv(min(most, _CHUNK_SIZE))):
            raise ConnectionResetError("the connection was closed")
        return chunk


@define
class LoopbackServer:
    """A server for one case: a listening socket, and a thread for each connection.

    Each connection runs `script`, and is closed when that returns. With a TLS context it begins
    with a handshake. With `accepts=False` the listener's backlog is full: no connection is made.
    """

    script: Script
    patience: float
    """Seconds, the timeout of requests in cases in which the server stalls."""
    tls: ssl.SSLContext | None = None
    accepts: bool = True
    received: list[ReceivedRequest] = field(factory=list, init=False)
    """Requests in the order in which they arrived."""
    connections: int = field(default=0, init=False)
    sent_bytes: int = field(default=0, init=False)
    """Bytes sent over all connections."""
    stopped: threading.Event = field(factory=threading.Event, init=False, repr=False)
    port: int = field(default=0, init=False)
    bad_requests: list[str] = field(factory=list, init=False)
    """Problems of requests that a script could not answer."""
    errors: list[Exception] = field(factory=list, init=False)
    """Errors of the scripts themselves, for which no sender is responsible."""
    _listener: socket.socket = field(init=False, repr=False)
    _open: list[socket.socket] = field(factory=list, init=False, repr=False)
    _threads: list[threading.Thread] = field(factory=list, init=False, repr=False)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64 if self.accepts else 0)
        self.port = self._listener.getsockname()[1]
        if self.accepts:
            # Some systems do not end `accept` when its socket is closed.
            self._listener.settimeout(0.2)
            self._start(self._accept)
        else:
            self._fill_backlog()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        _shut_down(self._listener)
        # The accepting thread was started first; once it has ended, no thread is added.
        while self._open or self._threads:
            while self._open:
                _shut_down(self._open.pop())
            if self._threads:
                self._threads.pop(0).join()

    @property
    def origin(self) -> str:
        """Scheme, host and port of the server's URLs."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while not self.stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self._open.append(sock)
            self.connections += 1
            self._start(self._run_script, sock, self.connections)

    def _run_script(self, sock: socket.socket, number: int) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            self.script(Connection(self, sock, number))
        except OSError:
            pass  # the sender closed the connection, or the server was stopped
        except BadRequestError as error:
            self.bad_requests.append(str(error))
        except Exception as error:  # noqa: BLE001  # the kit raises it
            self.errors.append(error)
        finally:
            sock.close()

    def _start(self, work: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _fill_backlog(self) -> None:
        """Take the only place in the backlog, so that the next connection is not made."""
        for _ in range(2):
            sock = socket.socket()
            sock.setblocking(False)  # the socket's own method
            self._open.append(sock)
            with suppress(BlockingIOError):
                sock.connect(("127.0.0.1", self.port))


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):
        # Closing alone would leave a thread in `recv`.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    sock.close()


# A self-signed certificate for 127.0.0.1, valid from 2020 to 2119, and its key, which is public.
CERTIFICATE: Final = """\
-----BEGIN CERTIFICATE-----
MIIBhTCCASugAwIBAgIBATAKBggqhkjOPQQDAjAbMRkwFwYDVQQDDBBjaGF0ZnNt
IGxvb3BiYWNrMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAbMRkw
FwYDVQQDDBBjaGF0ZnNtIGxvb3BiYWNrMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcD
QgAEivPHujVq9FiQcCTrR9UDiXRQbXsQMDPCSIlxbWZduES44xUlAHLwQABxKpLP
FzdiSpapZH/3r8oCBXul+qbZXaNeMFwwGgYDVR0RBBMwEYcEfwAAAYIJbG9jYWxo
b3N0MA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgKEMB0GA1UdDgQWBBQ6
uRcSxYscLUIKNdB4ynVZCLvh0DAKBggqhkjOPQQDAgNIADBFAiEA/u5y2Oz+efj7
44G1jEXtUrkRIm6ngWi3uetCwJpxQsECIGLRGlYQ9EHFLSXm5eyctPyDm87kKei4
EoQrzdIsSY0G
-----END CERTIFICATE-----
"""
_KEY: Final = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgBMCZr6yGfIeLqGfV
G//t4tSQEISyI5/IgK4WYIfOcjChRANCAASK88e6NWr0WJBwJOtH1QOJdFBtexAw
M8JIiXFtZl24RLjjFSUAcvBAAHEqks8XN2JKlqlkf/evygIFe6X6ptld
-----END PRIVATE KEY-----
"""


def server_context() -> ssl.SSLContext:
    """Return the TLS context of a server with the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        # The standard library reads keys from files alone.
        pem = Path(folder, "loopback.pem")
        pem.write_text(CERTIFICATE + _KEY, "ascii")
        context.load_cert_chain(pem)
    return context
