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

# A customer of a world: a client, what it has told, and the hand that kills and restores it.


class SimulatedCustomer:
    """One customer, whose process may die at any moment and go on from what it kept.

    What it keeps is a snapshot after each step, as the documentation of `ChatClient` asks for.
    """

    def __init__(self, world: World, number: int, client: ChatClient, endpoint: Endpoint) -> None:
        self.world = world
        self.number = number
        """Counts the customers of a world from 1."""
        self.endpoint = endpoint
        self.client = client
        self.effects: list[ClientEffect] = []
        """All that was told, but requests, over all lives."""
        self.lives = 1
        self.clock_offset = 0.0
        """Seconds that the clock of this life is ahead of the world's."""
        self.timeouts: dict[int, float] = {}
        """When each request that was not answered yet times out, on the world's clock."""
        self.is_alive = True
        self.wake_at: float | None = None
        """When the client's deadline is, on the world's clock."""
        self.client_time = self.now
        """The time that the client was told last."""
        self._snapshot: dict[str, Any] | None = None
        self.dies_before_sending = False
        """Whether it dies in its next step that has requests."""
        self._chat_request = RequestChat()
        """What it asked for a chat with, and asks with again."""
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
        """The texts that others said, in the order of telling."""
        return [
            effect.message.text
            for effect in self.effects
            if isinstance(effect, effects.MessageReceived) and not effect.message.own
        ]

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms that wait for an answer."""
        return () if self.client.session is None else self.client.session.forms

    def open_chat(
        self, request: RequestChat | None = None, *, retry_after: float | None = 5.0
    ) -> list[ClientEffect]:
        """Ask for a chat; where that fails in passing, again after so many seconds."""
        self._retry_after = retry_after
        self._chat_request = request or self._chat_request
        return self.receive(self._chat_request)

    def send_text(self, text: str) -> list[ClientEffect]:
        """Say something."""
        return self.receive(commands.SendText(text))

    def start_typing(self) -> list[ClientEffect]:
        """Touch a key."""
        return self.receive(commands.StartTyping())

    def submit_form(self, request_id: str, data: dict[str, Any]) -> list[ClientEffect]:
        """Answer a form that is open."""
        return self.receive(commands.SubmitForm(request_id, data))

    def disconnect(self) -> list[ClientEffect]:
        """End the conversation; the scenario may go on."""
        return self.receive(commands.Disconnect())

    def end(self) -> list[ClientEffect]:
        """End the session."""
        return self.receive(commands.End())

    def receive(self, item: ClientInput) -> list[ClientEffect]:
        """The client hears something; what follows, without the requests, which go out.

        Raises as `ChatClient.receive` does, and RuntimeError where nobody lives who could hear.
        """
        if not self.is_alive:
            raise RuntimeError(f"customer {self.number} is dead: restart it first")
        self.client_time = max(self.client_time, self.now)
        return self._receive(item)

    def tick(self) -> None:
        """The deadline has come; the clock shows it, whatever the sums of clocks amount to."""
        deadline = self.client.deadline
        self.client_time = max(
            self.client_time, self.now, self.client_time if deadline is None else deadline
        )
        self._receive(self.world.tick)

    def kill(self, *, before_sending: bool = False) -> None:
        """The process dies, and connections with it; what was sent may have arrived.

        `before_sending`: not now but in its next step that has requests, which never leave.
        """
        if before_sending:
            self.dies_before_sending = True
            return
        self.dies_before_sending = False
        self._snapshot = self.client.snapshot(now=self.client_time)
        self._die()

    def restart(self, *, clock_offset: float | None = None) -> None:
        """Another process goes on from the snapshot, with a clock that shows something else."""
        if self.is_alive or self._snapshot is None:
            raise RuntimeError(f"customer {self.number} lives: kill it first")
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
        effects_of_step = self.client.receive(item, now=self.client_time)
        told: list[ClientEffect] = [e for e in effects_of_step if not isinstance(e, HttpRequest)]
        self.effects += told
        if world.on_step is not None:
            world.on_step(self, item, effects_of_step)
        if self.dies_before_sending and len(told) < len(effects_of_step):
            self.kill()
            return told
        for effect in effects_of_step:
            if isinstance(effect, HttpRequest):
                world.send(self, effect)
            elif isinstance(effect, ApiFailed):
                self._schedule_reopen(effect)
        self._schedule_wake()
        return told

    def _schedule_reopen(self, refused: ApiFailed) -> None:
        if self._retry_after is None or not isinstance(refused.request, RequestChat):
            return
        if refused.error.transient:
            life = self.lives
            self.world.call_at(self.world.now + self._retry_after, lambda: self._reopen(life))

    def _reopen(self, life: int) -> None:
        if self.is_alive and self.lives == life and self.client.session is None:
            self.receive(self._chat_request)

    def _schedule_wake(self) -> None:
        """Have the world wake the client at its deadline."""
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
"""Called after each step of a client's: whose, what it heard, and all that followed."""

