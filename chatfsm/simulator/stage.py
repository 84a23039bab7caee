"""What a play remembers: who is there, what is still to do, and what was heard meanwhile."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Final

from attrs import Factory, define, field

from chatfsm.simulator import wire
from chatfsm.simulator.agents import Agents, Caller
from chatfsm.simulator.scenario import Scenario
from chatfsm.simulator.steps import Step
from chatfsm.simulator.tenants import Agent

__all__ = ["Stage", "joined", "left", "message", "status"]

# What the customer says while no step listens is kept for those that will; more than anybody says
# in the meantime, and of a flood the latest.
_HEARD: Final = 256
_OVER: Final = (
    wire.ENDED,
    wire.INACTIVITY_TIMEOUT,
    wire.MISSPELLED_TIMEOUT,  # as the specification prints it
)


@define(eq=False)
class Stage:
    """One chat's play, as it stands."""

    scenario: Scenario
    agents: Agents
    chat_id: str
    caller: Caller
    """Who is called when an agent has become free."""
    program: deque[Step] = field(default=Factory(lambda self: deque(self.scenario.steps), True))
    """What is still to do; of the first step some may be done."""
    at: float = 0.0
    """Up to when all is done."""
    began: float | None = None
    """When the first step was begun."""
    until: float | None = None
    """When the first step goes on by itself."""
    heard: deque[tuple[float, Mapping[str, Any]]] = field(factory=lambda: deque(maxlen=_HEARD))
    """What the customer said that no step has taken, and when."""
    told: list[dict[str, Any]] = field(factory=list)
    """What is to be told now."""
    held: dict[str, Agent] = field(factory=dict)
    """The agents of the pool who are busy with this chat, the first to come first."""
    present: list[str] = field(factory=list)
    """Which of them have joined, in order."""
    forms: int = 0
    """How many forms were shown."""
    estimate: int | None = None
    """The seconds of waiting that the customer was told of."""
    names: dict[str, str] = field(factory=dict)
    """What the scenario calls a message of the customer's: the id that it really has."""
    disconnected: bool = False
    is_over: bool = False
    is_closed: bool = False

    @property
    def since(self) -> float:
        """When the first step was begun."""
        return self.at if self.began is None else self.began

    @property
    def agent_id(self) -> str:
        """The agent who joined last and is still there; else who speaks for the scenario."""
        return self.present[-1] if self.present else self.scenario_id

    @property
    def scenario_id(self) -> str:
        """The party that the scenario itself is."""
        digest = blake2b(self.scenario.name.encode(), digest_size=16, person=b"scenario")
        return _uuid(digest.hexdigest())

    @property
    def form_id(self) -> str:
        """The id of the form that was shown last."""
        return str(self.forms)

    def tell(self, event: Mapping[str, Any]) -> None:
        """An event happens, with the ids of this chat in it."""
        told = self._here(event)
        self.told.append(told)
        name, party_id = told["event"], told.get("party_id")
        if name == wire.PARTY_JOINED and party_id in self.held:
            self.present.append(party_id)
        elif name == wire.PARTY_LEFT and party_id in self.present:
            self.present.remove(party_id)
            self.dismiss(party_id)
        elif name in _OVER or (name == wire.STATUS and told.get("state") == "failed"):
            self.is_over = True

    def dismiss(self, party_id: str) -> None:
        """An agent is done with this chat, and free for others."""
        self.agents.release(self.held.pop(party_id))

    def close(self) -> None:
        """Nothing follows any more; whoever was busy with this chat is free."""
        self.is_closed = True
        self.until = None
        self.program.clear()
        self.heard.clear()
        self.agents.leave(self.caller)
        for party_id in list(self.held):
            self.dismiss(party_id)

    def _here(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The event with what is known only here in place of what stands for it."""
        return {name: self._value(name, value) for name, value in event.items()}

    def _value(self, name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {inner: self._value(inner, held) for inner, held in value.items()}
        if isinstance(value, list):
            return [self._value(name, held) for held in value]
        if isinstance(value, str) and name.endswith("_id"):
            return self._id(name, value)
        return value

    def _id(self, name: str, value: str) -> str:
        stands_for = {
            "$chat": self.chat_id,
            "$agent": self.agent_id,
            "$scenario": self.scenario_id,
            "$form": self.form_id,
        }
        if value in stands_for:
            return stands_for[value]
        if name == "ref_msg_id" and value in self.names:
            return self.names[value]
        recorded = self.scenario.chat_id
        # The documented msg_id is chatId:messageNumber (PROTOCOL.md §3).
        whose, colon, number = value.partition(":")
        if recorded and whose.lower() == recorded.lower():
            return f"{self.chat_id}{colon}{number}"
        return value


def status(state: str, ewt: str = "0") -> dict[str, Any]:
    """The session's state, and the seconds to wait as the wire has them: a text."""
    return {"event": wire.STATUS, "state": state, "ewt": ewt}


def joined(agent: Agent) -> dict[str, Any]:
    """An agent joins."""
    return {
        "event": wire.PARTY_JOINED,
        "party_id": agent.party_id,
        "display_name": agent.display_name,
        "first_name": agent.first_name,
        "last_name": agent.last_name,
        "type": "internal",
    }


def left(party_id: str) -> dict[str, Any]:
    """An agent leaves."""
    return {"event": wire.PARTY_LEFT, "party_id": party_id, "type": "internal"}


def message(text: str, party_id: str = "$agent") -> dict[str, Any]:
    """Somebody of the center says something."""
    return {"event": wire.MESSAGE, "channel": "web", "msg": text, "party_id": party_id}


def _uuid(digest: str) -> str:
    """Sixteen bytes in hexadecimal as the wire writes the ids of parties."""
    cuts = (0, 8, 12, 16, 20, 32)
    return "-".join(digest[a:b] for a, b in pairwise(cuts)).upper()
