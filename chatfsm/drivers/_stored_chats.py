"""Stored chats: those of a store that one process drives, resumed after a crash."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, Generic, Protocol, TypeVar

import anyio
import anyio.to_thread
from attrs import define, field

from chatfsm._client.client import ChatClient
from chatfsm._log import log_fields, logger
from chatfsm.drivers._stores import ChatInStore, Store
from chatfsm.drivers._tasks import Event, new_event
from chatfsm.drivers.storage import RestoredChat, load_chat
from chatfsm.endpoint import Endpoint
from chatfsm.settings import ClientSettings

__all__ = ["StartedChat", "StoredChats"]


class StartedChat(Protocol):
    """A chat that runs."""

    @property
    def is_finished(self) -> bool:
        """Whether the chat is over, and the app has handled all of its effects."""
        ...

    @property
    def client(self) -> ChatClient:
        """The client of the chat."""
        ...


_RESUMED_AT_ONCE: Final = 16
"""Chats that wait for the store at the same time."""

AnyChat = TypeVar("AnyChat", bound=StartedChat)


@define(eq=False)
class StoredChats(Generic[AnyChat]):
    """The chats of a store by their keys, each open once in this process."""

    store: Store
    endpoint_of: Callable[[str], Endpoint]
    settings: ClientSettings
    now: Callable[[], float]
    start: Callable[[ChatInStore, RestoredChat], AnyChat]
    """Makes a chat run."""
    open_chats: dict[str, AnyChat] = field(factory=dict, init=False)
    failed: dict[str, Exception] = field(factory=dict, init=False)
    """Errors of the chats that could not be resumed."""
    _news: deque[AnyChat] = field(factory=deque, init=False)
    """Chats that the app has not received."""
    _announced: set[str] = field(factory=set, init=False)
    """Keys of the open chats that the app has received, or will."""
    _busy: set[str] = field(factory=set, init=False)
    """Keys of chats that are being opened."""
    _waiting: list[Event] = field(factory=list, init=False)
    """Events of the tasks that wait for a change."""
    _is_ended: bool = field(default=False, init=False)

    async def due_keys(self) -> list[str]:
        """Return the keys of all chats in the store, that with the earliest deadline first."""

        def read() -> list[str]:
            return [key for _, key in sorted((one.due, one.key) for one in self.store.list())]

        return await anyio.to_thread.run_sync(read)

    async def resume(self, keys: list[str], rate: float) -> None:
        """Open chats in this order, at most `rate` a second."""
        began, at_once = self.now(), anyio.Semaphore(_RESUMED_AT_ONCE)

        async def resume_one(key: str) -> None:
            try:
                await self.open(key)
            except Exception as error:  # noqa: BLE001  # kept for the app, with the chat's key
                self.failed[key] = error
                why = type(error).__name__
                logger.warning("a chat could not be resumed: %s", why, extra=log_fields(None))
            finally:
                at_once.release()

        async with anyio.create_task_group() as tasks:
            for number, key in enumerate(keys):
                if self._is_ended:
                    break
                await anyio.sleep(max(0.0, began + number / rate - self.now()))
                await at_once.acquire()
                tasks.start_soon(resume_one, key)

    async def open(
        self, key: str, begin: Callable[[AnyChat], Awaitable[object]] | None = None
    ) -> AnyChat | None:
        """Return the chat of a key, made to run if it is not open yet.

        If the store has no chat to go on, a new one is made, which `begin` opens; without `begin`
        there is none.
        """
        while key in self._busy:
            await self._wait()
        if key in self.open_chats:
            return self.open_chats[key]
        self._busy.add(key)
        try:
            chat = await self._started(key, is_new_allowed=begin is not None)
            if chat is not None and chat.client.session is None and begin is not None:
                await begin(chat)
            if chat is not None:
                self._announce(key, chat)
        finally:
            self._busy.discard(key)
            self._notify()
        return chat

    async def forget(self, key: str, one: ChatInStore) -> None:
        """Release a chat that was closed; delete its record if nothing is left to do with it."""
        self._announced.discard(key)
        chat = self.open_chats.pop(key, None)
        with anyio.CancelScope(shield=True):
            try:
                if chat is not None and chat.is_finished:
                    await anyio.to_thread.run_sync(one.delete)
            finally:
                await anyio.to_thread.run_sync(one.close)

    async def next_chat(self) -> AnyChat | None:
        """Wait for the next chat; None after `end`."""
        while not self._news and not self._is_ended:
            await self._wait()
        return self._news.popleft() if self._news else None

    def end(self) -> None:
        """End the iteration of the app; no further chat is opened."""
        self._is_ended = True
        self._news.clear()
        self._notify()

    def _announce(self, key: str, chat: AnyChat) -> None:
        """Give a chat to the app, which iterates over its chats."""
        if key in self.open_chats and key not in self._announced:
            self._announced.add(key)
            self._news.append(chat)

    async def _started(self, key: str, *, is_new_allowed: bool) -> AnyChat | None:
        one, endpoint = ChatInStore(self.store, key), self.endpoint_of(key)

        def load() -> RestoredChat:
            return load_chat(one, endpoint, settings=self.settings, now=self.now())

        restored = await anyio.to_thread.run_sync(load)  # to its end, also if it is cancelled
        if self._is_ended:
            await self.forget(key, one)
            return None
        if restored.client.session is None and not restored.pending and not is_new_allowed:
            try:
                await anyio.to_thread.run_sync(one.delete)
            finally:
                await self.forget(key, one)
            return None
        chat = self.open_chats[key] = self.start(one, restored)
        return chat

    async def _wait(self) -> None:
        change = new_event()
        self._waiting.append(change)
        await change.wait()

    def _notify(self) -> None:
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            change.set()
