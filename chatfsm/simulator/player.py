"""One scenario, played in one chat: told the time and what the customer says, it tells events."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from hashlib import blake2b
from itertools import pairwise
from typing import Any, Final

from attrs import Factory, define, field

from chatfsm._protocol import names as wire
from chatfsm._protocol.structuring import json_object
from chatfsm.simulator import scenario as s
from chatfsm.simulator.agent_pool import Agents, Caller
from chatfsm.simulator.echo_agent import answer_to, typed
from chatfsm.simulator.scenario import Scenario, Step
from chatfsm.simulator.tenants import Agent
from chatfsm.simulator.wire_events import joined, left, status

__all__ = ["Play", "Stage", "go_on", "hear"]


class Play:
    """What the center does in one chat.

    What is told are the wire's events, without a timestamp and a msg_id where the scenario does
    not fix them. What was due before `now` counts as done when it was due, so that it makes no
    difference how often somebody asks.
    """

    def __init__(self, scenario: Scenario, agents: Agents, chat_id: str) -> None:
        self._stage = Stage(scenario, agents, chat_id, caller=self)

    @property
    def deadline(self) -> float | None:
        """When to call `wake`; None: not before somebody says something, or an agent is free."""
        return self._stage.until

    @property
    def done(self) -> bool:
        """Whether nothing will follow, whatever happens."""
        stage = self._stage
        return stage.is_closed or (stage.is_over and not stage.program)

    def begin(self, *, now: float) -> list[dict[str, Any]]:
        """The customer is there."""
        self._stage.at = now
        return go_on(self._stage, now)

    def hear(self, event: Mapping[str, Any], *, now: float) -> list[dict[str, Any]]:
        """The customer has said something."""
        told = go_on(self._stage, now)
        hear(self._stage, event, now)
        return told + go_on(self._stage, now)

    def wake(self, *, now: float) -> list[dict[str, Any]]:
        """Time has passed, or the agents called."""
        return go_on(self._stage, now)

    def close(self, *, now: float) -> None:
        """The session is over: the agents are free for others. May be called again."""
        del now  # of the seam: an agent is free at once
        self._stage.close()


# What a play remembers: who is there, what is still to do, and what was heard meanwhile.

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


def _uuid(digest: str) -> str:
    """Sixteen bytes in hexadecimal as the wire writes the ids of parties."""
    cuts = (0, 8, 12, 16, 20, 32)
    return "-".join(digest[a:b] for a, b in pairwise(cuts)).upper()


# How each step is done: a function a kind of step, in a table.
#
# Each gives the steps that take its place: none when it is done, None when it has to wait.

_Follows = tuple[s.Step, ...] | None


def go_on(stage: Stage, now: float) -> list[dict[str, Any]]:
    """Do what can be done by `now`; returns what is told."""
    while stage.program:
        step = stage.program[0]
        if stage.began is None:
            stage.began = stage.at
        stage.until = None
        follows = _PERFORM[type(step)](stage, step, now)
        if follows is None:
            break
        if stage.program:
            stage.program.popleft()
        stage.program.extendleft(reversed(follows))
        stage.began = None
    else:
        stage.until = None
        _run_out(stage)
    told, stage.told = stage.told, []
    return told


def hear(stage: Stage, event: Mapping[str, Any], now: float) -> None:
    """Take in what the customer says."""
    if stage.is_closed or stage.is_over:
        return
    if event.get("event") == wire.DISCONNECT:
        _disconnect(stage, now)
    else:
        stage.heard.append((now, event))


def _disconnect(stage: Stage, now: float) -> None:
    """Go on after the step that awaits it; else with what the scenario has for that case."""
    stage.agents.leave(stage.caller)
    stage.until = stage.began = stage.estimate = None
    stage.at = now
    for party_id in [each for each in stage.held if each not in stage.present]:
        stage.dismiss(party_id)  # who was about to join
    steps = list(stage.program)
    awaiting = [n for n, step in enumerate(steps) if _awaits(step)]
    stage.program.clear()
    if awaiting:
        stage.program.extend(steps[awaiting[0] + 1 :])
        return
    for party_id in list(stage.present):
        stage.tell(left(party_id))
    if not stage.disconnected:
        stage.program.extend(stage.scenario.after_disconnect)
    stage.disconnected = True


def _awaits(step: s.Step) -> bool:
    return isinstance(step, s.Await) and wire.DISCONNECT in step.event


def _run_out(stage: Stage) -> None:
    """Who has disconnected, and was asked all that there is to ask, is gone."""
    if stage.disconnected and not stage.is_over and not stage.is_closed:
        stage.tell({"event": wire.ENDED})


def _tell(stage: Stage, step: s.Tell, _now: float) -> _Follows:
    stage.tell(step.event)
    return ()


def _pause(stage: Stage, step: s.Pause, now: float) -> _Follows:
    return () if _has_passed(stage, step.seconds, now) else None


def _has_passed(stage: Stage, seconds: float, now: float) -> bool:
    """Whether so much time has passed since the step was begun; else when it will have."""
    due = stage.since + seconds
    if now < due:
        stage.until = due
        return False
    stage.at = due
    return True


def _await(stage: Stage, step: s.Await, now: float) -> _Follows:
    for heard in stage.heard:
        at, event = heard
        if _is_meant(step, event):
            stage.heard.remove(heard)
            stage.at = max(stage.at, at)
            if step.known_as and isinstance(event.get("msg_id"), str):
                stage.names[step.known_as] = event["msg_id"]
            return ()
    if step.timeout is not None and _has_passed(stage, step.timeout, now):
        return ()
    return None


def _is_meant(step: s.Await, event: Mapping[str, Any]) -> bool:
    return event.get("event") in step.event and all(
        _found(event, name.split(".")) in (wanted if isinstance(wanted, list) else [wanted])
        for name, wanted in step.where.items()
    )


def _found(value: Any, names: list[str]) -> Any:
    """What an event holds; an object in it may be a JSON text of one, as in signaling."""
    for name in names:
        try:
            value = json_object(value).get(name)
        except ValueError:
            return None
    return value


def _say(_stage: Stage, step: s.Say, _now: float) -> _Follows:
    return typed(step.text, step.typing, f"${step.by}")


def _find_agent(stage: Stage, step: s.FindAgent, now: float) -> _Follows:
    if not stage.agents.has_others(stage.held) and stage.held:
        return ()  # whoever could come is here
    agent = stage.agents.ask(stage.caller, stage.held)
    if agent is not None:
        if stage.estimate is not None:
            stage.at = max(stage.at, now)
            stage.estimate = None
        stage.held[agent.party_id] = agent
        return (
            s.Tell(status("connecting")),
            s.Pause(step.ring),
            s.Tell(joined(agent)),
            s.Tell(status("connected")),
        )
    estimate = stage.agents.wait_of(stage.caller)
    if estimate != stage.estimate:
        stage.estimate = estimate
        stage.tell(status("queued", str(estimate)))
    if step.patience is not None and _has_passed(stage, step.patience, now):
        stage.agents.leave(stage.caller)
        stage.estimate = None
        return (s.End("failed"),)
    return None


def _agent_leaves(stage: Stage, _step: s.AgentLeaves, _now: float) -> _Follows:
    if stage.present:
        stage.tell(left(stage.present[0]))
    return ()


def _show_form(stage: Stage, step: s.ShowForm, _now: float) -> _Follows:
    stage.forms += 1
    stage.tell(
        {
            "event": wire.FORM_SHOW,
            "form_request_id": stage.form_id,
            "form_name": step.name,
            "form_timeout": f"{step.timeout:g}",
        }
    )
    return ()


def _show_secure_form(stage: Stage, step: s.ShowSecureForm, _now: float) -> _Follows:
    stage.forms += 1
    stage.tell(
        {
            "event": wire.SECURE_FORM_SHOW,
            "form_request_id": stage.form_id,
            "form_id": step.form_id,
        }
    )
    return ()


def _converse(stage: Stage, step: s.Converse, _now: float) -> _Follows:
    if not stage.heard:
        return None
    at, event = stage.heard.popleft()
    stage.at = max(stage.at, at)
    return (*answer_to(event, step.typing), step)


_ENDS: Final[dict[str, dict[str, Any]]] = {
    "ended": {"event": wire.ENDED},
    "failed": {"event": wire.STATUS, "state": "failed"},
    "timed_out": {"event": wire.INACTIVITY_TIMEOUT},
}


def _end(stage: Stage, step: s.End, _now: float) -> _Follows:
    stage.tell(_ENDS[step.how] | ({"msg": step.msg} if step.msg else {}))
    stage.program.clear()
    return ()


_PERFORM: Final[dict[type, Callable[[Stage, Any, float], _Follows]]] = {
    s.Tell: _tell,
    s.Pause: _pause,
    s.Await: _await,
    s.Say: _say,
    s.FindAgent: _find_agent,
    s.AgentLeaves: _agent_leaves,
    s.ShowForm: _show_form,
    s.ShowSecureForm: _show_secure_form,
    s.Converse: _converse,
    s.End: _end,
}
