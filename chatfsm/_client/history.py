"""The history: asked for after every gap that may have swallowed something, and merged."""

from __future__ import annotations

from math import inf

from chatfsm._client import http_api, sending
from chatfsm._client import state as moves
from chatfsm._client.failures import (
    change_link,
    handle_fatal,
    is_unreachable,
    probe_server,
    read_reply,
    request_history,
    schedule_retry,
)
from chatfsm._client.state import ClientState, ClientTurn, PendingRequest, next_state
from chatfsm.errors import ApiError
from chatfsm.inputs import History
from chatfsm.transport import HttpFailure, HttpReply

__all__ = ["next_at", "on_answer", "send"]


def next_at(state: ClientState) -> float:
    """When the history is to be asked for, or doubted; infinity: it is not."""
    due = state.history_timer.at if state.history == "due" else inf
    return due if state.history_recheck_at is None else min(due, state.history_recheck_at)


def send(turn: ClientTurn) -> None:
    """Ask for the history, unless it is only now that there is a doubt and it has to wait."""
    state = turn.state
    if state.history_recheck_at is not None and turn.now >= state.history_recheck_at:
        state.history_recheck_at = None
        request_history(turn)
        if turn.now < next_at(state):
            return
    state.history = next_state(moves.HISTORY, state.history, "send")
    method, settings = http_api.HISTORY, turn.settings
    turn.issue(
        "history",
        method,
        path=method.path_for(None, turn.chat_id),
        timeout=settings.request_timeout,
        max_body=settings.max_body,
    )


def on_answer(turn: ClientTurn, pending: PendingRequest, item: HttpReply | HttpFailure) -> None:
    """Merge what the server kept, and know what has arrived."""
    try:
        events = read_reply(turn, pending, http_api.HISTORY, item, is_chat=True)
    except ApiError as error:
        _on_error(turn, error)
        return
    state = turn.state
    state.history = next_state(moves.HISTORY, state.history, "answer")
    state.history_timer.failures = 0
    if state.history == "fresh":
        sending.resolve(turn, events, complete=True)
    else:  # asked for before the last doubt: it cannot tell
        turn.feed_session(History(events, complete=False))


def _on_error(turn: ClientTurn, error: ApiError) -> None:
    state = turn.state
    is_over = handle_fatal(turn, error)
    if not is_over and not error.transient:
        # The server will not tell, ever: what is in doubt stays so, and the rest goes on.
        state.history = next_state(moves.HISTORY, state.history, "give_up")
        sending.resolve(turn, [], complete=False)
        return
    state.history = next_state(moves.HISTORY, state.history, "fail")
    if is_over:
        return
    if is_unreachable(error):  # and so are polls; a server that is there may lack histories alone
        probe_server(turn, error)
    else:
        schedule_retry(turn, state.history_timer, error)
        change_link(turn, "failed", str(error))
