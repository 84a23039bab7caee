"""A page in headless Chromium, driven over the DevTools protocol."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse
from attrs import define, field

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
# The timeout of each step in seconds, long because other tests may run at the same time.
PATIENCE = 20.0
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    "--remote-debugging-port=0",
)
_LISTENING = re.compile(rb"DevTools listening on ws://(\S+?)/")
_COMPLAINTS = {"Runtime.exceptionThrown", "Log.entryAdded"}


@define(eq=False)
class Page:
    """One page; `complaints` are the errors that the browser reported for it."""

    socket: ClientWebSocketResponse
    complaints: list[str] = field(factory=list)
    _numbers: count[int] = field(factory=lambda: count(1))

    async def do(self, method: str, **params: Any) -> dict[str, Any]:
        """Send a DevTools command and return its result."""
        number = next(self._numbers)
        await self.socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await self.socket.receive_json()
                if message.get("method") in _COMPLAINTS:
                    self.complaints.append(str(message["params"]))
                if message.get("id") == number:
                    assert "error" not in message, message["error"]
                    return dict(message["result"])

    async def value(self, expression: str) -> Any:
        """Return the value of an expression in the page."""
        found = await self.do("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    async def until(self, expression: str) -> None:
        """Wait until an expression is true in the page."""
        async with asyncio.timeout(PATIENCE):
            while not await self.value(f"Boolean({expression})"):  # noqa: ASYNC110  # the page sends no notification
                await asyncio.sleep(0.05)

    async def click(self, selector: str) -> None:
        await self.until(f"document.querySelector({selector!r})?.disabled === false")
        await self.value(f"document.querySelector({selector!r}).click()")

    async def write(self, selector: str, text: str) -> None:
        """Type a text by key events."""
        await self.value(f"document.querySelector({selector!r}).focus()")
        await self.do("Input.insertText", text=text)


@asynccontextmanager
async def page_at(url: str) -> AsyncIterator[Page]:
    """Open a page in a new browser, which is closed at the end of the block."""
    assert CHROMIUM
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            *(CHROMIUM, *FLAGS, f"--user-data-dir={Path(folder)}", "about:blank"),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
        )
        try:
            place = await _devtools_address(process)
            reading = asyncio.create_task(_drain(process))
            async with ClientSession() as session:
                async with session.get(f"http://{place}/json/list") as reply:
                    [target] = [one for one in await reply.json() if one["type"] == "page"]
                async with session.ws_connect(
                    target["webSocketDebuggerUrl"], max_msg_size=0
                ) as socket:
                    page = Page(socket)
                    for domain in ("Page", "Runtime", "Log"):
                        await page.do(f"{domain}.enable")
                    await page.do("Page.navigate", url=url)
                    yield page
                    with suppress(Exception):  # the browser may exit before it replies
                        await page.do("Browser.close")
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            await reading


async def _devtools_address(process: Process) -> str:
    """Return the host and port of the DevTools server."""
    assert process.stderr
    async with asyncio.timeout(PATIENCE):
        while line := await process.stderr.readline():
            if found := _LISTENING.search(line):
                return found[1].decode()
    raise AssertionError("the browser did not start")


async def _drain(process: Process) -> None:
    """Read and drop the output of the browser, so that it does not block on a full pipe."""
    assert process.stderr
    while await process.stderr.read(65_536):
        pass
