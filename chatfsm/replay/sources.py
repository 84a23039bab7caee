"""Sources: recorded files as lines of bytes, from a path or standard input, plain or gzip."""

from __future__ import annotations

import codecs
import gzip
import io
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import Factory, define, field, frozen

from chatfsm.errors import UnreadableLogError

__all__ = ["MAX_BLANK_LINES", "MAX_LINE_BYTES", "Block", "ReadPosition", "Source"]

# Twice the size of a poll reply with the largest upload: no line of a chat log is longer.
MAX_LINE_BYTES: Final = 64 * 1024 * 1024
# A file of blank lines is not a log; a gzip file of 500 KB can hold 500 million.
MAX_BLANK_LINES: Final = 1_000_000
_GZIP: Final = b"\x1f\x8b"
# The byte order marks of UTF-32 come first, because that of UTF-16 is their beginning.
_ENCODINGS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_EMPTY_LINES: Final = (b"\n", b"\r\n")
# No event is as short; shorter lines are mostly blank, and must not be parsed one by one.
_SHORT_LINE: Final = 16
_REST_OF_LINE: Final = re.compile(rb"[^ \t\r\n][^\n]*\n?")
# As much as a pipe returns at once: some hundred lines. Larger blocks are not faster.
_BLOCK_BYTES: Final = 64 * 1024


Block = tuple[Sequence[int], list[bytes]]
"""The numbers of some lines, from 1 on, and the lines."""


class _Readable(Protocol):
    """What this module needs of an open file."""

    def read1(self, size: int, /) -> bytes: ...


class _AsUtf8:
    """A text in UTF-16 or UTF-32, read as UTF-8."""

    def __init__(self, stream: _Readable, encoding: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def read1(self, size: int, /) -> bytes:
        text = ""
        is_end = False
        while not text and not is_end:
            piece = self._stream.read1(size)
            is_end = not piece
            text = self._decoder.decode(piece, final=is_end)
        return text.encode("utf-8", "surrogatepass")


class _Unclosed(io.RawIOBase):
    """Standard input; closing this leaves it open."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._is_start = True

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # As much as is available: a log that is still being written is read as it grows.
        taken = self._stream.read1(len(buffer))
        if self._is_start and 0 < len(taken) < len(codecs.BOM_UTF32_LE):
            # The first bytes tell the encoding, and may come one by one.
            taken += self._stream.read(len(codecs.BOM_UTF32_LE) - len(taken))
        self._is_start = False
        buffer[: len(taken)] = taken
        return len(taken)


@frozen
class ReadPosition:
    """Progress of reading a source; can be sent to another process."""

    stem: str
    position: int
    """Bytes read, as stored."""
    size: int | None
    """Bytes of the file, as stored; None if unknown."""


@define
class Source:
    """One recorded file, by its path; `-` is standard input."""

    name: str
    stem: str = field(default=Factory(lambda self: _stem(self.name), takes_self=True), init=False)
    """File name without its suffix: the id of a chat if the log does not name one."""
    size: int | None = field(default=None, init=False)
    """Bytes of the file; None before it is opened, and for standard input."""
    _file: io.BufferedReader[Any] | None = field(default=None, init=False, repr=False)
    _line_count: int = field(default=0, init=False, repr=False)

    @property
    def position(self) -> int:
        """Bytes read so far, as stored; 0 if the file is not seekable."""
        if self._file is None or self._file.closed or not self._file.seekable():
            return 0
        return self._file.tell()

    @property
    def read_position(self) -> ReadPosition:
        """Progress of reading the source."""
        return ReadPosition(self.stem, self.position, self.size)

    def lines(self) -> Iterator[bytes]:
        """Every line, with its line end. Raises `UnreadableLogError`, which names file and line."""
        for text in self._texts():
            lines = io.BytesIO(text).readlines()
            yield from lines
            self._line_count += len(lines)

    def blocks(self) -> Iterator[Block]:
        """The lines that are not empty, as many at once as one read returns.

        Raises as `lines` does, and after more than `MAX_BLANK_LINES` blank lines in a row.
        """
        blank_count = 0
        for text in self._texts():
            first = self._line_count + 1
            if not text.strip():
                blank_count += text.count(b"\n")
                if blank_count > MAX_BLANK_LINES:
                    why = f"more than {MAX_BLANK_LINES:,} blank lines in a row"
                    raise UnreadableLogError(f"{self.name}: line {first}: {why}")
                self._line_count += text.count(b"\n") + (text[-1:] != b"\n")
                continue
            blank_count = 0
            lines = io.BytesIO(text).readlines()
            if len(lines) * _SHORT_LINE > len(text) or any(end in lines for end in _EMPTY_LINES):
                yield _filled_lines(first, text)
            else:
                yield range(first, first + len(lines)), lines
            self._line_count += len(lines)

    def _texts(self) -> Iterator[bytes]:
        """The lines that each read completes, as one text; the caller counts them."""
        self._line_count = 0
        try:
            with ExitStack() as stack:
                for text in self._complete_lines(self._open(stack)):
                    # Only the first line of a text can have begun in an earlier read.
                    if len(text) > MAX_LINE_BYTES and text.find(b"\n", 0, MAX_LINE_BYTES) < 0:
                        limit = f"longer than {MAX_LINE_BYTES // 1024 // 1024} MiB"
                        where = f"line {self._line_count + 1}"
                        raise UnreadableLogError(f"{self.name}: {where} is {limit}")
                    yield text
        except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or str(error)
            where = f" after line {self._line_count}" if self._line_count else ""
            raise UnreadableLogError(f"{self.name}: cannot be read{where}: {why}") from None

    def _complete_lines(self, stream: _Readable) -> Iterator[bytes]:
        """The lines that each read of a stream completes, and at the end what is left."""
        begun = bytearray()
        while block := stream.read1(_BLOCK_BYTES):
            end = block.rfind(b"\n") + 1
            if end:
                yield bytes(begun) + block[:end]
                begun.clear()
            begun += block[end:]
            if len(begun) > MAX_LINE_BYTES:
                break
        if begun:
            yield bytes(begun)

    def _open(self, stack: ExitStack) -> _Readable:
        stream: io.BufferedReader[Any]
        if self.name == "-":
            if sys.stdin is None:
                raise UnreadableLogError("-: cannot be read: there is no standard input")
            stream = io.BufferedReader(_Unclosed(sys.stdin.buffer))
        else:
            path = Path(self.name)
            self.size = path.stat().st_size
            stream = io.BufferedReader(io.FileIO(path))
        self._file = stack.enter_context(stream)
        content: io.BufferedReader[Any] | gzip.GzipFile = stream
        if stream.peek(len(_GZIP))[: len(_GZIP)] == _GZIP:
            content = stack.enter_context(gzip.GzipFile(fileobj=stream))
        head = content.peek(len(codecs.BOM_UTF32_LE))
        for mark, encoding in _ENCODINGS:
            if head.startswith(mark):
                return _AsUtf8(content, encoding)
        return content


def _filled_lines(number: int, text: bytes) -> Block:
    """The lines of a text that are not blank; `number`: that of its first line."""
    numbers: list[int] = []
    lines: list[bytes] = []
    end = 0
    for match in _REST_OF_LINE.finditer(text):
        start = text.rfind(b"\n", end, match.start()) + 1 or end
        number += text.count(b"\n", end, start)
        numbers.append(number)
        lines.append(text[start : match.end()])
        number, end = number + 1, match.end()
    return numbers, lines


def _stem(name: str) -> str:
    if name == "-":
        return "stdin"
    path = Path(name)
    return path.with_suffix("").stem if path.suffix == ".gz" else path.stem
