"""Where requests go, and who they say they are from: nothing can break out of either."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm._client.client import ChatClient
from chatfsm.api import GetFile, GetPhoto, UploadFile
from chatfsm.endpoint import quote_segment
from tests.client.conftest import CHAT, HOST, Stage, endpoint

HOSTILE = ("a\r\nX-Evil: 1", "a\nb", 'a"b', "a\\b", "ä", "a b", "\x00", "\x7f", "a\u2028b", "")


def test_the_headers_are_as_documented() -> None:
    """The four headers, in order; the two ids stand in quotes."""
    assert endpoint().headers() == (
        ("Content-Type", "application/json; charset=UTF-8"),
        ("User-Agent", "MobileClient"),
        ("Cache-Control", "no-cache"),
        (
            "Authorization",
            'MOBILE-API-140-327-PLAIN appId="the-app", clientId="the-client"',
        ),
    )


def test_the_ids_may_go_without_quotes() -> None:
    """Some shipped clients leave the quotes out."""
    headers = dict(endpoint(quoted=False).headers())
    assert headers["Authorization"] == (
        "MOBILE-API-140-327-PLAIN appId=the-app, clientId=the-client"
    )


@pytest.mark.parametrize("name", ["app_id", "client_id", "tenant_url"])
@pytest.mark.parametrize("value", HOSTILE)
def test_what_could_break_out_of_a_header_is_refused(name: str, value: str) -> None:
    """CR, LF, quotes, backslashes, spaces and non-ASCII are refused when the endpoint is built."""
    with pytest.raises(ValueError, match=name) as caught:
        endpoint(**{name: value})
    assert not value or value not in str(caught.value), "and not shown"


@given(st.text(max_size=40))
def test_a_header_has_one_line_whatever_the_ids_are(value: str) -> None:
    """An id either is refused or stands in the header as it is, and ends nothing."""
    try:
        built = endpoint(app_id=value)
    except ValueError:
        return
    authorization = dict(built.headers())["Authorization"]
    assert authorization.isprintable()
    assert authorization.isascii()
    assert authorization.count('"') == 4


def test_a_comma_needs_quotes() -> None:
    """Without quotes a comma would begin the next part."""
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
    """A host, with or without a port and a slash."""
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
def test_anything_else_is_no_url_of_a_contact_center(url: str) -> None:
    """Paths, queries, passwords, control characters and other schemes are refused."""
    with pytest.raises(ValueError, match="url"):
        endpoint(url=url)


def test_http_must_be_asked_for() -> None:
    """Without TLS only where the caller says so."""
    with pytest.raises(ValueError, match="allow_http"):
        endpoint(url="http://127.0.0.1:8080")
    assert endpoint(url="http://127.0.0.1:8080", allow_http=True)


@pytest.mark.parametrize(
    "changes",
    [{"url": None}, {"app_id": None}, {"version": 3}, {"version": "2"}, {"quoted": 1}],
)
def test_other_mistakes_are_refused_too(changes: dict[str, Any]) -> None:
    """Every part has its type."""
    with pytest.raises((TypeError, ValueError)):
        endpoint(**changes)


def test_no_repr_shows_who_asks(chat: Stage) -> None:
    """Neither the endpoint's, nor a request's, nor the client's; and no text of the customer's."""
    chat.says("a secret")
    assert any(b"a secret" in request.body for request in chat.requests)
    shown = repr((endpoint(), chat.requests, chat.client, chat.told))
    assert "a secret" not in shown
    assert "the-app" not in shown
    assert "the-client" not in shown


IDS = st.text(min_size=1, max_size=30) | st.sampled_from(
    ["a/b", "../x", "a?b", "a#b", "a%2Fb", "ä ö", "a\r\nb", "\ud800", "a;b", "&", ".a", "..."]
)


@given(IDS)
def test_an_id_is_one_segment_whatever_is_in_it(value: str) -> None:
    """No id changes the path, the query or the line of a request; and it can be read again."""
    if value in {".", ".."}:
        return
    written = quote_segment(value)
    assert written.isascii()
    assert not set(written) & set("/?#\r\n &;")
    assert unquote(written, errors="surrogatepass") == value


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_steps_in_a_path_are_no_ids(value: str) -> None:
    """What libraries take as a step in the path, even percent-encoded, is refused."""
    for build in (quote_segment, GetFile, GetPhoto):
        with pytest.raises(ValueError, match="must be neither empty nor"):
            build(value)
    with pytest.raises(ValueError, match="must be neither empty nor"):
        ChatClient(endpoint(), chat_id=value)


@given(IDS.filter(lambda value: value not in {".", ".."}))
def test_hostile_ids_stay_in_their_place(value: str) -> None:
    """Chat ids of the server's and file ids of anybody's are percent-encoded in every path."""
    stage = Stage(chat_id=value)
    stage.ticks()
    stage.receives(GetFile(value))
    history, file = stage.requests
    written = quote_segment(value)
    assert urlsplit(history.url).path == f"/clientweb/api/v2/chats/{written}/history"
    assert urlsplit(file.url).path == f"/clientweb/api/v2/chats/{written}/files/{written}"
    assert all(request.url.startswith(HOST + "/") for request in stage.requests)


@pytest.mark.parametrize("chat_id", [".", "..", "", None, 5.5e300, "x" * 2_000, ["a"]])
def test_a_chat_id_that_cannot_be_used_opens_no_chat(stage: Stage, chat_id: object) -> None:
    """The server's ids are checked before they are used."""
    stage.receives_chat(chat_id)
    assert stage.client.session is None or chat_id == 5.5e300


@given(st.text(min_size=1, max_size=30), st.binary(max_size=50))
def test_a_file_name_ends_no_header(name: str, content: bytes) -> None:
    """Whatever a file is called, the part has one name, and the content comes as it is."""
    stage = Stage()
    stage.receives(UploadFile(name, content))
    body = stage.asked("files").body
    head, _, rest = body.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    assert len(lines) == 3
    assert lines[1].count(b'"') == 4
    assert b"\n" not in lines[1]
    assert rest.startswith(content + b"\r\n" + lines[0] + b"--")


def test_the_id_of_the_chat_is_the_servers(chat: Stage) -> None:
    """Without anything odd in it the path reads as documented."""
    path = urlsplit(chat.asked("poll").url).path
    assert path == f"/clientweb/api/v2/chats/{CHAT}/events"
