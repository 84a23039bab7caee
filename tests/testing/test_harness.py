"""Harness: virtual time, blocking and asynchronous clients, and limits of a run."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from chatfsm import Endpoint
from chatfsm.drivers import aio
from chatfsm.effects import MessageReceived, Terminated
from chatfsm.simulator.builtin_scenarios import SCENARIOS
from chatfsm.simulator.faults import PRESETS
from chatfsm.testing.harness import AsyncVirtualHttp, Client, Harness, VirtualHttp
from chatfsm.testing.judge import JudgementError
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest


def headers_of(http: Any) -> dict[str, str]:
    who = f'MOBILE-API-140-327-PLAIN appId="{http.app_id}", clientId="{http.client_id}"'
    return {"Authorization": who, "Cache-Control": "no-cache"}


def url_of(http: Any, path: str) -> str:
    return f"{http.url}/clientweb/api/v2/{path}?tenantUrl={http.tenant_url}"


def opened(http: VirtualHttp) -> str:
    reply = http.request("POST", url_of(http, "chats"), headers=headers_of(http))
    return str(json.loads(reply.body)["chat_id"])


def test_time_is_virtual() -> None:
    """A poll takes as long as the server holds it and a sleep as long as its argument, at once."""
    times: list[float] = []

    def client(http: VirtualHttp) -> None:
        chat = opened(http)
        for _ in range(2):
            http.request("GET", url_of(http, f"chats/{chat}/events"), headers=headers_of(http))
            times.append(http.now())
        http.sleep(500.0)
        times.append(http.now())

    harness = Harness(client)
    harness.play()
    assert times[2] == times[1] + 500.0 == harness.now
    assert harness.stopped == ""


@pytest.mark.parametrize(
    ("faults", "error", "at"),
    [
        ("refuse", ConnectionRefusedError, 0.1),
        ("reset", ConnectionError, 0.1),
        ("drop-reply", TimeoutError, 7.0),
        ("twice", None, 0.1),
    ],
)
def test_a_failure_is_an_exception(faults: str, error: type[Exception] | None, at: float) -> None:
    """A failure is raised, or returned by a sender; a reply of any status is returned once."""
    found: list[Any] = []

    def client(http: VirtualHttp) -> None:
        try:
            found.append(http.request("GET", url_of(http, "chats/c1/history"), timeout=7.0).status)
        except OSError as caught:
            found.append(type(caught))
        found.append(round(http.now(), 6))
        request = HttpRequest(5, "GET", url_of(http, "availability"), (), b"", 7.0)
        found.append(http.send(request))

    Harness(client, faults=faults).play()
    assert found[:2] == [error or 403, at]
    assert found[2].id == 5
    assert isinstance(found[2], HttpReply if error is None else HttpFailure)


def test_an_async_client_has_tasks_and_timers() -> None:
    """In virtual time: a poll and a POST at once, a timeout, and a cancelled request."""
    seen: list[Any] = []

    async def client(http: AsyncVirtualHttp) -> None:
        reply = await http.request("POST", url_of(http, "chats"), headers=headers_of(http))
        path = url_of(http, f"chats/{json.loads(reply.body)['chat_id']}/events")
        ask = http.request("GET", path, headers=headers_of(http))
        await http.sleep(60.0)
        polling = asyncio.create_task(ask)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await http.request("GET", url_of(http, "version"))
        seen.append((await polling).status)
        with pytest.raises(TimeoutError):
            await http.request("GET", path, headers=headers_of(http), timeout=3.0)
        await asyncio.sleep(100.0)
        seen.append(round(http.now()))

    harness = Harness(client)
    harness.play()
    assert seen == [200, 163]
    assert harness.network.request_count == 4


def test_an_object_can_be_an_async_client() -> None:
    """Its `__call__` is a coroutine function."""

    class Client:
        async def __call__(self, http: AsyncVirtualHttp) -> None:
            await http.sleep(2.0)

    harness = Harness(Client())
    harness.play()
    assert harness.now == 2.0


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("version", [1, 2])
def test_the_own_client_passes(preset: str, version: int) -> None:
    """The asynchronous driver, with its sender and its clock, receives all texts."""
    texts: list[str] = []

    async def client(http: AsyncVirtualHttp) -> None:
        endpoint = Endpoint(http.url, http.tenant_url, http.app_id, http.client_id, version=version)
        async with aio.Chat.connect(endpoint, http.send, now=http.now) as chat:
            await chat.send_text("Hello.")
            async for effect in chat:
                match effect:
                    case MessageReceived(message) if not message.own:
                        texts.append(message.text)
                        if message.text == "You said: Hello.":
                            await chat.send_text("bye")
                    case Terminated():
                        return

    harness = Harness(client, faults=preset, seed=version)
    verdict = harness.run()
    assert harness.stopped == ""
    assert verdict.said == 2
    assert "You said: Hello." in texts


def polls_forever(http: VirtualHttp) -> None:
    chat = opened(http)
    while True:
        http.request("GET", url_of(http, f"chats/{chat}/events"), headers=headers_of(http))


def sleeps_forever(http: VirtualHttp) -> None:
    while True:
        http.sleep(0.0)


def waits_forever(http: VirtualHttp) -> None:
    http.sleep(1e9)


def requests_forever(http: VirtualHttp) -> None:
    while True:
        try:
            http.request("GET", url_of(http, "version"), headers=headers_of(http))
        except OSError:
            continue


async def awaits_forever(http: AsyncVirtualHttp) -> None:
    await http.sleep(1e9)


@pytest.mark.parametrize(
    ("client", "reason"),
    [
        (polls_forever, "the client has sent 20 requests"),
        (sleeps_forever, "the client has made 2000 calls"),
        (waits_forever, "300 s are over"),
        (requests_forever, "300 s are over"),
        (awaits_forever, "300 s are over"),
    ],
)
def test_a_run_has_limits(client: Client, reason: str) -> None:
    """The limits are requests, calls and seconds; the verdict covers the time until then."""
    faults = "drop-reply:other"
    harness = Harness(client, scenario="failure", faults=faults, max_requests=20, max_seconds=300.0)
    if client is polls_forever:
        with pytest.raises(JudgementError, match="no-poll-after-end"):
            harness.run()
    else:
        harness.run()
    assert harness.stopped == reason


def test_an_exception_of_the_client_is_raised() -> None:
    """An exception of the client is raised by the run."""

    def client(http: VirtualHttp) -> None:
        raise KeyError(http.app_id)

    with pytest.raises(KeyError, match="demo"):
        Harness(client).run()


def test_an_async_client_that_waits_for_nothing() -> None:
    """A wait that nothing can end finishes the run."""

    async def client(_http: AsyncVirtualHttp) -> None:
        await asyncio.Event().wait()

    harness = Harness(client)
    harness.run()
    assert harness.stopped == "the client waits for what never comes: no request and no timer"


def test_invalid_arguments_are_refused() -> None:
    """An unknown scenario and invalid times are refused."""
    with pytest.raises(ValueError, match="no scenario is called 'tea'; there are plain, "):
        Harness(polls_forever, scenario="tea")
    assert Harness(polls_forever, scenario=SCENARIOS["plain"]).stopped == ""
    for seconds in (-1.0, float("nan")):
        with pytest.raises(ValueError, match="must be a finite number of seconds from 0"):
            Harness(lambda http, seconds=seconds: http.sleep(seconds)).run()
