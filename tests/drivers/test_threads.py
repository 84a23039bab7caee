"""The blocking driver."""

from __future__ import annotations

import contextlib
import inspect
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from chatfsm import effects as f
from chatfsm.adapters import stdlib
from chatfsm.api import Availability, CheckAvailability, CloseCase
from chatfsm.client_effects import ChatOpened, LinkChanged
from chatfsm.commands import End, SendText
from chatfsm.drivers import aio, threads
from chatfsm.drivers._core import elapsed_seconds
from chatfsm.errors import ApiError, LocalProtocolError, TransportError
from chatfsm.inputs import Tick
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest
from tests.drivers.center import GREETING, Server, message, texts_of
from tests.drivers.scripted_client import ScriptedClient, named, poll, post, replying, returning


@pytest.fixture(autouse=True)
def no_leftover_threads() -> Iterator[None]:
    """Check that all threads of a test have ended."""
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as serving:
        yield serving


def texts(effects: list[Any]) -> list[str]:
    return [effect.message.text for effect in effects if isinstance(effect, f.MessageReceived)]


def test_a_whole_chat(server: Server, tmp_path: Path) -> None:
    """Open, send, answer a form, share a file, download one, end: each method works."""
    (tmp_path / "notes.txt").write_text("my notes")
    received: list[Any] = []
    with stdlib.Sender() as send, threads.Chat(server.client(), send) as chat:
        assert chat.open(parameters={"name": "Tove"}).chat_id == server.chat.chat_id
        assert chat.inspect(lambda client: client.session.chat_id) == server.chat.chat_id
        chat.start_typing()
        chat.send_text("form")
        for effect in chat:
            received.append(effect)
            match effect:
                case f.FormOpened(form):
                    chat.submit_form(form, {"score": "9"})
                case f.MessageReceived(message) if message.text == "Thank you for your answer.":
                    chat.upload(tmp_path / "notes.txt")
                case f.MessageReceived(message) if message.text == "Thank you for the file.":
                    server.send(
                        {**server.chat.customer_events[-1], "party_id": "AGENT-1", "msg_id": "900"}
                    )
                case f.FileReceived(file):
                    assert chat.download(file) == b"my notes"
                    chat.end()
    assert received[0] == ChatOpened(server.chat.chat_id, is_new=True)
    assert isinstance(received[-1], f.Terminated)
    assert texts(received) == [
        *(GREETING, "Please fill in this form."),
        *("Thank you for your answer.", "Thank you for the file."),
    ]
    names = [event["event"] for event in server.chat.customer_events]
    assert names[-1] == "chat_session_end"
    assert {"chat_session_form_data", "chat_session_file", "chat_session_typing"} <= set(names)
    assert server.refused_polls == []


def test_a_command_that_is_not_allowed_raises_in_its_method(server: Server) -> None:
    """`LocalProtocolError` comes from the method itself, and nothing was sent."""
    with stdlib.Sender() as send, threads.Chat(server.client(), send) as chat:
        with pytest.raises(LocalProtocolError, match="no chat yet"):
            chat.send_text("hello")
        chat.open()
        with pytest.raises(LocalProtocolError, match="has not shown it"):
            chat.submit_form("7", {})
    assert server.chat.customer_events == []


def test_ask_returns_the_result(server: Server) -> None:
    """`ask` returns the server's result, and raises its refusal."""
    with stdlib.Sender() as send, threads.Chat(server.client(), send) as chat:
        assert chat.ask(CheckAvailability()) == Availability(is_available=True, ewt=3.0)
        chat.open()
        with pytest.raises(ApiError):
            chat.ask(CloseCase())


def test_messages_are_sent_before_the_block_ends(server: Server) -> None:
    """Leaving the block at once loses no message."""
    with stdlib.Sender() as send, threads.Chat(server.client(), send) as chat:
        chat.open()
        for number in range(40):
            chat.send_text(f"line {number}")
    assert texts_of(server.chat) == [f"line {number}" for number in range(40)]


def interrupted(server: Server, error: type[BaseException]) -> None:
    with stdlib.Sender() as send, threads.Chat(server.client(), send) as chat:
        chat.open()
        chat.send_text("my last words")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_block_is_flushed_too(server: Server, error: type[BaseException]) -> None:
    """Ctrl-C or an error of the app is raised unchanged after all messages are sent."""
    with pytest.raises(error):
        interrupted(server, error)
    assert texts_of(server.chat) == ["my last words"]


def test_a_slow_app_loses_no_effects(server: Server) -> None:
    """While too many effects are pending no poll is sent; all effects arrive later."""
    received: list[str] = []
    with stdlib.Sender() as send, threads.Chat(server.client(), send, max_pending=3) as chat:
        chat.open()
        with chat._changed:  # until more effects are pending than allowed
            assert chat._changed.wait_for(lambda: len(chat._core.pending) > 3, 10)
            before = len(chat._core.pending)
        for number in range(30):
            server.send(message(f"news {number}"))
        assert len(chat._core.pending) == before
        while len(received) < 31:
            effect = next(chat)
            received += [effect.message.text] if isinstance(effect, f.MessageReceived) else []
    assert received[1:] == [f"news {number}" for number in range(30)]


def test_iteration_ends_with_the_chat() -> None:
    """When the client is done, the iterator gives the pending effects and stops."""
    client = ScriptedClient([returning(*named("a", "b"))])
    with threads.Chat(client, replying) as chat:
        chat.send(End())
        client.done = True
        assert list(chat) == named("a", "b")
    assert list(chat) == []


