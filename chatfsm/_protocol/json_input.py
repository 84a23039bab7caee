"""JSON input: untrusted JSON to values, or a `DecodeError`.

orjson parses if it is installed (the extra `fast`), and the standard library what orjson refuses;
the values are the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from math import isfinite
from typing import Any, Final

from chatfsm.errors import DecodeError

_loads: Callable[[Any], object] | None
try:
    from orjson import loads as _loads
except ImportError:  # the extra `fast` is not installed
    _loads = None


__all__ = [
    "Text",
    "has_big_integers",
    "parse",
    "parse_at",
    "parse_fast",
    "parse_leniently",
    "parse_lines",
    "parse_sequence",
]

Text = bytes | bytearray | memoryview | str


def parse_fast(data: Text) -> object:
    """Parse as `parse` does, but integers of more than 64 bits may be rounded."""
    if _loads is None:
        return parse(data)
    try:
        return _loads(data)
    except ValueError:  # the standard library accepts more
        return parse(data)


def has_big_integers(data: Text) -> bool:
    """Whether a text may have an integer that `parse_fast` rounds; False is certain."""
    if _loads is None:
        return False
    text = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else bytes(data)
    return _LONG_NUMBER in text.translate(_DIGITS_AS_ZEROS)


def parse_lines(lines: list[bytes]) -> list[object]:
    """Return the value of each line as `parse_fast` does; None for a line that is not JSON."""
    if _loads is None:
        return _parse_joined(lines)
    try:
        return list(map(_loads, lines))
    except ValueError:
        return list(map(_parse_or_none, lines))


def _parse_joined(lines: list[bytes]) -> list[object]:
    """Parse lines as one array, in 0.6 of the time of one by one.

    Only if no value can extend into the next line: a comma before `{` separates two lines if no
    list is open, so lines with `[` are parsed one by one.
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
    """Return the value of a JSON text; bytes may be UTF-8, UTF-16 or UTF-32.

    NaN, infinities and numbers too large to compute with are returned as text. Of repeated keys the
    last one counts. Raises `DecodeError`, which names the position and does not quote the input;
    TypeError for anything but bytes and str.
    """
    if data.__class__ is bytes or data.__class__ is str:
        # Try plain UTF-8 first: half of the time of detecting the encoding. A text in another
        # encoding begins with a byte order mark or contains NUL, neither of which is JSON in UTF-8.
        try:
            text = data if isinstance(data, str) else str(data, "utf-8", "surrogatepass")
            value, end = _DECODER.raw_decode(text)
        except (ValueError, RecursionError):
            pass
        else:
            if end == len(text) or not text[end:].strip(_WHITESPACE):
                return value
    if not isinstance(data, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"data must be bytes or str, not {type(data).__name__}")
    try:
        return _parse_text(data if isinstance(data, str) else _decode_bytes(bytes(data)))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno} column {error.colno}"
        raise DecodeError(f"not JSON: {error.msg} at {where}") from None
    except UnicodeDecodeError as error:
        raise DecodeError(f"not text: byte {error.start} is not {error.encoding}") from None
    except RecursionError:
        raise DecodeError("not read: nested too deep") from None


def parse_leniently(data: bytes) -> tuple[object, str]:
    """Return the value of a text that `parse` refuses, and what had to be mended to read it.

    Bytes that are not of the text's encoding become U+FFFD, and control characters within strings
    stay as they are: servers in C++ and databases that cut texts write both (PROTOCOL.md §6).
    Raises `DecodeError` if that does not help.
    """
    flaw = "control characters within texts"
    try:
        text = _decode_bytes(data)
    except UnicodeDecodeError as error:
        flaw = f"bytes that are not {error.encoding.upper()}"
        text = data.decode(json.detect_encoding(data), "replace")
    try:
        return _CARELESS_DECODER.decode(text.removeprefix("\ufeff")), flaw
    except (ValueError, RecursionError):
        raise DecodeError("not JSON, with or without invalid characters") from None


def parse_sequence(data: bytes, most: int) -> tuple[list[object], str]:
    """Return the objects and lists that follow each other in a text, and the text after them.

    Between them may stand white space, commas and the record separator of RFC 7464; the text may
    begin with the bracket of a list that does not end in it. At most `most` values are parsed.
    """
    values: list[object] = []
    try:
        text = str(data, "utf-8", "surrogatepass")
    except UnicodeDecodeError:
        return [], data.decode("utf-8", "backslashreplace")
    at = _after_separators(text, 0)
    if text.startswith("[", at):
        at += parse_at(text, at) is None
    while len(values) < most:
        at = _after_separators(text, at)
        parsed = parse_at(text, at)
        if parsed is None:
            break
        value, at = parsed
        values.append(value)
    return values, text[at:]


def _after_separators(text: str, at: int) -> int:
    found = _SEPARATORS.match(text, at)
    return at if found is None else found.end()


def parse_at(text: str, at: int) -> tuple[object, int] | None:
    """Return the object or list at a place of a text, and its end; None if there is none."""
    if not text.startswith(("{", "["), at):
        return None
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None


def _decode_bytes(data: bytes) -> str:
    return data.decode(json.detect_encoding(data), "surrogatepass")


def _parse_text(text: str) -> object:
    text = text.removeprefix("\ufeff")
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError:
        raise
    except ValueError:  # an integer of more digits than int() takes
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
_CARELESS_DECODER: Final = json.JSONDecoder(
    parse_float=_float_or_digits, parse_constant=str, parse_int=_int_or_digits, strict=False
)

_WHITESPACE: Final = " \t\n\r"
_SEPARATORS: Final = re.compile("[ \t\r\n,\x1e\ufeff]*")

# An integer of more than 64 bits has at least 19 digits.
_LONG_NUMBER: Final = b"0" * 19
_DIGITS_AS_ZEROS: Final = bytes(
    ord("0") if chr(byte) in "0123456789" else ord(" ") for byte in range(256)
)
