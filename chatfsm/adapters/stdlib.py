"""Sender for the standard library's http.client; threads may share it."""

from __future__ import annotations

import ssl
from functools import cache
from http.client import HTTPSConnection
from urllib.parse import SplitResult, urlsplit, urlunsplit

from attrs import define, field

from chatfsm.adapters._base import CHUNK_SIZE, Body, Closable, headers_for, reply_to
from chatfsm.adapters._deadlines import DeadlineConnection, IdleConnections, perform_by_deadline
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

__all__ = ["Sender"]


class _DeadlineTlsConnection(DeadlineConnection, HTTPSConnection):
    """A `DeadlineConnection` over TLS."""


@define
class Sender(Closable):
    """A sender with http.client; it keeps up to 8 connections alive, and uses no proxies.

    `context` verifies the server; by default the system's certificates do.
    """

    context: ssl.SSLContext | None = field(default=None, repr=False)
    """Verifies the server and sets the versions of TLS; None: the system's certificates do."""
    _idle: IdleConnections = field(factory=IdleConnections, init=False, repr=False)

    def __call__(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """Perform a request."""
        return perform_by_deadline(request, self._perform)

    def close(self) -> None:
        """Close the idle connections; one in use closes after its exchange."""
        self._idle.close()

    def _perform(self, request: HttpRequest) -> HttpReply:
        parts = urlsplit(request.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        connection = self._idle.take(origin) or self._new_connection(parts)
        try:
            target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
            headers = dict(headers_for(request))
            connection.request(request.method, target, request.body or None, headers)
            with connection.getresponse() as response:
                body = Body.of(request, response.getheaders())
                while chunk := response.read1(CHUNK_SIZE):
                    body.add(chunk)
            reply = reply_to(request, response.status, body)
        except BaseException:
            connection.close()
            raise
        self._idle.put(origin, connection)
        return reply

    def _new_connection(self, parts: SplitResult) -> DeadlineConnection:
        host = parts.hostname or ""
        if parts.scheme != "https":
            return DeadlineConnection(host, parts.port)
        context = self.context or _default_context()
        return _DeadlineTlsConnection(host, parts.port, context=context)


@cache
def _default_context() -> ssl.SSLContext:
    """Return a context with the system's certificates, which are read once per process."""
    return ssl.create_default_context()
