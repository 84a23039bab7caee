"""What a case is: a server's part, the requests that a sender gets, and what has to come of it."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any, Final, Literal

from attrs import evolve, frozen

from chatfsm.testing._loopback import Connection, Play, Stage
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

__all__ = [
    "BODY",
    "GZIP_BODY",
    "HEADERS",
    "HUGE",
    "Answer",
    "Ask",
    "Case",
    "Expectation",
    "Nothing",
    "Raised",
    "Where",
    "answers_its_request",
    "as_chunks",
    "chunked",
    "either",
    "fails",
    "head",
    "in_words",
    "packed",
    "replies",
    "reply",
    "says",
]

# As a client of the protocol sends them, with invented ids.
HEADERS: Final = (
    ("Content-Type", "application/json; charset=UTF-8"),
    ("User-Agent", "MobileClient"),
    ("Cache-Control", "no-cache"),
    ("Authorization", 'MOBILE-API-140-327-PLAIN appId="app-7", clientId="client 8; x=9"'),
)


@frozen
class Raised:
    """A sender raised an error instead of answering."""

    error: BaseException


@frozen
class Nothing:
    """A sender neither answered nor raised while the kit waited."""

    seconds: float


Where = Literal[
    "plain",  # over http
    "distrusted",  # over https, with a certificate that nobody trusts
    "https",  # over https, to a server that knows only http
    "full",  # a port that takes no connection
    "refused",  # a port that nobody listens on
    "unknown",  # a name that does not exist
]
Answer = HttpReply | HttpFailure | Raised | Nothing


@frozen
class Expectation:
    """What an answer has to be, in words and as a test."""

    words: str
    holds: Callable[[Answer], bool]


@frozen
class Ask:
    """One request of a case, and what has to come of it."""

    expects: Expectation
    method: Any = "GET"
    path: str = "/"
    body: bytes = b""
    stalls: bool = False
    """Whether the server stalls, so that the request's time is one patience, not ten."""
    max_body: int = 1024 * 1024
    pause: float = 0.0
    """Patiences to wait first, for instance until a connection's end has arrived."""

    def request(self, number: int, origin: str, patience: float) -> HttpRequest:
        """The request as the sender gets it."""
        timeout = patience if self.stalls else 10 * patience
        url = origin + self.path
        return HttpRequest(number, self.method, url, HEADERS, self.body, timeout, self.max_body)


@frozen
class Case:
    """One thing that networks do, by name."""

    name: str
    play: Play
    asks: tuple[Ask, ...]
    together: bool = False
    """Whether the requests are under way at once, or one after the other."""
    where: Where = "plain"
    amiss: Callable[[Stage], str] | None = None
    """Afterwards: what is wrong with what the server saw, "" where nothing is."""
    limit: float = 20.0
    """Patiences until a sender is given up."""


def replies(status: int = 200, body: bytes | None = None, **headers: str) -> Expectation:
    """A reply with this status; with this body, and with these headers, where they are given."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    words = f"a reply {status}" + ("" if body is None else f" with a body of {len(body)} bytes")
    words += "".join(f", {name}: {value}" for name, value in named.items())

    def holds(answer: Answer) -> bool:
        return (
            isinstance(answer, HttpReply)
            and answer.status == status
            and body in {None, answer.body}
            and all(answer.headers.get(name) == value for name, value in named.items())
        )

    return Expectation(words, holds)


def fails(*kinds: str) -> Expectation:
    """A failure of one of these kinds, which says why."""

    def holds(answer: Answer) -> bool:
        return isinstance(answer, HttpFailure) and answer.kind in kinds and bool(answer.why)

    return Expectation(f"a failure {' or '.join(kinds)} that says why", holds)


def either(*expectations: Expectation) -> Expectation:
    """Any of several."""
    words = ", or ".join(each.words for each in expectations)
    return Expectation(words, lambda answer: any(each.holds(answer) for each in expectations))


def answers_its_request(ask: Ask, number: int) -> Ask:
    """The same, where the answer has to name the request, and to leak nothing of it."""
    inner = ask.expects

    def holds(answer: Answer) -> bool:
        if isinstance(answer, HttpFailure) and _leaks(answer.why):
            return False
        named = isinstance(answer, HttpReply | HttpFailure) and answer.id == number
        return named and inner.holds(answer)

    return evolve(ask, expects=Expectation(f"{inner.words}, to request {number}", holds))


def in_words(answer: Answer) -> str:
    """An answer for people: its body by its length."""
    match answer:
        case HttpReply():
            size = len(answer.body)
            return f"a reply {answer.status} with a body of {size} bytes, to request {answer.id}"
        case HttpFailure():
            why = "its words quote the request" if _leaks(answer.why) else answer.why or "no words"
            return f"a failure {answer.kind} ({why}), to request {answer.id}"
        case Raised():
            return f"{type(answer.error).__name__} was raised"
        case Nothing():
            return f"nothing, for {answer.seconds:g} s"


def _leaks(why: str) -> bool:
    return any(secret in why for secret in ("app-7", "client 8", "secret"))


# The words in which the servers of the cases speak: replies as bytes, and small plays.

BODY: Final = b'{"events": []}'
GZIP_BODY: Final = gzip.compress(BODY, mtime=0)
HUGE: Final = 64 * 1024 * 1024
"""Bytes: far more than any request here allows for."""


def head(status: int | str = 200, *lines: str, version: str = "1.1") -> bytes:
    """A status line and headers, to their empty line."""
    return "\r\n".join((f"HTTP/{version} {status} Said", *lines, "", "")).encode("latin-1")


def reply(body: bytes = BODY, *lines: str, status: int = 200) -> bytes:
    """A whole reply that says its length."""
    return head(status, f"Content-Length: {len(body)}", *lines) + body


def as_chunks(body: bytes, size: int = 5) -> bytes:
    """A body in chunks, without the last, empty one."""
    pieces = (body[start : start + size] for start in range(0, len(body), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)


def chunked(body: bytes, *lines: str) -> bytes:
    """A whole reply in chunks."""
    return head(200, "Transfer-Encoding: chunked", *lines) + as_chunks(body) + b"0\r\n\r\n"


def packed(body: bytes) -> bytes:
    """A whole reply whose body claims to be gzip."""
    return reply(body, "Content-Encoding: gzip")


def says(*replies: bytes) -> Play:
    """The play that answers each request of a connection with the next of these, then closes."""

    def play(connection: Connection) -> None:
        for each in replies:
            connection.hears()
            connection.says(each)

    return play
