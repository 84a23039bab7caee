"""The asynchronous driver, for asyncio and trio: one chat, or thousands over one sender."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from math import inf
from os import PathLike
from types import TracebackType
from typing import Any, Self

from chatfsm.conversation.calls import Call, GetFile, RequestChat, Resume
from chatfsm.conversation.exchange import HttpRequest
from chatfsm.drivers.desk import Desk
from chatfsm.drivers.machine import Answer, AsyncSender, Keep, Machine
from chatfsm.drivers.words import Words, file_id_of, sharing, upload_of
from chatfsm.errors import LocalProtocolError
from chatfsm.protocol.commands import Command
from chatfsm.session.inputs import Tick
from chatfsm.session.values import SharedFile

try:
    import anyio
    import anyio.lowlevel
    import anyio.to_thread
except ImportError:  # an extra
    raise ImportError("this needs anyio: pip install 'chatfsm[aio]'", name="anyio") from None

from chatfsm.drivers.hub import Hub  # which needs it too

__all__ = ["Chat", "Chats"]


class Chat(Words[Any]):
    """A chat in an `async with` block; iterate over it for its effects, from one task at a time.

    The words are awaited, and are those of `threads.Chat`; so are `keep`, `told`, `room` and
    `closing_timeout`. `keep` is called on the event loop: it has to be done when it returns.
    `carrier`: an async sender, which stays the caller's, or the `Hub` of `Chats`.
    """

    def __init__(  # noqa: PLR0913  # two parts, and what may be said of them by name
        self,
        client: Machine,
        carrier: AsyncSender | Hub,
        *,
        keep: Keep | None = None,
        told: Iterable[object] = (),
        room: int = 256,
        now: Callable[[], float] = time.monotonic,
        closing_timeout: float = 5.0,
    ) -> None:
        self.client = client
        self.due = inf
        self._hub = carrier if isinstance(carrier, Hub) else Hub(carrier, now)
        self._is_alone = self._hub is not carrier
        self._desk = Desk(client, keep, room, told)
        self._closing_timeout = closing_timeout
        self._news: anyio.Event | None = None
        self._hub.members.add(self)

    async def __aenter__(self) -> Self:
        if self._is_alone:
            await self._hub.__aenter__()
        self._hub.schedule(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self._close(None if error else _task_id())
        finally:
            if self._is_alone:
                await self._hub.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        """The next effect; as `threads.Chat.__next__`."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        self._follow(self._desk.handled(self._hub.now()))
        while (effect := self._desk.take(_task_id())) is None:
            if self._desk.broken is not None:
                raise self._desk.broken
            if self._desk.is_over:
                raise StopAsyncIteration
            await self._changed()
        return effect

    @property
    def deadline(self) -> float | None:
        """When the hub is to wake it."""
        return None if self._desk.is_over else self.client.deadline

    def heard(self, item: Tick | Answer) -> None:
        """For the hub: hear what came, and send what follows; never raises."""
        self._follow(self._desk.hear_safely(item, self._hub.now()))

    async def order(self, command: Command | Resume) -> None:
        """Order anything. Raises `LocalProtocolError` for what is not allowed now."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        self._hear(command)

    async def ask(self, call: Call) -> Any:
        """Ask the server, and wait for the answer; as `threads.Chat.ask`."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        question = self._desk.ask(call)
        try:
            self._hear(question.call)
            while question.answer is None and not self._desk.is_over:
                await self._changed()
        finally:
            self._desk.withdraw(question)
        return question.value()

    async def open(
        self,
        phone_number: str | None = None,
        sender: str | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> Any:
        """Ask for a chat, and wait until there is one; returns its `SessionProperties`."""
        return await self.ask(RequestChat(phone_number, sender, parameters or {}))

    async def upload(self, path: str | PathLike[str]) -> None:
        """Bring a file to the server, and share it in the chat. Raises OSError as well."""
        call = await anyio.to_thread.run_sync(upload_of, path)
        await self.order(sharing(call, await self.ask(call)))

    async def download(self, file: SharedFile | str) -> bytes:
        """The content of a file that was shared, given as it was told or by its id."""
        answer = await self.ask(GetFile(file_id_of(file)))
        content: bytes = answer.content
        return content

    async def aclose(self) -> None:
        """Bring to the server what was said, and stop; as at the end of the block."""
        await self._close(_task_id())

    def _hear(self, item: Command | Resume | Call) -> None:
        if not self._hub.is_open:
            raise LocalProtocolError("cannot do anything: the chat is not in its async with block")
        self._desk.check_open()
        self._follow(self._desk.hear(item, self._hub.now()))

    def _follow(self, requests: list[HttpRequest]) -> None:
        for request in requests:
            self._hub.carry(self, request)
        self._hub.schedule(self)
        if self._desk.is_over:
            self._hub.members.discard(self)
        if self._news is not None:
            self._news.set()
            self._news = None

    async def _changed(self) -> None:
        if self._news is None:
            self._news = anyio.Event()
        await self._news.wait()

    async def _close(self, closer: int | None) -> None:
        """Flush, whoever cancels; then give up what is under way."""
        if self._desk.is_closed:
            return
        with anyio.move_on_after(self._closing_timeout, shield=True):
            while not (self._desk.is_closed or self._desk.is_flushed(self._hub.now())):
                await self._changed()
        try:
            self._desk.close(self._hub.now(), closer)
        finally:
            self._hub.give_up(self)
            self._follow([])


class Chats:
    """Thousands of chats over one sender, in an `async with` block.

    There is one task for all deadlines, and one for each request that is under way. At the end of
    the block those chats are closed that were not, all at once.
    """

    def __init__(
        self,
        send: AsyncSender,
        *,
        now: Callable[[], float] = time.monotonic,
        closing_timeout: float = 5.0,
    ) -> None:
        self._hub = Hub(send, now)
        self._closing_timeout = closing_timeout

    def open(
        self,
        client: Machine,
        *,
        keep: Keep | None = None,
        told: Iterable[object] = (),
        room: int = 256,
    ) -> Chat:
        """A chat among the others; iterate over it, and close it with `aclose` or a block."""
        if not self._hub.is_open:
            raise LocalProtocolError("cannot open a chat: its chats are not in their block")
        timeout = self._closing_timeout
        chat = Chat(client, self._hub, keep=keep, told=told, room=room, closing_timeout=timeout)
        self._hub.schedule(chat)
        return chat

    async def __aenter__(self) -> Self:
        await self._hub.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            with anyio.CancelScope(shield=True):
                async with anyio.create_task_group() as closing:
                    for chat in self._hub.members:
                        closing.start_soon(chat.aclose)
        finally:
            await self._hub.__aexit__(kind, error, trace)


def _task_id() -> int:
    return anyio.get_current_task().id
