"""What the service says about itself: its name, the case, co-browsing."""

from __future__ import annotations

from chatfsm.protocol import events
from chatfsm.session.effects import CaseChanged, CobrowsingChanged, ServiceNamed
from chatfsm.session.identity import is_repeat
from chatfsm.session.state import Turn


def case_set(turn: Turn, event: events.CaseSet) -> None:
    """Tell the case, or that there is none; the first word about it is news in any case."""
    memory = turn.memory
    if memory.case_told and event.case_id == memory.case_id:
        turn.absorb()
        return
    memory.case_told = True
    memory.case_id = event.case_id
    turn.tell(CaseChanged(event.case_id))


def named(turn: Turn, event: events.Info) -> None:
    """Tell the name of the service, where the event holds one."""
    name = event.service_name
    if not name:
        return
    if name == turn.memory.service_name:
        turn.absorb()
        return
    turn.memory.service_name = name
    turn.tell(ServiceNamed(name))


def cobrowsing_repeated(turn: Turn, event: events.Cobrowsing) -> bool:
    """Whether this very step was told before."""
    return is_repeat(turn, "cobrowsing\0", event.msg_id, event.state)


def cobrowsing(turn: Turn, event: events.Cobrowsing) -> None:
    """Tell a step of co-browsing."""
    if event.state == turn.memory.cobrowsing:
        turn.absorb()
        return
    turn.memory.cobrowsing = event.state
    turn.tell(CobrowsingChanged(event.state))
