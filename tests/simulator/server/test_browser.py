"""Chats in a real browser, at the customer's page and at the agent's seat."""

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
from chatfsm.simulator.server import web_chat
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
    """The form is answered, the chat ends, and hostile content is shown as text."""
    center: Any = server.network.center
    seen = asyncio.run(_run_chat(server.url))
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
    assert seen["complaints"] == []


async def _run_chat(url: str) -> dict[str, Any]:
    """Chat on a screen of the size of a phone; return the state of the page at the end."""
    async with page_at(url) as page:
        await phone(page, 360, 700)
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
        return await _page_state(page)


async def phone(page: Page, width: int, height: int) -> None:
    """Set the size of the screen."""
    await page.do(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=True,
    )


async def _page_state(page: Page) -> dict[str, Any]:
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


ROWS = "[...document.querySelectorAll('#messages li')].map((one) => one.innerText)"
LAST_ROW_IS_WHOLE = """(() => {
    const list = document.querySelector('#messages').getBoundingClientRect();
    const last = document.querySelector('#messages').lastElementChild.getBoundingClientRect();
    const send = document.querySelector('#send').getBoundingClientRect();
    return last.bottom <= list.bottom && last.bottom > list.top && send.bottom <= innerHeight;
})()"""


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_a_reload_keeps_the_chat(echo_server: SimulatorServer) -> None:
    """After a reload all rows are there, and the chat goes on to its end; so is an ended chat."""
    seen = asyncio.run(_run_reloads(echo_server.url))
    center: Any = echo_server.network.center
    [chat] = echo_server.call_in_loop(lambda: list(center.chats.values()))
    sent = [event["msg"] for event in chat.customer_events if "msg" in event]
    assert sent == [*(f"message {number} {'x' * 99}" for number in range(9)), "after"]
    assert seen["after"] == seen["before"]
    assert len(seen["before"]) > 18
    assert seen["at_the_end"][-1] == "The session is over: ended"
    assert seen["app"] == "echo"
    assert seen["whole"] == [True] * 5
    assert seen["complaints"] == []


async def _run_reloads(url: str) -> dict[str, Any]:
    async with page_at(url) as page:
        await phone(page, 360, 740)
        await page.until("document.querySelector('#app')?.options.length > 1")
        await page.value("document.querySelector('#app').value = 'echo'")
        await page.click("#open")
        await page.until("document.querySelectorAll('.theirs').length === 1")
        for number in range(9):
            await page.write("#text", f"message {number} {'x' * 99}")
            await page.click("#send")
            await page.until(f"document.querySelectorAll('.theirs').length === {number + 2}")
        whole = [await _last_row_is_whole(page)]
        await page.until("!document.querySelector('#messages').innerText.includes('…')")
        before = await page.value(ROWS)
        await _reload(page, len(before))
        after = await page.value(ROWS)
        whole.append(await _last_row_is_whole(page))
        for width, height in ((740, 360), (360, 740)):
            await phone(page, width, height)
            whole.append(await _last_row_is_whole(page))
        await page.write("#text", "after")
        await page.click("#send")
        await page.until("document.querySelector('#typing').hidden === false")
        whole.append(await _last_row_is_whole(page))
        await page.until("document.querySelectorAll('.theirs').length === 11")
        await page.click("#end")
        await page.until("document.querySelector('#state').dataset.state === 'ended'")
        await _reload(page, len(await page.value(ROWS)))
        return {
            "before": before,
            "after": after,
            "at_the_end": await page.value(ROWS),
            "app": await page.value("document.querySelector('#app').value"),
            "whole": whole,
            "complaints": page.complaints,
        }


async def _last_row_is_whole(page: Page) -> bool:
    """Return whether the last row is fully visible after the page was drawn again."""
    await page.value("window.drawn = 0")
    await page.value(
        "requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(() => { drawn = 1; })))"
    )
    await page.until("window.drawn")
    return bool(await page.value(LAST_ROW_IS_WHOLE))


