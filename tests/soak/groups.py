"""A group of chats that share a world: with faults, then without, then the end, with checks."""

from __future__ import annotations

import traceback
from collections import Counter
from typing import Any

from attrs import define, field

from chatfsm._client.client import ClientInput
from chatfsm.client_effects import ClientEffect
from chatfsm.settings import ClientSettings
from chatfsm.simulator.builtin_scenarios import FILE
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.faults import Faults
from chatfsm.simulator.scenario import Converse, FindAgent, Say, Scenario, ShowForm
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.tenants import Agent, AppEntry, Tenant
from chatfsm.simulator.world import SimulatedCustomer, World
from chatfsm.testing.invariants import ClientChecker, check_restore
from tests.soak.participants import Chat
from tests.soak.seeded_random import SeededRandom

SCENARIO = Scenario(
    "soak",
    (
        Say("Welcome.", by="scenario"),
        FindAgent(),
        Say("Hello.", typing=1.0),
        ShowForm("survey"),
        Converse(typing=0.5),
    ),
)
AGENTS = tuple(Agent(party_id=f"A{n}", display_name=f"Agent {n}", capacity=8) for n in range(4))
# Faults that may each end a session, beside those of the command line.
LASTING = (
    "404/5005:0.002,404:0.001,401:0.002,403/3000:0.002,400/5003:post:0.02,403:history:0.01,"
    "400:open:0.05,400/5006:open:0.02"
)
# Faults that no client can handle: requests arrive after their timeout, and a cache repeats old
# histories.
OPAQUE = "late=40:0.01,duplicate:history:0.1"
# Seconds after which late requests have arrived and can be counted.
LATEST = 45.0
# The outages of a soak pass, so the client must never give up a message.
SETTINGS = ClientSettings(max_attempts=1_000_000)
# The timeout of an upload whose reply was lost last, and four polls that are held for as long as
# they may be.
CALM = 360.0


@define
class Outcome:
    """The results of a group, in figures."""

    group: int
    chats: int = 0
    events: int = 0
    effects: int = 0
    requests: int = 0
    lives: int = 0
    seconds: float = 0.0
    """Seconds of virtual time."""
    faults: Counter[str] = field(factory=Counter)
    ends: Counter[str] = field(factory=Counter)
    violations: list[str] = field(factory=list)


class ViolationError(AssertionError):
    """A step of a client broke an invariant."""


def center_settings(rng: SeededRandom) -> CenterSettings:
    """Return random settings of a center that ends no chat by itself."""
    return CenterSettings(
        inactivity_timeout=1e6,
        poll_timeout=1e6,
        hold=rng.choice((5.0, 15.0)),
        milliseconds=rng.random() < 0.3,
        flags_as_text=rng.random() < 0.3,
        busy_with_429=rng.random() < 0.5,
        notices_aborts=rng.random() < 0.3,
        signals_in_history=rng.random() < 0.7,
        history_after_end=rng.random() < 0.5,
    )


