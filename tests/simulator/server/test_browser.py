"""A person's chat in a real browser: forms are shown and answered, and the chat ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from chatfsm._cli import simulate
from chatfsm._cli.simulate import build_pages
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.network import Network
from chatfsm.simulator.scenario import Await, EndSession, FindAgent, Say, Scenario, ShowForm
from chatfsm.simulator.server.server import SimulatorServer
from tests.simulator.server.browser import CHROMIUM, Page, page_at

HOSTILE = "<img src=x onerror=\"document.title='taken'\"> & <b>bold</b>"
PLAY = Scenario(
    "hostile",
    (
        FindAgent(),
        Say(HOSTILE, typing=0.5),
        ShowForm("MobileChatSurvey"),
        Await(("chat_session_form_data",)),
        Say("Thank you."),
        Await(("chat_session_message",)),
        EndSession(),
    ),
)


@pytest.fixture
def server() -> Iterator[SimulatorServer]:
    tenant = simulate.build_tenant(PLAY)
    with SimulatorServer(Network(ContactCenter([tenant])), pages=build_pages(tenant)) as served:
        yield served


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_a_chat_in_the_browser(server: SimulatorServer) -> None:
    """A form is answered and the chat ends, and what is hostile in it stays text."""
    center: Any = server.network.center
    seen = asyncio.run(_chatted(server.url))
    [chat] = server.call_in_loop(lambda: list(center.chats.values()))
    [form] = [one for one in chat.customer_events if one["event"] == "chat_session_form_data"]
    assert form["data"] == {"rating": "5", "comment": "<i>fine</i>"}
    assert [event["msg"] for event in chat.customer_events if "msg" in event] == [
        "Goodbye & <b>thanks</b>"
    ]
    assert chat.outcome == "ended"
    assert seen["title"] == "chatfsm simulator"
    assert seen["theirs"] == [HOSTILE, "Thank you."]
    assert seen["own"] == ["Goodbye & <b>thanks</b>"]
    assert seen["lit"] == ["ended"]
    assert seen["been"] == ["establishing", "connecting", "connected"]
    assert seen["wide"] is False
    assert [one for one in seen["complaints"] if "/profilephotos/" not in one] == []


async def _chatted(url: str) -> dict[str, Any]:
    """Chat as a person does, on a telephone; returns what there is to see in the end."""
    async with page_at(url) as page:
        await page.do(
            "Emulation.setDeviceMetricsOverride",
            width=360,
            height=700,
            deviceScaleFactor=1,
            mobile=True,
        )
        await page.until("document.querySelector('#app')?.options.length > 1")
        await page.click("#open")
        await page.until("document.querySelector('.card')")
        await page.write(".card input[name=rating]", "5")
        await page.write(".card input[name=comment]", "<i>fine</i>")
        await page.click(".card button[type=submit]")
        await page.until("document.querySelectorAll('.theirs').length === 2")
        await page.write("#text", "Goodbye & <b>thanks</b>")
        await page.click("#send")
        await page.until("document.querySelector('#state').dataset.state === 'ended'")
        return await _seen(page)


async def _seen(page: Page) -> dict[str, Any]:
    texts = "[...document.querySelectorAll('{} .bubble')].map((one) => one.textContent)"
    states = "[...document.querySelectorAll('#lifecycle .{}')].map((one) => one.dataset.state)"
    root = "document.documentElement"
    return {
        "title": await page.value("document.title"),
        "theirs": await page.value(texts.format(".theirs")),
        "own": await page.value(texts.format(".own")),
        "lit": await page.value(states.format("now")),
        "been": sorted(await page.value(states.format("been")), key=_ORDER.index),
        "wide": await page.value(f"{root}.scrollWidth > {root}.clientWidth"),
        "complaints": page.complaints,
    }


_ORDER = ("establishing", "connecting", "connected")
