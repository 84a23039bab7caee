"""What every sender does with a request, a reply's body, and an error."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from attrs import define, field

from chatfsm.transport import FailureKind, HttpFailure, HttpReply, HttpRequest

__all__ = [
    "CONNECT_SHARE",
    "PIECE",
    "AsyncClosing",
    "Body",
    "Closing",
    "UnusableReplyError",
    "failure",
    "headers_for",
    "missing",
    "reply",
]

PIECE: Final = 64 * 1024
"""Bytes that are read, written or unpacked at once."""
CONNECT_SHARE: Final = 0.8
"""Of the whole time, what connecting may take: where only the kind of a library's timeout tells
that nothing was sent, that one has to come first, also when it is rounded up to a whole second."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_DEPTH: Final = 8  # of errors inside errors; more than any of the libraries nests


class UnusableReplyError(ValueError):
    """The reply's body cannot be taken: too large, or not in the encoding that it claims."""


class Closing(ABC):
    """A sender that is closed where its block ends."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @abstractmethod
    def close(self) -> None:
        """End what the sender opened itself."""


class AsyncClosing(ABC):
    """A sender that is closed where its asynchronous block ends."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    @abstractmethod
    async def aclose(self) -> None:
        """End what the sender opened itself."""


@define
class Body:
    """A reply's body while it is read: no longer than allowed, before and after unpacking."""

    limit: int
    encoding: str
    _pieces: list[bytes] = field(factory=list, init=False, repr=False)
    _size: int = field(default=0, init=False)
    _packed: int = field(default=0, init=False)
    _gzip: zlib._Decompress | None = field(default=None, init=False, repr=False)

    @classmethod
    def of(cls, request: HttpRequest, headers: Iterable[tuple[str, str]]) -> Body:
        """An empty body for the reply with these headers. Raises `UnusableReplyError`."""
        encoding = dict(_lowered(headers)).get("content-encoding", "identity").strip().lower()
        if encoding not in {"", "identity", "gzip", "x-gzip"}:
            raise UnusableReplyError("the body has an encoding that was not asked for")
        return cls(request.max_body, encoding)

    def take(self, piece: bytes) -> None:
        """One more piece, as it came. Raises `UnusableReplyError`."""
        self._packed += len(piece)
        if "gzip" not in self.encoding:
            self._keep(piece)
            return
        self._check(self._packed)  # a stream of empty gzip members unpacks to nothing, for ever
        try:
            while piece:
                piece = self._unpack(piece)
        except zlib.error:
            raise UnusableReplyError("the body is not the gzip that it claims to be") from None

    def whole(self) -> bytes:
        """All of it. Raises `UnusableReplyError` where gzip has not come to its end."""
        if self._gzip is not None and not self._gzip.eof:
            raise UnusableReplyError("the body's gzip ends too early")
        return b"".join(self._pieces)

    def _unpack(self, piece: bytes) -> bytes:
        """Unpack a little; what is left of the piece after it."""
        if self._gzip is None or self._gzip.eof:
            self._gzip = zlib.decompressobj(_GZIP)
        self._keep(self._gzip.decompress(piece, PIECE))
        return self._gzip.unconsumed_tail or self._gzip.unused_data

    def _keep(self, piece: bytes) -> None:
        self._size += len(piece)
        self._check(self._size)
        self._pieces.append(piece)

    def _check(self, size: int) -> None:
        if size > self.limit:
            raise UnusableReplyError(f"the body is longer than {self.limit} bytes")


def headers_for(request: HttpRequest) -> list[tuple[str, str]]:
    """The request's headers, and which encoding of the reply a `Body` can undo."""
    named = {name.lower() for name, _ in request.headers}
    ours = [] if "accept-encoding" in named else [("Accept-Encoding", "gzip")]
    return [*request.headers, *ours]


def reply(
    request: HttpRequest, status: int, headers: Iterable[tuple[str, str]], body: Body
) -> HttpReply:
    """The whole reply. Raises `UnusableReplyError` where the body has not come to its end."""
    return HttpReply(request.id, status, dict(_lowered(headers)), body.whole())


def failure(request: HttpRequest, kind: FailureKind, error: Exception) -> HttpFailure:
    """No whole reply: in words, the class of the error, and what the system says of it.

    Libraries quote urls and replies in the texts of their errors, so those are not repeated.
    """
    words = [type(error).__name__]
    # What a read was waiting for when the time was over is nothing that failed.
    cause: BaseException | None = None if kind == "timeout" else error
    for _ in range(_DEPTH):
        if isinstance(cause, UnusableReplyError):
            words.append(str(cause))
        elif isinstance(cause, OSError) and isinstance(cause.strerror, str):
            words.append(cause.strerror)
        if cause is None or len(words) > 1:
            break
        cause = cause.__cause__ or cause.__context__
    return HttpFailure(request.id, kind, ": ".join(words))


def missing(library: str, extra: str) -> ImportError:
    """The error for a sender whose library is not installed."""
    return ImportError(f"this needs {library}: pip install 'chatfsm[{extra}]'", name=library)


def _lowered(headers: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    return ((name.lower(), value) for name, value in headers)
