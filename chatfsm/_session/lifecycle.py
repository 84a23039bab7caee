"""Lifecycle: the session's state, its end, the inactivity warning, unknown and malformed events."""

from __future__ import annotations

from math import inf
from typing import Final

from attrs import evolve

from chatfsm import events
from chatfsm._log import log_fields, logger
from chatfsm._plain import canonical_json
from chatfsm._session import outbox, tables
from chatfsm._session.changes import close_form, move_call, stop_all_typing
from chatfsm._session.duplicates import fingerprint, is_duplicate
from chatfsm._session.state import SessionState, quoted
from chatfsm._values import fast_constructor
from chatfsm.effects import (
    Effect,
    Ignored,
    StateChanged,
    Terminated,
    UnknownReceived,
    WaitEstimated,
    WarningRaised,
)
from chatfsm.errors import RemoteProtocolError
from chatfsm.inputs import History, Lost

_changed: Final = fast_constructor(StateChanged)
_estimated: Final = fast_constructor(WaitEstimated)

_MOVES: Final = tables.LIFECYCLE.moves
_UNEXPECTED: Final = {source: trigger for trigger, source, _ in tables.UNEXPECTED}
# Scope of unknown and malformed events among the seen ids.
_UNUSABLE: Final = ("odd", None)


# DESIGN §3: status, new state → `StateChanged`, then `WaitEstimated` if ewt is a number; same
# state → only `WaitEstimated`, if the number changed; completed → all typing stops as well.
def status(session: SessionState, event: events.Status, effects: list[Effect]) -> None:
    """Obey a status; an unexpected transition is reported too, an unknown state only reported."""
    previous, state, ewt = session.state, event.state, event.ewt
    if state == previous:
        if ewt is None or ewt == session.ewt:
            session.count_duplicate(event, effects)
        else:
            session.ewt = ewt
            effects.append(_estimated(ewt))
        return
    if state not in tables.STATUS_STATES:
        session.report_violation("unknown_state", f"no state is called {quoted(state)}")
        return
    if state == _UNEXPECTED.get(previous):
        session.report_violation("unexpected_transition", f"from {previous} to {state}")
    _move(session, state, effects)
    session.ewt = ewt
    if session.state in tables.OUTCOMES:
        _terminate(session, None, effects)
        return
    if ewt is not None:
        effects.append(_estimated(ewt))
    if state == "completed":
        stop_all_typing(session, "completed", effects)


# DESIGN §3: ended; inactivity_timeout; and `Lost`, the server's word that it knows no such session.
def ended(session: SessionState, _event: events.Ended, effects: list[Effect]) -> None:
    """End the session: the server ended it."""
    _move(session, "ended", effects)
    _terminate(session, None, effects)


def inactivity_timeout(
    session: SessionState, event: events.InactivityTimeout, effects: list[Effect]
) -> None:
    """End the session: the customer was inactive for too long."""
    _move(session, "inactivity_timeout", effects)
    _terminate(session, event.msg if event.msg_text is None else event.msg_text, effects)


def lost(session: SessionState, item: Lost, effects: list[Effect]) -> None:
    """End the session: the server does not know it any more."""
    _move(session, "lost", effects)
    _terminate(session, item.reason, effects)


def _move(session: SessionState, trigger: str, effects: list[Effect]) -> None:
    previous, session.state = session.state, _MOVES[session.state][trigger]
    effects.append(_changed(previous, session.state))


# DESIGN §3: `StateChanged`; `TypingStopped` and `FormClosed("terminated")` for each; `CallChanged`
# to ended if a call is on; last `Terminated(outcome, text)`. The roster stays.
def _terminate(session: SessionState, text: str | None, effects: list[Effect]) -> None:
    """Report the end, once and last, and free what no later event can need."""
    stop_all_typing(session, "terminated", effects)
    for request_id in list(session.forms or ()):
        close_form(session, request_id, "termination", effects)
    move_call(session, "termination", effects)
    for msg_id in list(session.outbox or ()):
        outbox.fail(session, msg_id, "the session is over", "in_doubt", effects)
    outcome = tables.OUTCOMES[session.state]
    session.outcome_text = text or ""
    session.own_typing = None
    session.seen_ids, session.seen_count, session.seen_complete = {}, 0, True
    session.joined_at, session.departed, session.departed_complete = (), None, True
    if session.call.candidates:
        session.call = evolve(session.call, candidates=())
    session.deadline_bound = inf
    effects.append(Terminated(outcome, session.outcome_text))
    logger.info(
        "chat %a: terminated, %s", session.chat_id, outcome, extra=log_fields(session.chat_id)
    )


# DESIGN §3: timeout_warning → `WarningRaised(text)`, each time.
def timeout_warning(
    session: SessionState, event: events.TimeoutWarning, effects: list[Effect]
) -> None:
    """Report the inactivity warning; activity of the customer clears it."""
    text = event.msg_text if event.msg_text is not None else event.msg or ""
    session.warning = text
    effects.append(WarningRaised(text))


# DESIGN §3: unknown event → `UnknownReceived(name, raw)`.
def unknown(session: SessionState, event: events.Unknown, effects: list[Effect]) -> None:
    """Report an event of an unknown kind, whole; one of a history only once."""
    if session.settings.strict:
        raise RemoteProtocolError("unknown", f"no event is called {quoted(event.name)}")
    content = fingerprint(canonical_json(event))
    if is_duplicate(session, _UNUSABLE, None, content, event, effects):
        return
    session.unknown += 1
    logger.info("chat %a: unknown event", session.chat_id, extra=log_fields(session.chat_id))
    effects.append(UnknownReceived(event.name, event.raw))


# DESIGN §3: unusable event → `Anomaly("malformed", …)`, raw kept.
def malformed(session: SessionState, event: events.Malformed, effects: list[Effect]) -> None:
    """Report an unusable event; one of a history only once."""
    if not session.settings.strict:
        content = fingerprint(canonical_json(event))
        if is_duplicate(session, _UNUSABLE, None, content, event, effects):
            return
    subject = "item" if event.name is None else event.name
    session.report_violation("malformed", f"{subject}: {event.why}", event.raw)
    session.malformed += 1


def ignore(_session: SessionState, _item: object, _effects: list[Effect]) -> None:
    """Do nothing: the input has no effects in this state."""


# L4: a final state is final; later events are counted as late, and as nothing else.
def late(session: SessionState, event: events.Event, effects: list[Effect]) -> None:
    """Count an event after the end; `Settings.explain` reports it as well."""
    session.late += 1
    if session.settings.explain:
        effects.append(Ignored("late", event))


def late_history(session: SessionState, item: History, effects: list[Effect]) -> None:
    """Count the events of a history that arrives after the end."""
    for event in item.events:
        late(session, event, effects)
