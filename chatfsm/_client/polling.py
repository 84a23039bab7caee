"""The poll: one at a time, by construction."""

from __future__ import annotations

from math import inf

from chatfsm._client import http_api
from chatfsm._client import state as moves
from chatfsm._client.failures import (
    NO_EVENTS,
    answer_in,
    change_link,
    consequences,
    doubt,
    found_no_server,
    is_busy,
    may_have_arrived,
    put_off,
    search_server,
)
from chatfsm._client.state import Owed, State, Step, moved
from chatfsm.errors import ApiError
from chatfsm.events import Event
from chatfsm.settings import ClientSettings
from chatfsm.transport import HttpFailure, HttpReply

__all__ = ["answered", "ask", "broke_off", "next_at", "open_up"]


def open_up(step: Step) -> None:
    """There is a chat: polls may be asked."""
    step.state.poll = moved(moves.POLL, step.state.poll, "open")


def broke_off(state: State, settings: ClientSettings) -> None:
    """The server may hold the poll still, and give it what happens meanwhile, which nobody hears.

    PROTOCOL.md §5: an aborted poll may or may not be delivered again.
    """
    state.recheck_at = state.polled_at + settings.server_hold


def next_at(state: State) -> float:
    """When the next poll is to be asked; infinity: not now.

    After a gap the history comes first. Where that fails at a server that is there, polls go on
    meanwhile: a customer who does not poll is soon taken for gone.
    """
    is_first = state.history == "fresh" or state.history_pace.failures > 0
    return state.poll_pace.at if state.poll == "due" and is_first else inf


def ask(step: Step) -> None:
    """Ask what is new."""
    state, settings, method = step.state, step.settings, http_api.POLL
    state.poll = moved(moves.POLL, state.poll, "ask")
    state.polled_at = step.now
    step.ask(
        "poll",
        method,
        path=method.path_for(None, step.chat_id),
        timeout=settings.poll_timeout,
        max_body=settings.max_body,
    )


def answered(step: Step, owed: Owed, item: HttpReply | HttpFailure) -> None:
    """Let the session hear what is new."""
    try:
        events = answer_in(step, owed, http_api.POLL, item, is_chat=True)
    except ApiError as error:
        if error.error_code != NO_EVENTS:
            _failed(step, error)
            return
        events = []
    _heard(step, events)


def _heard(step: Step, events: list[Event]) -> None:
    state, settings = step.state, step.settings
    state.poll = moved(moves.POLL, state.poll, "answer")
    state.heard_at = step.now
    change_link(step, "heard")
    before = len(step.effects)
    for event in events:
        step.hear(event)
    is_news = len(step.effects) > before
    state.poll_pace.failures = 0
    state.poll_pace.at = state.polled_at + (
        settings.poll_every_busy if is_news else settings.poll_every
    )


def _failed(step: Step, error: ApiError) -> None:
    state = step.state
    state.poll = moved(moves.POLL, state.poll, "fail")
    if consequences(step, error):
        return
    if found_no_server(error):
        search_server(step, error)
        return
    delay = put_off(step, state.poll_pace, error)
    change_link(step, "busy" if is_busy(error) else "failed", str(error))
    if may_have_arrived(error):  # and so may the reply have been, with what was new
        doubt(step, after=delay)
        broke_off(state, step.settings)
