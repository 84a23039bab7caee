"""The customers, all in one process over one sender, and their counts."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
from attrs import define, field

from chatfsm._client.client import ChatClient
from chatfsm.adapters import aiohttp, httpx
from chatfsm.client_effects import LinkChanged
from chatfsm.drivers import aio
from chatfsm.effects import MessageReceived, MessageSent, MessageUnconfirmed, Terminated
from tests.drivers.customer import endpoint_at

OPENED_A_SECOND = 100
"""Chats opened per second; more would measure the opening alone."""
ROOT = Path(__file__).parents[2]


@define
class Count:
    """Counts over all customers."""

    received: dict[int, list[str]] = field(factory=dict)
    sent: Counter[int] = field(factory=Counter)
    arrived: int = 0
    in_doubt: int = 0
    ended: int = 0
    effects: int = 0
    links: Counter[str] = field(factory=Counter)
    memory: list[int] = field(factory=list)


async def customer(chats: aio.Chats, url: str, number: int, count: Count) -> None:
    """Answer every other message of the agent with a line; end after the last one."""
    chat = chats.open(ChatClient(endpoint_at(url, f"client-{number}")))
    received = count.received[number] = []
    await anyio.sleep(number / OPENED_A_SECOND)
    await chat.open()
    async for effect in chat:
        count.effects += 1
        match effect:
            case MessageReceived(message=message):
                received.append(message.text)
                if message.text.startswith("the last"):
                    await chat.end()
                elif len(received) % 2:
                    await chat.send_text(f"line {count.sent[number]}")
                    count.sent[number] += 1
            case MessageSent():
                count.arrived += 1
            case MessageUnconfirmed():  # if the end came before the line's confirmation
                count.in_doubt += 1
            case Terminated():
                count.ended += 1
            case LinkChanged(state=state):
                count.links[state] += 1


def resident() -> int:
    """Return the resident memory of this process in bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def agents(options: argparse.Namespace) -> Iterator[tuple[str, dict[str, Any]]]:
    """Run the center's process; yield its address, and its counts after the block."""
    program = [sys.executable, "-m", "tests.load", "--center"]
    opening = options.chats / OPENED_A_SECOND  # so that all chats last as long as the option says
    given = ["--seconds", str(options.seconds + opening), "--every", str(options.every)]
    ledger: dict[str, Any] = {}
    with subprocess.Popen(
        [*program, *given], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip(), ledger
        process.stdin.close()
        ledger |= json.loads(process.stdout.readline())


async def all_chat(options: argparse.Namespace, url: str, count: Count) -> None:
    """Run all customers at once, and measure the memory in the middle."""
    sender = {"aiohttp": aiohttp, "httpx": httpx}[options.sender].AsyncSender
    count.memory.append(resident())
    async with sender() as send, aio.Chats(send) as chats, anyio.create_task_group() as tasks:
        for number in range(options.chats):
            tasks.start_soon(customer, chats, url, number, count)
        await anyio.sleep(options.chats / OPENED_A_SECOND + options.seconds / 2)
        count.memory.append(resident())


def verdict(count: Count, ledger: dict[str, Any]) -> dict[str, Any]:
    """Return the numbers of lost and duplicated messages, and more."""
    lost = twice = 0
    for received in count.received.values():
        last = (
            received[-1] if received and received[-1].startswith("the last of") else "the last of 0"
        )
        expected = {f"news {number}" for number in range(int(last.split()[-1]))} | {last}
        lost += len(expected - set(received))
        twice += len(received) - len(set(received))
    usage = resource.getrusage(resource.RUSAGE_SELF)
    before, within = count.memory
    return {
        "chats": len(count.received),
        "ended": count.ended,
        "effects": count.effects,
        "messages received": sum(map(len, count.received.values())),
        "messages lost": lost,
        "messages received twice": twice,
        "lines sent": count.sent.total(),
        "lines known to have arrived": count.arrived,
        "lines in doubt at the end": count.in_doubt,
        "lines lost or sent twice": count.sent.total() - ledger["lines"],
        "links": dict(count.links),
        "KiB a chat": round((within - before) / 1024 / len(count.received), 1),
        "cpu seconds": round(usage.ru_utime + usage.ru_stime, 1),
    }


def run(options: argparse.Namespace) -> None:
    """Run all chats, and print the counts of both ends."""
    count, began = Count(), time.monotonic()
    with agents(options) as (url, ledger):
        anyio.run(all_chat, options, url, count, backend=options.backend)
    print("customers", json.dumps(verdict(count, ledger), indent=2))
    print("center", json.dumps(ledger, indent=2))
    print(f"{time.monotonic() - began:.0f} s")
