"""The asynchronous driver, for asyncio and trio: one chat, or thousands over one sender."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from itertools import count
from math import inf
from os import PathLike
from types import TracebackType
from typing import Any, Protocol, Self

from chatfsm.api import ApiRequest, GetFile, RequestChat, Resume
from chatfsm.commands import Command
from chatfsm.drivers._core import (
    Answer,
    AsyncSender,
    ChatActions,
    ClientLike,
    DriverCore,
    Keep,
    failure_of,
    file_id_of,
    sharing,
    upload_of,
)
from chatfsm.errors import LocalProtocolError
from chatfsm.inputs import Tick
from chatfsm.models import SharedFile
from chatfsm.transport import HttpRequest

try:
    import anyio
    import anyio.lowlevel
    import anyio.to_thread
except ImportError:  # an extra
    raise ImportError("this needs anyio: pip install 'chatfsm[aio]'", name="anyio") from None


__all__ = ["Chat", "Chats", "Member", "Scheduler"]

# Many chats on one event loop: a task for each request under way, and one for all deadlines.


class Member(Protocol):
    """A chat, as the hub sees it."""

    due: float
    """The earliest time for which the hub has it in its heap."""

    @property
    def deadline(self) -> float | None:
        """When to let it hear a `Tick`; None: no need to."""

    def heard(self, item: Tick | Answer) -> None:
        """Hear it, and send what follows; never raises."""

    async def aclose(self) -> None:
        """Flush, and stop."""


class Scheduler:
    """Carries the requests of its members, and wakes them in time."""

    def __init__(self, send: AsyncSender, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._send = send
        self._heap: list[tuple[float, int, Member]] = []
        self._number = count()  # no two entries are compared by their members
        self._under_way: dict[anyio.CancelScope, Member] = {}
        self.members: set[Member] = set()
        """Those that are not over."""
        self._is_open = False

    async def __aenter__(self) -> Self:
        self._wake = anyio.Event()
        self._watching = anyio.CancelScope(shield=True)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._is_open = True
        self._tasks.start_soon(self._watch)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give up all that is under way; what the block raised goes on as it is."""
        self._is_open = False
        for scope in (self._watching, *self._under_way):
            scope.cancel()
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)

    @property
    def is_open(self) -> bool:
        """Whether requests are carried."""
        return self._is_open

    def carry(self, member: Member, request: HttpRequest) -> None:
        """Send a request, and let the member hear what came of it."""
        if self._is_open:
            # Whoever cancels the chat's block does not cut off what is being said: closing does.
            scope = anyio.CancelScope(shield=True)
            self._under_way[scope] = member
            self._tasks.start_soon(self._carry, member, request, scope)

    def give_up(self, member: Member) -> None:
        """Stop carrying what this member has under way; it hears no more of it."""
        for scope, other in self._under_way.items():
            if other is member:
                scope.cancel()

    def schedule(self, member: Member) -> None:
        """See to it that a member is woken at its deadline; an earlier look does no harm."""
        deadline = member.deadline
        if deadline is None or deadline >= member.due:
            return
        member.due = deadline
        heappush(self._heap, (deadline, next(self._number), member))
        if self._heap[0][2] is member:
            self._wake.set()

    async def _carry(self, member: Member, request: HttpRequest, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                member.heard(await self._answer(request))
        finally:
            del self._under_way[scope]

    async def _answer(self, request: HttpRequest) -> Answer:
        try:
            return await self._send(request)
        except Exception as error:  # noqa: BLE001  # whoever writes a sender may err
            return failure_of(request, error)

    async def _watch(self) -> None:
        with self._watching:
            while True:
                self._wake = anyio.Event()
                self._wake_the_due()
                delay = self._heap[0][0] - self.now() if self._heap else inf
                with anyio.move_on_after(max(0.0, delay)):
                    await self._wake.wait()

    def _wake_the_due(self) -> None:
        now = self.now()
        while self._heap and self._heap[0][0] <= now:
            due, _, member = heappop(self._heap)
            if due != member.due:
                continue  # an earlier entry has taken its place
            member.due = inf
            deadline = member.deadline
            if deadline is not None and deadline <= now:
                member.heard(Tick())
            self.schedule(member)


class Chat(ChatActions[Any]):
    """A chat in an `async with` block; iterate over it for its effects, from one task at a time.

    The words are awaited, and are those of `threads.Chat`; so are `keep`, `told`, `room` and
    `closing_timeout`. `keep` is called on the event loop: it has to be done when it returns.
    `carrier`: an async sender, which stays the caller's, or the `Hub` of `Chats`.
    """

    def __init__(  # noqa: PLR0913  # two parts, and what may be said of them by name
        self,
        client: ClientLike,
        carrier: AsyncSender | Scheduler,
        *,
        keep: Keep | None = None,
        told: Iterable[object] = (),
        room: int = 256,
        now: Callable[[], float] = time.monotonic,
        closing_timeout: float = 5.0,
    ) -> None:
        self.client = client
        self.due = inf
        self._hub = carrier if isinstance(carrier, Scheduler) else Scheduler(carrier, now)
        self._is_alone = self._hub is not carrier
        self._desk = DriverCore(client, keep, room, told)
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

    async def ask(self, call: ApiRequest) -> Any:
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

    def _hear(self, item: Command | Resume | ApiRequest) -> None:
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
        self._hub = Scheduler(send, now)
        self._closing_timeout = closing_timeout

    def open(
        self,
        client: ClientLike,
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
