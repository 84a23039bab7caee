"""The methods of the API: one function each, and their table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from attrs import frozen

from chatfsm._protocol import names as wire
from chatfsm._protocol import structuring
from chatfsm.simulator import polling
from chatfsm.simulator.chat_events import receive_event, send_events
from chatfsm.simulator.http_api import (
    ApiCall,
    RefusedError,
    empty_reply,
    file_reply,
    find_chat,
    find_live_chat,
    json_reply,
    parse_events,
    parse_object,
)
from chatfsm.simulator.multipart import parse_upload
from chatfsm.simulator.polling import take_pending
from chatfsm.simulator.state import ApiClient, CenterChat, CenterState, StoredFile
from chatfsm.transport import HttpReply

__all__ = [
    "API_METHODS",
    "ApiMethod",
    "active_chat",
    "availability",
    "case_history",
    "close_case",
    "download",
    "find_method",
    "history",
    "ice_servers",
    "notifications",
    "parameters",
    "photo",
    "post_events",
    "request_chat",
    "request_sms",
    "server_version",
    "upload",
]

# What is asked before there is a chat, and how one begins.

_VERSION_1: Final = 1


def availability(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Whether somebody is there, and how long it would take."""
    entry = client.entry
    is_there = entry.is_open and entry.scenario is not None
    found = {"chat": "available" if is_there else "notAvailable"}
    ewt = (
        str(state.agent_pools[client.tenant.url].estimated_wait())
        if entry.ewt is None
        else entry.ewt
    )
    if ewt:
        found["ewt"] = ewt
    return json_reply(call.id, found)


