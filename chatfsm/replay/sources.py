"""Recorded files as lines of bytes: plain or gzip by content, from a path or standard input."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from attrs import Factory, define, field, frozen

from chatfsm.errors import UnreadableLogError

__all__ = ["MAX_LINE_BYTES", "ReadPosition", "Source"]

# A poll reply of the largest upload's size, twice over: what is longer is no log of chats.
MAX_LINE_BYTES: Final = 64 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
# As much as a pipe gives at once. More saves nothing: it is some hundred lines already.
_BLOCK_BYTES: Final = 64 * 1024


class _Unclosed(io.RawIOBase):
    """Standard input, which is not ours to close."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # As much as is there: a log that is still being written is told as it grows.
        taken = self._stream.read1(len(buffer))
        buffer[: len(taken)] = taken
        return len(taken)


@frozen
class ReadPosition:
    """How far a reading has come in an input, told from elsewhere."""

    stem: str
    position: int
    size: int | None


@define
class Source:
    """One input, `-` being standard input; `position` counts the bytes taken from the file."""

    name: str
    stem: str = field(default=Factory(lambda self: _stem(self.name), takes_self=True), init=False)
    """What a chat of this file is called where the log does not say: its name, no ending."""
    size: int | None = field(default=None, init=False)
    """Bytes of the file; None where that is not known."""
    _file: io.BufferedReader[Any] | None = field(default=None, init=False, repr=False)

    @property
    def position(self) -> int:
        """How many bytes of the file were taken so far, as stored."""
        if self._file is None or self._file.closed or not self._file.seekable():
            return 0
        return self._file.tell()

    @property
    def read_position(self) -> ReadPosition:
        """How far the reading has come."""
        return ReadPosition(self.stem, self.position, self.size)

    def lines(self) -> Iterator[bytes]:
        """Every line with its end. Raises `UnreadableLogError`, naming file and line."""
        for lines in self.blocks():
            yield from lines

    def blocks(self) -> Iterator[list[bytes]]:
        """As `lines`, as many at once as are there, and no more than a piece holds."""
        number = 0
        try:
            with ExitStack() as stack:
                for lines in self._complete_lines(self._open(stack)):
                    # Every other line of a block began in this piece, and ends in it.
                    if len(lines[0]) > MAX_LINE_BYTES:
                        limit = f"longer than {MAX_LINE_BYTES // 1024 // 1024} MiB"
                        raise UnreadableLogError(f"{self.name}: line {number + 1} is {limit}")
                    yield lines
                    number += len(lines)
        except (OSError, EOFError, zlib.error) as error:
            why = getattr(error, "strerror", None) or str(error)
            where = f" after line {number}" if number else ""
            raise UnreadableLogError(f"{self.name}: cannot be read{where}: {why}") from None

    def _complete_lines(
        self, stream: io.BufferedReader[Any] | gzip.GzipFile
    ) -> Iterator[list[bytes]]:
        """The lines that each piece of a stream completes, and in the end what is left."""
        begun = bytearray()
        while block := stream.read1(_BLOCK_BYTES):
            end = block.rfind(b"\n") + 1
            if end:
                yield io.BytesIO(bytes(begun) + block[:end]).readlines()
                begun.clear()
            begun += block[end:]
            if len(begun) > MAX_LINE_BYTES:
                break
        if begun:
            yield [bytes(begun)]

    def _open(self, stack: ExitStack) -> io.BufferedReader[Any] | gzip.GzipFile:
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
        if stream.peek(len(_GZIP))[: len(_GZIP)] == _GZIP:
            return stack.enter_context(gzip.GzipFile(fileobj=stream))
        return stream


def _stem(name: str) -> str:
    if name == "-":
        return "stdin"
    path = Path(name)
    return path.with_suffix("").stem if path.suffix == ".gz" else path.stem
