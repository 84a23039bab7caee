"""What lies between clients and a contact center: requests and replies on their way, and faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Any, Final, Literal, Protocol

from attrs import define, evolve, field, frozen

from chatfsm.simulator.faults import Fault, Faults, Subject
from chatfsm.transport import HttpReply, HttpRequest

__all__ = [
    "PORTAL_PAGE",
    "Arrival",
    "BrokenExchange",
    "Center",
    "InFlight",
    "Network",
    "OnFault",
    "break_reply",
    "subject_of",
]

# A request on its way, what is to happen to it, and what comes back.

PORTAL_PAGE: Final = b"<!doctype html><title>Welcome to our network</title>"
_GARBAGE: Final = b"\x16\x03\x01 this is no HTTP\r\n\r\n"


@frozen
class BrokenExchange:
    """No whole reply comes; `reply` is what it would have been, where the server gave one."""

    id: int
    kind: Literal[
        "refused",  # the request never left
        "reset",  # the connection breaks before the reply
        "truncated",  # it breaks within the reply
        "garbage",  # what comes is no HTTP: see `garbage`
        "lost",  # nothing comes, ever: whoever waits gives up
    ]
    reply: HttpReply | None = None
    garbage: bytes = field(default=b"", repr=False)


Arrival = HttpReply | BrokenExchange


@define
class InFlight:
    """A request on its way, and what happens to it."""

    request: HttpRequest
    sender: str
    """Whose it is: the credentials that it bears."""
    request_fault: Fault | None = None
    reply_fault: Fault | None = None
    reply_delay: float = 0.0
    extra_delay: float = 0.0
    """Seconds that it takes to arrive beside the usual; giving it up does not call it back."""
    reorder_delay: float | None = None
    replies_left: int = 1
    """How many replies are still to arrive; more than that on their way are no longer."""
    server_faults: list[Fault] = field(factory=list)
    """What happens to the server as it arrives."""
    is_cancelled: bool = False
    """Whether nobody waits for it any more."""

    @property
    def cache_key(self) -> tuple[str, str]:
        """What a cache goes by that does not look at the whole query."""
        return self.sender, self.request.url.partition("?")[0]


def subject_of(request: HttpRequest) -> Subject:
    """What a request is about, by its path."""
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
    """What becomes of a reply by a fault of this kind."""
    if kind == "drop-reply":
        return BrokenExchange(reply.id, "lost", reply)
    if kind == "reset":
        return BrokenExchange(reply.id, "reset", reply)
    if kind == "truncate":
        return BrokenExchange(reply.id, "truncated", reply)
    return BrokenExchange(reply.id, "garbage", reply, _GARBAGE)


# Longer than a quick reply, shorter than any timeout.
_REORDER_DELAY: Final = 5.0
_OK: Final = 200
# A cache keeps an answer a chat; this many chats at once are more than one machine has.
_MAX_CACHED: Final = 4_096
# What decides of the request; what else hits it, adds to that.
_REQUEST_FAULTS: Final = {"refuse", "drop-request", "portal", "duplicate", "status"}
_REPLY_FAULTS: Final = {"drop-reply", "reset", "truncate", "garbage", "after"}


class Center(Protocol):
    """Who answers requests, as far as a network knows: `ContactCenter`, or what has its members."""

    @property
    def deadline(self) -> float | None:
        """When to collect; None: nothing happens by itself."""
        ...

    def handle(self, request: HttpRequest, *, now: float) -> HttpReply | None:
        """The reply to a request; None: a poll that waits."""
        ...

    def collect(self, *, now: float) -> list[HttpReply]:
        """The replies of polls that need wait no longer."""
        ...

    def abort_poll(self, request_id: int, *, now: float) -> None:
        """The connection of a held poll broke."""

    def restart(self, *, now: float) -> list[int]:
        """Restart; the ids of the held requests whose connection breaks."""
        ...

    def jump_clock(self, seconds: float) -> None:
        """Let the wall clock jump."""


OnFault = Callable[[float, Fault, HttpRequest], None]
"""Called when a fault hits: when, which, and what it hits."""


class Network:
    """Carries requests to a center, and replies back; with faults, at times that it is told.

    What hits a request is a hash of `seed`, its number and the fault, so the same requests meet
    the same; `at` counts the requests of a network. `latency`: seconds each way. `on_fault` is told
    of each fault that hits, as the request is sent.
    """

    def __init__(
        self,
        center: Center,
        faults: Faults | None = None,
        *,
        seed: int = 0,
        latency: float = 0.0,
        on_fault: OnFault | None = None,
    ) -> None:
        self.center = center
        self.seed = seed
        self.latency = latency
        self.on_fault = on_fault
        self.fault_counts: Counter[str] = Counter()
        """How often each fault has hit, by its kind or status."""
        self.request_count = 0
        """How many requests were sent."""
        self._subject_counts: Counter[Subject] = Counter()
        self._order = count()
        self._scheduled: list[tuple[float, int, InFlight, Arrival | None]] = []
        """Requests on their way there (no arrival), and what comes back."""
        self._in_flight: dict[int, InFlight] = {}
        self._held_polls: set[int] = set()
        """Polls that the center holds."""
        self._reordered: dict[str, list[tuple[InFlight, Arrival]]] = {}
        """Replies that wait for the next to their sender, which overtakes them."""
        self._cache: dict[tuple[str, str], HttpReply] = {}
        self.faults = Faults() if faults is None else faults

    @property
    def faults(self) -> Faults:
        """What goes wrong; may be set at any time, and holds for what is sent from then on."""
        return self._faults

    @faults.setter
    def faults(self, faults: Faults) -> None:
        self._faults = faults
        self._fault_hashes = [(fault, _fault_hash(self.seed, fault)) for fault in faults]
        self._has_cache = any(fault.kind == "duplicate" for fault in faults)

    @property
    def deadline(self) -> float | None:
        """When to collect again; None: nothing is on its way, and the center waits for nothing."""
        due = self.center.deadline
        earliest = min(
            inf if due is None else due, self._scheduled[0][0] if self._scheduled else inf
        )
        return None if earliest == inf else earliest

    def send(self, request: HttpRequest, *, now: float) -> None:
        """Bring a request on its way; its id is nobody else's in this network."""
        self.request_count += 1
        journey = InFlight(request, dict(request.headers).get("Authorization", ""))
        self._in_flight[request.id] = journey
        self._draw_faults(journey, now)
        if self.latency or journey.extra_delay:
            self._schedule(now + self.latency + journey.extra_delay, journey, None)
        else:
            self._on_arrival(journey, now)

    def collect(self, *, now: float) -> list[Arrival]:
        """What arrives at the clients by now, in order."""
        arrived: list[Arrival] = []
        self._collect_replies(now)
        while self._scheduled and self._scheduled[0][0] <= now:
            _, _, journey, arrival = heappop(self._scheduled)
            if arrival is None:
                self._on_arrival(journey, now)
                self._collect_replies(now)
            elif journey.replies_left and not journey.is_cancelled:
                journey.replies_left -= 1
                self._in_flight.pop(arrival.id, None)
                arrived.append(arrival)
        return arrived

    def cancel(self, request_id: int, *, now: float) -> None:
        """The client has given a request up: nothing of it arrives any more."""
        journey = self._in_flight.pop(request_id, None)
        if journey is not None:
            journey.is_cancelled = True
        if request_id in self._held_polls:
            self._held_polls.remove(request_id)
            self.center.abort_poll(request_id, now=now)

    def _draw_faults(self, journey: InFlight, now: float) -> None:
        """Decide what goes wrong; of what cannot go together, the first."""
        on = subject_of(journey.request)
        self._subject_counts["any"] += 1
        self._subject_counts[on] += 1
        for fault, dice in self._fault_hashes:
            if fault.on not in {"any", on}:
                continue
            if fault.at is not None:
                is_hit = self._subject_counts[fault.on] == fault.at
            else:
                is_hit = fault.rate is None or _draw(dice, self.request_count) < fault.rate
            if is_hit and self._apply_fault(journey, fault):
                self.fault_counts[
                    str(fault.status) if fault.status is not None else fault.kind
                ] += 1
                if self.on_fault is not None:
                    self.on_fault(now, fault, journey.request)

    def _apply_fault(self, journey: InFlight, fault: Fault) -> bool:
        """Whether a fault can still happen to a request; then it will."""
        kind, is_decided = fault.kind, journey.request_fault or journey.reply_fault
        if kind in _REQUEST_FAULTS | _REPLY_FAULTS:
            is_kept = kind != "duplicate" or (
                journey.request.method == "GET" and journey.cache_key in self._cache
            )
            if is_decided or not is_kept:
                return False
            if kind in _REQUEST_FAULTS:
                journey.request_fault = fault
            else:
                journey.reply_fault = fault
        elif kind == "delay":
            journey.reply_delay += fault.seconds or 0.0
        elif kind == "late":
            journey.extra_delay += fault.seconds or 0.0
        elif kind == "reorder":
            journey.reorder_delay = _REORDER_DELAY if fault.seconds is None else fault.seconds
        elif kind == "twice":
            journey.replies_left = 2
        else:
            journey.server_faults.append(fault)
        return True

    def _on_arrival(self, journey: InFlight, now: float) -> None:
        request, before = journey.request, journey.request_fault
        self._apply_server_faults(journey, now)
        if before is None:
            self._deliver(journey, now)
        elif before.kind == "refuse":
            self._send_back(journey, BrokenExchange(request.id, "refused"), now)
        elif before.kind == "drop-request":
            self._send_back(journey, BrokenExchange(request.id, "lost"), now)
        elif before.kind == "portal":
            page = HttpReply(request.id, 200, {"content-type": "text/html"}, PORTAL_PAGE)
            self._send_back(journey, page, now)
        elif before.kind == "duplicate":
            self._send_back(journey, evolve(self._cache[journey.cache_key], id=request.id), now)
        else:
            self._send_back(journey, before.error_reply(request.id), now)

    def _deliver(self, journey: InFlight, now: float) -> None:
        """Let the center have a request, whether or not somebody still waits for its reply."""
        request = journey.request
        reply = self.center.handle(request, now=now)
        if reply is not None:
            self._on_reply(journey, reply, now)
        elif journey.is_cancelled:
            self.center.abort_poll(request.id, now=now)
        elif journey.reply_fault is not None and journey.reply_fault.kind == "reset":
            self._send_back(journey, BrokenExchange(request.id, "reset"), now)
            self.center.abort_poll(request.id, now=now)
        else:
            self._held_polls.add(request.id)

    def _apply_server_faults(self, journey: InFlight, now: float) -> None:
        for fault in journey.server_faults:
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
        """What the center has to say to whoever waits."""
        for reply in self.center.collect(now=now):
            if reply.id in self._held_polls:
                self._held_polls.remove(reply.id)
                self._on_reply(self._in_flight[reply.id], reply, now)

    def _on_reply(self, journey: InFlight, reply: HttpReply, now: float) -> None:
        """A reply of the center's, or what becomes of it."""
        after, request_id = journey.reply_fault, journey.request.id
        if after is None:
            self._cache_reply(journey, reply)
            self._send_back(journey, reply, now)
        elif after.kind == "after":
            self._send_back(journey, after.error_reply(request_id), now)
        else:
            self._send_back(journey, break_reply(after.kind, reply), now)

    def _cache_reply(self, journey: InFlight, reply: HttpReply) -> None:
        """Let a cache keep a good answer."""
        if self._has_cache and journey.request.method == "GET" and reply.status == _OK:
            if len(self._cache) >= _MAX_CACHED:
                del self._cache[next(iter(self._cache))]
            self._cache[journey.cache_key] = reply

    def _send_back(self, journey: InFlight, arrival: Arrival, now: float) -> None:
        """Something goes back to the client."""
        at = now + self.latency + journey.reply_delay
        if journey.reorder_delay is not None:
            self._reordered.setdefault(journey.sender, []).append((journey, arrival))
            self._schedule(at + journey.reorder_delay, journey, arrival)
            return
        if isinstance(arrival, BrokenExchange):
            journey.replies_left = 1  # nothing breaks twice
        for _ in range(journey.replies_left):
            self._schedule(at, journey, arrival)
        for slow, held in self._reordered.pop(journey.sender, ()):
            self._schedule(at, slow, held)

    def _schedule(self, at: float, journey: InFlight, arrival: Arrival | None) -> None:
        heappush(self._scheduled, (at, next(self._order), journey, arrival))


def _fault_hash(seed: int, fault: Fault) -> Any:
    return blake2b(f"{seed}\0{fault}\0".encode(), digest_size=8)


def _draw(dice: Any, number: int) -> float:
    """A number from 0 to 1 that is the same each time."""
    thrown = dice.copy()
    thrown.update(str(number).encode())
    return int.from_bytes(thrown.digest()) / 2.0**64
