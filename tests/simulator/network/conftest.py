"""Fixtures: a World with the echo scenario that checks the invariants of all its customers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatfsm._client.client import ClientInput
from chatfsm.client_effects import ClientEffect
from chatfsm.simulator.builtin_scenarios import AGENTS, FILE, SCENARIOS
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.tenants import AppEntry, Tenant
from chatfsm.simulator.world import SimulatedCustomer, World
from chatfsm.testing.invariants import ClientChecker


def world_of(faults: str = "", *, seed: int = 0, **settings: Any) -> World:
    """Return a World of one tenant that raises at the first broken invariant of a client."""
    entry = AppEntry(app_id="demo", scenario=SCENARIOS["echo"])
    tenant = Tenant(url="tenant.example", entries=(entry,), agents=AGENTS, files=(FILE,))
    center = ContactCenter([tenant], CenterSettings(**settings), seed=seed)
    watchers: dict[int, tuple[int, ClientChecker]] = {}

    def watch(customer: SimulatedCustomer, item: ClientInput, effects: list[ClientEffect]) -> None:
        lives, watcher = watchers.setdefault(customer.number, (1, ClientChecker()))
        if lives != customer.lives:
            watcher.on_restart()
            watchers[customer.number] = customer.lives, watcher
        watcher.check(item, effects, customer.client, now=customer.client_time)

    return World(center, faults=faults, seed=seed, on_step=watch)


@pytest.fixture(scope="session")
def worlds() -> Callable[..., World]:
    """Return a function that makes Worlds: `worlds("storm", seed=3)`."""
    return world_of
