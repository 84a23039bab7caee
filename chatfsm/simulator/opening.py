"""What is asked before there is a chat, and how one begins."""

from __future__ import annotations

from typing import Any, Final

from chatfsm.conversation.exchange import HttpReply
from chatfsm.protocol import readers
from chatfsm.simulator.asked import Asked
from chatfsm.simulator.bodies import object_in
from chatfsm.simulator.chat import Chat
from chatfsm.simulator.desk import Caller, Desk
from chatfsm.simulator.errors import RefusedError
from chatfsm.simulator.replying import as_json
from chatfsm.simulator.telling import tell

__all__ = [
    "active_chat",
    "availability",
    "ice_servers",
    "parameters",
    "request_chat",
    "request_sms",
    "server_version",
]

_FIRST: Final = 1


def availability(desk: Desk, asked: Asked, caller: Caller) -> HttpReply:
    """Whether somebody is there, and how long it would take."""
    entry = caller.entry
    is_there = entry.is_open and entry.scenario is not None
    found = {"chat": "available" if is_there else "notAvailable"}
    ewt = str(desk.agents[caller.tenant.url].wait_of()) if entry.ewt is None else entry.ewt
    if ewt:
        found["ewt"] = ewt
    return as_json(asked.id, found)


def parameters(_desk: Desk, asked: Asked, caller: Caller) -> HttpReply:
    """What the scenario would like to be told."""
    expected = [{name: kind} for name, kind in caller.entry.parameters.items()]
    return as_json(asked.id, {"parameters": expected})


def ice_servers(_desk: Desk, asked: Asked, caller: Caller) -> HttpReply:
    """The servers that help a call; what one has not is left out."""
    found = [
        {
            name: value
            for name, value in (
                ("url", server.url),
                ("username", server.username),
                ("credential", server.credential),
            )
            if value is not None
        }
        for server in caller.tenant.ice_servers
    ]
    return as_json(asked.id, {"servers": found})


def server_version(desk: Desk, asked: Asked, _caller: Caller) -> HttpReply:
    """What the server calls itself."""
    return as_json(asked.id, {"server_version": desk.settings.server_version})


def request_sms(desk: Desk, asked: Asked, _caller: Caller) -> HttpReply:
    """A chat by text message is accepted, and goes on where nobody here sees it."""
    _wishes(desk, asked)
    return as_json(asked.id, {"sms_error_code": 0, "error_message": ""})


def request_chat(desk: Desk, asked: Asked, caller: Caller) -> HttpReply:
    """The chat that the client has, or a new one."""
    wishes = _wishes(desk, asked)
    chat = desk.current.get(caller.key)
    is_new = chat is None
    if chat is None:
        chat = _begun(desk, asked, caller, wishes)
    flag: bool | str = is_new
    if asked.version == _FIRST and desk.settings.flags_as_text:
        flag = "true" if is_new else "false"
    return as_json(asked.id, {**_properties(chat), "is_new_chat": flag})


def active_chat(desk: Desk, asked: Asked, caller: Caller) -> HttpReply:
    """The chat that the client has. Raises `RefusedError` where it has none."""
    chat = desk.current.get(caller.key)
    if chat is None:
        raise RefusedError("5005")
    return as_json(asked.id, _properties(chat))


def _wishes(desk: Desk, asked: Asked) -> dict[str, Any]:
    wishes = object_in(asked.body, desk.settings)
    for name in ("phone_number", "from"):
        given = wishes.get(name)
        if given is not None and not (
            isinstance(given, str) and len(given) <= readers.LONGEST_NAME
        ):
            raise RefusedError("5003")
    if not isinstance(wishes.get("parameters") or {}, dict):
        raise RefusedError("5003")
    return wishes


def _begun(desk: Desk, asked: Asked, caller: Caller, wishes: dict[str, Any]) -> Chat:
    scenario = caller.entry.scenario
    if scenario is None:
        raise RefusedError("5006")
    if len(desk.current) >= desk.settings.max_open:
        raise RefusedError("5001")
    chat_id = desk.new_id("chat")
    chat = Chat(
        chat_id=chat_id,
        client_id=caller.client_id,
        tenant=caller.tenant,
        entry=caller.entry,
        version=asked.version,
        play=desk.make_play(scenario, desk.agents[caller.tenant.url], chat_id),
        created_at=desk.wall_clock,
        polled_at=desk.now,
        active_at=desk.now,
        phone_number=wishes.get("phone_number"),
        parameters=wishes.get("parameters") or {},
    )
    desk.chats[chat_id] = desk.current[caller.key] = desk.playing[chat.play] = chat
    tell(desk, chat, chat.play.begin(now=desk.now))
    return chat


def _properties(chat: Chat) -> dict[str, Any]:
    found = {"chat_id": chat.chat_id, "state": chat.state, "ewt": chat.ewt}
    if chat.phone_number is not None:
        found["phone_number"] = chat.phone_number
    return found
