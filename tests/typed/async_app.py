"""An app with the asynchronous driver: what it awaits has the type that it expects."""

from __future__ import annotations

from pathlib import Path
from typing import assert_type

from chatfsm import ChatClient, Endpoint, api, commands, effects
from chatfsm.adapters import httpx
from chatfsm.client_effects import ChatEffect
from chatfsm.drivers import aio


async def converse(endpoint: Endpoint, store: Path) -> list[str]:
    """Greet the agent, answer all messages and forms; return what the agent wrote."""
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
