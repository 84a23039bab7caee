"""Cases: a server's script, the requests of a sender, and the expected results."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any, Final, Literal

from attrs import evolve, frozen

from chatfsm.testing._loopback import Connection, LoopbackServer, Script
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

__all__ = [
    "BODY",
    "GZIP_BODY",
    "HEADERS",
    "HUGE",
    "Case",
    "CaseRequest",
    "Expectation",
    "NoResult",
    "Raised",
    "SenderResult",
    "Target",
    "chunked_response",
    "chunks",
    "describe",
    "drip_after",
    "expect_any",
    "expect_failure",
    "expect_own_id",
    "expect_reply",
    "gzip_response",
    "repeat_after",
    "replying",
    "reset_after",
    "respond_with",
    "response",
    "response_head",
    "stall_after",
]

# Headers as a client of the API sends them, with invented ids.
HEADERS: Final = (
    ("Content-Type", "application/json; charset=UTF-8"),
    ("User-Agent", "MobileClient"),
    ("Cache-Control", "no-cache"),
    ("Authorization", 'MOBILE-API-140-327-PLAIN appId="app-7", clientId="client 8; x=9"'),
)


@frozen
class Raised:
    """The sender raised an exception."""

    error: BaseException


@frozen
class NoResult:
    """The sender neither returned nor raised within the kit's limit."""

    seconds: float


Target = Literal[
    "plain",  # over http
    "distrusted",  # over https, with an untrusted certificate
    "https",  # over https, to a server that knows only http
    "full",  # a port that accepts no connection
    "refused",  # a port without a listener
    "unknown",  # a name that does not exist
]
SenderResult = HttpReply | HttpFailure | Raised | NoResult


@frozen
class Expectation:
    """A description of the right results, and a function that recognizes them."""

    description: str
    matches: Callable[[SenderResult], bool]


@frozen
class CaseRequest:
    """One request of a case, and its expected result."""

    expected: Expectation
    method: Any = "GET"
    path: str = "/"
    body: bytes = b""
    stalls: bool = False
    """Whether the server stalls: the request's timeout is then one `patience`, else ten."""
    max_body: int = 1024 * 1024
    pause: float = 0.0
    """Delay before the request, as a multiple of `patience`."""
    headers: tuple[tuple[str, str], ...] = ()
    """Headers besides `HEADERS`."""

    def build(self, number: int, origin: str, patience: float) -> HttpRequest:
        """Return the request for the sender."""
        timeout = patience if self.stalls else 10 * patience
        url = origin + self.path
        headers = (*HEADERS, *self.headers)
        return HttpRequest(number, self.method, url, headers, self.body, timeout, self.max_body)


@frozen
class Case:
    """One behavior of networks, and how a sender must handle it."""

    name: str
    script: Script
    requests: tuple[CaseRequest, ...]
    concurrent: bool = False
    """Whether all requests are sent at once; else one after the other."""
    target: Target = "plain"
    find_problem: Callable[[LoopbackServer], str] | None = None
    """Returns the problem in what the server received, "" if there is none."""
    limit: float = 20.0
    """Time for the whole case, as a multiple of `patience`."""


