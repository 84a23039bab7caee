"""Endpoint: URLs and headers, and protection against injection into both."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm._client.client import ChatClient
from chatfsm.api import GetFile, GetPhoto, UploadFile
from chatfsm.endpoint import quote_segment
from tests.client.conftest import CHAT, HOST, ClientHarness, endpoint

HOSTILE = ("a\r\nX-Evil: 1", "a\nb", 'a"b', "a\\b", "ä", "a b", "\x00", "\x7f", "a\u2028b", "")


def test_the_headers_are_as_documented() -> None:
    """The four headers are in the documented order, with both ids quoted."""
    assert endpoint().headers() == (
        ("Content-Type", "application/json; charset=UTF-8"),
        ("User-Agent", "MobileClient"),
        ("Cache-Control", "no-cache"),
        (
            "Authorization",
            'MOBILE-API-140-327-PLAIN appId="the-app", clientId="the-client"',
        ),
    )


def test_the_quotes_around_ids_are_optional() -> None:
    """Some shipped clients omit the quotes, so a setting omits them."""
    headers = dict(endpoint(quoted=False).headers())
    assert headers["Authorization"] == (
        "MOBILE-API-140-327-PLAIN appId=the-app, clientId=the-client"
    )


@pytest.mark.parametrize("name", ["app_id", "client_id", "tenant_url"])
@pytest.mark.parametrize("value", HOSTILE)
def test_header_injection_is_refused(name: str, value: str) -> None:
    """CR, LF, quotes, backslashes, spaces and non-ASCII are refused when the endpoint is built."""
    with pytest.raises(ValueError, match=name) as caught:
        endpoint(**{name: value})
    assert not value or value not in str(caught.value), "the value is not shown"


@given(st.text(max_size=40))
def test_a_header_has_one_line_whatever_the_ids_are(value: str) -> None:
    """An id is either refused or stands unchanged in the header."""
    try:
        built = endpoint(app_id=value)
    except ValueError:
        return
    authorization = dict(built.headers())["Authorization"]
    assert authorization.isprintable()
    assert authorization.isascii()
    assert authorization.count('"') == 4


def test_a_comma_needs_quotes() -> None:
    """Without quotes a comma would begin the next part, so it is refused."""
    assert endpoint(app_id="a,b")
    with pytest.raises(ValueError, match="app_id"):
        endpoint(app_id="a,b", quoted=False)


@pytest.mark.parametrize(
    "url",
    [
        *("https://h.example", "https://h.example/", "https://h.example:8443", "https://[::1]:1"),
        *("https://127.0.0.1", "https://H.example"),
    ],
)
def test_a_host_is_a_url(url: str) -> None:
    """A host with an optional port and an optional slash is accepted."""
    address = endpoint(url=url).url_for("version", nonce="1")
    assert address.startswith(url.removesuffix("/") + "/clientweb/api/v2/version?")


@pytest.mark.parametrize(
    "url",
    [
        *("h.example", "ftp://h.example", "https://", "https://h.example/path", "https://u@h.e"),
        *("https://u:p@h.example", "https://h.example?x=1", "https://h.example#x", "https://h e"),
        *(
            "https://h.example\r\nX: 1",
            "https://h.example:99999",
            "https://h:x",
            "",
            "https://[::1",
        ),
        *("https://ä.example", "//h.example", "https://h.example:", "https://h\\@evil.example"),
    ],
)
def test_other_urls_are_refused(url: str) -> None:
    """Paths, queries, passwords, control characters and other schemes are refused."""
    with pytest.raises(ValueError, match="url"):
        endpoint(url=url)


def test_http_without_tls_needs_an_option() -> None:
    """A host without TLS needs an explicit option."""
    with pytest.raises(ValueError, match="allow_http"):
        endpoint(url="http://127.0.0.1:8080")
    assert endpoint(url="http://127.0.0.1:8080", allow_http=True)


@pytest.mark.parametrize(
    "changes",
    [{"url": None}, {"app_id": None}, {"version": 3}, {"version": "2"}, {"quoted": 1}],
)
def test_wrong_types_are_refused(changes: dict[str, Any]) -> None:
    """Each field is checked for its type."""
    with pytest.raises((TypeError, ValueError)):
        endpoint(**changes)


def test_no_repr_has_credentials(chat: ClientHarness) -> None:
    """No repr of endpoint, request or client has the ids or a text of the customer."""
    chat.send_text("a secret")
    assert any(b"a secret" in request.body for request in chat.requests)
    shown = repr((endpoint(), chat.requests, chat.client, chat.effects))
    assert "a secret" not in shown
    assert "the-app" not in shown
    assert "the-client" not in shown


IDS = st.text(min_size=1, max_size=30) | st.sampled_from(
    ["a/b", "../x", "a?b", "a#b", "a%2Fb", "ä ö", "a\r\nb", "\ud800", "a;b", "&", ".a", "..."]
)


@given(IDS)
def test_any_id_is_one_segment(value: str) -> None:
    """No id changes the path, the query or the request line, and each can be decoded again."""
    if value in {".", ".."}:
        return
    written = quote_segment(value)
    assert written.isascii()
    assert not set(written) & set("/?#\r\n &;")
    assert unquote(written, errors="surrogatepass") == value


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_path_steps_are_refused_as_ids(value: str) -> None:
    """The ids `.` and `..`, even percent-encoded, are refused: HTTP libraries resolve them."""
    for build in (quote_segment, GetFile, GetPhoto):
        with pytest.raises(ValueError, match="must be neither empty nor"):
            build(value)
    with pytest.raises(ValueError, match="must be neither empty nor"):
        ChatClient(endpoint(), chat_id=value)


@given(IDS.filter(lambda value: value not in {".", ".."}))
def test_hostile_ids_stay_in_their_place(value: str) -> None:
    """Chat ids of the server and file ids are percent-encoded in every path."""
    harness = ClientHarness(chat_id=value)
    harness.tick()
    harness.receive(GetFile(value))
    history, file = harness.requests
    written = quote_segment(value)
    assert urlsplit(history.url).path == f"/clientweb/api/v2/chats/{written}/history"
    assert urlsplit(file.url).path == f"/clientweb/api/v2/chats/{written}/files/{written}"
    assert all(request.url.startswith(HOST + "/") for request in harness.requests)


@pytest.mark.parametrize("chat_id", [".", "..", "", None, 5.5e300, "x" * 2_000, ["a"]])
def test_an_invalid_chat_id_opens_no_chat(harness: ClientHarness, chat_id: object) -> None:
    """A chat id of the server is checked before it is used."""
    harness.receive_chat(chat_id)
    assert harness.client.session is None or chat_id == 5.5e300


@given(st.text(min_size=1, max_size=30), st.binary(max_size=50))
def test_a_file_name_ends_no_header(name: str, content: bytes) -> None:
    """Any file name gives a part with one name, and unchanged content."""
    harness = ClientHarness()
    harness.receive(UploadFile(name, content))
    body = harness.pending_request("files").body
    head, _, rest = body.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert len(lines) == 3
    assert lines[1].count(b'"') == 4
    assert b"\n" not in lines[1]
    assert rest.startswith(content + b"\r\n" + lines[0] + b"--")


def test_the_id_of_the_chat_is_the_servers(chat: ClientHarness) -> None:
    """A plain chat id is in the path as documented."""
    path = urlsplit(chat.pending_request("poll").url).path
    assert path == f"/clientweb/api/v2/chats/{CHAT}/events"
