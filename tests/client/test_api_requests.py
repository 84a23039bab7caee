"""API requests of the app: their HTTP requests, and the decoding of their answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatfsm import api, events
from chatfsm._client.http_api import METHODS
from chatfsm.client_effects import ApiFailed, ApiSucceeded
from chatfsm.errors import RequestRefusedError, TransportError
from tests.client.conftest import CHAT, HOST, ClientHarness, query_of

PROPERTIES = {"chat_id": "c", "state": "ivr", "ewt": "0", "phone_number": "555"}
MESSAGE = {"event": "chat_session_message", "msg": "hi"}

# The request, method and path, the JSON sent, the JSON of the reply, and the result.
ROWS: list[tuple[Any, str, Any, Any, Any]] = [
    (api.CheckAvailability(), "GET availability", None, {"chat": "available", "ewt": "3"},
     api.Availability(is_available=True, ewt=3.0)),
    (api.CheckAvailability(), "GET availability", None, {"chat": "notAvailable", "ewt": "soon"},
     api.Availability(is_available=False)),
    (api.GetExpectedParameters(), "GET parameters", None,
     {"parameters": [{"name": "FIRST_NAME"}, {"mail": "EMAIL"}, 5]},
     (api.ExpectedParameter("name", "FIRST_NAME"), api.ExpectedParameter("mail", "EMAIL"))),
    (api.GetActiveChat(), "GET chats/active", None, PROPERTIES,
     api.SessionProperties("c", "ivr", 0.0, None, "555")),
    (api.GetIceServers(), "GET iceservers", None,
     {"servers": [{"url": "stun:a"}, {"url": "turn:b", "username": "u", "credential": "p"}, {}]},
     (api.IceServer("stun:a"), api.IceServer("turn:b", "u", "p"))),
    (api.GetConfiguration(), "GET configuration", None,
     {"definition": {"forms": []}, "styles": {"color": "red"}, "version": 4},
     api.Configuration({"forms": []}, {"color": "red"}, {"version": 4})),
    (api.GetConfiguration(), "GET configuration", None, {}, api.Configuration()),
    (api.SubscribeNotifications(android_firebase_device_token="t"),  # noqa: S106  # not a real token
     f"POST chats/{CHAT}/notifications", {"android_firebase_device_token": "t"}, {}, None),
    (api.SubscribeNotifications("t", "com.example"), f"POST chats/{CHAT}/notifications",
     {"ios_apns_device_token": "t", "ios_app_bundle_id": "com.example"}, {}, None),
    (api.SubscribeNotifications(), f"POST chats/{CHAT}/notifications", {}, {}, None),
    (api.GetCaseHistory(), f"GET chats/{CHAT}/casehistory", None,
     {"sessions": [{"chat_id": "old", "created_time": 1600000000, "events": [MESSAGE]}, {}, 7,
                   {"chat_id": "older", "events": None}]},
     (api.EarlierChat("old", 1.6e9, (events.Message(msg="hi"),)),
      api.EarlierChat("older", None, ()))),
    (api.CloseCase(), f"POST chats/{CHAT}/closecase", {}, {}, None),
    (api.GetVersion(), "GET version", None, {"server_version": "5.5.6.12345 (Stable)"},
     api.ServerVersion("5.5.6.12345 (Stable)")),
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[1])
def test_each_request_is_written_and_its_answer_decoded(
    chat: ClientHarness, row: tuple[Any, ...]
) -> None:
    """Each method of version 2 is as documented, and the result has the request itself."""
    call, where, body, reply, value = row
    assert chat.receive(call) == []
    verb, path = where.split()
    request = chat.pending_request(path)
    assert (request.method, request.url.partition("?")[0]) == (
        verb,
        f"{HOST}/clientweb/api/v2/{path}",
    )
    assert query_of(request)["tenantUrl"] == ["tenant.example.com"]
    assert (json.loads(request.body) if request.body else None) == body
    (reported,) = chat.reply(path, reply)
    assert reported == ApiSucceeded(call, value)
    assert reported.request is call
    assert reported.result == value


@pytest.mark.parametrize(
    "row", [row for row in ROWS if 1 in METHODS[type(row[0])].versions], ids=lambda row: row[1]
)
def test_methods_of_v1_use_the_v1_paths(
    make_client: type[ClientHarness], row: tuple[Any, ...]
) -> None:
    """The methods of version 1 have the same paths under /v1/."""
    chat = make_client(version=1).open_chat()
    call, where, _, reply, value = row
    chat.receive(call)
    path = where.split()[1]
    assert chat.pending_request(path).url.startswith(f"{HOST}/clientweb/api/v1/{path}?")
    (reported,) = chat.reply(path, reply)
    assert reported.result == value


def test_an_sms_chat_needs_v1(make_client: type[ClientHarness], chat: ClientHarness) -> None:
    """`RequestSmsChat` is written like `RequestChat`, and answered with a code."""
    assert "version 2" in chat.refused(api.RequestSmsChat("555"))
    harness = make_client(version=1)
    harness.receive(api.RequestSmsChat("555", "666", {"name": "Ada"}))
    assert json.loads(harness.pending_request("requestsms").body) == {
        "phone_number": "555",
        "from": "666",
        "parameters": {"name": "Ada"},
    }
    (reported,) = harness.reply("requestsms", {"sms_error_code": 0, "error_message": ""})
    assert reported.result == api.SmsOutcome(0)


def test_a_request_for_a_chat_has_only_given_fields(harness: ClientHarness) -> None:
    """All its fields are optional."""
    harness.receive(api.RequestChat(parameters={"user_platform": {"os": "x"}}))
    body = json.loads(harness.pending_request("chats").body)
    assert body == {"parameters": {"user_platform": {"os": "x"}}}


def test_a_request_for_a_chat_may_have_the_first_message(harness: ClientHarness) -> None:
    """The first message is part of the request as an event, and its echo is an own text."""
    harness.receive(api.RequestChat(initial_message="Is anybody there?"))
    body = json.loads(harness.pending_request("chats").body)
    event = {"event": "chat_session_message", "msg": "Is anybody there?"}
    assert body == {"initial_message": event}
    harness.reply("chats", {"chat_id": CHAT, "state": "queued", "is_new_chat": True})
    reported = harness.reply_poll(
        {"event": "message", "msg": event["msg"], "party_id": CHAT, "msg_id": "1"}
    )
    assert [effect.message.own for effect in reported if hasattr(effect, "message")] == [True]


CIPHERTEXT = "q83vEjRWeJCrze8SNFZ4kKvN7xI0VniQq83vEjRWeJA="


@pytest.mark.parametrize("body", [CIPHERTEXT.encode(), json.dumps(CIPHERTEXT).encode()])
def test_encrypted_ice_servers_are_marked(chat: ClientHarness, body: bytes) -> None:
    """Newer servers answer with base64 that only the vendor's web client can decrypt."""
    chat.receive(api.GetIceServers())
    (failed,) = chat.reply("iceservers", body)
    assert isinstance(failed, ApiFailed)
    assert isinstance(failed.error, RequestRefusedError)
    assert str(failed.error) == "the ICE servers are encrypted for the vendor's web client"
    assert CIPHERTEXT not in repr(failed)
    assert not chat.client.done


