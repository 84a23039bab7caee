"""Sender parts: closing, reply bodies, and failures, which all senders share."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from types import TracebackType
from typing import Final, Self

from attrs import define, field

from chatfsm.transport import FailureKind, HttpFailure, HttpReply, HttpRequest

__all__ = [
    "CHUNK_SIZE",
    "CONNECT_SHARE",
    "AsyncClosable",
    "Body",
    "Closable",
    "TooLargeReplyError",
    "UnusableReplyError",
    "failure_of",
    "headers_for",
    "missing_library",
    "reply_to",
]

CHUNK_SIZE: Final = 64 * 1024
"""Bytes that are read, written or decompressed at once."""
CONNECT_SHARE: Final = 0.8
"""Share of a request's timeout for connecting. In some libraries only the kind of a timeout shows
that nothing was sent, so this one must come first, even if it is rounded up to a whole second."""

_GZIP: Final = 16 + zlib.MAX_WBITS
_GZIP_MARK: Final = b"\x1f\x8b"
_ENCODING: Final = "content-encoding"
_SEPARATORS: Final = {"set-cookie": "\n", _ENCODING: ","}
"""Headers of which all values count, with what is put between them."""
_GZIP_NAMES: Final = {"x-gzip": "gzip"}
_ENCODINGS: Final = frozenset(
    {"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz"}
)
"""Registered encodings; any other word in Content-Encoding encodes nothing."""
_MAX_CAUSES: Final = 8  # more than any of the libraries nests


class UnusableReplyError(ValueError):
    """A reply's body is too large, or not in the encoding that it claims."""

    too_large = False


class TooLargeReplyError(UnusableReplyError):
    """A reply's body has more bytes than the request allows."""

    too_large = True


class LateError(TimeoutError):
    """The timeout of a request has passed, and none of it was sent."""


class Closable(ABC):
    """A sender that closes at the end of its `with` block."""

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
        """Close what the sender has opened."""


class AsyncClosable(ABC):
    """A sender that closes at the end of its `async with` block."""

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
        """Close what the sender has opened."""


@define
class Body:
    """A reply's body while it is read; bounded before and after decompression.

    Some servers name an encoding that is none, such as `utf-8`, or claim gzip and send plain text,
    or send something behind it. As in browsers the body is then taken as it is, and what follows
    the last gzip member is ignored.
    """

    limit: int
    """Bytes, as `HttpRequest.max_body`."""
    headers: dict[str, str] = field(repr=False)
    """Headers of the reply, as `HttpReply.headers`."""
    encoding: str
    """`gzip`, or anything else for a body that is taken as it is."""
    _chunks: list[bytes] = field(factory=list, init=False, repr=False)
    _size: int = field(default=0, init=False)
    """Bytes after decompression."""
    _received_size: int = field(default=0, init=False)
    _gzip: zlib._Decompress | None = field(default=None, init=False, repr=False)
    _start: bytes = field(default=b"", init=False, repr=False)
    """First byte of what may be a gzip member."""
    _is_past_end: bool = field(default=False, init=False)

    @classmethod
    def of(cls, request: HttpRequest, headers: Iterable[tuple[str, str]]) -> Body:
        """Return an empty body for the reply with these headers. Raises `UnusableReplyError`."""
        named: dict[str, str] = {}
        for spelling, value in headers:
            name = spelling.lower()
            if name in named and name in _SEPARATORS:
                named[name] += _SEPARATORS[name] + value
            else:
                named[name] = value
        encoding = _encoding(named[_ENCODING]) if _ENCODING in named else ""
        return cls(request.max_body, named, encoding)

    def add(self, chunk: bytes) -> None:
        """Add the next bytes as they came. Raises `UnusableReplyError`."""
        # A stream of empty gzip members would decompress to nothing without end.
        self._received_size += len(chunk)
        self._check_size(self._received_size)
        if self.encoding == "gzip":
            try:
                while chunk and self.encoding == "gzip" and not self._is_past_end:
                    chunk = self._decompress(chunk)
            except zlib.error:
                raise UnusableReplyError("the body must be valid gzip") from None
        if self.encoding != "gzip":
            self._chunks.append(chunk)

    def content(self) -> bytes:
        """Return the whole body. Raises `UnusableReplyError` if its gzip is incomplete."""
        if self._gzip is not None and not self._gzip.eof:
            raise UnusableReplyError("the body must be complete gzip: its end is missing")
        if self._gzip is None:
            self._chunks.append(self._start)
        return b"".join(self._chunks)

    def _decompress(self, chunk: bytes) -> bytes:
        """Decompress at most `CHUNK_SIZE` bytes; return what is left of the chunk."""
        if self._gzip is None or self._gzip.eof:
            chunk, self._start = self._start + chunk, b""
            if chunk == _GZIP_MARK[:1]:
                self._start = chunk
                return b""
            if not chunk.startswith(_GZIP_MARK):
                return self._end_gzip(chunk)
            self._gzip = zlib.decompressobj(_GZIP)
        piece = self._gzip.decompress(chunk, CHUNK_SIZE)
        self._size += len(piece)
        self._check_size(self._size)
        self._chunks.append(piece)
        return self._gzip.unconsumed_tail or self._gzip.unused_data

    def _end_gzip(self, chunk: bytes) -> bytes:
        """Take the rest of the body as it is, or ignore it if it follows gzip."""
        if self._gzip is None:
            self.encoding = ""
            return chunk
        self._is_past_end = True
        return b""

    def _check_size(self, size: int) -> None:
        if size > self.limit:
            raise TooLargeReplyError(f"the body must have {self.limit} bytes or fewer")


def headers_for(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the request's headers, and the encoding of the reply that `Body` decodes."""
    names = {name.lower() for name, _ in request.headers}
    added = [] if "accept-encoding" in names else [("Accept-Encoding", "gzip")]
    return [*request.headers, *added]


def reply_to(request: HttpRequest, status: int, body: Body) -> HttpReply:
    """Return the reply. Raises `UnusableReplyError` if the body is incomplete."""
    return HttpReply(request.id, status, body.headers, body.content())


def failure_of(request: HttpRequest, kind: FailureKind, error: Exception) -> HttpFailure:
    """Return the failure; its text is the class of the error, and the system's message if any.

    Texts of libraries are left out: they quote URLs and replies.
    """
    words, too_large = [type(error).__name__], False
    # A read that timed out has the context of an earlier, harmless error.
    cause: BaseException | None = None if kind == "timeout" else error
    for _ in range(_MAX_CAUSES):
        if isinstance(cause, UnusableReplyError):
            words.append(str(cause))
            too_large = cause.too_large
        elif isinstance(cause, OSError) and isinstance(cause.strerror, str):
            words.append(cause.strerror)
        if cause is None or len(words) > 1:
            break
        cause = cause.__cause__ or cause.__context__
    return HttpFailure(request.id, kind, ": ".join(words), too_large=too_large)


def missing_library(library: str, extra: str) -> ImportError:
    """Return the error for a library that is not installed; it names the extra."""
    return ImportError(f"this needs {library}: pip install 'chatfsm[{extra}]'", name=library)


def _encoding(value: str) -> str:
    """Return `gzip`, or "" for a body that is taken as it is. Raises `UnusableReplyError`."""
    encodings = [word.strip().lower() for word in value.split(",")]
    known = [_GZIP_NAMES.get(word, word) for word in encodings if word in _ENCODINGS]
    if known not in ([], ["gzip"]):
        raise UnusableReplyError("the body must be plain or gzip, not in another encoding")
    return "".join(known)
