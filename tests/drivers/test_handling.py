"""Transactions: an effect is handled together with the app's changes, or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from chatfsm.api import GetVersion
from chatfsm.commands import End, SendText
from chatfsm.drivers import aio, threads
from chatfsm.drivers._core import DriverCore
from chatfsm.drivers.sqlite import SqliteStore
from chatfsm.errors import LocalProtocolError
from tests.drivers.scripted_client import ScriptedClient, named, post, reply, replying, returning
from tests.drivers.test_saving import LateStore

INSERT = "INSERT INTO notes VALUES (?)"


@pytest.fixture
def store(tmp_path: Path) -> Any:
    path = tmp_path / "chats.db"
    with SqliteStore(path, max_delay=0.0) as opened:
        with sqlite3.connect(path) as app:
            app.execute("CREATE TABLE notes (text TEXT UNIQUE)")
        app.close()
        yield opened


def notes(store: SqliteStore) -> list[str]:
    database = sqlite3.connect(store.path)
    found = [text for (text,) in database.execute("SELECT text FROM notes")]
    database.close()
    return found


def pending_names(store: SqliteStore) -> list[str]:
    """Return the names of the effects that a restored chat would report."""
    stored = store.load("a")
    assert stored is not None
    return [effect["name"] for effect in stored.record["told"]]


def core_with_a_current_effect(save: Any, *scripts: Any, names: str = "xy") -> DriverCore:
    core = DriverCore(ScriptedClient(scripts), save, 2, pending=named(*names))
    core.take(1)
    return core


def test_a_block_is_saved_at_once() -> None:
    """One save has the handled effect and the sent messages; then the requests go out."""
    store = LateStore()
    core = core_with_a_current_effect(store.save, returning(post(1)), returning(post(2)))
    core.begin_handling(core.pending[0], 1)
    assert core.receive(SendText("one"), 0.0) == core.receive_safely(reply(7), 0.1) == []
    assert store.records == []
    assert core.commit_handling([], 0.2) == []
    assert core.is_committing
    [record] = store.records
    assert (record["client"]["received"], len(record["told"])) == (2, 1)
    store.answers[0].set_result(None)
    assert core.finish_save(0.3) == [post(1), post(2)]
    core.check_committed()
    assert core.take(1) == named("y")[0]


def test_a_block_waits_for_a_save_in_progress() -> None:
    """The save of the block comes after the one in progress."""
    store = LateStore()
    core = core_with_a_current_effect(store.save, returning(post(1)))
    core.receive(End(), 0.0)
    core.begin_handling(core.pending[0], 1)
    core.commit_handling([], 0.1)
    store.answers[0].set_result(None)
    assert core.finish_save(0.2) == [post(1)]
    assert core.is_committing
    assert [len(record["told"]) for record in store.records] == [2, 1]


def test_an_abandoned_block_does_not_handle_the_effect() -> None:
    """The next save has the sent messages, and the effect as not handled."""
    store = LateStore()
    core = core_with_a_current_effect(store.save, returning(post(1)))
    core.begin_handling(core.pending[0], 1)
    core.receive(SendText("one"), 0.0)
    core.commit_handling([], 0.1)
    store.answers[0].set_exception(OSError("disk full"))
    assert core.finish_save(0.2) == []
    assert not core.is_committing
    store.answers[1].set_result(None)
    assert core.finish_save(0.3) == [post(1)]
    with pytest.raises(OSError, match="disk full"):
        core.check_committed()
    assert [len(record["told"]) for record in store.records] == [1, 2]
    core.finish(0.4)
    assert len(store.records[2]["told"]) == 1


def test_a_block_that_raises_does_not_handle_the_effect() -> None:
    """Messages sent in the block are saved and sent."""
    store = LateStore()
    core = core_with_a_current_effect(store.save, returning(post(1)))
    core.begin_handling(core.pending[0], 1)
    core.receive(SendText("one"), 0.0)
    assert core.abandon_handling(0.1) == []
    store.answers[0].set_result(None)
    assert core.finish_save(0.2) == [post(1)]
    assert len(store.records[0]["told"]) == 2


def test_only_the_current_effect_is_handled() -> None:
    """An effect is handled once, and the next one is not given within the block."""
    core = core_with_a_current_effect(LateStore().save)
    effect, other = core.pending
    with pytest.raises(LocalProtocolError, match="not the one given last"):
        core.begin_handling(other, 1)
    core.begin_handling(effect, 1)
    with pytest.raises(LocalProtocolError, match="not the one given last"):
        core.begin_handling(effect, 1)
    with pytest.raises(LocalProtocolError, match="is being handled"):
        core.finish(0.0)
    core.close(0.0, None)
    assert core.saving.is_in_progress


def test_a_client_that_breaks_ends_the_wait() -> None:
    """The block raises the error of the client."""

    def fail(_item: object) -> list[object]:
        raise ZeroDivisionError

    store = LateStore()
    core = core_with_a_current_effect(store.save, returning(), fail)
    core.receive(End(), 0.0)
    core.begin_handling(core.pending[0], 1)
    core.commit_handling([], 0.1)
    core.receive_safely(reply(1), 0.2)
    assert not core.is_committing
    with pytest.raises(ZeroDivisionError):
        core.check_committed()


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[..., None]:
    async def bounded(play: Any, *given: object) -> None:
        with anyio.fail_after(10):
            await play(*given)

    return lambda play, *given: anyio.run(bounded, play, *given, backend=request.param)


async def handled_by_tasks(store: SqliteStore) -> None:
    async def sender(request: Any) -> Any:
        return replying(request)

    client = ScriptedClient([returning(post(1))])
    one = store.chat("a")
    async with aio.Chat(client, sender, save=one.save, pending=named(*"xyz")) as chat:
        chat._store = one
        first = await anext(chat)
        async with chat.handling(first) as transaction:
            transaction.execute(INSERT, ["x"])
            assert await chat.send_text("thanks") == "1"
            with pytest.raises(LocalProtocolError, match="cannot ask the server while an effect"):
                await chat.ask(GetVersion())
            assert store.load("a") is None
        assert (notes(store), pending_names(store)) == (["x"], ["y", "z"])
        second = await anext(chat)
        with pytest.raises(sqlite3.IntegrityError):
            async with chat.handling(second) as transaction:
                transaction.execute(INSERT, ["x"])
        with pytest.raises(ZeroDivisionError):
            async with chat.handling(second):
                raise ZeroDivisionError
        assert (notes(store), pending_names(store)) == (["x"], ["y", "z"])
        async with chat.handling(second) as transaction:
            transaction.execute(INSERT, ["y"])
        assert [await anext(chat)] == named("z")
    assert (notes(store), pending_names(store)) == (["x", "y"], [])


def test_a_task_commits_with_the_effect(run: Any, store: SqliteStore) -> None:
    """The app's rows, the message sent, and the handled effect are in one transaction."""
    run(handled_by_tasks, store)


