"""CPU of many chats, compared with a bare loop on aiohttp: `python -m tests.load.cpu --help`.

Both have the same traffic with the same simulated center, which runs in a process of its own: one
poll for each message of the agent, and an answer to every other one. The bare loop is what an app
would write without a library: it polls, parses, and posts, without retries, histories, deadlines,
states or duplicates. The rounds are interleaved; the ratio is that of the medians of the
processes' CPU seconds, without the start of Python and the imports.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Coroutine
from pathlib import Path
from random import Random
from statistics import median, quantiles
from typing import Any

import aiohttp
import anyio.lowlevel
from attrs import asdict, define

from chatfsm.adapters.aiohttp import AsyncSender
from chatfsm.drivers import aio
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest
from tests.drivers.customer import APP, TENANT
from tests.load.customers import OPENED_A_SECOND, ROOT, Count, agents, customer

SCHEME = "MOBILE-API-140-327-PLAIN"


@define
class Traffic:
    """Messages and requests of all customers of one process."""

    messages: int = 0
    requests: int = 0


class CountingSender(AsyncSender):
    """A sender that counts its requests."""

    traffic: Traffic

    def __call__(self, request: HttpRequest) -> Coroutine[Any, Any, HttpReply | HttpFailure]:
        self.traffic.requests += 1
        return super().__call__(request)


async def run_chatfsm(url: str, chats: int, traffic: Traffic) -> None:
    """Run all customers with chatfsm."""
    count = Count()
    async with CountingSender() as send, aio.Chats(send) as group:
        send.traffic = traffic
        await asyncio.gather(*(customer(group, url, number, count) for number in range(chats)))
    traffic.messages = sum(map(len, count.received.values()))


async def run_bare(url: str, chats: int, traffic: Traffic) -> None:
    """Run all customers with a bare loop."""
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        customers = (bare_customer(session, url, number, traffic) for number in range(chats))
        await asyncio.gather(*customers)


async def bare_customer(
    session: aiohttp.ClientSession, url: str, number: int, traffic: Traffic
) -> None:
    """Run one customer, with the same traffic as `customers.customer`."""
    ids = f'appId="{APP}", clientId="client-{number}"'
    headers = {
        "Content-Type": "application/json; charset=UTF-8",
        "User-Agent": "MobileClient",
        "Cache-Control": "no-cache",
        "Authorization": f"{SCHEME} {ids}",
    }

    async def ask(method: str, path: str, body: object = None) -> Any:
        address = f"{url}/clientweb/api/v2/{path}?tenantUrl={TENANT}"
        data = None if body is None else json.dumps(body)
        traffic.requests += 1
        async with session.request(method, address, headers=headers, data=data) as reply:
            reply.raise_for_status()
            return json.loads(await reply.read() or b"{}")

    await asyncio.sleep(number / OPENED_A_SECOND)
    chat_id = (await ask("POST", "chats", {}))["chat_id"]
    received = sent = 0
    while True:
        for event in (await ask("GET", f"chats/{chat_id}/events"))["events"]:
            if event["event"] == "chat_session_ended":
                return
            if event["event"] != "chat_session_message" or event["party_id"] == chat_id:
                continue
            received += 1
            traffic.messages += 1
            answer = None
            if event["msg"].startswith("the last"):
                answer = {"event": "chat_session_end"}
            elif received % 2:
                text, msg_id = f"line {sent}", f"token:{2 * sent + 1}"
                answer = {"event": "chat_session_message", "msg": text, "msg_id": msg_id}
                sent += 1
            if answer is not None:
                await ask("POST", f"chats/{chat_id}/events", {"events": [answer]})


CLIENTS = {"chatfsm": run_chatfsm, "bare": run_bare}


def play(name: str, url: str, chats: int) -> None:
    """Run all customers of one kind, and print their cost."""
    asyncio.run(anyio.lowlevel.checkpoint())  # it imports a part of anyio at the first call
    traffic, before = Traffic(), time.process_time()
    asyncio.run(CLIENTS[name](url, chats, traffic))
    print(json.dumps({"cpu seconds": time.process_time() - before, **asdict(traffic)}))


def measured(name: str, options: Namespace, wrapper: tuple[str, ...] = ()) -> dict[str, Any]:
    """Run a center, and all customers of one kind in a second process; return the numbers."""
    with agents(options) as (url, ledger):
        program = [*wrapper, sys.executable, "-m", "tests.load.cpu", "--chats", str(options.chats)]
        done = subprocess.run(
            [*program, "--play", name, url], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
        )
    found: dict[str, Any] = json.loads(done.stdout)
    return found | {"lines": ledger["lines"]}


def instructions(name: str, options: Namespace) -> int:
    """Return the instructions of all chats but the first, in user mode."""
    counts = []
    for chats in (1, options.chats):  # the first one loads what all need
        out = options.callgrind / f"{name}-{chats}.callgrind"
        wrapper = ("valgrind", "--quiet", "--tool=callgrind", f"--callgrind-out-file={out}")
        measured(name, Namespace(**{**vars(options), "chats": chats}), wrapper)
        totals = next(line for line in out.read_text().splitlines() if line.startswith("totals:"))
        counts.append(int(totals.split()[1]))
    return counts[1] - counts[0]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.cpu", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--chats", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=4.0, help="how long the agents talk")
    parser.add_argument("--every", type=float, default=0.5, help="seconds between their messages")
    parser.add_argument(
        "--callgrind", type=Path, metavar="FOLDER", help="count instructions, with files there"
    )
    parser.add_argument("--play", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.play:
        play(*options.play, options.chats)
        return
    if options.callgrind:
        counts = {name: instructions(name, options) for name in CLIENTS}
        print(json.dumps(counts), f"ratio {counts['chatfsm'] / counts['bare']:.2f}")
        return
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in CLIENTS}
    for number in range(options.rounds):
        for name in Random(number).sample(list(CLIENTS), len(CLIENTS)):
            found[name].append(measured(name, options))
            print(number, name, json.dumps(found[name][-1]), file=sys.stderr, flush=True)
    costs = {name: [each["cpu seconds"] for each in rounds] for name, rounds in found.items()}
    for name, rounds in found.items():
        counts = {key: median(each[key] for each in rounds) for key in rounds[0]}
        print(f"{name:8}", json.dumps(counts))
    ratios = [ours / bare for ours, bare in zip(*costs.values(), strict=True)]
    low, _, high = quantiles(ratios, n=4)
    print(
        f"ratio of the medians {median(costs['chatfsm']) / median(costs['bare']):.2f},"
        f" middle half of the rounds {low:.2f} to {high:.2f}"
    )


if __name__ == "__main__":
    main()
