"""CPU of one request by stage, each alone: `python -m tests.load.stages --help`.

Every other poll brings a message, and each message is answered. The stages:

client   `ChatClient` with replies from memory: no IO, no driver.
driver   `aio.Chat` with a sender that replies from memory: the client as well.
bare     aiohttp alone, with a server in another process.
sender   the sender for aiohttp, with the same requests.

So a request costs about driver + sender, compared with bare.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import count
from random import Random
from statistics import median
from typing import Any

import aiohttp
from aiohttp import web

from chatfsm._client.client import ChatClient
from chatfsm.adapters.aiohttp import AsyncSender
from chatfsm.api import RequestChat
from chatfsm.commands import SendText
from chatfsm.drivers import aio
from chatfsm.effects import MessageReceived
from chatfsm.settings import ClientSettings
from chatfsm.transport import HttpReply, HttpRequest
from tests.drivers.customer import endpoint_at
from tests.load.customers import ROOT

AT_ONCE = ClientSettings(poll_every=0.0, poll_every_busy=0.0)
MESSAGES = 100
HEADERS = {"content-type": "application/json; charset=utf-8", "content-length": "150"}
QUIET = b'{"events": []}'
ENDED = b'{"events": [{"event": "chat_session_ended"}]}'
OPENED = b'{"chat_id": "chat-1", "state": "connected", "is_new_chat": true}'
REQUEST_HEADERS = endpoint_at("http://127.0.0.1").headers()


def news(number: int) -> bytes:
    """Return the reply to a poll with one message."""
    event = {"event": "chat_session_message", "party_id": "AGENT-1", "msg_id": str(2 * number)}
    return json.dumps({"events": [{**event, "msg": f"news {number}"}]}).encode()


class Memory:
    """Replies to the requests of one chat."""

    def __init__(self) -> None:
        self.requests = 0
        self.polls = count(1)

    def reply(self, request: HttpRequest) -> HttpReply:
        """Reply at once."""
        self.requests += 1
        body = OPENED if request.purpose == "api" else b""
        if request.purpose == "poll":
            number = next(self.polls)
            body = QUIET if number % 2 else news(number) if number < 2 * MESSAGES else ENDED
        return HttpReply(request.id, 200, HEADERS, body)

    async def send(self, request: HttpRequest) -> HttpReply:
        """Reply like a sender, after the other tasks have run."""
        await asyncio.sleep(0)
        return self.reply(request)


def client_alone() -> int:
    """Run a chat without IO; return the number of its requests."""
    memory, client, now = Memory(), ChatClient(endpoint_at("http://127.0.0.1"), settings=AT_ONCE), 0
    items: list[Any] = [RequestChat()]
    while items:
        now += 1
        for effect in client.receive(items.pop(), now=now):
            if isinstance(effect, HttpRequest):
                items.insert(0, memory.reply(effect))
            elif isinstance(effect, MessageReceived):
                items.append(SendText("line"))
    return memory.requests


async def driven() -> int:
    """Run a chat in the driver."""
    memory = Memory()
    client = ChatClient(endpoint_at("http://127.0.0.1"), settings=AT_ONCE)
    async with aio.Chat(client, memory.send, opening=RequestChat()) as chat:
        async for effect in chat:
            if isinstance(effect, MessageReceived):
                await chat.send_text("line")
    return memory.requests


def requests_to(url: str) -> list[tuple[str, str, bytes]]:
    address = f"{url}/clientweb/api/v2/chats/chat-1/events?tenantUrl=tenant.example&_="
    posted = b'{"events": [{"event": "chat_session_message", "msg": "line", "msg_id": "1"}]}'
    kinds = (("GET", b""), ("GET", b""), ("POST", posted))
    return [(*kinds[n % 3][:1], f"{address}{n}", *kinds[n % 3][1:]) for n in range(3 * MESSAGES)]


async def bare(url: str) -> int:
    """Perform requests by aiohttp alone."""
    timeout = aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for method, address, body in requests_to(url):
            headers = dict(REQUEST_HEADERS)
            async with session.request(method, address, headers=headers, data=body or None) as got:
                await got.read()
    return 3 * MESSAGES


async def sent(url: str) -> int:
    """Perform the same requests by the sender."""
    async with AsyncSender() as send:
        for number, (method, address, body) in enumerate(requests_to(url)):
            await send(HttpRequest(number, method, address, REQUEST_HEADERS, body))  # type: ignore[arg-type]
    return 3 * MESSAGES


async def serve() -> None:
    """Serve until standard input ends."""

    async def handle(request: web.Request) -> web.Response:
        body = news(1) if request.method == "GET" else b""
        return web.Response(body=body, content_type="application/json")

    runner = web.ServerRunner(web.Server(handle))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.to_thread(sys.stdin.read)


def measure(stages: dict[str, Callable[[], int]], rounds: int) -> dict[str, list[float]]:
    """Return the microseconds of CPU a request of each stage in each round, after a warm-up."""
    costs: dict[str, list[float]] = {name: [] for name in stages}
    for number in range(rounds + 1):
        for name in Random(number).sample(list(stages), len(stages)):
            gc.collect()
            before = time.process_time()
            requests = stages[name]()
            cost = (time.process_time() - before) / requests * 1e6
            if number:
                costs[name].append(cost)
    return costs


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.stages", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return
    program = [sys.executable, "-m", "tests.load.stages", "--serve"]
    with subprocess.Popen(
        program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdin
        assert server.stdout
        url = server.stdout.readline().strip()
        stages: dict[str, Callable[[], int]] = {
            "client": client_alone,
            "driver": lambda: asyncio.run(driven()),
            "bare": lambda: asyncio.run(bare(url)),
            "sender": lambda: asyncio.run(sent(url)),
        }
        costs = measure(stages, options.rounds)
        server.stdin.close()
    for name, found in costs.items():
        print(f"{name:8}{median(found):7.1f} us a request, least {min(found):.1f}")
    whole = median(costs["driver"]) + median(costs["sender"])
    print(f"(driver + sender) / bare  {whole / median(costs['bare']):.2f}")


if __name__ == "__main__":
    main()
