"""Kill loop of the bridge in docs/examples: many customers, and a process that is killed often.

    python -m tests.examples.kill_bridge --customers 50 --kills 5

It prints how many texts, files and answers of both sides were lost and how many arrived twice; the
exit code is 1 if there were any.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import socket
import sys
import tempfile
import time
from base64 import b64encode
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import attrs
from aiohttp import web
from attrs import define, field, frozen

from chatfsm.simulator.builtin_scenarios import build_tenant, builtin_agents
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.network import Network
from chatfsm.simulator.server.server import SimulatorServer
from chatfsm.simulator.settings import CenterSettings
from tests.drivers.center import ECHOING, GREETING

__all__ = ["Outcome", "Plan", "play"]

ROOT = Path(__file__).parents[2]
BRIDGE = ROOT / "docs" / "examples" / "messenger_bridge.py"
PATH = "updates-7Qk2"  # of the webhook; only the messenger knows it
OPENING = "Is anybody there?"
PATIENCE = 60.0  # seconds for one step of a customer


@frozen
class Plan:
    """The numbers of customers, of texts for each, and of kills of the bridge.

    `seed` is that of the times of the kills; `faults` are those between bridge and center.
    """

    customers: int = 50
    kills: int = 5
    texts: int = 10
    seed: int = 1
    faults: str = ""


@frozen
class Outcome:
    """The numbers of items of both sides that were sent, received, lost and duplicated."""

    seconds: float
    sent: int
    """Texts, files and answers to forms of the customers."""
    received: int
    """Texts, files and forms for the customers."""
    lost: int
    twice: int
    ignored: int
    """Items that the bridge put again, with an id that the messenger knew."""


@define(eq=False)
class Messenger:
    """A messenger, which takes each item once, and repeats updates until the bridge has them."""

    items: dict[str, dict[str, dict[str, Any]]] = field(factory=dict)
    """Items for each customer, by their ids, in order."""
    ignored: int = 0
    bridge: str = ""
    _change: asyncio.Event = field(factory=asyncio.Event)

    async def put(self, request: web.Request) -> web.Response:
        """Take an item, unless its id is known."""
        items = self.items.setdefault(request.match_info["customer"], {})
        if request.match_info["item"] in items:
            self.ignored += 1
        else:
            content = await request.json()
            if "typing" not in content:
                items[request.match_info["item"]] = content
        self._change.set()
        self._change = asyncio.Event()
        return web.Response()

    async def post(self, session: aiohttp.ClientSession, update: dict[str, Any]) -> None:
        """Post an update until the bridge accepts it."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            try:
                async with session.post(self.bridge, json=update) as reply:
                    if reply.status == 200:
                        return
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(0.05)
        raise AssertionError(f"the bridge does not take {update}")

    async def wait_for(self, customer: str, key: str, value: str | None, count: int = 1) -> Any:
        """Wait until `count` items have this content; return the last."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [
                    item
                    for item in self.items.get(customer, {}).values()
                    if key in item and value in {None, item[key]}
                ]
                if len(found) >= count:
                    return found[-1]
                await self._change.wait()


@define(eq=False)
class Customer:
    """A customer of the messenger, who continues when the agent has answered."""

    messenger: Messenger
    session: aiohttp.ClientSession
    name: str
    texts: int
    said: list[str] = field(factory=list)
    """Texts for the center, in order."""

    async def say(self, text: str, answer: str, count: int = 1) -> None:
        """Send a text, and wait for its answer."""
        self.said.append(text)
        await self.do(id=f"{self.name}-{len(self.said)}", text=text)
        await self.messenger.wait_for(self.name, "text", answer, count)

    async def do(self, **update: Any) -> None:
        """Post an update to the bridge."""
        await self.messenger.post(self.session, {"customer": self.name, **update})

    async def play(self) -> None:
        """Have one chat with texts, files, a form and typing, and then a second one.

        The first text of a chat opens it. The agent may join later and then does not repeat it.
        """
        await self.say(OPENING, GREETING)
        for number in range(self.texts):
            await self.do(do="start_typing")
            text = f"{self.name} says {number}"
            await self.say(text, f"You said: {text}")
        await self.say("form", "Please fill in this form.")
        form = await self.messenger.wait_for(self.name, "form", None)
        await self.do(
            form=form["id"].removeprefix("form-"),
            answers={"name": "Ann", "email": "ann@mail.example"},
        )
        await self.messenger.wait_for(self.name, "text", "Thank you for your 2 answers.")
        await self.say("file", "Here are our opening hours.")
        await self.messenger.wait_for(self.name, "file", "opening-hours.txt")
        content = b64encode(b"one, two").decode()
        await self.do(id=f"{self.name}-file", file="numbers.txt", content=content)
        await self.messenger.wait_for(self.name, "text", "Thank you for the file.")
        await self.do(do="end")
        await self.messenger.wait_for(self.name, "end", None)
        await self.say(OPENING, GREETING, 2)
        await self.say("again", "You said: again")
        await self.do(do="end")
        await self.messenger.wait_for(self.name, "end", None, 2)

    def faults(self, center: ContactCenter) -> tuple[int, int, int, int]:
        """Return the numbers of items that were sent, received, lost and duplicated."""
        events = [
            event
            for chat in center.chats.values()
            if chat.client_id == self.name
            for event in chat.customer_events
        ]
        kinds = Counter(event["event"] for event in events)
        arrived = Counter(
            event["msg"] for event in events if event["event"] == "chat_session_message"
        )
        arrived["(file)"] = kinds["chat_session_file"]
        arrived["(form)"] = kinds["chat_session_form_data"]
        sent = Counter([*self.said, "(file)", "(form)"])
        due = Counter(
            [
                *(GREETING, GREETING, "You said: again", "Please fill in this form.", "(form)"),
                *("Thank you for your 2 answers.", "Here are our opening hours.", "(file)"),
                "Thank you for the file.",
                *(f"You said: {text}" for text in self.said if " says " in text),
            ]
        )
        got = Counter(
            item.get("text", "(file)" if "file" in item else "(form)")
            for item in self.messenger.items[self.name].values()
            if {"text", "file", "form"} & item.keys()
        )
        due[f"You said: {OPENING}"] = got[f"You said: {OPENING}"] = 0  # the agent repeats it or not
        lost = (sent - arrived).total() + (due - got).total()
        twice = (arrived - sent).total() + (got - due).total()
        return sent.total(), got.total(), lost, twice


async def start_bridge(folder: Path, settings: dict[str, str]) -> asyncio.subprocess.Process:
    """Start the bridge in its folder."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    return await asyncio.create_subprocess_exec(
        sys.executable, str(BRIDGE), cwd=folder, env=environment, stdout=asyncio.subprocess.DEVNULL
    )


