"""The sender over requests."""

from __future__ import annotations

from typing import Any

from chatfsm.adapters._base import PIECE, Body, Closing, headers_for, missing, reply
from chatfsm.adapters._deadlines import BoundedConnection, exchange
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

try:
    import requests
except ImportError:
    raise missing("requests", extra="requests") from None

__all__ = ["Sender"]


class Sender(Closing):
    """Sends with requests, by the adapters, proxies and certificates of a session.

    The session's own headers, cookies, credentials and hooks are left out, and so is .netrc,
    which would replace the Authorization of the request.
    """

    def __init__(self, session: requests.Session | None = None) -> None:
        self._session = session or requests.Session()
        self._owned = session is None

    def __call__(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """The whole reply, or what became of it."""
        return exchange(request, self._carry)

    def close(self) -> None:
        """Close the session, unless it was passed in."""
        if self._owned:
            self._session.close()

    def _carry(self, request: HttpRequest) -> HttpReply:
        asked = requests.Request(
            request.method, request.url, dict(headers_for(request)), data=request.body or None
        ).prepare()
        ways = self._session.merge_environment_settings(request.url, {}, True, None, None)
        adapter = self._session.get_adapter(request.url)
        _bound(adapter, asked, ways)
        # Not by the session, which reads a redirect's body whole, however long it is.
        with adapter.send(asked, timeout=request.timeout, **ways) as response:
            headers = list(response.raw.headers.iteritems())
            body = Body.of(request, headers)
            while piece := response.raw.read1(PIECE, decode_content=False):
                body.take(piece)
            return reply(request, response.status_code, headers, body)


def _bound(adapter: Any, asked: requests.PreparedRequest, ways: dict[str, Any]) -> None:
    """Let the connections to there keep to deadlines, whoever made the session."""
    tls = {name: ways[name] for name in ("verify", "proxies", "cert")}
    pool = adapter.get_connection_with_tls_context(asked, **tls)
    if not issubclass(pool.ConnectionCls, BoundedConnection):
        name = f"Bounded{pool.ConnectionCls.__name__}"
        pool.ConnectionCls = type(name, (BoundedConnection, pool.ConnectionCls), {})
