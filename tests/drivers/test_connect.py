"""`Chat.connect`: opens a chat, saves it, and restores it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest

import chatfsm
from chatfsm import effects as f
from chatfsm.adapters import httpx, stdlib
from chatfsm.api import RequestChat
from chatfsm.client_effects import ChatEffect, ChatOpened
from chatfsm.drivers import aio, threads
from chatfsm.errors import LocalProtocolError, SnapshotError, TransportError
from chatfsm.simulator.scenario import Await, EndSession, FindAgent, Say, Scenario, ShowForm
from tests.drivers.center import ADA, GREETING, SILENT, Server, message, texts_of
from tests.drivers.customer import QUICK, endpoint_at
from tests.typed import async_app, blocking_app

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
ORDER = Scenario(
    "order",
    (
        FindAgent(ring=0),
        Say(GREETING),
        Await("chat_session_message"),
        ShowForm("order"),
        Await("chat_session_form_data"),
        Say("Thank you."),
        EndSession(),
    ),
)
"""An agent who wants to know the number of an order."""
RECEIVED = [f"Ada: {GREETING}", "Ada: Thank you.", "chat over: ended"]


class CrashError(Exception):
    """An error of the app, which leaves the current effect unhandled."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(SILENT) as serving:
        yield serving


def until(chat: threads.Chat, kind: type) -> list[ChatEffect]:
    """Return the effects up to one of a kind, which is the current one."""
    received: list[ChatEffect] = []
    while not received or not isinstance(received[-1], kind):
        received.append(next(chat))
    return received


def names_of(chat: threads.Chat) -> list[str]:
    return [party.name for party in chat.parties]


def connected(server: Server, **parts: Any) -> threads.Chat:
    return threads.Chat.connect(endpoint_at(server.url), settings=QUICK, **parts)


