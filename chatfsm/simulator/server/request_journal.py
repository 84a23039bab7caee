"""Request journal: the latest requests that a network has carried, and their results."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import define, field

from chatfsm.simulator.network import BrokenExchange
from chatfsm.transport import HttpReply, HttpRequest

__all__ = ["MAX_REQUESTS", "RequestJournal", "SeenRequest"]

MAX_REQUESTS: Final = 1_000
"""The most requests kept; the oldest are dropped."""
# Bytes of a body that are kept: more than a batch of events has. With the bound above, 16 MB.
_MAX_BODY: Final = 16_384


@define
class SeenRequest:
    """A request, and its result once there is one."""

    number: int
    """Counted from 1."""
    at: float
    """The time of arrival, in seconds of the center's time."""
    request: HttpRequest = field(repr=False)
    """The body is cut; see `body_size`."""
    body_size: int
    """The bytes of the whole body."""
    status: int | None = None
    """The status of the reply; None: no reply yet, or none that arrived."""
    outcome: str = "pending"
    """pending, replied, given_up (by the client) or the kind of a broken exchange."""
    done_at: float | None = None
    """The time of the result, in seconds of the center's time; None: none yet."""

    def to_json(self) -> dict[str, Any]:
        """Return the request as JSON; bytes that are not UTF-8 are written in hexadecimal."""
        parts = urlsplit(self.request.url)
        return {
            "number": self.number,
            "at": round(self.at, 3),
            "method": self.request.method,
            "path": parts.path,
            "query": parts.query,
            "headers": [list(pair) for pair in self.request.headers],
            "body": self.request.body.decode("utf-8", "backslashreplace"),
            "body_size": self.body_size,
            "status": self.status,
            "outcome": self.outcome,
            "done_at": None if self.done_at is None else round(self.done_at, 3),
        }


@define(eq=False)
class RequestJournal:
    """Keeps the latest requests. Headers and bodies hold credentials and texts of customers."""

    count: int = field(default=0, init=False)
    """The number of requests seen so far."""
    _seen: deque[SeenRequest] = field(
        factory=lambda: deque(maxlen=MAX_REQUESTS), init=False, repr=False
    )
    _pending: dict[int, SeenRequest] = field(factory=dict, init=False, repr=False)
    """By the id of the request: those without a result, also if they were dropped."""

    def add(self, request: HttpRequest, *, now: float) -> None:
        """Note a request that arrives."""
        self.count += 1
        kept = HttpRequest(
            request.id,
            request.method,
            request.url,
            request.headers,
            request.body[:_MAX_BODY],
        )
        seen = SeenRequest(self.count, now, kept, len(request.body))
        self._seen.append(seen)
        self._pending[request.id] = seen

    def finish(
        self, request_id: int, result: HttpReply | BrokenExchange | None, *, now: float
    ) -> None:
        """Note the result of a request; None: the client gave it up, or the server closes."""
        seen = self._pending.pop(request_id, None)
        if seen is None:
            return
        seen.done_at = now
        if isinstance(result, HttpReply):
            seen.status, seen.outcome = result.status, "replied"
        else:
            seen.outcome = "given_up" if result is None else result.kind

    def since(self, number: int) -> Iterator[SeenRequest]:
        """Yield the requests kept with at least this number, in order."""
        return (seen for seen in self._seen if seen.number >= number)

    def clear(self) -> None:
        """Forget all requests; numbers go on."""
        self._seen.clear()
