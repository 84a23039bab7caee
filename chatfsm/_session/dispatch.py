"""Dispatch: one table a state, from the class of an input to the function that handles it.

This module alone knows which function handles which input. `receive` makes one look-up: a state
without a handler for a command has `refuse` in its place, a final state counts events as late.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import isfinite
from operator import itemgetter
from typing import Any, Final, get_args

from attrs import evolve

from chatfsm import commands, events
from chatfsm._plain import snake_case
from chatfsm._session import calls, forms, lifecycle, messages, outbox, presence, roster, service
from chatfsm._session.changes import close_form, stop_own_typing, stop_typing
from chatfsm._session.state import SessionState, next_deadline
from chatfsm._session.tables import ALLOWED_COMMANDS, LIFECYCLE, OUTCOMES, refusal_reason
from chatfsm.effects import Effect
from chatfsm.errors import LocalProtocolError, RemoteProtocolError
from chatfsm.inputs import History, Lost, SendFailed, Sent, Tick

__all__ = ["COMMANDS", "HANDLERS", "Handler", "expire"]

Handler = Callable[[SessionState, Any, list[Effect]], None]
"""Handles one input: checks it, changes the state, and appends the effects."""

Guard = Callable[[SessionState, Any], None]
"""Checks a command, and changes nothing. Raises `LocalProtocolError` to refuse it."""

_EVENTS: Final[dict[type, Handler]] = {
    events.Status: lifecycle.status,
    events.Ended: lifecycle.ended,
    events.InactivityTimeout: lifecycle.inactivity_timeout,
    events.PartyJoined: roster.party_joined,
    events.PartyLeft: roster.party_left,
    events.Message: messages.message,
    events.MessageEdit: messages.message_edit,
    events.MessageDelete: messages.message_delete,
    events.MessageDelivered: messages.message_delivered,
    events.MessageRead: messages.message_read,
    events.Typing: presence.typing,
    events.NotTyping: presence.not_typing,
    events.FormShow: forms.form_show,
    events.SecureFormShow: forms.form_show,
    events.SecureFormCancel: forms.secure_form_cancel,
    events.FormData: forms.form_data,
    events.FormDataCancel: forms.form_data_cancel,
    events.TimeoutWarning: lifecycle.timeout_warning,
    events.Signaling: calls.signaling_event,
    events.File: messages.file,
    events.FileUrl: messages.file,
    events.Location: messages.location,
    events.CaseSet: service.case_set,
    events.Info: service.info,
    events.Cobrowsing: service.cobrowsing,
    events.ClientEvent: messages.client_event,
    events.Unknown: lifecycle.unknown,
    events.Malformed: lifecycle.malformed,
}
# Events of a history are merged by identity, in whatever order its pages come. States, typing,
# warnings and calls are over: the live session alone reports these.
_HISTORY_EVENTS: Final[dict[type, Handler]] = {
    **dict.fromkeys(_EVENTS, lifecycle.ignore),
    events.PartyJoined: roster.merge_joined,
    events.PartyLeft: roster.merge_left,
    events.Message: messages.merge_message,
    events.MessageEdit: messages.message_edit,
    events.MessageDelete: messages.message_delete,
    events.MessageDelivered: messages.message_delivered,
    events.MessageRead: messages.message_read,
    events.FormShow: forms.merge_shown,
    events.SecureFormShow: forms.merge_shown,
    events.SecureFormCancel: forms.merge_answered,
    events.FormData: forms.merge_answered,
    events.FormDataCancel: forms.merge_answered,
    events.Signaling: calls.merge_signaling,
    events.File: messages.file,
    events.FileUrl: messages.file,
    events.Location: messages.location,
    events.CaseSet: service.merge_case,
    events.Info: service.merge_service_name,
    events.Cobrowsing: service.merge_cobrowsing,
    events.ClientEvent: messages.client_event,
    events.Unknown: lifecycle.unknown,
    events.Malformed: lifecycle.malformed,
}


def _allow(_session: SessionState, _command: object) -> None:
    """Allow the command: the session's state alone decides, by its table."""


