"""Asynchronous chat: one chat in an event loop of asyncio or trio."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from functools import partial
from math import inf
from os import PathLike
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import anyio
import anyio.lowlevel
import anyio.to_thread
from attrs import define

from chatfsm._client.client import ChatClient
from chatfsm.api import GetFile, RequestChat, Resume, SessionProperties, TypedRequest
from chatfsm.client_effects import ChatEffect
from chatfsm.commands import Command, SendFile, SendText
from chatfsm.drivers._actions import (
    ChatActions,
    UploadSource,
    file_id_of,
    read_upload,
    share_command,
)
from chatfsm.drivers._core import (
    AsyncSender,
    DriverCore,
    EffectLoop,
    HttpResult,
    PendingEffect,
    Save,
    elapsed_seconds,
)
from chatfsm.drivers._scheduler import Scheduler
from chatfsm.drivers._stored_chats import StoredChats
from chatfsm.drivers._stores import ASKED_IN_TRANSACTION, Transaction, transaction_of
from chatfsm.drivers._tasks import Event, current_task, has_succeeded, new_event
from chatfsm.drivers.observing import Observer
from chatfsm.drivers.storage import (
    ChatInStore,
    ChatStore,
    as_store,
    close_store,
    load_chat,
)
from chatfsm.endpoint import Endpoint
from chatfsm.errors import LocalProtocolError
from chatfsm.inputs import Tick
from chatfsm.models import SharedFile
from chatfsm.settings import ClientSettings
from chatfsm.transport import HttpRequest

__all__ = ["Chat"]

Inspected = TypeVar("Inspected")
Result = TypeVar("Result")

_DEFAULTS: Final = ClientSettings()


class Chat(ChatActions[Coroutine[Any, Any, None], Coroutine[Any, Any, str]]):
    """A chat in an `async with` block; iterate over it for its effects, from one task at a time.

    The arguments and methods are those of `threads.Chat`; await the methods that send or wait.
    `sender` is an async sender, which stays the caller's. `save` is called on the event loop, which
    waits until it returns; a store that waits for a disk should return a future. `Chats` holds many
    chats.
    """

    def __init__(  # noqa: PLR0913  # all but two by name
        self,
        client: ChatClient,
        sender: AsyncSender | Scheduler,
        *,
        save: Save | None = None,
        pending: Iterable[PendingEffect] = (),
        opening: RequestChat | None = None,
        max_pending: int = 256,
        now: Callable[[], float] = elapsed_seconds,
        closing_timeout: float = 5.0,
        observers: Iterable[Observer] = (),
    ) -> None:
        self.client = client
        """Everything known about the chat."""
        self.due = inf
        self._scheduler = sender if isinstance(sender, Scheduler) else Scheduler(sender, now)
        self._owns_scheduler = self._scheduler is not sender
        observers = (*self._scheduler.observers, *observers)
        self._core = DriverCore(client, save, max_pending, pending, observers=observers)
        self._core.saving.on_done = partial(self._scheduler.run_soon, self._finish_save)
        self._opening = opening
        self._closing_timeout = closing_timeout
        self._store: ChatStore | None = None
        """Store to close at the end of the block."""
        self._chats: StoredChats[Chat] | None = None
        """Chats that this one belongs to, which close its store."""
        self._waiting: list[tuple[Callable[[], bool], Event]] = []
        """Conditions that tasks wait for, each with the event of its task."""
        self._taker: object = None
        """Task that took the last effect."""
        self._scheduler.members.add(self)

    @classmethod
    def connect(  # noqa: PLR0913  # all but two by name
        cls,
        endpoint: Endpoint,
        sender: AsyncSender | Scheduler,
        *,
        store: ChatStore | str | PathLike[str] | None = None,
        opening: RequestChat | None = None,
        journal: Callable[[str], object] | None = None,
        settings: ClientSettings = _DEFAULTS,
        max_pending: int = 256,
        now: Callable[[], float] = elapsed_seconds,
        closing_timeout: float = 5.0,
        observers: Iterable[Observer] = (),
    ) -> Self:
        """Return a chat that opens at the start of its block; as `threads.Chat.connect`."""
        found = as_store(store)
        restored = load_chat(found, endpoint, settings=settings, now=now(), journal=journal)
        chat = cls(
            restored.client,
            sender,
            save=None if found is None else found.save,
            pending=restored.pending,
            opening=opening or RequestChat(),
            max_pending=max_pending,
            now=now,
            closing_timeout=closing_timeout,
            observers=observers,
        )
        chat._store = found
        return chat

    async def __aenter__(self) -> Self:
        if self._owns_scheduler:
            await self._scheduler.__aenter__()
        self._scheduler.schedule(self)
        if self._opening is not None and self.client.session is None:
            try:
                await self.ask(self._opening)
            except BaseException as error:
                await self.__aexit__(type(error), error, error.__traceback__)
                raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            await self.closing(error)
        finally:
            if self._owns_scheduler:
                await self._scheduler.__aexit__(kind, error, trace)

    def __aiter__(self) -> AsyncIterator[ChatEffect]:
        """Return an iterator over the effects.

        Raises `LocalProtocolError` while another task is in a loop over them.
        """
        loop = _AsyncEffectLoop(id(current_task()), self)
        self._core.add_loop(loop)
        return loop

    async def __anext__(self) -> ChatEffect:
        """Wait for the next effect; as `threads.Chat.__next__`."""
        task, core = current_task(), self._core
        if core.has_next:  # else it waits, which can be cancelled
            await anyio.lowlevel.checkpoint_if_cancelled()
        core.begin_waiting()
        try:
            is_step = core.is_finish_a_step
            requests = core.finish(self._scheduler.now())
            if is_step:
                self._send_requests(requests)
            if not core.is_handled:
                await self._wait_until(lambda: core.is_handled)
            while (effect := core.take(id(task))) is None:
                if core.error is not None:
                    raise core.error
                if core.is_over:
                    if self._chats is not None:
                        await self.aclose()
                    raise StopAsyncIteration
                await self._wait_until(lambda: core.has_news)
        finally:
            core.end_waiting()
        self._taker = task
        return effect

    @property
    def is_finished(self) -> bool:
        """Whether the chat is over, and the app has handled all of its effects."""
        return self.client.done and not self._core.pending

    @property
    def deadline(self) -> float | None:
        """Time at which the scheduler is to wake the chat; None if it need not."""
        return self._core.deadline

    def receive_safely(self, item: Tick | HttpResult) -> list[HttpRequest]:
        """Feed an input of the scheduler to the client; return the requests to send now."""
        requests = self._core.receive_safely(item, self._scheduler.now())
        self._note_step()
        return requests

    async def send(self, command: Command | Resume) -> None:
        """Send any command. Raises `LocalProtocolError` if it is not allowed now."""
        await anyio.lowlevel.checkpoint_if_cancelled()
        await self._wait_saved(self._submit(command))

    async def ask(self, request: TypedRequest[Result]) -> Result:
        """Send a request of `chatfsm.api`, wait for its result, and return it.

        Raises `LocalProtocolError` if it is not allowed now, `ApiError` if it fails.
        """
        await anyio.lowlevel.checkpoint_if_cancelled()
        if self._core.is_holder(id(current_task())):
            raise LocalProtocolError(ASKED_IN_TRANSACTION)
        call = self._core.add_call(request)
        try:
            await self._wait_saved(self._submit(call.request))
            await self._wait_until(lambda: call.answer is not None or self._core.is_stopped)
        finally:
            self._core.remove_call(call)
        result: Result = call.result()
        return result

    @asynccontextmanager
    async def handling(self, effect: ChatEffect) -> AsyncIterator[Transaction]:
        """Handle an effect in one transaction, in an `async with` block; as `threads.Chat`."""
        self._core.begin_handling(effect, id(current_task()))
        transaction = transaction_of(self._store)
        try:
            yield transaction
        except BaseException:
            self._send_requests(self._core.abandon_handling(self._scheduler.now()))
            raise
        statements, now = transaction.statements, self._scheduler.now()
        self._send_requests(self._core.commit_handling(statements, now))
        await self._wait_until(lambda: not self._core.is_committing)
        self._core.check_committed()

    async def open(
        self,
        phone_number: str | None = None,
        sender: str | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> SessionProperties:
        """Request a chat, and wait until there is one; as `ask(RequestChat(…))`."""
        return await self.ask(RequestChat(phone_number, sender, parameters or {}))

    async def upload(self, source: UploadSource, file_name: str | None = None) -> str:
        """Upload a file and share it in the chat; return the msg_id. As `threads.Chat.upload`."""
        request = await anyio.to_thread.run_sync(read_upload, source, file_name)
        return await self._send_message(share_command(request, await self.ask(request)))

    async def download(self, file: SharedFile | str) -> bytes:
        """Return the content of a shared file, given as a `SharedFile` or by its id."""
        return (await self.ask(GetFile(file_id_of(file)))).content

    async def aclose(self) -> None:
        """Send the queued events, and close the chat, as the end of the block does."""
        await self.closing(None)

    async def _send_message(self, command: SendText | SendFile) -> str:
        await anyio.lowlevel.checkpoint_if_cancelled()
        change = self._submit(command)
        msg_id = self._core.last_msg_id()
        await self._wait_saved(change)
        return msg_id

    def _read(self, reader: Callable[[DriverCore], Inspected]) -> Inspected:
        return reader(self._core)

    def _submit(self, item: object) -> int:
        """Feed an input to the client; return the number of the change."""
        if not self._scheduler.is_open:
            raise LocalProtocolError("cannot send: the chat is not in its async with block")
        self._core.check_open()
        self._send_requests(self._core.receive(item, self._scheduler.now()))
        return self._core.saving.change

    async def _wait_saved(self, change: int) -> None:
        """Wait until the store has saved a change. Raises its error if it has not."""
        core = self._core
        if core.saving.save is None or core.is_holder(id(current_task())):
            return
        await self._wait_until(lambda: core.is_stopped or not core.saving.is_undecided(change))
        core.check_saved(change)

    def _finish_save(self) -> None:
        self._send_requests(self._core.finish_save(self._scheduler.now()))

    def _send_requests(self, requests: list[HttpRequest]) -> None:
        for request in requests:
            self._scheduler.send(self, request)
        self._note_step()

    def _note_step(self) -> None:
        """Have the scheduler know the deadline, and wake the tasks whose condition is true now."""
        self._scheduler.schedule(self)
        if self._core.is_over:
            self._scheduler.members.discard(self)
        for condition, event in self._waiting:
            if condition():
                event.set()

    async def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition is true, which is asked for after each step of the chat."""
        while not condition():
            waiting = condition, new_event()
            self._waiting.append(waiting)
            try:
                await waiting[1].wait()
            finally:
                self._waiting.remove(waiting)

    def closing(self, error: BaseException | None) -> Coroutine[Any, Any, None]:
        """Return the coroutine that closes the chat, after an error of the current task or None.

        Without an error the last effect is handled if the current task has taken it, or if another
        one has that has ended: an app may iterate in one task and leave the block in another.
        """
        taker = self._taker
        if error is not None:
            return self._close(None)
        has_ended = taker is not None and has_succeeded(taker)
        return self._close(id(taker if has_ended else current_task()))

    async def _close(self, closer: int | None) -> None:
        """Send the queued events, even if the block was cancelled; then cancel the requests."""
        if self._core.is_closed:
            return
        self._taker = None
        core, now = self._core, self._scheduler.now
        with anyio.move_on_after(self._closing_timeout, shield=True):
            await self._wait_until(lambda: core.is_closed or core.is_flushed(now()))
        try:
            core.close(now(), closer)
            with anyio.CancelScope(shield=True):
                await self._wait_until(lambda: not core.saving.is_in_progress)
            core.check_closed()
        finally:
            try:
                if self._chats is not None and isinstance(self._store, ChatInStore):
                    await self._chats.forget(self._store.key, self._store)
                else:
                    close_store(self._store)
            finally:
                self._scheduler.cancel_requests(self)
                self._send_requests([])


@define(eq=False)
class _AsyncEffectLoop(EffectLoop):
    _chat: Chat

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, ChatEffect]:
        return self._chat.__anext__()
