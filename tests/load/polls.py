"""Thousands of polls, held at once by the simulator: `python -m tests.load.polls --help`."""

from __future__ import annotations

import argparse
import asyncio
import json
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
from attrs import define, field

from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.network import Network
from chatfsm.simulator.scenario import Await, Scenario, Tell
from chatfsm.simulator.server.server import SimulatorServer
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.tenants import AppEntry, Tenant
from tests.load.customers import resident

ROOT = Path(__file__).parent.parent.parent
CONNECTED = Tell({"event": "chat_session_status", "state": "connected"})
QUIET = Scenario("quiet", (CONNECTED, Await(("chat_session_end",))))
NEWS = {"event": "chat_session_message", "party_id": "AGENT-1", "msg": "Hello."}
SCHEME = "MOBILE-API-140-327-PLAIN"
# Chats that are opened at the same time.
TOGETHER = 100
Value = TypeVar("Value")


def serve(hold: float) -> None:
    """Answer a line of standard input with one of output, until it ends."""
    entry = AppEntry(app_id="load", scenario=QUIET)
    center = ContactCenter(
        [Tenant(url="tenant.example", entries=(entry,))],
        CenterSettings(hold=hold, poll_timeout=600.0),
    )
    with SimulatorServer(Network(center)) as server:
        print(server.url, flush=True)
        for line in sys.stdin:
            if line == "speak\n":
                for chat_id in server.call_in_loop(lambda: list(center.chats)):
                    server.call_in_loop(partial(send_message, server, center, chat_id))
            print(json.dumps(server.call_in_loop(lambda: account(server))), flush=True)


def send_message(server: SimulatorServer, center: ContactCenter, chat_id: str) -> None:
    """Send a message of the agent in a chat."""
    center.send_event(chat_id, NEWS, now=server.now())


def account(server: SimulatorServer) -> dict[str, float]:
    """Return the cost of serving so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "held": len(server.pump._pending),
        "MiB": round(resident() / 2**20, 1),
        "cpu": round(usage.ru_utime + usage.ru_stime, 2),
    }


@define
class Customers:
    """All polling customers, in one process."""

    url: str
    session: aiohttp.ClientSession
    errors: Counter[str] = field(factory=Counter)
    received: Counter[str] = field(factory=Counter)
    opening: asyncio.Semaphore = field(factory=lambda: asyncio.Semaphore(TOGETHER))
    last: float = 0.0
    """Time of the last message received."""

    async def chat(self, number: int) -> None:
        """Open a chat, and poll it until the agent has sent a message."""
        headers = {"Authorization": f'{SCHEME} appId="load", clientId="client-{number}"'}
        async with self.opening:
            opened = await self._ask("POST", "chats", headers)
        while opened is not None:
            reply = await self._ask("GET", f"chats/{opened['chat_id']}/events", headers)
            if reply is None:
                return
            self.received["empty polls"] += not reply["events"]
            for event in reply["events"]:
                if event["event"] == NEWS["event"]:
                    self.received["messages"] += 1
                    self.last = time.monotonic()
                    return

    async def _ask(self, method: str, path: str, headers: dict[str, str]) -> Any:
        url = f"{self.url}/clientweb/api/v2/{path}?tenantUrl=tenant.example"
        data = b"{}" if method == "POST" else None
        try:
            async with self.session.request(method, url, headers=headers, data=data) as reply:
                if reply.status == 200:
                    return await reply.json()
                self.errors[f"status {reply.status}"] += 1
        except (aiohttp.ClientError, TimeoutError) as error:
            self.errors[type(error).__name__] += 1
        return None


async def until(read: Callable[[], Value], is_enough: Callable[[Value], bool]) -> Value:
    """Call `read` until its value is enough, and return the value."""
    while not is_enough(found := await asyncio.to_thread(read)):  # noqa: ASYNC110  # no event to wait for
        await asyncio.sleep(0.1)
    return found


async def poll(options: argparse.Namespace, server: subprocess.Popen[str]) -> None:
    """Run all polls, and print the cost to the server."""

    def ask(word: str) -> dict[str, float]:
        assert server.stdin
        assert server.stdout
        server.stdin.write(word + "\n")
        server.stdin.flush()
        return dict(json.loads(server.stdout.readline()))

    assert server.stdout
    url, before = server.stdout.readline().strip(), ask("account")
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=options.hold + 60)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        customers = Customers(url, session)
        began = time.monotonic()
        chats = [asyncio.create_task(customers.chat(n)) for n in range(options.polls)]
        held = await until(lambda: ask("account"), lambda costs: costs["held"] >= options.polls)
        print(f"all polls held after {time.monotonic() - began:.1f} s")
        begun = time.monotonic()
        # Each poll returns without events within a hold, and the next one is held.
        await until(lambda: customers.received["empty polls"], lambda n: n >= options.polls)
        again = await until(lambda: ask("account"), lambda costs: costs["held"] >= options.polls)
        print(f"all held a second time after {time.monotonic() - begun:.1f} s more")
        spoken = time.monotonic()
        after = await asyncio.to_thread(ask, "speak")
        await asyncio.gather(*chats)
        print(f"the last message received {customers.last - spoken:.2f} s after it was sent")
        after = await asyncio.to_thread(ask, "account")
    for name, costs in (("before", before), ("held", held), ("again", again), ("after", after)):
        print(f"{name:8}", json.dumps(costs))
    print("received", json.dumps(customers.received))
    print("errors  ", json.dumps(customers.errors))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.load.polls", description=__doc__)
    parser.add_argument("--polls", type=int, default=2_000)
    parser.add_argument("--hold", type=float, default=15.0, help="seconds of an empty poll")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.hold)
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    print(f"{options.polls} polls, {options.hold:g} s of hold; ulimit -n is {limit}")
    program = [sys.executable, "-m", "tests.load.polls", "--serve", "--hold", str(options.hold)]
    with subprocess.Popen(
        program, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        asyncio.run(poll(options, server))
        assert server.stdin
        server.stdin.close()


if __name__ == "__main__":
    main()
