"""Sources: recorded files as lines of bytes, from a path or standard input.

Compression and encoding are told by the first bytes: lines are of UTF-8, whatever the file is.
"""

from __future__ import annotations

import codecs
import io
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from attrs import Factory, define, field, frozen

from chatfsm.errors import UnreadableLogError
from chatfsm.replay.compression import (
    bounded,
    decompressed,
    is_file_error,
    is_zip,
    zip_members,
)
from chatfsm.replay.kinds import HEAD_SIZE, NotALogError, kind_of

__all__ = [
    "COMPRESSED_SUFFIXES",
    "MAX_BLANK_LINES",
    "MAX_LINE_BYTES",
    "Block",
    "Content",
    "ReadPosition",
    "Source",
    "SourceRange",
]

# Twice the size of a poll reply with the largest upload: no line of a chat log is longer.
MAX_LINE_BYTES: Final = 64 * 1024 * 1024
# A file of blank lines is not a log; a gzip file of 500 KB can hold 500 million.
MAX_BLANK_LINES: Final = 1_000_000
# The byte order marks of UTF-32 come first, because that of UTF-16 is their beginning.
_ENCODINGS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Two characters of ASCII in UTF-16 without a mark.
_WITHOUT_MARK: Final = (
    (re.compile(rb"(?:[\t\n\r -~]\0){2}"), "utf-16-le"),
    (re.compile(rb"(?:\0[\t\n\r -~]){2}"), "utf-16-be"),
)
_EMPTY_LINES: Final = (b"\n", b"\r\n")
# No event is as short; shorter lines are mostly blank, and must not be parsed one by one.
_SHORT_LINE: Final = 16
_REST_OF_LINE: Final = re.compile(rb"[^ \t\r\n][^\n]*\n?")
# As much as a pipe returns at once: some hundred lines. Larger blocks are not faster.
_BLOCK_BYTES: Final = 64 * 1024
# As much at once of what is before a range, to count its lines.
_COUNT_BYTES: Final = 1024 * 1024

COMPRESSED_SUFFIXES: Final = {".gz", ".bz2", ".xz", ".zst", ".zip"}

Block = tuple[Sequence[int], list[bytes]]
"""The numbers of some lines, from 1 on, and the lines."""


class Content:
    """The content of a file: text as UTF-8, or the bytes of a binary file."""

    def __init__(self, read1: Callable[[int], bytes], path: Path | None) -> None:
        self._read1 = read1
        self._head = b""
        self._is_end = False
        self.path = path
        """The file, if its bytes are this content; None if they are compressed or a pipe's."""

    def head(self) -> bytes:
        """The first bytes: as many as tell the format, and no more than that waits for."""
        while not self._is_end and len(self._head) < HEAD_SIZE and not _tells(self._head):
            piece = self._read1(_BLOCK_BYTES)
            self._head += piece
            self._is_end = not piece
        return self._head

    def read1(self, size: int, /) -> bytes:
        """As much as is available, `size` bytes at most, unless `head` has read more."""
        if self._head:
            taken, self._head = self._head, b""
            return taken
        return self._read1(size)

    def read_all(self, limit: int) -> bytes | None:
        """All bytes; None if there are more than `limit`."""
        parts: list[bytes] = []
        size = 0
        while piece := self.read1(_BLOCK_BYTES):
            parts.append(piece)
            size += len(piece)
            if size > limit:
                return None
        return b"".join(parts)


# The line of a JSON document that says no more than that it is one.
_OPENING_LINE: Final = re.compile(rb"[\s\xef\xbb\xbf\[{]*\n")


def _tells(head: bytes) -> bool:
    """Whether a text has a whole line that is more than an opening bracket."""
    opening = _OPENING_LINE.match(head)
    return b"\n" in head[opening.end() if opening else 0 :]


