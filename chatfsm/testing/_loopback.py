"""A server on 127.0.0.1 that does, on raw sockets, whatever a play tells it to do."""

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

__all__ = ["CERTIFICATE", "Connection", "Heard", "Play", "Stage", "server_context"]

_PIECE: Final = 64 * 1024
_LONGEST_HEAD: Final = 256 * 1024
# SO_LINGER: on, and for no time, so that closing resets the connection.
_RESET: Final = struct.pack("ii", 1, 0)

Play = Callable[["Connection"], None]


@frozen
class Heard:
    """A request as it arrived."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)

    def values(self, name: str) -> list[str]:
        """Every value of a header, the name without case."""
        return [value for other, value in self.headers if other.lower() == name.lower()]


@define
class Connection:
    """One connection, from the server's end."""

    stage: Stage
    sock: socket.socket
    number: int
    """Counts the connections of a stage, from 1."""
    _unread: bytes = field(default=b"", init=False, repr=False)

    def hears_head(self) -> Heard:
        """A request without its body. Raises `ConnectionError` where none comes."""
        while b"\r\n\r\n" not in self._unread:
            if len(self._unread) > _LONGEST_HEAD:
                raise ConnectionError("the request's head has no end")
            self._unread += self._receives()
        head, _, self._unread = self._unread.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        heard = Heard(method, target, tuple((name, value.strip()) for name, _, value in pairs), b"")
        self.stage.heard.append(heard)
        return heard

    def hears(self) -> Heard:
        """A whole request. Raises `ConnectionError` where none comes."""
        head = self.hears_head()
        length = int((head.values("content-length") or ["0"])[0])
        pieces = [self._unread]
        while (missing := length - sum(map(len, pieces))) > 0:
            pieces.append(self._receives(missing))
        body = b"".join(pieces)
        self._unread = body[length:]
        heard = Heard(head.method, head.target, head.headers, body[:length])
        self.stage.heard[self.stage.heard.index(head)] = heard
        return heard

    def says(self, data: bytes) -> None:
        """Send all of it."""
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            self.sock.sendall(piece)
            self.stage.said += len(piece)

    def drips(self, data: bytes, *, every: float) -> None:
        """Send a byte, wait so many seconds, send the next."""
        for byte in data:
            self.says(bytes([byte]))
            if self.stage.over.wait(every):
                break

    def waits(self) -> None:
        """Do nothing until the other end has closed, or the stage is taken down."""
        with suppress(OSError):
            while self.sock.recv(_PIECE):
                pass

    def resets(self) -> None:
        """End the connection rudely."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.sock.close()

    def _receives(self, most: int = _PIECE) -> bytes:
        if not (piece := self.sock.recv(min(most, _PIECE))):
            raise ConnectionResetError("the connection was closed")
        return piece


@define
class Stage:
    """The server of one case: a listening socket, and a thread for each connection.

    Each connection is given to `play`, and closed when that returns. With a TLS context
    connections begin with a handshake; with `accepts=False` they stay in the queue, which is full.
    """

    play: Play
    patience: float
    """Seconds that a request may take where the server stalls."""
    tls: ssl.SSLContext | None = None
    accepts: bool = True
    heard: list[Heard] = field(factory=list, init=False)
    """The requests that arrived, in order."""
    connections: int = field(default=0, init=False)
    said: int = field(default=0, init=False)
    """Bytes that were sent, of all connections."""
    over: threading.Event = field(factory=threading.Event, init=False, repr=False)
    port: int = field(default=0, init=False)
    faults: list[Exception] = field(factory=list, init=False)
    """What went wrong in the server itself, which is no fault of a sender."""
    _listener: socket.socket = field(init=False, repr=False)
    _open: list[socket.socket] = field(factory=list, init=False, repr=False)
    _threads: list[threading.Thread] = field(factory=list, init=False, repr=False)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64 if self.accepts else 0)
        self.port = self._listener.getsockname()[1]
        if self.accepts:
            # Not every system lets go of an accept when its socket is closed.
            self._listener.settimeout(0.2)
            self._start(self._accept)
        else:
            self._fill_the_queue()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        _cut(self._listener)
        # The accepting thread was started first: once it is joined, no others are added.
        while self._open or self._threads:
            while self._open:
                _cut(self._open.pop())
            if self._threads:
                self._threads.pop(0).join()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def _accept(self) -> None:
        while not self.over.is_set():
            try:
                sock, _ = self._listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            self._open.append(sock)
            self.connections += 1
            self._start(self._perform, sock, self.connections)

    def _perform(self, sock: socket.socket, number: int) -> None:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.tls is not None:
                sock = self.tls.wrap_socket(sock, server_side=True)
                self._open.append(sock)
            self.play(Connection(self, sock, number))
        except OSError:
            pass  # the other end went away, or the stage was taken down
        except Exception as fault:  # noqa: BLE001  # told by the kit, where a thread's is lost
            self.faults.append(fault)
        finally:
            sock.close()

    def _start(self, work: Callable[..., None], *given: object) -> None:
        thread = threading.Thread(target=work, args=given, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _fill_the_queue(self) -> None:
        """Take the only place in the queue, so that whoever comes next is not answered."""
        for _ in range(2):
            sock = socket.socket()
            sock.setblocking(False)  # the socket's own word
            self._open.append(sock)
            with suppress(BlockingIOError):
                sock.connect(("127.0.0.1", self.port))


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        # Closing alone would leave a thread in its recv.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
    sock.close()


# A certificate for 127.0.0.1 that nobody has reason to trust, and its key, which is no secret.

# Signed by itself, for the years 2020 to 2119.
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
    """What a server needs to show the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        # The standard library reads a key from a file only.
        pem = Path(folder, "loopback.pem")
        pem.write_text(CERTIFICATE + _KEY, "ascii")
        context.load_cert_chain(pem)
    return context
