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
    AsyncSender,
    ChatActions,
    ClientLike,
    DriverCore,
    HttpResult,
    Save,
    failure_of,
    file_id_of,
    read_upload,
    share_command,
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

    def receive_safely(self, item: Tick | HttpResult) -> None:
        """Hear it, and send what follows; never raises."""

    async def aclose(self) -> None:
        """Flush, and stop."""


class Scheduler:
    """Carries the requests of its members, and wakes them in time."""

    def __init__(self, sender: AsyncSender, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._sender = sender
        self._heap: list[tuple[float, int, Member]] = []
        self._entry_numbers = count()  # no two entries are compared by their members
        self._in_flight: dict[anyio.CancelScope, Member] = {}
        self.members: set[Member] = set()
        """Those that are not over."""
        self._is_open = False

    async def __aenter__(self) -> Self:
        self._wake = anyio.Event()
        self._clock_scope = anyio.CancelScope(shield=True)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._is_open = True
        self._tasks.start_soon(self._run_clock)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give up all that is under way; what the block raised goes on as it is."""
        self._is_open = False
        for scope in (self._clock_scope, *self._in_flight):
            scope.cancel()
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)

    @property
    def is_open(self) -> bool:
        """Whether requests are carried."""
        return self._is_open

    def send(self, member: Member, request: HttpRequest) -> None:
        """Send a request, and let the member hear what came of it."""
        if self._is_open:
            # Whoever cancels the chat's block does not cut off what is being said: closing does.
            scope = anyio.CancelScope(shield=True)
            self._in_flight[scope] = member
            self._tasks.start_soon(self._perform, member, request, scope)

    def cancel_requests(self, member: Member) -> None:
        """Stop carrying what this member has under way; it hears no more of it."""
        for scope, other in self._in_flight.items():
            if other is member:
                scope.cancel()

    def schedule(self, member: Member) -> None:
        """See to it that a member is woken at its deadline; an earlier look does no harm."""
        deadline = member.deadline
        if deadline is None or deadline >= member.due:
            return
        member.due = deadline
        heappush(self._heap, (deadline, next(self._entry_numbers), member))
        if self._heap[0][2] is member:
            self._wake.set()

    async def _perform(
        self, member: Member, request: HttpRequest, scope: anyio.CancelScope
    ) -> None:
        try:
            with scope:
                member.receive_safely(await self._result_of(request))
        finally:
            del self._in_flight[scope]

    async def _result_of(self, request: HttpRequest) -> HttpResult:
        try:
            return await self._sender(request)
        except Exception as error:  # noqa: BLE001  # whoever writes a sender may err
            return failure_of(request, error)

    async def _run_clock(self) -> None:
        with self._clock_scope:
            while True:
                self._wake = anyio.Event()
                self._tick_due()
                delay = self._heap[0][0] - self.now() if self._heap else inf
                with anyio.move_on_after(max(0.0, delay)):
                    await self._wake.wait()

    def _tick_due(self) -> None:
        now = self.now()
        while self._heap and self._heap[0][0] <= now:
            due, _, member = heappop(self._heap)
            if due != member.due:
                continue  # an earlier entry has taken its place
            member.due = inf
            deadline = member.deadline
            if deadline is not None and deadline <= now:
                member.receive_safely(Tick())
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
        sender: AsyncSender | Scheduler,
        *,
        save: Save | None = None,
        pending: Iterable[object] = (),
        max_pending: int = 256,
        now: Callable[[], float] = time.monotonic,
        closing_timeout: float = 5.0,
    ) -> None:
        self.client = client
        self.due = inf
        self._scheduler = sender if isinstance(sender, Scheduler) else Scheduler(sender, now)
        self._owns_scheduler = self._scheduler is not sender
        self._core = DriverCore(client, save, max_pending, pending)
        self._closing_timeout = closing_timeout
        self._change: anyio.Event | None = None
        self._scheduler.members.add(self)

    async def __aenter__(self) -> Self:
        if self._owns_scheduler:
            await self._scheduler.__aenter__()
        self._scheduler.schedule(self)
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
            if self._owns_scheduler:
                await self._scheduler.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> object:
        """The next effect; as `threads.Chat.__next__`."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        self._send_requests(self._core.finish(self._scheduler.now()))
        while (effect := self._core.take(_task_id())) is None:
            if self._core.error is not None:
                raise self._core.error
            if self._core.is_over:
                raise StopAsyncIteration
            await self._wait_for_change()
        return effect

    @property
    def deadline(self) -> float | None:
        """When the hub is to wake it."""
        return None if self._core.is_over else self.client.deadline

    def receive_safely(self, item: Tick | HttpResult) -> None:
        """For the hub: hear what came, and send what follows; never raises."""
        self._send_requests(self._core.receive_safely(item, self._scheduler.now()))

    async def send(self, command: Command | Resume) -> None:
        """Order anything. Raises `LocalProtocolError` for what is not allowed now."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        self._submit(command)

    async def ask(self, call: ApiRequest) -> Any:
        """Ask the server, and wait for the answer; as `threads.Chat.ask`."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        question = self._core.add_call(call)
        try:
            self._submit(question.call)
            while question.answer is None and not self._core.is_over:
                await self._wait_for_change()
        finally:
            self._core.remove_call(question)
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
        call = await anyio.to_thread.run_sync(read_upload, path)
        await self.send(share_command(call, await self.ask(call)))

    async def download(self, file: SharedFile | str) -> bytes:
        """The content of a file that was shared, given as it was told or by its id."""
        answer = await self.ask(GetFile(file_id_of(file)))
        content: bytes = answer.content
        return content

    async def aclose(self) -> None:
        """Bring to the server what was said, and stop; as at the end of the block."""
        await self._close(_task_id())

    def _submit(self, item: Command | Resume | ApiRequest) -> None:
        if not self._scheduler.is_open:
            raise LocalProtocolError("cannot do anything: the chat is not in its async with block")
        self._core.check_open()
        self._send_requests(self._core.receive(item, self._scheduler.now()))

    def _send_requests(self, requests: list[HttpRequest]) -> None:
        for request in requests:
            self._scheduler.send(self, request)
        self._scheduler.schedule(self)
        if self._core.is_over:
            self._scheduler.members.discard(self)
        if self._change is not None:
            self._change.set()
            self._change = None

    async def _wait_for_change(self) -> None:
        if self._change is None:
            self._change = anyio.Event()
        await self._change.wait()

    async def _close(self, closer: int | None) -> None:
        """Flush, whoever cancels; then give up what is under way."""
        if self._core.is_closed:
            return
        with anyio.move_on_after(self._closing_timeout, shield=True):
            while not (self._core.is_closed or self._core.is_flushed(self._scheduler.now())):
                await self._wait_for_change()
        try:
            self._core.close(self._scheduler.now(), closer)
        finally:
            self._scheduler.cancel_requests(self)
            self._send_requests([])


class Chats:
    """Thousands of chats over one sender, in an `async with` block.

    There is one task for all deadlines, and one for each request that is under way. At the end of
    the block those chats are closed that were not, all at once.
    """

    def __init__(
        self,
        sender: AsyncSender,
        *,
        now: Callable[[], float] = time.monotonic,
        closing_timeout: float = 5.0,
    ) -> None:
        self._scheduler = Scheduler(sender, now)
        self._closing_timeout = closing_timeout

    def open(
        self,
        client: ClientLike,
        *,
        save: Save | None = None,
        pending: Iterable[object] = (),
        max_pending: int = 256,
    ) -> Chat:
        """A chat among the others; iterate over it, and close it with `aclose` or a block."""
        if not self._scheduler.is_open:
            raise LocalProtocolError("cannot open a chat: its chats are not in their block")
        timeout = self._closing_timeout
        chat = Chat(
            client,
            self._scheduler,
            save=save,
            pending=pending,
            max_pending=max_pending,
            closing_timeout=timeout,
        )
        self._scheduler.schedule(chat)
        return chat

    async def __aenter__(self) -> Self:
        await self._scheduler.__aenter__()
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
                    for chat in self._scheduler.members:
                        closing.start_soon(chat.aclose)
        finally:
            await self._scheduler.__aexit__(kind, error, trace)


def _task_id() -> int:
    return anyio.get_current_task().id
