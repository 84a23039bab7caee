"""Forms that await an answer: each is opened once and closed once."""

from __future__ import annotations

from math import inf
from typing import Final

from attrs import evolve

from chatfsm import commands, events
from chatfsm._plain import to_plain
from chatfsm._protocol.codec import encode
from chatfsm._session.changes import clear_warning, close_form, remember_closed
from chatfsm._session.duplicates import is_seen, remember, value_fingerprint
from chatfsm._session.state import (
    ClosedForm,
    OpenForm,
    SessionState,
    deadline_after,
    history_time,
    quoted,
)
from chatfsm._values import fast_constructor
from chatfsm.effects import Effect, FormOpened, FormReason
from chatfsm.errors import LocalProtocolError
from chatfsm.models import Form

Shown = events.FormShow | events.SecureFormShow
Answer = events.FormData | events.FormDataCancel | events.SecureFormCancel

# Scope of shown forms among the seen ids: timestamp and request id → content.
_FORMS: Final = ("form", None)

_form: Final = fast_constructor(Form)
_open_form: Final = fast_constructor(OpenForm)
_opened: Final = fast_constructor(FormOpened)

_TRIGGERS: Final[dict[FormReason, str]] = {"submitted": "form_data", "cancelled": "form_cancel"}
_PAST_TENSE: Final[dict[FormReason, str]] = {
    "submitted": "was answered",
    "cancelled": "was cancelled",
    "expired": "expired",
    "replaced": "was replaced",
    "terminated": "ended with the session",
}


# DESIGN §3: form_show, secure_form_show → `FormOpened(form)`. Same id and content while open:
# duplicate; other content: `FormClosed("replaced")`, `FormOpened`. At the deadline, which counts
# from now (PROTOCOL.md §5, a choice): `FormClosed("expired")`.
def form_show(session: SessionState, event: Shown, effects: list[Effect]) -> None:
    """Open a form, unless a cached poll brings it again after it was closed."""
    form, content = _form_of(session, event), value_fingerprint(event)
    request_id, timestamp = form.request_id, event.timestamp
    key = _key_of(event)
    seen = key is not None and is_seen(session, _FORMS, key, content)
    waiting = session.forms.get(request_id) if session.forms else None
    if seen or (waiting is not None and waiting.fingerprint == content):
        session.count_duplicate(event, effects)
    elif waiting is None and len(session.forms or ()) >= session.settings.max_forms:
        limit = session.settings.max_forms
        text = f"more than {limit} open forms: form {quoted(request_id)} is ignored"
        raw = to_plain(evolve(form, deadline=None))  # it is not kept, so it has no deadline
        session.report_violation("too_many_forms", text, raw)
        return
    else:
        if waiting is not None:
            close_form(session, request_id, "form_show", effects)
        if session.forms is None:
            session.forms = {}
        session.forms[request_id] = _open_form(form, content, timestamp)
        if form.deadline is not None and form.deadline < session.deadline_bound:
            session.deadline_bound = form.deadline
        effects.append(_opened(form))
    if key is not None and not seen:
        remember(session, _FORMS, key, content)


def _key_of(event: Shown) -> str | None:
    """Return the key of a shown form among the seen ids; None if the event has no timestamp."""
    return None if event.timestamp is None else f"{event.timestamp} {event.form_request_id}"


def _form_of(session: SessionState, event: Shown) -> Form:
    """Return the form that an event shows; the wire gives secure forms no time limit."""
    if isinstance(event, events.SecureFormShow):
        return _form(event.form_request_id, event.form_id, True)
    timeout = event.form_timeout
    # 0 means no limit: a form that expires at once makes no sense.
    deadline = deadline_after(session.now, timeout) if timeout else None
    return _form(event.form_request_id, event.form_name, False, deadline, event.form_content)


# DESIGN §3: form_data, the two cancels → `FormClosed("submitted" / "cancelled")`; for a form that
# is not open: `Anomaly("form_not_open")`, which is no violation of the server's. Data that is only
# a text ("Form not found") answers nothing.
def form_data(session: SessionState, event: events.FormData, effects: list[Effect]) -> None:
    """Close a form that the customer answered, on this or another device."""
    if event.has_answers and _close(session, event, "submitted", effects):
        clear_warning(session, effects)


def form_data_cancel(
    session: SessionState, event: events.FormDataCancel, effects: list[Effect]
) -> None:
    """Close a form that the customer cancelled."""
    if _close(session, event, "cancelled", effects):
        clear_warning(session, effects)


def secure_form_cancel(
    session: SessionState, event: events.SecureFormCancel, effects: list[Effect]
) -> None:
    """Close a secure form that one of the sides cancelled."""
    if _close(session, event, "cancelled", effects) and session.is_own(event.party_id):
        clear_warning(session, effects)


