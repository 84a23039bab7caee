"""The sender that needs the standard library alone; any number of threads may use it at once."""

from __future__ import annotations

import ssl
from functools import cache
from http.client import HTTPSConnection
from urllib.parse import SplitResult, urlsplit, urlunsplit

from attrs import define, field

from chatfsm.adapters._base import PIECE, Body, Closing, headers_for, reply
from chatfsm.adapters._deadlines import BoundedConnection, Idle, exchange
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

__all__ = ["Sender"]


class _BoundedTlsConnection(BoundedConnection, HTTPSConnection):
    """The same, over TLS."""


@define
class Sender(Closing):
    """Sends with http.client, and keeps connections alive; proxies are not used.

    `context` verifies the server; without it, the system's certificates do.
    """

    context: ssl.SSLContext | None = field(default=None, repr=False)
    _idle: Idle = field(factory=Idle, init=False, repr=False)

    def __call__(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """The whole reply, or what became of it."""
        return exchange(request, self._carry)

    def close(self) -> None:
        """Close the connections that wait; one in use is closed after its exchange."""
        self._idle.close()

    def _carry(self, request: HttpRequest) -> HttpReply:
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        connection = self._idle.take(origin) or self._fresh(parts)
        try:
            target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
            headers = dict(headers_for(request))
            connection.request(request.method, target, request.body or None, headers)
            with connection.getresponse() as response:
                body = Body.of(request, response.getheaders())
                while piece := response.read1(PIECE):
                    body.take(piece)
            answer = reply(request, response.status, response.getheaders(), body)
        except BaseException:
            connection.close()
            raise
        self._idle.keep(origin, connection)
        return answer

    def _fresh(self, parts: SplitResult) -> BoundedConnection:
        host = parts.hostname or ""
        if parts.scheme != "https":
            return BoundedConnection(host, parts.port)
        return _BoundedTlsConnection(host, parts.port, context=self.context or _verifying())


@cache
def _verifying() -> ssl.SSLContext:
    """The system's certificates, read once."""
    return ssl.create_default_context()
