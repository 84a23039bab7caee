"""Lifecycle: the state of the session, its end, the inactivity warning, and undecodable events."""

from __future__ import annotations

from math import inf
from typing import Final

from attrs import evolve

from chatfsm import events
from chatfsm._log import logger
from chatfsm._plain import canonical_json
from chatfsm._session import tables
from chatfsm._session.duplicates import fingerprint, is_duplicate
from chatfsm._session.state import Turn, quoted
from chatfsm._values import fast_constructor
from chatfsm.effects import (
    StateChanged,
    Terminated,
    UnknownReceived,
    WaitEstimated,
    WarningCleared,
    WarningRaised,
)
from chatfsm.errors import RemoteProtocolError
from chatfsm.inputs import History, Lost

_make_state_changed: Final = fast_constructor(StateChanged)
_make_wait_estimated: Final = fast_constructor(WaitEstimated)

_MOVES: Final = tables.LIFECYCLE.moves
_UNEXPECTED: Final = {source: name for name, source, _ in tables.UNEXPECTED}


def on_status(turn: Turn, event: events.Status) -> bool:
    """Move to the state of a status. True if the state does not change."""
    memory, name = turn.memory, event.state
    previous = memory.state
    if name == previous:
        return _update_wait(turn, event.ewt)
    if name not in tables.STATUS_STATES:
        turn.report_violation("unknown_state", f"no state is called {quoted(name)}")
        return True
    destination = _MOVES[previous][name]
    if name == _UNEXPECTED.get(previous):
        turn.report_violation("unexpected_transition", f"from {previous} to {destination}")
    _move_to(turn, destination)
    ewt = memory.ewt = event.ewt
    if ewt is not None and destination not in tables.OUTCOMES:
        turn.effects.append(_make_wait_estimated(ewt))
    return False


def on_ended(turn: Turn, _event: events.Ended) -> None:
    """End the session: the server ended it."""
    _move_to(turn, _MOVES[turn.memory.state]["ended"])


def on_inactivity_timeout(turn: Turn, event: events.InactivityTimeout) -> None:
    """End the session: the server closed it for inactivity."""
    _move_to(turn, _MOVES[turn.memory.state]["inactivity_timeout"])
    turn.memory.outcome_text = event.msg_text if event.msg_text is not None else event.msg


def on_lost(turn: Turn, item: Lost) -> None:
    """End the session: the server does not know it."""
    _move_to(turn, _MOVES[turn.memory.state]["lost"])
    turn.memory.outcome_text = item.reason


def terminate(turn: Turn, _item: events.Event | Lost) -> None:
    """Report the end of the session, and free the memory that later events do not need."""
    memory = turn.memory
    outcome = tables.OUTCOMES[memory.state]
    memory.outcome_text = memory.outcome_text or ""
    memory.seen_ids, memory.seen_count, memory.seen_complete = {}, 0, True
    memory.joined_at, memory.departed, memory.departed_complete = (), None, True
    if memory.call.candidates:
        memory.call = evolve(memory.call, candidates=())
    memory.deadline_bound = inf
    turn.effects.append(Terminated(outcome, memory.outcome_text))
    logger.info("chat %a: terminated, %s", memory.chat_id, outcome)


def _update_wait(turn: Turn, ewt: float | None) -> bool:
    if ewt is None or ewt == turn.memory.ewt:
        return turn.count_duplicate()
    turn.memory.ewt = ewt
    turn.effects.append(_make_wait_estimated(ewt))
    return True


def _move_to(turn: Turn, destination: str) -> None:
    previous, turn.memory.state = turn.memory.state, destination
    turn.effects.append(_make_state_changed(previous, destination))


# The inactivity warning.

Shared = events.File | events.Location | events.SecureFormCancel


def on_warning(turn: Turn, event: events.TimeoutWarning) -> None:
    """Report the warning, each time."""
    text = event.msg_text if event.msg_text is not None else event.msg or ""
    turn.memory.warning = text
    turn.effects.append(WarningRaised(text))


def clear_warning_if_own(turn: Turn, event: Shared) -> None:
    """Clear the warning if the event is the customer's own."""
    own_file = event.party_id is None and isinstance(event, events.File)
    if turn.memory.warning is not None and (own_file or turn.memory.is_own(event.party_id)):
        clear_warning(turn, event)


def clear_warning(turn: Turn, _item: object) -> None:
    """Clear the warning, because the customer was active."""
    if turn.memory.warning is not None:
        turn.memory.warning = None
        turn.effects.append(WarningCleared())


# Unknown, malformed and late events.

# Their scope in the seen ids.
_UNDECODED_SCOPE: Final = ("undecoded", None)


def on_unknown(turn: Turn, event: events.Unknown) -> None:
    """Report an unknown event with all that it holds; once if it comes from a history."""
    if turn.settings.strict:
        raise RemoteProtocolError("unknown", f"no event is called {quoted(event.name)}")
    if is_duplicate(turn, _UNDECODED_SCOPE, None, fingerprint(canonical_json(event))):
        return
    turn.memory.unknown += 1
    logger.info("chat %a: unknown event", turn.memory.chat_id)
    turn.effects.append(UnknownReceived(event.name, event.raw))


def on_malformed(turn: Turn, event: events.Malformed) -> None:
    """Report a malformed event as it came; once if it comes from a history."""
    if not turn.settings.strict and is_duplicate(
        turn, _UNDECODED_SCOPE, None, fingerprint(canonical_json(event))
    ):
        return
    what = "item" if event.name is None else event.name
    turn.report_violation("malformed", f"{what}: {event.why}", event.raw)
    turn.memory.malformed += 1


def ignore(_turn: Turn, _event: object) -> None:
    """Do nothing; the event is counted by the session."""


def count_late(turn: Turn, _event: object) -> None:
    """Count an input after the end of the session."""
    turn.memory.late += 1


def count_late_history(turn: Turn, item: History) -> None:
    """Count the events of a history after the end of the session."""
    turn.memory.late += len(item.events)
