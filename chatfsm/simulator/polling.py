"""The long poll: one a session, held until there is news, or for so long."""

from __future__ import annotations

from typing import Final

from chatfsm.simulator.http_api import ApiCall, RefusedError, find_chat, json_reply
from chatfsm.simulator.state import ApiClient, CenterChat, CenterState, HeldPoll, WireEvent
from chatfsm.transport import HttpReply

__all__ = ["answer_held_poll", "disconnect_all_polls", "disconnect_poll", "poll", "take_pending"]

_BAD_REQUEST: Final = 400


def poll(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply | None:
    """Tell what is new, or wait for it; who is told the last of a session that is over is done."""
    chat = find_chat(state, call, client)
    if chat.held_poll is not None:
        raise RefusedError("5509", status=None if state.settings.busy_with_429 else _BAD_REQUEST)
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
    """What is new, which it is no longer."""
    news, chat.pending = chat.pending, []
    return news


def answer_held_poll(state: CenterState, chat: CenterChat) -> None:
    """Answer the poll that waits, where there is news or its time is over.

    Where its connection is broken the answer goes nowhere, and takes the news along.
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
    """The connection of a poll broke: the center notices, or does not."""
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
    """The server restarts: nothing is held any more, and what no poll has brought is forgotten.

    A client whose poll does not break is told by the next one, with 5004: else it could not know.
    """
    broken = sorted(state.chats_by_poll) + [reply.id for reply in state.ready_replies]
    state.chats_by_poll.clear()
    state.ready_replies.clear()
    for chat in state.chats.values():
        chat.has_lost_events = not chat.is_over and (
            chat.held_poll is None or chat.held_poll.is_disconnected
        )
        chat.held_poll = None
        chat.pending.clear()
        chat.polled_at = state.now
        state.dirty[chat.chat_id] = None
    return broken


def _answer(state: CenterState, chat: CenterChat, request_id: int) -> HttpReply:
    chat.polled_at = state.now
    state.dirty[chat.chat_id] = None
    return json_reply(request_id, {"events": take_pending(chat)})
