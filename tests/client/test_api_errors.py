"""Error replies: their meaning by code, and by status if there is no code."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import ChatError, errors
from chatfsm._client.failures import ERRORS_BY_CODE, error_in, parse_reply
from chatfsm.errors import ApiError
from chatfsm.transport import HttpReply

# PROTOCOL.md §1: the code, the class, and whether a retry may succeed.
CODES = [
    ("1000", errors.ConfigurationError, False),
    *((code, errors.AuthorizationError, False) for code in ("2000", "2001", "2002", "2003")),
    ("2004", errors.AuthorizationError, False),
    ("3000", errors.AuthorizationError, False),
    ("5000", errors.TransientError, True),
    ("5001", errors.TransientError, True),
    ("5003", errors.RequestRefusedError, False),
    ("5004", errors.TransientError, True),
    ("5005", errors.SessionGoneError, False),
    ("5006", errors.ConfigurationError, False),
    ("5500", errors.TransientError, True),
    ("5501", errors.FileError, False),
    ("5502", errors.FileError, False),
    ("5509", errors.BusyError, True),
    ("5511", errors.TransientError, True),
    ("5558", errors.FileError, False),
    ("5601", errors.CaseError, False),
    ("5602", errors.CaseError, True),
    ("5603", errors.RequestRefusedError, False),
    ("5955", errors.TransientError, True),
]
STATUSES = [
    (400, errors.RequestRefusedError, False),
    (401, errors.AuthorizationError, False),
    (403, errors.AuthorizationError, False),
    (404, errors.RequestRefusedError, False),
    (406, errors.RequestRefusedError, False),
    (301, errors.TransientError, True),
    (302, errors.TransientError, True),
    (307, errors.TransientError, True),
    (407, errors.TransientError, True),
    (408, errors.TransientError, True),
    (429, errors.BusyError, True),
    (101, errors.RequestRefusedError, False),
    (500, errors.TransientError, True),
    (503, errors.TransientError, True),
    (599, errors.TransientError, True),
]
# Bodies without an error code of the API.
FOREIGN = [b"<html>", b"404 page not found\n", b"[]", b'{"message":"Forbidden"}', b"[" * 9999]


def reply(status: int, body: object = b"", **headers: str) -> HttpReply:
    """Return a reply; a body that is not bytes is written as JSON."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return HttpReply(1, status, headers, content)


def error_of(reply: HttpReply, *, is_download: bool = False, **more: Any) -> ApiError | None:
    """Return the error of a reply, or None."""
    value, _flaw = parse_reply(reply, is_download=is_download)
    return error_in(reply, value, **more)


def error(status: int, body: object = b"", **headers: str) -> ApiError:
    """Return the error of a reply that must have one."""
    found = error_of(reply(status, body, **headers))
    assert found is not None
    return found


@pytest.mark.parametrize(("code", "cls", "transient"), CODES)
@pytest.mark.parametrize("status", [200, 400, 401, 404, 500, 503])
def test_a_code_means_the_same_with_any_status(
    code: str, cls: type[ApiError], transient: bool, status: int
) -> None:
    """The pairing of code and status is undocumented, so the code decides, as text or as number."""
    for written in (code, int(code)):
        found = error(status, {"error_code": written})
        assert type(found) is cls
        assert found.transient is transient
        assert (found.error_code, found.status) == (code, status)
        assert str(found).startswith(f"error {code} (status {status}): ")


def test_every_code_of_the_table_is_here() -> None:
    """The rows above are the complete table."""
    assert [code for code, *_ in CODES] == list(ERRORS_BY_CODE)


@pytest.mark.parametrize(("status", "cls", "transient"), STATUSES)
@pytest.mark.parametrize("body", [b"", b" ", b'{"error_code":""}', *FOREIGN])
def test_without_a_code_the_status_decides(
    status: int, cls: type[ApiError], transient: bool, body: bytes
) -> None:
    """The status decides for any body without a code that can be the center's."""
    if status in {401, 403, 404} and body in FOREIGN:
        cls, transient = errors.TransientError, True
    found = error(status, body)
    assert type(found) is cls
    assert found.transient is transient
    assert found.error_code is None


@pytest.mark.parametrize("status", [200, 201, 204])
@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"error_code":0}', b'{"error_code":"0"}', b"<html>"]
)
def test_a_success_is_no_error(status: int, body: bytes) -> None:
    """A success is not an error, and neither is code 0."""
    assert error_of(reply(status, body)) is None


def test_an_unknown_code_is_kept_and_the_status_decides() -> None:
    """A code outside the table is kept, and the status decides."""
    found = error(503, {"error_code": "7777", "error_message": "Mond"})
    assert type(found) is errors.TransientError
    assert found.error_code == "7777"
    assert str(found) == "error 7777 (status 503): the server failed, 'Mond'"


