"""Which chat a path names; nobody finds another client's."""

from __future__ import annotations

from chatfsm.simulator.asked import Asked
from chatfsm.simulator.chat import Chat
from chatfsm.simulator.desk import Caller, Desk
from chatfsm.simulator.errors import RefusedError

__all__ = ["any_chat", "live_chat"]


def any_chat(desk: Desk, asked: Asked, caller: Caller) -> Chat:
    """The caller's chat, even where it is over. Raises `RefusedError` with 5005."""
    chat = desk.chats.get(asked.named["chat"])
    if chat is None or (chat.tenant_url, chat.client_id) != caller.key:
        raise RefusedError("5005")
    return chat


def live_chat(desk: Desk, asked: Asked, caller: Caller) -> Chat:
    """The caller's chat while its session lives. Raises `RefusedError` with 5005."""
    chat = any_chat(desk, asked, caller)
    if chat.is_over:
        raise RefusedError("5005")
    return chat
