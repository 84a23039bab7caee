"""The contact center of `center`, on 127.0.0.1: HTTP/1.1 on asyncio, in a thread of its own."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self
from urllib.parse import urlsplit

from attrs import define, field

from chatfsm.conversation.client import ChatClient
from chatfsm.conversation.endpoint import Endpoint
from chatfsm.conversation.settings import ClientSettings
from tests.drivers.center import BASE, Center, Room

QUICK = ClientSettings(poll_every=0.01, poll_every_busy=0.0, settle=0.05, backoff_first=0.05)
"""What real clients are slowed down by, out of the way."""
_CLIENT = re.compile(r'clientId="([^"]*)"')


@define(eq=False)
class Server:
    """Serves a center until its block ends; `hold`: seconds that an empty poll is held."""

    center: Center = field(factory=Center)
    hold: float = 0.2
    url: str = ""
    _held: dict[str, list[asyncio.Event]] = field(factory=dict)
    _loop: asyncio.AbstractEventLoop = field(factory=asyncio.new_event_loop)
    _thread: threading.Thread | None = None
    _connections: set[asyncio.Task[None]] = field(factory=set)
    _stopping: asyncio.Event = field(factory=asyncio.Event)

    def __enter__(self) -> Self:
        begun = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(begun,), name="center")
        self._thread.start()
        assert begun.wait(10)
        return self

    def __exit__(self, *_error: object) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        assert self._thread
        self._thread.join(10)

    def do(self, work: Callable[[], Any]) -> Any:
        """Have something done in the server's thread, and wait for it."""

        async def doing() -> Any:
            return work()

        return asyncio.run_coroutine_threadsafe(doing(), self._loop).result(10)

    def endpoint(self, client_id: str = "client-1", version: int = 2) -> Endpoint:
        return Endpoint(
            *(self.url, "tenant.example", "an-app", client_id), version=version, allow_http=True
        )

    def client(self, client_id: str = "client-1", version: int = 2) -> ChatClient:
        return ChatClient(self.endpoint(client_id, version), settings=QUICK)

    def _run(self, begun: threading.Event) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self.serve(begun.set))

    async def serve(self, begun: Callable[[], object], port: int = 0) -> None:
        """Serve until told to stop."""
        self.center.made = self._watch
        listener = await asyncio.start_server(self._connected, "127.0.0.1", port, backlog=4096)
        self.url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        begun()
        await self._stopping.wait()
        listener.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await listener.wait_closed()

    def _watch(self, room: Room) -> None:
        room.wake = lambda: [event.set() for event in self._held.get(room.chat_id, ())]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._connections.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while True:
                    await self._exchange(reader, writer)
        finally:
            self._connections.discard(task)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        method, target, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        path = urlsplit(target).path
        self.center.requests.append(f"{method} {path}")
        client_id = _CLIENT.findall(headers.get("authorization", "")) or [""]
        status, answer = await self._answer(method, path, client_id[0], body)
        head = f"HTTP/1.1 {status} -\r\nContent-Length: {len(answer)}\r\n\r\n"
        writer.write(head.encode() + answer)
        await writer.drain()

    async def _answer(
        self, method: str, path: str, client_id: str, body: bytes
    ) -> tuple[int, bytes]:
        match = BASE.fullmatch(path)
        parts = match[2].split("/") if match else []
        if method == "GET" and len(parts) == 3 and parts[2] == "events":
            room = self.center.rooms.get(client_id)
            if room is not None and room.chat_id == parts[1]:
                return 200, await self._poll(room)
        return self.center.answer(method, path, client_id, body)

    async def _poll(self, room: Room) -> bytes:
        if not room.pending:
            news = asyncio.Event()
            held = self._held.setdefault(room.chat_id, [])
            held.append(news)
            self.center.most_polls = max(self.center.most_polls, len(held))
            with suppress(TimeoutError):
                async with asyncio.timeout(self.hold):
                    await news.wait()
            held.remove(news)
        events, room.pending = room.pending, []
        return json.dumps({"events": events}).encode()