def test_ticks_come_at_the_deadline() -> None:
    """The clock thread feeds a `Tick` to the client at its deadline."""

    def wake(_item: object) -> list[object]:
        client.deadline = None
        return [*named("woken")]

    client = ScriptedClient([wake], deadline=0.0)
    with threads.Chat(client, replying) as chat:
        assert next(chat) == named("woken")[0]
    assert client.received == [Tick()]


def test_a_held_poll_delays_no_request() -> None:
    """A poll that the server holds delays no message."""
    is_posted = threading.Event()

    def send(request: HttpRequest) -> HttpReply | HttpFailure:
        if request.method == "GET":
            assert is_posted.wait(10)
        is_posted.set()
        return replying(request)

    client = ScriptedClient(
        [returning(poll(1)), returning(post(2)), returning(*named("a")), returning(*named("b"))]
    )
    with threads.Chat(client, send) as chat:
        chat.send(SendText("one"))
        chat.send(SendText("two"))
        assert [next(chat), next(chat)] == named("a", "b")
    assert {type(item) for item in client.received} == {SendText, HttpReply}


def test_a_sender_that_raises_is_a_failure() -> None:
    """A bug of an adapter does not stop the chat: the client receives a failure."""

    def send(_request: HttpRequest) -> HttpReply:
        raise RuntimeError("an adapter's bug")

    client = ScriptedClient([returning(post(1)), returning(*named("told"))])
    with threads.Chat(client, send) as chat:
        chat.send(SendText("one"))
        next(chat)
    assert client.received[1] == HttpFailure(1, "protocol", "the sender raised RuntimeError")


def test_a_client_that_raises_stops_the_chat() -> None:
    """An exception in a thread is raised by the iterator, and by every method."""

    def fail(_item: object) -> list[object]:
        raise ZeroDivisionError

    with threads.Chat(ScriptedClient([returning(post(1)), fail]), replying) as chat:
        chat.send(SendText("one"))
        with pytest.raises(ZeroDivisionError):
            next(chat)
        with pytest.raises(ZeroDivisionError):
            chat.send_text("more")


def test_methods_need_the_block() -> None:
    """Outside the block commands are refused, and closing has no effect."""
    chat = threads.Chat(ScriptedClient(), replying)
    chat.close()
    with pytest.raises(LocalProtocolError, match="not in its with block"):
        chat.send_text("early")
    with chat:
        chat.close()
        with pytest.raises(LocalProtocolError, match=r"closed|block"):
            chat.send_text("late")


def test_closing_ends_a_pending_call() -> None:
    """Another thread that waits for a result gets a `TransportError`."""
    is_asking = threading.Event()
    outcome: list[BaseException] = []

    def ask() -> None:
        with pytest.raises(TransportError) as caught:
            chat.ask(CheckAvailability())
        outcome.append(caught.value)

    def note_request(_item: object) -> list[object]:
        is_asking.set()
        return []

    with threads.Chat(ScriptedClient([note_request]), replying) as chat:
        asking = threading.Thread(target=ask)
        asking.start()
        assert is_asking.wait(10)
    asking.join(10)
    assert "chat was closed before" in str(outcome[0])


def test_closing_has_a_time_limit() -> None:
    """The block ends even if a message cannot be sent."""
    with threads.Chat(ScriptedClient(queued=1), replying, closing_timeout=0.05) as chat:
        chat.send_text("into the void")


def test_pending_effects_come_first() -> None:
    """After a restart the app first receives the effects that it had not handled."""
    with threads.Chat(ScriptedClient(), replying, pending=named("a")) as chat:
        assert next(chat) == named("a")[0]


def test_a_link_that_fails_is_reported_and_retried(server: Server) -> None:
    """A failed poll is followed by another, and the link is live again."""
    failed = threading.Event()

    def send(request: HttpRequest) -> HttpReply | HttpFailure:
        if request.method == "GET" and not failed.is_set():
            failed.set()
            return HttpFailure(request.id, "connect", "planted")
        return sender(request)

    states = []
    with stdlib.Sender() as sender, threads.Chat(server.client(), send) as chat:
        chat.open()
        while "live" not in states:
            effect = next(chat)
            states += [effect.state] if isinstance(effect, LinkChanged) else []
    assert states == ["retrying", "live"]


def test_a_save_that_fails_once_loses_nothing(server: Server) -> None:
    """Three failed saves delay the chat, and do not end it."""
    attempts: list[dict[str, Any]] = []

    def save(record: dict[str, Any]) -> None:
        attempts.append(record)
        if len(attempts) in {2, 5, 8}:
            raise OSError("disk full")

    received: list[str] = []
    with stdlib.Sender() as send, threads.Chat(server.client(), send, save=save) as chat:
        with contextlib.suppress(OSError):
            chat.open()
        for effect in chat:
            received += texts([effect])
            if len(received) in (1, 2) and texts([effect]):
                with contextlib.suppress(OSError):
                    chat.send_text(f"line {len(received)}")
            if len(received) == 3:
                break
    assert received == [GREETING, "You said: line 1", "You said: line 2"]
    assert texts_of(server.chat) == ["line 1", "line 2"]


def test_the_clock_counts_the_sleep_of_the_computer() -> None:
    """The drivers use such a clock by default, if the system has one."""
    defaults = [
        (threads.Chat.__init__, threads.Chat.connect),
        (aio.Chat.__init__, aio.Chat.connect, aio.Chats.__init__, aio.Scheduler.__init__),
    ]
    clocks = {inspect.signature(one).parameters["now"].default for row in defaults for one in row}
    assert clocks == {elapsed_seconds}
    if hasattr(time, "CLOCK_BOOTTIME"):
        assert elapsed_seconds() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=1)
