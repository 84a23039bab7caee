"""World: customers, a network and a contact center in virtual time.

Time goes from one deadline to the next without waiting. The same seed gives the same world.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf
from typing import Any, Final

from attrs import evolve

from chatfsm import commands, effects
from chatfsm._client.client import ChatClient, ClientInput
from chatfsm._session.session import ChatSession
from chatfsm.api import RequestChat
from chatfsm.client_effects import ApiFailed, ClientEffect
from chatfsm.endpoint import Endpoint
from chatfsm.inputs import Tick
from chatfsm.models import Form
from chatfsm.settings import ClientSettings
from chatfsm.simulator.faults import Faults
from chatfsm.simulator.network import Arrival, Center, Network
from chatfsm.transport import FailureKind, HttpFailure, HttpReply, HttpRequest

__all__ = ["OnStep", "SimulatedCustomer", "World"]

# Customers.


class SimulatedCustomer:
    """A customer: a client whose process may be killed and restored from its snapshot.

    The snapshot is taken after each step, as the documentation of `ChatClient` asks for.
    """

    def __init__(self, world: World, number: int, client: ChatClient, endpoint: Endpoint) -> None:
        self.world = world
        self.number = number
        """The customer's number in the world, from 1."""
        self.endpoint = endpoint
        self.client = client
        self.effects: list[ClientEffect] = []
        """The effects of all lives, without HTTP requests."""
        self.lives = 1
        self.clock_offset = 0.0
        """Seconds by which this life's clock is ahead of the world's."""
        self.timeouts: dict[int, float] = {}
        """The times, on the world's clock, at which unanswered requests time out."""
        self.is_alive = True
        self.wake_at: float | None = None
        """The client's deadline on the world's clock."""
        self.client_time = self.now
        """The last `now` of the client."""
        self._snapshot: dict[str, Any] | None = None
        self.dies_before_sending = False
        """Whether the process dies in its next step with requests."""
        self._chat_request = RequestChat()
        """The request for a chat, which is repeated as long as it fails."""
        self._retry_after: float | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.number}, life {self.lives}: {self.client!r}>"

    @property
    def now(self) -> float:
        """The time on this customer's clock."""
        return self.world.now + self.clock_offset

    @property
    def session(self) -> ChatSession | None:
        """The session; None until there is a chat."""
        return self.client.session

    @property
    def chat_id(self) -> str:
        """The id of the chat; "" until there is one."""
        return "" if self.client.session is None else self.client.session.chat_id

    @property
    def done(self) -> bool:
        """Whether the chat is over."""
        return self.client.done

    @property
    def received_texts(self) -> list[str]:
        """The texts of messages from other parties, in order."""
        return [
            effect.message.text
            for effect in self.effects
            if isinstance(effect, effects.MessageReceived) and not effect.message.own
        ]

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms that are open."""
        return () if self.client.session is None else self.client.session.forms

    def open_chat(
        self, request: RequestChat | None = None, *, retry_after: float | None = 5.0
    ) -> list[ClientEffect]:
        """Request a chat; after a transient failure again in `retry_after` seconds, if not None.

        If the server asks for more by Retry-After, it is obeyed.
        """
        self._retry_after = retry_after
        self._chat_request = request or self._chat_request
        return self.receive(self._chat_request)

    def send_text(self, text: str) -> list[ClientEffect]:
        """Send a text."""
        return self.receive(commands.SendText(text))

    def start_typing(self) -> list[ClientEffect]:
        """Start typing."""
        return self.receive(commands.StartTyping())

    def submit_form(self, request_id: str, data: dict[str, Any]) -> list[ClientEffect]:
        """Answer an open form."""
        return self.receive(commands.SubmitForm(request_id, data))

    def disconnect(self) -> list[ClientEffect]:
        """End the conversation; the scenario may go on."""
        return self.receive(commands.Disconnect())

    def end(self) -> list[ClientEffect]:
        """End the session."""
        return self.receive(commands.End())

    def receive(self, item: ClientInput) -> list[ClientEffect]:
        """Give an item to the client; return its effects without the requests, which are sent.

        Raises as `ChatClient.receive` does, and RuntimeError if the process is dead.
        """
        if not self.is_alive:
            raise RuntimeError(f"customer {self.number} is not running: restart it first")
        self.client_time = max(self.client_time, self.now)
        return self._receive(item)

    def tick(self) -> None:
        """Give a tick to the client at its deadline, which rounding must not miss."""
        deadline = self.client.deadline
        self.client_time = max(
            self.client_time, self.now, self.client_time if deadline is None else deadline
        )
        self._receive(self.world.tick)

    def kill(self, *, before_sending: bool = False) -> None:
        """Kill the process and its connections; requests may have arrived before.

        With `before_sending`, kill it in its next step with requests, before they are sent.
        """
        if before_sending:
            self.dies_before_sending = True
            return
        self.dies_before_sending = False
        self._snapshot = self.client.snapshot(now=self.client_time)
        self._die()

    def restart(self, *, clock_offset: float | None = None) -> None:
        """Restore the client from its snapshot in a new process, whose clock may differ."""
        if self.is_alive or self._snapshot is None:
            raise RuntimeError(f"customer {self.number} is running: kill it first")
        self.clock_offset = self.clock_offset if clock_offset is None else clock_offset
        self.client_time = self.now
        self.client = ChatClient.restore(
            self._snapshot, self.endpoint, settings=self.client.settings, now=self.client_time
        )
        self.is_alive, self._snapshot = True, None
        self.lives += 1
        self._schedule_wake()
        if self.client.session is None and self._retry_after is not None:
            self.open_chat(retry_after=self._retry_after)

    def _receive(self, item: ClientInput) -> list[ClientEffect]:
        world = self.world
        all_effects = self.client.receive(item, now=self.client_time)
        visible: list[ClientEffect] = [e for e in all_effects if not isinstance(e, HttpRequest)]
        self.effects += visible
        if world.on_step is not None:
            world.on_step(self, item, all_effects)
        if self.dies_before_sending and len(visible) < len(all_effects):
            self.kill()
            return visible
        for effect in all_effects:
            if isinstance(effect, HttpRequest):
                world.send(self, effect)
            elif isinstance(effect, ApiFailed):
                self._schedule_reopen(effect)
        self._schedule_wake()
        return visible

    def _schedule_reopen(self, refused: ApiFailed) -> None:
        if self._retry_after is None or not isinstance(refused.request, RequestChat):
            return
        if refused.error.transient:
            life = self.lives
            delay = max(self._retry_after, refused.error.retry_after or 0.0)
            self.world.call_at(self.world.now + delay, lambda: self._reopen(life))

    def _reopen(self, life: int) -> None:
        if self.is_alive and self.lives == life and self.client.session is None:
            self.receive(self._chat_request)

    def _schedule_wake(self) -> None:
        """Schedule a tick at the client's deadline."""
        deadline = self.client.deadline
        wake = None if deadline is None else max(self.world.now, deadline - self.clock_offset)
        if wake != self.wake_at:
            self.wake_at = wake
            if wake is not None:
                self.world.schedule_wake(self, wake)

    def _die(self) -> None:
        self.is_alive, self.wake_at = False, None
        asked, self.timeouts = self.timeouts, {}
        for request_id in asked:
            self.world.cancel_request(self, request_id)


