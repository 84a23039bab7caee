"""Weeks of simulated chats as logs: `python -m tests.replay.simulated_weeks FOLDER`.

The same customers come in each week, at the same times; the weeks differ in the number of agents.
Compare them with `chatfsm diff --metrics FOLDER/a.jsonl FOLDER/b.jsonl`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import mean, median
from typing import Any

from chatfsm import effects
from chatfsm.client_effects import ClientEffect
from chatfsm.simulator.builtin_scenarios import builtin_agents
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.scenario import (
    AgentLeaves,
    Await,
    EndSession,
    FindAgent,
    Pause,
    Say,
    Scenario,
)
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.tenants import AppEntry, Tenant
from chatfsm.simulator.world import SimulatedCustomer, World

DAYS = 7
MONDAY = 1_767_600_000.0  # 2026-01-05, 08:00 UTC
_DAY = 86_400.0
# The chats of a day begin within these seconds.
_OPEN = 2 * 3_600.0
_TEXT = Await("chat_session_message", timeout=120.0)


def scenario(name: str, questions: int) -> Scenario:
    """A scenario: an agent answers some questions, each after a look-up, and leaves."""
    answers = [step for n in range(questions) for step in (_TEXT, Pause(20.0), Say(f"{n}", 15.0))]
    steps = (FindAgent(ring=2.0), Pause(5.0), Say("Hello", 3.0), *answers)
    return Scenario(name, (*steps, AgentLeaves(), EndSession()))


SCENARIOS = (scenario("short", 2), scenario("usual", 5), scenario("long", 9))


def write_week(
    path: Path, chats: int, *, agents: int, monday: float = MONDAY, days: int = DAYS
) -> None:
    """Write the log of a week of chats, with the real times of the events."""
    random = Random(7)
    tenant = Tenant(
        url="tenant.example",
        entries=tuple(AppEntry(app_id=each.name, scenario=each) for each in SCENARIOS),
        agents=builtin_agents(agents, 1),
    )
    with path.open("w", encoding="utf-8") as log:
        center = ContactCenter([tenant], CenterSettings(started_at=monday), seed=int(monday))

        def write(chat_id: str, event: dict[str, Any]) -> None:
            line = {"chat_id": chat_id, "received_at": round(monday + world.now, 3), **event}
            log.write(f"{json.dumps(line)}\n")

        center.on_event = write
        world = World(
            center,
            seed=7,
            on_step=lambda customer, _item, client_effects: react(customer, client_effects),
        )
        react = _reactions(world, random.getrandbits(32))
        for number in range(chats):
            day, at = number % days, random.uniform(0, _OPEN)
            app_id = random.choice(SCENARIOS).name
            world.call_at(day * _DAY + at, _arrival(world, number, app_id, random.uniform(60, 600)))
        world.run(days * _DAY)


def _arrival(world: World, number: int, app_id: str, patience: float) -> Callable[[], object]:
    """A customer who opens a chat and ends it if no agent has come within `patience` seconds."""

    def arrive() -> None:
        customer = world.add_customer(f"client-{number}", app_id=app_id)
        customer.open_chat()
        world.call_at(world.now + patience, lambda: give_up(customer))

    def give_up(customer: SimulatedCustomer) -> None:
        if not customer.done and not customer.received_texts:
            customer.end()

    return arrive


def _reactions(world: World, seed: int) -> Callable[[SimulatedCustomer, list[ClientEffect]], None]:
    """Customers answer each text after a delay, which is the same in every week."""

    def react(customer: SimulatedCustomer, client_effects: list[ClientEffect]) -> None:
        for effect in client_effects:
            if isinstance(effect, effects.MessageReceived) and not effect.message.own:
                texts = len(customer.received_texts)
                pause = Random(f"{seed} {customer.number} {texts}").uniform(5, 40)
                world.call_at(world.now + pause, lambda: answer(customer))

    def answer(customer: SimulatedCustomer) -> None:
        if not customer.done:
            customer.send_text("And then?")

    return react


def count_by_hand(path: Path) -> dict[str, float]:
    """The main figures of a week, computed from the lines of its log only."""
    chats: dict[str, list[dict[str, Any]]] = {}
    for line in path.read_text("utf-8").splitlines():
        event = json.loads(line)
        chats.setdefault(event["chat_id"], []).append(event)
    waits, answered_waits, handled, firsts = [], [], [], []
    for events in chats.values():
        at = {}
        for event in events:
            key = event.get("state") or event["event"].removeprefix("chat_session_")
            if key == "message" and event.get("party_id", "").lower() == event["chat_id"].lower():
                key = "question"
            at.setdefault(key, event["received_at"])
        end = at["ended"]
        waits.append(at.get("connected", end) - at.get("queued", at.get("connecting", end)))
        if "connected" in at:
            answered_waits.append(waits[-1])
            handled.append(at.get("party_left", end) - at["party_joined"])
            if "message" in at:  # the customer may leave before an agent joins
                firsts.append(at["message"] - max(at["connected"], at["party_joined"]))
    answered, total = len(answered_waits), len(chats)
    return {
        "chats": total,
        "answered": answered,
        "abandoned": total - answered,
        "abandonment_rate": (total - answered) / total,
        "asa_seconds": mean(answered_waits),
        "aht_seconds": mean(handled),
        "service_level": sum(wait <= 20 for wait in answered_waits) / total,
        "queue_seconds_median": median(waits),
        "first_response_seconds_median": median(firsts),
    }


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, agents, monday in (("a", 3, MONDAY), ("b", 2, MONDAY + DAYS * _DAY)):
        write_week(folder / f"{name}.jsonl", 250, agents=agents, monday=monday)
        print(name, json.dumps(count_by_hand(folder / f"{name}.jsonl"), indent=1))
