"""History: requested after each gap in which events may have been lost, and merged."""

from __future__ import annotations

from math import inf

from chatfsm._client import http_api, sending
from chatfsm._client.failures import (
    change_link,
    handle_fatal,
    is_too_large,
    is_unreachable,
    probe_server,
    read_reply,
    request_history,
    schedule_retry,
)
from chatfsm._client.state import (
    HISTORY_TABLE,
    ClientState,
    ClientTurn,
    PendingRequest,
    next_state,
)
from chatfsm.errors import ApiError, SessionGoneError
from chatfsm.events import Malformed
from chatfsm.inputs import History
from chatfsm.transport import HttpFailure, HttpReply

__all__ = ["next_at", "on_answer", "send"]


def next_at(state: ClientState) -> float:
    """Return when to send the next request, or to request a recheck; infinity for neither."""
    due = state.history_timer.at if state.history == "due" else inf
    return due if state.history_recheck_at is None else min(due, state.history_recheck_at)


def send(turn: ClientTurn) -> None:
    """Request the history, unless a recheck that is due now must wait for another request."""
    state = turn.state
    if state.history_recheck_at is not None and turn.now >= state.history_recheck_at:
        state.history_recheck_at = None
        request_history(turn)
        if turn.now < next_at(state):
            return
    state.history = next_state(HISTORY_TABLE, state.history, "send")
    method, settings = http_api.HISTORY, turn.settings
    turn.issue(
        "history",
        method,
        path=method.path_for(None, turn.chat_id),
        timeout=settings.request_timeout,
        max_body=settings.max_body,
    )


def on_answer(turn: ClientTurn, pending: PendingRequest, item: HttpReply | HttpFailure) -> None:
    """Merge the events that the server kept, and decide which messages have arrived."""
    try:
        events = read_reply(turn, pending, http_api.HISTORY, item, is_chat=True)
    except ApiError as error:
        _on_error(turn, error)
        return
    state = turn.state
    state.history = next_state(HISTORY_TABLE, state.history, "answer")
    state.history_timer.failures = 0
    state.is_joining = state.is_gone = False
    if state.history == "fresh":
        turn.has_merged = True
        sending.resolve(turn, events, complete=True)
    else:  # requested before the latest gap: it cannot decide what has arrived since
        turn.feed_session(History(events, complete=False))


def _on_error(turn: ClientTurn, error: ApiError) -> None:
    state = turn.state
    if state.ending is not None:  # the last one: there is no second attempt
        state.history = next_state(HISTORY_TABLE, state.history, "give_up")
        state.ending.is_hopeless = True
        return
    if isinstance(error, SessionGoneError):
        # A chat that is over has no history, but its last events may still wait for a poll.
        state.history = next_state(HISTORY_TABLE, state.history, "give_up")
        state.is_gone = True
        if state.poll_timer.failures == 0:  # else the server is to be left alone until then
            state.poll_timer.at = turn.now
        return
    is_fatal = handle_fatal(turn, error)
    if not is_fatal and not error.transient:
        # There will be no history: unconfirmed messages stay so, and everything else goes on.
        state.history = next_state(HISTORY_TABLE, state.history, "give_up")
        state.is_joining = False
        if is_too_large(error):
            turn.feed_session(Malformed("history", None, str(error)))
        sending.resolve(turn, [], complete=False)
        return
    state.history = next_state(HISTORY_TABLE, state.history, "fail")
    if is_fatal:
        return
    if is_unreachable(error):  # then polls are too; a server that is there may lack histories only
        probe_server(turn, error)
    else:
        schedule_retry(turn, state.history_timer, error)
        change_link(turn, "failed", str(error))
