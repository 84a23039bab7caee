"""What goes to an HTTP library, and what comes back: values only.

A request is owed until a reply or a failure with its id is received; what is received twice, late
or for no request is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

__all__ = [
    "FailureKind",
    "HttpFailure",
    "HttpReply",
    "HttpRequest",
    "RequestPurpose",
]

RequestPurpose = Literal[
    "poll",  # the long poll for new events
    "history",  # the events that the server has kept
    "post",  # events of the customer's
    "api",  # everything else: what the app asked the API for
]

FailureKind = Literal[
    "connect",  # it surely never left: no such name, refused, no TLS, no connection in time
    "timeout",  # no whole reply in time; it may have arrived
    "protocol",  # reset, truncated, garbage, too large; it may have arrived
    "cancelled",  # whoever carries it gave it up; it may have arrived
]


@frozen
class HttpRequest:
    """Work for an HTTP library: exchange this, and say what became of it.

    Redirects are not followed: the credentials in `headers` are for this host alone.
    """

    id: int
    """Counts from 1 within a client, and goes on after a restore."""
    method: Literal["GET", "POST"]
    url: str
    """Absolute, and percent-encoded."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False, default=b"")
    timeout: float = 30.0
    """Seconds for the whole exchange, from the moment that it is sent."""
    max_body: int = 8 * 1024 * 1024
    """Bytes: a longer reply body is refused while it is read."""
    purpose: RequestPurpose = field(default="api", kw_only=True)
    """What the client wants with it; there is one poll, one history and one POST at a time."""


@frozen
class HttpReply:
    """A whole reply, whatever its status."""

    id: int
    status: int
    headers: Mapping[str, str] = field(hash=False, repr=False)
    """Names in lower case; of repeated ones the last."""
    body: bytes = field(repr=False)
    """Decoded: gzip and chunks are undone."""


@frozen
class HttpFailure:
    """No whole reply; `why` is for people, names no secret and quotes no content."""

    id: int
    kind: FailureKind
    why: str = ""
