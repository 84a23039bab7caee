"""Mocks: a sender with a function for replies, and captured effects."""

from __future__ import annotations

import asyncio
import json

import pytest

from chatfsm import Endpoint
from chatfsm._client.client import ChatClient
from chatfsm._session.session import ChatSession
from chatfsm.api import RequestChat
from chatfsm.client_effects import ApiSucceeded
from chatfsm.commands import SendText
from chatfsm.drivers.threads import Chat
from chatfsm.effects import SendEvents, Terminated
from chatfsm.testing.mocks import (
    AsyncMockSender,
    MockSender,
    capture_effects,
    error_reply,
    events_reply,
    failure,
    reply,
)
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

ENDPOINT = Endpoint("https://chat.example.com", "tenant.example", "demo", "customer-1")
REQUEST = HttpRequest(7, "GET", "https://chat.example.com/", ())


def answer(request: HttpRequest) -> HttpReply:
    if request.purpose == "poll":
        return events_reply(request, {"event": "chat_session_ended"})
    return reply(request, {"chat_id": "c1", "state": "connected", "is_new_chat": True})


def test_a_function_answers_the_requests_of_an_app() -> None:
    """The sender keeps the requests, and the block the effects."""
    sender = MockSender(answer)
    with capture_effects() as effects, Chat.connect(ENDPOINT, sender) as chat:
        assert any(isinstance(effect, Terminated) for effect in chat)
    assert [request.purpose for request in sender.requests][:2] == ["api", "poll"]
    assert sum(isinstance(effect, Terminated) for effect in effects) == 1
    sender.close()
    assert sender.is_closed


def test_each_kind_of_reply() -> None:
    """JSON, bytes, no body, events, an error and a failure all have the id of the request."""
    assert reply(REQUEST, {"a": 1}).body == b'{"a": 1}'
    assert reply(REQUEST, b"raw", status=503, headers={"retry-after": "2"}) == HttpReply(
        7, 503, {"retry-after": "2"}, b"raw"
    )
    assert reply(REQUEST).body == b""
    assert json.loads(events_reply(REQUEST, {"event": "x"}).body) == {"events": [{"event": "x"}]}
    refused = error_reply(REQUEST, "5005", status=404)
    assert (refused.status, json.loads(refused.body)["error_code"]) == (404, "5005")
    assert failure(REQUEST, "timeout", "late") == HttpFailure(7, "timeout", "late")


def test_a_result_has_the_id_of_its_request() -> None:
    """The id of the handler's result is replaced; its exceptions are raised."""
    assert MockSender(lambda _: HttpFailure(0, "connect"))(REQUEST).id == 7

    def broken(_request: HttpRequest) -> HttpReply:
        raise KeyError("no")

    with pytest.raises(KeyError):
        MockSender(broken)(REQUEST)


def test_an_async_sender_takes_either_function() -> None:
    """The function may return its result, or be a coroutine function."""

    async def later(request: HttpRequest) -> HttpReply:
        return answer(request)

    async def main() -> None:
        for handler in (answer, later):
            sender = AsyncMockSender(handler)
            assert (await sender(REQUEST)).id == 7
            assert sender.requests == [REQUEST]
            await sender.aclose()
            assert sender.is_closed

    asyncio.run(main())


def test_effects_are_captured_only_in_the_block() -> None:
    """The effects of a client and of a session are captured, each once."""
    client, session = ChatClient(ENDPOINT), ChatSession("c1")
    with capture_effects() as effects:
        (request,) = client.receive(RequestChat(), now=0.0)
        opening = HttpReply(1, 200, {}, b'{"chat_id": "c2", "state": "queued"}')
        rest = client.receive(opening, now=1.0)
        (sending,) = session.receive(SendText("Hi."), now=1.0)
        with pytest.raises(TypeError):
            client.receive("no input", now=2.0)  # type: ignore[arg-type]
        again = session.receive(SendText("Yes."), now=2.0)
    assert effects == [request, *rest, sending, *again]
    assert any(isinstance(effect, ApiSucceeded) for effect in rest)
    assert isinstance(sending, SendEvents)
    session.receive(SendText("After."), now=3.0)
    assert effects == [request, *rest, sending, *again]