async def _reload(page: Page, rows: int) -> None:
    await page.value("window.isOld = true")
    await page.do("Page.reload")
    await page.until("window.isOld === undefined && document.querySelector('#messages')")
    await page.until(f"document.querySelectorAll('#messages li').length === {rows}")


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_an_unknown_chat_is_reported(
    echo_server: SimulatorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page reports it in a row, without a browser error; a reload then shows no chat."""
    monkeypatch.setattr(web_chat, "_MAX_CHATS", 1)
    assert asyncio.run(_open_unknown_chat(echo_server.url)) == []


async def _open_unknown_chat(url: str) -> list[str]:
    other = "{ method: 'POST', body: JSON.stringify({ app_id: 'plain' }) }"
    async with page_at(url) as page:
        await page.until("document.querySelector('#app')?.options.length > 1")
        await page.click("#open")
        await page.until("document.querySelector('#text').disabled === false")
        await page.value(f"fetch('web/chats', {other}).then(() => 0)")
        await page.until("document.querySelector('#messages').innerText.includes('not have this')")
        assert await page.value("document.querySelector('#text').disabled")
        await _reload(page, 1)
        await page.until("document.querySelector('#app')?.options.length > 1")
        assert "Choose a scenario" in await page.value("document.body.innerText")
        return page.complaints


@pytest.fixture
def echo_server() -> Iterator[SimulatorServer]:
    tenant = simulate.build_tenant(PLAY)
    network = Network(ContactCenter([tenant]))
    with SimulatorServer(network, pages=build_pages(tenant), speed=4.0) as served:
        yield served


@pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")
def test_the_agents_seat_in_the_browser(server: SimulatorServer) -> None:
    """The seat sends texts, typing, a form, a transfer, a fault and the end."""
    seen = asyncio.run(_run_seat(server.url))
    assert seen["typing"] == "Odile F. is typing"
    assert seen["theirs"][-2:] == ["A person answers.", HOSTILE]
    assert seen["agent_title"] == "chatfsm agent's seat"
    assert seen["customer_title"] == "chatfsm simulator"
    assert seen["agent_theirs"] == [HOSTILE]
    assert f"The form was answered. name: {HOSTILE}, email: b" in seen["agent_rows"]
    assert "Tove has joined" in seen["agent_rows"]
    assert seen["agent_rows"][-1] == "The session is over"
    assert seen["rows_after_reload"] == seen["agent_rows"]
    assert seen["outcome"] == "ended"
    assert seen["whole"] == [True] * 3
    assert server.network.fault_counts == {"503": 1}
    assert seen["complaints"] == []


async def _run_seat(url: str) -> dict[str, Any]:
    texts = "[...document.querySelectorAll('.theirs .bubble')].map((one) => one.textContent)"
    async with page_at(url) as customer, page_at(f"{url}/agent") as agent:
        await customer.until("document.querySelector('#app')?.options.length > 1")
        await customer.value("document.querySelector('#app').value = 'echo'")
        await customer.click("#open")
        await customer.until("document.querySelectorAll('.theirs').length === 1")
        await agent.click("#chats button")
        await agent.click("#join")
        await agent.until("document.querySelector('#text').disabled === false")
        await agent.write("#text", "A person answers.")
        await customer.until("document.querySelector('#typing').hidden === false")
        typing = await customer.value("document.querySelector('#typists').textContent")
        await agent.click("#send")
        await customer.until("document.querySelectorAll('.theirs').length === 2")
        await agent.click("#once [data-faults='503:post@1']")
        await agent.until("document.querySelector('#active').textContent.includes('503')")
        await customer.write("#text", HOSTILE)
        await customer.click("#send")
        await agent.until("document.querySelectorAll('.theirs').length === 1")
        await agent.click("#ask")
        await customer.until("document.querySelector('.card')")
        await customer.write(".card input[name=name]", HOSTILE)
        await customer.write(".card input[name=email]", "b")
        await customer.click(".card button[type=submit]")
        await agent.until("document.querySelector('#messages').innerText.includes('answered')")
        await agent.click("#transfer")
        await agent.until("document.querySelector('#messages').innerText.includes('Tove has')")
        await agent.write("#text", HOSTILE)
        await agent.click("#send")
        await customer.until("document.querySelectorAll('.theirs').length === 3")
        await agent.click("#end")
        await customer.until("document.querySelector('#state').dataset.state === 'ended'")
        await agent.until("document.querySelector('#messages').innerText.includes('is over')")
        rows = await agent.value(ROWS)
        await _reload(agent, len(rows))
        whole = []
        for width, height in ((360, 740), (740, 360), (1200, 700)):
            await phone(agent, width, height)
            whole.append(await _last_row_is_whole(agent))
        return {
            "whole": whole,
            "typing": typing,
            "theirs": await customer.value(texts),
            "agent_title": await agent.value("document.title"),
            "customer_title": await customer.value("document.title"),
            "agent_theirs": await agent.value(texts),
            "agent_rows": rows,
            "rows_after_reload": await agent.value(ROWS),
            "outcome": await customer.value("document.querySelector('#state').dataset.state"),
            "complaints": [*customer.complaints, *agent.complaints],
        }
