"""The page in a real browser: no injected script runs; keyboard and screen sizes work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from chatfsm.replay.report import ReportBuilder
from tests.replay.conftest import Wire
from tests.simulator.server.browser import CHROMIUM, Page, page_at

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium")

Log = Callable[..., Path]

HOSTILE = (
    "</script><script>document.title='taken'</script>"
    "<img src=x onerror=\"document.title='taken'\">"
    "<svg onload=\"document.title='taken'\"></svg><!-- --> ${document.title='taken'} \u202egpj"
)


@asynccontextmanager
async def opened(path: Path, place: str = "") -> AsyncIterator[Page]:
    """Open the page of a report and wait until it is drawn."""
    async with page_at(f"{path.as_uri()}{place}") as page:
        await page.until("document.documentElement?.dataset.ready === 'yes'")
        if place:
            await page.until("!document.querySelector('#trace').hidden")
        yield page


def written(log: Path, **options: Any) -> Path:
    """Write the report of a log next to it."""
    builder = ReportBuilder(**options)
    builder.read([log])
    path = log.with_name("report.html")
    path.write_text(builder.page(), "utf-8")
    return path


async def key(page: Page, name: str) -> None:
    """Press and release a key."""
    text = {"text": "\r"} if name == "Enter" else {}
    for kind in ("keyDown", "keyUp"):
        extra = text if kind == "keyDown" else {}
        await page.do("Input.dispatchKeyEvent", type=kind, key=name, code=name, **extra)


def hostile_fields(wire: Wire) -> list[dict[str, Any]]:
    """A chat with a hostile text in each text field."""
    bad = HOSTILE
    items = [
        wire.status("queued", ewt=3, at=1),
        wire.status(bad, at=2),
        wire.joins(bad, bad, first_name=bad, last_name=bad, at=3),
        wire.status("connected", at=4),
        wire.says(bad, bad, msg_text=bad, msg_id=bad, channel=bad, at=5, **{bad: bad}),
        wire.event("message", party_id=bad, msg=bad, attachments=[{"id": bad, "name": bad}], at=6),
        wire.types(bad, at=7),
        wire.shows(bad, bad, form_content=bad, at=8),
        wire.event("file", party_id=bad, file_id=bad, file_name=bad, file_type=bad, at=9),
        wire.event("file_url", party_id=bad, file_url=f"javascript:{bad}", at=10),
        wire.event("location", party_id=bad, latitude=1, longitude=2, url=bad, at=11),
        wire.event("case_set", case_id=bad, at=12),
        wire.event("info", service_name=bad, at=13),
        wire.event("timeout_warning", msg=bad, at=14),
        wire.event("cobrowsing_requested", cobrowsing_url=bad, provider_type=bad, at=15),
        wire.event("signaling", party_id=bad, data={"type": "OFFER_CALL", "sdp": bad}, at=16),
        wire.event("signaling", party_id=bad, data={"type": bad, bad: bad}, at=17),
        wire.event(bad, text=bad, at=18),
        wire.broken(text=bad, at=19),
        wire.leaves(bad, at=20),
        wire.event("chat_session_failed", at=21),
        wire.status("failed", msg=bad, at=22),
        wire.says(bad, bad, at=90),
    ]
    return [{**item, "chat_id": bad} for item in items]


def test_nothing_hostile_runs(log: Log, wire: Wire) -> None:
    """Markup and scripts in texts stay text, in the table, in every step and in the title."""
    path = written(log("hostile.jsonl", *hostile_fields(wire)), title=HOSTILE, command=HOSTILE)

    async def inspect_page() -> dict[str, Any]:
        async with opened(path) as page:
            results: dict[str, Any] = {"table": await page.value(_text("#table .row .chat_id"))}
            await page.value("document.querySelector('#table .row').click()")
            await page.until("!document.querySelector('#trace').hidden")
            count = len(
                await page.value("[...document.querySelectorAll('#steps .row')].map(String)")
            )
            for mode in ("#tab-list", "#tab-sequence"):
                await page.click(mode)
                await page.value("document.querySelector('#steps').focus()")
                await key(page, "Home")
                for _ in range(2 * count):  # to each step, with all its effects unfolded
                    await page.value(_UNFOLD)
                    await key(page, "ArrowDown")
            await page.value("document.querySelector('#clock').value = 'utc'")
            await page.value("document.querySelector('#clock').dispatchEvent(new Event('input'))")
            for name in ("title", "images", "scripts", "handlers", "links"):
                results[name] = await page.value(_LOOKS[name])
            results["complaints"] = page.complaints
            return results

    results = asyncio.run(inspect_page())
    assert results["title"] == HOSTILE
    assert "<img" in results["table"] or "script" in results["table"]
    assert (results["images"], results["handlers"], results["links"]) == (0, 0, 1)
    assert results["scripts"] == 3  # the facts, one trace, and the page's own
    assert results["complaints"] == []


def _text(selector: str) -> str:
    return f"document.querySelector({selector!r}).textContent"


_UNFOLD = "document.querySelectorAll('#moment details').forEach((one) => { one.open = true })"
_LOOKS = {
    "title": "document.title",
    "images": "document.querySelectorAll('img, iframe, object, embed, foreignObject').length",
    "scripts": "document.querySelectorAll('script').length",
    "handlers": "document.querySelectorAll('[onload], [onerror]').length",
    "links": "document.querySelectorAll('a').length",
}


def test_a_script_that_is_smuggled_in_is_refused(log: Log, wire: Wire) -> None:
    """The content security policy blocks injected scripts."""
    path = written(log("a.jsonl", wire.status("queued", at=1)))

    async def inspect_page() -> tuple[str, list[str]]:
        async with opened(path) as page:
            await page.value(
                "document.body.append(Object.assign(document.createElement('script'),"
                " {textContent: \"document.title = 'taken'\"}))"
            )
            await page.value(
                "document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=1>')"
            )
            return await page.value("document.title"), page.complaints

    title, complaints = asyncio.run(inspect_page())
    assert title == "Chat report"
    assert any("Content Security Policy" in complaint for complaint in complaints)


@pytest.fixture
def long_chat(log: Log, wire: Wire) -> Path:
    """A chat of 10,000 events: more ids than a session keeps, and an unknown event."""
    events = [wire.joins("7", "Ana", at=0), wire.status("connected", at=0)]
    events += [wire.says("7", f"text {n}", msg_id=str(n), at=n) for n in range(1, 9_998)]
    events[5_000] = wire.unknown(at=5_000)
    return log("long.jsonl", *events, wire.ended(at=10_000))


def test_ten_thousand_events_stay_few_elements(long_chat: Path) -> None:
    """Only visible rows are in the document: at the start, at the end and in a search."""
    path = written(long_chat)

    async def inspect_page() -> dict[str, Any]:
        async with opened(path, "#chat=0&step=3") as page:
            results: dict[str, Any] = {}
            results["count"] = await page.value(_text("#step-count"))
            elements = "document.querySelectorAll('#trace *').length"
            results["elements"] = [await page.value(elements)]
            await page.value("document.querySelector('#steps').focus()")
            await key(page, "End")
            await page.until(f"{_text('#moment-heading')}.includes('10,000 of 10,000')")
            results["last"] = await page.value(_text("#steps .active"))
            results["elements"].append(await page.value(elements))
            await page.click("#finding-list li:nth-child(2) button")
            await page.until(f"{_text('#moment-heading')}.includes('5,001 of 10,000')")
            results["finding"] = await page.value(_text("#steps .active"))
            await page.write("#step-search", "weather unknown")
            await page.until(f"{_text('#step-count')}.startsWith('1 of')")
            results["found"] = await page.value(_text("#steps .row"))
            await page.until("location.hash === '#chat=0&step=5000'")
            results["complaints"] = page.complaints
            return results

    results = asyncio.run(inspect_page())
    assert results["count"] == "10,000 steps"
    assert max(results["elements"]) < 2_000
    assert "ended" in results["last"]
    assert "weather" in results["finding"]
    assert "weather" in results["found"]
    assert results["complaints"] == []


@pytest.fixture
def many_chats(log: Log, wire: Wire) -> Path:
    """1,000 chats, one a minute; every tenth failed."""
    lines = []
    for n in range(1_000):
        at = 1741348800 + 60 * n
        end = wire.status("failed", at=at + 20) if n % 10 == 0 else wire.ended(at=at + 20)
        items = (wire.joins("7", f"Agent-{n % 5}", at=at), wire.status("connected", at=at), end)
        lines += [{**item, "chat_id": f"chat-{n:04}"} for item in items]
    return log("many.jsonl", *lines)


def test_a_thousand_chats_by_keyboard(many_chats: Path) -> None:
    """Filters, sorting, arrow keys, Enter and Escape work; the table holds only visible rows."""
    path = written(many_chats)

    async def inspect_page() -> dict[str, Any]:
        async with opened(path) as page:
            results: dict[str, Any] = {"rows": await page.value(_ROW_COUNT)}
            await page.write("#search", "agent-3")
            await page.until(f"{_text('#shown')} === '200 of 1,000 chats'")
            await page.click("#reset")
            await page.until(f"{_text('#shown')} === '1,000 chats'")
            await page.click(".bars button:nth-child(3)")  # failed
            await page.until(f"{_text('#shown')} === '100 of 1,000 chats'")
            await page.value("document.querySelector('#table').focus()")
            for name in ("End", "ArrowUp"):
                await key(page, name)
            results["active"] = await page.value(_text("#table .active"))
            await key(page, "Enter")
            await page.until("!document.querySelector('#trace').hidden")
            results["heading"] = await page.value(_text("#chat-heading"))
            results["focus"] = await page.value("document.activeElement.id")
            await key(page, "Escape")
            await page.until("document.querySelector('#viewer').hidden")
            results["back"] = await page.value("document.activeElement.id")
            await page.click("#table .head .started button")
            results["first"] = await page.value(_text("#table .row"))
            results["complaints"] = page.complaints
            return results

    results = asyncio.run(inspect_page())
    assert 5 < results["rows"] < 60
    assert "chat-0980" in results["active"]
    assert results["heading"] == "Chat chat-0980"
    assert (results["focus"], results["back"]) == ("chat-heading", "table")
    assert "chat-0990" in results["first"]
    assert results["complaints"] == []


_ROW_COUNT = "document.querySelectorAll('#table .row').length"


def test_a_page_on_a_telephone(many_chats: Path) -> None:
    """Overview and chat fit the screen of a telephone, in the dark theme too."""
    path = written(many_chats)

    async def inspect_page() -> dict[str, Any]:
        async with page_at("about:blank") as page:
            size = {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": True}
            await page.do("Emulation.setDeviceMetricsOverride", **size)
            results: dict[str, Any] = {"wide": []}
            for place in ("", "#chat=3"):
                await page.do("Page.navigate", url="about:blank")
                await page.do("Page.navigate", url=f"{path.as_uri()}{place}")
                await page.until("document.documentElement?.dataset.ready === 'yes'")
                await page.until("!place || !trace.hidden".replace("place", repr(place)))
                results["wide"].append(
                    await page.value("document.documentElement.scrollWidth > innerWidth")
                )
            ground = "getComputedStyle(document.body).backgroundColor"
            for theme in ("light", "dark"):
                await page.value(
                    f"theme.value = {theme!r}, theme.dispatchEvent(new Event('input'))"
                )
                results[theme] = await page.value(ground)
            results["complaints"] = page.complaints
            return results

    results = asyncio.run(inspect_page())
    assert results["wide"] == [False, False]
    assert results["light"] != results["dark"]
    assert results["complaints"] == []