class Group:
    """Chats with the same faults.

    `lasting` adds faults that end sessions. `opaque` adds faults that no client can handle: copies
    may arrive and events may be lost; every other error is a violation.
    """

    def __init__(  # noqa: PLR0913  # the options of a group
        self, seed: int, number: int, chats: int, faults: str, *, lasting: bool, opaque: bool
    ) -> None:
        self.lasting = lasting
        self.opaque = opaque
        self.outcome = Outcome(number, chats)
        more = (LASTING if lasting else "", OPAQUE if opaque else "")
        spec = ",".join(part for part in (*more, faults) if part)
        rng = SeededRandom(seed, number)
        entry = AppEntry(app_id="demo", scenario=SCENARIO)
        tenant = Tenant(url="tenant.example", entries=(entry,), agents=AGENTS, files=(FILE,))
        self.center = ContactCenter(
            [tenant], center_settings(rng), seed=number, on_event=self.count_event
        )
        self.world = World(
            self.center,
            faults=Faults.parse(spec),
            seed=int(rng.random() * 2**53),
            on_step=self.check_step,
        )
        self.watchers = [ClientChecker() for _ in range(chats)]
        self.lives = [1] * chats
        self.rng = SeededRandom(seed, number, "cuts")
        self.chats = [
            Chat(self.world, self.center, f"customer-{name}", SeededRandom(seed, number, name))
            for name in range(1, chats + 1)
        ]
        for chat in self.chats:
            chat.customer.client.settings = SETTINGS

    def count_event(self, _chat_id: str, _event: dict[str, Any]) -> None:
        self.outcome.events += 1

    def check_step(
        self, customer: SimulatedCustomer, item: ClientInput, returned: list[ClientEffect]
    ) -> None:
        """Check each step of each client."""
        place = customer.number - 1
        watcher = self.watchers[place]
        if self.lives[place] != customer.lives:
            self.lives[place] = customer.lives
            watcher.on_restart()
        try:
            now = customer.client_time
            watcher.check(item, returned, customer.client, now=now)
            if customer.session is not None and self.rng.random() < 0.01:
                check_restore(customer.session, now=now)
        except AssertionError as error:
            raise ViolationError(f"chat {customer.number}: {error}") from error
        self.outcome.effects += len(returned)
        self.chats[place].react(returned)

    def run(self, seconds: float) -> Outcome:
        """Run with faults for so many seconds, then without, then to the end."""
        outcome = self.outcome
        try:
            for chat in self.chats:
                chat.start(seconds)
            self.world.run(seconds)
            self.settle()
            self.check_chats()
            self.end_chats()
        except Exception as error:  # noqa: BLE001  # any exception is a violation
            where = traceback.extract_tb(error.__traceback__)[-1]
            place = "" if isinstance(error, AssertionError) else f", in {where.name}"
            outcome.violations.append(f"{type(error).__name__}: {error}{place}")
        outcome.requests = self.world.network.request_count
        outcome.faults = self.world.network.fault_counts
        outcome.lives = sum(chat.customer.lives for chat in self.chats)
        outcome.seconds = self.world.now
        return outcome

    def settle(self) -> None:
        """Run without faults until all messages are known to have arrived."""
        self.world.network.faults = Faults()
        if self.opaque:
            self.world.run(LATEST)
        until = self.world.now + CALM
        waiting = self.chats
        while waiting and self.world.now < until:
            # Not a period of a poll, or the same replies would be in flight each time.
            self.world.run(1.7)
            # Check all chats, because an agent may write in one that was settled.
            waiting = [chat for chat in self.chats if not self.is_settled(chat)]
        names = [chat.customer for chat in waiting]
        assert not waiting, f"not settled after {CALM:g} s: {names}"

    def is_settled(self, chat: Chat) -> bool:
        customer = chat.customer
        if customer.dies_before_sending:
            return False
        if customer.done or (self.lasting and customer.session is None and customer.is_alive):
            return True
        kept = self.center.chats.get(customer.chat_id)
        if kept is None:
            return False
        return chat.ledger.is_settled(customer, kept)

    def check_chats(self) -> None:
        """Check each chat after the time without faults."""
        for chat in self.chats:
            customer = chat.customer
            kept = self.center.chats.get(customer.chat_id)
            try:
                if self.lasting:
                    chat.ledger.check_fates(customer, kept)
                elif self.opaque:
                    assert kept is not None, "there is no chat"
                    assert not customer.done, f"over: {customer.session}"
                    chat.ledger.check_beside_copies(customer, kept)
                else:
                    assert kept is not None, "there is no chat"
                    assert not customer.done, f"over: {customer.session}"
                    chat.ledger.check_all(customer, kept)
                    # A history has whole seconds: of a join and a leave in one, the leave counts.
                    is_exact = self.center.settings.milliseconds
                    if is_exact and not self.world.network.fault_counts["jump"]:
                        chat.ledger.check_roster(customer, kept)
            except AssertionError as error:
                raise ViolationError(f"chat {customer.number}: {error}") from error

    def end_chats(self) -> None:
        """End the open chats, and check that each end is reported once, with its reason."""
        for chat in self.chats:
            customer = chat.customer
            if customer.session is not None and not customer.done:
                customer.end()
        self.world.run(60.0)
        for chat in self.chats:
            customer = chat.customer
            if customer.session is None and self.lasting:
                self.outcome.ends["never opened"] += 1
                continue
            try:
                chat.ledger.check_end(customer)
            except AssertionError as error:
                raise ViolationError(f"chat {customer.number}: {error}") from error
            assert customer.session is not None
            self.outcome.ends[str(customer.session.outcome)] += 1
