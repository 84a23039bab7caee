"""How each step is done: a function a kind of step, in a table.

Each gives the steps that take its place: none when it is done, None when it has to wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from chatfsm.protocol.readers import json_object
from chatfsm.simulator import steps as s
from chatfsm.simulator import wire
from chatfsm.simulator.answering import answer_to, typed
from chatfsm.simulator.stage import Stage, joined, left, status

__all__ = ["go_on", "hear"]

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