def test_the_program_of_the_readme_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The printed program, with the test's address, greets, answers a form, and sees the end."""
    [program] = re.findall(r"```py\n(from chatfsm import .*?)```", README, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    with Server(ORDER) as server:
        monkeypatch.setattr(chatfsm, "Endpoint", lambda *_, **__: endpoint_at(server.url))
        exec(compile(program, "README.md", "exec"), {})  # noqa: S102
    assert capsys.readouterr().out.splitlines() == RECEIVED
    assert texts_of(server.chat) == ["Is anybody there?"]
    [answer] = [
        event for event in server.chat.customer_events if event["event"] == "chat_session_form_data"
    ]
    assert answer["data"] == {"order": "17"}


def test_the_typed_programs_work(tmp_path: Path) -> None:
    """Both programs that the type checkers read have the same chat."""
    with Server(ORDER) as server:
        found = blocking_app.converse(endpoint_at(server.url), tmp_path / "blocking.json")
        assert found == RECEIVED
        second = endpoint_at(server.url, "client-2")
        assert anyio.run(async_app.converse, second, tmp_path / "async.json") == RECEIVED


def test_unhandled_effects_are_reported_again(server: Server, tmp_path: Path) -> None:
    """A restored chat first reports the effects that the app has not handled."""
    store = tmp_path / "chat.json"
    with suppress(CrashError), connected(server, store=store) as chat:
        [*_, greeting] = until(chat, f.MessageReceived)
        raise CrashError
    with connected(server, store=str(store)) as chat:
        assert next(chat) == greeting
        server.send(message("news"))
        assert until(chat, f.MessageReceived)[-1].message.text == "news"
    assert len(server.chats) == 1


def test_an_ended_chat_is_followed_by_a_new_one(server: Server, tmp_path: Path) -> None:
    """An unhandled end is reported again; after that a new chat is opened."""
    store = tmp_path / "chat.json"
    with suppress(CrashError), connected(server, store=store) as chat:
        chat.end()
        until(chat, f.Terminated)
        raise CrashError
    with connected(server, store=store) as chat:
        assert [type(effect) for effect in chat] == [f.Terminated]
    assert len(server.chats) == 1
    with connected(server, store=store) as chat:
        assert isinstance(next(chat), ChatOpened)
    assert len(server.chats) == 2


class InMemory:
    """A store of the app."""

    record: dict[str, Any] | None = None

    def load(self) -> dict[str, Any] | None:
        return self.record

    def save(self, record: dict[str, Any]) -> None:
        self.record = record


def test_parts_can_be_given(server: Server) -> None:
    """The parts are a store, a sender that stays open, a request with parameters, and a journal."""
    store, journal = InMemory(), list[str]()
    opening = RequestChat(parameters={"name": "Tove"})
    with stdlib.Sender() as sender:
        parts = {"sender": sender, "store": store, "opening": opening, "journal": journal.append}
        with connected(server, **parts) as chat:
            assert chat._own_sender is None
        assert sender._idle._max_idle > 0
    assert store.record is not None
    assert '"journal"' in journal[0]
    assert server.chat.parameters == {"name": "Tove"}


def test_a_sender_made_by_the_chat_is_closed(server: Server) -> None:
    """Without a sender the chat makes one of the standard library, and closes it at the end."""
    with connected(server) as chat:
        sender = chat._own_sender
        assert sender is not None
    assert sender._idle._max_idle == 0


def test_a_chat_that_cannot_be_opened_raises(tmp_path: Path) -> None:
    """The block is not entered, and all threads end."""
    endpoint = endpoint_at("http://127.0.0.1:9")
    with pytest.raises(TransportError), threads.Chat.connect(endpoint):
        raise AssertionError("not reached")


def test_a_foreign_file_is_refused(tmp_path: Path) -> None:
    """`connect` does not overwrite a file that is not a chat's."""
    store = tmp_path / "notes.json"
    store.write_text("[]")
    with pytest.raises(SnapshotError, match=r"notes\.json"):
        threads.Chat.connect(endpoint_at("http://127.0.0.1:9"), store=store)
    assert store.read_text() == "[]"


def test_sending_returns_the_message_id(server: Server) -> None:
    """The id may be the session's or the app's; a used one is refused."""
    with connected(server) as chat:
        ids = [chat.send_text("one"), chat.send_text("two", msg_id="mine"), chat.send_text("three")]
        with pytest.raises(LocalProtocolError, match="was used before"):
            chat.send_text("four", msg_id="mine")
        sent = [until(chat, f.MessageSent)[-1].msg_id for _ in ids]
    assert ids[1] == "mine"
    assert sent == ids == [event["msg_id"] for event in server.chat.customer_events]


def test_the_state_is_the_one_that_the_app_has_received(server: Server, tmp_path: Path) -> None:
    """State, outcome, parties and forms change when the app receives their effects."""
    with suppress(CrashError), connected(server, store=tmp_path / "chat.json") as chat:
        assert (chat.state, chat.outcome, chat.forms) == ("establishing", None, ())
        until(chat, f.MessageReceived)
        assert chat.state == "connected"
        assert names_of(chat) == [ADA.display_name]
        server.send({"event": "chat_session_form_show", "form_request_id": "7"})
        [*_, opened] = until(chat, f.FormOpened)
        assert chat.forms == (opened.form,)
        joins = {"event": "chat_session_party_joined", "party_id": "BO", "display_name": "Bo"}
        leaves = {"event": "chat_session_party_left", "party_id": ADA.party_id}
        server.send(joins, leaves, {"event": "chat_session_ended"})
        with chat._changed:
            assert chat._changed.wait_for(lambda: chat.client.done, 10)
        assert (chat.state, chat.outcome, chat.forms) == ("connected", None, (opened.form,))
        assert names_of(chat) == [ADA.display_name]
        raise CrashError  # the effect of the form is unhandled, so it is reported again
    with connected(server, store=tmp_path / "chat.json") as chat:
        assert (chat.state, chat.outcome, chat.forms) == ("connected", None, ())
        until(chat, f.FormOpened)
        assert chat.forms == (opened.form,)
        assert names_of(chat) == [ADA.display_name]
        until(chat, f.PartyAdded)
        assert names_of(chat) == ["Bo", ADA.display_name]
        until(chat, f.Terminated)
        assert (chat.state, chat.outcome, chat.forms) == ("ended", "ended", ())
        assert names_of(chat) == ["Bo"]


def test_there_is_no_state_before_there_is_a_chat(server: Server) -> None:
    """The state is None until the server has given a chat."""
    with threads.Chat(server.client()) as chat:
        assert (chat.state, chat.outcome, chat.forms) == (None, None, ())
        assert chat.parties == ()


async def continued(server: Server, store: Path) -> None:
    endpoint = endpoint_at(server.url)
    async with httpx.AsyncSender() as sender:
        with suppress(CrashError):
            async with aio.Chat.connect(endpoint, sender, store=store, settings=QUICK) as chat:
                assert chat.state == "establishing"
                msg_id = await chat.send_text("one")
                token, colon, number = msg_id.partition(":")
                assert len(token) == 12
                assert colon + number == ":1"
                assert await chat.send_text("two", msg_id="mine") == "mine"
                async for effect in chat:
                    if isinstance(effect, f.MessageReceived):
                        raise CrashError
        async with aio.Chat.connect(endpoint, sender, store=store, settings=QUICK) as chat:
            again = await anext(chat)
            assert isinstance(again, f.MessageReceived)
            assert again.message.text == GREETING
            await chat.end()
            assert isinstance([effect async for effect in chat][-1], f.Terminated)
            assert (chat.state, chat.outcome) == ("ended", "ended")


async def not_opening() -> None:
    async with httpx.AsyncSender() as sender:
        with pytest.raises(TransportError):
            async with aio.Chat.connect(endpoint_at("http://127.0.0.1:9"), sender):
                raise AssertionError("not reached")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_same_holds_for_the_asynchronous_driver(
    backend: str, server: Server, tmp_path: Path
) -> None:
    """`aio.Chat.connect` restores, returns ids, shows the state, and raises if there is no chat."""
    anyio.run(continued, server, tmp_path / "chat.json", backend=backend)
    assert texts_of(server.chat) == ["one", "two"]
    anyio.run(not_opening, backend=backend)
