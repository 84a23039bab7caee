"""A world of customers, a network and a contact center, in a time that runs as it is told.

Nothing waits: the time goes from one deadline to the next. The same seed gives the same world.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Any, Final

from attrs import evolve

from chatfsm.conversation.client import ChatClient, ClientInput
from chatfsm.conversation.endpoint import Endpoint
from chatfsm.conversation.exchange import FailureKind, HttpFailure, HttpReply, HttpRequest
from chatfsm.conversation.settings import ClientSettings
from chatfsm.conversation.tidings import Tiding
from chatfsm.session.inputs import Tick
from chatfsm.simulator.customer import Customer
from chatfsm.simulator.faults import Faults
from chatfsm.simulator.network import Arrival, Center, Network

__all__ = ["Watch", "World"]

Watch = Callable[[Customer, ClientInput, list[Tiding]], None]
"""Called after each step of a client's: whose, what it heard, and all that followed."""

_USUAL: Final = ClientSettings()
# Requests of a client are numbered from 1, and no client makes this many.
_NUMBERS: Final = 2**40
# No world has this much to do at one moment, unless something goes round in circles.
_MOST_AT_ONCE: Final = 1_000_000


class World:
    """Customers and a center in one time, which starts at 0 and is counted in seconds.

    `faults` is what goes wrong in the network between them, or the text of it, and `latency` the
    seconds that everything takes each way. `watch` sees each step of each client.
    """

    tick: Final = Tick()

    def __init__(
        self,
        center: Center,
        *,
        faults: Faults | str = "",
        seed: int = 0,
        latency: float = 0.05,
        watch: Watch | None = None,
    ) -> None:
        plan = Faults.parse(faults) if isinstance(faults, str) else faults
        self.now = 0.0
        self.center = center
        self.network = Network(center, plan, seed=seed, latency=latency)
        self.watch = watch
        self.customers: list[Customer] = []
        self._agenda: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = count()
        self._at_once = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.now:g} s, {len(self.customers)} customers>"

    @property
    def deadline(self) -> float | None:
        """When the next thing happens; None: nothing will, by itself."""
        due = self.network.deadline
        earliest = min(inf if due is None else due, self._agenda[0][0] if self._agenda else inf)
        return None if earliest == inf else max(earliest, self.now)

    def customer(  # noqa: PLR0913  # an endpoint has these parts
        self,
        client_id: str,
        *,
        app_id: str = "demo",
        version: int = 2,
        tenant_url: str = "tenant.example",
        settings: ClientSettings = _USUAL,
        ahead: float = 0.0,
    ) -> Customer:
        """Somebody new, who has not asked for a chat yet; `ahead`: how far its clock is."""
        endpoint = Endpoint(
            "https://chat.example.com", tenant_url, app_id, client_id, version=version
        )
        client = ChatClient(endpoint, settings=settings)
        customer = Customer(self, len(self.customers) + 1, client, endpoint)
        customer.ahead = ahead
        self.customers.append(customer)
        return customer

    def at(self, time: float, action: Callable[[], object]) -> None:
        """Do something at a time of this world, or now where that is past."""
        self._note(time, action)

    def run(self, seconds: float) -> None:
        """Let so many seconds pass, and all that happens in them happen."""
        until = self.now + seconds
        while (at := self.deadline) is not None and at <= until:
            self._happen(at)
        self.now = until

    def run_until(self, predicate: Callable[[], object], *, limit: float = 3_600.0) -> None:
        """Let time pass until something is so. Raises TimeoutError after `limit` seconds."""
        until = self.now + limit
        while not predicate():
            at = self.deadline
            if at is None or at > until:
                raise TimeoutError(f"it is not so after {limit:g} s: {self!r}")
            self._happen(at)

    def send(self, customer: Customer, request: HttpRequest) -> None:
        """A request leaves; when its time is up it is given up, as an HTTP library would."""
        at = customer.asked[request.id] = self.now + request.timeout
        self._note(at, self._give_up, customer, request.id, at)
        number = customer.number * _NUMBERS + request.id
        self.network.send(evolve(request, id=number), now=self.now)

    def forget(self, customer: Customer, request_id: int) -> None:
        """Nobody waits for the reply to a request any more: its connection breaks."""
        self.network.cancel(customer.number * _NUMBERS + request_id, now=self.now)

    def wake(self, customer: Customer, at: float) -> None:
        """Tick a client at this time, unless its deadline is another by then."""
        self._note(at, self._wake, customer, at)

    def _note(self, at: float, action: Callable[..., object], *arguments: Any) -> None:
        heappush(self._agenda, (at, next(self._order), action, arguments))

    def _happen(self, at: float) -> None:
        if at > self.now:
            self._at_once = 0
        self.now = max(self.now, at)
        self._count()
        agenda = self._agenda
        while agenda and agenda[0][0] <= self.now:
            self._count()
            _, _, action, arguments = heappop(agenda)
            action(*arguments)
        for arrival in self.network.collect(now=self.now):
            self._arrive(arrival)

    def _count(self) -> None:
        self._at_once += 1
        if self._at_once > _MOST_AT_ONCE:
            raise RuntimeError(f"the time stands still: {self!r}")

    def _arrive(self, arrival: Arrival) -> None:
        number, request_id = divmod(arrival.id, _NUMBERS)
        customer = self.customers[number - 1]
        if not customer.is_alive:
            return
        if isinstance(arrival, HttpReply):
            customer.asked.pop(request_id, None)
            customer.receive(HttpReply(request_id, arrival.status, arrival.headers, arrival.body))
        elif arrival.kind != "lost":  # of what is lost nobody hears
            customer.asked.pop(request_id, None)
            kind: FailureKind = "connect" if arrival.kind == "refused" else "protocol"
            customer.receive(HttpFailure(request_id, kind, arrival.kind))

    def _wake(self, customer: Customer, at: float) -> None:
        if customer.wake == at:
            customer.wake = None
            customer.ticks()

    def _give_up(self, customer: Customer, request_id: int, at: float) -> None:
        if customer.asked.get(request_id) == at:
            del customer.asked[request_id]
            self.forget(customer, request_id)
            customer.receive(HttpFailure(request_id, "timeout", "no reply in time"))
