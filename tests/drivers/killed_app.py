"""A program that chats until it is killed, and continues from its store.

It sends a number of lines, one after each effect, writes the messages of the agent to a file, and
ends the chat when the last line was answered.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from chatfsm import ChatClient
from chatfsm.drivers import threads
from chatfsm.drivers.sqlite import SqliteStore
from chatfsm.effects import MessageReceived
from tests.drivers.customer import QUICK, endpoint_at


def chat_on(url: str, state: Path, received: Path, lines: int) -> None:
    store = SqliteStore(state).chat("customer") if state.suffix == ".db" else state
    with threads.Chat.connect(endpoint_at(url), store=store, settings=QUICK) as chat:
        send_next(chat, chat.client, lines)
        for effect in chat:
            if isinstance(effect, MessageReceived):
                note(received, effect.message.text)
                if effect.message.text == f"You said: line {lines - 1}":
                    chat.end()
                    continue
            send_next(chat, chat.client, lines)


def send_next(chat: threads.Chat, client: ChatClient, lines: int) -> None:
    """Send the line that follows those in the session's outbox."""
    assert client.session is not None
    number = len(client.session.outbox)
    if number < lines and not client.done:
        chat.send_text(f"line {number}")


def note(received: Path, text: str) -> None:
    with received.open("a") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())


if __name__ == "__main__":
    chat_on(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
