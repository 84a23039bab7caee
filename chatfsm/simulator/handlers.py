"""The methods of the API: one function each, and their table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from chatfsm._protocol import names as wire
from chatfsm._protocol import structuring
from chatfsm.simulator import polling
from chatfsm.simulator.chat_events import hear, tell
from chatfsm.simulator.http_api import (
    Asked,
    RefusedError,
    any_chat,
    as_bytes,
    as_json,
    empty,
    events_in,
    live_chat,
    object_in,
)
from chatfsm.simulator.multipart import file_in
from chatfsm.simulator.polling import taken_news
from chatfsm.simulator.state import Caller, CenterState, Chat, Upload
from chatfsm.transport import HttpReply

__all__ = [
    "METHODS",
    "Method",
    "active_chat",
    "availability",
    "case_history",
    "close_case",
    "download",
    "history",
    "ice_servers",
    "method_for",
    "notifications",
    "parameters",
    "photo",
    "post",
    "request_chat",
    "request_sms",
    "server_version",
    "upload",
]

# What is asked before there is a chat, and how one begins.

_FIRST: Final = 1


def availability(desk: CenterState, asked: Asked, caller: Caller) -> HttpReply:
    """Whether somebody is there, and how long it would take."""
    entry = caller.entry
    is_there = entry.is_open and entry.scenario is not None
    found = {"chat": "available" if is_there else "notAvailable"}
    ewt = str(desk.agents[caller.tenant.url].wait_of()) if entry.ewt is None else entry.ewt
    if ewt:
        found["ewt"] = ewt
    return as_json(asked.id, found)


def parameters(_desk: CenterState, asked: Asked, caller: Caller) -> HttpReply:
    """What the scenario would like to be told."""
    expected = [{name: kind} for name, kind in caller.entry.parameters.items()]
    return as_json(asked.id, {"parameters": expected})


def ice_servers(_desk: CenterState, asked: Asked, caller: Caller) -> HttpReply:
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


def server_version(desk: CenterState, asked: Asked, _caller: Caller) -> HttpReply:
    """What the server calls itself."""
    return as_json(asked.id, {"server_version": desk.settings.server_version})


def request_sms(desk: CenterState, asked: Asked, _caller: Caller) -> HttpReply:
    """A chat by text message is accepted, and goes on where nobody here sees it."""
    _wishes(desk, asked)
    return as_json(asked.id, {"sms_error_code": 0, "error_message": ""})


def request_chat(desk: CenterState, asked: Asked, caller: Caller) -> HttpReply:
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


def active_chat(desk: CenterState, asked: Asked, caller: Caller) -> HttpReply:
    """The chat that the client has. Raises `RefusedError` where it has none."""
    chat = desk.current.get(caller.key)
    if chat is None:
        raise RefusedError("5005")
    return as_json(asked.id, _properties(chat))


def _wishes(desk: CenterState, asked: Asked) -> dict[str, Any]:
    wishes = object_in(asked.body, desk.settings)
    for name in ("phone_number", "from"):
        given = wishes.get(name)
        if given is not None and not (
            isinstance(given, str) and len(given) <= structuring.LONGEST_NAME
        ):
            raise RefusedError("5003")
    if not isinstance(wishes.get("parameters") or {}, dict):
        raise RefusedError("5003")
    return wishes


def _begun(desk: CenterState, asked: Asked, caller: Caller, wishes: dict[str, Any]) -> Chat:
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


# What goes on in a chat: the customer's events come in, and histories go out.

_NOT_ACCEPTABLE: Final = 406
# Each kind of token by the names that make it. Source: PROTOCOL.md §1.
_TOKENS: Final = {
    "apns": frozenset({"ios_apns_device_token", "ios_app_bundle_id"}),
    "firebase for iOS": frozenset({"ios_firebase_device_token"}),
    "firebase for Android": frozenset({"android_firebase_device_token"}),
}


def post(desk: CenterState, asked: Asked, caller: Caller) -> HttpReply:
    """Take all the events, or none; version 1 answers with what is new."""
    chat = live_chat(desk, asked, caller)
    for event in events_in(asked.body, desk.settings):
        hear(desk, chat, event)
    if asked.version == _FIRST:
        return as_json(asked.id, {"events": taken_news(chat)})
    return empty(asked.id)


def history(desk: CenterState, asked: Asked, caller: Caller) -> HttpReply:
    """What both sides have said, also after the end while it is kept."""
    return as_json(asked.id, {"events": any_chat(desk, asked, caller).past})


def case_history(desk: CenterState, asked: Asked, caller: Caller) -> HttpReply:
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


def close_case(desk: CenterState, asked: Asked, caller: Caller) -> HttpReply:
    """The chat belongs to no case any more. Raises `RefusedError` where it belonged to none."""
    chat = any_chat(desk, asked, caller)
    if chat.case_id is None:
        raise RefusedError("5601")
    if chat.is_over:
        chat.case_id = None
    else:
        tell(desk, chat, [{"event": wire.CASE_SET, "case_id": ""}])
    return as_json(asked.id, {})


def notifications(desk: CenterState, asked: Asked, caller: Caller) -> HttpReply:
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


# Files up and down, and photos.

# Boundaries, headers and other fields around the file itself.
_AROUND: Final = 64 * 1024
_OCTETS: Final = "application/octet-stream"
_IMAGES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"<svg", "image/svg+xml"),
)


def upload(desk: CenterState, asked: Asked, caller: Caller) -> HttpReply:
    """Keep a file. Raises `RefusedError` with 5501 where it is too large."""
    settings = desk.settings
    if len(asked.body) > settings.max_file + _AROUND:
        raise RefusedError("5501")
    try:
        part = file_in(asked.body, asked.headers.get("content-type", ""))
    except ValueError:
        raise RefusedError("5003") from None
    if len(part.content) > settings.max_file:
        raise RefusedError("5501")
    file_id = desk.new_id("file")
    desk.files[file_id] = Upload(caller.key, part.file_name, part.content_type, part.content)
    desk.stored += len(part.content)
    while len(desk.files) > settings.max_files or desk.stored > settings.max_stored:
        desk.stored -= len(desk.files.pop(next(iter(desk.files))).content)
    return as_json(asked.id, {"file_id": file_id, "file_name": part.file_name})


def download(desk: CenterState, asked: Asked, caller: Caller) -> HttpReply:
    """A file of the client's own, or one that the tenant's people may share."""
    any_chat(desk, asked, caller)
    wanted = asked.named["subject"]
    own = desk.files.get(wanted)
    if own is not None and own.owner == caller.key:
        return as_bytes(asked.id, own.content, own.content_type)
    for file in caller.tenant.files:
        if file.file_id == wanted:
            return as_bytes(asked.id, file.content, file.content_type)
    raise RefusedError("5502")


def photo(desk: CenterState, asked: Asked, caller: Caller) -> HttpReply:
    """The photo of an agent. Raises `RefusedError` with 5502 where there is none."""
    any_chat(desk, asked, caller)
    agent = caller.tenant.agent(asked.named["subject"])
    if agent is None or agent.photo is None:
        raise RefusedError("5502")
    kind = next((kind for start, kind in _IMAGES if agent.photo.startswith(start)), _OCTETS)
    return as_bytes(asked.id, agent.photo, kind)


# Every method that the center answers: verb, path, versions, and who answers.

_BOTH: Final = frozenset({1, 2})
_ONLY_FIRST: Final = frozenset({1})
_SECOND: Final = frozenset({2})
_NOT_FOUND: Final = 404
_WRONG_VERB: Final = 405

Handler = Callable[[CenterState, Asked, Caller], HttpReply | None]


@frozen
class Method:
    """One method: a segment of `path` in braces stands for any, under that name."""

    verb: str
    path: str
    versions: frozenset[int]
    handler: Handler
    is_download: bool = False
    """Whether it is asked for without the tenant's domain."""

    def names_in(self, path: tuple[str, ...]) -> dict[str, str] | None:
        """What a path holds under the names of this method's; None where it is another one."""
        shape = self.path.split("/")
        if len(shape) != len(path):
            return None
        pairs = list(zip(shape, path, strict=True))
        if any(part != given for part, given in pairs if not part.startswith("{")):
            return None
        return {part.strip("{}"): given for part, given in pairs if part.startswith("{")}