@pytest.mark.parametrize(
    ("call", "path"),
    [(api.CloseCase(), f"chats/{CHAT}/closecase"), (api.GetVersion(), "version")],
)
def test_a_text_is_no_result_of_another_request(
    chat: ClientHarness, call: api.ApiRequest, path: str
) -> None:
    """Only `GetIceServers` accepts a base64 text as its answer."""
    chat.receive(call)
    (failed,) = chat.reply(path, CIPHERTEXT.encode())
    assert isinstance(failed.error, TransportError)


def test_an_upload_is_one_part(harness: ClientHarness) -> None:
    """An upload is multipart/form-data with a part `file`; it needs no chat, and more time."""
    call = api.UploadFile("a.png", b"\x00\xff\r\n", "image/png")
    harness.receive(call)
    request = harness.pending_request("files")
    kind = dict(request.headers)["Content-Type"]
    boundary = kind.removeprefix("multipart/form-data; boundary=").encode()
    assert request.body == (
        b'--%b\r\nContent-Disposition: form-data; name="file"; filename="a.png"\r\n'
        b"Content-Type: image/png\r\n\r\n\x00\xff\r\n\r\n--%b--\r\n" % (boundary, boundary)
    )  # fmt: skip
    assert request.timeout == 300.0
    (reported,) = harness.reply("files", {"file_id": "f1", "file_name": "a.png"})
    assert reported.result == api.UploadedFile("f1", "a.png")


def test_a_file_name_cannot_end_the_header(harness: ClientHarness) -> None:
    """Quotes, line ends and NUL are percent-encoded, as by browsers."""
    harness.receive(api.UploadFile('a"b\rc\nd\0e%', b"x", "image/png"))
    assert b'; filename="a%22b%0Dc%0Ad%00e%"\r\n' in harness.pending_request("files").body


def test_an_undecodable_file_name_has_question_marks(harness: ClientHarness) -> None:
    """Lone surrogates, which stand for undecodable bytes in a file name, are replaced by "?"."""
    harness.receive(api.UploadFile("caf\udce9.png", b"x", "image/png"))
    assert b'filename="caf?.png"' in harness.pending_request("files").body
    (reported,) = harness.reply("files", {"file_id": "f1"})
    assert reported.result == api.UploadedFile("f1")


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (api.GetFile("f1"), f"chats/{CHAT}/files/f1"),
        (api.GetPhoto("ann"), f"chats/{CHAT}/profilephotos/ann"),
    ],
)
def test_downloads_are_returned_unchanged(
    chat: ClientHarness, call: api.ApiRequest, path: str
) -> None:
    """Files and photos are requested without the tenant, and returned as raw bytes."""
    chat.receive(call)
    request = chat.pending_request(path)
    assert "tenantUrl" not in query_of(request)
    content = b'{"error_code": "5005"}'
    (reported,) = chat.reply(path, content, content_type="image/png")
    assert reported.result == api.Download(content, "image/png")
    assert not chat.client.done


def test_downloads_have_a_higher_size_limit(chat: ClientHarness) -> None:
    """The limit for downloads is higher than that for other replies."""
    chat.receive(api.GetFile("f1"))
    assert chat.pending_request(f"chats/{CHAT}/files/f1").max_body == 26 * 1024 * 1024


def test_no_repr_of_a_request_has_personal_data() -> None:
    """Names, phone numbers, tokens and contents are in no repr."""
    shown = repr(
        [
            api.RequestChat("5551234", "5551234", {"name": "Lovelace"}),
            api.RequestChat(initial_message="Lovelace"),
            api.Configuration({"name": "Lovelace"}, "Lovelace", {"name": "Lovelace"}),
            api.SubscribeNotifications("5551234", "app"),
            api.UploadFile("a", b"5551234"),
            api.Resume("5551234", "5551234"),
            api.IceServer("turn:b", "Lovelace", "5551234"),
            api.SessionProperties("c", phone_number="5551234"),
            api.Download(b"5551234"),
        ]
    )
    assert "5551234" not in shown
    assert "Lovelace" not in shown
