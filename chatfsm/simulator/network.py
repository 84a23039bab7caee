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
    "PORTAL",
    "Arrival",
    "Broken",
    "Center",
    "Journey",
    "Network",
    "OnFault",
    "broken_by",
    "subject_of",
]

# A request on its way, what is to happen to it, and what comes back.

PORTAL: Final = b"<!doctype html><title>Welcome to our network</title>"
_GARBAGE: Final = b"\x16\x03\x01 this is no HTTP\r\n\r\n"


@frozen
class Broken:
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


Arrival = HttpReply | Broken


@define
class Journey:
    """A request on its way, and what happens to it."""

    request: HttpRequest
    sender: str
    """Whose it is: the credentials that it bears."""
    before: Fault | None = None
    after: Fault | None = None
    delay: float = 0.0
    late: float = 0.0
    """Seconds that it takes to arrive beside the usual; giving it up does not call it back."""
    overtaken: float | None = None
    copies: int = 1
    """How many replies are still to arrive; more than that on their way are no longer."""
    shocks: list[Fault] = field(factory=list)
    """What happens to the server as it arrives."""
    is_cancelled: bool = False
    """Whether nobody waits for it any more."""

    @property
    def place(self) -> tuple[str, str]:
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


def broken_by(kind: str, reply: HttpReply) -> Broken:
    """What becomes of a reply by a fault of this kind."""
    if kind == "drop-reply":
        return Broken(reply.id, "lost", reply)
    if kind == "reset":
        return Broken(reply.id, "reset", reply)
    if kind == "truncate":
        return Broken(reply.id, "truncated", reply)
    return Broken(reply.id, "garbage", reply, _GARBAGE)


