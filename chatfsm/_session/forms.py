"""Forms that await an answer: each is opened once and closed once."""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import Final, cast

from attrs import evolve

from chatfsm import commands, events
from chatfsm._plain import to_plain
from chatfsm._protocol.codec import encode
from chatfsm._session import tables
from chatfsm._session.duplicates import Seen, lookup, remember, value_fingerprint
from chatfsm._session.state import (
    ClosedForm,
    DueAction,
    OpenForm,
    SessionState,
    Turn,
    deadline_after,
    quoted,
)
from chatfsm._values import fast_constructor
from chatfsm.effects import FormClosed, FormOpened, FormReason
from chatfsm.errors import LocalProtocolError
from chatfsm.models import Form

Shown = events.FormShow | events.SecureFormShow

# The scope of forms in the seen ids.
_FORM_SCOPE: Final = ("form", None)

_make_form: Final = fast_constructor(Form)
_make_open_form: Final = fast_constructor(OpenForm)
_make_closed_form: Final = fast_constructor(ClosedForm)
_make_form_opened: Final = fast_constructor(FormOpened)
_make_form_closed: Final = fast_constructor(FormClosed)

# Trigger → reason why an open form is closed.
_REASONS: Final = cast("dict[str, FormReason]", tables.FORM.moves[tables.FORM.initial])

_REASON_TEXTS: Final[dict[FormReason, str]] = {
    "submitted": "was answered",
    "cancelled": "was cancelled",
    "expired": "expired",
    "replaced": "was replaced",
    "terminated": "ended with the session",
}


def on_shown(turn: Turn, event: Shown) -> None:
    """Open a form; its time runs from now (PROTOCOL.md §5: a choice)."""
    _open(turn, event, _form_of(turn, event))


def on_submitted(turn: Turn, event: events.FormData) -> None:
    """Close a form that the customer answered, on this device or another."""
    _close(turn, event.form_request_id, "form_data")


def on_cancelled(turn: Turn, event: events.FormDataCancel | events.SecureFormCancel) -> None:
    """Close a form that the customer or the server cancelled."""
    _close(turn, event.form_request_id, "form_cancel")


def on_prompt_answered(turn: Turn, event: events.Message) -> None:
    """Close the latest text prompt, which a text of the customer answers (PROTOCOL.md §2)."""
    note_own_text_time(turn.memory, event.timestamp)
    if turn.memory.forms:
        _close(turn, _latest_prompt(turn), "message")


def note_own_text_time(memory: SessionState, at: float | None) -> None:
    """Remember the server time of the customer's last text."""
    if at is not None and (memory.own_text_at is None or at > memory.own_text_at):
        memory.own_text_at = at


def merge_shown(turn: Turn, event: Shown) -> None:
    """Merge a form from a history: open it unless it was answered since."""
    memory, server_time = turn.memory, _past_time(event)
    form = _form_of(turn, event)
    closed = _closed_forms(turn).get(form.request_id)
    text_at = memory.own_text_at
    answered = form.is_text_prompt and text_at is not None and server_time <= text_at
    open_form = (memory.forms or {}).get(form.request_id)
    if answered or (closed is not None and server_time <= _closed_at(closed)):
        turn.count_duplicate()
    elif open_form is None or (server_time, value_fingerprint(event)) > (
        _past_time(open_form),
        open_form.fingerprint,
    ):
        _open(turn, event, form)
        _sort_forms(turn, form.request_id, server_time)
    else:
        turn.count_duplicate()


def merge_answered(
    turn: Turn, event: events.FormData | events.FormDataCancel | events.SecureFormCancel
) -> None:
    """Merge an answer from a history: close the form, whichever of the two comes first."""
    memory, request_id = turn.memory, event.form_request_id
    if request_id is None:
        return
    server_time = event.timestamp
    open_form = (memory.forms or {}).get(request_id)
    if open_form is not None and (server_time is None or server_time >= _past_time(open_form)):
        trigger = "form_data" if isinstance(event, events.FormData) else "form_cancel"
        _close(turn, request_id, trigger, server_time)
    else:
        turn.count_duplicate()
        closed = _closed_forms(turn).get(request_id)
        at = inf if server_time is None else server_time
        if open_form is None and (closed is None or at > _closed_at(closed)):
            reason: FormReason = "submitted" if isinstance(event, events.FormData) else "cancelled"
            _remember_closed(turn, request_id, ClosedForm(reason, turn.now, server_time))


