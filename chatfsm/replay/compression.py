"""Compression: gzip, bzip2, xz, zstd and zip files, told apart by their first bytes.

zstd needs Python 3.14 or the extra `zstd`. What a file expands to is bounded, because a few KB can
expand to terabytes.
"""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from chatfsm.errors import UnreadableLogError
from chatfsm.replay.kinds import NotALogError

if TYPE_CHECKING:  # modules of the standard library that few logs need, loaded when one does
    import lzma

__all__ = [
    "MAX_ZIP_FILES",
    "compression_of",
    "decompressed",
    "is_file_error",
    "is_zip",
    "zip_members",
]

# The longest of the marks below, and as much as tells whether bytes are text.
MARK_SIZE: Final = 8
# A gzip file in a zip file is usual; more layers are a bomb.
_MAX_LAYERS: Final = 2
# Logs compress to a tenth or a fiftieth. Less than the first bytes is harmless, whatever the ratio.
_MAX_RATIO: Final = 500
_FREE_BYTES: Final = 256 * 1024 * 1024
# `xz -9` needs 65 MiB, and a hostile file can demand 4 GiB.
_XZ_MEMORY: Final = 256 * 1024 * 1024
_ZSTD_WINDOW_LOG: Final = 27
_CHUNK_BYTES: Final = 64 * 1024

MAX_ZIP_FILES: Final = 10_000
"""Files of a zip file."""
_MAX_DIRECTORY_BYTES: Final = 16 * 1024 * 1024
# The end record of a zip file: the number of files, and the bytes of their directory.
_END_MARK: Final = b"PK\x05\x06"
_END_SIZE: Final = 22
_MAX_COMMENT: Final = 65_535


def _open_gzip(stream: Any) -> Any:
    return gzip.GzipFile(fileobj=stream, mode="rb")


def _open_bzip2(stream: Any) -> Any:
    return import_module("bz2").BZ2File(stream)


def _open_zstd(stream: Any) -> Any:
    for name in ("compression.zstd", "backports.zstd"):  # Python 3.14, or the extra
        if find_spec(name.partition(".")[0]) and find_spec(name):
            zstd: Any = import_module(name)
            limit = {zstd.DecompressionParameter.window_log_max: _ZSTD_WINDOW_LOG}
            return zstd.ZstdFile(stream, options=limit)
    why = "zstd needs Python 3.14 or the extra: pip install 'chatfsm[zstd]'"
    raise UnreadableLogError(why)


def _open_xz(stream: Any) -> Any:
    return io.BufferedReader(_XzReader(stream), _CHUNK_BYTES)


_COMPRESSIONS: Final[tuple[tuple[bytes, str, Callable[[Any], Any]], ...]] = (
    (b"\x1f\x8b", "gzip", _open_gzip),
    (b"BZh", "bzip2", _open_bzip2),
    (b"\xfd7zXZ\x00", "xz", _open_xz),
    (b"\x28\xb5\x2f\xfd", "zstd", _open_zstd),
)
_ZIP_MARKS: Final = (b"PK\x03\x04", _END_MARK)


def compression_of(head: bytes) -> str | None:
    """The name of the compression that a file's first bytes tell; None: none, or a zip file."""
    return next((name for mark, name, _ in _COMPRESSIONS if head.startswith(mark)), None)


def is_zip(head: bytes) -> bool:
    """Whether these are the first bytes of a zip file."""
    return head.startswith(_ZIP_MARKS)


def decompressed(stream: Any, position: Callable[[], int]) -> Any:
    """The content of a stream that may be compressed, twice at most.

    `position`: the number of bytes read from the file. Reading raises an error that `is_file_error`
    knows if the file is damaged, and `UnreadableLogError` without the file's name if it expands to
    more than `_MAX_RATIO` times its size.
    """
    content = stream
    for layer in range(_MAX_LAYERS + 1):
        head = content.peek(MARK_SIZE)[:MARK_SIZE]
        opening = next((open_ for mark, _, open_ in _COMPRESSIONS if head.startswith(mark)), None)
        if opening is None:
            break
        if layer == _MAX_LAYERS:
            raise UnreadableLogError(f"compressed more than {_MAX_LAYERS} times")
        content = opening(content)
    return content if content is stream else bounded(content, position)