# Longer than a quick reply, shorter than any timeout.
_OVERTAKEN_AFTER: Final = 5.0
_OK: Final = 200
# A cache keeps an answer a chat; this many chats at once are more than one machine has.
_MOST_CACHED: Final = 4_096
# What decides of the request; what else hits it, adds to that.
_BEFORE: Final = {"refuse", "drop-request", "portal", "duplicate", "status"}
_AFTER: Final = {"drop-reply", "reset", "truncate", "garbage", "after"}


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

    def give_up(self, request_id: int, *, now: float) -> None:
        """The connection of a held poll broke."""

    def restart(self, *, now: float) -> list[int]:
        """Restart; the ids of the held requests whose connection breaks."""
        ...

    def jump(self, seconds: float) -> None:
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
        self.met: Counter[str] = Counter()
        """How often each fault has hit, by its kind or status."""
        self.requests = 0
        """How many requests were sent."""
        self._numbers: Counter[Subject] = Counter()
        self._order = count()
        self._coming: list[tuple[float, int, Journey, Arrival | None]] = []
        """Requests on their way there (no arrival), and what comes back."""
        self._under_way: dict[int, Journey] = {}
        self._held: set[int] = set()
        """Polls that the center holds."""
        self._overtaken: dict[str, list[tuple[Journey, Arrival]]] = {}
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
        self._dice = [(fault, _dice_of(self.seed, fault)) for fault in faults]
        self._caches = any(fault.kind == "duplicate" for fault in faults)

    @property
    def deadline(self) -> float | None:
        """When to collect again; None: nothing is on its way, and the center waits for nothing."""
        due = self.center.deadline
        earliest = min(inf if due is None else due, self._coming[0][0] if self._coming else inf)
        return None if earliest == inf else earliest

    def send(self, request: HttpRequest, *, now: float) -> None:
        """Bring a request on its way; its id is nobody else's in this network."""
        self.requests += 1
        journey = Journey(request, dict(request.headers).get("Authorization", ""))
        self._under_way[request.id] = journey
        self._meet(journey, now)
        if self.latency or journey.late:
            self._queue(now + self.latency + journey.late, journey, None)
        else:
            self._arrive(journey, now)

    def collect(self, *, now: float) -> list[Arrival]:
        """What arrives at the clients by now, in order."""
        arrived: list[Arrival] = []
        self._take_news(now)
        while self._coming and self._coming[0][0] <= now:
            _, _, journey, arrival = heappop(self._coming)
            if arrival is None:
                self._arrive(journey, now)
                self._take_news(now)
            elif journey.copies and not journey.is_cancelled:
                journey.copies -= 1
                self._under_way.pop(arrival.id, None)
                arrived.append(arrival)
        return arrived

    def cancel(self, request_id: int, *, now: float) -> None:
        """The client has given a request up: nothing of it arrives any more."""
        journey = self._under_way.pop(request_id, None)
        if journey is not None:
            journey.is_cancelled = True
        if request_id in self._held:
            self._held.remove(request_id)
            self.center.give_up(request_id, now=now)

    def _meet(self, journey: Journey, now: float) -> None:
        """Decide what goes wrong; of what cannot go together, the first."""
        on = subject_of(journey.request)
        self._numbers["any"] += 1
        self._numbers[on] += 1
        for fault, dice in self._dice:
            if fault.on not in {"any", on}:
                continue
            if fault.at is not None:
                is_hit = self._numbers[fault.on] == fault.at
            else:
                is_hit = fault.rate is None or _thrown(dice, self.requests) < fault.rate
            if is_hit and self._adds(journey, fault):
                self.met[str(fault.status) if fault.status is not None else fault.kind] += 1
                if self.on_fault is not None:
                    self.on_fault(now, fault, journey.request)

    def _adds(self, journey: Journey, fault: Fault) -> bool:
        """Whether a fault can still happen to a request; then it will."""
        kind, is_decided = fault.kind, journey.before or journey.after
        if kind in _BEFORE | _AFTER:
            is_kept = kind != "duplicate" or (
                journey.request.method == "GET" and journey.place in self._cache
            )
            if is_decided or not is_kept:
                return False
            if kind in _BEFORE:
                journey.before = fault
            else:
                journey.after = fault
        elif kind == "delay":
            journey.delay += fault.seconds or 0.0
        elif kind == "late":
            journey.late += fault.seconds or 0.0
        elif kind == "reorder":
            journey.overtaken = _OVERTAKEN_AFTER if fault.seconds is None else fault.seconds
        elif kind == "twice":
            journey.copies = 2
        else:
            journey.shocks.append(fault)
        return True

    def _arrive(self, journey: Journey, now: float) -> None:
        request, before = journey.request, journey.before
        self._shake(journey, now)
        if before is None:
            self._bring(journey, now)
        elif before.kind == "refuse":
            self._back(journey, Broken(request.id, "refused"), now)
        elif before.kind == "drop-request":
            self._back(journey, Broken(request.id, "lost"), now)
        elif before.kind == "portal":
            page = HttpReply(request.id, 200, {"content-type": "text/html"}, PORTAL)
            self._back(journey, page, now)
        elif before.kind == "duplicate":
            self._back(journey, evolve(self._cache[journey.place], id=request.id), now)
        else:
            self._back(journey, before.reply_to(request.id), now)

    def _bring(self, journey: Journey, now: float) -> None:
        """Let the center have a request, whether or not somebody still waits for its reply."""
        request = journey.request
        reply = self.center.handle(request, now=now)
        if reply is not None:
            self._return(journey, reply, now)
        elif journey.is_cancelled:
            self.center.give_up(request.id, now=now)
        elif journey.after is not None and journey.after.kind == "reset":
            self._back(journey, Broken(request.id, "reset"), now)
            self.center.give_up(request.id, now=now)
        else:
            self._held.add(request.id)

    def _shake(self, journey: Journey, now: float) -> None:
        for fault in journey.shocks:
            if fault.kind == "jump":
                self.center.jump(fault.seconds or 0.0)
                continue
            for request_id in self.center.restart(now=now):
                if request_id in self._held:
                    self._held.remove(request_id)
                    self._back(self._under_way[request_id], Broken(request_id, "reset"), now)

    def _take_news(self, now: float) -> None:
        """What the center has to say to whoever waits."""
        for reply in self.center.collect(now=now):
            if reply.id in self._held:
                self._held.remove(reply.id)
                self._return(self._under_way[reply.id], reply, now)

    def _return(self, journey: Journey, reply: HttpReply, now: float) -> None:
        """A reply of the center's, or what becomes of it."""
        after, request_id = journey.after, journey.request.id
        if after is None:
            self._keep(journey, reply)
            self._back(journey, reply, now)
        elif after.kind == "after":
            self._back(journey, after.reply_to(request_id), now)
        else:
            self._back(journey, broken_by(after.kind, reply), now)

    def _keep(self, journey: Journey, reply: HttpReply) -> None:
        """Let a cache keep a good answer."""
        if self._caches and journey.request.method == "GET" and reply.status == _OK:
            if len(self._cache) >= _MOST_CACHED:
                del self._cache[next(iter(self._cache))]
            self._cache[journey.place] = reply

    def _back(self, journey: Journey, arrival: Arrival, now: float) -> None:
        """Something goes back to the client."""
        at = now + self.latency + journey.delay
        if journey.overtaken is not None:
            self._overtaken.setdefault(journey.sender, []).append((journey, arrival))
            self._queue(at + journey.overtaken, journey, arrival)
            return
        if isinstance(arrival, Broken):
            journey.copies = 1  # nothing breaks twice
        for _ in range(journey.copies):
            self._queue(at, journey, arrival)
        for slow, held in self._overtaken.pop(journey.sender, ()):
            self._queue(at, slow, held)

    def _queue(self, at: float, journey: Journey, arrival: Arrival | None) -> None:
        heappush(self._coming, (at, next(self._order), journey, arrival))


def _dice_of(seed: int, fault: Fault) -> Any:
    return blake2b(f"{seed}\0{fault}\0".encode(), digest_size=8)


def _thrown(dice: Any, number: int) -> float:
    """A number from 0 to 1 that is the same each time."""
    thrown = dice.copy()
    thrown.update(str(number).encode())
    return int.from_bytes(thrown.digest()) / 2.0**64