def merge_text_answer(turn: Turn, event: events.Message) -> None:
    """Merge a text of the customer from a history: it answers all text prompts before it."""
    note_own_text_time(turn.memory, _past_time(event))
    for request_id, open_form in list((turn.memory.forms or {}).items()):
        if open_form.form.is_text_prompt and _past_time(open_form) <= _past_time(event):
            _close(turn, request_id, "message", event.timestamp)


def check_open(turn: Turn, command: commands.SubmitForm | commands.CancelForm) -> None:
    """Refuse to answer a form that is not open, and state why it is not."""
    memory, request_id = turn.memory, command.request_id
    open_form = (memory.forms or {}).get(request_id)
    verb = "answer" if isinstance(command, commands.SubmitForm) else "cancel"
    refusal = f"cannot {verb} form {quoted(request_id)}"
    if open_form is None:
        closed = _closed_forms(turn).get(request_id)
        if closed is None:
            raise LocalProtocolError(f"{refusal}: the server has not shown it")
        raise LocalProtocolError(
            f"{refusal}: it {_REASON_TEXTS[closed.reason]} {_ago(turn, closed.at)}"
        )
    deadline = open_form.form.deadline
    if deadline is not None and turn.now >= deadline:
        raise LocalProtocolError(f"{refusal}: it expired {_ago(turn, deadline)}")


def submit(turn: Turn, command: commands.SubmitForm) -> None:
    """Send the answer to a form; the session does not keep it."""
    form = _open_form(turn, command.request_id)
    turn.queue_event(encode(evolve(command, form_name=form.name, secure=form.secure)))
    _close(turn, command.request_id, "form_data")


def cancel(turn: Turn, command: commands.CancelForm) -> None:
    """Cancel a form."""
    form = _open_form(turn, command.request_id)
    turn.queue_event(encode(evolve(command, form_name=form.name, secure=form.secure)))
    _close(turn, command.request_id, "form_cancel")


def answer_prompt(turn: Turn, command: commands.SendText) -> None:
    """Answer the latest text prompt with a text: as form data, besides the message itself."""
    prompt = _latest_prompt(turn)
    if prompt is not None:
        answer = {"text": command.text}
        turn.queue_event(encode(commands.SubmitForm(prompt, answer, form_name="")))
        _close(turn, prompt, "message")


def close_all(turn: Turn, _item: object) -> None:
    """Close all forms, because the session is over."""
    for request_id in list(turn.memory.forms or ()):
        _close(turn, request_id, "termination")


def due_forms(turn: Turn) -> Iterator[DueAction]:
    """Yield the forms whose deadline has passed."""
    for request_id, open_form in (turn.memory.forms or {}).items():
        deadline = open_form.form.deadline
        if deadline is not None and turn.now >= deadline:
            yield DueAction(deadline, _expire, request_id)


def _open(turn: Turn, event: Shown, form: Form) -> None:
    memory, request_id = turn.memory, form.request_id
    content = value_fingerprint(event)
    event_key = None if event.timestamp is None else f"{event.timestamp} {request_id}"
    # A cached poll repeats the event with its timestamp; it must not open a closed form again.
    is_old = event_key is not None and lookup(memory, _FORM_SCOPE, event_key, content) is Seen.SAME
    open_form = (memory.forms or {}).get(request_id)
    if is_old or (open_form is not None and open_form.fingerprint == content):
        turn.count_duplicate()
    elif open_form is None and len(memory.forms or ()) >= turn.settings.max_forms:
        lost = to_plain(evolve(form, deadline=None))  # a form that is not open never expires
        text = (
            f"more than {turn.settings.max_forms} open forms: form {quoted(request_id)} is ignored"
        )
        turn.report_violation("too_many_forms", text, lost)
        return
    else:
        if open_form is not None:
            _close(turn, request_id, "form_show")
        _add_open(turn, _make_open_form(form, content, event.timestamp))
    if event_key is not None and not is_old:
        remember(turn, _FORM_SCOPE, event_key, content)


