"""Sender for the library requests; threads may share it."""

from __future__ import annotations

import socket
from typing import Any, Final

from chatfsm.adapters._base import (
    CHUNK_SIZE,
    Body,
    Closable,
    headers_for,
    missing_library,
    reply_to,
)
from chatfsm.adapters._deadlines import (
    DeadlineConnection,
    connect_by_deadline,
    perform_by_deadline,
)
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

try:
    import requests
    from urllib3.connection import HTTPConnection
except ImportError:
    raise missing_library("requests", extra="requests") from None

__all__ = ["Sender"]

_CONNECT: Final = "_new_conn"  # the method of urllib3 that connections over SOCKS replace


class Sender(Closable):
    """A sender with the transport adapters, proxies and certificates of a session of requests.

    The session's headers, cookies, credentials and hooks are not used, and neither is .netrc, which
    would replace the Authorization of the request.
    """

    def __init__(self, session: requests.Session | None = None) -> None:
        self._session = session or requests.Session()
        self._owns_session = session is None

    def __call__(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """Perform a request."""
        return perform_by_deadline(request, self._perform)

    def close(self) -> None:
        """Close the session, unless it was passed in."""
        if self._owns_session:
            self._session.close()

    def _perform(self, request: HttpRequest) -> HttpReply:
        prepared = requests.Request(
            request.method, request.url, dict(headers_for(request)), data=request.body or None
        ).prepare()
        options = self._session.merge_environment_settings(request.url, {}, True, None, None)
        adapter = self._session.get_adapter(request.url)
        _use_deadlines(adapter, prepared, options)
        # `Session.send` would read the whole body of a redirect, whatever its length.
        with adapter.send(prepared, timeout=request.timeout, **options) as response:
            body = Body.of(request, response.raw.headers.iteritems())
            while chunk := response.raw.read1(CHUNK_SIZE, decode_content=False):
                body.add(chunk)
            return reply_to(request, response.status_code, body)


def _use_deadlines(
    adapter: Any, prepared: requests.PreparedRequest, options: dict[str, Any]
) -> None:
    """Make the connections of a pool `DeadlineConnection`s, also in a session of the caller's."""
    tls = {name: options[name] for name in ("verify", "proxies", "cert")}
    pool = adapter.get_connection_with_tls_context(prepared, **tls)
    if not issubclass(pool.ConnectionCls, DeadlineConnection):
        name = f"Deadline{pool.ConnectionCls.__name__}"
        bases: tuple[type, ...] = (DeadlineConnection, pool.ConnectionCls)
        if getattr(pool.ConnectionCls, _CONNECT) is getattr(HTTPConnection, _CONNECT):
            bases = (_SharedConnect, *bases)
        pool.ConnectionCls = type(name, bases, {})


class _SharedConnect:
    """Connections of urllib3 whose addresses share the time that is left."""

    def _new_conn(self) -> socket.socket:
        own: Any = self
        address = own._dns_host, own.port  # noqa: SLF001  # the name of the host, or of its proxy
        return connect_by_deadline(address, own.timeout, own.source_address, own.socket_options)
