"""A customer who says what the center waits for, and a stage to see what the center tells."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from chatfsm import ChatSession, events
from chatfsm import effects as told
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


def said(text: str, msg_id: str = "1") -> dict[str, Any]:
    """The customer's text."""
    return {"event": "chat_session_message", "msg": text, "msg_id": msg_id}


@define
class PlayedScenario:
    """One play in virtual time, and all that it told."""

    play: ScenarioPlayer
    now: float = 0.0
    told: list[tuple[float, dict[str, Any]]] = field(factory=list)
    heard: list[tuple[float, dict[str, Any]]] = field(factory=list)
    both: list[tuple[float, dict[str, Any]]] = field(factory=list)
    """What the center and the customer said, in order."""

    def take(self, news: list[dict[str, Any]]) -> list[dict[str, Any]]:
        self.told += [(self.now, event) for event in news]
        self.both += [(self.now, event) for event in news]
        return news

    def begin(self) -> list[dict[str, Any]]:
        return self.take(self.play.start(now=self.now))

    def hear(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        own = {**event, "party_id": CHAT}
        self.heard.append((self.now, own))
        self.both.append((self.now, own))
        return self.take(self.play.receive(event, now=self.now))

    def until(self, now: float) -> list[dict[str, Any]]:
        """Wake the play whenever it wants, until `now`."""
        news: list[dict[str, Any]] = []
        while self.play.deadline is not None and self.play.deadline <= now:
            self.now = max(self.now, self.play.deadline)
            news += self.take(self.play.wake(now=self.now))
        self.now = now
        return news

    def run(self, answer: Callable[[Await], Mapping[str, Any] | None] | None = None) -> None:
        """Go on until nothing follows, with a customer who says what is awaited, if any."""
        while True:
            step = self.step
            reply = answer(step) if answer and isinstance(step, Await) else None
            if reply is not None:
                self.now += 1.0
                form = {"form_request_id": self.play._state.form_id} if "data" in reply else {}
                self.hear({**form, **reply})
            elif self.play.deadline is not None:
                self.until(self.play.deadline)
            else:
                return

    @property
    def step(self) -> ScenarioStep | None:
        """What the play is busy with."""
        program = self.play._state.remaining
        return program[0] if program else None

    @property
    def names(self) -> list[str]:
        return [shortly(event) for _, event in self.told]


def shortly(event: Mapping[str, Any]) -> str:
    """What an event is, in a word or two."""
    name = str(event["event"]).removeprefix("chat_session_")
    if name == "status":
        return " ".join(
            str(event[key]) for key in ("state", "ewt") if event.get(key) not in ("", None)
        )
    return name


def awaited(step: Await) -> dict[str, Any]:
    """What a willing customer says."""
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


def perform(*steps: ScenarioStep, pool: AgentPool | None = None, **more: Any) -> PlayedScenario:
    """Begin to play some steps."""
    scenario = Scenario("test", steps, **more)
    played = PlayedScenario(
        ScenarioPlayer(scenario, AgentPool([agent("Ada")]) if pool is None else pool, CHAT)
    )
    played.begin()
    return played


def heard_by_a_client(played: PlayedScenario) -> tuple[ChatSession, list[Any]]:
    """A session that hears all of a play, as a center would pass it on, and what it concludes."""
    session = ChatSession(CHAT)
    found: list[Any] = []
    number = 0
    for at, event in played.both:
        filled = {"timestamp": str(int(1_700_000_000 + at)), **event}
        if event["event"] in NUMBERED and "msg_id" not in event:
            filled["msg_id"], number = str(number), number + 2
        wire = json.loads(json.dumps(filled))
        found += session.receive(decode_item(wire), now=at)
    assert not [each for each in found if isinstance(each, (told.Anomaly, told.UnknownReceived))]
    assert not [each for _, each in played.told if isinstance(decode_item(each), events.Malformed)]
    return session, found
