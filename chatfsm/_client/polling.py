"""Polling: the long poll for new events, one at a time."""

from __future__ import annotations

from math import inf

from chatfsm._client import http_api, sending
from chatfsm._client.failures import (
    NO_EVENTS,
    change_link,
    handle_fatal,
    is_busy,
    may_have_arrived,
    probe_server,
    reached_no_server,
    read_reply,
    request_history,
    schedule_retry,
)
from chatfsm._client.state import POLL_TABLE, ClientState, ClientTurn, PendingRequest, next_state
from chatfsm.effects import Anomaly
from chatfsm.errors import ApiError
from chatfsm.events import Event
from chatfsm.settings import ClientSettings
from chatfsm.transport import HttpFailure, HttpReply

__all__ = ["next_at", "on_answer", "on_poll_lost", "send", "start"]


def start(turn: ClientTurn) -> None:
    """Begin to poll: there is a chat."""
    turn.state.poll = next_state(POLL_TABLE, turn.state.poll, "open")


def on_poll_lost(state: ClientState, settings: ClientSettings) -> None:
    """Schedule a history for the time when the server has let go of a poll that broke.

    Until then it may hold the poll and answer it with events that the client never sees. They may
    or may not be delivered again (PROTOCOL.md §5).
    """
    state.history_recheck_at = state.polled_at + settings.server_hold


def next_at(state: ClientState) -> float:
    """Return when to send the next poll; infinity if it must wait for a reply, or the chat ends.

    After a gap the history comes first. If a server is there but its history fails, polls go on in
    the meantime, because the server soon disconnects a customer that does not poll.
    """
    is_next = state.history == "fresh" or state.history_timer.failures > 0
    if state.ending is not None:
        return inf
    return state.poll_timer.at if state.poll == "due" and is_next else inf


def send(turn: ClientTurn) -> None:
    """Request new events."""
    state, settings, method = turn.state, turn.settings, http_api.POLL
    state.poll = next_state(POLL_TABLE, state.poll, "send")
    state.polled_at = turn.now
    turn.issue(
        "poll",
        method,
        path=method.path_for(None, turn.chat_id),
        timeout=settings.poll_timeout,
        max_body=settings.max_body,
    )


def on_answer(turn: ClientTurn, pending: PendingRequest, item: HttpReply | HttpFailure) -> None:
    """Pass new events to the session, or schedule a retry."""
    try:
        events = read_reply(turn, pending, http_api.POLL, item, is_chat=True)
    except ApiError as error:
        if error.error_code != NO_EVENTS:
            _on_error(turn, error)
            return
        events = []
    _on_events(turn, events)


def _on_events(turn: ClientTurn, events: list[Event]) -> None:
    state, settings = turn.state, turn.settings
    state.poll = next_state(POLL_TABLE, state.poll, "answer")
    state.poll_answered_at = turn.now
    change_link(turn, "succeeded")
    if state.is_poll_missed:
        state.is_poll_missed = False
        request_history(turn)
    count_before = len(turn.effects)
    turn.feed_events(events)
    if state.is_gone and state.ending is None:  # there is a chat, whose history is refused
        state.is_gone = state.is_joining = False
        sending.resolve(turn, [], complete=False)
    # A proxy may repeat a broken reply from its cache, which is no reason to hurry.
    has_news = any(not isinstance(effect, Anomaly) for effect in turn.effects[count_before:])
    state.poll_timer.failures = 0
    state.poll_timer.at = state.polled_at + (
        settings.poll_every_busy if has_news else settings.poll_every
    )


def _on_error(turn: ClientTurn, error: ApiError) -> None:
    state = turn.state
    state.poll = next_state(POLL_TABLE, state.poll, "fail")
    if state.ending is not None or handle_fatal(turn, error):
        return
    if reached_no_server(error):
        probe_server(turn, error)
        return
    delay = schedule_retry(turn, state.poll_timer, error)
    change_link(turn, "busy" if is_busy(error) else "failed", str(error))
    if is_busy(error):  # another client polls, and gets events that this one never sees
        state.is_poll_missed = True
    if may_have_arrived(error):  # then the server may have sent events in the lost reply
        request_history(turn, after=delay)
        on_poll_lost(state, turn.settings)