class _AsUtf8:
    """A text in UTF-16 or UTF-32, read as UTF-8."""

    def __init__(self, read1: Callable[[int], bytes], encoding: str) -> None:
        self._read1 = read1
        self._decoder = codecs.getincrementaldecoder(encoding)("surrogatepass")

    def read1(self, size: int, /) -> bytes:
        text = ""
        is_end = False
        while not text and not is_end:
            piece = self._read1(size)
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
    """Name of the file without its folder and its suffixes."""
    position: int
    """Bytes read, as stored."""
    size: int | None
    """Bytes of the file, as stored; None if unknown."""


@define
class Source:
    """One recorded file, by its path; `-` is standard input.

    `chatfsm.replay.open_logs` makes the sources of directories, patterns and zip files.
    """

    name: str
    """The path, as errors name it."""
    received_at: str | None = field(default=None, kw_only=True)
    """Field with the time at which a line was received; None: one of `RECEIVED_FIELDS`."""
    unwrap: str | None = field(default=None, kw_only=True)
    """The field that holds the event, or `docker`, `kubectl` or `text`; None: recognized."""
    member: str | None = field(default=None, kw_only=True)
    """Name of the file in a zip file; None if the source is no zip file."""
    is_optional: bool = field(default=False, kw_only=True)
    """Whether the file is left out, with a note, if it is of a kind that is no log."""
    stem: str = field(default=Factory(lambda self: _stem(self.name), takes_self=True), init=False)
    """File name without its suffix: the id of a chat if the log does not name one."""
    size: int | None = field(default=None, init=False)
    """Bytes of the file; None before it is opened, and for standard input."""
    notes: list[str] = field(factory=list, init=False)
    """What was left out, for people: known when the file is read."""
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

    @property
    def path(self) -> str:
        """Path of the file, or of the zip file that it is in."""
        return self.name if self.member is None else self.name.removesuffix(f"/{self.member}")

    def lines(self) -> Iterator[bytes]:
        """Every line, with its line end. Raises `UnreadableLogError`, which names file and line."""
        for text in self.texts(None):
            lines = io.BytesIO(text).readlines()
            yield from lines
            self._line_count += len(lines)

    def blocks(self, content: Content | None = None) -> Iterator[Block]:
        """The lines that are not empty, as many at once as one read returns.

        `content`: what `opened` returned; None: opened here. Raises as `lines` does, and after more
        than `MAX_BLANK_LINES` blank lines in a row.
        """
        blank_count = 0
        for text in self.texts(content):
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

    @contextmanager
    def opened(self) -> Iterator[Content]:
        """The content of the file, which is closed at the end.

        Any error of the file in the body becomes an `UnreadableLogError`, which names it.
        """
        self._line_count = 0
        self.notes.clear()
        with self._naming_errors(), ExitStack() as stack:
            yield self._open(stack)

    @contextmanager
    def _naming_errors(self) -> Iterator[None]:
        """Let errors name the file, and the last line that was read of it."""
        try:
            yield
        except UnreadableLogError as error:
            if str(error).startswith(f"{self.name}: "):
                raise
            raise type(error)(f"{self.name}: {error}") from None
        except Exception as error:
            if not is_file_error(error):
                raise
            why = getattr(error, "strerror", None) or str(error)
            where = f" after line {self._line_count}" if self._line_count else ""
            raise UnreadableLogError(f"{self.name}: cannot be read{where}: {why}") from None

    def texts(self, opened: Content | None) -> Iterator[bytes]:
        """The lines that each read completes, as one text; the caller counts them."""
        with self._naming_errors(), ExitStack() as stack:
            content = stack.enter_context(self.opened()) if opened is None else opened
            for text in self._complete_lines(content):
                # Only the first line of a text can have begun in an earlier read.
                if len(text) > MAX_LINE_BYTES and text.find(b"\n", 0, MAX_LINE_BYTES) < 0:
                    limit = f"longer than {MAX_LINE_BYTES // 1024 // 1024} MiB"
                    where = f"line {self._line_count + 1}"
                    raise UnreadableLogError(f"{self.name}: {where} is {limit}")
                yield text

    def _complete_lines(self, stream: Content) -> Iterator[bytes]:
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

    def _open(self, stack: ExitStack) -> Content:
        stream: io.BufferedReader[Any]
        path: Path | None = None
        if self.name == "-":
            if sys.stdin is None:
                raise UnreadableLogError("-: cannot be read: there is no standard input")
            stream = io.BufferedReader(_Unclosed(sys.stdin.buffer))
        else:
            path = Path(self.path)
            self.size = path.stat().st_size
            stream = io.BufferedReader(io.FileIO(path))
        self._file = stack.enter_context(stream)
        stored: Any = stream
        if is_zip(stream.peek(HEAD_SIZE)):
            stored = stack.enter_context(self._open_member(stack, stream))
        content = decompressed(stored, lambda: self.position)
        head = content.peek(HEAD_SIZE)[:HEAD_SIZE]
        kind = kind_of(head)
        if kind is not None:
            raise NotALogError(f"not a log of chat events: this is {kind}")
        encoding = _encoding_of(head)
        if encoding is not None:
            return Content(_AsUtf8(content.read1, encoding).read1, None)
        return Content(content.read1, path if content is stream else None)

    def _open_member(self, stack: ExitStack, stream: io.BufferedReader[Any]) -> Any:
        """Open the file of a zip file."""
        if not stream.seekable():
            raise UnreadableLogError("a zip file cannot be read from a pipe: name the file")
        member = self.member
        if member is None:
            names = zip_members(stream)
            if len(names) != 1:
                raise UnreadableLogError(f"a zip file with {len(names):,} files: name one of them")
            (member,) = names
        from zipfile import ZipFile  # noqa: PLC0415  # few logs need it

        stream.seek(0)
        archive = stack.enter_context(ZipFile(stream))
        try:
            return bounded(archive.open(member), lambda: archive.getinfo(member).compress_size)
        except KeyError:
            raise UnreadableLogError("cannot be read: the zip file has no such file") from None


