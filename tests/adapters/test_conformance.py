"""All adapters in all cases of the conformance kit."""

from __future__ import annotations

import gc
import ssl
from collections.abc import Callable, Collection
from typing import Any

import anyio
import pytest

from chatfsm.adapters import aiohttp, httpx, requests, stdlib
from chatfsm.testing.conformance import Conformance, cases, check_async_sender, check_sender
from tests.adapters.senders import AWAITED, BLOCKING

OURS = {
    "stdlib": stdlib.Sender,
    "requests": requests.Sender,
    "httpx": httpx.Sender,
}
OURS_AWAITED = {
    "httpx on asyncio": ("asyncio", httpx.AsyncSender),
    "httpx on trio": ("trio", httpx.AsyncSender),
    "aiohttp": ("asyncio", aiohttp.AsyncSender),
}
# aiohttp's own connector gives unsolicited bytes of a server to the next request; ours does not,
# but a session that is passed in has its own.
UNASKED = "again-after-a-second-reply"
HARD = [
    case
    for case in cases()
    if case.startswith(("drip", "stall", "interim", "again", "post")) and case != UNASKED
]
# Warnings about objects that httpx leaves after an aborted reply or handshake: generators
# inside generators, and a socket.
LEFT_BEHIND = pytest.mark.filterwarnings(
    "ignore:Async generator:ResourceWarning", "ignore:unclosed:ResourceWarning"
)


def passed(
    make_sender: Callable[[], Any], only: Collection[str] = (), backend: str = "asyncio"
) -> int:
    """Return the number of cases that an asynchronous sender passes."""

    async def check() -> Conformance:
        return await check_async_sender(make_sender, only=only)

    result = anyio.run(check, backend=backend)
    gc.collect()  # now, so that no other test gets the warnings
    return result.passed


@pytest.mark.parametrize("name", OURS)
def test_a_sender_conforms(name: str) -> None:
    """A sender that makes its own client passes every case."""
    assert check_sender(OURS[name]).passed == len(cases())


@LEFT_BEHIND
@pytest.mark.parametrize("name", OURS_AWAITED)
def test_an_asynchronous_sender_conforms(name: str) -> None:
    """An asynchronous sender passes every case, on each of its event loops."""
    backend, make_sender = OURS_AWAITED[name]
    assert passed(make_sender, backend=backend) == len(cases())


def test_a_sender_over_a_client_of_httpx2_conforms(usual: ssl.SSLContext) -> None:
    """A client of httpx2 passes every case as well."""
    assert check_sender(lambda: BLOCKING["httpx2"](usual)).passed == len(cases())


@LEFT_BEHIND
def test_an_asynchronous_client_of_httpx2_conforms(usual: ssl.SSLContext) -> None:
    """An asynchronous client of httpx2 passes every case as well."""
    assert passed(lambda: AWAITED["httpx2 async"](usual)) == len(cases())


@pytest.mark.parametrize("name", ["requests", "httpx"])
def test_a_sender_over_a_lent_client_conforms(usual: ssl.SSLContext, name: str) -> None:
    """A client that is passed in respects deadlines too, if its library allows."""
    assert check_sender(lambda: BLOCKING[name](usual), only=HARD).passed == len(HARD)


def test_a_sender_over_a_lent_session_of_aiohttp_conforms(usual: ssl.SSLContext) -> None:
    """A session of aiohttp that is passed in does so too; its own connector fails one case."""
    assert passed(lambda: AWAITED["aiohttp"](usual), only=HARD) == len(HARD)
