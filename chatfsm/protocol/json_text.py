"""JSON from strangers: parsed as far as it can be, refused with a `DecodeError` where it cannot."""

from __future__ import annotations

import json
from math import isfinite
from typing import Final

from chatfsm.errors import DecodeError

__all__ = ["parse"]


def parse(data: bytes | bytearray | memoryview | str) -> object:
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
