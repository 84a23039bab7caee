"""The asynchronous driver and the tasks of its app: errors, cancellation, blocks, loops."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from chatfsm.commands import End
from chatfsm.drivers import aio
from chatfsm.drivers import threads as blocking
from chatfsm.drivers._core import DriverCore
from chatfsm.drivers._tasks import new_event
from chatfsm.errors import LocalProtocolError
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest
from tests.drivers.scripted_client import ScriptedClient, named, poll, post, replying, returning

Play = Callable[..., Awaitable[None]]


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return a function that runs a coroutine on asyncio or trio, for ten seconds at most."""

    async def bounded(play: Play, *given: object) -> None:
        with anyio.fail_after(10):
            await play(*given)

    return lambda play, *given: anyio.run(bounded, play, *given, backend=request.param)


async def perform(request: HttpRequest) -> HttpReply | HttpFailure:
    """Perform a request successfully."""
    await anyio.lowlevel.checkpoint()
    return replying(request)


async def never_reply(_request: HttpRequest) -> HttpReply:
    """Perform no request: wait until cancelled."""
    await anyio.sleep_forever()
    raise AssertionError


def polling_client() -> ScriptedClient:
    return ScriptedClient([returning(*named("a"), poll(1))])


class OwnError(Exception):
    """An error of the app."""


async def failing_group() -> None:
    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise OwnError

    async with aio.Chat(polling_client(), never_reply, closing_timeout=0.05) as chat:
        await chat.send(End())
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())
            await asyncio.sleep(5)


def test_an_error_in_a_task_group_is_raised_unchanged() -> None:
    """A `TaskGroup` of asyncio inside the block raises its own group, and no `CancelledError`."""
    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(failing_group())
    assert [type(error) for error in caught.value.exceptions] == [OwnError]


def test_the_task_group_may_be_around_the_chat() -> None:
    """The group whose task holds the chat raises the same, and its own task goes on."""

    async def play() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as group:
                group.create_task(failing_group())
        assert caught.group_contains(OwnError)
        await asyncio.sleep(0)

    asyncio.run(play())


def test_a_timeout_of_asyncio_is_raised_unchanged() -> None:
    """`asyncio.timeout` inside and around the block gives its `TimeoutError`."""

    async def inside() -> None:
        async with aio.Chat(polling_client(), never_reply, closing_timeout=0.05) as chat:
            await chat.send(End())
            async with asyncio.timeout(0.02):
                await asyncio.sleep(5)

    async def around() -> None:
        async with (
            asyncio.timeout(0.02),
            aio.Chat(polling_client(), never_reply, closing_timeout=0.05),
        ):
            await asyncio.sleep(5)

    for play in (inside, around):
        with pytest.raises(TimeoutError):
            asyncio.run(play())


async def in_two_tasks(make: Callable[[], Any]) -> None:
    stack = AsyncExitStack()
    entered: list[Any] = []

    async def start() -> None:
        entered.append(await stack.enter_async_context(make()))

    async def stop() -> None:
        await stack.aclose()

    for step in (start, stop):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(step)


def test_a_chat_is_left_in_another_task(run: Any) -> None:
    """Frameworks call `start` and `stop` of a bot in different tasks; all events are sent."""
    posted: list[int] = []

    async def sending(request: HttpRequest) -> HttpReply | HttpFailure:
        posted.append(request.id)
        client.queued = 0
        return await perform(request)

    client = ScriptedClient([returning(post(7))], queued=1)

    class Chat(aio.Chat):
        async def __aenter__(self) -> Any:
            await super().__aenter__()
            await self.send(End())
            return self

    run(in_two_tasks, lambda: Chat(client, sending))
    assert posted == [7]


def test_many_chats_are_left_in_another_task(run: Any) -> None:
    """The same for `Chats`."""
    run(in_two_tasks, lambda: aio.Chats(perform))


async def handled_in_a_task(saved: list[Any]) -> None:
    async def listen() -> None:
        async for _ in chat:
            break

    async with aio.Chat(polling_client(), perform, save=saved.append) as chat:
        await chat.send(End())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen)


def test_an_effect_of_an_ended_task_is_handled(run: Any) -> None:
    """An effect counts as handled if its task ended without error and another left the block."""
    saved: list[Any] = []
    run(handled_in_a_task, saved)
    assert [record["told"] for record in saved][-1] == []


def test_an_effect_of_a_failed_task_is_reported_again() -> None:
    """An effect counts as unhandled if its task failed; asyncio still reports the error."""
    saved: list[Any] = []
    reported: list[Any] = []

    async def listen(chat: aio.Chat) -> None:
        async for _ in chat:
            raise OwnError

    async def play() -> None:
        asyncio.get_running_loop().set_exception_handler(
            lambda _, context: reported.append(context)
        )
        async with aio.Chat(polling_client(), perform, save=saved.append) as chat:
            await chat.send(End())
            task = asyncio.create_task(listen(chat))
            await asyncio.wait([task])
            del task

    asyncio.run(play())
    assert [effect["name"] for effect in saved[-1]["told"]] == ["a"]
    assert [type(context["exception"]) for context in reported] == [OwnError]


