"""Service: the case, the name of the service, and co-browsing."""

from __future__ import annotations

from math import inf

from attrs import evolve

from chatfsm import commands, events
from chatfsm._protocol.codec import encode
from chatfsm._session import tables
from chatfsm._session.duplicates import is_duplicate, scope_for
from chatfsm._session.outbox import check_msg_id, observe_own_id, take_msg_id
from chatfsm._session.state import Turn
from chatfsm.effects import CaseChanged, CobrowsingChanged, ServiceNamed
from chatfsm.errors import LocalProtocolError


def on_case_set(turn: Turn, event: events.CaseSet) -> None:
    """Report the case, or that there is none; the first event is always reported."""
    known, at = turn.memory.service, _live_time(event)
    if known.case_at is not None and event.case_id == known.case_id:
        turn.memory.service = evolve(known, case_at=max(known.case_at, at))
        turn.count_duplicate()
        return
    turn.memory.service = evolve(known, case_id=event.case_id, case_at=at)
    turn.effects.append(CaseChanged(event.case_id))


def merge_case(turn: Turn, event: events.CaseSet) -> None:
    """Merge the case from a history: the latest event wins."""
    known = turn.memory.service
    if _is_later(event, event.case_id, known.case_at, known.case_id):
        turn.memory.service = evolve(known, case_id=event.case_id, case_at=_past_time(event))
        if known.case_at is None or event.case_id != known.case_id:
            turn.effects.append(CaseChanged(event.case_id))
            return
    turn.count_duplicate()


def on_info(turn: Turn, event: events.Info) -> None:
    """Report the name of the service, if the event has one."""
    known, name, at = turn.memory.service, event.service_name, _live_time(event)
    if not name:
        return
    if name == known.name:
        turn.memory.service = evolve(known, name_at=max(known.name_at or 0.0, at))
        turn.count_duplicate()
        return
    turn.memory.service = evolve(known, name=name, name_at=at)
    turn.effects.append(ServiceNamed(name))


def merge_service_name(turn: Turn, event: events.Info) -> None:
    """Merge the name of the service from a history: the latest event wins."""
    known, name = turn.memory.service, event.service_name
    if name and _is_later(event, name, known.name_at, known.name):
        turn.memory.service = evolve(known, name=name, name_at=_past_time(event))
        if name != known.name:
            turn.effects.append(ServiceNamed(name))
            return
    turn.count_duplicate()


def _live_time(event: events.CaseSet | events.Info) -> float:
    """Return the server time of a live event; inf if it bears none, so that no history beats it."""
    return inf if event.timestamp is None else event.timestamp


def _past_time(event: events.CaseSet | events.Info) -> float:
    """Return the server time of an event in a history; -1 if it bears none."""
    return -1.0 if event.timestamp is None else event.timestamp


def _is_later(
    event: events.CaseSet | events.Info, value: str | None, at: float | None, known: str | None
) -> bool:
    """Whether an event of a history is later than the known value; ties are broken by value."""
    return at is None or (_past_time(event), value or "") > (at, known or "")


def is_cobrowsing_duplicate(turn: Turn, event: events.Cobrowsing) -> bool:
    """Whether this step of co-browsing was reported before."""
    observe_own_id(turn, event)
    scope = scope_for(turn.memory, event.party_id, "cobrowsing")
    return is_duplicate(turn, scope, event.msg_id, event.state)


def on_cobrowsing(turn: Turn, event: events.Cobrowsing) -> None:
    """Report a step of co-browsing."""
    known = turn.memory.service
    if event.state == known.cobrowsing:
        turn.count_duplicate()
        return
    turn.memory.service = evolve(known, cobrowsing=event.state)
    turn.effects.append(CobrowsingChanged(event.state))


def check_reply(turn: Turn, command: commands.CobrowsingReply) -> None:
    """Refuse a reply that does not follow from the current step of co-browsing."""
    state = turn.memory.service.cobrowsing or tables.COBROWSING.initial
    if command.state not in tables.COBROWSING.moves[state]:
        raise LocalProtocolError(f"cannot reply that co-browsing is {command.state}: it is {state}")
    check_msg_id(turn, command)


def send_reply(turn: Turn, command: commands.CobrowsingReply) -> None:
    """Send a reply to a request for co-browsing."""
    turn.queue_event(encode(evolve(command, msg_id=take_msg_id(turn, command))))
    turn.memory.service = evolve(turn.memory.service, cobrowsing=command.state)
    turn.effects.append(CobrowsingChanged(command.state))
