"""The asynchronous driver, on asyncio and on trio."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from chatfsm import effects as f
from chatfsm.adapters import httpx
from chatfsm.api import Availability, CheckAvailability, CloseCase
from chatfsm.client_effects import ChatOpened
from chatfsm.commands import End, SendText
from chatfsm.drivers import aio
from chatfsm.errors import ApiError, LocalProtocolError, TransportError
from chatfsm.inputs import Tick
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest
from tests.drivers.center import GREETING, Server, message, texts_of
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


def texts(effects: list[Any]) -> list[str]:
    return [effect.message.text for effect in effects if isinstance(effect, f.MessageReceived)]


async def until(chat: aio.Chat, kind: type) -> Any:
    """Return the next effect of a kind."""
    async for effect in chat:
        if isinstance(effect, kind):
            return effect
    raise AssertionError(f"the chat ended without {kind.__name__}")


async def a_whole_chat(server: Server, notes: Path) -> None:
    received: list[Any] = []
    async with httpx.AsyncSender() as send, aio.Chat(server.client(), send) as chat:
        assert (await chat.open()).chat_id == server.chat.chat_id
        await chat.start_typing()
        await chat.send_text("form")
        async for effect in chat:
            received.append(effect)
            match effect:
                case f.FormOpened(form):
                    await chat.submit_form(form, {"score": "9"})
                case f.MessageReceived(message) if message.text == "Thank you for your answer.":
                    await chat.upload(notes)
                case f.MessageReceived(message) if message.text == "Thank you for the file.":
                    server.send(
                        {**server.chat.customer_events[-1], "party_id": "AGENT-1", "msg_id": "900"}
                    )
                case f.FileReceived(file):
                    assert await chat.download(file) == b"my notes"
                    await chat.end()
    assert received[0] == ChatOpened(server.chat.chat_id, is_new=True)
    assert isinstance(received[-1], f.Terminated)
    assert texts(received) == [
        *(GREETING, "Please fill in this form."),
        *("Thank you for your answer.", "Thank you for the file."),
    ]


def test_a_whole_chat(run: Any, tmp_path: Path) -> None:
    """Open, send, answer a form, share a file, download one, end: each method works."""
    (tmp_path / "notes.txt").write_text("my notes")
    with Server() as server:
        run(a_whole_chat, server, tmp_path / "notes.txt")
    assert server.refused_polls == []


async def refused_in_place(server: Server) -> None:
    async with httpx.AsyncSender() as send, aio.Chat(server.client(), send) as chat:
        with pytest.raises(LocalProtocolError, match="no chat yet"):
            await chat.send_text("hello")
        assert await chat.ask(CheckAvailability()) == Availability(is_available=True, ewt=3.0)
        await chat.open()
        with pytest.raises(ApiError):
            await chat.ask(CloseCase())


def test_a_command_that_is_not_allowed_raises_in_its_method(run: Any) -> None:
    """`LocalProtocolError` and `ApiError` come from the method itself."""
    with Server() as server:
        run(refused_in_place, server)
        assert server.chat.customer_events == []


async def cancelled_after_saying(server: Server) -> None:
    async with httpx.AsyncSender() as send:
        with anyio.CancelScope() as scope:
            async with aio.Chat(server.client(), send) as chat:
                await chat.open()
                for number in range(40):
                    await chat.send_text(f"line {number}")
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught


def test_a_cancelled_block_is_flushed(run: Any) -> None:
    """Cancelling the block loses no message."""
    with Server() as server:
        run(cancelled_after_saying, server)
        assert texts_of(server.chat) == [f"line {number}" for number in range(40)]


def test_a_cancelled_task_of_asyncio_is_flushed() -> None:
    """The block sends its messages also if asyncio cancels it, as at Ctrl-C."""

    async def chatting(server: Server, has_said: asyncio.Event) -> None:
        async with httpx.AsyncSender() as send, aio.Chat(server.client(), send) as chat:
            await chat.open()
            await chat.send_text("my last words")
            has_said.set()
            await anyio.sleep_forever()

    async def play(server: Server) -> None:
        has_said = asyncio.Event()
        task = asyncio.create_task(chatting(server, has_said))
        await has_said.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Server() as server:
        asyncio.run(play(server))
        assert texts_of(server.chat) == ["my last words"]


async def failing_block() -> None:
    async with aio.Chat(ScriptedClient(), perform) as chat:
        await chat.send_text("hi")
        raise ZeroDivisionError


def test_an_error_of_the_block_is_raised_unchanged(run: Any) -> None:
    """An exception of the app is not wrapped in a group."""
    with pytest.raises(ZeroDivisionError):
        run(failing_block)


async def slow_app(server: Server) -> None:
    received: list[str] = []
    async with httpx.AsyncSender() as send, aio.Chat(server.client(), send, max_pending=3) as chat:
        await chat.open()
        await chat._wait_until(lambda: len(chat._core.pending) > 3)
        before = len(chat._core.pending)
        for number in range(30):
            server.send(message(f"news {number}"))
            await anyio.lowlevel.checkpoint()
        assert len(chat._core.pending) == before
        async for effect in chat:
            received += texts([effect])
            if len(received) == 31:
                break
    assert received[1:] == [f"news {number}" for number in range(30)]


def test_a_slow_app_loses_no_effects(run: Any) -> None:
    """While too many effects are pending no poll is sent; all effects arrive later."""
    with Server() as server:
        run(slow_app, server)


async def deadlines() -> None:
    def wake(name: str, later: float | None) -> Any:
        def named_effect(_item: object) -> list[object]:
            client.deadline = later
            return [*named(name)]

        return named_effect

    client = ScriptedClient([wake("one", 2.0), wake("two", None)], deadline=1.0)
    clock = iter([0.0, 0.5, 1.0, 1.0, 2.0])
    async with aio.Chat(client, perform, now=lambda: next(clock, 3.0)) as chat:
        assert [await anext(chat), await anext(chat)] == named("one", "two")
    assert client.received == [Tick(), Tick()]


def test_ticks_come_at_the_deadlines(run: Any) -> None:
    """One task feeds a `Tick` to the client at each of its deadlines."""
    run(deadlines)


async def breaking() -> None:
    def fail(_item: object) -> list[object]:
        raise ZeroDivisionError

    async def raising(_request: HttpRequest) -> HttpReply:
        raise RuntimeError("an adapter's bug")

    client = ScriptedClient([returning(post(1)), fail])
    async with aio.Chat(client, raising) as chat:
        await chat.send(SendText("one"))
        with pytest.raises(ZeroDivisionError):
            await anext(chat)
        with pytest.raises(ZeroDivisionError):
            await chat.send_text("more")
    assert client.received[1] == HttpFailure(1, "protocol", "the sender raised RuntimeError")


def test_errors_reach_the_app(run: Any) -> None:
    """A sender that raises is a failure; a client that raises does so in iterator and methods."""
    run(breaking)


async def ending() -> None:
    client = ScriptedClient([returning(*named("a", "b"))])
    async with aio.Chat(client, perform, pending=named("before")) as chat:
        await chat.send(End())
        client.done = True
        assert [effect async for effect in chat] == named("before", "a", "b")
    with pytest.raises(LocalProtocolError, match="block"):
        await chat.send_text("late")


def test_iteration_ends_with_the_chat(run: Any) -> None:
    """Pending effects come first, then new ones; when the client is done the iterator stops."""
    run(ending)


async def asking_while_closing() -> None:
    async with aio.Chat(ScriptedClient(), perform) as chat:
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                with pytest.raises(TransportError, match="chat was closed before"):
                    await chat.ask(CheckAvailability())

            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            await chat.aclose()
        with pytest.raises(LocalProtocolError, match="closed"):
            await chat.send_text("late")


def test_closing_ends_a_pending_call(run: Any) -> None:
    """Another task that waits for a result gets a `TransportError`."""
    run(asking_while_closing)


async def closing_in_vain() -> None:
    given_up: list[int] = []

    async def stalling(request: HttpRequest) -> HttpReply:
        try:
            await anyio.sleep_forever()
        finally:
            given_up.append(request.id)

    client = ScriptedClient([returning(poll(1), post(2))], queued=1)
    async with aio.Chat(client, stalling, closing_timeout=0.05) as chat:
        await chat.send_text("into the void")
        await anyio.wait_all_tasks_blocked()
    assert sorted(given_up) == [1, 2]


def test_closing_has_a_time_limit(run: Any) -> None:
    """The block ends even if a message cannot be sent, and no request stays in flight."""
    run(closing_in_vain)


async def many(server: Server) -> None:
    received: dict[int, list[str]] = {}

    async def customer(chats: aio.Chats, number: int) -> None:
        chat = chats.open(server.client(f"client-{number}"))
        await chat.open()
        await chat.send_text(f"I am {number}")
        received[number] = []
        async for effect in chat:
            received[number] += (new := texts([effect]))
            if new and len(received[number]) == 2:
                await chat.end()

    async with httpx.AsyncSender() as send, aio.Chats(send) as chats:
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(customer, chats, number)
        assert not chats._scheduler.members
    for number in range(20):
        assert received[number] == [GREETING, f"You said: I am {number}"]


def test_many_chats_share_one_sender(run: Any) -> None:
    """Each of twenty customers receives its own messages; chats that are over are dropped."""
    with Server() as server:
        run(many, server)


async def left_open(server: Server) -> None:
    async with httpx.AsyncSender() as send, aio.Chats(send) as chats:
        opened = [chats.open(server.client(f"client-{number}")) for number in range(5)]
        for chat in opened:
            await chat.open()
            await chat.send_text("my last words")
    with pytest.raises(LocalProtocolError, match="not in its async with block"):
        chats.open(server.client())


def test_all_chats_are_flushed_at_the_end_of_their_block(run: Any) -> None:
    """Chats that are still open are closed at the end of the block, once all messages are sent."""
    with Server() as server:
        run(left_open, server)
        assert [texts_of(chat) for chat in server.chats] == [["my last words"]] * 5


async def reported_again() -> None:
    saved: list[dict[str, Any]] = []
    async with aio.Chats(perform) as chats:
        chat = chats.open(ScriptedClient([returning(*named("a", "b"))]), save=saved.append)
        await chat.send(End())
        await anext(chat)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(chat.aclose)
    assert [len(record["told"]) for record in saved] == [2, 2]


def test_an_effect_in_hand_of_another_task_comes_again(run: Any) -> None:
    """Closing a chat does not count as handling the effect that another task has taken."""
    run(reported_again)