async def two_loops() -> None:
    taken: list[object] = []

    async def loop() -> None:
        async for effect in chat:
            taken.append(effect)
            await anyio.sleep_forever()

    client = ScriptedClient([returning(*named("a", "b"))])
    async with aio.Chat(client, perform) as chat:
        await chat.send(End())
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(loop)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(LocalProtocolError, match="another thread or task does already"):
                aiter(chat)
            tasks.cancel_scope.cancel()
        async for effect in chat:
            taken.append(effect)
            break
    assert taken == named("a", "b")


def test_a_second_loop_is_refused(run: Any) -> None:
    """Two tasks in a loop would each miss effects; after the first loop another may follow."""
    run(two_loops)


async def two_waiting() -> None:
    async with aio.Chat(ScriptedClient(), perform) as chat, anyio.create_task_group() as tasks:
        tasks.start_soon(anext, chat)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(LocalProtocolError, match="cannot iterate"):
            await anext(chat)
        tasks.cancel_scope.cancel()


def test_a_second_waiting_task_is_refused(run: Any) -> None:
    """One task at a time may wait with `anext`."""
    run(two_waiting)


def test_one_task_may_nest_its_loops(run: Any) -> None:
    """A loop inside the loop of the same task gets the later effects."""

    async def play() -> None:
        client = ScriptedClient([returning(*named("a", "b", "c"))])
        async with aio.Chat(client, perform) as chat:
            await chat.send(End())
            async for first in chat:
                async for second in chat:
                    assert [first, second] == named("a", "b")
                    break
                break
            assert [await anext(chat)] == named("c")

    run(play)


def test_a_second_thread_is_refused() -> None:
    """The blocking driver refuses a second loop, and a second thread that waits."""
    refused: list[str] = []

    def iterate(chat: blocking.Chat) -> None:
        with pytest.raises(LocalProtocolError) as caught:
            list(chat)
        refused.append(str(caught.value))

    client = ScriptedClient([returning(*named("a"))])
    with blocking.Chat(client, replying) as chat:
        chat.send(End())
        for _ in chat:
            thread = threading.Thread(target=iterate, args=(chat,))
            thread.start()
            thread.join()
            break
    assert len(refused) == 1


def test_a_cancelled_loop_leaves_no_task(run: Any) -> None:
    """After the block no request runs, also if the block was cancelled."""
    ended: list[int] = []

    async def noting(request: HttpRequest) -> HttpReply:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append(request.id)
        raise AssertionError

    async def play() -> None:
        with anyio.CancelScope() as scope:
            async with aio.Chat(polling_client(), noting, closing_timeout=0.05) as chat:
                await chat.send(End())
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
                await anyio.sleep_forever()
        assert ended == [1]

    run(play)


def test_the_end_of_a_loop_with_an_open_chat_does_not_hang() -> None:
    """At its end asyncio cancels all tasks, also those that run a chat."""
    left: list[bool] = []

    async def holding() -> None:
        try:
            async with aio.Chat(polling_client(), never_reply, closing_timeout=0.05) as chat:
                await chat.send(End())
                await asyncio.sleep(60)
        finally:
            left.append(True)

    async def play() -> None:
        task = asyncio.create_task(holding())
        await asyncio.sleep(0.01)
        assert not task.done()

    asyncio.run(asyncio.wait_for(play(), 5))
    assert left == [True]


async def an_effect_after_three_replies(calls: list[int]) -> None:
    scripts = [returning(poll(number)) for number in (1, 2, 3)]
    client = ScriptedClient([*scripts, returning(*named("a"))])
    async with aio.Chat(client, perform, closing_timeout=0.05) as chat:
        await chat.send(End())
        async for _ in chat:
            break
    assert len(client.received) == 4
    assert len(calls) == 2


def test_a_reply_without_effects_does_not_wake_the_app(
    run: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task that waits for an effect runs when there is one, and not after each reply."""
    calls: list[int] = []
    take = DriverCore.take

    def counted(core: DriverCore, taker: int) -> object:
        calls.append(taker)
        return take(core, taker)

    monkeypatch.setattr(DriverCore, "take", counted)
    run(an_effect_after_three_replies, calls)


async def set_too_late() -> None:
    event = new_event()
    with anyio.move_on_after(0.01):
        await event.wait()
    event.set()


def test_an_event_may_be_set_after_its_wait_was_cancelled(run: Callable[..., None]) -> None:
    """A waker need not know whether the task still waits."""
    run(set_too_late)
