"""Chats with a store: resumed, connected by key, and deleted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import anyio
import pytest

from chatfsm import ChatClient
from chatfsm import effects as f
from chatfsm.adapters import httpx
from chatfsm.drivers import aio
from chatfsm.drivers.sqlite import SqliteStore
from chatfsm.drivers.storage import FolderStore, Store, make_record
from chatfsm.endpoint import Endpoint
from chatfsm.errors import ApiError, LocalProtocolError, SnapshotError
from tests.drivers.center import SILENT, Server, message, texts_of
from tests.drivers.customer import QUICK, endpoint_at


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[..., None]:
    async def bounded(play: Any, *given: object) -> None:
        with anyio.fail_after(10):
            await play(*given)

    return lambda play, *given: anyio.run(bounded, play, *given, backend=request.param)


@pytest.fixture
def store(tmp_path: Path) -> Any:
    with SqliteStore(tmp_path / "chats.db", max_delay=0.001) as opened:
        yield opened


def chats_at(url: str, send: Any, store: Store, **options: Any) -> aio.Chats:
    def endpoint_of(key: str) -> Endpoint:
        if key == "unknown":
            raise LookupError("no such customer")
        return endpoint_at(url, key)

    return aio.Chats(send, store=store, endpoint_of=endpoint_of, settings=QUICK, **options)


async def until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110  # no event to wait for
        await anyio.sleep(0.01)


async def two_processes(server: Server, store: Store) -> None:
    keys = [f"client-{number}" for number in range(8)]
    async with httpx.AsyncSender() as send:
        async with chats_at(server.url, send, store) as chats:
            for key in keys:
                chat = await chats.connect(key)
                assert chat.key == key
                assert await chats.connect(key) is chat
                await chat.send_text(f"I am {key}")
        assert [stored.key for stored in store.list()] == keys
        server.send(message("while you were away"))
        async with chats_at(server.url, send, store) as chats:
            resumed = [await anext(chats) for _ in keys]
            assert sorted(str(chat.key) for chat in resumed) == keys
            for chat in resumed:
                await chat.end()
                assert chat.key is not None
                assert await chats.connect(chat.key) is chat
            received = [[effect async for effect in chat] for chat in resumed]
            assert list(store.list()) == []
        assert chats.failed == {}
    texts = [[e.message.text for e in one if isinstance(e, f.MessageReceived)] for one in received]
    assert sum("while you were away" in one for one in texts) == 1
    assert all(isinstance(one[-1], f.Terminated) for one in received)
    assert sorted(map(texts_of, server.chats)) == [[f"I am {key}"] for key in keys]


def test_the_chats_of_a_store_are_resumed(run: Any, store: SqliteStore) -> None:
    """Each is resumed once with its missed events; records of handled ended chats are deleted."""
    with Server(SILENT) as server:
        run(two_processes, server, store)


async def one_of_two(server: Server, store: SqliteStore) -> None:
    async with httpx.AsyncSender() as send:
        async with chats_at(server.url, send, store) as chats:
            await chats.connect("client-1")
            await chats.connect("client-2")
            with SqliteStore(store.path) as other:
                async with chats_at(server.url, send, other, resumed_per_second=1e6) as rivals:
                    await until(lambda: len(rivals.failed) == 2)
                    assert {type(error) for error in rivals.failed.values()} == {LocalProtocolError}
                    with pytest.raises(LocalProtocolError, match="another process or chat"):
                        await rivals.connect("client-1")
        store.save("broken", {"format": "other"}, 0).result(10)
        store.save("unknown", {"format": "other"}, 0).result(10)
        async with chats_at(server.url, send, store) as chats:
            assert {(await anext(chats)).key for _ in range(2)} == {"client-1", "client-2"}
            await until(lambda: len(chats.failed) == 2)
        errors = {key: type(error) for key, error in chats.failed.items()}
        assert errors == {"broken": SnapshotError, "unknown": LookupError}
        assert store.load("broken") is not None


def test_chats_that_cannot_be_resumed_are_reported(
    run: Any, store: SqliteStore, caplog: pytest.LogCaptureFixture
) -> None:
    """Both leased and unreadable records are skipped; log records have no key."""
    with Server(SILENT) as server:
        run(one_of_two, server, store)
    texts = [record.getMessage() for record in caplog.records if record.name == "chatfsm"]
    assert sorted(texts) == [
        *["a chat could not be resumed: LocalProtocolError"] * 2,
        "a chat could not be resumed: LookupError",
        "a chat could not be resumed: SnapshotError",
    ]
    assert caplog.records[-1].__dict__["chat_id"] is None


async def connecting_at_once(server: Server, store: Store) -> None:
    async with httpx.AsyncSender() as send, chats_at(server.url, send, store) as chats:
        found: list[aio.Chat] = []

        async def connect() -> None:
            found.append(await chats.connect("client-1"))

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(connect)
        assert len(set(found)) == 1
        assert await anext(chats) is found[0]
        await found[0].aclose()
        again = await chats.connect("client-1")
        assert again is not found[0]
        assert await anext(chats) is again
    assert len(server.chats) == 1
    with pytest.raises(StopAsyncIteration):
        await anext(chats)


def test_a_chat_is_opened_once(run: Any, tmp_path: Path) -> None:
    """Any number of tasks may connect its key; a closed chat is loaded from the store again."""
    with Server(SILENT) as server:
        run(connecting_at_once, server, FolderStore(tmp_path / "chats"))


class SlowStore(FolderStore):
    """A store whose leases wait for the test."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.may_lease = Event()

    def lease(self, key: str) -> None:
        assert self.may_lease.wait(10)
        super().lease(key)


