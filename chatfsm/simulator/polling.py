"""Long polling: one poll per session, held until there are events or its time is over."""

from __future__ import annotations

from http import HTTPStatus

from chatfsm.simulator.http_api import ApiCall, RefusedError, find_chat, json_reply
from chatfsm.simulator.state import ApiClient, CenterChat, CenterState, HeldPoll
from chatfsm.simulator.wire_events import WireEvent
from chatfsm.transport import HttpReply

__all__ = [
    "add_pending",
    "answer_held_poll",
    "copy_pending",
    "disconnect_all_polls",
    "disconnect_poll",
    "poll",
    "take_pending",
]


def poll(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply | None:
    """Return the pending events, or None to hold the poll until there are some.

    Raises `RefusedError`: 5509 if a poll is held already, 5004 after a restart that lost events,
    5005 if the session is over and its last events were delivered.
    """
    chat = find_chat(state, call, client)
    if chat.held_poll is not None:
        raise RefusedError(
            "5509", status=None if state.settings.busy_with_429 else HTTPStatus.BAD_REQUEST
        )
    if chat.has_lost_events:
        chat.has_lost_events = False
        raise RefusedError("5004")
    if chat.pending:
        return _answer(state, chat, call.id)
    if chat.is_over:
        raise RefusedError("5005")
    chat.held_poll = HeldPoll(call.id, state.now + state.settings.hold)
    state.chats_by_poll[call.id] = chat
    state.dirty[chat.chat_id] = None
    return None


def take_pending(chat: CenterChat) -> list[WireEvent]:
    """Return the pending events, and leave none pending."""
    news, chat.pending = chat.pending, []
    chat.posted_count = 0
    return news


def copy_pending(chat: CenterChat) -> list[WireEvent]:
    """Return the pending events that no earlier call has returned; all of them stay pending.

    They are the reply to a POST in version 1. Shipped clients ignore it, so the next poll brings
    the same events.
    """
    news = chat.pending[chat.posted_count :]
    chat.posted_count = len(chat.pending)
    return news


def add_pending(chat: CenterChat, event: WireEvent, limit: int) -> None:
    """Append an event to the pending ones, and drop the oldest beyond `limit`."""
    chat.pending.append(event)
    dropped = len(chat.pending) - limit
    if dropped > 0:
        del chat.pending[:dropped]
        chat.posted_count = max(0, chat.posted_count - dropped)


def answer_held_poll(state: CenterState, chat: CenterChat) -> None:
    """Answer the held poll if there are events or its time is over.

    If its connection is broken, the reply is lost, and its events with it.
    """
    held = chat.held_poll
    if held is None or not (chat.pending or state.now >= held.until):
        return
    chat.held_poll = None
    state.chats_by_poll.pop(held.request_id, None)
    reply = _answer(state, chat, held.request_id)
    if not held.is_disconnected:
        state.ready_replies.append(reply)


def disconnect_poll(state: CenterState, request_id: int) -> None:
    """Note that a poll's connection broke. The center drops the poll, or does not notice."""
    chat = state.chats_by_poll.get(request_id)
    if chat is None or chat.held_poll is None:
        return
    del state.chats_by_poll[request_id]
    if state.settings.notices_aborts:
        chat.held_poll = None
        chat.polled_at = state.now
    else:
        chat.held_poll.is_disconnected = True
    state.dirty[chat.chat_id] = None


def disconnect_all_polls(state: CenterState) -> list[int]:
    """Drop all held polls and pending events, as a restart does; return the ids of the requests.

    A client whose poll does not break learns it from its next poll, by 5004.
    """
    broken = sorted(state.chats_by_poll) + [reply.id for reply in state.ready_replies]
    state.chats_by_poll.clear()
    state.ready_replies.clear()
    for chat in state.chats.values():
        chat.has_lost_events = not chat.is_over and (
            chat.held_poll is None or chat.held_poll.is_disconnected
        )
        chat.held_poll = None
        take_pending(chat)
        chat.polled_at = state.now
        state.dirty[chat.chat_id] = None
    return broken


def _answer(state: CenterState, chat: CenterChat, request_id: int) -> HttpReply:
    chat.polled_at = state.now
    state.dirty[chat.chat_id] = None
    return json_reply(request_id, {"events": take_pending(chat)})
