"""Methods of the API: a handler for each, and the routes to them."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from attrs import frozen

from chatfsm._protocol import names as wire
from chatfsm._protocol import structuring
from chatfsm.simulator import polling
from chatfsm.simulator.chat_events import receive_event, send_events
from chatfsm.simulator.configuration import widget_configuration
from chatfsm.simulator.file_handlers import (
    chat_icon,
    download,
    photo,
    public_file,
    upload,
)
from chatfsm.simulator.http_api import (
    NO_VERSION,
    ApiCall,
    RefusedError,
    check_event,
    empty_reply,
    find_chat,
    find_live_chat,
    json_reply,
    parse_events,
    parse_object,
)
from chatfsm.simulator.polling import copy_pending
from chatfsm.simulator.state import ApiClient, CenterChat, CenterState
from chatfsm.transport import HttpReply

__all__ = [
    "ROUTES",
    "Route",
    "active_chat",
    "availability",
    "case_history",
    "close_case",
    "configuration",
    "find_route",
    "history",
    "ice_servers",
    "notifications",
    "parameters",
    "post_events",
    "request_chat",
    "request_sms",
    "server_version",
]

# Before a chat, and its start.

_VERSION_1: Final = 1


def availability(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Report whether an agent may answer, and the estimated wait."""
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
    """List the parameters that the scenario expects, by name and type."""
    expected = [{name: kind} for name, kind in client.entry.parameters.items()]
    return json_reply(call.id, {"parameters": expected})