async def leaving_early(store: SlowStore) -> None:
    for number in range(40):
        client = ChatClient(endpoint_at("http://127.0.0.1:9"), chat_id=f"CHAT-{number}")
        store.save(f"client-{number}", make_record(client.snapshot(now=0.0), [], 0.0), 0)
    store.may_lease.clear()
    async with httpx.AsyncSender() as send, anyio.create_task_group() as tasks:
        chats = chats_at("http://127.0.0.1:9", send, store, resumed_per_second=1e6)
        refused = anyio.Event()

        async def connect() -> None:
            with pytest.raises(LocalProtocolError, match="not in its async with block"):
                await chats.connect("client-99")
            refused.set()

        async with chats:
            tasks.start_soon(connect)
            await anyio.wait_all_tasks_blocked()
            chats._with_store().end()
            store.may_lease.set()
        assert chats._with_store().open_chats == {}
        await refused.wait()  # the app's own task may end after the block
        assert store._leased == {}


def test_no_chat_is_opened_after_the_block(run: Any, tmp_path: Path) -> None:
    """A chat that is being opened at the end of the block is released."""
    path = tmp_path / "chats"
    store = SlowStore(path)
    store.may_lease.set()
    run(leaving_early, store)


async def refused(store: SqliteStore) -> None:
    async with httpx.AsyncSender() as send:
        async with chats_at("http://127.0.0.1:9", send, store) as chats:
            with pytest.raises(ApiError):
                await chats.connect("client-1")
            store.lease("client-1")
            store.release("client-1")
            assert store.load("client-1") is not None
        async with chats_at("http://127.0.0.1:9", send, store, resumed_per_second=1e6):
            await until(lambda: store.load("client-1") is None)


def test_a_chat_that_was_never_opened_is_dropped(run: Any, store: SqliteStore) -> None:
    """The error is raised, and the next process does not resume the chat."""
    run(refused, store)


def test_the_earliest_deadline_comes_first(run: Any, tmp_path: Path) -> None:
    """Chats are ordered by deadline; chats without one come last."""

    async def play() -> None:
        store = FolderStore(tmp_path)
        for key, due in {"a": 30.0, "b": None, "c": 10.0, "d": "odd", "e": 20}.items():
            store.save(key, {"due": due}, 0)
        chats = chats_at("http://127.0.0.1:9", None, store)
        assert await chats._with_store().due_keys() == ["c", "e", "a", "b", "d"]

    run(play)


def test_chats_without_a_store_have_no_keys() -> None:
    """`store` and `endpoint_of` need each other, and the rate must be greater than 0."""
    send: Any = None
    store: Any = object()
    with pytest.raises(LocalProtocolError, match="both of store and endpoint_of"):
        aio.Chats(send, store=store)
    with pytest.raises(LocalProtocolError, match="resumed_per_second must be greater than 0"):
        aio.Chats(send, resumed_per_second=0)
    assert aio.Chats(send).failed == {}
    with pytest.raises(LocalProtocolError, match="has no store"):
        aiter(aio.Chats(send))