OnStep = Callable[[SimulatedCustomer, ClientInput, list[ClientEffect]], None]
"""A callback after each step of a client: the customer, the item, all effects."""

_DEFAULT_SETTINGS: Final = ClientSettings()
# A client numbers its requests from 1 and makes fewer than this.
_REQUESTS_PER_CUSTOMER: Final = 2**40
# So many actions at one moment are an endless loop.
_MAX_ACTIONS_AT_ONCE: Final = 1_000_000


class World:
    """Customers and a center in virtual time, which starts at 0 and counts seconds.

        world = World(center, faults="lossy", seed=7)
        customer = world.add_customer("client-1", app_id="demo")
        customer.open_chat()
        world.run_until(lambda: customer.received_texts)

    `faults` hit the network between them, as `Faults` or as their text; `latency` is the seconds of
    each way. `on_step` is called after each step of each client.
    """

    tick: Final = Tick()
    """The input that each client receives at its deadline."""

    def __init__(
        self,
        center: Center,
        *,
        faults: Faults | str = "",
        seed: int = 0,
        latency: float = 0.05,
        on_step: OnStep | None = None,
    ) -> None:
        self.now = 0.0
        self.center = center
        self.network = Network(center, faults, seed=seed, latency=latency)
        self.on_step = on_step
        self.customers: list[SimulatedCustomer] = []
        self._scheduled: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = count()
        self._actions_now = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.now:g} s, {len(self.customers)} customers>"

    @property
    def deadline(self) -> float | None:
        """The time of the next action; None: nothing is scheduled."""
        due = self.network.deadline
        earliest = min(
            inf if due is None else due, self._scheduled[0][0] if self._scheduled else inf
        )
        return None if earliest == inf else max(earliest, self.now)

    def add_customer(  # noqa: PLR0913  # the fields of an endpoint
        self,
        client_id: str,
        *,
        app_id: str = "demo",
        version: int = 2,
        tenant_url: str = "tenant.example",
        settings: ClientSettings = _DEFAULT_SETTINGS,
        clock_offset: float = 0.0,
        token: str = "",
    ) -> SimulatedCustomer:
        """Add a customer without a chat.

        `clock_offset` is the seconds its clock is ahead; `token` is that of `ChatClient`: give each
        device of one customer another one.
        """
        endpoint = Endpoint(
            "https://chat.example.com", tenant_url, app_id, client_id, version=version
        )
        client = ChatClient(endpoint, settings=settings, token=token)
        customer = SimulatedCustomer(self, len(self.customers) + 1, client, endpoint)
        customer.clock_offset = clock_offset
        self.customers.append(customer)
        return customer

    def call_at(self, time: float, action: Callable[[], object]) -> None:
        """Call an action at a time of this world, or at once if the time is past."""
        self._schedule(time, action)

    def run(self, seconds: float) -> None:
        """Let so many seconds pass."""
        until = self.now + seconds
        while (at := self.deadline) is not None and at <= until:
            self._run_due(at)
        self.now = until

    def run_until(self, predicate: Callable[[], object], *, limit: float = 3_600.0) -> None:
        """Let time pass until the predicate is true. Raises TimeoutError after `limit` seconds."""
        until = self.now + limit
        while not predicate():
            at = self.deadline
            if at is None or at > until:
                raise TimeoutError(f"the predicate is not true after {limit:g} s: {self!r}")
            self._run_due(at)

    def send(self, customer: SimulatedCustomer, request: HttpRequest) -> None:
        """Send a customer's request, and cancel it at its timeout, as an HTTP library does."""
        at = customer.timeouts[request.id] = self.now + request.timeout
        self._schedule(at, self._on_timeout, customer, request.id, at)
        number = customer.number * _REQUESTS_PER_CUSTOMER + request.id
        self.network.send(evolve(request, id=number), now=self.now)

    def cancel_request(self, customer: SimulatedCustomer, request_id: int) -> None:
        """Cancel a request: its connection breaks."""
        self.network.cancel(customer.number * _REQUESTS_PER_CUSTOMER + request_id, now=self.now)

    def schedule_wake(self, customer: SimulatedCustomer, at: float) -> None:
        """Schedule a tick for a client, which is skipped if its deadline has changed by then."""
        self._schedule(at, self._on_wake, customer, at)

    def _schedule(self, at: float, action: Callable[..., object], *arguments: Any) -> None:
        heappush(self._scheduled, (at, next(self._order), action, arguments))

    def _run_due(self, at: float) -> None:
        if at > self.now:
            self._actions_now = 0
        self.now = max(self.now, at)
        self._count_action()
        agenda = self._scheduled
        while agenda and agenda[0][0] <= self.now:
            self._count_action()
            _, _, action, arguments = heappop(agenda)
            action(*arguments)
        for arrival in self.network.collect(now=self.now):
            self._on_arrival(arrival)

    def _count_action(self) -> None:
        self._actions_now += 1
        if self._actions_now > _MAX_ACTIONS_AT_ONCE:
            raise RuntimeError(f"more than {_MAX_ACTIONS_AT_ONCE} actions at one moment: {self!r}")

    def _on_arrival(self, arrival: Arrival) -> None:
        number, request_id = divmod(arrival.id, _REQUESTS_PER_CUSTOMER)
        customer = self.customers[number - 1]
        if not customer.is_alive:
            return
        if isinstance(arrival, HttpReply):
            customer.timeouts.pop(request_id, None)
            customer.receive(HttpReply(request_id, arrival.status, arrival.headers, arrival.body))
        elif arrival.kind != "lost":  # a lost reply is only noticed by the timeout
            customer.timeouts.pop(request_id, None)
            kind: FailureKind = "connect" if arrival.kind == "refused" else "protocol"
            customer.receive(HttpFailure(request_id, kind, arrival.kind))

    def _on_wake(self, customer: SimulatedCustomer, at: float) -> None:
        if customer.wake_at == at:
            customer.wake_at = None
            customer.tick()

    def _on_timeout(self, customer: SimulatedCustomer, request_id: int, at: float) -> None:
        if customer.timeouts.get(request_id) == at:
            del customer.timeouts[request_id]
            self.cancel_request(customer, request_id)
            customer.receive(HttpFailure(request_id, "timeout", "no reply in time"))