def test_a_404_on_the_chat_is_its_end() -> None:
    """This holds only for requests of the chat, and only without another code."""
    gone = error_of(reply(404), on_chat=True)
    assert type(gone) is errors.SessionGoneError
    other = error_of(reply(404, {"error_code": "5502"}), on_chat=True)
    assert type(other) is errors.FileError
    for page in FOREIGN:
        assert type(error_of(reply(404, page), on_chat=True)) is errors.TransientError


def test_a_download_is_not_parsed() -> None:
    """The content of a download is never parsed as an error."""
    content = {"error_code": "5005"}
    assert error_of(reply(200, content), is_download=True) is None
    assert type(error_of(reply(404, content), is_download=True)) is errors.SessionGoneError


def test_a_secret_in_a_message_is_hidden() -> None:
    """DESIGN L10: credentials that the server quotes in its message are hidden."""
    body = {"error_code": "3000", "error_message": "no app abc of abc-def"}
    found = error_of(reply(403, body), secrets=("abc", "def"))
    assert str(found).endswith(": the app's id is unknown, 'no app (hidden) of (hidden)-(hidden)'")


@pytest.mark.parametrize(
    ("body", "value", "flaw"),
    [
        (b"{}", {}, ""),
        (b" ", {}, ""),
        (b"q83vEjRWeJA= ", "q83vEjRWeJA=", ""),
        (b"two words", None, ""),
        (b'{"a": "\x00"}', {"a": "\0"}, "control characters within texts"),
    ],
)
def test_a_flawed_body_is_parsed(body: bytes, value: Any, flaw: str) -> None:
    """Mended bodies have a flaw that names the defect."""
    assert parse_reply(reply(200, body)) == (value, flaw)


def test_undecodable_content_is_not_quoted() -> None:
    """The server may quote customer texts with 5003, so the message is dropped."""
    found = error(400, {"error_code": "5003", "error_message": 'near "my card is 4111"'})
    assert "4111" not in str(found)


def test_a_long_message_is_shortened() -> None:
    """The message is cut to a fixed length."""
    found = error(400, {"error_code": "5603", "error_message": "x" * 100_000})
    assert len(str(found)) < 200


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7.0), (" 7.5 ", 7.5), ("", None), ("-1", None), ("inf", None), ("nan", None)],
)
def test_retry_after_is_seconds(value: str, seconds: float | None) -> None:
    """A value that is not a number of seconds is ignored."""
    assert error(429, **{"retry-after": value}).retry_after == seconds


NOON = "Sun, 06 Nov 1994 12:00:00 GMT"


@pytest.mark.parametrize(
    ("until", "since", "seconds"),
    [
        ("Sun, 06 Nov 1994 12:00:07 GMT", NOON, 7.0),
        ("Sunday, 06-Nov-94 12:01:00 GMT", NOON, 60.0),
        ("Sun Nov  6 12:00:30 1994", NOON, 30.0),
        ("Sun, 06 Nov 1994 11:00:00 GMT", NOON, 0.0),
        (NOON, "", None),
        (NOON, "yesterday, about noon", None),
        ("Sun, 99 Nov 99999999999 12:00:00 GMT", NOON, None),
        ("x" * 30, NOON, None),
    ],
)
def test_a_date_counts_from_the_date_of_the_reply(
    until: str, since: str, seconds: float | None
) -> None:
    """The client has no calendar, so a date counts from the Date header of the reply."""
    headers = {"retry-after": until, **({"date": since} if since else {})}
    assert error(503, **headers).retry_after == seconds


@given(st.integers(100, 599), st.binary(max_size=200), st.booleans(), st.booleans())
def test_nothing_in_a_reply_raises(
    status: int, body: bytes, is_download: bool, on_chat: bool
) -> None:
    """Any reply is either an error or a success."""
    found = error_of(HttpReply(1, status, {}, body), is_download=is_download, on_chat=on_chat)
    assert found is None or isinstance(found, ChatError)


JSON = st.sampled_from([None, True, 5511, 1e400, -0.5, [], ["a"], {}, {"a": "0"}]) | st.text()


@given(st.integers(200, 599), JSON, JSON)
def test_nothing_in_an_error_raises(status: int, code: object, message: object) -> None:
    """Codes and messages of any type, also with secrets, give an error."""
    body = json.dumps({"error_code": code, "error_message": message}).encode()
    found = error_of(HttpReply(1, status, {}, body), secrets=("a", "0"))
    assert found is None or str(found).isascii()
