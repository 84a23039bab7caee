"""An app with the asynchronous driver, whose awaited results have the expected types."""

from __future__ import annotations

from pathlib import Path
from typing import Any, assert_type

from chatfsm import ChatClient, Endpoint, api, commands, effects
from chatfsm.adapters import httpx
from chatfsm.client_effects import ChatEffect
from chatfsm.drivers import aio, storage
from chatfsm.drivers.sqlite import SqliteStore
from chatfsm.testing.store_checks import check_store


async def converse(endpoint: Endpoint, store: Path) -> list[str]:
    """Greet the agent, answer all messages and forms; return the agent's texts."""
    received: list[str] = []
    async with (
        httpx.AsyncSender() as sender,
        aio.Chat.connect(endpoint, sender, store=store) as chat,
    ):
        assert_type(chat, aio.Chat)
        assert_type(chat.client, ChatClient)
        assert_type(await chat.send_text("Is anybody there?"), str)
        async for effect in chat:
            assert_type(effect, ChatEffect)
            match effect:
                case effects.MessageReceived(message) if not message.own:
                    received.append(f"{message.sender_name}: {message.text}")
                case effects.FormOpened(form):
                    await chat.submit_form(form, {"order": "17"})
                case effects.Terminated(outcome):
                    received.append(f"chat over: {outcome}")
        assert_type(chat.state, str | None)
    return received


async def many(chats: aio.Chats, endpoint: Endpoint) -> None:
    """Run a chat among thousands."""
    async with chats.open(ChatClient(endpoint)) as chat:
        assert_type(await chat.open(), api.SessionProperties)
        await chat.send(commands.SendLocation(52.5, 13.4))
        await chat.mark_read("2")
        assert_type(await chat.ask(api.GetVersion()), api.ServerVersion)
        assert_type(await chat.ask(api.GetActiveChat()), api.SessionProperties | None)
        assert_type(await chat.upload("a.txt"), str)
        assert_type(await chat.download("1"), bytes)
        assert_type(chat.inspect(lambda client: client.done), bool)
        await chat.end()


async def stored(sender: aio.AsyncSender, store: storage.Store, endpoint: Endpoint) -> None:
    """Run the chats of a store, and handle an effect in a transaction."""
    async with aio.Chats(sender, store=store, endpoint_of=lambda _key: endpoint) as chats:
        assert_type(await chats.connect("customer-1"), aio.Chat)
        async for chat in chats:
            assert_type(chat, aio.Chat)
            assert_type(chat.key, str | None)
            async for effect in chat:
                async with chat.handling(effect) as transaction:
                    assert_type(transaction, storage.Transaction)
                    transaction.execute("INSERT INTO texts VALUES (?)", ["hello"])


def stores(store: SqliteStore, folder: storage.FolderStore) -> list[storage.Store]:
    """Use every store of many chats, and of one each."""
    one: list[storage.ChatStore] = [store.chat("a"), folder.chat("a"), storage.FileStore(Path("a"))]
    assert_type(one[0].load(), dict[str, Any] | None)
    check_store(lambda: store)
    check_store(lambda: folder)
    return [store, folder]
