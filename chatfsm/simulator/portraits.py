"""Portraits: small PNG images of the built-in agents and of the chat, drawn from two colors."""

from __future__ import annotations

import struct
import zlib
from typing import Final

__all__ = ["portrait"]

Color = tuple[int, int, int]

_SIZE: Final = 64
_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
# Bits per sample and RGB; the rest of the header has the only values that PNG knows.
_FORMAT: Final = (8, 2, 0, 0, 0)
# Discs of a head and of shoulders: middle and radius, in parts of the size.
_DISCS: Final = ((0.5, 0.38, 0.2), (0.5, 1.0, 0.4))


def portrait(background: Color, foreground: Color) -> bytes:
    """Return a PNG of a head and shoulders."""
    rows = bytearray()
    for y in range(_SIZE):
        rows.append(0)  # a row without a filter
        for x in range(_SIZE):
            rows += bytes(foreground if _is_inside(x, y) else background)
    header = struct.pack(">IIBBBBB", _SIZE, _SIZE, *_FORMAT)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows), 9)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, content) for kind, content in parts)


def _is_inside(x: int, y: int) -> bool:
    across, down = (x + 0.5) / _SIZE, (y + 0.5) / _SIZE
    return any((across - cx) ** 2 + (down - cy) ** 2 <= r * r for cx, cy, r in _DISCS)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))