# Each command with its guard.
COMMANDS: Final[dict[type, tuple[Guard, Handler]]] = {
    commands.SendText: (messages.check_send, messages.send_text),
    commands.SendFile: (messages.check_send, messages.send_file),
    commands.SendLocation: (messages.check_send, messages.send_location),
    commands.SendNavigation: (messages.check_send, messages.send_navigation),
    commands.StartTyping: (_allow, presence.start_typing),
    commands.StopTyping: (_allow, presence.stop_typing),
    commands.SubmitForm: (forms.check_open, forms.submit_form),
    commands.CancelForm: (forms.check_open, forms.cancel_form),
    commands.MarkDelivered: (_allow, messages.mark_delivered),
    commands.MarkRead: (_allow, messages.mark_read),
    commands.Disconnect: (_allow, messages.send_end),
    commands.End: (_allow, messages.send_end),
    commands.RequestCall: (calls.check_call, calls.send_call_command),
    commands.AnswerCall: (calls.check_call, calls.send_call_command),
    commands.RejectCall: (calls.check_call, calls.send_call_command),
    commands.SendCandidate: (calls.check_call, calls.send_call_command),
    commands.EndCall: (calls.check_call, calls.send_call_command),
    commands.RequestPhoneCall: (outbox.check_msg_id, calls.request_contact),
    commands.RequestSms: (outbox.check_msg_id, calls.request_contact),
    commands.CobrowsingReply: (service.check_cobrowsing, service.cobrowsing_reply),
}


def merge_history(session: SessionState, history: History, effects: list[Effect]) -> None:
    """Report what a history holds and the app was not told; then send what it lacks.

    A page is one input: in a strict session its first violation is raised after its last event.
    """
    merged: list[Effect] = []
    violation = None
    session.in_history = True
    for event in history.events:
        try:
            _HISTORY_EVENTS[type(event)](session, event, merged)
            session.events += 1
        except RemoteProtocolError as error:
            violation = violation or error
    session.in_history = False
    effects += [evolve(effect, replayed=True) for effect in merged]
    if history.complete:
        outbox.resend_missing(session, effects)
    if violation is not None:
        raise violation


_INPUTS: Final[dict[type, Handler]] = {
    Tick: lifecycle.ignore,
    Sent: outbox.sent,
    SendFailed: outbox.send_failed,
    Lost: lifecycle.lost,
    History: merge_history,
}

_AFTER_END: Final[dict[type, Handler]] = {
    **dict.fromkeys((Tick, Sent, SendFailed, Lost), lifecycle.ignore),
    **dict.fromkeys(get_args(events.Event), lifecycle.late),
    History: lifecycle.late_history,
}


def _handler_of(guard: Guard, handler: Handler) -> Handler:
    """Return a command's handler: a command that is refused changes nothing, not even by time."""

    def handle(session: SessionState, command: object, effects: list[Effect]) -> None:
        if not isfinite(session.now):
            raise LocalProtocolError(_not_finite(session.now))
        guard(session, command)
        if session.now >= session.deadline_bound:
            expire(session, effects)
        handler(session, command, effects)
        session.flush(effects)

    return handle


def _refuse(session: SessionState, command: object, _effects: list[Effect]) -> None:
    """Refuse a command that the session's state does not allow."""
    verb = snake_case(type(command)).replace("_", " ")
    raise LocalProtocolError(f"cannot {verb}: {refusal_reason(session.state)}")


_COMMAND_HANDLERS: Final = {cls: _handler_of(*row) for cls, row in COMMANDS.items()}


def _table(state: str) -> dict[type, tuple[Handler, bool]]:
    allowed = {
        cls: handler if snake_case(cls) in ALLOWED_COMMANDS.moves[state] else _refuse
        for cls, handler in _COMMAND_HANDLERS.items()
    }
    handlers = (_AFTER_END if state in OUTCOMES else {**_EVENTS, **_INPUTS}) | allowed
    return {cls: (handler, handler is _EVENTS.get(cls)) for cls, handler in handlers.items()}


HANDLERS: Final = {state: _table(state) for state in LIFECYCLE.states}
"""State → class of the input → its handler, and whether `Counts.events` counts it."""


def expire(session: SessionState, effects: list[Effect]) -> None:
    """Apply the deadlines that have passed, the oldest first.

    Raises `LocalProtocolError` if now is not a finite number.
    """
    now = session.now
    if not isfinite(now):
        raise LocalProtocolError(_not_finite(now))
    session.deadline_bound = next_deadline(session)
    if now < session.deadline_bound:
        return  # mostly, a party has stopped typing since
    due: list[tuple[float, Callable[[], None]]] = []
    for party_id, deadline in (session.typing or {}).items():
        if now >= deadline:
            due.append((deadline, partial(stop_typing, session, party_id, "timeout", effects)))
    for request_id, waiting in (session.forms or {}).items():
        expires_at = waiting.form.deadline
        if expires_at is not None and now >= expires_at:
            due.append((expires_at, partial(close_form, session, request_id, "deadline", effects)))
    own = session.own_typing
    if own is not None and now >= own.deadline:
        due.append((own.deadline, partial(stop_own_typing, session)))
    for _, apply in sorted(due, key=itemgetter(0)):
        apply()
    session.flush(effects)
    session.deadline_bound = next_deadline(session)


def _not_finite(now: float) -> str:
    return f"now must be a finite number of seconds, not {now}"
