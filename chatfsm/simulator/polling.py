"""The long poll: one a session, held until there is news, or for so long."""

from __future__ import annotations

from typing import Final

from chatfsm.simulator.http_api import Asked, RefusedError, any_chat, as_json
from chatfsm.simulator.state import Caller, CenterState, Chat, Event, Held
from chatfsm.transport import HttpReply

__all__ = ["answer_held", "break_off", "break_off_all", "poll", "taken_news"]

_BAD_REQUEST: Final = 400


def poll(desk: CenterState, asked: Asked, caller: Caller) -> HttpReply | None:
    """Tell what is new, or wait for it; who is told the last of a session that is over is done."""
    chat = any_chat(desk, asked, caller)
    if chat.poll is not None:
        raise RefusedError("5509", status=None if desk.settings.busy_with_429 else _BAD_REQUEST)
    if chat.is_cut:
        chat.is_cut = False
        raise RefusedError("5004")
    if chat.news:
        return _answer(desk, chat, asked.id)
    if chat.is_over:
        raise RefusedError("5005")
    chat.poll = Held(asked.id, desk.now + desk.settings.hold)
    desk.held[asked.id] = chat
    desk.stirred[chat.chat_id] = None
    return None


def taken_news(chat: Chat) -> list[Event]:
    """What is new, which it is no longer."""
    news, chat.news = chat.news, []
    return news


def answer_held(desk: CenterState, chat: Chat) -> None:
    """Answer the poll that waits, where there is news or its time is over.

    Where its connection is broken the answer goes nowhere, and takes the news along.
    """
    held = chat.poll
    if held is None or not (chat.news or desk.now >= held.until):
        return
    chat.poll = None
    desk.held.pop(held.request_id, None)
    reply = _answer(desk, chat, held.request_id)
    if not held.is_dead:
        desk.ready.append(reply)


def break_off(desk: CenterState, request_id: int) -> None:
    """The connection of a poll broke: the center notices, or does not."""
    chat = desk.held.get(request_id)
    if chat is None or chat.poll is None:
        return
    del desk.held[request_id]
    if desk.settings.hears_aborts:
        chat.poll = None
        chat.polled_at = desk.now
    else:
        chat.poll.is_dead = True
    desk.stirred[chat.chat_id] = None


def break_off_all(desk: CenterState) -> list[int]:
    """The server restarts: nothing is held any more, and what no poll has brought is forgotten.

    A client whose poll does not break is told by the next one, with 5004: else it could not know.
    """
    broken = sorted(desk.held) + [reply.id for reply in desk.ready]
    desk.held.clear()
    desk.ready.clear()
    for chat in desk.chats.values():
        chat.is_cut = not chat.is_over and (chat.poll is None or chat.poll.is_dead)
        chat.poll = None
        chat.news.clear()
        chat.polled_at = desk.now
        desk.stirred[chat.chat_id] = None
    return broken


def _answer(desk: CenterState, chat: Chat, request_id: int) -> HttpReply:
    chat.polled_at = desk.now
    desk.stirred[chat.chat_id] = None
    return as_json(request_id, {"events": taken_news(chat)})