def configuration(_state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Return the definition of the vendor's web widget, which asks for it before all else."""
    return json_reply(call.id, widget_configuration(client.tenant, client.entry))


def ice_servers(_state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """List the tenant's ICE servers, each without the fields that it lacks."""
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
    """Report the server's version."""
    return json_reply(call.id, {"server_version": state.settings.server_version})


def request_sms(state: CenterState, call: ApiCall, _caller: ApiClient) -> HttpReply:
    """Accept a chat by SMS; the simulator does nothing further with it."""
    _parse_chat_request(state, call)
    return json_reply(call.id, {"sms_error_code": 0, "error_message": ""})


def request_chat(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Return the client's live chat, or a new one."""
    wanted = _parse_chat_request(state, call)
    chat = state.live_chats.get(client.key)
    is_new = chat is None
    if chat is None:
        chat = _start_chat(state, call, client, wanted)
    initial = wanted.get("initial_message")
    if initial and initial not in chat.customer_events:  # a repeated request repeats the message
        receive_event(state, chat, initial)
    flag: bool | str = is_new
    if call.version == _VERSION_1 and state.settings.flags_as_text:
        flag = "true" if is_new else "false"
    return json_reply(call.id, {**_session_properties(chat), "is_new_chat": flag})


def active_chat(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Return the client's live chat. Raises `RefusedError` with 5005 if there is none."""
    chat = state.live_chats.get(client.key)
    if chat is None:
        raise RefusedError("5005")
    return json_reply(call.id, _session_properties(chat))


def _parse_chat_request(state: CenterState, call: ApiCall) -> dict[str, Any]:
    wanted = parse_object(call.body, state.settings, may_be_list=True)
    for name in ("phone_number", "from"):
        given = wanted.get(name)
        if given is not None and not (
            isinstance(given, str) and len(given) <= structuring.LONGEST_NAME
        ):
            raise RefusedError("5003")
    if not isinstance(wanted.get("parameters") or {}, dict):
        raise RefusedError("5003")
    if wanted.get("initial_message"):
        check_event(wanted["initial_message"])
    return wanted


def _start_chat(
    state: CenterState, call: ApiCall, client: ApiClient, wanted: dict[str, Any]
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
        phone_number=wanted.get("phone_number"),
        parameters=wanted.get("parameters") or {},
    )
    _prefer_agent(state, chat)
    state.chats[chat_id] = state.live_chats[client.key] = state.chats_by_waiter[chat.player] = chat
    send_events(state, chat, chat.player.start(now=state.now))
    return chat


def _prefer_agent(state: CenterState, chat: CenterChat) -> None:
    """Let the agent with the PIN in the chat's parameters have the chat, if free."""
    pin = chat.parameters.get("directChatPIN")
    for agent in chat.tenant.agents:
        if pin and agent.direct_pin == str(pin):
            state.agent_pools[chat.tenant_url].prefer(chat.player, agent.party_id)


def _session_properties(chat: CenterChat) -> dict[str, Any]:
    found = {"chat_id": chat.chat_id, "state": chat.state, "ewt": chat.ewt}
    if chat.phone_number is not None:
        found["phone_number"] = chat.phone_number
    return found


# During a chat.

# The fields that make up each kind of token. Source: PROTOCOL.md §1.
_TOKEN_FIELDS: Final = {
    "apns": frozenset({"ios_apns_device_token", "ios_app_bundle_id"}),
    "firebase for iOS": frozenset({"ios_firebase_device_token"}),
    "firebase for Android": frozenset({"android_firebase_device_token"}),
}


def post_events(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Take the customer's events, all or none; version 1 replies with the new events too."""
    chat = find_live_chat(state, call, client)
    for event in parse_events(call.body, state.settings):
        receive_event(state, chat, event)
    if call.version == _VERSION_1:
        return json_reply(call.id, {"events": copy_pending(chat)})
    return empty_reply(call.id)


def history(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Return the events of both sides, after the end only if the settings say so."""
    find = find_chat if state.settings.history_after_end else find_live_chat
    return json_reply(call.id, {"events": find(state, call, client).history})


def case_history(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Return all sessions of the client that are kept, the current one included."""
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
    """Remove the chat from its case. Raises `RefusedError` with 5601 if it has none."""
    chat = find_chat(state, call, client)
    if chat.case_id is None:
        raise RefusedError("5601")
    if chat.is_over:
        chat.case_id = None
    else:
        send_events(state, chat, [{"event": wire.CASE_SET, "case_id": ""}])
    return json_reply(call.id, {})


def notifications(state: CenterState, call: ApiCall, client: ApiClient) -> HttpReply:
    """Note the kind of the push token; an empty object removes it."""
    chat = find_live_chat(state, call, client)
    given = parse_object(call.body, state.settings)
    names = {
        name for token in _TOKEN_FIELDS.values() for name in token if given.get(name) is not None
    }
    kind = next((kind for kind, needed in _TOKEN_FIELDS.items() if needed == names), None)
    if sum(not names.isdisjoint(fields) for fields in _TOKEN_FIELDS.values()) > 1:
        raise RefusedError("5603")
    if names and kind is None:
        raise RefusedError("5003", status=HTTPStatus.NOT_ACCEPTABLE)
    if not all(isinstance(given[name], str) and given[name] for name in names):
        raise RefusedError("5003", status=HTTPStatus.NOT_ACCEPTABLE)
    chat.push_token_kind = kind
    return json_reply(call.id, {})


# Routes.

_BOTH_VERSIONS: Final = frozenset({1, 2})
_ONLY_VERSION_1: Final = frozenset({1})
_ONLY_VERSION_2: Final = frozenset({2})
_OUTSIDE: Final = frozenset({NO_VERSION})

Handler = Callable[[CenterState, ApiCall, ApiClient], HttpReply | None]


@frozen
class Route:
    """The handler of a verb and a path; a segment of `path` in braces matches any text."""

    verb: str
    """The HTTP method: GET or POST."""
    path: str
    """The path after the version, without a slash at its ends."""
    versions: frozenset[int]
    """The versions of the API that have the method."""
    handler: Handler
    """Returns the reply to a call; raises `RefusedError`."""
    is_download: bool = False
    """Whether clients leave out the tenant's domain, and pages the Authorization header."""
    is_public: bool = False
    """Whether the path alone lets everyone in."""
    gives_cookie: bool = False
    """Whether a browser without a cookie gets one."""

    def match_path(self, path: tuple[str, ...]) -> dict[str, str] | None:
        """Return the texts that the braces match, by name, or None if the path does not match."""
        shape = self.path.split("/")
        if len(shape) != len(path):
            return None
        pairs = list(zip(shape, path, strict=True))
        if any(part != given for part, given in pairs if not part.startswith("{")):
            return None
        return {part.strip("{}"): given for part, given in pairs if part.startswith("{")}


# Source: PROTOCOL.md §1.
ROUTES: Final = (
    Route("GET", wire.AVAILABILITY_PATH, _BOTH_VERSIONS, availability),
    Route("GET", wire.PARAMETERS_PATH, _BOTH_VERSIONS, parameters),
    Route("GET", wire.CONFIGURATION_PATH, _BOTH_VERSIONS, configuration),
    Route("POST", wire.CHATS_PATH, _BOTH_VERSIONS, request_chat, gives_cookie=True),
    Route("POST", wire.SMS_PATH, _ONLY_VERSION_1, request_sms),
    Route("GET", wire.ACTIVE_CHAT_PATH, _BOTH_VERSIONS, active_chat),
    Route("POST", wire.EVENTS_PATH, _BOTH_VERSIONS, post_events),
    Route("GET", wire.EVENTS_PATH, _BOTH_VERSIONS, polling.poll),
    Route("GET", wire.HISTORY_PATH, _BOTH_VERSIONS, history),
    Route("POST", wire.UPLOAD_PATH, _BOTH_VERSIONS, upload),
    Route("GET", wire.FILE_PATH, _BOTH_VERSIONS, download, is_download=True),
    Route("GET", wire.PHOTO_PATH, _BOTH_VERSIONS, photo, is_download=True),
    Route("GET", wire.CHAT_ICON_PATH, _BOTH_VERSIONS, chat_icon, is_download=True),
    Route("GET", "file/{subject}", _OUTSIDE, public_file, is_public=True),
    Route("GET", wire.ICE_SERVERS_PATH, _BOTH_VERSIONS, ice_servers),
    Route("POST", wire.NOTIFICATIONS_PATH, _ONLY_VERSION_2, notifications),
    Route("GET", wire.CASE_HISTORY_PATH, _BOTH_VERSIONS, case_history),
    Route("POST", wire.CLOSE_CASE_PATH, _ONLY_VERSION_2, close_case),
    Route("GET", wire.VERSION_PATH, _ONLY_VERSION_2, server_version),
)


def find_route(call: ApiCall) -> Route:
    """Return the route of a request, and fill `call.path_args`.

    Raises `RefusedError` with status 404 for an unknown path, and 405 for another verb of a known
    one.
    """
    is_known = False
    for route in ROUTES:
        names = route.match_path(call.path) if call.version in route.versions else None
        if names is None:
            continue
        if route.verb == call.method:
            call.path_args = names
            return route
        is_known = True
    raise RefusedError(
        "", status=HTTPStatus.METHOD_NOT_ALLOWED if is_known else HTTPStatus.NOT_FOUND
    )
