"""One scripted chat with every adapter: the effects are equal byte for byte."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest

from chatfsm import effects as f
from chatfsm.adapters import aiohttp, httpx, requests, stdlib
from chatfsm.client_effects import ChatOpened, LinkChanged
from chatfsm.drivers import aio, threads
from chatfsm.effects import to_json
from tests.drivers.center import ADA, SILENT, Server, message


def written(effect: Any) -> str:
    if isinstance(effect, ChatOpened | LinkChanged):
        return repr(effect)
    return json.dumps(to_json(effect))


Step = tuple[dict[str, Any], ...] | str

SHOWS = ({"event": "chat_session_form_show", "form_request_id": "7"},)
CLOSES = (
    {"event": "chat_session_typing", "party_id": ADA.party_id},
    message("Grüße, and <b>goodbye</b> 🙂"),
    {"event": "chat_session_weather", "sky": "blue"},
    {"event": "chat_session_ended"},
)
STEPS: tuple[tuple[type, Step], ...] = (
    (f.MessageReceived, "Good morning, with a \N{SNOWMAN}"),
    (f.MessageSent, SHOWS),
    (f.FormOpened, "no forms, please"),
    (f.MessageSent, CLOSES),
)
"""The step that follows each effect: events of the center, or a text of the customer."""
STANDING = 0.001
"""A speed of the clock at which all events have one timestamp, with any adapter."""


class Script:
    """A script that takes its next step when the effect has come that it waits for."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.left = list(STEPS)
        self.effects: list[str] = []

    def follow(self, effect: object) -> str | None:
        """Return the text that the customer sends now, or None."""
        self.effects.append(written(effect))
        if not self.left or not isinstance(effect, self.left[0][0]):
            return None
        _, step = self.left.pop(0)
        if isinstance(step, str):
            return step
        self.server.send(*step)
        return None


@contextmanager
def playing(version: int) -> Iterator[tuple[Script, Any]]:
    with Server(SILENT, speed=STANDING) as server:
        script = Script(server)
        yield script, server.client(version=version)
    assert script.left == []


def with_threads(make_sender: Callable[[], Any], version: int) -> list[str]:
    with (
        playing(version) as (script, client),
        make_sender() as send,
        threads.Chat(client, send) as chat,
    ):
        chat.open()
        for effect in chat:
            if (text := script.follow(effect)) is not None:
                chat.send_text(text)
    return script.effects


def with_aio(make_sender: Callable[[], Any], version: int, backend: str) -> list[str]:
    async def run(script: Script, client: Any) -> None:
        async with make_sender() as send, aio.Chat(client, send) as chat:
            await chat.open()
            async for effect in chat:
                if (text := script.follow(effect)) is not None:
                    await chat.send_text(text)

    with playing(version) as (script, client):
        anyio.run(run, script, client, backend=backend)
    return script.effects


OTHERS: dict[str, Callable[[int], list[str]]] = {
    "requests": lambda version: with_threads(requests.Sender, version),
    "httpx": lambda version: with_threads(httpx.Sender, version),
    "httpx-asyncio": lambda version: with_aio(httpx.AsyncSender, version, "asyncio"),
    "httpx-trio": lambda version: with_aio(httpx.AsyncSender, version, "trio"),
    "aiohttp": lambda version: with_aio(aiohttp.AsyncSender, version, "asyncio"),
}


@pytest.mark.parametrize("version", [1, 2])
def test_every_adapter_gives_the_same_effects(version: int) -> None:
    """Five adapters, blocking and asynchronous, give equal effects of one chat."""
    by_stdlib = with_threads(stdlib.Sender, version)
    assert '"outcome": "ended"' in by_stdlib[-1]
    assert len([line for line in by_stdlib if "message_received" in line]) == 2
    assert {name: run(version) for name, run in OTHERS.items()} == dict.fromkeys(OTHERS, by_stdlib)