async def _play(
    plan: Plan, server: SimulatorServer, folder: Path
) -> tuple[float, Messenger, list[Customer]]:
    rng = random.Random(plan.seed)  # no secret
    messenger = Messenger()
    app = web.Application(client_max_size=2**26)
    app.router.add_put("/{customer}/{item}", messenger.put)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [(_, port), *_] = runner.addresses
    free = _free_port()
    parts = (server.url, "tenant.example", "demo", f"http://127.0.0.1:{port}", PATH, str(free))
    settings = {"BRIDGE": " ".join(parts)}
    messenger.bridge = f"http://127.0.0.1:{free}/{PATH}"
    bridge = await start_bridge(folder, settings)
    began = time.monotonic()
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(10)) as session,
            asyncio.TaskGroup() as tasks,
        ):
            all_of_them = [
                Customer(messenger, session, f"customer-{number}", plan.texts)
                for number in range(plan.customers)
            ]
            playing = [tasks.create_task(customer.play()) for customer in all_of_them]
            total = plan.customers * (plan.texts * 2 + 11)
            for number in range(plan.kills):
                # At a random time within each part of the run.
                wanted = (number + 0.3 + 0.6 * rng.random()) / plan.kills * total * 0.8
                while _progress(messenger, all_of_them) < wanted:
                    if all(one.done() for one in playing) or bridge.returncode is not None:
                        raise AssertionError("the bridge ended, or there was nothing to kill")
                    await asyncio.sleep(0.002)
                await asyncio.sleep(rng.random() * 0.05)
                bridge.kill()
                await bridge.wait()
                bridge = await start_bridge(folder, settings)
        return time.monotonic() - began, messenger, all_of_them
    finally:
        if bridge.returncode is None:
            bridge.terminate()
        await bridge.wait()
        await runner.cleanup()


def _progress(messenger: Messenger, customers: list[Customer]) -> int:
    said = sum(len(customer.said) for customer in customers)
    return said + sum(len(items) for items in messenger.items.values())


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def play(plan: Plan, folder: Path) -> Outcome:
    """Let customers chat through the bridge, and kill it."""
    tenant = build_tenant(ECHOING, agents=builtin_agents(plan.customers))
    center = ContactCenter([tenant], CenterSettings(hold=5, max_ended_chats=100_000))
    with SimulatorServer(Network(center, plan.faults, seed=plan.seed)) as server:
        seconds, messenger, customers = asyncio.run(_play(plan, server, folder))
    figures = [customer.faults(center) for customer in customers]
    sent, received, lost, twice = (sum(column) for column in zip(*figures, strict=True))
    return Outcome(seconds, sent, received, lost, twice, messenger.ignored)


def main() -> int:
    """Run the kill loop with the options of the command line, and return the exit code."""
    parser = argparse.ArgumentParser(description="Kill the bridge of docs/examples.")
    for one in attrs.fields(Plan):
        parser.add_argument(f"--{one.name}", type=type(one.default), default=one.default)
    plan = Plan(**vars(parser.parse_args()))
    with tempfile.TemporaryDirectory() as folder:
        outcome = play(plan, Path(folder))
    print(
        f"{plan.customers} customers, {plan.kills} kills, {outcome.seconds:.1f} s:"
        f" sent {outcome.sent}, received {outcome.received}, lost {outcome.lost},"
        f" twice {outcome.twice}, put again {outcome.ignored}"
    )
    return 1 if outcome.lost or outcome.twice else 0


if __name__ == "__main__":
    sys.exit(main())
