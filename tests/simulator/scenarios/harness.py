"""A test harness: plays scenarios in virtual time with a scripted customer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from chatfsm import ChatSession, events
from chatfsm import effects as effect_types
from chatfsm._protocol.codec import decode_item
from chatfsm.simulator.agent_pool import AgentPool
from chatfsm.simulator.player import ScenarioPlayer
from chatfsm.simulator.scenario import Await, Scenario, ScenarioStep
from chatfsm.simulator.tenants import Agent

CHAT = "5f0c2d4e-9a1b-4c3d-8e7f-102938475610"
NUMBERED = {
    *("chat_session_message", "chat_session_signaling", "chat_session_file"),
    "chat_session_location",
}


def agent(name: str, capacity: int = 1) -> Agent:
    return Agent(party_id=f"ID-{name}", display_name=name, first_name=name, capacity=capacity)


def customer_text(text: str, msg_id: str = "1") -> dict[str, Any]:
    """Return a text message of the customer."""
    return {"event": "chat_session_message", "msg": text, "msg_id": msg_id}


@define
class PlayedScenario:
    """One player in virtual time, and the events that it sent and received."""

    player: ScenarioPlayer
    now: float = 0.0
    sent: list[tuple[float, dict[str, Any]]] = field(factory=list)
    received: list[tuple[float, dict[str, Any]]] = field(factory=list)
    both: list[tuple[float, dict[str, Any]]] = field(factory=list)
    """All events of the center and of the customer, in order."""

    def record(self, news: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.sent += [(self.now, event) for event in news]
        self.both += [(self.now, event) for event in news]
        return news

    def begin(self) -> list[dict[str, Any]]:
        return self.record(self.player.start(now=self.now))

    def receive(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        own = {**event, "party_id": CHAT}
        self.received.append((self.now, own))
        self.both.append((self.now, own))
        return self.record(self.player.receive(event, now=self.now))

    def until(self, now: float) -> list[dict[str, Any]]:
        """Wake the player at each of its deadlines until `now`."""
        news: list[dict[str, Any]] = []
        while self.player.deadline is not None and self.player.deadline <= now:
            self.now = max(self.now, self.player.deadline)
            news += self.record(self.player.wake(now=self.now))
        self.now = now
        return news

    def run(self, answer: Callable[[Await], Mapping[str, Any] | None] | None = None) -> None:
        """Go on until no deadline is left.

        `answer` gives the customer's reply to a step, or None.
        """
        while True:
            step = self.step
            reply = answer(step) if answer and isinstance(step, Await) else None
            if reply is not None:
                self.now += 1.0
                form = {"form_request_id": self.player._state.form_id} if "data" in reply else {}
                self.receive({**form, **reply})
            elif self.player.deadline is not None:
                self.until(self.player.deadline)
            else:
                return

    @property
    def step(self) -> ScenarioStep | None:
        """Return the current step of the player."""
        program = self.player._state.remaining
        return program[0] if program else None

    @property
    def names(self) -> list[str]:
        return [short_name(event) for _, event in self.sent]


def short_name(event: Mapping[str, Any]) -> str:
    """Return the name of an event, or the state and estimate of a status."""
    name = str(event["event"]).removeprefix("chat_session_")
    if name == "status":
        return " ".join(
            str(event[key]) for key in ("state", "ewt") if event.get(key) not in ("", None)
        )
    return name


def answer_to(step: Await) -> dict[str, Any]:
    """Return an event that satisfies the step."""
    event: dict[str, Any] = {"event": step.event[0]}
    for name, wanted in step.where.items():
        value = wanted[0] if isinstance(wanted, list) else wanted
        outer, _, inner = name.partition(".")
        event[outer] = {inner: value} if inner else value
    if step.event[0] in NUMBERED:
        event["msg_id"] = step.known_as or "1"
    if step.event[0] == "chat_session_message":
        event["msg"] = "As you like"
    if step.event[0] == "chat_session_file":
        event |= {"file_id": "F-1", "file_type": "image", "file_name": "teapot"}
    if step.event[0].endswith("form_data"):
        event |= {"form_name": "contact", "data": {"colour": "blue"}}
    return event


def start(*steps: ScenarioStep, pool: AgentPool | None = None, **more: Any) -> PlayedScenario:
    """Start a player with these steps."""
    scenario = Scenario("test", steps, **more)
    played = PlayedScenario(
        ScenarioPlayer(scenario, AgentPool([agent("Ada")]) if pool is None else pool, CHAT)
    )
    played.begin()
    return played


def observe_with_a_session(played: PlayedScenario) -> tuple[ChatSession, list[Any]]:
    """Feed all events of a play to a session, in wire format; return it and its effects."""
    session = ChatSession(CHAT)
    found: list[Any] = []
    number = 0
    for at, event in played.both:
        filled = {"timestamp": str(int(1_700_000_000 + at)), **event}
        if event["event"] in NUMBERED and "msg_id" not in event:
            filled["msg_id"], number = str(number), number + 2
        wire = json.loads(json.dumps(filled))
        found += session.receive(decode_item(wire), now=at)
    assert not [
        each
        for each in found
        if isinstance(each, (effect_types.Anomaly, effect_types.UnknownReceived))
    ]
    assert not [each for _, each in played.sent if isinstance(decode_item(each), events.Malformed)]
    return session, found
