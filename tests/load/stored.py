"""The customers whose chats are in a store, in one process that may be killed at any time.

The process resumes the chats of the store, and then opens chats for the customers without one. With
an `SqliteStore`, a customer's received and sent texts are written in the transaction of its chat.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import anyio
from attrs import define, field

from chatfsm.adapters import aiohttp
from chatfsm.client_effects import ChatEffect
from chatfsm.drivers import aio
from chatfsm.drivers.sqlite import SqliteStore
from chatfsm.drivers.storage import FolderStore, Store, StoredRecord
from chatfsm.effects import MessageReceived, Terminated
from chatfsm.errors import LocalProtocolError, StoreConflictError
from chatfsm.transport import HttpRequest
from tests.drivers.customer import endpoint_at
from tests.load.customers import OPENED_A_SECOND

KINDS = ("none", "folder", "sqlite", "transactions")
TABLES = """
    CREATE TABLE IF NOT EXISTS received (key TEXT, text TEXT);
    CREATE TABLE IF NOT EXISTS sent (key TEXT, text TEXT);
    CREATE TABLE IF NOT EXISTS ended (key TEXT);
    CREATE TABLE IF NOT EXISTS runs (id INTEGER);
"""


class NoStore:
    """A store that saves nothing."""

    def lease(self, key: str) -> None:
        """Do nothing."""

    release = lease

    def load(self, key: str) -> None:
        """Return none."""

    def save(self, key: str, record: dict[str, Any], version: int) -> None:
        """Do nothing."""

    def delete(self, key: str, version: int) -> None:
        """Do nothing."""

    def list(self) -> Iterable[StoredRecord]:
        """Return none."""
        return ()


@define
class Customers:
    """The customers of this process: their received and sent texts, and their cost."""

    url: str
    path: Path
    is_transactional: bool
    received: Counter[str] = field(factory=Counter)
    sent: Counter[str] = field(factory=Counter)
    ended: set[str] = field(factory=set)
    handled: int = 0
    requests: int = 0
    in_process: Counter[str] = field(factory=Counter)
    """Counts of conflicts, refused commands and refused leases in this process."""

    def restore(self) -> None:
        """Read the counts that an earlier process has written."""
        database = sqlite3.connect(self.path)
        database.executescript(TABLES)
        for table, counts in (("received", self.received), ("sent", self.sent)):
            query = f"SELECT key, count(*) FROM {table} GROUP BY key"  # noqa: S608  # constant
            counts.update(dict(database.execute(query)))
        self.ended = {key for (key,) in database.execute("SELECT key FROM ended")}
        database.close()

    async def serve(self, chat: aio.Chat) -> None:
        """Answer every other message of the agent with a line; end after the last one."""
        try:
            async for effect in chat:
                self.handled += 1
                if not isinstance(effect, MessageReceived | Terminated):
                    continue
                if self.is_transactional:
                    async with chat.handling(effect) as transaction:
                        await self.answer(chat, effect, transaction.execute)
                else:
                    await self.answer(chat, effect, lambda *_: None)
        except StoreConflictError:
            self.in_process["conflicts"] += 1

    async def answer(self, chat: aio.Chat, effect: ChatEffect, write: Any) -> None:
        """Handle an effect; `write` executes SQL."""
        key = str(chat.key)
        match effect:
            case MessageReceived(message=message):
                self.received[key] += 1
                write("INSERT INTO received VALUES (?, ?)", (key, message.text))
                try:
                    if message.text.startswith("the last"):
                        await chat.end()
                    elif self.received[key] % 2:
                        text = f"line {self.sent[key]}"
                        await chat.send_text(text)
                        self.sent[key] += 1
                        write("INSERT INTO sent VALUES (?, ?)", (key, text))
                except LocalProtocolError:  # the chat is over
                    self.in_process["refused"] += 1
            case Terminated():
                self.ended.add(key)
                write("INSERT INTO ended VALUES (?)", (key,))


class CountingSender(aiohttp.AsyncSender):
    """A sender that counts its requests."""

    customers: Customers

    def __call__(self, request: HttpRequest) -> Any:
        self.customers.requests += 1
        return super().__call__(request)


async def chat_all(store: Store, customers: Customers, options: Any) -> dict[str, Any]:
    """Run until all chats have ended."""
    keys = [f"client-{number}" for number in range(options.chats)]
    # A process that was killed before the server had opened its chat has none to resume.
    known = [one.key for one in store.list() if one.record["client"]["client"]["session"]]
    began, resumed_in, requests = time.monotonic(), 0.0, 0
    async with CountingSender() as send, anyio.create_task_group() as tasks:
        send.customers = customers
        chats = aio.Chats(
            send,
            store=store,
            endpoint_of=lambda key: endpoint_at(customers.url, key),
            resumed_per_second=options.rate,
        )

        async def serve_all() -> None:
            nonlocal resumed_in, requests
            number = 0
            async for chat in chats:
                tasks.start_soon(customers.serve, chat)
                number += 1
                if number == len(known):
                    resumed_in, requests = time.monotonic() - began, customers.requests
                    line = {"resumed": number, "seconds": round(resumed_in, 2)}
                    print(json.dumps(line | {"requests": requests}), flush=True)

        async def connect(key: str) -> None:
            try:
                await chats.connect(key)
            except LocalProtocolError:  # another process has it
                customers.in_process["refused leases"] += 1

        async def connect_all() -> None:
            for key in keys:
                if key not in customers.ended and key not in known:
                    await anyio.sleep(1 / OPENED_A_SECOND)
                    tasks.start_soon(connect, key)

        async with chats:
            tasks.start_soon(serve_all)
            tasks.start_soon(connect_all)
            # No event: each customer ends by itself.
            while len(customers.ended) < len(keys) and not customers.in_process["conflicts"]:  # noqa: ASYNC110
                await anyio.sleep(0.05)
            await anyio.sleep(0.5)  # for the last effects
        failed = Counter(type(error).__name__ for error in chats.failed.values())
    return {"resumed in": round(resumed_in, 2), "failed": failed}


def play(kind: str, url: str, path: Path, options: Any) -> None:
    """Run all customers of one process, and print their cost."""
    syncs = [0]

    def counted(descriptor: int, sync: Any = os.fsync) -> None:
        syncs[0] += 1
        sync(descriptor)

    os.fsync = counted
    customers = Customers(url, path, kind == "transactions")
    with ExitStack() as stack:
        store: Any = NoStore()
        if kind == "folder":
            store = FolderStore(path)
        elif kind != "none":
            store = stack.enter_context(SqliteStore(path))
        if kind == "transactions":
            customers.restore()
        before, began = time.process_time(), time.monotonic()
        found = anyio.run(chat_all, store, customers, options)
        took = time.monotonic() - began
        found |= {
            "cpu seconds": round(time.process_time() - before, 2),
            "seconds": round(took, 1),
            "requests": customers.requests,
            "effects": customers.handled,
            "messages": customers.received.total(),
            "lines": customers.sent.total(),
            "saves": getattr(store, "saves", 0),
            "commits or fsyncs": getattr(store, "commits", 0) + syncs[0],
            **customers.in_process,
        }
    print(json.dumps(found), flush=True)
