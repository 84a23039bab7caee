"""Scenario player: the steps of a scenario played in one chat, in the time of the caller."""

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
from chatfsm.simulator.wire_events import (
    agent_joined,
    agent_left,
    ended,
    form_shown,
    inactive,
    secure_form_shown,
    status,
)

__all__ = ["PlayerState", "ScenarioPlayer", "receive", "run"]


class ScenarioPlayer:
    """Plays a scenario in one chat.

    Returned events are as on the wire, without the timestamp and msg_id that the scenario leaves to
    the center. A step that was due before `now` counts as done when it was due, so the number of
    calls makes no difference.
    """

    def __init__(self, scenario: Scenario, agents: AgentPool, chat_id: str) -> None:
        self._state = PlayerState(scenario, agents, chat_id, waiter=self)

    @property
    def deadline(self) -> float | None:
        """The time of the next `wake`; None: the next step waits for the customer or an agent."""
        return self._state.deadline

    @property
    def done(self) -> bool:
        """Whether no event will follow, whatever happens."""
        state = self._state
        return state.is_closed or (state.is_over and not state.remaining)

    def start(self, *, now: float) -> list[dict[str, Any]]:
        """Return the events that follow from the customer's arrival."""
        self._state.time = now
        return run(self._state, now)

    def receive(self, event: Mapping[str, Any], *, now: float) -> list[dict[str, Any]]:
        """Return the events that follow from an event of the customer's."""
        events = run(self._state, now)
        receive(self._state, event, now)
        return events + run(self._state, now)

    def wake(self, *, now: float) -> list[dict[str, Any]]:
        """Return the events that are due by `now`, or that a free agent causes."""
        return run(self._state, now)

    def close(self, *, now: float) -> None:
        """Release the chat's agents: the session is over. May be called again."""
        del now  # part of the protocol `Player`; agents are free at once
        self._state.close()


# State of a player.

# Events that no step has consumed are kept for later steps; of a flood, the latest are.
_MAX_UNCONSUMED: Final = 256
_END_EVENTS: Final = (
    wire.ENDED,
    wire.INACTIVITY_TIMEOUT,
    wire.MISSPELLED_TIMEOUT,  # so in the specification
)


