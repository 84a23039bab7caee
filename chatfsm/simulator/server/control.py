"""Control door: an admin API of the simulator for tests in any language, JSON over HTTP.

`chatfsm simulate --control`, or `SimulatorServer(network, control=True)`, opens it under
`/__control`, to this machine only and to no pages of other origins.

    GET    /__control/requests               the requests seen: method, path, query, headers, body,
                                             status, outcome (?since=NUMBER&limit=1…1000)
    DELETE /__control/requests               forget them
    GET    /__control/chats                  the chats, the newest first (?limit=1…1000)
    GET    /__control/chats/ID               one chat: its state, outcome and parties
    GET    /__control/chats/ID/events        the events of both sides (?since=NUMBER&limit=1…1000)
    GET    /__control/chats/ID/stream        the same as Server-Sent Events, as they come
    POST   /__control/chats/ID/events        send events: {"event": …} or {"events": [{…}, {…}]}
    POST   /__control/chats/ID/agent         act for the agent: {"action": "join"}, then {"action":
                                             "say", "text": …} … see chatfsm.simulator.agent_seat
    POST   /__control/chats/ID/end           {"how": "ended"}, or "failed", "timed_out"
    GET    /__control/faults                 the faults as text, all hits so far, and the named sets
    PUT    /__control/faults                 {"faults": "reset:poll:0.1"}, or a list of objects; the
                                             number in `post@1` counts from here
    DELETE /__control/faults                 no faults
    POST   /__control/advance                {"seconds": 30}: let time pass at once, at most an hour
    POST   /__control/reset                  end all chats, forget requests, restore the faults of
                                             the start

A list holds its first `limit` items (100 by default), and `next` is the `since` of the next page.
The door keeps the latest 1,000 requests, and 1,000 events of each chat; of a body, 16 KB. The list
of requests holds credentials and texts as they were sent.

A success has status 200. An error has {"error": text}: 400 for invalid data, 403 for a caller from
elsewhere, 404 for an unknown path or chat, 405 for another verb, 409 for a chat that is over or has
no agent of the seat.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from itertools import islice
from typing import Any, Final
from urllib.parse import urlsplit

from aiohttp import web
from attrs import define, field, frozen

from chatfsm._protocol import json_input
from chatfsm._protocol.structuring import LONGEST_ID, MAX_DEPTH, deeper_than
from chatfsm.errors import DecodeError, LocalProtocolError
from chatfsm.simulator.agent_seat import AgentSeat, SeatPlayer
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.faults import PRESETS, Faults
from chatfsm.simulator.server.access import is_loopback
from chatfsm.simulator.server.chat_log import ChatLog
from chatfsm.simulator.server.handler import NetworkPump
from chatfsm.simulator.server.request_journal import RequestJournal
from chatfsm.simulator.state import CenterChat

__all__ = ["AGENT_SEAT", "CONTROL", "ControlDoor"]

CONTROL: Final = "/__control"
"""The path of the control door."""
AGENT_SEAT: Final = "/web/agent"
"""The path of the requests of the page for the agent's seat."""
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
_MAX_LIST: Final = 1_000
_LIST: Final = 100
# Events in one request; as many as a customer may post.
_MAX_EVENTS: Final = 256
_MAX_ADVANCE: Final = 3_600.0
# Time passes in steps with pauses, in seconds of the center and of the wall, so that clients poll
# in between and none is disconnected because it did not.
_LONGEST_STEP: Final = 10.0
_SHORTEST_STEP: Final = 1.0
_PAUSE: Final = 0.01
# Seconds between comments in a silent stream, so that a closed page is noticed.
_KEEP_ALIVE: Final = 15.0


