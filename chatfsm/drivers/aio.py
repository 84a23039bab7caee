"""Asynchronous driver, for asyncio and trio: one chat, or thousands over one sender."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from chatfsm._client.client import ChatClient
from chatfsm.api import RequestChat
from chatfsm.drivers._core import AsyncSender, PendingEffect, Save, elapsed_seconds
from chatfsm.drivers.observing import ChatsHealth, Observer
from chatfsm.drivers.storage import ChatInStore, RestoredChat, Store
from chatfsm.endpoint import Endpoint
from chatfsm.errors import LocalProtocolError
from chatfsm.settings import ClientSettings

try:
    import anyio

    from chatfsm.drivers._async_chat import Chat
    from chatfsm.drivers._scheduler import Member, Scheduler
    from chatfsm.drivers._stored_chats import StoredChats
except ImportError:  # an extra
    raise ImportError("this needs anyio: pip install 'chatfsm[aio]'", name="anyio") from None

__all__ = ["AsyncSender", "Chat", "Chats", "Member", "PendingEffect", "Save", "Scheduler"]

Chat.__module__ = __name__

_DEFAULTS: Final = ClientSettings()
_NOT_OPEN: Final = "cannot open a chat: Chats is not in its async with block"


async def _await(closing: Coroutine[Any, Any, None]) -> None:
    await closing


class Chats:
    """Thousands of chats over one sender, in an `async with` block.

    One task serves all deadlines, and one each request in flight. The end of the block closes all
    chats that are still open, at once. `observers` receive the observations of all chats.

    With a `store`, each of its chats that is not over is resumed when the block begins: that with
    the earliest deadline first, at most `resumed_per_second`. Iterate over the chats, from one
    task, and over the effects of each:

        async with Chats(sender, store=store, endpoint_of=endpoint_of) as chats:
            async for chat in chats:
                tasks.start_soon(serve, chat)

    `endpoint_of` returns the endpoint for the key of a chat, as records hold no credentials.
    `settings` are those of each client. `failed` has the errors of chats that were not resumed, by
    their keys: another process drives the chat, or its record cannot be read. The record of a chat
    that is over is deleted once the app has handled all of its effects.
    """

    def __init__(  # noqa: PLR0913  # all but one by name
        self,
        sender: AsyncSender,
        *,
        store: Store | None = None,
        endpoint_of: Callable[[str], Endpoint] | None = None,
        settings: ClientSettings = _DEFAULTS,
        resumed_per_second: float = 100.0,
        now: Callable[[], float] = elapsed_seconds,
        closing_timeout: float = 5.0,
        observers: Iterable[Observer] = (),
    ) -> None:
        if (store is None) != (endpoint_of is None):
            raise LocalProtocolError("Chats must be given both of store and endpoint_of, or none")
        if resumed_per_second <= 0:
            raise LocalProtocolError(
                f"resumed_per_second must be greater than 0, not {resumed_per_second}"
            )
        self._scheduler = Scheduler(sender, now, observers)
        self._closing_timeout = closing_timeout
        self._rate = resumed_per_second
        self._stored: StoredChats[Chat] | None = None
        if store is not None and endpoint_of is not None:
            self._stored = StoredChats(store, endpoint_of, settings, now, self._start)

    @property
    def failed(self) -> Mapping[str, Exception]:
        """Errors of the chats that could not be resumed, by their keys."""
        return {} if self._stored is None else dict(self._stored.failed)

    def open(
        self,
        client: ChatClient,
        *,
        save: Save | None = None,
        pending: Iterable[PendingEffect] = (),
        max_pending: int = 256,
    ) -> Chat:
        """Return a chat that runs at once; iterate over it, and close it by `aclose` or a block.

        The arguments are those of `Chat`. Raises `LocalProtocolError` outside the block.
        """
        self._check_open()
        chat = Chat(
            client,
            self._scheduler,
            save=save,
            pending=pending,
            max_pending=max_pending,
            closing_timeout=self._closing_timeout,
        )
        self._scheduler.schedule(chat)
        return chat

    async def connect(self, key: str, *, opening: RequestChat | None = None) -> Chat:
        """Return the chat of a key: the open one, that of the store, or a new one.

        A chat that is over counts until the app has handled all of its effects. The iteration over
        the chats gives each of them once. Raises `LocalProtocolError` if another process has leased
        the chat, `SnapshotError` if the store holds something else, `ApiError` if the server gives
        no chat, and the errors of the store.
        """
        self._check_open()

        async def begin(chat: Chat) -> None:
            try:
                await chat.ask(opening or RequestChat())
            except BaseException:
                await chat.aclose()
                raise

        chat = await self._with_store().open(key, begin)
        if chat is None:
            raise LocalProtocolError(_NOT_OPEN)
        return chat

    def health(self) -> ChatsHealth:
        """Return the health of the chats that are not over."""
        return self._scheduler.health()

    def __aiter__(self) -> Self:
        """Return the iterator over the chats of the store. It ends with the block."""
        self._with_store()
        return self

    async def __anext__(self) -> Chat:
        """Wait for the next chat that was resumed or connected."""
        chat = await self._with_store().next_chat()
        if chat is None:
            raise StopAsyncIteration
        return chat

    async def __aenter__(self) -> Self:
        stored = self._stored
        keys = [] if stored is None else await stored.due_keys()
        await self._scheduler.__aenter__()
        if stored is not None:
            self._scheduler.start_task(stored.resume, keys, self._rate)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        open_chats = set(self._scheduler.members)
        if self._stored is not None:
            self._stored.end()
            open_chats |= {*self._stored.open_chats.values()}
        try:
            with anyio.CancelScope(shield=True):
                closings = [chat.closing(error) for chat in open_chats]
                async with anyio.create_task_group() as tasks:
                    for closing in closings:
                        tasks.start_soon(_await, closing)
        finally:
            await self._scheduler.__aexit__(kind, error, trace)

    def _check_open(self) -> None:
        if not self._scheduler.is_open:
            raise LocalProtocolError(_NOT_OPEN)

    def _with_store(self) -> StoredChats[Chat]:
        if self._stored is None:
            raise LocalProtocolError("Chats has no store: give it store and endpoint_of")
        return self._stored

    def _start(self, one: ChatInStore, restored: RestoredChat) -> Chat:
        chat = self.open(restored.client, save=one.save, pending=restored.pending)
        chat._store, chat._chats = one, self._stored  # noqa: SLF001  # of the same module
        return chat