def expect_reply(status: int = 200, body: bytes | None = None, **headers: str) -> Expectation:
    """Expect a reply with this status, and with this body and these headers if given."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    description = f"a reply {status}" + (
        "" if body is None else f" with a body of {len(body)} bytes"
    )
    description += "".join(f", {name}: {value}" for name, value in named.items())

    def matches(result: SenderResult) -> bool:
        return (
            isinstance(result, HttpReply)
            and result.status == status
            and body in {None, result.body}
            and all(result.headers.get(name) == value for name, value in named.items())
        )

    return Expectation(description, matches)


def expect_failure(*kinds: str) -> Expectation:
    """Expect a failure of one of these kinds, with a reason."""

    def matches(result: SenderResult) -> bool:
        return isinstance(result, HttpFailure) and result.kind in kinds and bool(result.why)

    return Expectation(f"a failure {' or '.join(kinds)} with a reason", matches)


def expect_any(*expectations: Expectation) -> Expectation:
    """Expect one of several results."""
    description = ", or ".join(each.description for each in expectations)
    return Expectation(
        description, lambda result: any(each.matches(result) for each in expectations)
    )


def expect_own_id(request: CaseRequest, number: int) -> CaseRequest:
    """Expect also the id of the request in the result, and no secret of it in the reason."""
    inner = request.expected

    def matches(result: SenderResult) -> bool:
        if isinstance(result, HttpFailure) and _leaks(result.why):
            return False
        named = isinstance(result, HttpReply | HttpFailure) and result.id == number
        return named and inner.matches(result)

    return evolve(
        request, expected=Expectation(f"{inner.description}, to request {number}", matches)
    )


def describe(result: SenderResult) -> str:
    """Describe a result for people, with the length of its body in place of the body."""
    match result:
        case HttpReply():
            size = len(result.body)
            return f"a reply {result.status} with a body of {size} bytes, to request {result.id}"
        case HttpFailure():
            why = (
                "its reason quotes the request" if _leaks(result.why) else result.why or "no reason"
            )
            return f"a failure {result.kind} ({why}), to request {result.id}"
        case Raised():
            return f"{type(result.error).__name__} was raised"
        case NoResult():
            return f"nothing, for {result.seconds:g} s"


def _leaks(why: str) -> bool:
    return any(secret in why for secret in ("app-7", "client 8", "secret"))


# Responses as bytes, and the scripts that send them.

BODY: Final = b'{"events": []}'
GZIP_BODY: Final = gzip.compress(BODY, mtime=0)
HUGE: Final = 64 * 1024 * 1024
"""Bytes, far more than the `max_body` of any case."""


def response_head(status: int | str = 200, *lines: str, version: str = "1.1") -> bytes:
    """Return a status line and headers, with the empty line after them."""
    return "\r\n".join((f"HTTP/{version} {status} Said", *lines, "", "")).encode("latin-1")


def response(body: bytes = BODY, *lines: str, status: int = 200) -> bytes:
    """Return a whole response with its Content-Length."""
    return response_head(status, f"Content-Length: {len(body)}", *lines) + body


def chunks(body: bytes, size: int = 5) -> bytes:
    """Return a body in chunks, without the last, empty chunk."""
    parts = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts)


def chunked_response(body: bytes, *lines: str) -> bytes:
    """Return a whole response in chunks."""
    return response_head(200, "Transfer-Encoding: chunked", *lines) + chunks(body) + b"0\r\n\r\n"


def gzip_response(body: bytes, *headers: str) -> bytes:
    """Return a whole response whose body claims to be gzip."""
    return response(body, "Content-Encoding: gzip", *headers)


def replying(
    name: str, reply: bytes, status: int = 200, body: bytes = BODY, **headers: str
) -> Case:
    """Return the case of one GET request and its reply."""
    return Case(name, respond_with(reply), (CaseRequest(expect_reply(status, body, **headers)),))


def respond_with(*responses: bytes) -> Script:
    """Return the script that sends one of the responses after each request, then closes."""

    def script(connection: Connection) -> None:
        for each in responses:
            connection.receive()
            connection.send(each)

    return script


def stall_after(start: bytes) -> Script:
    """Return a script that sends `start` after the request, and then nothing."""

    def script(connection: Connection) -> None:
        connection.receive()
        connection.send(start)
        connection.wait()

    return script


def drip_after(start: bytes, rest: bytes) -> Script:
    """Return a script that sends a byte every third of `patience`: all reads together are late."""

    def script(connection: Connection) -> None:
        connection.receive()
        connection.send(start)
        connection.drip(rest, every=connection.server.patience / 3)

    return script


def repeat_after(start: bytes, rest: bytes) -> Script:
    """Return a script that sends `rest` again and again, until `HUGE` bytes are sent."""

    def script(connection: Connection) -> None:
        connection.receive()
        connection.send(start)
        while connection.server.sent_bytes < HUGE and not connection.server.stopped.is_set():
            connection.send(rest)

    return script


def reset_after(start: bytes) -> Script:
    """Return a script that sends `start` after the request, and resets the connection."""

    def script(connection: Connection) -> None:
        connection.receive()
        connection.send(start)
        connection.reset()

    return script
