"""Sources: recorded files as lines of bytes, from a path or standard input, plain or gzip."""

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

# Twice the size of a poll reply with the largest upload: no line of a chat log is longer.
MAX_LINE_BYTES: Final = 64 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"
# As much as a pipe returns at once: some hundred lines. Larger blocks are not faster.
_BLOCK_BYTES: Final = 64 * 1024


class _Unclosed(io.RawIOBase):
    """Standard input; closing this leaves it open."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        # As much as is available: a log that is still being written is read as it grows.
        taken = self._stream.read1(len(buffer))
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
        for lines in self.blocks():
            yield from lines

    def blocks(self) -> Iterator[list[bytes]]:
        """The lines in lists, each as long as one read returns. Raises as `lines` does."""
        number = 0
        try:
            with ExitStack() as stack:
                for lines in self._complete_lines(self._open(stack)):
                    # Only the first line of a block can have begun in an earlier one.
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
        """The lines that each block of a stream completes, and at the end what is left."""
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
