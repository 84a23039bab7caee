"""A program that chats until it is killed, and goes on from what it kept.

Says so many lines, one after each thing that it hears, writes what the agent says to a file, and
ends the chat when the last line was answered.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from chatfsm._client.client import ChatClient
from chatfsm.adapters import stdlib
from chatfsm.drivers import storage, threads
from chatfsm.effects import MessageReceived
from tests.drivers.customer import QUICK, endpoint_at


def chat_on(url: str, state: Path, heard: Path, lines: int) -> None:
    endpoint = endpoint_at(url)
    client, told = ChatClient(endpoint, settings=QUICK), ()
    record = storage.read(state)
    if record is not None:
        restored = storage.restore(record, endpoint, settings=QUICK, now=time.monotonic())
        client, told = restored.client, restored.pending
    keep = storage.FileStore(state)
    with stdlib.Sender() as send, threads.Chat(client, send, save=keep, pending=told) as chat:
        if client.session is None:
            chat.open()
        say_next(chat, client, lines)
        for effect in chat:
            if isinstance(effect, MessageReceived):
                note(heard, effect.message.text)
                if effect.message.text == f"You said: line {lines - 1}":
                    chat.end()
                    continue
            say_next(chat, client, lines)


def say_next(chat: threads.Chat, client: ChatClient, lines: int) -> None:
    """Say the line that follows those which the session knows of."""
    number = len(client.session.outbox)
    if number < lines and not client.done:
        chat.send_text(f"line {number}")


def note(heard: Path, text: str) -> None:
    with heard.open("a") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    chat_on(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
