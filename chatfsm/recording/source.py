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

from attrs import define, field

from chatfsm.errors import UnreadableLogError

__all__ = ["LONGEST_LINE", "Source"]

# A poll reply of the largest upload's size, twice over: what is longer is no log of chats.
LONGEST_LINE: Final = 64 * 1024 * 1024
_GZIP: Final = b"\x1f\x8b"


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


@define
class Source:
    """One input, `-` being standard input; `position` counts the bytes taken from the file."""

    name: str
    size: int | None = field(default=None, init=False)
    """Bytes of the file; None where that is not known."""
    _file: io.BufferedReader[Any] | None = field(default=None, init=False, repr=False)

    @property
    def stem(self) -> str:
        """What a chat of this file is called where the log does not say: its name, no ending."""
        if self.name == "-":
            return "stdin"
        path = Path(self.name)
        return path.with_suffix("").stem if path.suffix == ".gz" else path.stem

    @property
    def position(self) -> int:
        """How many bytes of the file were taken so far, as stored."""
        if self._file is None or self._file.closed or not self._file.seekable():
            return 0
        return self._file.tell()

    def lines(self) -> Iterator[bytes]:
        """Every line with its end. Raises `UnreadableLogError`, naming file and line."""
        number = 0
        try:
            with ExitStack() as stack:
                stream = self._opened(stack)
                while line := stream.readline(LONGEST_LINE + 1):
                    number += 1
                    if len(line) > LONGEST_LINE:
                        limit = f"longer than {LONGEST_LINE // 1024 // 1024} MiB"
                        raise UnreadableLogError(f"{self.name}: line {number} is {limit}")
                    yield line
        except (OSError, EOFError, zlib.error) as error:
            why = getattr(error, "strerror", None) or str(error)
            where = f" after line {number}" if number else ""
            raise UnreadableLogError(f"{self.name}: cannot be read{where}: {why}") from None

    def _opened(self, stack: ExitStack) -> io.BufferedReader[Any] | gzip.GzipFile:
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
