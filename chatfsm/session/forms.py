"""Forms that wait for an answer: each is opened once and closed once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from attrs import evolve

from chatfsm.protocol import events
from chatfsm.session import law
from chatfsm.session.deadlines import Due
from chatfsm.session.effects import FormClosed, FormOpened, FormReason
from chatfsm.session.identity import content_of, is_known, remember
from chatfsm.session.plain import to_plain, written
from chatfsm.session.state import OpenForm, Turn, quoted
from chatfsm.session.values import Form

# Where closed forms are remembered among what was told; no party is called so.
_FORMS = "\0forms"


def shown(turn: Turn, event: events.FormShow) -> None:
    """Open a form; its time runs from now (PROTOCOL.md §5: a choice)."""
    deadline = None
    if event.form_timeout:  # 0 is no limit: a form that nobody could answer makes no sense
        deadline = turn.now + event.form_timeout
    _open(turn, event, Form(event.form_request_id, event.form_name, deadline=deadline))


def secure_shown(turn: Turn, event: events.SecureFormShow) -> None:
    """Open a secure form; the wire gives it no time limit."""
    _open(turn, event, Form(event.form_request_id, event.form_id, secure=True))


def submitted(turn: Turn, event: events.FormData) -> None:
    """The customer answered, on this or another device."""
    _close(turn, event.form_request_id, "form_data")


def cancelled(turn: Turn, event: events.FormDataCancel | events.SecureFormCancel) -> None:
    """One of the sides no longer wants the form."""
    _close(turn, event.form_request_id, "form_cancel")


def prompt_answered(turn: Turn, event: events.Message) -> None:
    """A text of the customer's answers the latest text prompt (PROTOCOL.md §2)."""
    memory = turn.memory
    if not memory.forms or not memory.is_own(event.party_id):
        return
    prompts = [
        request_id for request_id, open_ in memory.forms.items() if open_.form.is_text_prompt
    ]
    if prompts:
        _close(turn, prompts[-1], "message")


def all_closed(turn: Turn, _event: events.Event) -> None:
    """No form outlives the session."""
    memory = turn.memory
    if memory.forms and memory.state in law.OUTCOMES:
        for request_id in list(memory.forms):
            _close(turn, request_id, "termination")


def due(turn: Turn) -> Iterator[Due]:
    """Forms whose time has passed."""
    for request_id, waiting in (turn.memory.forms or {}).items():
        deadline = waiting.form.deadline
        if deadline is not None and turn.now >= deadline:
            yield Due(deadline, _expire, request_id)


def _open(turn: Turn, event: events.FormShow | events.SecureFormShow, form: Form) -> None:
    memory = turn.memory
    content = content_of(written(evolve(event, timestamp=None)), type(event).__name__)
    waiting = (memory.forms or {}).get(form.request_id)
    if (waiting is not None and waiting.content == content) or _was_opened(turn, event, content):
        turn.absorb()
        return
    if waiting is not None:
        _close(turn, form.request_id, "form_show")
    elif len(memory.forms or ()) >= turn.settings.max_forms:
        who = quoted(form.request_id)
        turn.report("too_many_forms", f"no room to keep form {who} open", to_plain(form))
        return
    if memory.forms is None:
        memory.forms = {}
    memory.forms[form.request_id] = OpenForm(form, content)
    if form.deadline is not None:
        memory.wake = min(memory.wake, form.deadline)
    if event.timestamp is not None:
        remember(turn, _FORMS, form.request_id, _stamped(event, content))
    turn.tell(FormOpened(form))


def _was_opened(turn: Turn, event: events.FormShow | events.SecureFormShow, content: str) -> bool:
    """Whether this very event was met before, so that a cached poll opens no dead form."""
    if event.timestamp is None:
        return False
    stamped = _stamped(event, content)
    return is_known(turn.memory, _FORMS, event.form_request_id, stamped) is True


def _stamped(event: events.FormShow | events.SecureFormShow, content: str) -> str:
    return content_of(content, str(event.timestamp))


def _close(turn: Turn, request_id: str | None, trigger: str) -> None:
    forms = turn.memory.forms
    if not forms or request_id not in forms:
        return  # answered elsewhere, or closed before: nothing waits, nothing is told
    reason = cast("FormReason", law.FORM.moves[law.FORM.initial][trigger])
    waiting = forms.pop(request_id)
    if not forms:
        turn.memory.forms = None
    turn.tell(FormClosed(waiting.form, reason))


def _expire(turn: Turn, request_id: str) -> None:
    _close(turn, request_id, "deadline")
