"""The history: asked for after every gap that may have swallowed something, and merged."""

from __future__ import annotations

from math import inf

from chatfsm._client import http_api, sending
from chatfsm._client import state as moves
from chatfsm._client.failures import (
    answer_in,
    change_link,
    consequences,
    doubt,
    is_unreachable,
    put_off,
    search_server,
)
from chatfsm._client.state import Owed, State, Step, moved
from chatfsm.errors import ApiError
from chatfsm.inputs import History
from chatfsm.transport import HttpFailure, HttpReply

__all__ = ["answered", "ask", "next_at"]


def next_at(state: State) -> float:
    """When the history is to be asked for, or doubted; infinity: it is not."""
    due = state.history_pace.at if state.history == "due" else inf
    return due if state.recheck_at is None else min(due, state.recheck_at)


def ask(step: Step) -> None:
    """Ask for the history, unless it is only now that there is a doubt and it has to wait."""
    state = step.state
    if state.recheck_at is not None and step.now >= state.recheck_at:
        state.recheck_at = None
        doubt(step)
        if step.now < next_at(state):
            return
    state.history = moved(moves.HISTORY, state.history, "ask")
    method, settings = http_api.HISTORY, step.settings
    step.ask(
        "history",
        method,
        path=method.path_for(None, step.chat_id),
        timeout=settings.request_timeout,
        max_body=settings.max_body,
    )


def answered(step: Step, owed: Owed, item: HttpReply | HttpFailure) -> None:
    """Merge what the server kept, and know what has arrived."""
    try:
        events = answer_in(step, owed, http_api.HISTORY, item, is_chat=True)
    except ApiError as error:
        _failed(step, error)
        return
    state = step.state
    state.history = moved(moves.HISTORY, state.history, "answer")
    state.history_pace.failures = 0
    if state.history == "fresh":
        sending.resolve(step, events, complete=True)
    else:  # asked for before the last doubt: it cannot tell
        step.hear(History(events, complete=False))


def _failed(step: Step, error: ApiError) -> None:
    state = step.state
    is_over = consequences(step, error)
    if not is_over and not error.transient:
        # The server will not tell, ever: what is in doubt stays so, and the rest goes on.
        state.history = moved(moves.HISTORY, state.history, "give_up")
        sending.resolve(step, [], complete=False)
        return
    state.history = moved(moves.HISTORY, state.history, "fail")
    if is_over:
        return
    if is_unreachable(error):  # and so are polls; a server that is there may lack histories alone
        search_server(step, error)
    else:
        put_off(step, state.history_pace, error)
        change_link(step, "failed", str(error))
