"""Senders: behavior that depends on their library, TLS and the machine."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import requests as requests_library

from chatfsm.adapters import requests, stdlib
from chatfsm.testing._cases import BODY, HEADERS, respond_with, response, response_head
from chatfsm.testing._loopback import Connection, LoopbackServer, server_context
from chatfsm.transport import HttpFailure, HttpReply
from tests.adapters.senders import AWAITED, BLOCKING, Lent, get, sender

PATIENCE = 0.3
ALL = [*BLOCKING, *AWAITED]
both = pytest.mark.parametrize("name", ALL)


def sends_slowly_forever(connection: Connection) -> None:
    connection.receive()
    connection.send(response_head(200, "Content-Length: 999"))
    connection.drip(bytes(999), every=0.1)


@both
def test_a_trusted_server_is_accepted(name: str, trusting: ssl.SSLContext) -> None:
    """Over TLS, with a certificate that the caller trusts, a reply is returned."""
    server = LoopbackServer(respond_with(response()), PATIENCE, tls=server_context())
    with server, sender(name, trusting) as send:
        answer = send(get(server))
    assert isinstance(answer, HttpReply)
    assert (answer.status, answer.body) == (200, BODY)


@both
def test_a_deadline_holds_over_tls(name: str, trusting: ssl.SSLContext) -> None:
    """A server that sends slowly over TLS runs into the deadline too."""
    server = LoopbackServer(sends_slowly_forever, PATIENCE, tls=server_context())
    with server, sender(name, trusting) as send:
        answer = send(get(server, timeout=0.5))
    assert isinstance(answer, HttpFailure)
    assert answer.kind == "timeout"


@both
def test_a_connection_is_reused(name: str, usual: ssl.SSLContext) -> None:
    """Three requests, one after the other, go over one connection."""
    server = LoopbackServer(respond_with(response(), response(), response()), PATIENCE)
    with server, sender(name, usual) as send:
        answers = [send(get(server, number)) for number in (1, 2, 3)]
    assert [answer.id for answer in answers] == [1, 2, 3]
    assert server.connections == 1


@both
def test_netrc_does_not_replace_the_credentials(
    name: str, usual: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A user's .netrc does not change the Authorization of a request."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login someone password secret\n", "ascii")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    server = LoopbackServer(respond_with(response()), PATIENCE)
    with server, sender(name, usual) as send:
        assert send(get(server)).status == 200
    assert server.received[0].values("authorization") == [dict(HEADERS)["Authorization"]]


@both
def test_a_failure_has_a_reason_without_content(name: str, usual: ssl.SSLContext) -> None:
    """The reason is the error's class and the system's message: no URL, header or body."""
    server = LoopbackServer(respond_with(b"HTTP/1.1 tenant-secret\r\n\r\n"), PATIENCE)
    with server, sender(name, usual) as send:
        answer = send(get(server, url=f"{server.origin}/?tenantUrl=hidden.example"))
    assert isinstance(answer, HttpFailure)
    assert answer.why
    assert not any(word in answer.why for word in ("secret", "hidden", "app-7"))


def test_a_body_that_is_too_long_names_the_limit(usual: ssl.SSLContext) -> None:
    """If the adapter refuses a reply, the reason has the limit."""
    server = LoopbackServer(respond_with(response(bytes(99))), PATIENCE)
    with server, sender("stdlib", usual) as send:
        answer = send(get(server, max_body=98))
    why = "TooLargeReplyError: the body must have 98 bytes or fewer"
    assert answer == HttpFailure(1, "protocol", why, too_large=True)


@pytest.mark.parametrize("name", BLOCKING)
def test_a_refused_connection_has_the_systems_message(name: str, usual: ssl.SSLContext) -> None:
    """The system's message is found inside the errors of the library."""
    with LoopbackServer(respond_with(), PATIENCE) as gone:
        pass
    with sender(name, usual) as send:
        assert send(get(gone)).why.endswith(": Connection refused")


def test_a_proxy_of_the_environment_is_used(
    usual: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender for requests uses the machine's proxy, and keeps to deadlines over it."""
    server = LoopbackServer(sends_slowly_forever, PATIENCE)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with server, sender("requests", usual) as send:
        monkeypatch.setenv("http_proxy", server.origin)
        answer = send(get(server, url="http://chat.example/clientweb", timeout=0.5))
    assert answer.kind == "timeout"
    assert server.received[0].target == "http://chat.example/clientweb"


def test_a_lent_client_stays_open(usual: ssl.SSLContext) -> None:
    """A session that is passed in is not closed, and works on its own as it did before."""
    with (
        requests_library.Session() as session,
        LoopbackServer(respond_with(response(), response()), PATIENCE) as server,
    ):
        send = requests.Sender(session)
        assert isinstance(send(get(server)), HttpReply)
        send.close()
        assert session.get(server.origin, timeout=5).content == BODY
        assert server.connections == 1


def test_a_lent_session_keeps_its_headers_to_itself(usual: ssl.SSLContext) -> None:
    """No header, cookie or credential of the session is sent."""
    session = requests_library.Session()
    session.headers["X-Mine"] = "1"
    session.cookies.set("mine", "1")
    session.auth = ("me", "mine")
    server = LoopbackServer(respond_with(response()), PATIENCE)
    with server, Lent(requests.Sender, session) as send:
        assert send(get(server)).status == 200
    sent = {name.lower() for name, _ in server.received[0].headers}
    assert not sent & {"x-mine", "cookie"}
    assert server.received[0].values("authorization") == [dict(HEADERS)["Authorization"]]


def test_few_idle_connections_are_kept() -> None:
    """Of twelve connections that were in use at once, eight are kept for later requests."""
    arrived = Event()

    def once_all_are_here(connection: Connection) -> None:
        connection.receive()
        if connection.number == 12:
            arrived.set()
        arrived.wait()
        connection.send(response())
        connection.wait()

    with LoopbackServer(once_all_are_here, PATIENCE) as server, stdlib.Sender() as send:
        threads = [Thread(target=send, args=(get(server, number),)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(send._idle._idle) == 8


def test_a_sender_that_was_closed_keeps_nothing() -> None:
    """A request in flight when its sender is closed gets its reply; no connection is kept."""
    with LoopbackServer(respond_with(response(), response()), PATIENCE) as server:
        send = stdlib.Sender()
        send.close()
        assert isinstance(send(get(server)), HttpReply)
        assert send._idle._idle == []


def test_a_context_is_made_once() -> None:
    """Without a context of the caller's, the system's certificates are read once per process."""
    with LoopbackServer(respond_with(response()), PATIENCE, tls=server_context()) as server:
        for _ in range(2):
            with stdlib.Sender() as send:
                assert "certificate" in send(get(server)).why.lower()
    assert stdlib._default_context.cache_info().currsize == 1


@pytest.mark.parametrize("library", ["requests", "httpx", "aiohttp"])
def test_a_missing_library_is_named_with_its_extra(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Importing a sender without its library names the extra to install."""
    monkeypatch.setitem(sys.modules, library, None)
    source = Path(stdlib.__file__).with_name(f"{library}.py")
    code: Callable[..., Any] = compile(source.read_text("utf-8"), str(source), "exec")
    with pytest.raises(ImportError) as caught:
        exec(code, {"__name__": "again"})  # noqa: S102  # run the module again without its library
    assert str(caught.value) == f"this needs {library}: pip install 'chatfsm[{library}]'"