_DEFAULT_SETTINGS: Final = ClientSettings()
# Requests of a client are numbered from 1, and no client makes this many.
_REQUESTS_PER_CUSTOMER: Final = 2**40
# No world has this much to do at one moment, unless something goes round in circles.
_MAX_ACTIONS_AT_ONCE: Final = 1_000_000


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
        on_step: OnStep | None = None,
    ) -> None:
        plan = Faults.parse(faults) if isinstance(faults, str) else faults
        self.now = 0.0
        self.center = center
        self.network = Network(center, plan, seed=seed, latency=latency)
        self.on_step = on_step
        self.customers: list[SimulatedCustomer] = []
        self._scheduled: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._order = count()
        self._actions_now = 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} at {self.now:g} s, {len(self.customers)} customers>"

    @property
    def deadline(self) -> float | None:
        """When the next thing happens; None: nothing will, by itself."""
        due = self.network.deadline
        earliest = min(
            inf if due is None else due, self._scheduled[0][0] if self._scheduled else inf
        )
        return None if earliest == inf else max(earliest, self.now)

    def add_customer(  # noqa: PLR0913  # an endpoint has these parts
        self,
        client_id: str,
        *,
        app_id: str = "demo",
        version: int = 2,
        tenant_url: str = "tenant.example",
        settings: ClientSettings = _DEFAULT_SETTINGS,
        clock_offset: float = 0.0,
    ) -> SimulatedCustomer:
        """Somebody new, who has not asked for a chat yet; `ahead`: how far its clock is."""
        endpoint = Endpoint(
            "https://chat.example.com", tenant_url, app_id, client_id, version=version
        )
        client = ChatClient(endpoint, settings=settings)
        customer = SimulatedCustomer(self, len(self.customers) + 1, client, endpoint)
        customer.clock_offset = clock_offset
        self.customers.append(customer)
        return customer

    def call_at(self, time: float, action: Callable[[], object]) -> None:
        """Do something at a time of this world, or now where that is past."""
        self._schedule(time, action)

    def run(self, seconds: float) -> None:
        """Let so many seconds pass, and all that happens in them happen."""
        until = self.now + seconds
        while (at := self.deadline) is not None and at <= until:
            self._run_due(at)
        self.now = until

    def run_until(self, predicate: Callable[[], object], *, limit: float = 3_600.0) -> None:
        """Let time pass until something is so. Raises TimeoutError after `limit` seconds."""
        until = self.now + limit
        while not predicate():
            at = self.deadline
            if at is None or at > until:
                raise TimeoutError(f"it is not so after {limit:g} s: {self!r}")
            self._run_due(at)

    def send(self, customer: SimulatedCustomer, request: HttpRequest) -> None:
        """A request leaves; when its time is up it is given up, as an HTTP library would."""
        at = customer.timeouts[request.id] = self.now + request.timeout
        self._schedule(at, self._on_timeout, customer, request.id, at)
        number = customer.number * _REQUESTS_PER_CUSTOMER + request.id
        self.network.send(evolve(request, id=number), now=self.now)

    def cancel_request(self, customer: SimulatedCustomer, request_id: int) -> None:
        """Nobody waits for the reply to a request any more: its connection breaks."""
        self.network.cancel(customer.number * _REQUESTS_PER_CUSTOMER + request_id, now=self.now)

    def schedule_wake(self, customer: SimulatedCustomer, at: float) -> None:
        """Tick a client at this time, unless its deadline is another by then."""
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
            raise RuntimeError(f"the time stands still: {self!r}")

    def _on_arrival(self, arrival: Arrival) -> None:
        number, request_id = divmod(arrival.id, _REQUESTS_PER_CUSTOMER)
        customer = self.customers[number - 1]
        if not customer.is_alive:
            return
        if isinstance(arrival, HttpReply):
            customer.timeouts.pop(request_id, None)
            customer.receive(HttpReply(request_id, arrival.status, arrival.headers, arrival.body))
        elif arrival.kind != "lost":  # of what is lost nobody hears
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