class _RefusedError(Exception):
    """A request is answered with an error."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


@define(eq=False)
class ControlDoor:
    """Answers requests about a center, and orders to it."""

    pump: NetworkPump
    """The network and its time."""
    center: ContactCenter
    """The center that the requests are about."""
    journal: RequestJournal
    """The requests that clients have sent."""
    seat: AgentSeat = field(init=False)
    """Acts for the agents of the center."""
    chat_log: ChatLog = field(init=False)
    """The events of all chats since the door was made."""
    first_faults: Faults = field(init=False)
    """The faults that a reset restores."""

    def __attrs_post_init__(self) -> None:
        self.seat = AgentSeat(self.center)
        self.chat_log = ChatLog(self.center, self.pump.now)
        self.first_faults = self.pump.network.faults

    def close(self) -> None:
        """End the streams."""
        self.chat_log.close()

    async def respond(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        """Return the response to a request whose path begins with `CONTROL`."""
        return await self._respond(request, body, CONTROL, _ROUTES)

    async def respond_to_seat(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        """Return the response to a request whose path begins with `AGENT_SEAT`."""
        routes = [route for route in _ROUTES if route.is_for_seat]
        return await self._respond(request, body, AGENT_SEAT, routes)

    async def _respond(
        self, request: web.BaseRequest, body: bytes, prefix: str, routes: Iterable[_Route]
    ) -> web.StreamResponse:
        try:
            _check_caller(request)
            parts = tuple(request.path.removeprefix(prefix).strip("/").split("/"))
            route, chat_id = _find_route(routes, request.method, parts)
            result = route.handler(self, _ControlRequest(request, body, chat_id))
            return await result if isinstance(result, Awaitable) else _json(result)
        except _RefusedError as refused:
            return _json({"error": str(refused)}, refused.status)


@define
class _ControlRequest:
    """A request with its parts, checked when they are read."""

    request: web.BaseRequest
    body: bytes = field(repr=False)
    chat_id: str

    def json(self) -> dict[str, Any]:
        """Return the object in the body, empty if the body is."""
        try:
            value = json_input.parse(self.body) if self.body.strip() else {}
        except DecodeError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, f"the body must be JSON: {error}") from None
        if not isinstance(value, dict):
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "the body must be a JSON object")
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """Return a field of the query that is an integer in a range."""
        text = self.request.query.get(name, str(default))
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(most))
        if not is_number or not least <= int(text) <= most:
            raise _RefusedError(
                HTTPStatus.BAD_REQUEST, f"{name} must be from {least} to {most}, not {text[:40]!a}"
            )
        return int(text)

    @property
    def limit(self) -> int:
        """The most items of a list."""
        return self.number("limit", _LIST, 1, _MAX_LIST)

    @property
    def since(self) -> int:
        """The number of the first item of a list."""
        return self.number("since", 1, 1, 10**12)


def _json(value: Any, status: int = HTTPStatus.OK) -> web.Response:
    return web.json_response(value, status=status, headers=_HEADERS)


# Callers: a page of another origin may send simple requests to this machine, or have its name
# resolve to it, so the Origin and Host headers are checked besides the address.


def _check_caller(request: web.BaseRequest) -> None:
    """Raise `_RefusedError` with 403 unless the caller is a program or own page of this machine."""
    host = urlsplit(f"//{request.host}").hostname or ""
    if not (is_loopback(request.remote or "") and is_loopback(host)):
        text = "only programs on this machine may use this, at a loopback address"
        raise _RefusedError(HTTPStatus.FORBIDDEN, text)
    origin = f"http://{request.host}"
    if request.headers.get("Origin", origin) != origin:
        raise _RefusedError(HTTPStatus.FORBIDDEN, "no page of another origin may use this")


# Requests.


def _index(_door: ControlDoor, _order: _ControlRequest) -> dict[str, Any]:
    """List the paths."""
    return {"paths": [f"{route.verb} {CONTROL}/{route.path}" for route in _ROUTES]}


def _requests(door: ControlDoor, order: _ControlRequest) -> dict[str, Any]:
    limit = order.limit
    found = list(islice(door.journal.since(order.since), limit))
    after = found[-1].number + 1 if found else order.since
    return {
        "requests": [seen.to_json() for seen in found],
        "next": after,
        "total": door.journal.count,
    }


def _forget_requests(door: ControlDoor, _order: _ControlRequest) -> dict[str, Any]:
    door.journal.clear()
    return {}


# Chats.


def _chat_of(door: ControlDoor, order: _ControlRequest) -> CenterChat:
    chat = door.center.chats.get(order.chat_id)
    if chat is None:
        raise _RefusedError(HTTPStatus.NOT_FOUND, f"no chat has the id {order.chat_id[:64]!a}")
    return chat


def _chat_json(door: ControlDoor, chat: CenterChat) -> dict[str, Any]:
    player = chat.player
    agent = player.agent if isinstance(player, SeatPlayer) else None
    return {
        "chat_id": chat.chat_id,
        "app_id": chat.entry.app_id,
        "version": chat.version,
        "created_at": round(chat.created_at, 3),
        "state": chat.state,
        "outcome": chat.outcome,
        "parties": chat.party_ids,
        "parameters": chat.parameters,
        "case_id": chat.case_id,
        "events": door.chat_log.count(chat.chat_id),
        "is_seat": isinstance(player, SeatPlayer),
        "agent": None if agent is None else agent.party_id,
        "agents": [
            {"party_id": one.party_id, "display_name": one.display_name}
            for one in chat.tenant.agents
        ],
    }


def _chats(door: ControlDoor, order: _ControlRequest) -> dict[str, Any]:
    newest_first = reversed(list(door.center.chats.values()))
    found = [_chat_json(door, chat) for chat in islice(newest_first, order.limit)]
    return {"chats": found, "total": len(door.center.chats)}


def _chat(door: ControlDoor, order: _ControlRequest) -> dict[str, Any]:
    return _chat_json(door, _chat_of(door, order))


def _events(door: ControlDoor, order: _ControlRequest) -> dict[str, Any]:
    chat_id, limit = _chat_of(door, order).chat_id, order.limit
    found = list(islice(door.chat_log.since(chat_id, order.since), limit))
    after = found[-1].number + 1 if found else order.since
    return {
        "events": [one.to_json() for one in found],
        "next": after,
        "total": door.chat_log.count(chat_id),
    }


def _send_events(door: ControlDoor, order: _ControlRequest) -> dict[str, Any]:
    """Send events to the customer; all are checked before the first one is sent."""
    chat, value = _chat_of(door, order), order.json()
    events = value.get("events") if "events" in value else [value]
    if not isinstance(events, list) or not 0 < len(events) <= _MAX_EVENTS:
        text = f"events must be a list of 1 to {_MAX_EVENTS} objects"
        raise _RefusedError(HTTPStatus.BAD_REQUEST, text)
    for number, event in enumerate(events, 1):
        name = event.get("event") if isinstance(event, dict) else None
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
            text = f"event {number} must be an object with a field named event that is a string"
            raise _RefusedError(HTTPStatus.BAD_REQUEST, text)
        if deeper_than(MAX_DEPTH, event):
            text = f"event {number} must not be nested deeper than {MAX_DEPTH} levels"
            raise _RefusedError(HTTPStatus.BAD_REQUEST, text)
    try:
        for event in events:
            door.center.send_event(chat.chat_id, event, now=door.pump.now())
    except ValueError as error:
        raise _RefusedError(HTTPStatus.CONFLICT, str(error)) from None
    finally:
        door.pump.advance()
    return {"sent": len(events)}


def _act(door: ControlDoor, order: _ControlRequest) -> dict[str, Any]:
    return _do(door, order, order.json())


def _end(door: ControlDoor, order: _ControlRequest) -> dict[str, Any]:
    return _do(door, order, {**order.json(), "action": "end"})


def _do(door: ControlDoor, order: _ControlRequest, action: Mapping[str, Any]) -> dict[str, Any]:
    chat = _chat_of(door, order)
    try:
        door.seat.act(chat.chat_id, action, now=door.pump.now())
    except LocalProtocolError as error:
        raise _RefusedError(HTTPStatus.CONFLICT, str(error)) from None
    except ValueError as error:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None
    finally:
        door.pump.advance()
    return _chat_json(door, chat)


async def _stream(door: ControlDoor, order: _ControlRequest) -> web.StreamResponse:
    """Send the events from the one after `Last-Event-ID` on, as Server-Sent Events."""
    if order.chat_id not in door.center.chats:
        # Ends the stream of a page without the error that a browser shows for 404.
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=_HEADERS)
    chat_id = order.chat_id
    response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
    await response.prepare(order.request)
    last = order.request.headers.get("Last-Event-ID", "")
    number = int(last) + 1 if last.isascii() and last.isdigit() else 1
    while not door.chat_log.is_closed:
        for logged in list(door.chat_log.since(chat_id, number)):
            text = json.dumps(logged.to_json())
            await response.write(f"id: {logged.number}\ndata: {text}\n\n".encode())
            number = logged.number + 1
        try:
            async with asyncio.timeout(_KEEP_ALIVE):
                await door.chat_log.wait(chat_id, number)
        except TimeoutError:
            await response.write(b": still here\n\n")
    return response


# Faults.


def _faults(door: ControlDoor, _order: _ControlRequest) -> dict[str, Any]:
    network = door.pump.network
    return {
        "faults": str(network.faults),
        "hits": dict(network.fault_counts),
        "presets": PRESETS,
    }


def _set_faults(door: ControlDoor, order: _ControlRequest) -> dict[str, Any]:
    given = order.json().get("faults")
    try:
        faults = Faults.parse(given) if isinstance(given, str) else Faults.from_json(given)
    except ValueError as error:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, str(error)) from None
    door.pump.network.faults = faults
    return _faults(door, order)


def _clear_faults(door: ControlDoor, order: _ControlRequest) -> dict[str, Any]:
    door.pump.network.faults = Faults()
    return _faults(door, order)


# Time, and a fresh start.


async def _advance(door: ControlDoor, order: _ControlRequest) -> web.StreamResponse:
    seconds: Any = order.json().get("seconds")
    is_number = isinstance(seconds, (int, float)) and not isinstance(seconds, bool)
    if not is_number or not 0 < seconds <= _MAX_ADVANCE:
        text = f"seconds must be above 0 and at most {_MAX_ADVANCE:.0f}, not {seconds!a}"
        raise _RefusedError(HTTPStatus.BAD_REQUEST, text[:200])
    left = float(seconds)
    while left > 0:
        deadline = door.pump.network.deadline
        rest = _LONGEST_STEP if deadline is None else deadline - door.pump.now()
        step = min(left, max(_SHORTEST_STEP, min(_LONGEST_STEP, rest)))
        door.pump.jump(step)
        left -= step
        await asyncio.sleep(_PAUSE)
    return _json({"now": round(door.pump.now(), 3)})


def _reset(door: ControlDoor, _order: _ControlRequest) -> dict[str, Any]:
    for chat in [chat for chat in door.center.chats.values() if not chat.is_over]:
        door.seat.act(chat.chat_id, {"action": "end"}, now=door.pump.now())
    door.pump.advance()
    door.journal.clear()
    door.pump.network.faults = door.first_faults
    return {}


# Routes.

_Handler = Callable[[ControlDoor, _ControlRequest], dict[str, Any] | Awaitable[web.StreamResponse]]


@frozen
class _Route:
    verb: str
    path: str
    """`ID` stands for a chat's id."""
    handler: _Handler
    is_for_seat: bool = False
    """Whether the page for the agent's seat uses it, with or without `--control`."""


