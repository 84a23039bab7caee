"""SQLite log: whether the write-ahead log that a killed process has left is damaged.

SQLite takes the first frame with a wrong checksum for the end of the log, as after a power failure,
and so would forget the transactions after it without a word. But each transaction is on the disk
before the next one begins: only the last one can be torn, and anything else is damage.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

from chatfsm.errors import StoreError

__all__ = ["check_log"]

# https://www.sqlite.org/fileformat2.html#the_write_ahead_log
_HEADER: Final = struct.Struct(">8I")
_FRAME: Final = struct.Struct(">6I")
_MAGIC: Final = 0x377F0682
"""Of a log whose checksums are of little-endian numbers; 1 more for big-endian ones."""
_MASK: Final = 0xFFFFFFFF


@frozen
class _Frame:
    is_valid: bool
    is_of_log: bool
    """Whether it was written since the log was begun anew, by its header alone."""
    is_commit: bool


def check_log(database: Path) -> None:
    """Raise `StoreError` if the log of a database is damaged; no process may write to it."""
    try:
        content = database.with_name(f"{database.name}-wal").read_bytes()
    except FileNotFoundError:
        return
    is_torn, is_over = False, False
    for frame in _frames(content):
        is_torn |= not frame.is_valid
        if is_over and frame.is_of_log:
            raise StoreError(f"{database} is damaged: its log has a wrong checksum in the middle")
        is_over |= is_torn and frame.is_of_log and frame.is_commit


def _frames(content: bytes) -> Iterator[_Frame]:
    if len(content) < _HEADER.size + _FRAME.size:
        return
    magic, _, page_size, _, *salts, first, second = _HEADER.unpack_from(content)
    order = ">" if magic & 1 else "<"
    sums = _checksum(content[:24], order, (0, 0))
    is_valid = magic & ~1 == _MAGIC and sums == (first, second)
    if not is_valid or page_size < 512:  # noqa: PLR2004  # the least that SQLite has
        yield _Frame(is_valid=False, is_of_log=True, is_commit=True)
        yield _Frame(is_valid=False, is_of_log=True, is_commit=True)
        return
    size = _FRAME.size + page_size
    for start in range(_HEADER.size, len(content) - size + 1, size):
        _, pages, *its_salts, first, second = _FRAME.unpack_from(content, start)
        if is_valid:
            sums = _checksum(content[start : start + 8], order, sums)
            sums = _checksum(content[start + _FRAME.size : start + size], order, sums)
            is_valid = its_salts == salts and sums == (first, second)
        yield _Frame(is_valid, its_salts == salts, pages > 0)


def _checksum(content: bytes, order: str, sums: tuple[int, int]) -> tuple[int, int]:
    first, second = sums
    words = struct.unpack(f"{order}{len(content) // 4}I", content)
    for one, two in zip(words[::2], words[1::2], strict=True):
        first = (first + one + second) & _MASK
        second = (second + two + first) & _MASK
    return first, second
