"""Simulated network: requests and replies between clients and a center, with faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from heapq import heappop, heappush
from http import HTTPStatus
from itertools import count
from math import inf
from typing import Any, Final, Literal, Protocol

from attrs import define, evolve, field, frozen

from chatfsm.simulator.faults import Fault, Faults, Subject
from chatfsm.transport import HttpReply, HttpRequest

__all__ = [
    "NOT_FOUND_PAGE",
    "PORTAL_PAGE",
    "REDIRECT",
    "Arrival",
    "BrokenExchange",
    "Center",
    "InFlight",
    "Network",
    "NetworkObserver",
    "OnFault",
    "break_reply",
    "subject_of",
]

# Requests in flight.

PORTAL_PAGE: Final = b"<!doctype html><title>Welcome to our network</title>"
REDIRECT: Final = "http://portal.example/login"
NOT_FOUND_PAGE: Final = b"<html><body><h1>404 Not Found</h1>nginx</body></html>"
# In front of a JSON object: what clients pass over in it, and what they cannot decode.
_BAD_BYTES: Final = b'{"note": "\xff\x01", '
_GARBAGE: Final = b"\x16\x03\x01 this is no HTTP\r\n\r\n"


@frozen
class BrokenExchange:
    """A failed exchange; `reply` is the lost reply, if the server gave one."""

    id: int
    """The id of the request."""
    kind: Literal[
        "refused",  # the request was not sent
        "reset",  # the connection breaks before the reply
        "truncated",  # it breaks within the reply
        "garbage",  # the bytes in `garbage` come, which are not HTTP
        "lost",  # nothing comes, so the client times out
    ]
    """The way in which it failed; for a client only "refused" tells that nothing arrived."""
    reply: HttpReply | None = None
    """The reply that the client does not see; None: the server gave none."""
    garbage: bytes = field(default=b"", repr=False)
    """The bytes that come in place of a reply; b"" for all other kinds."""


Arrival = HttpReply | BrokenExchange


@define
class InFlight:
    """A request in flight, and the faults that hit it."""

    request: HttpRequest
    """The request, as the client sent it."""
    sender: str
    """The Authorization header, which identifies the client."""
    request_fault: Fault | None = None
    """The fault that decides the reply before the server does; None: there is none."""
    reply_fault: Fault | None = None
    """The fault that hits the server's reply; None: there is none."""
    reply_delay: float = 0.0
    """Seconds that the reply takes beside the latency."""
    extra_delay: float = 0.0
    """Seconds that the request takes beside the latency; a cancelled request arrives all the same.
    """
    reorder_delay: float | None = None
    """Seconds for which the reply waits to be overtaken; None: it does not wait."""
    replies_left: int = 1
    """The number of replies that may still arrive; further copies are dropped."""
    server_faults: list[Fault] = field(factory=list)
    """Faults that hit the server when the request arrives."""
    is_cancelled: bool = False
    """Whether the client has given up the request."""

    @property
    def cache_key(self) -> tuple[str, str]:
        """The key of a cache that ignores the query."""
        return self.sender, self.request.url.partition("?")[0]


def subject_of(request: HttpRequest) -> Subject:
    """Return the kind of a request, by its method and path."""
    path = request.url.partition("?")[0].rpartition("/clientweb/api/")[2].partition("/")[2]
    first, _, rest = path.partition("/")
    last = rest.rpartition("/")[2]
    if first == "files" and request.method == "POST":
        return "upload"
    if first != "chats":
        return "other"
    if not rest:
        return "open"
    if last == "events":
        return "poll" if request.method == "GET" else "post"
    return "history" if last == "history" else "other"


def break_reply(kind: str, reply: HttpReply) -> BrokenExchange:
    """Return the failed exchange that a fault of this kind makes of a reply."""
    if kind == "drop-reply":
        return BrokenExchange(reply.id, "lost", reply)
    if kind == "reset":
        return BrokenExchange(reply.id, "reset", reply)
    if kind == "truncate":
        return BrokenExchange(reply.id, "truncated", reply)
    return BrokenExchange(reply.id, "garbage", reply, _GARBAGE)


# Longer than a quick reply, shorter than any timeout.
_REORDER_DELAY: Final = 5.0
# A cache keeps one reply per chat and path.
_MAX_CACHED: Final = 4_096
# One of these decides a request's fate; other faults may come on top of it.
_PAGES: Final = {"portal", "redirect", "not-found"}
_REQUEST_FAULTS: Final = _PAGES | {"refuse", "drop-request", "duplicate", "busy", "status"}
_REPLY_FAULTS: Final = {"drop-reply", "reset", "truncate", "garbage", "bad-byte", "after"}