@define
class SourceRange(Source):
    """A range of the lines of a file of JSON lines."""

    start: int = field(default=0, kw_only=True)
    """Bytes before the range."""
    end: int | None = field(default=None, kw_only=True)
    """Bytes up to its end; None: the rest of the file."""
    chat_id_before: str | None = field(default=None, kw_only=True)
    """The chat of the line before it; None if it begins with the file."""
    _lines_before: int | None = field(default=None, init=False, repr=False)
    """Number of lines before it; None until it is opened."""

    def __str__(self) -> str:
        return f"bytes {self.start:,} to {'the end' if self.end is None else self.end}"

    def _open(self, stack: ExitStack) -> Content:
        if self.start == 0:
            content = super()._open(stack)
            return Content(_limited(content.read1, self.end), content.path)
        path = Path(self.path)
        self.size = path.stat().st_size
        self._file = stack.enter_context(io.BufferedReader(io.FileIO(path)))
        if self._lines_before is None:
            self._lines_before = _count_lines(self._file, self.start)
        self._file.seek(self.start)
        self._line_count = self._lines_before
        left = None if self.end is None else self.end - self.start
        return Content(_limited(self._file.read1, left), path)


def _limited(read1: Callable[[int], bytes], size: int | None) -> Callable[[int], bytes]:
    """A function that reads `size` bytes in all; None: as many as there are."""
    if size is None:
        return read1
    left = size

    def read(most: int) -> bytes:
        nonlocal left
        piece = read1(most)[:left]
        left -= len(piece)
        return piece

    return read


def _count_lines(file: io.BufferedReader[Any], size: int) -> int:
    """The number of lines in the first bytes of a file."""
    count = 0
    while size and (piece := file.read(min(size, _COUNT_BYTES))):
        count += piece.count(b"\n")
        size -= len(piece)
    return count


def _encoding_of(head: bytes) -> str | None:
    """The encoding of a text that is not UTF-8, by its byte order mark or its first characters."""
    for mark, encoding in _ENCODINGS:
        if head.startswith(mark):
            return encoding
    return next((name for form, name in _WITHOUT_MARK if form.match(head)), None)


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
    return path.with_suffix("").stem if path.suffix in COMPRESSED_SUFFIXES else path.stem
