"""API requests that are refused, by the client or by the server."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import api as c
from chatfsm._client.http_api import METHODS
from chatfsm.client_effects import ApiFailed
from chatfsm.errors import (
    AuthorizationError,
    CaseError,
    FileError,
    RequestRefusedError,
    SessionGoneError,
    TransientError,
    TransportError,
)
from tests.client.conftest import CHAT, ClientHarness

NEW = (c.SubscribeNotifications(), c.GetCaseHistory(), c.CloseCase(), c.GetVersion())


@pytest.mark.parametrize("call", NEW, ids=lambda call: type(call).__name__)
def test_methods_of_v2_are_refused_on_v1(
    make_client: type[ClientHarness], call: c.ApiRequest
) -> None:
    """A method of version 2 is refused on version 1."""
    assert "version 1 of the API has no such method" in make_client(version=1).open_chat().refused(
        call
    )


@pytest.mark.parametrize(
    ("call", "bodies"),
    [
        (c.CheckAvailability(), [b"", b"[]", b"{}", b'{"chat":[]}', b"<html>"]),
        (c.GetExpectedParameters(), [b"", b"{}", b'{"parameters":{}}']),
        (c.RequestChat(), [b"", b"{}", b'{"chat_id":""}', b'{"chat_id":".."}', b"[1]"]),
        (c.UploadFile("a", b""), [b"", b"{}", b'{"file_id":null}']),
        (c.GetIceServers(), [b"", b"{}", b'{"servers":5}', b'"a word"', b"short"]),
        (c.GetConfiguration(), [b"[]", b'{"definition":5}', b"<html>"]),
        (c.GetVersion(), [b"", b"{}", b'{"server_version":{}}']),
    ],
    ids=lambda item: type(item).__name__,
)
def test_an_unreadable_answer_is_a_failure(
    make_client: type[ClientHarness], call: c.ApiRequest, bodies: list[bytes]
) -> None:
    """A success without the expected fields fails the request, without an exception."""
    for body in bodies:
        harness = make_client()
        harness.receive(call)
        path = METHODS[type(call)].path
        (reported,) = harness.reply(path, body)
        assert reported.request is call
        assert isinstance(reported.error, TransportError)
        assert reported.error.kind == "protocol"
        assert reported.error.transient


def test_a_failure_names_its_request(chat: ClientHarness) -> None:
    """The failure names its request, and has the class, the code and the status."""
    call = c.CloseCase()
    chat.receive(call)
    (reported,) = chat.reply(
        f"chats/{CHAT}/closecase", {"error_code": "5601", "error_message": "none"}, status=406
    )
    assert isinstance(reported, ApiFailed)
    assert reported.request is call
    assert isinstance(reported.error, CaseError)
    assert (reported.error.error_code, reported.error.status) == ("5601", 406)
    assert chat.pending == ["poll"]


def test_a_request_without_a_reply_fails(chat: ClientHarness) -> None:
    """The app gets a failure without a status, and decides about a retry."""
    chat.receive(c.CheckAvailability())
    (reported,) = chat.fail("availability", "connect", "no such name")
    assert isinstance(reported.error, TransportError)
    assert reported.error.kind == "connect"
    assert str(reported.error) == "no reply (connect): no such name"


def test_a_forgotten_request_times_out(harness: ClientHarness) -> None:
    """A request without a reply fails after its timeout plus a grace period."""
    harness.receive(c.CheckAvailability())
    assert harness.client.deadline == 35.0
    (reported,) = harness.tick(at=35.0)
    assert isinstance(reported.error, TransportError)
    assert harness.client.deadline is None


def test_no_active_chat_is_an_answer(harness: ClientHarness) -> None:
    """404 to `GetActiveChat` means that there is no chat."""
    harness.receive(c.GetActiveChat())
    (reported,) = harness.reply("chats/active", status=404)
    assert reported.result is None


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_file_does_not_stop_the_client(chat: ClientHarness, status: int) -> None:
    """A 403 for a download without a code concerns this file alone."""
    chat.receive(c.GetFile("f1"))
    (reported,) = chat.reply(f"chats/{CHAT}/files/f1", status=status)
    assert isinstance(reported.error, FileError)
    assert chat.client.health(0.0).link != "unauthorized"


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, {"error_code": "5502"}, FileError),
        (404, b"", RequestRefusedError),
        (500, b"", TransientError),
    ],
)
def test_a_missing_file_does_not_end_the_chat(
    chat: ClientHarness, status: int, body: object, error: type[Exception]
) -> None:
    """A 404 for a file, or for an unknown method, does not end the chat."""
    chat.receive(c.GetFile("f1"))
    (reported,) = chat.reply(f"chats/{CHAT}/files/f1", body, status=status)
    assert isinstance(reported.error, error)
    assert not chat.client.done


def test_code_5005_to_any_request_ends_the_chat(chat: ClientHarness) -> None:
    """5005 to any request ends the chat; the other requests fail first."""
    file, servers = c.GetFile("f1"), c.GetIceServers()
    chat.receive(file)
    chat.receive(servers)
    reported = chat.reply(f"chats/{CHAT}/files/f1", {"error_code": "5005"}, status=404)
    refused = [effect for effect in reported if isinstance(effect, ApiFailed)]
    assert [effect.request for effect in refused] == [file, servers]
    assert isinstance(refused[0].error, SessionGoneError)
    assert isinstance(refused[1].error, TransportError)
    assert refused[1].error.kind == "cancelled"
    assert type(reported[-1]).__name__ == "Terminated"
    assert "over" in chat.refused(c.GetIceServers())


def test_requests_of_a_chat_are_refused_without_one(harness: ClientHarness) -> None:
    """Files, photos and cases need a chat."""
    for call in (c.GetFile("f"), c.GetPhoto("p"), c.CloseCase(), c.GetCaseHistory()):
        assert "there is no chat yet" in harness.refused(call)


def test_api_requests_are_bounded(make_client: type[ClientHarness]) -> None:
    """The number of pending API requests is limited."""
    harness = make_client(max_api_requests=2)
    harness.receive(c.CheckAvailability())
    harness.receive(c.GetVersion())
    assert "2 requests wait" in harness.refused(c.GetVersion())


def test_an_authorization_error_of_a_request_stops_everything(chat: ClientHarness) -> None:
    """Refused credentials of one request stop all requests of the client."""
    chat.receive(c.CheckAvailability())
    reported = chat.reply("availability", status=401)
    assert [type(effect).__name__ for effect in reported] == [
        *("ApiFailed", "LinkChanged", "AuthorizationFailed"),
    ]
    assert isinstance(reported[0].error, AuthorizationError)
    assert "send Resume first" in chat.refused(c.CheckAvailability())


@pytest.mark.parametrize(
    "build",
    [
        lambda: c.UploadFile("", b""),
        lambda: c.UploadFile("a", "text"),
        lambda: c.UploadFile("a", b"", "image/png\r\nX: 1"),
        lambda: c.UploadFile("a", bytes(25 * 1024 * 1024 + 1)),
        lambda: c.GetFile(5),
        lambda: c.RequestChat(parameters={"a": {1}}),
        lambda: c.RequestChat(parameters={"a": float("nan")}),
        lambda: c.RequestChat(parameters="a"),
        lambda: c.RequestChat(phone_number=555),
        lambda: c.SubscribeNotifications("token"),
        lambda: c.SubscribeNotifications("t", "app", "other"),
    ],
)
def test_an_invalid_request_is_refused_when_built(build: Any) -> None:
    """Wrong types and sizes, header injection, and two kinds of tokens are refused."""
    with pytest.raises((TypeError, ValueError)):
        build()
