"""The conformance kit: it names the cases in which wrong senders fail."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
from http.client import HTTPConnection
from threading import Event
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import anyio
import pytest
from attrs import evolve

from chatfsm.adapters import stdlib
from chatfsm.adapters._base import AsyncClosable, Closable
from chatfsm.errors import ChatError
from chatfsm.testing.conformance import (
    Conformance,
    ConformanceError,
    cases,
    check_async_sender,
    check_sender,
)
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest
from tests.adapters.senders import Answer


class Wrong(stdlib.Sender):
    """A correct sender, of which each subclass changes one respect."""


class FollowsRedirects(Wrong):
    def __call__(self, request: HttpRequest) -> Answer:
        answer = super().__call__(request)
        if isinstance(answer, HttpReply) and answer.status // 100 == 3:
            there = urljoin(request.url, answer.headers["location"])
            return super().__call__(evolve(request, url=there))
        return answer


class ReadsAll(Wrong):
    def __call__(self, request: HttpRequest) -> Answer:
        return super().__call__(evolve(request, max_body=2**40))


class SwallowsTruncation(Wrong):
    def __call__(self, request: HttpRequest) -> Answer:
        answer = super().__call__(request)
        if isinstance(answer, HttpFailure) and answer.kind == "protocol":
            return HttpReply(request.id, 200, {}, b"")
        return answer


class SendsAgain(Wrong):
    def __call__(self, request: HttpRequest) -> Answer:
        answer = super().__call__(request)
        return super().__call__(request) if isinstance(answer, HttpFailure) else answer


class TrustsAnyone(Wrong):
    def __init__(self) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        super().__init__(context)


class DecodesUrls(Wrong):
    def __call__(self, request: HttpRequest) -> Answer:
        return super().__call__(evolve(request, url=unquote(request.url, "latin-1")))


class DropsHeaders(Wrong):
    def __call__(self, request: HttpRequest) -> Answer:
        return super().__call__(evolve(request, headers=request.headers[:2]))


class LeaksSecrets(Wrong):
    def __call__(self, request: HttpRequest) -> Answer:
        answer = super().__call__(request)
        if isinstance(answer, HttpFailure):
            return evolve(answer, why=f"could not send {request.headers}")
        return answer


class GivesNoReason(Wrong):
    def __call__(self, request: HttpRequest) -> Answer:
        answer = super().__call__(request)
        return evolve(answer, why="") if isinstance(answer, HttpFailure) else answer


class MixesUpIds(Wrong):
    def __call__(self, request: HttpRequest) -> Answer:
        return evolve(super().__call__(request), id=request.id + 1)


class ReportsOnlyConnect(Wrong):
    def __call__(self, request: HttpRequest) -> Answer:
        answer = super().__call__(request)
        return evolve(answer, kind="connect") if isinstance(answer, HttpFailure) else answer


class Raises(Closable):
    def __call__(self, request: HttpRequest) -> Answer:
        raise ConnectionError(request.headers)

    def close(self) -> None:
        """Do nothing: no connection was opened."""


class TimesEachRead(Closable):
    """A sender with one connection, no check before reuse, and a timeout per read."""

    def __init__(self) -> None:
        self.connection: HTTPConnection | None = None

    def __call__(self, request: HttpRequest) -> Answer:
        url = urlsplit(request.url)
        self.connection = self.connection or HTTPConnection(url.netloc, timeout=request.timeout)
        try:
            self.connection.request(request.method, url.path, headers=dict(request.headers))
            with self.connection.getresponse() as response:
                body = response.read()
            return HttpReply(request.id, response.status, {}, body)
        except TimeoutError:
            self.close()
            return HttpFailure(request.id, "timeout", "a read took too long")
        except OSError as error:
            self.close()
            return HttpFailure(request.id, "protocol", str(error))

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class CannotClose(Wrong):
    def close(self) -> None:
        super().close()
        raise OSError


WRONG: dict[Any, tuple[str, ...]] = {
    FollowsRedirects: (
        *(f"redirect-{status}-get" for status in (301, 302, 303, 307, 308)),
        *("redirect-302-post", "redirect-307-post", "redirect-to-another-host"),
    ),
    ReadsAll: ("flood-by-length", "flood-in-chunks", "gzip-bomb", "one-byte-too-many"),
    SwallowsTruncation: ("truncated-body", "truncated-chunk", "gzip-truncated", "garbage"),
    SendsAgain: ("post-taken-and-dropped",),
    TrustsAnyone: ("tls-not-trusted",),
    DecodesUrls: ("request-url-as-sent",),
    DropsHeaders: ("request-headers-as-sent",),
    LeaksSecrets: ("connect-refused", "truncated-body", "stall-in-body"),
    GivesNoReason: ("connect-refused", "truncated-body"),
    MixesUpIds: ("reply", "truncated-body"),
    ReportsOnlyConnect: ("truncated-body", "stall-before-headers", "reset-after-request"),
    Raises: ("reply", "connect-refused"),
    TimesEachRead: ("drip-headers", "drip-body", "again-after-a-second-reply"),
    CannotClose: ("reply",),
}
RIGHT = ("chunked", "gzip")


@pytest.mark.parametrize("sender", WRONG, ids=lambda sender: sender.__name__)
def test_a_wrong_sender_is_caught(sender: Any) -> None:
    """It fails in the cases about its error, and the report names each."""
    with pytest.raises(ConformanceError) as caught:
        check_sender(sender, only=WRONG[sender], patience=0.06)
    assert set(caught.value.failed) == set(WRONG[sender])
    assert all(f"\n  {name}: " in str(caught.value) for name in WRONG[sender])


@pytest.mark.parametrize("sender", [FollowsRedirects, ReadsAll, SendsAgain, TrustsAnyone])
def test_a_wrong_sender_passes_the_other_cases(sender: Any) -> None:
    """It passes the other cases."""
    assert check_sender(sender, only=RIGHT).passed == 2


ODD = {
    b"GET %s? HTTP/1.1\r\n\r\n": "the target must be the URL's path, not '/400?'",
    b"GET http://127.0.0.1%s HTTP/1.1\r\n\r\n": "not 'http://127.0.0.1/400'",
    b"GET /\xff HTTP/1.1\r\n\r\n": "not '/\\xff'",
    b"GET /%s\r\n\r\n": "a method, a target and a version, not with 'GET //400'",
    b"GET %s HTTP/1.1 \x1b\r\n\r\n": "not with 'GET /400 HTTP/1.1 \\x1b'",
    b"GET " + 90 * b"x" + b"\r\n\r\n": "not with 'GET " + 76 * "x" + "\\u2026'",
    b"GET %s HTTP/1.1\r\nContent-Length: -1\r\n\r\n": "Content-Length must be a number, not '-1'",
    b"GET %s HTTP/1.1\r\nContent-Length: \xb2\r\n\r\n": "must be a number, not '\\xb2'",
}


@pytest.mark.parametrize(("sent", "problem"), ODD.items(), ids=map(str, range(len(ODD))))
def test_a_request_that_no_case_can_answer_is_a_problem(sent: bytes, problem: str) -> None:
    """Odd paths, lines and lengths are errors of the sender: the report quotes them."""

    class Odd(Raises):
        def __call__(self, request: HttpRequest) -> Answer:
            url = urlsplit(request.url)
            with socket.create_connection((url.hostname, url.port)) as sock:
                sock.sendall(sent.replace(b"%s", url.path.encode()))
                sock.recv(100)
            return HttpFailure(request.id, "protocol", "nothing came")

    with pytest.raises(ConformanceError) as caught:
        check_sender(Odd, only=["reply-every-error-status"], patience=0.06)
    assert problem in caught.value.failed["reply-every-error-status"]


def test_a_sender_that_hangs_is_abandoned() -> None:
    """The kit goes on after twenty times `patience`, and reports that there was no result."""
    released = Event()

    class Hangs(Raises):
        def __call__(self, request: HttpRequest) -> Answer:
            released.wait()
            return HttpReply(request.id, 200, {}, b"")

    try:
        with pytest.raises(ConformanceError, match=r"reply: expected a reply .*, got nothing"):
            check_sender(Hangs, only=["reply"], patience=0.02)
    finally:
        released.set()


def test_an_asynchronous_sender_that_hangs_or_raises_is_caught() -> None:
    """The kit finds the same in an asynchronous sender."""

    class Wronged(AsyncClosable):
        async def __call__(self, request: HttpRequest) -> Answer:
            if request.method == "GET":
                await anyio.sleep_forever()
            raise LookupError

        async def aclose(self) -> None:
            """Do nothing: no connection was opened."""

    async def check() -> None:
        only = ["reply", "request-headers-as-sent", "several-at-once"]
        with pytest.raises(ConformanceError) as caught:
            await check_async_sender(Wronged, only=only, patience=0.02)
        assert "got nothing, for 0.4 s" in caught.value.failed["reply"]
        assert "got nothing" in caught.value.failed["several-at-once"]
        assert "LookupError was raised" in caught.value.failed["request-headers-as-sent"]

    anyio.run(check)


def test_a_factory_that_raises_is_reported() -> None:
    """A sender that cannot be made fails its cases, also an asynchronous one."""
    words = "reply: making or closing the sender raised OSError"

    def make() -> Any:
        raise OSError("no room")

    async def check() -> None:
        with pytest.raises(ConformanceError, match=words):
            await check_async_sender(make, only=["reply"], patience=0.02)

    with pytest.raises(ConformanceError, match=words):
        check_sender(make, only=["reply"], patience=0.02)
    anyio.run(check)


def test_the_error_quotes_no_request() -> None:
    """The error is a `ChatError`, and holds no header of the requests."""
    with pytest.raises(ChatError) as caught:
        check_sender(LeaksSecrets, only=["connect-refused"], patience=0.1)
    assert "its reason quotes the request" in str(caught.value)
    assert "client 8" not in str(caught.value)


def test_the_report_of_a_correct_sender() -> None:
    """Cases are selected by name; the report counts them; an unknown name is refused."""
    assert check_sender(stdlib.Sender, only=["reply"], patience=2.0) == Conformance(1, ())
    with pytest.raises(LookupError, match="not reply-to-all"):
        check_sender(stdlib.Sender, only=["reply", "reply-to-all"])
    assert len(set(cases())) == len(cases()) == 105


def test_the_kit_needs_the_standard_library() -> None:
    """Importing it imports no library for tests or HTTP, and not anyio."""
    code = "import sys, chatfsm.testing.conformance; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    foreign = {"pytest", "hypothesis", "requests", "httpx", "aiohttp", "anyio"}
    assert not foreign & set(run.stdout.split())
