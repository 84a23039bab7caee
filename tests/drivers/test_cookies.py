"""Cookies are kept per chat, with any sender."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from chatfsm.adapters import aiohttp, httpx, requests, stdlib
from chatfsm.drivers import aio, threads
from chatfsm.drivers._cookies import ChatCookies
from chatfsm.drivers._core import DriverCore
from chatfsm.inputs import Tick
from chatfsm.testing._cases import response
from chatfsm.testing._loopback import Connection, LoopbackServer
from chatfsm.transport import HttpReply, HttpRequest
from tests.drivers.customer import endpoint_at
from tests.drivers.scripted_client import ScriptedClient, poll, post, returning

URL = "https://chat.example/clientweb/api/v2/chats"


def cookies_of(*lines: str) -> ChatCookies:
    cookies = ChatCookies()
    cookies.receive(HttpReply(1, 200, {"set-cookie": "\n".join(lines)}, b""))
    return cookies


def sent_with(cookies: ChatCookies, url: str = URL) -> str | None:
    request = cookies.added_to(HttpRequest(2, "GET", url, (("X", "1"),)))
    assert request.headers[0] == ("X", "1")
    return dict(request.headers).get("Cookie")


LINES: list[tuple[tuple[str, ...], str | None]] = [
    ((), None),
    (("a=1; Path=/; HttpOnly", "b=x y=z; Max-Age=60"), "a=1; b=x y=z"),
    (("a=1", "a=2"), "a=2"),
    (("a=1", "a=; Max-Age=0"), None),
    (("a=1", "a=gone; Expires=Thu, 01 Jan 1970 00:00:00 GMT"), None),
    (("a=1; Expires=soon",), "a=1"),
    (("a=1; Path=/clientweb", "b=2; Path=/client", "c=3; Path=other"), "a=1; c=3"),
    (("a=\x00", "=1", "b", "c d=1", "e=" + "x" * 5_000, "é=1"), None),
]


@pytest.mark.parametrize(("lines", "sent"), LINES)
def test_a_cookie_goes_out_with_later_requests(lines: tuple[str, ...], sent: str | None) -> None:
    """A cookie is sent to its path until the server deletes it; unusable ones are dropped."""
    assert sent_with(cookies_of(*lines)) == sent


def test_a_secure_cookie_is_not_sent_in_clear() -> None:
    """A secure cookie is sent over https only."""
    cookies = cookies_of("a=1; Secure")
    assert sent_with(cookies) == "a=1"
    assert sent_with(cookies, URL.replace("https", "http")) is None


def test_cookies_are_bounded_and_secret() -> None:
    """The number of cookies is limited, and no repr shows one."""
    cookies = cookies_of(*(f"n{number}=secret" for number in range(999)))
    assert (sent_with(cookies) or "").count("secret") == 50
    assert "secret" not in repr(cookies)


def test_the_core_adds_the_cookies_of_its_chat() -> None:
    """Later requests of a chat have its cookies; requests of other chats do not."""
    core = DriverCore(ScriptedClient([returning(poll(1)), returning(post(2))]), None, 2)
    other = DriverCore(ScriptedClient([returning(post(2))]), None, 2)
    assert core.receive(Tick(), 0.0) == [poll(1)]
    [sent] = core.receive(HttpReply(1, 200, {"set-cookie": "a=1"}, b""), 0.0)
    assert ("Cookie", "a=1") in sent.headers
    assert other.receive(Tick(), 0.0) == [post(2)]


def center(connection: Connection) -> None:
    """Answer as a center that knows customers by a cookie: one without it gets a new chat."""
    while True:
        request = connection.receive()
        if request.method != "POST":
            connection.wait()
        known = "".join(request.values("cookie")).removeprefix("sid=")
        chat = known or f"CHAT-{len(connection.server.received)}"
        body = f'{{"chat_id": "{chat}", "state": "connected", "is_new_chat": true}}'
        connection.send(response(body.encode(), f"Set-Cookie: sid={chat}; Path=/"))


@pytest.mark.parametrize("library", [httpx, aiohttp])
def test_two_customers_of_one_sender_get_two_chats(library: Any) -> None:
    """The cookie that the server set for one customer is not sent for the other."""

    async def play(server: LoopbackServer) -> None:
        endpoint = endpoint_at(server.origin, "WebChat")
        async with library.AsyncSender() as sender:
            opened = []
            for _ in range(2):
                chat = aio.Chat.connect(endpoint, sender, closing_timeout=0.1)
                async with chat:
                    assert chat.client.session is not None
                    opened.append(chat.client.session.chat_id)
        assert len(set(opened)) == 2

    with LoopbackServer(center, 0.3) as server:
        anyio.run(play, server)


@pytest.mark.parametrize("library", [stdlib, requests, httpx])
def test_two_customers_of_one_blocking_sender_get_two_chats(library: Any) -> None:
    """The same for the blocking senders."""
    opened: list[str] = []
    with LoopbackServer(center, 0.3) as server, library.Sender() as sender:
        for _ in range(2):
            endpoint = endpoint_at(server.origin, "WebChat")
            with threads.Chat.connect(endpoint, sender, closing_timeout=0.1) as chat:
                opened.append(chat.inspect(lambda client: client.session.chat_id))
    assert len(set(opened)) == 2
