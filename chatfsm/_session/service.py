"""Service: the case, the name of the service, and co-browsing."""

from __future__ import annotations

from math import inf

from attrs import evolve

from chatfsm import commands, events
from chatfsm._protocol.codec import encode
from chatfsm._session import tables
from chatfsm._session.duplicates import is_duplicate, scope_for
from chatfsm._session.outbox import check_msg_id, observe_own_id, take_msg_id
from chatfsm._session.state import SessionState, history_time
from chatfsm.effects import CaseChanged, CobrowsingChanged, Effect, ServiceNamed
from chatfsm.errors import LocalProtocolError


# DESIGN §3: case_set → `CaseChanged(case_id or None)`.
def case_set(session: SessionState, event: events.CaseSet, effects: list[Effect]) -> None:
    """Report another case, or that there is none; the first event is reported in any case."""
    known, at = session.service, _live(event)
    if known.case_at is not None and event.case_id == known.case_id:
        session.service = evolve(known, case_at=max(known.case_at, at))
        session.count_duplicate(event, effects)
        return
    session.service = evolve(known, case_id=event.case_id, case_at=at)
    effects.append(CaseChanged(event.case_id))


def merge_case(session: SessionState, event: events.CaseSet, effects: list[Effect]) -> None:
    """Merge a case of a history: the latest one wins."""
    known = session.service
    if _is_later(event, event.case_id, known.case_at, known.case_id):
        session.service = evolve(
            known, case_id=event.case_id, case_at=history_time(event.timestamp)
        )
        if known.case_at is None or event.case_id != known.case_id:
            effects.append(CaseChanged(event.case_id))
            return
    session.count_duplicate(event, effects)


# DESIGN §3: info → `ServiceNamed(name)`.
def info(session: SessionState, event: events.Info, effects: list[Effect]) -> None:
    """Report the name of the service, if the event holds one."""
    known, name, at = session.service, event.service_name, _live(event)
    if not name:
        return
    if name == known.name:
        session.service = evolve(known, name_at=max(known.name_at or 0.0, at))
        session.count_duplicate(event, effects)
        return
    session.service = evolve(known, name=name, name_at=at)
    effects.append(ServiceNamed(name))


def merge_service_name(session: SessionState, event: events.Info, effects: list[Effect]) -> None:
    """Merge a service name of a history: the latest one wins."""
    known, name = session.service, event.service_name
    if not name:
        return
    if _is_later(event, name, known.name_at, known.name):
        session.service = evolve(known, name=name, name_at=history_time(event.timestamp))
        if name != known.name:
            effects.append(ServiceNamed(name))
            return
    session.count_duplicate(event, effects)


def _live(event: events.CaseSet | events.Info) -> float:
    """Return the timestamp of a live event; after every history if it has none."""
    return inf if event.timestamp is None else event.timestamp


def _is_later(
    event: events.CaseSet | events.Info, value: str | None, at: float | None, known: str | None
) -> bool:
    """Whether a value of a history wins: the later, or at the same time the greater one."""
    return at is None or (history_time(event.timestamp), value or "") > (at, known or "")


# DESIGN §3: cobrowsing_* → `CobrowsingChanged(state)`.
def cobrowsing(session: SessionState, event: events.Cobrowsing, effects: list[Effect]) -> None:
    """Report a new state of co-browsing."""
    observe_own_id(session, event)
    scope = scope_for(session, event.party_id, "cobrowsing")
    if is_duplicate(session, scope, event.msg_id, event.state, event, effects):
        return
    known = session.service
    if event.state == known.cobrowsing:
        session.count_duplicate(event, effects)
        return
    session.service = evolve(known, cobrowsing=event.state)
    effects.append(CobrowsingChanged(event.state))


def merge_cobrowsing(
    session: SessionState, event: events.Cobrowsing, _effects: list[Effect]
) -> None:
    """Note the customer's ids in a history; its co-browsing is over, and is not reported."""
    observe_own_id(session, event)


# Commands.


def check_cobrowsing(session: SessionState, command: commands.CobrowsingReply) -> None:
    """Refuse a reply that co-browsing's table does not allow. Raises `LocalProtocolError`."""
    state = session.service.cobrowsing or tables.COBROWSING.initial
    if command.state not in tables.COBROWSING.moves[state]:
        text = f"cannot reply that co-browsing is {command.state}: it is {state}"
        raise LocalProtocolError(text)
    check_msg_id(session, command)


def cobrowsing_reply(
    session: SessionState, command: commands.CobrowsingReply, effects: list[Effect]
) -> None:
    """Send the answer to a request for co-browsing."""
    session.queue_event(encode(evolve(command, msg_id=take_msg_id(session, command))))
    session.service = evolve(session.service, cobrowsing=command.state)
    effects.append(CobrowsingChanged(command.state))
