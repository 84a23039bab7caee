"""Asynchronous stores: no request is sent and no effect given before the save is done."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import anyio
import pytest

from chatfsm.commands import End, SendText
from chatfsm.drivers import aio, threads
from chatfsm.drivers._core import DriverCore
from chatfsm.errors import StoreConflictError
from chatfsm.inputs import Tick
from tests.drivers.scripted_client import ScriptedClient, named, poll, post, reply, returning


class LateStore:
    """A store that completes a save when the test does so."""

    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []
        self.answers: list[Future[None]] = []

    def save(self, record: dict[str, Any]) -> Future[None]:
        self.records.append(record)
        self.answers.append(Future())
        return self.answers[-1]

    @property
    def received(self) -> list[int]:
        """Return the number of inputs that the client of each record had received."""
        return [record["client"]["received"] for record in self.records]


def core_of(store: LateStore, *scripts: Any) -> DriverCore:
    return DriverCore(ScriptedClient(scripts), store.save, 2)


def test_requests_wait_for_the_save() -> None:
    """Changes during a save are in the next one, and their requests wait for it."""
    store = LateStore()
    core = core_of(store, returning(post(1)), returning(post(2)), returning(poll(3)))
    assert core.receive(End(), 0.0) == []
    assert core.receive_safely(reply(1), 0.1) == core.receive_safely(reply(2), 0.1) == []
    assert core.finish_save(0.2) == []
    assert store.received == [1]
    store.answers[0].set_result(None)
    assert core.finish_save(0.2) == [post(1)]
    assert store.received == [1, 3]
    store.answers[1].set_result(None)
    assert core.finish_save(0.3) == [post(2), poll(3)]
    assert core.finish_save(0.3) == []
    assert store.received == [1, 3]


def test_a_completed_save_is_used_at_once() -> None:
    """A completed future has the same effect as None."""
    done: Future[None] = Future()
    done.set_result(None)
    core = DriverCore(ScriptedClient([returning(post(1))]), lambda _: done, 2)
    assert core.receive(End(), 0.0) == [post(1)]
    failed: Future[None] = Future()
    failed.set_exception(OSError("disk full"))
    core = DriverCore(ScriptedClient([returning(post(1))]), lambda _: failed, 2)
    with pytest.raises(OSError, match="disk full"):
        core.receive(End(), 0.0)


def test_a_save_that_fails_late_is_repeated() -> None:
    """The save is repeated at its time or with the next change, and then its requests are sent."""
    store = LateStore()
    core = core_of(store, returning(post(1)), returning(), returning(post(2)))
    core.receive(End(), 0.0)
    store.answers[0].set_exception(OSError("disk full"))
    assert core.finish_save(1.0) == []
    with pytest.raises(OSError, match="disk full"):
        core.check_saved(1)
    assert core.deadline == 1.2
    assert core.finish_save(1.1) == []
    assert len(store.records) == 1
    assert core.receive_safely(Tick(), 1.2) == []
    core.receive_safely(reply(2), 1.3)
    store.answers[1].set_exception(OSError("disk full"))
    assert core.finish_save(1.4) == []
    store.answers[2].set_result(None)
    assert core.finish_save(1.5) == [post(1), post(2)]
    core.check_saved(2)


def test_a_request_that_waited_too_long_for_a_save_is_sent_again() -> None:
    """The client is about to abandon such a request, as after a save that failed for long."""
    store = LateStore()
    core = core_of(store, returning(post(1)), returning(post(2)), returning(post(3)))
    core.receive(End(), 0.0)
    core.receive_safely(reply(7), 1.0)
    store.answers[0].set_result(None)
    assert core.finish_save(1.0) == [post(1)]
    store.answers[1].set_result(None)
    assert core.finish_save(6.0) == []
    failure = core.client.received[-1]
    assert (failure.id, failure.kind) == (2, "connect")
    store.answers[2].set_result(None)
    assert core.finish_save(6.3) == [post(3)]


def test_an_error_of_the_client_about_a_late_request_stops_the_chat() -> None:
    """The error is handled like that of any other input of the driver."""

    def fail(_item: object) -> list[object]:
        raise ZeroDivisionError

    store = LateStore()
    core = core_of(store, returning(post(1)), fail)
    core.receive(End(), 0.0)
    store.answers[0].set_result(None)
    assert core.finish_save(5.0) == []
    assert isinstance(core.error, ZeroDivisionError)


def test_a_chat_that_another_process_has_saved_stops() -> None:
    """No request is sent, no effect is given, and the chat is not saved again."""
    store = LateStore()
    core = core_of(store, returning(*named("a"), post(1)))
    core.receive(End(), 0.0)
    store.answers[0].set_exception(StoreConflictError("saved by another process"))
    assert core.finish_save(0.1) == []
    assert core.is_over
    assert core.deadline is None
    for use in (core.check_open, lambda: core.take(1), lambda: core.check_saved(1)):
        with pytest.raises(StoreConflictError):
            use()
    core.close(1.0, None)
    core.check_closed()
    assert len(store.records) == 1


class SlowStore:
    """A store that saves in its own thread, when the test allows it."""

    def __init__(self, *, fail: bool = False) -> None:
        self.pool = ThreadPoolExecutor(1)
        self.may_answer = Event()
        self.fail = fail
        self.pending_counts: list[int] = []

    def save(self, record: dict[str, Any]) -> Future[None]:
        return self.pool.submit(self._save, record)

    def _save(self, record: dict[str, Any]) -> None:
        assert self.may_answer.wait(10)
        if self.fail:
            raise OSError("disk full")
        self.pending_counts.append(len(record["told"]))


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[..., None]:
    async def bounded(play: Any, *given: object) -> None:
        with anyio.fail_after(10):
            await play(*given)

    return lambda play, *given: anyio.run(bounded, play, *given, backend=request.param)


async def sending_saved() -> None:
    store, sent = SlowStore(), []

    async def sender(request: Any) -> Any:
        sent.append(request.id)
        return reply(request.id)

    client = ScriptedClient([returning(post(1)), returning(*named("a", "b"))])
    async with aio.Chat(client, sender, save=store.save) as chat:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(chat.send, SendText("hello"))
            await anyio.wait_all_tasks_blocked()
            assert sent == []
            store.may_answer.set()
        assert [await anext(chat), await anext(chat)] == named("a", "b")
        assert store.pending_counts[-1] == 1
    assert sent == [1]
    assert store.pending_counts[-1] == 0
    store.pool.shutdown()


def test_the_event_loop_goes_on_while_the_store_works(run: Any) -> None:
    """A command returns when it is saved; an effect is given when the one before is saved."""
    run(sending_saved)


async def failing_late() -> None:
    store = SlowStore(fail=True)
    store.may_answer.set()
    chat = aio.Chat(ScriptedClient([returning(post(1))]), lambda _: None, save=store.save)
    await chat.__aenter__()
    for use in (lambda: chat.send_text("hello"), chat.aclose):
        with pytest.raises(OSError, match="disk full") as raised:
            await use()
    assert raised.value.__notes__
    await chat._scheduler.__aexit__(None, None, None)
    store.pool.shutdown()


def test_a_late_error_is_raised_by_its_command(run: Any) -> None:
    """The command that was not saved raises the error, and so does the end of the block."""
    run(failing_late)


def test_threads_wait_for_the_store() -> None:
    """A command, the next effect and the end of the block wait for their saves."""
    store = SlowStore()
    sent: list[int] = []

    def sender(request: Any) -> Any:
        sent.append(request.id)
        assert store.pending_counts
        return reply(request.id)

    client = ScriptedClient([returning(post(1)), returning(*named("a", "b"))])
    with threads.Chat(client, sender, save=store.save) as chat:
        letting = ThreadPoolExecutor(1).submit(store.may_answer.set)
        chat.send_text("hello")
        letting.result()
        assert [next(chat), next(chat)] == named("a", "b")
        assert store.pending_counts[-1] == 1
    assert sent == [1]
    assert store.pending_counts[-1] == 0
    store.pool.shutdown()


def test_threads_raise_a_late_error_by_its_command() -> None:
    """The command that was not saved raises the error, and so does the end of the block."""
    store = SlowStore(fail=True)
    store.may_answer.set()
    chat = threads.Chat(ScriptedClient([returning(post(1))]), lambda _: None, save=store.save)
    chat.__enter__()
    for use in (lambda: chat.send_text("hello"), chat.close):
        with pytest.raises(OSError, match="disk full"):
            use()
    store.pool.shutdown()
