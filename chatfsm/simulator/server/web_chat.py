"""Web chats: the chats of the web page, each with a `ChatClient` in the server.

The page sends commands by POST, and receives the client's effects as Server-Sent Events, so that it
shows what the library reports. Requests of the client go through the simulated network.

    POST /web/chats                          {"app_id": …}          201 {"chat": key}
    GET  /web/chats/KEY                      {"app_id": …}, null if the server has no such chat
    GET  /web/chats/KEY/effects              a stream of records, from `Last-Event-ID` on
    POST /web/chats/KEY/commands             {"command": "send_text", "text": …}
    POST /web/chats/KEY/files?name=NAME      the bytes of a file to share
    GET  /web/chats/KEY/files/ID, /web/chats/KEY/profilephotos/ID

A party without a photo is answered with 204, so that no page has an error to show.

A record is an effect as JSON, or a command of the page, each with the client's time as `at`.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Coroutine, Iterator
from http import HTTPStatus
from typing import Any, Final, get_args

from aiohttp import web
from attrs import asdict, define, evolve, field

from chatfsm._client.client import ChatClient, ClientInput
from chatfsm._plain import snake_case
from chatfsm.api import ApiRequest, GetFile, GetPhoto, RequestChat, UploadFile
from chatfsm.client_effects import (
    ApiFailed,
    ApiSucceeded,
    AuthorizationFailed,
    ChatEffect,
    ChatOpened,
    LinkChanged,
    Undelivered,
)
from chatfsm.commands import Command, SendFile, SendText
from chatfsm.effects import to_json
from chatfsm.endpoint import Endpoint
from chatfsm.errors import ApiError, ChatError, LocalProtocolError
from chatfsm.inputs import Tick
from chatfsm.simulator.network import BrokenExchange
from chatfsm.simulator.server.handler import WEB_CHATS, NetworkPump
from chatfsm.transport import FailureKind, HttpFailure, HttpReply, HttpRequest

__all__ = ["COMMANDS", "WebChat", "WebChats", "command_from_json", "effect_to_json"]

COMMANDS: Final = {snake_case(cls): cls for cls in get_args(Command)}
"""The classes of commands by their names in JSON."""
# A page shows this many of a chat's records at most; the oldest are dropped.
_MAX_RECORDS: Final = 10_000
# Chats kept for pages; the oldest is closed.
_MAX_CHATS: Final = 100
# Seconds between comments in a silent stream, so that a closed page is noticed.
_KEEP_ALIVE: Final = 15.0
_MAX_FILE_NAME: Final = 255
_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
# Files come from agents and customers, so none is opened as a document of this origin.
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_FILE_HEADERS: Final = {**_HEADERS, "Content-Security-Policy": "default-src 'none'; sandbox"}


def command_from_json(value: object) -> Command:
    """Return the command that an object holds. Raises TypeError or ValueError if it is invalid."""
    name = value.get("command") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(name, str) or name not in COMMANDS:
        raise ValueError(f"command must be one of {', '.join(COMMANDS)}")
    fields = {key: held for key, held in value.items() if key != "command"}
    command: Command = COMMANDS[name](**fields)
    return command


def effect_to_json(effect: ChatEffect) -> dict[str, Any]:
    """Return an effect of a client as JSON: those of its session as by `effects.to_json`."""
    match effect:
        case ApiSucceeded(request=request):
            return {"effect": "api_succeeded", "request": snake_case(type(request))}
        case ApiFailed(request=request, error=error):
            kind = snake_case(type(request))
            return {"effect": "api_failed", "request": kind, "error": str(error)}
        case AuthorizationFailed(error=error):
            return {"effect": "authorization_failed", "error": str(error)}
        case ChatOpened() | LinkChanged() | Undelivered():
            return {"effect": snake_case(type(effect)), **asdict(effect)}
    return to_json(effect)


@define(eq=False)
class WebChat:
    """One chat: its client, the records for its pages, and the requests under way."""

    pump: NetworkPump
    """Gives the client's requests to the network."""
    client: ChatClient
    """The client of the chat."""
    is_closed: bool = field(default=False, init=False)
    """Whether the chat was closed: its streams end."""
    _records: list[dict[str, Any]] = field(factory=list, init=False)
    _dropped: int = field(default=0, init=False)
    """The number of records that were dropped, which is the number of the first one kept."""
    _changed: asyncio.Event = field(factory=asyncio.Event, init=False)
    _calls: dict[int, asyncio.Future[Any]] = field(factory=dict, init=False)
    """The app's own API requests without a result, by identity."""
    _tasks: set[asyncio.Task[None]] = field(factory=set, init=False)
    _tick: asyncio.TimerHandle | None = field(default=None, init=False)

    def receive(self, item: ClientInput) -> None:
        """Give an item to the client, and handle its effects. Raises `LocalProtocolError`."""
        for effect in self.client.receive(item, now=self.pump.now()):
            if isinstance(effect, HttpRequest):
                self._start(self._send(effect))
                continue
            if isinstance(effect, ApiSucceeded | ApiFailed):
                self._finish_call(effect)
            self._add(effect_to_json(effect))
        self._schedule_tick()

    def command(self, command: Command) -> None:
        """Give a command of the page to the client, and record it with its msg_id."""
        self.receive(command)
        session = self.client.session
        record: dict[str, Any] = {"command": snake_case(type(command))}
        if session is not None and isinstance(command, SendText | SendFile):
            # Answers to forms are in no record; texts and file names are the page's own messages.
            text = command.text if isinstance(command, SendText) else command.file_name
            record |= {"msg_id": next(reversed(session.outbox)), "text": text}
            record |= {"file_id": command.file_id} if isinstance(command, SendFile) else {}
        self._add(record)

    async def call(self, request: ApiRequest) -> Any:
        """Return the result of an API request. Raises `ApiError`, or `LocalProtocolError`."""
        done = self._calls[id(request)] = asyncio.get_running_loop().create_future()
        try:
            self.receive(request)
            return await done
        finally:
            self._calls.pop(id(request), None)

    def records(self, number: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the records from a number on, with their numbers."""
        start = max(number, self._dropped)
        yield from enumerate(self._records[start - self._dropped :], start)

    async def wait(self, number: int) -> None:
        """Wait for a record of this number, a jump of the time, or the end of the chat."""
        if not self.is_closed and self._dropped + len(self._records) <= number:
            await self._changed.wait()

    def on_jump(self) -> None:
        """Note a jump of the time: the client's deadlines and the clocks of pages are late."""
        if not self.is_closed:
            self.receive(Tick())
            self._notify()

    def close(self) -> None:
        """Stop the client and end its streams."""
        self.is_closed = True
        self._changed.set()
        if self._tick is not None:
            self._tick.cancel()
        for task in self._tasks:
            task.cancel()

    def _add(self, record: dict[str, Any]) -> None:
        self._records.append({"at": round(self.pump.now(), 3), **record})
        if len(self._records) > _MAX_RECORDS:
            del self._records[0]
            self._dropped += 1
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _finish_call(self, effect: ApiSucceeded | ApiFailed) -> None:
        done = self._calls.get(id(effect.request))
        if done is None or done.done():
            return
        if isinstance(effect, ApiSucceeded):
            done.set_result(effect.result)
        else:
            done.set_exception(effect.error)

    def _schedule_tick(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        deadline = self.client.deadline
        if deadline is not None and not self.is_closed:
            delay = max(0.0, deadline - self.pump.now()) / self.pump.speed
            self._tick = asyncio.get_running_loop().call_later(delay, self.receive, Tick())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _send(self, request: HttpRequest) -> None:
        answer = await self._exchange(request)
        if not self.is_closed:
            self.receive(answer)

    async def _exchange(self, request: HttpRequest) -> HttpReply | HttpFailure:
        parts = (request.method, request.url, request.headers, request.body)
        try:
            async with asyncio.timeout(request.timeout / self.pump.speed):
                result = await self.pump.exchange(*parts)
                if isinstance(result, BrokenExchange) and result.kind == "lost":
                    await asyncio.get_running_loop().create_future()
        except TimeoutError:
            return HttpFailure(request.id, "timeout", "no reply in time")
        if isinstance(result, HttpReply):
            return evolve(result, id=request.id)
        why = "the server closes" if result is None else result.kind
        kind: FailureKind = "connect" if why == "refused" else "protocol"
        return HttpFailure(request.id, kind, why)


@define(eq=False)
class WebChats:
    """Answers the page's requests for chats with the apps of a tenant."""

    pump: NetworkPump
    """Gives the requests of all clients to the network."""
    tenant_url: str
    """The domain of the tenant, for `Endpoint.tenant_url`."""
    _chats: dict[str, WebChat] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.pump.on_jump.append(self._on_jump)

    async def respond(self, request: web.BaseRequest, body: bytes) -> web.StreamResponse:
        """Return the response to a request whose path begins with `WEB_CHATS`."""
        if request.headers.get("Origin", f"http://{request.host}") != f"http://{request.host}":
            return _error(HTTPStatus.FORBIDDEN, "only the simulator's own page may use this")
        key, method, subject = (request.path.removeprefix(WEB_CHATS).split("/") + [""] * 3)[1:4]
        if not key and request.method == "POST":
            return self._open(body)
        chat, verb_and_method = self._chats.get(key), (request.method, method)
        if chat is None:
            return _without_chat(verb_and_method)
        answer = _METHODS.get(verb_and_method)
        if answer is None:
            return _error(HTTPStatus.NOT_FOUND, "the server has no such path")
        try:
            return await answer(chat, request, body, subject)
        except (ChatError, TypeError, ValueError) as error:
            return _error(_status_of(error), str(error))

    def close(self) -> None:
        """Close all chats."""
        for chat in self._chats.values():
            chat.close()

    def _on_jump(self) -> None:
        for chat in self._chats.values():
            chat.on_jump()

    def _open(self, body: bytes) -> web.Response:
        try:
            app_id = json.loads(body)["app_id"]
            endpoint = Endpoint(
                "https://simulator.example", self.tenant_url, app_id, secrets.token_hex(16)
            )
        except (KeyError, TypeError, ValueError, ChatError):
            return _error(HTTPStatus.BAD_REQUEST, "app_id must be the id of an app")
        while len(self._chats) >= _MAX_CHATS:
            self._chats.pop(next(iter(self._chats))).close()
        key = secrets.token_urlsafe(16)
        chat = self._chats[key] = WebChat(self.pump, ChatClient(endpoint))
        chat.receive(RequestChat(parameters={"user_platform": "browser"}))
        return web.json_response({"chat": key}, status=HTTPStatus.CREATED, headers=_HEADERS)


def _without_chat(verb_and_method: tuple[str, str]) -> web.Response:
    """Return the response if there is no such chat: 404, unless a browser would show that as error.

    A stream is ended by 204.
    """
    if verb_and_method == ("GET", ""):
        return web.json_response({"app_id": None}, headers=_HEADERS)
    if verb_and_method == ("GET", "effects"):
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=_HEADERS)
    return _error(HTTPStatus.NOT_FOUND, "the server has no such chat")


async def _about(
    chat: WebChat, _request: web.BaseRequest, _body: bytes, _subject: str
) -> web.StreamResponse:
    return web.json_response({"app_id": chat.client.endpoint.app_id}, headers=_HEADERS)


async def _stream(
    chat: WebChat, request: web.BaseRequest, _body: bytes, _subject: str
) -> web.StreamResponse:
    """Send the records from the one after `Last-Event-ID` on, until the chat is closed."""
    response = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
    await response.prepare(request)
    jump_count = -1
    last = request.headers.get("Last-Event-ID", "")
    number = int(last) + 1 if last.isascii() and last.isdigit() else 0
    while not chat.is_closed:
        if jump_count != chat.pump.jump_count:
            jump_count = chat.pump.jump_count
            clock = {"now": chat.pump.now(), "speed": chat.pump.speed}
            await response.write(f"event: clock\ndata: {json.dumps(clock)}\n\n".encode())
        for at, record in chat.records(number):
            await response.write(f"id: {at}\ndata: {json.dumps(record)}\n\n".encode())
            number = at + 1
        try:
            async with asyncio.timeout(_KEEP_ALIVE):
                await chat.wait(number)
        except TimeoutError:
            await response.write(b": still here\n\n")
    return response


async def _command(
    chat: WebChat, _request: web.BaseRequest, body: bytes, _subject: str
) -> web.StreamResponse:
    chat.command(command_from_json(json.loads(body)))
    return web.json_response({}, headers=_HEADERS)


async def _share(
    chat: WebChat, request: web.BaseRequest, body: bytes, _subject: str
) -> web.StreamResponse:
    """Upload a file, then send it in the chat."""
    name = request.query.get("name", "")[:_MAX_FILE_NAME] or "file"
    uploaded = await chat.call(UploadFile(name, body, request.content_type))
    is_image = request.content_type in _IMAGES
    chat.command(SendFile(uploaded.file_id, "image" if is_image else "attachment", name))
    return web.json_response({}, headers=_HEADERS)


async def _file(
    chat: WebChat, _request: web.BaseRequest, _body: bytes, file_id: str
) -> web.StreamResponse:
    return _download(await chat.call(GetFile(file_id)))


async def _photo(
    chat: WebChat, _request: web.BaseRequest, _body: bytes, party_id: str
) -> web.StreamResponse:
    try:
        return _download(await chat.call(GetPhoto(party_id)))
    except ApiError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise
        return web.Response(status=HTTPStatus.NO_CONTENT, headers=_HEADERS)


_METHODS: Final = {
    ("GET", ""): _about,
    ("GET", "effects"): _stream,
    ("POST", "commands"): _command,
    ("POST", "files"): _share,
    ("GET", "files"): _file,
    ("GET", "profilephotos"): _photo,
}


def _status_of(error: Exception) -> int:
    if isinstance(error, ApiError):
        return error.status or HTTPStatus.BAD_GATEWAY
    is_too_early = isinstance(error, LocalProtocolError)
    return HTTPStatus.CONFLICT if is_too_early else HTTPStatus.BAD_REQUEST


def _error(status: int, text: str) -> web.Response:
    return web.json_response({"error": text}, status=status, headers=_HEADERS)


def _download(download: Any) -> web.Response:
    kind = (download.content_type or "").partition(";")[0].strip().lower()
    if kind in _IMAGES:
        return web.Response(body=download.content, headers={**_FILE_HEADERS, "Content-Type": kind})
    headers = {"Content-Type": "application/octet-stream", "Content-Disposition": "attachment"}
    return web.Response(body=download.content, headers=_FILE_HEADERS | headers)