_ROUTES: Final = (
    _Route("GET", "", _index),
    _Route("GET", "requests", _requests),
    _Route("DELETE", "requests", _forget_requests),
    _Route("GET", "chats", _chats, is_for_seat=True),
    _Route("GET", "chats/ID", _chat, is_for_seat=True),
    _Route("GET", "chats/ID/events", _events),
    _Route("POST", "chats/ID/events", _send_events),
    _Route("GET", "chats/ID/stream", _stream, is_for_seat=True),
    _Route("POST", "chats/ID/agent", _act, is_for_seat=True),
    _Route("POST", "chats/ID/end", _end),
    _Route("GET", "faults", _faults, is_for_seat=True),
    _Route("PUT", "faults", _set_faults, is_for_seat=True),
    _Route("DELETE", "faults", _clear_faults),
    _Route("POST", "advance", _advance),
    _Route("POST", "reset", _reset),
)


def _find_route(routes: Iterable[_Route], verb: str, parts: tuple[str, ...]) -> tuple[_Route, str]:
    """Return the route of a request, and the chat's id in its path, "" for none."""
    verbs = []
    for route in routes:
        shape = route.path.split("/")
        pairs = list(zip(shape, parts, strict=False))
        if len(shape) != len(parts) or any(a not in {b, "ID"} for a, b in pairs):
            continue
        if route.verb == verb:
            return route, next((given for part, given in pairs if part == "ID"), "")
        verbs.append(route.verb)
    if verbs:
        text = f"this path takes {', '.join(verbs)}"
        raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, text)
    raise _RefusedError(HTTPStatus.NOT_FOUND, f"no such path; GET {CONTROL}/ lists them")