@define(eq=False)
class PlayerState:
    """The state of one chat's player."""

    scenario: Scenario
    """The steps of the chat, as the entry of the app has them."""
    agent_pool: AgentPool
    """The agents of the tenant, which other chats take, too."""
    chat_id: str
    """The id of the chat, which is the customer's party id."""
    waiter: Waiter
    """The object that the pool notifies of a free agent."""
    remaining: deque[ScenarioStep] = field(
        default=Factory(lambda self: deque(self.scenario.steps), True)
    )
    """Steps that remain; the first one may have begun."""
    time: float = 0.0
    """The time up to which all is done."""
    step_began_at: float | None = None
    """The time at which the first step began; None: it has not."""
    deadline: float | None = None
    """The time at which the first step goes on by itself."""
    unconsumed: deque[tuple[float, Mapping[str, Any]]] = field(
        factory=lambda: deque(maxlen=_MAX_UNCONSUMED)
    )
    """The customer's events that no step has consumed, with their times."""
    output: list[dict[str, Any]] = field(factory=list)
    """Events to return from this call."""
    reserved: dict[str, Agent] = field(factory=dict)
    """Agents of the pool who are assigned to this chat, by party id, in order."""
    joined: list[str] = field(factory=list)
    """The party ids of those who have joined, in order."""
    form_count: int = 0
    """The number of forms shown."""
    estimated_wait: int | None = None
    """The last estimated wait sent to the customer, in seconds; None: not queued."""
    msg_ids: dict[str, str] = field(factory=dict)
    """Actual msg_ids by the names that the scenario gives to them."""
    is_disconnected: bool = False
    """Whether the customer has ended the conversation."""
    is_over: bool = False
    """Whether an event has ended the session."""
    is_closed: bool = False
    """Whether the player was stopped, and has released its agents."""

    @property
    def step_start(self) -> float:
        """The time at which the first step began, now if it begins now."""
        return self.time if self.step_began_at is None else self.step_began_at

    @property
    def agent_id(self) -> str:
        """The party id of the agent who joined last, or if none is there of the scenario."""
        return self.joined[-1] if self.joined else self.scenario_id

    @property
    def scenario_id(self) -> str:
        """The party id of the scenario itself."""
        digest = blake2b(self.scenario.name.encode(), digest_size=16, person=b"scenario")
        return _format_party_id(digest.hexdigest())

    @property
    def form_id(self) -> str:
        """The form_request_id of the last form."""
        return str(self.form_count)

    def emit(self, event: Mapping[str, Any]) -> None:
        """Add an event to the output, with the actual ids of this chat, and follow it."""
        actual = self._with_ids(event)
        self.output.append(actual)
        name, party_id = actual["event"], actual.get("party_id")
        if name == wire.PARTY_JOINED and party_id in self.reserved:
            self.joined.append(party_id)
        elif name == wire.PARTY_LEFT and party_id in self.joined:
            self.joined.remove(party_id)
            self.release_agent(party_id)
        elif name in _END_EVENTS or (name == wire.STATUS and actual.get("state") == "failed"):
            self.is_over = True

    def release_agent(self, party_id: str) -> None:
        """Remove an agent from the chat and return the agent to the pool."""
        self.agent_pool.release(self.reserved.pop(party_id))

    def close(self) -> None:
        """Stop, and release all agents of this chat."""
        self.is_closed = True
        self.deadline = None
        self.remaining.clear()
        self.unconsumed.clear()
        self.agent_pool.withdraw(self.waiter)
        for party_id in list(self.reserved):
            self.release_agent(party_id)

    def _with_ids(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return the event with actual ids in place of the texts that stand for them."""
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
    """Format sixteen bytes in hexadecimal like the party ids on the wire."""
    cuts = (0, 8, 12, 16, 20, 32)
    return "-".join(digest[a:b] for a, b in pairwise(cuts)).upper()


# Steps: one function per class, in a table.
#
# A function returns the steps that replace its own: none if it is done, None if it waits.

_Replacement = tuple[s.ScenarioStep, ...] | None


def run(state: PlayerState, now: float) -> list[dict[str, Any]]:
    """Take all steps that are due by `now`, and return their events."""
    while state.remaining:
        step = state.remaining[0]
        if state.step_began_at is None:
            state.step_began_at = state.time
        state.deadline = None
        follows = _STEP_HANDLERS[type(step)](state, step, now)
        if follows is None:
            break
        if state.remaining:
            state.remaining.popleft()
        state.remaining.extendleft(reversed(follows))
        state.step_began_at = None
    else:
        state.deadline = None
        _after_last_step(state)
    events, state.output = state.output, []
    return events


def receive(state: PlayerState, event: Mapping[str, Any], now: float) -> None:
    """Handle a disconnect at once; keep any other event until a step consumes it."""
    if state.is_closed or state.is_over or _answers_nothing(event):
        return
    if event.get("event") == wire.DISCONNECT:
        _disconnect(state, now)
    else:
        state.unconsumed.append((now, event))


def _answers_nothing(event: Mapping[str, Any]) -> bool:
    """Whether a form's data is a text: a client that does not know the form (PROTOCOL.md §3)."""
    return event.get("event") == wire.FORM_DATA and isinstance(event.get("data"), str)


def _disconnect(state: PlayerState, now: float) -> None:
    """Go on after the step that awaits the disconnect, or else with `after_disconnect`."""
    state.agent_pool.withdraw(state.waiter)
    state.deadline = state.step_began_at = state.estimated_wait = None
    state.time = now
    for party_id in [each for each in state.reserved if each not in state.joined]:
        state.release_agent(party_id)  # agents who were about to join
    steps = list(state.remaining)
    awaiting = [n for n, step in enumerate(steps) if _awaits_disconnect(step)]
    state.remaining.clear()
    if awaiting:
        state.remaining.extend(steps[awaiting[0] + 1 :])
        return
    for party_id in list(state.joined):
        state.emit(agent_left(party_id))
    if not state.is_disconnected:
        state.remaining.extend(state.scenario.after_disconnect)
    state.is_disconnected = True


def _awaits_disconnect(step: s.ScenarioStep) -> bool:
    return isinstance(step, s.Await) and wire.DISCONNECT in step.event


def _after_last_step(state: PlayerState) -> None:
    """End the session after the last step if the customer has disconnected."""
    if state.is_disconnected and not state.is_over and not state.is_closed:
        state.emit(ended())


def _tell(state: PlayerState, step: s.Tell, _now: float) -> _Replacement:
    state.emit(step.event)
    return ()


def _pause(state: PlayerState, step: s.Pause, now: float) -> _Replacement:
    return () if _has_passed(state, step.seconds, now) else None


def _has_passed(state: PlayerState, seconds: float, now: float) -> bool:
    """Whether so many seconds have passed since the step began; if not, set the deadline."""
    due = state.step_start + seconds
    if now < due:
        state.deadline = due
        return False
    state.time = due
    return True


def _await(state: PlayerState, step: s.Await, now: float) -> _Replacement:
    for pair in state.unconsumed:
        at, event = pair
        if _matches(step, event):
            state.unconsumed.remove(pair)
            state.time = max(state.time, at)
            if step.known_as and isinstance(event.get("msg_id"), str):
                state.msg_ids[step.known_as] = event["msg_id"]
            return ()
    if step.timeout is not None and _has_passed(state, step.timeout, now):
        return ()
    return None


def _matches(step: s.Await, event: Mapping[str, Any]) -> bool:
    return event.get("event") in step.event and all(
        _field_value(event, name.split(".")) in (wanted if isinstance(wanted, list) else [wanted])
        for name, wanted in step.where.items()
    )


def _field_value(value: Any, names: list[str]) -> Any:
    """Return a field of an event by its path, or None; signaling may hold JSON text."""
    for name in names:
        try:
            value = json_object(value).get(name)
        except ValueError:
            return None
    return value


def _say(_stage: PlayerState, step: s.Say, _now: float) -> _Replacement:
    return type_and_say(step.text, step.typing, f"${step.by}")


def _find_agent(state: PlayerState, step: s.FindAgent, now: float) -> _Replacement:
    if not state.agent_pool.has_other_agents(state.reserved) and state.reserved:
        return ()  # every agent of the tenant is in the chat already
    agent = state.agent_pool.request(state.waiter, state.reserved)
    if agent is not None:
        if state.estimated_wait is not None:
            state.time = max(state.time, now)
            state.estimated_wait = None
        state.reserved[agent.party_id] = agent
        return (
            s.Tell(status("connecting")),
            s.Pause(step.ring),
            s.Tell(agent_joined(agent)),
            s.Tell(status("connected")),
        )
    estimate = state.agent_pool.estimated_wait(state.waiter)
    if estimate != state.estimated_wait:
        state.estimated_wait = estimate
        state.emit(status("queued", str(estimate)))
    if step.patience is not None and _has_passed(state, step.patience, now):
        state.agent_pool.withdraw(state.waiter)
        state.estimated_wait = None
        return (s.EndSession("failed"),)
    return None


def _agent_leaves(state: PlayerState, _step: s.AgentLeaves, _now: float) -> _Replacement:
    if state.joined:
        state.emit(agent_left(state.joined[0]))
    return ()


def _show_form(state: PlayerState, step: s.ShowForm, _now: float) -> _Replacement:
    state.form_count += 1
    state.emit(form_shown(state.form_id, step.name, step.timeout))
    return ()


def _show_secure_form(state: PlayerState, step: s.ShowSecureForm, _now: float) -> _Replacement:
    state.form_count += 1
    state.emit(secure_form_shown(state.form_id, step.form_id))
    return ()


def _converse(state: PlayerState, step: s.Converse, _now: float) -> _Replacement:
    if not state.unconsumed:
        return None
    at, event = state.unconsumed.popleft()
    state.time = max(state.time, at)
    return (*answer_steps(event, step.typing), step)


_ENDS: Final[dict[str, dict[str, Any]]] = {
    "ended": ended(),
    "failed": status("failed", None),
    "timed_out": inactive(),
}


def _end(state: PlayerState, step: s.EndSession, _now: float) -> _Replacement:
    state.emit(_ENDS[step.how] | ({"msg": step.msg} if step.msg else {}))
    state.remaining.clear()
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
