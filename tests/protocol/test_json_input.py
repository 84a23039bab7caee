"""The JSON parser, for input that is not trusted."""

from __future__ import annotations

import json

import pytest

from chatfsm import DecodeError
from chatfsm._protocol.json_input import parse, parse_leniently, parse_sequence

HUGE = "8" * 5_000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5),
        ("-0", 0),
        ("1.5", 1.5),
        ("1e2", 100.0),
        ("null", None),
        ("true", True),
        ('"x"', "x"),
        ('{"a": [1, {"b": null}]}', {"a": [1, {"b": None}]}),
        (' \n"x"\t', "x"),
        ('{"a": 1, "a": 2}', {"a": 2}),
        ("NaN", "NaN"),
        ("[Infinity, -Infinity]", ["Infinity", "-Infinity"]),
        ("[1e999, -1e999, 1.5]", ["1e999", "-1e999", 1.5]),
        (f"[{HUGE}, -{HUGE}, 5, 1.5, NaN]", [HUGE, f"-{HUGE}", 5, 1.5, "NaN"]),
        (f"{HUGE}.5", f"{HUGE}.5"),
    ],
)
def test_parse(text: str, value: object) -> None:
    """A JSON text gives its value; numbers that JSON does not have, or too large, give texts."""
    assert parse(text) == value
    assert parse(text.encode()) == value
    assert type(parse(text)) is type(value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-32", "utf-32-le"])
@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes(encoding: str, kind: type) -> None:
    """Bytes of any type are parsed in any encoding of JSON."""
    assert parse(kind('{"é": "👋"}'.encode(encoding))) == {"é": "👋"}


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", "line 1 column 1"),
        ('{"a": 1,\n  my secret}', "line 2 column 3"),
        (f"[{HUGE},\n", "line 2 column 1"),
        ("[1] 2", "line 1 column 5"),
    ],
)
def test_error_position(text: str, position: str) -> None:
    """The error has the position, and quotes nothing of the text."""
    with pytest.raises(DecodeError, match=f"^not JSON: .* at {position}$") as caught:
        parse(text)

    assert "secret" not in str(caught.value)
    assert "888" not in str(caught.value)


@pytest.mark.parametrize("text", [f"[{HUGE}", f"{HUGE} {HUGE}", f"[{HUGE}, {'[' * 200_000}"])
def test_huge_number_in_a_broken_text(text: str) -> None:
    """A broken text with a huge number is refused like any other broken text."""
    with pytest.raises(DecodeError, match=r"^not (JSON|read): "):
        parse(text)


def test_deep_text() -> None:
    """A text nested deeper than the parser allows is refused."""
    with pytest.raises(DecodeError, match=r"^not read: nested too deep$"):
        parse("[" * 200_000)


def test_deep_but_readable() -> None:
    """A text nested a hundred levels deep is parsed."""
    text = "[" * 100 + "]" * 100

    assert json.dumps(parse(text)) == text


def test_bytes_that_are_not_text() -> None:
    """Bytes in no known encoding are refused, with the position."""
    with pytest.raises(DecodeError, match=r"^not text: byte 1 is not utf-8$"):
        parse(b'"\xfe"')


@pytest.mark.parametrize("value", [None, 5, [], {}, ("[]",)])
def test_neither_text_nor_bytes(value: object) -> None:
    """Input that is neither text nor bytes raises `TypeError`."""
    with pytest.raises(TypeError, match=f"^data must be bytes or str, not {type(value).__name__}$"):
        parse(value)


def test_cause_is_hidden() -> None:
    """The error does not keep the original error, which contains the whole text."""
    with pytest.raises(DecodeError) as caught:
        parse("my secret")

    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


@pytest.mark.parametrize(
    ("data", "value", "flaw"),
    [
        (b'{"a": "\x01"}', {"a": "\x01"}, "control characters within texts"),
        (b'["\n", NaN, 1e999, -Infinity]', ["\n", "NaN", "1e999", "-Infinity"], "control"),
        (b'["\n", 1' + b"0" * 5_000 + b"]", ["\n", "1" + "0" * 5_000], "control"),
        (b'{"a": "caf\xe9"}', {"a": "caf\ufffd"}, "bytes that are not UTF-8"),
        (b'\xef\xbb\xbf["\n"]', ["\n"], "control characters within texts"),
    ],
)
def test_a_text_with_invalid_characters_is_parsed(data: bytes, value: object, flaw: str) -> None:
    """Invalid characters are accepted, and the flaw is named; non-JSON numbers give texts."""
    found, why = parse_leniently(data)

    assert found == value
    assert why.startswith(flaw)


@pytest.mark.parametrize("data", [b"{", b"[" * 100_000, b"two words", b"\xff\xfe"])
def test_a_text_with_other_errors_is_refused(data: bytes) -> None:
    """Other errors raise `DecodeError`."""
    with pytest.raises(DecodeError, match=r"^not JSON, with or without invalid characters$"):
        parse_leniently(data)


@pytest.mark.parametrize(
    ("data", "values", "rest"),
    [
        (b"", [], ""),
        (b'{"a": 1}{"b": 2}', [{"a": 1}, {"b": 2}], ""),
        (b' \t\r\n,\x1e{"a": 1}\x1e\n{"b": 2} , ', [{"a": 1}, {"b": 2}], ""),
        (b'[{"a": 1},\n{"b": 2},\n', [{"a": 1}, {"b": 2}], ""),
        (b'[{"a": 1}][5]', [[{"a": 1}], [5]], ""),
        (b'{"a": 1} 5 {"b": 2}', [{"a": 1}], '5 {"b": 2}'),
        (b'{"a": 1}{"b', [{"a": 1}], '{"b'),
        (b'{"a": 1}{"b": 2}{"c": 3}{"d": 4}', [{"a": 1}, {"b": 2}, {"c": 3}], '{"d": 4}'),
        (b'\xef\xbb\xbf{"a": 1}', [{"a": 1}], ""),
        (b'{"a": "\xff"}', [], '{"a": "\\xff"}'),
        (b'{"a": "\xed\xa0\x80"}', [{"a": "\ud800"}], ""),
    ],
)
def test_values_in_a_row(data: bytes, values: list[object], rest: str) -> None:
    """Objects and lists are parsed up to the first other value, and three at most."""
    assert parse_sequence(data, 3) == (values, rest)