class Center(Protocol):
    """The server of a network: `ContactCenter`, or a class with the same members."""

    @property
    def deadline(self) -> float | None:
        """The time of the next `collect`; None: nothing is due."""
        ...

    def handle(self, request: HttpRequest, *, now: float) -> HttpReply | None:
        """Return the reply to a request; None: a poll that is held."""
        ...

    def collect(self, *, now: float) -> list[HttpReply]:
        """Return the replies of held polls that are due."""
        ...

    def abort_poll(self, request_id: int, *, now: float) -> None:
        """Note that the connection of a held poll broke."""

    def restart(self, *, now: float) -> list[int]:
        """Restart, and return the ids of held requests whose connection breaks."""
        ...

    def jump_clock(self, seconds: float) -> None:
        """Move the wall clock by some seconds."""


class NetworkObserver(Protocol):
    """Sees what passes a network: each method is called at the time `now`, in seconds."""

    def on_request(self, request: HttpRequest, *, now: float) -> None:
        """A client sends a request."""

    def on_handled(self, request_id: int, reply: HttpReply, *, now: float) -> None:
        """The center has handled a request; its reply may yet be lost, or replaced by another."""

    def on_arrival(self, arrival: Arrival, *, now: float) -> None:
        """A reply arrives at the client, or the exchange breaks; a reply may arrive twice."""

    def on_cancel(self, request_id: int, *, now: float) -> None:
        """The client gives a request up, perhaps after its exchange was lost."""


OnFault = Callable[[float, Fault, HttpRequest], None]
"""A callback for each fault that hits: time in seconds, fault, request."""