def test_a_thread_commits_with_the_effect(store: SqliteStore) -> None:
    """The same holds for the blocking driver."""
    one = store.chat("a")
    client = ScriptedClient([returning(post(1))])
    with threads.Chat(client, replying, save=one.save, pending=named(*"xyz")) as chat:
        chat._store = one
        first = next(chat)
        with chat.handling(first) as transaction:
            transaction.execute(INSERT, ["x"])
            assert chat.send_text("thanks") == "1"
            with pytest.raises(LocalProtocolError, match="cannot ask the server while an effect"):
                chat.ask(GetVersion())
            assert store.load("a") is None
        assert (notes(store), pending_names(store)) == (["x"], ["y", "z"])
        second = next(chat)
        with pytest.raises(sqlite3.OperationalError), chat.handling(second) as transaction:
            transaction.execute("INSERT INTO nowhere VALUES (1)")
        with pytest.raises(ZeroDivisionError), chat.handling(second) as transaction:
            transaction.execute(INSERT, [str(1 // 0)])
        assert (notes(store), pending_names(store)) == (["x"], ["y", "z"])
        with chat.handling(second) as transaction:
            for end in ("commit", " ROLLBACK TO alone", "Begin"):
                with pytest.raises(LocalProtocolError, match="a transaction begins and ends by"):
                    transaction.execute(end)
        assert pending_names(store) == ["z"]


def test_other_stores_execute_no_sql() -> None:
    """The other actions of a block are saved together in any store."""
    saved: list[dict[str, Any]] = []
    client = ScriptedClient()
    with threads.Chat(client, replying, save=saved.append, pending=named("x")) as chat:
        with chat.handling(next(chat)) as transaction:
            with pytest.raises(LocalProtocolError, match="the chat is in no SqliteStore"):
                transaction.execute(INSERT, ["x"])
            chat.send_text("thanks")
        assert [(one["client"]["received"], one["told"]) for one in saved] == [(1, [])]