def _close(session: SessionState, event: Answer, reason: FormReason, effects: list[Effect]) -> bool:
    """Close a form, or report since when and why it is not open; False for a duplicate."""
    request_id, timestamp = event.form_request_id, event.timestamp
    closed = (session.closed_forms or {}).get(request_id or "")
    if request_id is None:
        pass
    elif session.forms and request_id in session.forms:
        close_form(session, request_id, _TRIGGERS[reason], effects, timestamp)
    elif closed is None:
        session.add_anomaly("form_not_open", f"form {quoted(request_id)} was not shown")
        remember_closed(session, request_id, ClosedForm(reason, session.now, timestamp))
    elif closed.reason == reason:
        session.count_duplicate(event, effects)  # an echo, or the answer beside a message
        return False
    else:
        seconds = max(0, round(session.now - closed.at))
        text = f"form {quoted(request_id)} {_PAST_TENSE[closed.reason]} {seconds} s before"
        session.add_anomaly("form_not_open", text)
    return True


def merge_shown(session: SessionState, event: Shown, effects: list[Effect]) -> None:
    """Merge a form of a history: it is open unless something answered it later."""
    request_id, shown_at = event.form_request_id, history_time(event.timestamp)
    closed = (session.closed_forms or {}).get(request_id)
    waiting = (session.forms or {}).get(request_id)
    own_text_at = session.own_text_at
    is_prompt = _form_of(session, event).is_text_prompt
    if (
        (is_prompt and own_text_at is not None and shown_at <= own_text_at)
        or (closed is not None and shown_at <= _closed_at(closed))
        or (
            waiting is not None
            and (shown_at, repr(value_fingerprint(event)))
            <= (history_time(waiting.server_time), repr(waiting.fingerprint))
        )
    ):
        session.count_duplicate(event, effects)
        key, content = _key_of(event), value_fingerprint(event)
        if key is not None and not is_seen(session, _FORMS, key, content):
            remember(session, _FORMS, key, content)  # a cached poll does not open it either
        return
    form_show(session, event, effects)
    _sort(session, request_id, shown_at)


def merge_answered(session: SessionState, event: Answer, effects: list[Effect]) -> None:
    """Merge an answer of a history: it closes the form, whichever of the two comes first."""
    request_id, timestamp = event.form_request_id, event.timestamp
    reason: FormReason = "submitted" if isinstance(event, events.FormData) else "cancelled"
    if request_id is None or (isinstance(event, events.FormData) and not event.has_answers):
        return
    waiting = (session.forms or {}).get(request_id)
    if waiting is not None and (
        timestamp is None or timestamp >= history_time(waiting.server_time)
    ):
        close_form(session, request_id, _TRIGGERS[reason], effects, timestamp)
        return
    session.count_duplicate(event, effects)
    closed = (session.closed_forms or {}).get(request_id)
    at = inf if timestamp is None else timestamp
    if waiting is None and (closed is None or at > _closed_at(closed)):
        remember_closed(session, request_id, ClosedForm(reason, session.now, timestamp))


def _sort(session: SessionState, request_id: str, shown_at: float) -> None:
    """Sort by timestamp, whatever the order of history pages; without a timestamp: last."""
    forms = session.forms or {}
    if request_id in forms:
        forms[request_id] = evolve(forms[request_id], server_time=shown_at)
    ordered = sorted(forms.items(), key=lambda item: (_shown_at(item[1]), item[0]))
    session.forms = dict(ordered) or None


def _shown_at(waiting: OpenForm) -> float:
    return inf if waiting.server_time is None else waiting.server_time


def _closed_at(closed: ClosedForm) -> float:
    """Return when a form was closed; after all others if the event had no timestamp."""
    return inf if closed.server_time is None else closed.server_time


# Commands.


def check_open(session: SessionState, command: commands.SubmitForm | commands.CancelForm) -> None:
    """Refuse to answer a form that is not open. Raises `LocalProtocolError` that says why."""
    request_id = command.request_id
    verb = "answer" if isinstance(command, commands.SubmitForm) else "cancel"
    refusal = f"cannot {verb} form {quoted(request_id)}"
    waiting = (session.forms or {}).get(request_id)
    if waiting is None:
        closed = (session.closed_forms or {}).get(request_id)
        if closed is None:
            raise LocalProtocolError(f"{refusal}: the server has not shown it")
        ago = _ago(session, closed.at)
        raise LocalProtocolError(f"{refusal}: it {_PAST_TENSE[closed.reason]} {ago}")
    deadline = waiting.form.deadline
    if deadline is not None and session.now >= deadline:
        raise LocalProtocolError(f"{refusal}: it expired {_ago(session, deadline)}")


def submit_form(session: SessionState, command: commands.SubmitForm, effects: list[Effect]) -> None:
    """Send a form's answers, which are stored nowhere, and close the form."""
    _answer(session, command, "form_data", effects)


def cancel_form(session: SessionState, command: commands.CancelForm, effects: list[Effect]) -> None:
    """Send the refusal of a form, and close it."""
    _answer(session, command, "form_cancel", effects)


def _answer(
    session: SessionState,
    command: commands.SubmitForm | commands.CancelForm,
    trigger: str,
    effects: list[Effect],
) -> None:
    form = (session.forms or {})[command.request_id].form
    session.queue_event(encode(evolve(command, form_name=form.name, secure=form.secure)))
    close_form(session, command.request_id, trigger, effects)
    clear_warning(session, effects)


def _ago(session: SessionState, at: float) -> str:
    return f"{max(0, round(session.now - at))} s ago"
