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

__all__ = ["Customer", "Watch", "World"]

# A customer of a world: a client, what it has told, and the hand that kills and restores it.


class Customer:
    """One customer, whose process may die at any moment and go on from what it kept.

    What it keeps is a snapshot after each step, as the documentation of `ChatClient` asks for.
    """

    def __init__(self, world: World, number: int, client: ChatClient, endpoint: Endpoint) -> None:
        self.world = world
        self.number = number
        """Counts the customers of a world from 1."""
        self.endpoint = endpoint
        self.client = client
        self.told: list[ClientEffect] = []
        """All that was told, but requests, over all lives."""
        self.lives = 1
        self.ahead = 0.0
        """Seconds that the clock of this life is ahead of the world's."""
        self.asked: dict[int, float] = {}
        """When each request that was not answered yet times out, on the world's clock."""
        self.is_alive = True
        self.wake: float | None = None
        """When the client's deadline is, on the world's clock."""
        self.clock = self.now
        """The time that the client was told last."""
        self._kept: dict[str, Any] | None = None
        self.is_doomed = False
        """Whether it dies in its next step that has requests."""
        self._opening = RequestChat()
        """What it asked for a chat with, and asks with again."""
        self._opens_again: float | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.number}, life {self.lives}: {self.client!r}>"

    @property
    def now(self) -> float:
        """The time on this customer's clock."""
        return self.world.now + self.ahead

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
    def heard(self) -> list[str]:
        """The texts that others said, in the order of telling."""
        return [
            effect.message.text
            for effect in self.told
            if isinstance(effect, effects.MessageReceived) and not effect.message.own
        ]

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms that wait for an answer."""
        return () if self.client.session is None else self.client.session.forms

    def opens(
        self, call: RequestChat | None = None, *, again: float | None = 5.0
    ) -> list[ClientEffect]:
        """Ask for a chat; where that fails in passing, again after so many seconds."""
        self._opens_again = again
        self._opening = call or self._opening
        return self.receive(self._opening)

    def says(self, text: str) -> list[ClientEffect]:
        """Say something."""
        return self.receive(commands.SendText(text))

    def types(self) -> list[ClientEffect]:
        """Touch a key."""
        return self.receive(commands.StartTyping())

    def answers(self, request_id: str, answer: dict[str, Any]) -> list[ClientEffect]:
        """Answer a form that is open."""
        return self.receive(commands.SubmitForm(request_id, answer))

    def disconnects(self) -> list[ClientEffect]:
        """End the conversation; the scenario may go on."""
        return self.receive(commands.Disconnect())

    def ends(self) -> list[ClientEffect]:
        """End the session."""
        return self.receive(commands.End())

    def receive(self, item: ClientInput) -> list[ClientEffect]:
        """The client hears something; what follows, without the requests, which go out.

        Raises as `ChatClient.receive` does, and RuntimeError where nobody lives who could hear.
        """
        if not self.is_alive:
            raise RuntimeError(f"customer {self.number} is dead: restart it first")
        self.clock = max(self.clock, self.now)
        return self._hear(item)

    def ticks(self) -> None:
        """The deadline has come; the clock shows it, whatever the sums of clocks amount to."""
        deadline = self.client.deadline
        self.clock = max(self.clock, self.now, self.clock if deadline is None else deadline)
        self._hear(self.world.tick)

    def kill(self, *, before_sending: bool = False) -> None:
        """The process dies, and connections with it; what was sent may have arrived.

        `before_sending`: not now but in its next step that has requests, which never leave.
        """
        if before_sending:
            self.is_doomed = True
            return
        self.is_doomed = False
        self._kept = self.client.snapshot(now=self.clock)
        self._die()

    def restart(self, *, ahead: float | None = None) -> None:
        """Another process goes on from the snapshot, with a clock that shows something else."""
        if self.is_alive or self._kept is None:
            raise RuntimeError(f"customer {self.number} lives: kill it first")
        self.ahead = self.ahead if ahead is None else ahead
        self.clock = self.now
        self.client = ChatClient.restore(
            self._kept, self.endpoint, settings=self.client.settings, now=self.clock
        )
        self.is_alive, self._kept = True, None
        self.lives += 1
        self._plan()
        if self.client.session is None and self._opens_again is not None:
            self.opens(again=self._opens_again)

    def _hear(self, item: ClientInput) -> list[ClientEffect]:
        world = self.world
        effects_of_step = self.client.receive(item, now=self.clock)
        told: list[ClientEffect] = [e for e in effects_of_step if not isinstance(e, HttpRequest)]
        self.told += told
        if world.watch is not None:
            world.watch(self, item, effects_of_step)
        if self.is_doomed and len(told) < len(effects_of_step):
            self.kill()
            return told
        for effect in effects_of_step:
            if isinstance(effect, HttpRequest):
                world.send(self, effect)
            elif isinstance(effect, ApiFailed):
                self._open_again(effect)
        self._plan()
        return told

    def _open_again(self, refused: ApiFailed) -> None:
        if self._opens_again is None or not isinstance(refused.request, RequestChat):
            return
        if refused.error.transient:
            life = self.lives
            self.world.at(self.world.now + self._opens_again, lambda: self._reopen(life))

    def _reopen(self, life: int) -> None:
        if self.is_alive and self.lives == life and self.client.session is None:
            self.receive(self._opening)

    def _plan(self) -> None:
        """Have the world wake the client at its deadline."""
        deadline = self.client.deadline
        wake = None if deadline is None else max(self.world.now, deadline - self.ahead)
        if wake != self.wake:
            self.wake = wake
            if wake is not None:
                self.world.wake(self, wake)

    def _die(self) -> None:
        self.is_alive, self.wake = False, None
        asked, self.asked = self.asked, {}
        for request_id in asked:
            self.world.forget(self, request_id)


Watch = Callable[[Customer, ClientInput, list[ClientEffect]], None]
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
