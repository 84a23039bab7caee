"""Bodies of replies to typed values. Each reader raises ValueError for what it cannot use.

`DecodeError` is one: for what is not even JSON.
"""

from __future__ import annotations

from typing import Any

from chatfsm.conversation import replies as r
from chatfsm.conversation.endpoint import segment
from chatfsm.conversation.exchange import HttpReply
from chatfsm.protocol import events as e
from chatfsm.protocol import json_text, readers
from chatfsm.protocol.codec import decode

__all__ = [
    "availability",
    "case_history",
    "download",
    "events",
    "ice_servers",
    "nothing",
    "parameters",
    "session",
    "sms",
    "uploaded",
    "version",
]


def events(reply: HttpReply) -> list[e.Event]:
    """The events of a poll, a history, or a POST of v1; an empty body holds none."""
    if not reply.body.strip():
        return []
    value = json_text.parse(reply.body)
    if isinstance(value, dict) and value.get("events") is None and "event" not in value:
        return []
    if not isinstance(value, (dict, list)):
        raise ValueError("neither an object nor a list")  # noqa: TRY004  # readers say ValueError
    return decode(value)


def nothing(_reply: HttpReply) -> None:
    """A success is all the answer there is."""


def availability(reply: HttpReply) -> r.Availability:
    """Whether somebody is there."""
    value = _object(reply)
    word = _needed(value, "chat", readers.word)
    return r.Availability(word.lower() == "available", _or_none(value, "ewt", readers.seconds))


def parameters(reply: HttpReply) -> tuple[r.ExpectedParameter, ...]:
    """Objects of one name each; what is none is passed over."""
    return tuple(
        r.ExpectedParameter(name, _or_none(item, name, readers.word))
        for item in _list(reply, "parameters")
        if isinstance(item, dict)
        for name in item
    )


def session(reply: HttpReply) -> r.SessionProperties:
    """The chat that the server has; its id must be usable in a path."""
    value = _object(reply)
    chat_id = _needed(value, "chat_id", readers.word)
    segment(chat_id)
    return r.SessionProperties(
        chat_id,
        _or_none(value, "state", readers.word),
        _or_none(value, "ewt", readers.seconds),
        _or_none(value, "is_new_chat", readers.flag),
        _or_none(value, "phone_number", readers.name),
    )


def sms(reply: HttpReply) -> r.SmsOutcome:
    """What became of the request."""
    value = _object(reply)
    code = _needed(value, "sms_error_code", readers.whole)
    return r.SmsOutcome(code, _or_none(value, "error_message", readers.name) or "")


def uploaded(reply: HttpReply) -> r.UploadedFile:
    """The id that the server gave a file."""
    value = _object(reply)
    file_id = _needed(value, "file_id", readers.word)
    return r.UploadedFile(file_id, _or_none(value, "file_name", readers.name))


def download(reply: HttpReply) -> r.Download:
    """The bytes as they came."""
    return r.Download(reply.body, reply.headers.get("content-type"))


def ice_servers(reply: HttpReply) -> tuple[r.IceServer, ...]:
    """Those that have an address."""
    return tuple(
        r.IceServer(
            url,
            _or_none(item, "username", readers.name),
            _or_none(item, "credential", readers.name),
        )
        for item in _list(reply, "servers")
        if isinstance(item, dict) and (url := _or_none(item, "url", readers.name))
    )


def case_history(reply: HttpReply) -> tuple[r.EarlierChat, ...]:
    """The chats that have an id, each with its events."""
    return tuple(
        r.EarlierChat(chat_id, _or_none(item, "created_time", readers.timestamp), _events_in(item))
        for item in _list(reply, "sessions")
        if isinstance(item, dict) and (chat_id := _or_none(item, "chat_id", readers.word))
    )


def version(reply: HttpReply) -> r.ServerVersion:
    """The version, as it is written."""
    return r.ServerVersion(_needed(_object(reply), "server_version", readers.name))


def _events_in(chat: dict[str, Any]) -> tuple[e.Event, ...]:
    found = chat.get("events")
    return tuple(decode(found)) if isinstance(found, list) else ()


def _object(reply: HttpReply) -> dict[str, Any]:
    return readers.json_object(json_text.parse(reply.body))


def _list(reply: HttpReply, name: str) -> list[Any]:
    found = _object(reply).get(name)
    if not isinstance(found, list):
        raise ValueError(f"{name} is no list")  # noqa: TRY004  # readers say ValueError
    return found


def _needed(value: dict[str, Any], name: str, reader: Any) -> Any:
    found = reader(value.get(name))
    if found is None:
        raise ValueError(f"{name} is missing")
    return found


def _or_none(value: dict[str, Any], name: str, reader: Any) -> Any:
    try:
        return reader(value.get(name))
    except ValueError:
        return None
