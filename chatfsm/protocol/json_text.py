"""JSON from strangers: parsed as far as it can be, refused with a `DecodeError` where it cannot.

Where orjson is installed (the extra `fast`) it does the parsing, and the standard library what
orjson refuses; what comes out is the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import isfinite
from typing import Any, Final

from chatfsm.errors import DecodeError

_loads: Callable[[Any], object] | None
try:
    from orjson import loads as _loads
except ImportError:  # the extra `fast` is not installed
    _loads = None

__all__ = ["Text", "may_be_rounded", "parse", "parse_lines", "parse_roughly"]

Text = bytes | bytearray | memoryview | str


def parse_roughly(data: Text) -> object:
    """As `parse`, but whole numbers of more than 64 bits may come out rounded."""
    if _loads is None:
        return parse(data)
    try:
        return _loads(data)
    except ValueError:  # perhaps nothing that the standard library minds
        return parse(data)


def may_be_rounded(data: Text) -> bool:
    """Whether `parse_roughly` may have rounded a number: it did not where this is False."""
    if _loads is None:
        return False
    text = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
    return _MANY_DIGITS in text.translate(_DIGITS)


def parse_lines(lines: list[bytes]) -> list[object]:
    """The value of each line, parsed together; None for a line that wants parsing by itself.

    Numbers as in `parse_roughly`. Lines are only put together where the value of a line cannot
    reach into the next: a comma before a `{` is a boundary wherever no list is open.
    """
    text = b",\n".join(lines)
    if b"[" not in text and text[:1] == b"{" and text.count(b"\n{") == len(lines) - 1:
        try:
            values = parse_roughly(b"[" + text + b"]")
        except DecodeError:
            values = None
        if isinstance(values, list) and len(values) == len(lines):
            return values
    if len(lines) <= 1:
        return [None] * len(lines)
    half = len(lines) // 2
    return parse_lines(lines[:half]) + parse_lines(lines[half:])


def parse(data: Text) -> object:
    """The value of a JSON text, in UTF-8, -16 or -32 where it is bytes.

    What JSON does not have, but senders write, is kept as text: NaN, infinities, and numbers too
    large to compute with. Of repeated keys the last one counts. Raises `DecodeError`; its text
    gives the place and never quotes the input. TypeError for what is neither bytes nor str.
    """
    if not isinstance(data, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"JSON comes as bytes or str, not as {type(data).__name__}")
    try:
        return _parse(data if isinstance(data, str) else _decoded(bytes(data)))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise DecodeError(f"not JSON: {error.msg} at {where}") from None
    except UnicodeDecodeError as error:
        raise DecodeError(f"not text: byte {error.start} is not {error.encoding}") from None
    except RecursionError:
        raise DecodeError("not read: nested too deep") from None


def _decoded(data: bytes) -> str:
    return data.decode(json.detect_encoding(data), "surrogatepass")


def _parse(text: str) -> object:
    text = text.removeprefix("\ufeff")
    try:
        return _USUAL.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a whole number of more digits than int() takes
        return _PATIENT.decode(text)


def _finite(digits: str) -> float | str:
    value = float(digits)
    return value if isfinite(value) else digits


def _countable(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return digits


_USUAL: Final = json.JSONDecoder(parse_float=_finite, parse_constant=str)
_PATIENT: Final = json.JSONDecoder(parse_float=_finite, parse_constant=str, parse_int=_countable)

# A number of 64 bits has 19 digits or more where it is too long.
_MANY_DIGITS: Final = b"0" * 19
_DIGITS: Final = bytes(ord("0") if chr(byte) in "0123456789" else ord(" ") for byte in range(256))
