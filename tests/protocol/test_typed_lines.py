"""The typed parser gives the events of the general decoder, or leaves the text to it."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import DecodeError, decode, decode_lines, events
from chatfsm._protocol import codec, json_input, lines
from chatfsm._protocol.lines import parse_typed
from chatfsm.testing.strategies import odd_wire_events, wire_events
from tests.protocol.test_fast_decoder import BOUNDARY_VALUES

pytest.importorskip("msgspec")
typed_lines = importlib.import_module("chatfsm._protocol.typed_lines")

Text = bytes | bytearray | memoryview | str
TYPING = {"event": "chat_session_typing", "party_id": "ann"}


def outcome(read: Any, text: Text) -> str:
    """The events that a function decodes, field by field, or the error."""
    try:
        return repr(read(text))
    except DecodeError as error:
        return f"refused: {error}"


def check(text: Text) -> None:
    """Assert that the typed parser gives the events of the general decoder, or the same error."""
    assert outcome(decode, text) == outcome(codec.decode_text, text)


def is_typed(item: dict[str, Any]) -> bool:
    """Whether the typed parser decodes an event."""
    parse = codec.typed_parser()
    assert parse is not None
    [line] = parse_typed([json.dumps(item).encode()], parse)
    return line.event() is not None


junk = st.sampled_from(
    [
        *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b" ", b"\x00", b"\x1f", b"\xff", b"0"),
        *(b"null", b"true", b"NaN", b'""', b'"5"', b"-0", b'"-0"', b"1e400", b"9" * 25, b"[{}]"),
        *(b'"event":"chat_session_typing",', b'"msg":"x",', b'"party_id":null,', b'"new":1.5,'),
        *(b"\\ud800", b"\\u0041", b"\xed\xa0\x80", b"\xef\xbb\xbf", b'"timestamp":"1e11",'),
    ]
)


@st.composite
def damaged_lines(draw: st.DrawFn) -> bytes:
    """A line of a log in which up to three places were overwritten."""
    item = draw(st.one_of(wire_events(), odd_wire_events()))
    line = json.dumps(item, ensure_ascii=draw(st.booleans())).encode("utf-8", "surrogatepass")
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(line)))
        length = draw(st.integers(0, 3))
        line = line[:start] + draw(junk) + line[start + length :]
    return line


@given(damaged_lines())
def test_any_line_gives_the_same_event_with_both_decoders(line: bytes) -> None:
    """Whole, odd or damaged lines, as bytes and as text."""
    check(line)
    check(line.decode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("name", sorted(codec._FAST_DECODERS))
def test_each_field_is_bounded_as_in_the_general_decoder(name: str) -> None:
    """Each bound of each field is tested, with the other fields present and absent."""
    fields = [name for spec in codec.SCHEMAS[codec.EVENTS[name]] for name in spec.names]
    complete = {spec.names[0]: "5" for spec in codec.SCHEMAS[codec.EVENTS[name]]}
    for others in ({}, complete, dict.fromkeys(fields)):
        for field in {*fields, "unknown"} - {"event"}:
            check(
                json.dumps({key: others[key] for key in others if key != field} | {"event": name})
            )
            for value in BOUNDARY_VALUES:
                if not isinstance(value, bytes):
                    check(json.dumps(others | {"event": name, field: value}))


@pytest.mark.parametrize("name", sorted(codec._FAST_DECODERS))
def test_most_captured_events_are_typed(name: str) -> None:
    """Events are typed unless they need a nested object, or a plain number."""
    fields = {
        spec.names[0]: {} if spec.names[0] == "data" else "5"
        for spec in codec.SCHEMAS[codec.EVENTS[name]]
        if spec.names[0] not in {"event", "attachments"}
    }
    needs_general_path = {"chat_session_signaling", "chat_session_location"}
    assert is_typed({"event": name, **fields}) == (name not in needs_general_path)


@pytest.mark.parametrize("at", ["1740992400", 1740992400, 1740992400.5, "1740992400000", 1e12])
def test_times_are_typed_in_seconds_and_in_milliseconds(at: object) -> None:
    """The specification has milliseconds, captured traffic texts of seconds (PROTOCOL.md §2)."""
    assert is_typed(TYPING | {"timestamp": at})
    check(json.dumps(TYPING | {"timestamp": at}))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(TYPING),
        bytearray(json.dumps(TYPING).encode()),
        memoryview(json.dumps(TYPING).encode()),
        memoryview(json.dumps(TYPING).encode() * 2)[::2],
        json.dumps([TYPING, TYPING]),
        json.dumps({"events": [TYPING]}),
        json.dumps({"new": "\ud800", **TYPING}, ensure_ascii=False),
        '{"new": ' + "[" * 2_000 + "]" * 2_000 + ', "event": "chat_session_typing"}',
        "",
    ],
)
def test_any_kind_of_text_is_read(text: Text) -> None:
    """Any type of text, with one event, several, or none."""
    check(text)


@pytest.mark.parametrize("value", [5, None, 1.5])
def test_input_that_is_not_text_is_refused(value: Any) -> None:
    """The error is the same as without msgspec."""
    with pytest.raises(TypeError, match="data must be bytes or str"):
        decode(value)


def test_the_typed_parser_stops_after_many_odd_lines() -> None:
    """A line that is not typed is parsed twice, so after some of them the parser is not tried."""
    tried = []

    def parse(line: Any) -> Any:
        tried.append(line)
        raise ValueError

    odd = [json.dumps(TYPING | {"new": number}).encode() for number in range(100)]
    assert [line.event() for line in parse_typed(odd, parse)] == [None] * 100
    assert len(tried) == 17
    assert decode_lines(b"\n".join(odd)) == [
        events.Typing("ann", extra={"new": number}) for number in range(100)
    ]


def test_an_old_msgspec_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """The errors of msgspec before 0.21 are no ValueError, so `decode` would not catch them."""
    monkeypatch.setattr(typed_lines, "ValidationError", Exception)
    assert codec.typed_parser.__wrapped__() is None


@pytest.mark.parametrize("loads", [None, json_input._loads])
def test_without_msgspec_the_general_decoder_reads_all(
    loads: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This holds with orjson, and with the standard library alone."""
    monkeypatch.setattr(json_input, "_loads", loads)
    monkeypatch.setattr(codec, "_HAS_MSGSPEC", False)
    uncached = codec.typed_parser.__wrapped__
    assert uncached() is None
    for module in (codec, lines):
        monkeypatch.setattr(module, "typed_parser", uncached)
    line = json.dumps(TYPING).encode()
    assert decode(line) == [events.Typing("ann")]
    assert decode_lines(line + b"\n" + line) == [events.Typing("ann")] * 2