class Network:
    """Carries requests to a center and replies back, with faults, in the time of the caller.

    Faults are drawn by a hash of `seed`, the request's number and the fault, so equal requests get
    equal faults. `latency` is the seconds of each way. `on_fault` is called for each fault that
    hits a request, when the request is sent.
    """

    def __init__(
        self,
        center: Center,
        faults: Faults | str | None = None,
        *,
        seed: int = 0,
        latency: float = 0.0,
        on_fault: OnFault | None = None,
    ) -> None:
        self.center = center
        self.seed = seed
        self.latency = latency
        self.on_fault = on_fault
        self.observer: NetworkObserver | None = None
        """Sees all requests and replies from now on; may be set at any time."""
        self.fault_counts: Counter[str] = Counter()
        """The number of hits of each fault, by its kind or its status."""
        self.request_count = 0
        """The number of requests sent."""
        self._subject_counts: Counter[Subject] = Counter()
        self._order = count()
        self._scheduled: list[tuple[float, int, InFlight, Arrival | None]] = []
        """Arrivals by time: requests at the center (no arrival), replies at the client."""
        self._in_flight: dict[int, InFlight] = {}
        self._held_polls: set[int] = set()
        """The ids of polls that the center holds."""
        self._reordered: dict[str, list[tuple[InFlight, Arrival]]] = {}
        """Replies that the client's next reply overtakes, by client."""
        self._cache: dict[tuple[str, str], HttpReply] = {}
        self.faults = faults or Faults()

    @property
    def faults(self) -> Faults:
        """The faults of requests sent from now on; may be set at any time, also as text.

        The number of a fault that hits one request (`at`) counts from the setting.
        """
        return self._faults

    @faults.setter
    def faults(self, faults: Faults | str) -> None:
        self._faults = plan = Faults.parse(faults) if isinstance(faults, str) else faults
        self._subject_counts.clear()
        self._fault_hashes = [(fault, _fault_hash(self.seed, fault)) for fault in plan]
        self._has_cache = any(fault.kind == "duplicate" for fault in plan)

    @property
    def deadline(self) -> float | None:
        """The time of the next `collect`; None: neither the network nor the center has one."""
        due = self.center.deadline
        earliest = min(
            inf if due is None else due, self._scheduled[0][0] if self._scheduled else inf
        )
        return None if earliest == inf else earliest

    def send(self, request: HttpRequest, *, now: float) -> None:
        """Send a request; its id must be unique in this network."""
        self.request_count += 1
        flight = InFlight(request, dict(request.headers).get("Authorization", ""))
        self._in_flight[request.id] = flight
        if self.observer is not None:
            self.observer.on_request(request, now=now)
        self._draw_faults(flight, now)
        if self.latency or flight.extra_delay:
            self._schedule(now + self.latency + flight.extra_delay, flight, None)
        else:
            self._on_arrival(flight, now)

    def collect(self, *, now: float) -> list[Arrival]:
        """Return what arrives at the clients by `now`, in order."""
        arrived: list[Arrival] = []
        self._collect_replies(now)
        while self._scheduled and self._scheduled[0][0] <= now:
            _, _, flight, arrival = heappop(self._scheduled)
            if arrival is None:
                self._on_arrival(flight, now)
                self._collect_replies(now)
            elif flight.replies_left and not flight.is_cancelled:
                flight.replies_left -= 1
                self._in_flight.pop(arrival.id, None)
                arrived.append(arrival)
                if self.observer is not None:
                    self.observer.on_arrival(arrival, now=now)
        return arrived

    def cancel(self, request_id: int, *, now: float) -> None:
        """Cancel a request: nothing of it arrives at the client any more."""
        if self.observer is not None:
            self.observer.on_cancel(request_id, now=now)
        flight = self._in_flight.pop(request_id, None)
        if flight is not None:
            flight.is_cancelled = True
        if request_id in self._held_polls:
            self._held_polls.remove(request_id)
            self.center.abort_poll(request_id, now=now)

    def _draw_faults(self, flight: InFlight, now: float) -> None:
        """Draw the faults that hit a request; of those that exclude each other, the first."""
        on = subject_of(flight.request)
        self._subject_counts["any"] += 1
        self._subject_counts[on] += 1
        for fault, dice in self._fault_hashes:
            if fault.on not in {"any", on}:
                continue
            if fault.at is not None:
                is_hit = self._subject_counts[fault.on] == fault.at
            else:
                is_hit = fault.rate is None or _draw(dice, self.request_count) < fault.rate
            if is_hit and self._apply_fault(flight, fault):
                self.fault_counts[
                    str(fault.status) if fault.status is not None else fault.kind
                ] += 1
                if self.on_fault is not None:
                    self.on_fault(now, fault, flight.request)

    def _apply_fault(self, flight: InFlight, fault: Fault) -> bool:
        """Apply a fault to a request. Whether it could be applied."""
        kind, is_decided = fault.kind, flight.request_fault or flight.reply_fault
        if kind in _REQUEST_FAULTS | _REPLY_FAULTS:
            is_kept = kind != "duplicate" or (
                flight.request.method == "GET" and flight.cache_key in self._cache
            )
            is_poll = kind != "busy" or subject_of(flight.request) == "poll"
            if is_decided or not is_kept or not is_poll:
                return False
            if kind in _REQUEST_FAULTS:
                flight.request_fault = fault
            else:
                flight.reply_fault = fault
        elif kind == "delay":
            flight.reply_delay += fault.seconds or 0.0
        elif kind == "late":
            flight.extra_delay += fault.seconds or 0.0
        elif kind == "reorder":
            flight.reorder_delay = _REORDER_DELAY if fault.seconds is None else fault.seconds
        elif kind == "twice":
            flight.replies_left = 2
        else:
            flight.server_faults.append(fault)
        return True

    def _on_arrival(self, flight: InFlight, now: float) -> None:
        request, before = flight.request, flight.request_fault
        self._apply_server_faults(flight, now)
        if before is None:
            self._deliver(flight, now)
        elif before.kind == "refuse":
            self._send_back(flight, BrokenExchange(request.id, "refused"), now)
        elif before.kind == "drop-request":
            self._send_back(flight, BrokenExchange(request.id, "lost"), now)
        elif before.kind in _PAGES:
            self._send_back(flight, _foreign_page(before.kind, request.id), now)
        elif before.kind == "busy":
            if self._handle(request, now) is None:
                self.center.abort_poll(request.id, now=now)
            self._send_back(flight, _busy_reply(request), now)
        elif before.kind == "duplicate":
            self._send_back(flight, evolve(self._cache[flight.cache_key], id=request.id), now)
        else:
            self._send_back(flight, before.error_reply(request.id), now)

    def _deliver(self, flight: InFlight, now: float) -> None:
        """Give a request to the center, also if its client has given it up."""
        request = flight.request
        reply = self._handle(request, now)
        if reply is not None:
            self._on_reply(flight, reply, now)
        elif flight.is_cancelled:
            self.center.abort_poll(request.id, now=now)
        elif flight.reply_fault is not None and flight.reply_fault.kind == "reset":
            self._send_back(flight, BrokenExchange(request.id, "reset"), now)
            self.center.abort_poll(request.id, now=now)
        else:
            self._held_polls.add(request.id)

    def _handle(self, request: HttpRequest, now: float) -> HttpReply | None:
        """Let the center handle a request, seen by the observer; None: a poll that is held."""
        reply = self.center.handle(request, now=now)
        if reply is not None and self.observer is not None:
            self.observer.on_handled(request.id, reply, now=now)
        return reply

    def _apply_server_faults(self, flight: InFlight, now: float) -> None:
        for fault in flight.server_faults:
            if fault.kind == "jump":
                self.center.jump_clock(fault.seconds or 0.0)
                continue
            for request_id in self.center.restart(now=now):
                if request_id in self._held_polls:
                    self._held_polls.remove(request_id)
                    self._send_back(
                        self._in_flight[request_id], BrokenExchange(request_id, "reset"), now
                    )

    def _collect_replies(self, now: float) -> None:
        """Send back the replies of held polls that are due."""
        for reply in self.center.collect(now=now):
            if self.observer is not None:
                self.observer.on_handled(reply.id, reply, now=now)
            if reply.id in self._held_polls:
                self._held_polls.remove(reply.id)
                self._on_reply(self._in_flight[reply.id], reply, now)

    def _on_reply(self, flight: InFlight, reply: HttpReply, now: float) -> None:
        """Send back a reply of the center's, or what a fault makes of it."""
        after, request_id = flight.reply_fault, flight.request.id
        if after is None:
            self._cache_reply(flight, reply)
            self._send_back(flight, reply, now)
        elif after.kind == "after":
            self._send_back(flight, after.error_reply(request_id), now)
        elif after.kind == "bad-byte":
            self._send_back(flight, _with_bad_bytes(reply), now)
        else:
            self._send_back(flight, break_reply(after.kind, reply), now)

    def _cache_reply(self, flight: InFlight, reply: HttpReply) -> None:
        """Keep a good reply in the cache."""
        if self._has_cache and flight.request.method == "GET" and reply.status == HTTPStatus.OK:
            if len(self._cache) >= _MAX_CACHED:
                del self._cache[next(iter(self._cache))]
            self._cache[flight.cache_key] = reply

    def _send_back(self, flight: InFlight, arrival: Arrival, now: float) -> None:
        """Schedule an arrival at the client, and let it overtake earlier replies."""
        at = now + self.latency + flight.reply_delay
        if flight.reorder_delay is not None:
            self._reordered.setdefault(flight.sender, []).append((flight, arrival))
            self._schedule(at + flight.reorder_delay, flight, arrival)
            return
        if isinstance(arrival, BrokenExchange):
            flight.replies_left = 1  # a broken exchange has no second reply
        for _ in range(flight.replies_left):
            self._schedule(at, flight, arrival)
        for slow, held in self._reordered.pop(flight.sender, ()):
            self._schedule(at, slow, held)

    def _schedule(self, at: float, flight: InFlight, arrival: Arrival | None) -> None:
        heappush(self._scheduled, (at, next(self._order), flight, arrival))


