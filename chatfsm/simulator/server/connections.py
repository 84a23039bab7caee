"""Connections: their number, the time for a request's headers, and a log that stays readable."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any, Final

from aiohttp import web
from attrs import define, field

__all__ = [
    "HEADER_TIMEOUT",
    "MAX_CONNECTIONS",
    "ConnectionServer",
    "LimitedLog",
    "TimedConnection",
    "connection_limit",
    "error_logger",
]

MAX_CONNECTIONS: Final = 10_000
"""The most connections at once, unless the system allows fewer."""
HEADER_TIMEOUT: Final = 15.0
"""Seconds for the headers of a request: longer than any client on this machine needs."""
# File descriptors that are left for files, pipes and the listening socket.
_SPARE_DESCRIPTORS: Final = 64


def connection_limit(wanted: int = MAX_CONNECTIONS) -> int:
    """Return the most connections that the server accepts, by the system's limit of open files."""
    try:
        import resource  # noqa: PLC0415  # Windows has none
    except ImportError:
        return wanted
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if soft < 0 else max(1, min(wanted, soft - _SPARE_DESCRIPTORS))


class TimedConnection(web.RequestHandler):
    """A connection that is closed if the headers of a request take too long."""

    __slots__ = ("_header_timeout", "_header_timer")

    def __init__(self, manager: web.Server, *, header_timeout: float, **options: Any) -> None:
        super().__init__(manager, **options)
        self._header_timeout = header_timeout
        self._header_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the time for the first request."""
        super().connection_made(transport)
        self._start_header_timer()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop the time."""
        self.stop_header_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Start the time at the first byte of a further request, and stop it after its headers."""
        if self._header_timer is None and self._current_request is None and not self._messages:
            self._start_header_timer()
        super().data_received(data)
        if self._messages:
            self.stop_header_timer()

    def stop_header_timer(self) -> None:
        """Stop the time: the headers are there."""
        if self._header_timer is not None:
            self._header_timer.cancel()
        self._header_timer = None

    def _start_header_timer(self) -> None:
        self._header_timer = self._loop.call_later(self._header_timeout, self._on_header_timeout)

    def _on_header_timeout(self) -> None:
        self._header_timer = None
        if self._current_request is None and not self._messages:
            self.force_close()


class ConnectionServer(web.Server):
    """A server of `TimedConnection` objects; more than `limit` at once are closed at once."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Any],
        *,
        limit: int,
        header_timeout: float,
        log: Callable[[str], object] | None,
        **options: Any,
    ) -> None:
        super().__init__(handler, **options)
        self.limit = limit
        self.header_timeout = header_timeout
        self._log = log

    def __call__(self) -> web.RequestHandler:
        """Return the protocol of a new connection."""
        return TimedConnection(
            self, loop=self._loop, header_timeout=self.header_timeout, **self._kwargs
        )

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Keep the connection, or close it if there are too many."""
        super().connection_made(handler, transport)
        if len(self._connections) > self.limit:
            if self._log is not None:
                self._log(f"closed a connection: {self.limit} are open")
            transport.abort()


@define(eq=False)
class LimitedLog:
    """Writes a bounded number of lines a second, and then how many it left out."""

    write: Callable[[str], object]
    """Called with each line that is written."""
    most: int = 50
    """The most lines in one second; further ones are counted."""
    clock: Callable[[], float] = time.monotonic
    """Returns a time in seconds that does not go backwards."""
    _second: int = field(default=-1, init=False)
    _count: int = field(default=0, init=False)
    _left_out: int = field(default=0, init=False)

    def __call__(self, line: str) -> None:
        """Write a line, or count it if there were too many in this second."""
        second = int(self.clock())
        if second != self._second:
            self.close()
            self._second, self._count = second, 0
        self._count += 1
        if self._count > self.most:
            self._left_out += 1
        else:
            self.write(line)

    def close(self) -> None:
        """Write how many lines were left out since the last one."""
        if self._left_out:
            self.write(f"and {self._left_out} more lines")
        self._left_out = 0


def error_logger(log: Callable[[str], object] | None) -> logging.Logger:
    """Return a logger for aiohttp, which reports each malformed request with a traceback.

    It passes one line on; None: none.
    """
    logger = logging.Logger("chatfsm.simulator.server", logging.ERROR)  # noqa: LOG001  # one a server
    logger.addHandler(logging.NullHandler() if log is None else _LineHandler(log))
    return logger


class _LineHandler(logging.Handler):
    def __init__(self, log: Callable[[str], object]) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on the message and the name of the exception, without what the client sent."""
        kind = record.exc_info[0] if record.exc_info else None
        name = "" if kind is None else f": {kind.__name__}"
        self._log(f"{ascii(record.getMessage())[1:-1]}{name}")