# Source: PROTOCOL.md §1.
METHODS: Final = (
    Method("GET", "availability", _BOTH, availability),
    Method("GET", "parameters", _BOTH, parameters),
    Method("POST", "chats", _BOTH, request_chat),
    Method("POST", "requestsms", _ONLY_FIRST, request_sms),
    Method("GET", "chats/active", _BOTH, active_chat),
    Method("POST", "chats/{chat}/events", _BOTH, post),
    Method("GET", "chats/{chat}/events", _BOTH, polling.poll),
    Method("GET", "chats/{chat}/history", _BOTH, history),
    Method("POST", "files", _BOTH, upload),
    Method("GET", "chats/{chat}/files/{subject}", _BOTH, download, is_download=True),
    Method("GET", "chats/{chat}/profilephotos/{subject}", _BOTH, photo, is_download=True),
    Method("GET", "iceservers", _BOTH, ice_servers),
    Method("POST", "chats/{chat}/notifications", _SECOND, notifications),
    Method("GET", "chats/{chat}/casehistory", _SECOND, case_history),
    Method("POST", "chats/{chat}/closecase", _SECOND, close_case),
    Method("GET", "version", _SECOND, server_version),
)


def method_for(asked: Asked) -> Method:
    """The method that is asked for, with what its path names put into `asked.named`.

    Raises `RefusedError` with a bare 404, or 405 for a path that is asked with another verb.
    """
    is_known = False
    for method in METHODS:
        names = method.names_in(asked.path) if asked.version in method.versions else None
        if names is None:
            continue
        if method.verb == asked.method:
            asked.named = names
            return method
        is_known = True
    raise RefusedError("", status=_WRONG_VERB if is_known else _NOT_FOUND)
