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
from chatfsm.simulator.agent_pool import AgentPool, Waiter
from chatfsm.simulator.echo_agent import answer_steps, type_and_say
from chatfsm.simulator.scenario import Scenario, ScenarioStep
from chatfsm.simulator.tenants import Agent
from chatfsm.simulator.wire_events import agent_joined, agent_left, status

__all__ = ["PlayerState", "ScenarioPlayer", "receive", "run"]


class ScenarioPlayer:
    """What the center does in one chat.

    What is told are the wire's events, without a timestamp and a msg_id where the scenario does
    not fix them. What was due before `now` counts as done when it was due, so that it makes no
    difference how often somebody asks.
    """

    def __init__(self, scenario: Scenario, agents: AgentPool, chat_id: str) -> None:
        self._state = PlayerState(scenario, agents, chat_id, waiter=self)

    @property
    def deadline(self) -> float | None:
        """When to call `wake`; None: not before somebody says something, or an agent is free."""
        return self._state.deadline

    @property
    def done(self) -> bool:
        """Whether nothing will follow, whatever happens."""
        stage = self._state
        return stage.is_closed or (stage.is_over and not stage.remaining)

    def start(self, *, now: float) -> list[dict[str, Any]]:
        """The customer is there."""
        self._state.time = now
        return run(self._state, now)

    def receive(self, event: Mapping[str, Any], *, now: float) -> list[dict[str, Any]]:
        """The customer has said something."""
        told = run(self._state, now)
        receive(self._state, event, now)
        return told + run(self._state, now)

    def wake(self, *, now: float) -> list[dict[str, Any]]:
        """Time has passed, or the agents called."""
        return run(self._state, now)

    def close(self, *, now: float) -> None:
        """The session is over: the agents are free for others. May be called again."""
        del now  # of the seam: an agent is free at once
        self._state.close()


# What a play remembers: who is there, what is still to do, and what was heard meanwhile.

# What the customer says while no step listens is kept for those that will; more than anybody says
# in the meantime, and of a flood the latest.
_MAX_UNCONSUMED: Final = 256
_END_EVENTS: Final = (
    wire.ENDED,
    wire.INACTIVITY_TIMEOUT,
    wire.MISSPELLED_TIMEOUT,  # as the specification prints it
)