def parameters(_state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """What the scenario would like to be told."""
    expected = [{name: kind} for name, kind in client.entry.parameters.items()]
    return json_reply(call.id, {"parameters": expected})


def ice_servers(_state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
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
        for server in client.tenant.ice_servers
    ]
    return json_reply(call.id, {"servers": found})


def server_version(state: CenterState, call: ApiCall, _caller: ApiClient) -> HttpReply:
    """What the server calls itself."""
    return json_reply(call.id, {"server_version": state.settings.server_version})


def request_sms(state: CenterState, call: ApiCall, _caller: ApiClient) -> HttpReply:
    """A chat by text message is accepted, and goes on where nobody here sees it."""
    _parse_chat_request(state, call)
    return json_reply(call.id, {"sms_error_code": 0, "error_message": ""})


def request_chat(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """The chat that the client has, or a new one."""
    wishes = _parse_chat_request(state, call)
    chat = state.live_chats.get(client.key)
    is_new = chat is None
    if chat is None:
        chat = _start_chat(state, call, client, wishes)
    flag: bool | str = is_new
    if call.version == _VERSION_1 and state.settings.flags_as_text:
        flag = "true" if is_new else "false"
    return json_reply(call.id, {**_session_properties(chat), "is_new_chat": flag})


def active_chat(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """The chat that the client has. Raises `RefusedError` where it has none."""
    chat = state.live_chats.get(client.key)
    if chat is None:
        raise RefusedError("5005")
    return json_reply(call.id, _session_properties(chat))


def _parse_chat_request(state: CenterState, call: ApiCall) -> dict[str, Any]:
    wishes = parse_object(call.body, state.settings)
    for name in ("phone_number", "from"):
        given = wishes.get(name)
        if given is not None and not (
            isinstance(given, str) and len(given) <= structuring.LONGEST_NAME
        ):
            raise RefusedError("5003")
    if not isinstance(wishes.get("parameters") or {}, dict):
        raise RefusedError("5003")
    return wishes


def _start_chat(
    state: CenterState, call: ApiCall, client: ApiClient, wishes: dict[str, Any]
) -> CenterChat:
    scenario = client.entry.scenario
    if scenario is None:
        raise RefusedError("5006")
    if len(state.live_chats) >= state.settings.max_live_chats:
        raise RefusedError("5001")
    chat_id = state.new_id("chat")
    chat = CenterChat(
        chat_id=chat_id,
        client_id=client.client_id,
        tenant=client.tenant,
        entry=client.entry,
        version=call.version,
        player=state.make_player(scenario, state.agent_pools[client.tenant.url], chat_id),
        created_at=state.wall_clock,
        polled_at=state.now,
        active_at=state.now,
        phone_number=wishes.get("phone_number"),
        parameters=wishes.get("parameters") or {},
    )
    state.chats[chat_id] = state.live_chats[client.key] = state.chats_by_waiter[chat.player] = chat
    send_events(state, chat, chat.player.start(now=state.now))
    return chat


def _session_properties(chat: CenterChat) -> dict[str, Any]:
    found = {"chat_id": chat.chat_id, "state": chat.state, "ewt": chat.ewt}
    if chat.phone_number is not None:
        found["phone_number"] = chat.phone_number
    return found


# What goes on in a chat: the customer's events come in, and histories go out.

_NOT_ACCEPTABLE: Final = 406
# Each kind of token by the names that make it. Source: PROTOCOL.md §1.
_TOKEN_FIELDS: Final = {
    "apns": frozenset({"ios_apns_device_token", "ios_app_bundle_id"}),
    "firebase for iOS": frozenset({"ios_firebase_device_token"}),
    "firebase for Android": frozenset({"android_firebase_device_token"}),
}


def post_events(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Take all the events, or none; version 1 answers with what is new."""
    chat = find_live_chat(state, call, client)
    for event in parse_events(call.body, state.settings):
        receive_event(state, chat, event)
    if call.version == _VERSION_1:
        return json_reply(call.id, {"events": take_pending(chat)})
    return empty_reply(call.id)


def history(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """What both sides have said, also after the end while it is kept."""
    return json_reply(call.id, {"events": find_chat(state, call, client).history})


def case_history(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """All sessions of the client that are kept, the current one among them."""
    find_chat(state, call, client)
    sessions = [
        {
            "chat_id": chat.chat_id,
            "created_time": int(chat.created_at),
            "events": chat.history,
        }
        for chat in state.chats.values()
        if (chat.tenant_url, chat.client_id) == client.key
    ]
    return json_reply(call.id, {"sessions": sessions})


def close_case(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """The chat belongs to no case any more. Raises `RefusedError` where it belonged to none."""
    chat = find_chat(state, call, client)
    if chat.case_id is None:
        raise RefusedError("5601")
    if chat.is_over:
        chat.case_id = None
    else:
        send_events(state, chat, [{"event": wire.CASE_SET, "case_id": ""}])
    return json_reply(call.id, {})


def notifications(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Remember which kind of token is to be told of news; an empty object forgets it."""
    chat = find_live_chat(state, call, client)
    given = parse_object(call.body, state.settings)
    names = {
        name for token in _TOKEN_FIELDS.values() for name in token if given.get(name) is not None
    }
    kind = next((kind for kind, needed in _TOKEN_FIELDS.items() if needed == names), None)
    if names and kind is None:
        raise RefusedError("5003", status=_NOT_ACCEPTABLE)
    if not all(isinstance(given[name], str) and given[name] for name in names):
        raise RefusedError("5003", status=_NOT_ACCEPTABLE)
    chat.push_token_kind = kind
    return json_reply(call.id, {})


# Files up and down, and photos.

# Boundaries, headers and other fields around the file itself.
_MULTIPART_OVERHEAD: Final = 64 * 1024
_DEFAULT_TYPE: Final = "application/octet-stream"
_IMAGE_TYPES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"<svg", "image/svg+xml"),
)


def upload(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Keep a file. Raises `RefusedError` with 5501 where it is too large."""
    settings = state.settings
    if len(call.body) > settings.max_file + _MULTIPART_OVERHEAD:
        raise RefusedError("5501")
    try:
        part = parse_upload(call.body, call.headers.get("content-type", ""))
    except ValueError:
        raise RefusedError("5003") from None
    if len(part.content) > settings.max_file:
        raise RefusedError("5501")
    file_id = state.new_id("file")
    state.files[file_id] = StoredFile(client.key, part.file_name, part.content_type, part.content)
    state.stored_bytes += len(part.content)
    while len(state.files) > settings.max_files or state.stored_bytes > settings.max_stored_bytes:
        state.stored_bytes -= len(state.files.pop(next(iter(state.files))).content)
    return json_reply(call.id, {"file_id": file_id, "file_name": part.file_name})


def download(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """A file of the client's own, or one that the tenant's people may share."""
    find_chat(state, call, client)
    wanted = call.path_args["subject"]
    own = state.files.get(wanted)
    if own is not None and own.owner == client.key:
        return file_reply(call.id, own.content, own.content_type)
    for file in client.tenant.files:
        if file.file_id == wanted:
            return file_reply(call.id, file.content, file.content_type)
    raise RefusedError("5502")


def photo(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """The photo of an agent. Raises `RefusedError` with 5502 where there is none."""
    find_chat(state, call, client)
    agent = client.tenant.agent(call.path_args["subject"])
    if agent is None or agent.photo is None:
        raise RefusedError("5502")
    kind = next(
        (kind for start, kind in _IMAGE_TYPES if agent.photo.startswith(start)), _DEFAULT_TYPE
    )
    return file_reply(call.id, agent.photo, kind)


# Every method that the center answers: verb, path, versions, and who answers.

_BOTH_VERSIONS: Final = frozenset({1, 2})
_ONLY_VERSION_1: Final = frozenset({1})
_ONLY_VERSION_2: Final = frozenset({2})
_NOT_FOUND: Final = 404
_WRONG_VERB: Final = 405

Handler = Callable[[CenterState, ApiCall, ApiClient], HttpReply | None]


@frozen
class ApiMethod:
    """One method: a segment of `path` in braces stands for any, under that name."""

    verb: str
    path: str
    versions: frozenset[int]
    handler: Handler
    is_download: bool = False
    """Whether it is asked for without the tenant's domain."""

    def match_path(self, path: tuple[str, ...]) -> dict[str, str] | None:
        """What a path holds under the names of this method's; None where it is another one."""
        shape = self.path.split("/")
        if len(shape) != len(path):
            return None
        pairs = list(zip(shape, path, strict=True))
        if any(part != given for part, given in pairs if not part.startswith("{")):
            return None
        return {part.strip("{}"): given for part, given in pairs if part.startswith("{")}


# Source: PROTOCOL.md §1.
API_METHODS: Final = (
    ApiMethod("GET", "availability", _BOTH_VERSIONS, availability),
    ApiMethod("GET", "parameters", _BOTH_VERSIONS, parameters),
    ApiMethod("POST", "chats", _BOTH_VERSIONS, request_chat),
    ApiMethod("POST", "requestsms", _ONLY_VERSION_1, request_sms),
    ApiMethod("GET", "chats/active", _BOTH_VERSIONS, active_chat),
    ApiMethod("POST", "chats/{chat}/events", _BOTH_VERSIONS, post_events),
    ApiMethod("GET", "chats/{chat}/events", _BOTH_VERSIONS, polling.poll),
    ApiMethod("GET", "chats/{chat}/history", _BOTH_VERSIONS, history),
    ApiMethod("POST", "files", _BOTH_VERSIONS, upload),
    ApiMethod("GET", "chats/{chat}/files/{subject}", _BOTH_VERSIONS, download, is_download=True),
    ApiMethod(
        "GET", "chats/{chat}/profilephotos/{subject}", _BOTH_VERSIONS, photo, is_download=True
    ),
    ApiMethod("GET", "iceservers", _BOTH_VERSIONS, ice_servers),
    ApiMethod("POST", "chats/{chat}/notifications", _ONLY_VERSION_2, notifications),
    ApiMethod("GET", "chats/{chat}/casehistory", _ONLY_VERSION_2, case_history),
    ApiMethod("POST", "chats/{chat}/closecase", _ONLY_VERSION_2, close_case),
    ApiMethod("GET", "version", _ONLY_VERSION_2, server_version),
)


def find_method(call: ApiCall) -> ApiMethod:
    """The method that is asked for, with what its path names put into `asked.named`.

    Raises `RefusedError` with a bare 404, or 405 for a path that is asked with another verb.
    """
    is_known = False
    for method in API_METHODS:
        names = method.match_path(call.path) if call.version in method.versions else None
        if names is None:
            continue
        if method.verb == call.method:
            call.path_args = names
            return method
        is_known = True
    raise RefusedError("", status=_WRONG_VERB if is_known else _NOT_FOUND)
