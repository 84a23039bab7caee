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


__all__ = ["Text", "has_big_integers", "parse", "parse_fast", "parse_lines"]

Text = bytes | bytearray | memoryview | str


def parse_fast(data: Text) -> object:
    """As `parse`, but whole numbers of more than 64 bits may come out rounded."""
    if _loads is None:
        return parse(data)
    try:
        return _loads(data)
    except ValueError:  # perhaps nothing that the standard library minds
        return parse(data)


def has_big_integers(data: Text) -> bool:
    """Whether `parse_fast` may have rounded a number: it did not where this is False."""
    if _loads is None:
        return False
    text = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
    return _LONG_NUMBER in text.translate(_DIGITS_AS_ZEROS)


def parse_lines(lines: list[bytes]) -> list[object]:
    """The value of each line, as `parse_fast` gives it; None for what is no JSON, too."""
    if _loads is None:
        return _parse_joined(lines)
    try:
        return list(map(_loads, lines))
    except ValueError:
        return list(map(_parse_or_none, lines))


def _parse_joined(lines: list[bytes]) -> list[object]:
    """In 0.6 of the time of one by one, as far as no value can reach into the next line.

    A comma before a `{` is a boundary wherever no list is open.
    """
    text = b",\n".join(lines)
    if b"[" in text:
        values = iter(_parse_joined([line for line in lines if b"[" not in line]))
        return [_parse_or_none(line) if b"[" in line else next(values) for line in lines]
    if text[:1] == b"{" and text.count(b"\n{") == len(lines) - 1:
        found = _parse_or_none(b"[" + text + b"]")
        if isinstance(found, list) and len(found) == len(lines):
            return found
    if len(lines) <= 1:
        return list(map(_parse_or_none, lines))
    half = len(lines) // 2
    return _parse_joined(lines[:half]) + _parse_joined(lines[half:])


def _parse_or_none(line: bytes) -> object:
    try:
        return parse_fast(line)
    except DecodeError:
        return None


def parse(data: Text) -> object:
    """The value of a JSON text, in UTF-8, -16 or -32 where it is bytes.

    What JSON does not have, but senders write, is kept as text: NaN, infinities, and numbers too
    large to compute with. Of repeated keys the last one counts. Raises `DecodeError`; its text
    gives the place and never quotes the input. TypeError for what is neither bytes nor str.
    """
    if data.__class__ is bytes or data.__class__ is str:
        # UTF-8 with nothing before it, as nearly all texts are, in half of the time that looking
        # for all else takes. Other encodings begin with a mark, or hold a NUL: no JSON in UTF-8.
        try:
            text = data if isinstance(data, str) else str(data, "utf-8", "surrogatepass")
            value, end = _DECODER.raw_decode(text)
        except (ValueError, RecursionError):
            pass
        else:
            if end == len(text) or not text[end:].strip(_WHITESPACE):
                return value
    if not isinstance(data, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"JSON comes as bytes or str, not as {type(data).__name__}")
    try:
        return _parse_text(data if isinstance(data, str) else _decode_bytes(bytes(data)))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise DecodeError(f"not JSON: {error.msg} at {where}") from None
    except UnicodeDecodeError as error:
        raise DecodeError(f"not text: byte {error.start} is not {error.encoding}") from None
    except RecursionError:
        raise DecodeError("not read: nested too deep") from None


def _decode_bytes(data: bytes) -> str:
    return data.decode(json.detect_encoding(data), "surrogatepass")


def _parse_text(text: str) -> object:
    text = text.removeprefix("\ufeff")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # a whole number of more digits than int() takes
        return _LENIENT_DECODER.decode(text)


def _float_or_digits(digits: str) -> float | str:
    value = float(digits)
    return value if isfinite(value) else digits


def _int_or_digits(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:
        return digits


_DECODER: Final = json.JSONDecoder(parse_float=_float_or_digits, parse_constant=str)
_LENIENT_DECODER: Final = json.JSONDecoder(
    parse_float=_float_or_digits, parse_constant=str, parse_int=_int_or_digits
)

_WHITESPACE: Final = " \t\n\r"

# A number of 64 bits has 19 digits or more where it is too long.
_LONG_NUMBER: Final = b"0" * 19
_DIGITS_AS_ZEROS: Final = bytes(
    ord("0") if chr(byte) in "0123456789" else ord(" ") for byte in range(256)
)
