"""Transport values: HTTP requests of a client, and the replies and failures that it receives.

A request is pending until the client receives a reply or a failure with its id. The client ignores
one that is late, repeated or without a request.
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
    "post",  # events of the customer
    "api",  # API requests of the app
]
"""Purpose of an `HttpRequest`."""

FailureKind = Literal[
    "connect",  # no connection: name, TCP, TLS or time; the request was certainly not sent
    "timeout",  # no complete reply in time; the request may have arrived
    "protocol",  # reset, truncated, invalid or too large; the request may have arrived
    "cancelled",  # the sender gave up; the request may have arrived
]
"""Kind of an `HttpFailure`."""


@frozen(weakref_slot=False)
class HttpRequest:
    """An HTTP request for a sender, which returns an `HttpReply` or an `HttpFailure`.

    The sender must not follow redirects: `headers` has credentials for this host alone.
    """

    id: int
    """Number of the request, from 1 in each client; a restored client continues to count."""
    method: Literal["GET", "POST"]
    """The HTTP method: GET or POST."""
    url: str
    """Absolute URL, percent-encoded."""
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    """Names and values, in order; with the credentials, so in no repr."""
    body: bytes = field(repr=False, default=b"")
    """The body; b"" for none. It holds what people wrote, so it is in no repr."""
    timeout: float = 30.0
    """Seconds for the whole exchange, from the call of the sender."""
    max_body: int = 8 * 1024 * 1024
    """Bytes of the reply's body; the sender stops reading a longer one."""
    purpose: RequestPurpose = field(default="api", kw_only=True)
    """Purpose of the request; one poll, one history and one POST at a time are pending."""
    template: str = field(default="", kw_only=True)
    """Path below `/clientweb/api/v1/` or `v2/`, with `{chat}` and `{subject}` in place of ids."""


@frozen(weakref_slot=False)
class HttpReply:
    """A complete reply, of any status."""

    id: int
    """`HttpRequest.id`."""
    status: int
    """The HTTP status, of any class: a redirect is a reply, too."""
    headers: Mapping[str, str] = field(hash=False, repr=False)
    """Headers by name in lower case; of repeated names the last one, but of `set-cookie` all of
    them, with line ends between them, and of `content-encoding` with commas."""
    body: bytes = field(repr=False)
    """Body, without gzip and chunks."""


@frozen(weakref_slot=False)
class HttpFailure:
    """An exchange without a complete reply."""

    id: int
    """`HttpRequest.id`."""
    kind: FailureKind
    """The kind of failure, which tells whether the request may have arrived."""
    why: str = ""
    """The reason, for people to read, without secrets and content."""
    too_large: bool = field(default=False, kw_only=True)
    """Whether the reply was longer than `HttpRequest.max_body`: the same request fails again."""
