"""Changes that several handlers make: typing stops, a form closes, the call moves.

They stand below the topics, which do not import each other.
"""

from __future__ import annotations

from math import inf
from typing import Final, cast

from chatfsm import commands
from chatfsm._protocol.codec import encode
from chatfsm._session import tables
from chatfsm._session.state import Call, ClosedForm, SessionState
from chatfsm._values import fast_constructor
from chatfsm.effects import (
    CallChanged,
    Effect,
    FormClosed,
    FormReason,
    TypingReason,
    TypingStopped,
    WarningCleared,
)

__all__ = [
    "EARLY_STATES",
    "clear_warning",
    "close_form",
    "close_latest_prompt",
    "latest_prompt",
    "move_call",
    "remember_closed",
    "stop_all_typing",
    "stop_own_typing",
    "stop_typing",
]

_stopped: Final = fast_constructor(TypingStopped)
_closed: Final = fast_constructor(FormClosed)
_closed_form: Final = fast_constructor(ClosedForm)

# Trigger → final state of an open form, which is the reason of `FormClosed`.
_REASONS: Final = cast("dict[str, FormReason]", tables.FORM.moves[tables.FORM.initial])

EARLY_STATES: Final = frozenset({"idle", "requested", "offered"})
"""States of the call in which ICE candidates of the agent are kept for the answer."""


def stop_typing(
    session: SessionState, party_id: str, reason: TypingReason, effects: list[Effect]
) -> None:
    """Stop a party's typing indicator, if it types."""
    typing = session.typing
    if typing is not None and party_id in typing:
        del typing[party_id]
        if not typing:
            session.typing = None
            if session.forms is None and session.own_typing is None:
                session.deadline_bound = inf
        effects.append(_stopped(party_id, reason))


def stop_all_typing(session: SessionState, reason: TypingReason, effects: list[Effect]) -> None:
    """Stop every typing indicator, in the order of typing."""
    for party_id in list(session.typing or ()):
        stop_typing(session, party_id, reason, effects)


def stop_own_typing(session: SessionState) -> None:
    """Notify the server that the customer stopped typing, if it was notified of the start."""
    if session.own_typing is not None:
        session.own_typing = None
        session.queue_event(encode(commands.StopTyping()))


def close_form(
    session: SessionState,
    request_id: str,
    trigger: str,
    effects: list[Effect],
    server_time: float | None = None,
) -> None:
    """Close an open form by a trigger of its table, and remember why and when.

    `server_time`: the timestamp of the event that closes it.
    """
    forms = session.forms or {}
    reason = _REASONS[trigger]
    waiting = forms.pop(request_id)
    if not forms:
        session.forms = None
    if reason != "replaced":  # then the next form with this id is open
        deadline = waiting.form.deadline
        at = session.now if reason != "expired" or deadline is None else deadline
        remember_closed(session, request_id, _closed_form(reason, at, server_time))
    effects.append(_closed(waiting.form, reason))


def remember_closed(session: SessionState, request_id: str, closed: ClosedForm) -> None:
    """Remember a closed form as the latest one; the oldest is dropped if there are too many."""
    forms = session.closed_forms
    if forms is None:
        forms = session.closed_forms = {}
    forms.pop(request_id, None)
    if len(forms) >= session.settings.max_forms:
        del forms[next(iter(forms))]
    forms[request_id] = closed


def latest_prompt(session: SessionState) -> str | None:
    """Return the request id of the open text prompt that was shown last."""
    for request_id, waiting in reversed((session.forms or {}).items()):
        if waiting.form.is_text_prompt:
            return request_id
    return None


def close_latest_prompt(session: SessionState, effects: list[Effect]) -> None:
    """Close the latest open text prompt: the customer's next text answers it (PROTOCOL.md §2)."""
    request_id = latest_prompt(session)
    if request_id is not None:
        close_form(session, request_id, "message", effects)


def clear_warning(session: SessionState, effects: list[Effect]) -> None:
    """Clear the inactivity warning: activity of the customer restarts the server's timer."""
    if session.warning is not None:
        session.warning = None
        effects.append(WarningCleared())


def move_call(session: SessionState, trigger: str, effects: list[Effect]) -> None:
    """Move the call by a trigger of its table; without such a transition it stays as it is."""
    call = session.call
    destination = tables.CALL.moves[call.state].get(trigger, call.state)
    if destination != call.state:
        party = None if destination in {"ended", "rejected"} else call.party
        candidates = call.candidates if destination in EARLY_STATES else ()
        session.call = Call(destination, party, candidates)
        effects.append(CallChanged(call.state, destination))
