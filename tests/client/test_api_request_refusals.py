"""What an app may not ask for, and what it is told when the server refuses."""

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
def test_what_v1_has_not_is_refused(stages: type[Stage], call: c.ApiRequest) -> None:
    """A method of v2 is refused where v1 is spoken."""
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
def test_an_answer_that_cannot_be_read_is_no_answer(
    stages: type[Stage], call: c.ApiRequest, bodies: list[bytes]
) -> None:
    """A success without what it should hold is refused, and crashes nothing."""
    for body in bodies:
        stage = stages()
        stage.receives(call)
        path = METHODS[type(call)].path
        (told,) = stage.replies(path, body)
        assert told.request is call
        assert isinstance(told.error, TransportError)
        assert told.error.kind == "protocol"
        assert told.error.transient


def test_a_call_is_refused_by_name(chat: Stage) -> None:
    """An error answers the call that it belongs to, typed, with code and status."""
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


def test_a_call_without_a_reply_is_refused_as_such(chat: Stage) -> None:
    """Where no reply came the app is told, and decides for itself."""
    chat.receives(c.CheckAvailability())
    (told,) = chat.fails("availability", "connect", "no such name")
    assert isinstance(told.error, TransportError)
    assert told.error.kind == "connect"
    assert str(told.error) == "no reply (connect): no such name"


def test_a_request_without_a_reply_is_given_up(stage: Stage) -> None:
    """A forgotten call is refused after its time and some grace."""
    stage.receives(c.CheckAvailability())
    assert stage.client.deadline == 35.0
    (told,) = stage.ticks(at=35.0)
    assert isinstance(told.error, TransportError)
    assert stage.client.deadline is None


def test_no_active_chat_is_an_answer(stage: Stage) -> None:
    """404 to `GetActiveChat` means that there is none."""
    stage.receives(c.GetActiveChat())
    (told,) = stage.replies("chats/active", status=404)
    assert told.result is None


@pytest.mark.parametrize("status", [401, 403])
def test_a_file_that_is_refused_is_no_reason_to_stop(chat: Stage, status: int) -> None:
    """A download that is forbidden without a code is this file's matter alone."""
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
def test_a_file_that_is_not_there_ends_no_chat(
    chat: Stage, status: int, body: object, error: type[Exception]
) -> None:
    """A 404 on a file, or on a method that the server lacks, is not the chat's end."""
    chat.receives(c.GetFile("f1"))
    (told,) = chat.replies(f"chats/{CHAT}/files/f1", body, status=status)
    assert isinstance(told.error, error)
    assert not chat.client.done


def test_a_call_that_hears_that_the_session_is_gone_ends_the_chat(chat: Stage) -> None:
    """5005 is the end, whatever it answers; other calls are told so too, before it."""
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


def test_what_needs_a_chat_is_refused_without_one(stage: Stage) -> None:
    """Files, photos and cases belong to a chat."""
    for call in (c.GetFile("f"), c.GetPhoto("p"), c.CloseCase(), c.GetCaseHistory()):
        assert "there is no chat yet" in stage.refused(call)


def test_calls_are_bounded(stages: type[Stage]) -> None:
    """So many calls may wait for an answer, and no more."""
    stage = stages(max_api_requests=2)
    stage.receives(c.CheckAvailability())
    stage.receives(c.GetVersion())
    assert "2 requests wait" in stage.refused(c.GetVersion())


def test_an_authorization_error_of_a_call_stops_everything(chat: Stage) -> None:
    """Credentials that one call hears to be wrong are wrong for all."""
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
def test_a_call_that_cannot_be_written_is_refused_when_built(build: Any) -> None:
    """Types, sizes, header injection, and tokens that exclude each other."""
    with pytest.raises((TypeError, ValueError)):
        build()
