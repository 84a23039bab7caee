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
from tests.client.conftest import CHAT, Stage

NEW = (c.SubscribeNotifications(), c.GetCaseHistory(), c.CloseCase(), c.GetVersion())


@pytest.mark.parametrize("call", NEW, ids=lambda call: type(call).__name__)
def test_methods_of_v2_are_refused_on_v1(stages: type[Stage], call: c.ApiRequest) -> None:
    """A method of version 2 is refused on version 1."""
    assert "version 1 of the API has no such method" in stages(version=1).opens().refused(call)


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
    stages: type[Stage], call: c.ApiRequest, bodies: list[bytes]
) -> None:
    """A success without the expected fields fails the request, without an exception."""
    for body in bodies:
        stage = stages()
        stage.receives(call)
        path = METHODS[type(call)].path
        (told,) = stage.replies(path, body)
        assert told.request is call
        assert isinstance(told.error, TransportError)
        assert told.error.kind == "protocol"
        assert told.error.transient


def test_a_failure_names_its_request(chat: Stage) -> None:
    """The failure names its request, and has the class, the code and the status."""
    call = c.CloseCase()
    chat.receives(call)
    (told,) = chat.replies(
        f"chats/{CHAT}/closecase", {"error_code": "5601", "error_message": "none"}, status=406
    )
    assert isinstance(told, ApiFailed)
    assert told.request is call
    assert isinstance(told.error, CaseError)
    assert (told.error.error_code, told.error.status) == ("5601", 406)
    assert chat.pending == ["poll"]


def test_a_request_without_a_reply_fails(chat: Stage) -> None:
    """The app gets a failure without a status, and decides about a retry."""
    chat.receives(c.CheckAvailability())
    (told,) = chat.fails("availability", "connect", "no such name")
    assert isinstance(told.error, TransportError)
    assert told.error.kind == "connect"
    assert str(told.error) == "no reply (connect): no such name"


def test_a_forgotten_request_times_out(stage: Stage) -> None:
    """A request without a reply fails after its timeout plus a grace period."""
    stage.receives(c.CheckAvailability())
    assert stage.client.deadline == 35.0
    (told,) = stage.ticks(at=35.0)
    assert isinstance(told.error, TransportError)
    assert stage.client.deadline is None


def test_no_active_chat_is_an_answer(stage: Stage) -> None:
    """404 to `GetActiveChat` means that there is no chat."""
    stage.receives(c.GetActiveChat())
    (told,) = stage.replies("chats/active", status=404)
    assert told.result is None


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_file_does_not_stop_the_client(chat: Stage, status: int) -> None:
    """A 403 for a download without a code concerns this file alone."""
    chat.receives(c.GetFile("f1"))
    (told,) = chat.replies(f"chats/{CHAT}/files/f1", status=status)
    assert isinstance(told.error, FileError)
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
    chat: Stage, status: int, body: object, error: type[Exception]
) -> None:
    """A 404 for a file, or for an unknown method, does not end the chat."""
    chat.receives(c.GetFile("f1"))
    (told,) = chat.replies(f"chats/{CHAT}/files/f1", body, status=status)
    assert isinstance(told.error, error)
    assert not chat.client.done


def test_code_5005_to_any_request_ends_the_chat(chat: Stage) -> None:
    """5005 to any request ends the chat; the other requests fail first."""
    file, servers = c.GetFile("f1"), c.GetIceServers()
    chat.receives(file)
    chat.receives(servers)
    told = chat.replies(f"chats/{CHAT}/files/f1", {"error_code": "5005"}, status=404)
    refused = [effect for effect in told if isinstance(effect, ApiFailed)]
    assert [effect.request for effect in refused] == [file, servers]
    assert isinstance(refused[0].error, SessionGoneError)
    assert isinstance(refused[1].error, TransportError)
    assert refused[1].error.kind == "cancelled"
    assert type(told[-1]).__name__ == "Terminated"
    assert "over" in chat.refused(c.GetIceServers())


def test_requests_of_a_chat_are_refused_without_one(stage: Stage) -> None:
    """Files, photos and cases need a chat."""
    for call in (c.GetFile("f"), c.GetPhoto("p"), c.CloseCase(), c.GetCaseHistory()):
        assert "there is no chat yet" in stage.refused(call)


def test_api_requests_are_bounded(stages: type[Stage]) -> None:
    """The number of pending API requests is limited."""
    stage = stages(max_api_requests=2)
    stage.receives(c.CheckAvailability())
    stage.receives(c.GetVersion())
    assert "2 requests wait" in stage.refused(c.GetVersion())


def test_an_authorization_error_of_a_request_stops_everything(chat: Stage) -> None:
    """Refused credentials of one request stop all requests of the client."""
    chat.receives(c.CheckAvailability())
    told = chat.replies("availability", status=401)
    assert [type(effect).__name__ for effect in told] == [
        *("ApiFailed", "LinkChanged", "AuthorizationFailed"),
    ]
    assert isinstance(told[0].error, AuthorizationError)
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
