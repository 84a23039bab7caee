"""A file shared just before the end of a chat can be downloaded after it, by both drivers."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import anyio
import pytest

from chatfsm import effects
from chatfsm.client_effects import ChatEffect
from chatfsm.drivers import aio, threads
from chatfsm.models import SharedFile
from chatfsm.transport import HttpReply, HttpRequest
from tests.drivers.customer import endpoint_at

NEWS = [
    {"event": "chat_session_status", "state": "connected"},
    {"event": "chat_session_file", "file_id": "f-1", "party_id": "ann", "msg_id": "2"},
    {"event": "chat_session_ended"},
]


def answer(request: HttpRequest) -> HttpReply:
    """Answer as a center with one chat, which ends at its first poll, and one file."""
    path = urlsplit(request.url).path
    if path.endswith("/chats"):
        body = json.dumps({"chat_id": "c-1", "state": "queued", "is_new_chat": True}).encode()
    elif path.endswith("/events"):
        body = json.dumps({"events": NEWS}).encode()
    else:
        assert path.endswith("/files/f-1")
        body = b"content"
    return HttpReply(request.id, 200, {}, body)


def shared(reported: list[ChatEffect]) -> SharedFile:
    """Return the shared file of an ended chat."""
    assert isinstance(reported[-1], effects.Terminated)
    (file,) = [effect.file for effect in reported if isinstance(effect, effects.FileReceived)]
    return file


def test_the_blocking_driver() -> None:
    """The download succeeds within the block."""
    with threads.Chat.connect(endpoint_at("http://127.0.0.1:1"), answer) as chat:
        assert chat.download(shared(list(chat))) == b"content"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_asynchronous_driver(backend: str) -> None:
    """The download succeeds within the block, with asyncio and with trio."""

    async def send(request: HttpRequest) -> HttpReply:
        await anyio.lowlevel.checkpoint()
        return answer(request)

    async def main() -> None:
        async with aio.Chat.connect(endpoint_at("http://127.0.0.1:1"), send) as chat:
            reported = [effect async for effect in chat]
            assert await chat.download(shared(reported)) == b"content"

    anyio.run(main, backend=backend)