def _add_open(turn: Turn, open_form: OpenForm) -> None:
    memory, form = turn.memory, open_form.form
    if memory.forms is None:
        memory.forms = {}
    memory.forms[form.request_id] = open_form
    if form.deadline is not None:
        memory.deadline_bound = min(memory.deadline_bound, form.deadline)
    turn.effects.append(_make_form_opened(form))


def _form_of(turn: Turn, event: Shown) -> Form:
    """Return the form that an event shows; secure forms have no time limit on the wire."""
    if isinstance(event, events.SecureFormShow):
        return _make_form(event.form_request_id, event.form_id, True)
    deadline = None
    if event.form_timeout:  # 0 means no limit: a form of 0 s could not be answered
        deadline = deadline_after(turn.now, event.form_timeout)
    return _make_form(event.form_request_id, event.form_name, False, deadline)


def _sort_forms(turn: Turn, request_id: str, server_time: float) -> None:
    """Sort the forms by their server time, because pages of a history come in any order."""
    forms = turn.memory.forms or {}
    if request_id in forms:
        forms[request_id] = evolve(forms[request_id], server_time=server_time)
    by_time = sorted(forms.items(), key=lambda item: (_shown_at(item[1]), item[0]))
    turn.memory.forms = dict(by_time) or None


def _shown_at(open_form: OpenForm) -> float:
    """Return when a form was shown; inf if the event bore no time, so that it sorts last."""
    return inf if open_form.server_time is None else open_form.server_time


def _open_form(turn: Turn, request_id: str) -> Form:
    return (turn.memory.forms or {})[request_id].form


def _latest_prompt(turn: Turn) -> str | None:
    for request_id, open_form in reversed((turn.memory.forms or {}).items()):
        if open_form.form.is_text_prompt:
            return request_id
    return None


def _close(
    turn: Turn, request_id: str | None, trigger: str, server_time: float | None = None
) -> None:
    forms = turn.memory.forms
    if not forms or request_id not in forms:
        return  # answered on another device, or closed before
    reason = _REASONS[trigger]
    open_form = forms.pop(request_id)
    if not forms:
        turn.memory.forms = None
    if reason != "replaced":  # a replaced form is open still
        at = turn.now if reason != "expired" else open_form.form.deadline or turn.now
        _remember_closed(
            turn, open_form.form.request_id, _make_closed_form(reason, at, server_time)
        )
    turn.effects.append(_make_form_closed(open_form.form, reason))


def _remember_closed(turn: Turn, request_id: str, form: ClosedForm) -> None:
    closed = _closed_forms(turn)
    closed.pop(request_id, None)
    if len(closed) >= turn.settings.max_forms:
        del closed[next(iter(closed))]
    closed[request_id] = form
    turn.memory.closed_forms = closed


def _ago(turn: Turn, at: float) -> str:
    return f"{max(0, round(turn.now - at))} s ago"


def _expire(turn: Turn, request_id: str) -> None:
    _close(turn, request_id, "deadline")


def _past_time(event: Shown | events.Message | OpenForm) -> float:
    """Return the server time of an event in a history or of a form; -1 if it bears none."""
    server_time = event.server_time if isinstance(event, OpenForm) else event.timestamp
    return -1.0 if server_time is None else server_time


def _closed_at(closed: ClosedForm) -> float:
    """Return when a form was closed; inf if the event bore no time."""
    return inf if closed.server_time is None else closed.server_time


def _closed_forms(turn: Turn) -> dict[str, ClosedForm]:
    return turn.memory.closed_forms or {}
