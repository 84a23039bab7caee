"""What goes on in a chat: the customer's events come in, and histories go out."""

from __future__ import annotations

from typing import Final

from chatfsm.conversation.exchange import HttpReply
from chatfsm.simulator import wire
from chatfsm.simulator.asked import Asked
from chatfsm.simulator.bodies import events_in, object_in
from chatfsm.simulator.desk import Caller, Desk
from chatfsm.simulator.errors import RefusedError
from chatfsm.simulator.finding import any_chat, live_chat
from chatfsm.simulator.hearing import hear
from chatfsm.simulator.polling import taken_news
from chatfsm.simulator.replying import as_json, empty
from chatfsm.simulator.telling import tell

__all__ = ["case_history", "close_case", "history", "notifications", "post"]

_FIRST: Final = 1
_NOT_ACCEPTABLE: Final = 406
# Each kind of token by the names that make it. Source: PROTOCOL.md §1.
_TOKENS: Final = {
    "apns": frozenset({"ios_apns_device_token", "ios_app_bundle_id"}),
    "firebase for iOS": frozenset({"ios_firebase_device_token"}),
    "firebase for Android": frozenset({"android_firebase_device_token"}),
}


def post(desk: Desk, asked: Asked, caller: Caller) -> HttpReply:
    """Take all the events, or none; version 1 answers with what is new."""
    chat = live_chat(desk, asked, caller)
    for event in events_in(asked.body, desk.settings):
        hear(desk, chat, event)
    if asked.version == _FIRST:
        return as_json(asked.id, {"events": taken_news(chat)})
    return empty(asked.id)


def history(desk: Desk, asked: Asked, caller: Caller) -> HttpReply:
    """What both sides have said, also after the end while it is kept."""
    return as_json(asked.id, {"events": any_chat(desk, asked, caller).past})


def case_history(desk: Desk, asked: Asked, caller: Caller) -> HttpReply:
    """All sessions of the client that are kept, the current one among them."""
    any_chat(desk, asked, caller)
    sessions = [
        {
            "chat_id": chat.chat_id,
            "created_time": int(chat.created_at),
            "events": chat.past,
        }
        for chat in desk.chats.values()
        if (chat.tenant_url, chat.client_id) == caller.key
    ]
    return as_json(asked.id, {"sessions": sessions})


def close_case(desk: Desk, asked: Asked, caller: Caller) -> HttpReply:
    """The chat belongs to no case any more. Raises `RefusedError` where it belonged to none."""
    chat = any_chat(desk, asked, caller)
    if chat.case_id is None:
        raise RefusedError("5601")
    if chat.is_over:
        chat.case_id = None
    else:
        tell(desk, chat, [{"event": wire.CASE_SET, "case_id": ""}])
    return as_json(asked.id, {})


def notifications(desk: Desk, asked: Asked, caller: Caller) -> HttpReply:
    """Remember which kind of token is to be told of news; an empty object forgets it."""
    chat = live_chat(desk, asked, caller)
    given = object_in(asked.body, desk.settings)
    names = {name for token in _TOKENS.values() for name in token if given.get(name) is not None}
    kind = next((kind for kind, needed in _TOKENS.items() if needed == names), None)
    if names and kind is None:
        raise RefusedError("5003", status=_NOT_ACCEPTABLE)
    if not all(isinstance(given[name], str) and given[name] for name in names):
        raise RefusedError("5003", status=_NOT_ACCEPTABLE)
    chat.push = kind
    return as_json(asked.id, {})