@define(eq=False)
class PlayerState:
    """One chat's play, as it stands."""

    scenario: Scenario
    agent_pool: AgentPool
    chat_id: str
    waiter: Waiter
    """Who is called when an agent has become free."""
    remaining: deque[ScenarioStep] = field(
        default=Factory(lambda self: deque(self.scenario.steps), True)
    )
    """What is still to do; of the first step some may be done."""
    time: float = 0.0
    """Up to when all is done."""
    step_began_at: float | None = None
    """When the first step was begun."""
    deadline: float | None = None
    """When the first step goes on by itself."""
    unconsumed: deque[tuple[float, Mapping[str, Any]]] = field(
        factory=lambda: deque(maxlen=_MAX_UNCONSUMED)
    )
    """What the customer said that no step has taken, and when."""
    output: list[dict[str, Any]] = field(factory=list)
    """What is to be told now."""
    reserved: dict[str, Agent] = field(factory=dict)
    """The agents of the pool who are busy with this chat, the first to come first."""
    joined: list[str] = field(factory=list)
    """Which of them have joined, in order."""
    form_count: int = 0
    """How many forms were shown."""
    estimated_wait: int | None = None
    """The seconds of waiting that the customer was told of."""
    msg_ids: dict[str, str] = field(factory=dict)
    """What the scenario calls a message of the customer's: the id that it really has."""
    is_disconnected: bool = False
    is_over: bool = False
    is_closed: bool = False

    @property
    def step_start(self) -> float:
        """When the first step was begun."""
        return self.time if self.step_began_at is None else self.step_began_at

    @property
    def agent_id(self) -> str:
        """The agent who joined last and is still there; else who speaks for the scenario."""
        return self.joined[-1] if self.joined else self.scenario_id

    @property
    def scenario_id(self) -> str:
        """The party that the scenario itself is."""
        digest = blake2b(self.scenario.name.encode(), digest_size=16, person=b"scenario")
        return _format_party_id(digest.hexdigest())

    @property
    def form_id(self) -> str:
        """The id of the form that was shown last."""
        return str(self.form_count)

    def emit(self, event: Mapping[str, Any]) -> None:
        """An event happens, with the ids of this chat in it."""
        told = self._with_ids(event)
        self.output.append(told)
        name, party_id = told["event"], told.get("party_id")
        if name == wire.PARTY_JOINED and party_id in self.reserved:
            self.joined.append(party_id)
        elif name == wire.PARTY_LEFT and party_id in self.joined:
            self.joined.remove(party_id)
            self.release_agent(party_id)
        elif name in _END_EVENTS or (name == wire.STATUS and told.get("state") == "failed"):
            self.is_over = True

    def release_agent(self, party_id: str) -> None:
        """An agent is done with this chat, and free for others."""
        self.agent_pool.release(self.reserved.pop(party_id))

    def close(self) -> None:
        """Nothing follows any more; whoever was busy with this chat is free."""
        self.is_closed = True
        self.deadline = None
        self.remaining.clear()
        self.unconsumed.clear()
        self.agent_pool.withdraw(self.waiter)
        for party_id in list(self.reserved):
            self.release_agent(party_id)

    def _with_ids(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """The event with what is known only here in place of what stands for it."""
        return {name: self._value_with_ids(name, value) for name, value in event.items()}

    def _value_with_ids(self, name: str, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {inner: self._value_with_ids(inner, held) for inner, held in value.items()}
        if isinstance(value, list):
            return [self._value_with_ids(name, held) for held in value]
        if isinstance(value, str) and name.endswith("_id"):
            return self._actual_id(name, value)
        return value

    def _actual_id(self, name: str, value: str) -> str:
        stands_for = {
            "$chat": self.chat_id,
            "$agent": self.agent_id,
            "$scenario": self.scenario_id,
            "$form": self.form_id,
        }
        if value in stands_for:
            return stands_for[value]
        if name == "ref_msg_id" and value in self.msg_ids:
            return self.msg_ids[value]
        recorded = self.scenario.chat_id
        # The documented msg_id is chatId:messageNumber (PROTOCOL.md §3).
        whose, colon, number = value.partition(":")
        if recorded and whose.lower() == recorded.lower():
            return f"{self.chat_id}{colon}{number}"
        return value


def _format_party_id(digest: str) -> str:
    """Sixteen bytes in hexadecimal as the wire writes the ids of parties."""
    cuts = (0, 8, 12, 16, 20, 32)
    return "-".join(digest[a:b] for a, b in pairwise(cuts)).upper()


# How each step is done: a function a kind of step, in a table.
#
# Each gives the steps that take its place: none when it is done, None when it has to wait.

_Replacement = tuple[s.ScenarioStep, ...] | None


def run(stage: PlayerState, now: float) -> list[dict[str, Any]]:
    """Do what can be done by `now`; returns what is told."""
    while stage.remaining:
        step = stage.remaining[0]
        if stage.step_began_at is None:
            stage.step_began_at = stage.time
        stage.deadline = None
        follows = _STEP_HANDLERS[type(step)](stage, step, now)
        if follows is None:
            break
        if stage.remaining:
            stage.remaining.popleft()
        stage.remaining.extendleft(reversed(follows))
        stage.step_began_at = None
    else:
        stage.deadline = None
        _after_last_step(stage)
    told, stage.output = stage.output, []
    return told


def receive(stage: PlayerState, event: Mapping[str, Any], now: float) -> None:
    """Take in what the customer says."""
    if stage.is_closed or stage.is_over:
        return
    if event.get("event") == wire.DISCONNECT:
        _disconnect(stage, now)
    else:
        stage.unconsumed.append((now, event))


def _disconnect(stage: PlayerState, now: float) -> None:
    """Go on after the step that awaits it; else with what the scenario has for that case."""
    stage.agent_pool.withdraw(stage.waiter)
    stage.deadline = stage.step_began_at = stage.estimated_wait = None
    stage.time = now
    for party_id in [each for each in stage.reserved if each not in stage.joined]:
        stage.release_agent(party_id)  # who was about to join
    steps = list(stage.remaining)
    awaiting = [n for n, step in enumerate(steps) if _awaits_disconnect(step)]
    stage.remaining.clear()
    if awaiting:
        stage.remaining.extend(steps[awaiting[0] + 1 :])
        return
    for party_id in list(stage.joined):
        stage.emit(agent_left(party_id))
    if not stage.is_disconnected:
        stage.remaining.extend(stage.scenario.after_disconnect)
    stage.is_disconnected = True


def _awaits_disconnect(step: s.ScenarioStep) -> bool:
    return isinstance(step, s.Await) and wire.DISCONNECT in step.event


def _after_last_step(stage: PlayerState) -> None:
    """Who has disconnected, and was asked all that there is to ask, is gone."""
    if stage.is_disconnected and not stage.is_over and not stage.is_closed:
        stage.emit({"event": wire.ENDED})


def _tell(stage: PlayerState, step: s.Tell, _now: float) -> _Replacement:
    stage.emit(step.event)
    return ()


def _pause(stage: PlayerState, step: s.Pause, now: float) -> _Replacement:
    return () if _has_passed(stage, step.seconds, now) else None


def _has_passed(stage: PlayerState, seconds: float, now: float) -> bool:
    """Whether so much time has passed since the step was begun; else when it will have."""
    due = stage.step_start + seconds
    if now < due:
        stage.deadline = due
        return False
    stage.time = due
    return True


def _await(stage: PlayerState, step: s.Await, now: float) -> _Replacement:
    for heard in stage.unconsumed:
        at, event = heard
        if _matches(step, event):
            stage.unconsumed.remove(heard)
            stage.time = max(stage.time, at)
            if step.known_as and isinstance(event.get("msg_id"), str):
                stage.msg_ids[step.known_as] = event["msg_id"]
            return ()
    if step.timeout is not None and _has_passed(stage, step.timeout, now):
        return ()
    return None


def _matches(step: s.Await, event: Mapping[str, Any]) -> bool:
    return event.get("event") in step.event and all(
        _field_value(event, name.split(".")) in (wanted if isinstance(wanted, list) else [wanted])
        for name, wanted in step.where.items()
    )


def _field_value(value: Any, names: list[str]) -> Any:
    """What an event holds; an object in it may be a JSON text of one, as in signaling."""
    for name in names:
        try:
            value = json_object(value).get(name)
        except ValueError:
            return None
    return value


def _say(_stage: PlayerState, step: s.Say, _now: float) -> _Replacement:
    return type_and_say(step.text, step.typing, f"${step.by}")


def _find_agent(stage: PlayerState, step: s.FindAgent, now: float) -> _Replacement:
    if not stage.agent_pool.has_other_agents(stage.reserved) and stage.reserved:
        return ()  # whoever could come is here
    agent = stage.agent_pool.request(stage.waiter, stage.reserved)
    if agent is not None:
        if stage.estimated_wait is not None:
            stage.time = max(stage.time, now)
            stage.estimated_wait = None
        stage.reserved[agent.party_id] = agent
        return (
            s.Tell(status("connecting")),
            s.Pause(step.ring),
            s.Tell(agent_joined(agent)),
            s.Tell(status("connected")),
        )
    estimate = stage.agent_pool.estimated_wait(stage.waiter)
    if estimate != stage.estimated_wait:
        stage.estimated_wait = estimate
        stage.emit(status("queued", str(estimate)))
    if step.patience is not None and _has_passed(stage, step.patience, now):
        stage.agent_pool.withdraw(stage.waiter)
        stage.estimated_wait = None
        return (s.EndSession("failed"),)
    return None


def _agent_leaves(stage: PlayerState, _step: s.AgentLeaves, _now: float) -> _Replacement:
    if stage.joined:
        stage.emit(agent_left(stage.joined[0]))
    return ()


def _show_form(stage: PlayerState, step: s.ShowForm, _now: float) -> _Replacement:
    stage.form_count += 1
    stage.emit(
        {
            "event": wire.FORM_SHOW,
            "form_request_id": stage.form_id,
            "form_name": step.name,
            "form_timeout": f"{step.timeout:g}",
        }
    )
    return ()


def _show_secure_form(stage: PlayerState, step: s.ShowSecureForm, _now: float) -> _Replacement:
    stage.form_count += 1
    stage.emit(
        {
            "event": wire.SECURE_FORM_SHOW,
            "form_request_id": stage.form_id,
            "form_id": step.form_id,
        }
    )
    return ()


def _converse(stage: PlayerState, step: s.Converse, _now: float) -> _Replacement:
    if not stage.unconsumed:
        return None
    at, event = stage.unconsumed.popleft()
    stage.time = max(stage.time, at)
    return (*answer_steps(event, step.typing), step)


_ENDS: Final[dict[str, dict[str, Any]]] = {
    "ended": {"event": wire.ENDED},
    "failed": {"event": wire.STATUS, "state": "failed"},
    "timed_out": {"event": wire.INACTIVITY_TIMEOUT},
}


def _end(stage: PlayerState, step: s.EndSession, _now: float) -> _Replacement:
    stage.emit(_ENDS[step.how] | ({"msg": step.msg} if step.msg else {}))
    stage.remaining.clear()
    return ()


_STEP_HANDLERS: Final[dict[type, Callable[[PlayerState, Any, float], _Replacement]]] = {
    s.Tell: _tell,
    s.Pause: _pause,
    s.Await: _await,
    s.Say: _say,
    s.FindAgent: _find_agent,
    s.AgentLeaves: _agent_leaves,
    s.ShowForm: _show_form,
    s.ShowSecureForm: _show_secure_form,
    s.Converse: _converse,
    s.EndSession: _end,
}