def _foreign_page(kind: str, request_id: int) -> HttpReply:
    """Return the page of a proxy or a portal."""
    headers = {"content-type": "text/html"}
    if kind == "redirect":
        found = headers | {"location": REDIRECT}
        return HttpReply(request_id, HTTPStatus.FOUND, found, PORTAL_PAGE)
    if kind == "not-found":
        return HttpReply(request_id, HTTPStatus.NOT_FOUND, headers, NOT_FOUND_PAGE)
    return HttpReply(request_id, HTTPStatus.OK, headers, PORTAL_PAGE)


def _busy_reply(request: HttpRequest) -> HttpReply:
    """Return the refusal of a second poll, with the status of the request's version."""
    is_first = "/clientweb/api/v1/" in request.url
    status = HTTPStatus.BAD_REQUEST if is_first else HTTPStatus.TOO_MANY_REQUESTS
    return Fault("status", status=status, code="5509").error_reply(request.id)


def _with_bad_bytes(reply: HttpReply) -> HttpReply:
    """Return the reply with bytes that a strict decoder refuses, if it is a JSON object."""
    if not reply.body.startswith(b'{"'):
        return reply
    return evolve(reply, body=_BAD_BYTES + reply.body[1:])


def _fault_hash(seed: int, fault: Fault) -> Any:
    return blake2b(f"{seed}\0{fault}\0".encode(), digest_size=8)


def _draw(dice: Any, number: int) -> float:
    """Return a number from 0 to 1 that depends on the hash and the number alone."""
    thrown = dice.copy()
    thrown.update(str(number).encode())
    return int.from_bytes(thrown.digest()) / 2.0**64