def bounded(content: Any, position: Callable[[], int]) -> Any:
    """Decompressed content, with an error once it is far larger than what it is made of."""
    return io.BufferedReader(_BoundedReader(content, position), _CHUNK_BYTES)


# Classes of modules that may not be loaded, or not be installed; zlib's is called `error`.
_ERROR_NAMES: Final = {"LZMAError", "BadZipFile", "ZstdError", "error"}


def is_file_error(error: Exception) -> bool:
    """Whether an error tells of a file that is damaged, or cannot be read."""
    if isinstance(error, (OSError, EOFError, UnicodeDecodeError, NotImplementedError)):
        return True
    is_encrypted = type(error) is RuntimeError and "encrypted" in str(error)
    return is_encrypted or type(error).__name__ in _ERROR_NAMES


class _BoundedReader(io.RawIOBase):
    """Counts what a decompressor returns, and compares it with what it has read."""

    def __init__(self, content: Any, position: Callable[[], int]) -> None:
        self._content = content
        self._position = position
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._content.read1(len(buffer))
        self._count += len(piece)
        if self._count > _FREE_BYTES and self._count > _MAX_RATIO * max(self._position(), 1):
            raise UnreadableLogError(f"expands to more than {_MAX_RATIO} times its size")
        buffer[: len(piece)] = piece
        return len(piece)


class _XzReader(io.RawIOBase):
    """Reads an xz file of one stream or many; unlike `lzma.LZMAFile`, with a memory limit."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._decompressor = self._new()
        self._left = b""
        """Bytes after the end of a stream."""

    @staticmethod
    def _new() -> lzma.LZMADecompressor:
        import lzma  # noqa: PLC0415  # few logs need it

        return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = b""
        while not piece:
            if self._decompressor.eof:
                rest = (self._decompressor.unused_data or self._left).lstrip(b"\0")
                self._left = rest or self._stream.read1(_CHUNK_BYTES).lstrip(b"\0")
                if not self._left:
                    return 0
                self._decompressor = self._new()
            elif self._decompressor.needs_input and not self._left:
                self._left = self._stream.read1(_CHUNK_BYTES)
                if not self._left:
                    raise EOFError("the compressed data has no end")
            taken, self._left = self._left, b""
            piece = self._decompressor.decompress(taken, len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def zip_members(file: Any) -> list[str]:
    """The names of the files in a zip file, sorted; the file is seekable.

    Raises an error that `is_file_error` knows, and `UnreadableLogError` without the file's name if
    the zip file has more than `MAX_ZIP_FILES` files, or is an Office document.
    """
    from zipfile import BadZipFile, ZipFile  # noqa: PLC0415  # few logs need it

    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - _END_SIZE - _MAX_COMMENT))
    tail = file.read()
    place = tail.rfind(_END_MARK)
    if place < 0 or len(tail) < place + _END_SIZE:
        raise BadZipFile("the zip file has no end")
    count, directory = struct.unpack_from("<HL", tail, place + 10)
    if count > MAX_ZIP_FILES or directory > _MAX_DIRECTORY_BYTES:
        raise UnreadableLogError(f"a zip file with more than {MAX_ZIP_FILES:,} files")
    file.seek(0)
    with ZipFile(file) as archive:
        names = {info.filename for info in archive.infolist() if not info.is_dir()}
    if "[Content_Types].xml" in names:
        raise NotALogError("not a log of chat events: this is an Office document")
    return sorted(name for name in names if not _is_hidden(name))


def _is_hidden(name: str) -> bool:
    """Whether a file is one that macOS adds, or a hidden one."""
    parts = [part for part in name.split("/") if part not in {".", ".."}]
    return any(part.startswith((".", "__MACOSX")) for part in parts)
