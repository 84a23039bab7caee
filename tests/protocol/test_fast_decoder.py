"""The fast decoders, joint parsing and orjson give the same events as the general path."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import UserDict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import DecodeError, decode, decode_lines, effects, events
from chatfsm._protocol import codec, json_input
from chatfsm._protocol import lines as lines_module
from chatfsm.testing.strategies import odd_wire_events, wire_events

STANDARD = "the standard library"


@pytest.fixture(params=[STANDARD, "orjson", "msgspec"])
def parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With msgspec and orjson, with orjson alone, and with neither."""
    loads = None if request.param == STANDARD else pytest.importorskip("orjson").loads
    monkeypatch.setattr(json_input, "_loads", loads)
    if request.param != "msgspec":
        monkeypatch.setattr(codec, "typed_parser", no_typed_parser)
        monkeypatch.setattr(lines_module, "typed_parser", no_typed_parser)
    return str(request.param)


def no_typed_parser() -> None:
    """Replace `typed_parser` as if msgspec were not installed."""


def slow_decode(item: Any) -> events.Event:
    """Decode an item with the general path."""
    return codec._slow_decode(item)


@given(st.one_of(wire_events(), odd_wire_events()))
def test_the_fast_path_gives_what_the_general_path_gives(item: Any) -> None:
    """The fast path gives the same event, field by field, or None."""
    fast = codec.fast_decode(item)
    if fast is not None:
        found = slow_decode(item)
        assert type(fast) is type(found)
        assert fast == found
        assert repr(fast) == repr(found)


@pytest.mark.parametrize("name", sorted(codec._FAST_DECODERS))
def test_most_captured_events_take_the_fast_path(name: str) -> None:
    """Captured events take the fast path; only those with nested objects need the general one."""
    needs_general_path = {"chat_session_signaling"}
    fields = {
        spec.names[0]: "5" for spec in codec.SCHEMAS[codec.EVENTS[name]] if spec.names[0] != "event"
    }
    fields.pop("attachments", None)
    item = {"event": name, **fields}
    assert (codec.fast_decode(item) is None) == (name in needs_general_path)


def check_fast_path(item: Any) -> None:
    """Assert that the fast path gives the event of the general path, or None."""
    fast = codec.fast_decode(item)
    if fast is not None:
        found = slow_decode(item)
        assert type(fast) is type(found)
        assert repr(fast) == repr(found)


BOUNDARY_VALUES = (
    *(None, "", "0", "5", 5, 5.0, True, False, b"5", ["5"], {"a": "5"}, -1, "-1", "-0", "-0.0"),
    *(
        "5 ",
        "\u0665",
        "1_0",
        "nan",
        "NaN",
        "inf",
        "-inf",
        "1e999",
        "1e308",
        10**400,
        "1e11",
        "1e14",
    ),
    *("99999999999", "99999999999.9", "100000000000", "1740992400000", "99999999999999.9", 1e11),
    *("x" * length for length in (1_023, 1_024, 1_025, 4_095, 4_096, 4_097)),
)


@pytest.mark.parametrize("name", sorted(codec._FAST_DECODERS))
def test_the_fast_path_has_the_bounds_of_the_general_path(name: str) -> None:
    """Each bound of each field is tested, with the other fields present and absent."""
    names = [name for spec in codec.SCHEMAS[codec.EVENTS[name]] for name in spec.names]
    complete = {spec.names[0]: "5" for spec in codec.SCHEMAS[codec.EVENTS[name]]}
    needed = {key: "5" for key in names if key in {"state", "party_id", "file_id"} or "_id" in key}
    for others in ({}, needed, complete, dict.fromkeys(names), dict.fromkeys(names, "")):
        check_fast_path(others | {"event": name})
        check_fast_path(others | {"event": name, "unknown": "5"})
        for field in {*names, "unknown"} - {"event"}:
            check_fast_path({key: others[key] for key in others if key != field} | {"event": name})
            for value in BOUNDARY_VALUES:
                check_fast_path(others | {"event": name, field: value})


class Subclass(dict[str, Any]):
    """An object of a class that no parser returns."""


@pytest.mark.parametrize(
    "item",
    [
        *(None, 5, "event", b"event", [], ["event"], ("event",), {}, {"event": None}),
        *({"event": []}, {"event": {}}, {"event": 5}, {"event": "unknown"}, {"event": ""}),
        *({"event": "chat_session_end", "msg_id": "7"}, {"event": "chat_session_typing"}),
    ],
)
def test_other_items_take_the_general_path(item: Any) -> None:
    """Such an item is decoded by the general path, alone, in a list, and among lines."""
    assert codec.fast_decode(item) is None
    assert codec.fast_decode_all([{"event": "chat_session_ended"}, item]) == [events.Ended(), None]
    assert repr(codec.decode_item(item)) == repr(slow_decode(item))
    assert repr(decode([item])) == repr([slow_decode(item)])


@pytest.mark.parametrize("kind", [Subclass, UserDict])
def test_an_object_of_another_class_takes_the_general_path(kind: Any) -> None:
    """No parser returns such an object, but a caller may pass one."""
    item = kind(event="chat_session_typing", party_id="ann")
    assert codec.fast_decode(item) is None
    assert repr(codec.decode_item(item)) == repr(slow_decode(item))


texts = st.text(max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
HUGE = 2**64 + 1


@given(values)
def test_orjson_parses_what_the_standard_library_does(value: Any) -> None:
    """The values are equal for any JSON without integers beyond 64 bits, which orjson rounds."""
    pytest.importorskip("orjson")
    text = json.dumps(value)
    if not json_input.has_big_integers(text):
        assert repr(json_input.parse_fast(text)) == repr(json_input.parse(text))


@pytest.mark.parametrize(
    "text",
    [
        *(
            '{"a": NaN}',
            '{"a": 1e400}',
            '{"a": -Infinity}',
            '"\\ud800"',
            "1" * 400,
            "[1,]",
            "{",
            "",
        ),
        *("\ufeff[]", '{"a": 1, "a": 2}', "-0", "-0.0", "1E5", '"\\u0000"', "9" * 5_000),
    ],
)
def test_a_text_that_orjson_refuses_is_parsed(text: str) -> None:
    """Such a text is parsed, or refused with the same error text."""
    pytest.importorskip("orjson")

    def outcome(parse: Any) -> str:
        try:
            return repr(parse(text))
        except DecodeError as error:
            return f"refused: {error}"

    assert outcome(json_input.parse_fast) == outcome(json_input.parse)


@pytest.mark.parametrize("number", [HUGE, -HUGE, 10**30])
def test_a_number_beyond_64_bits_is_not_rounded(number: int, parser: str) -> None:
    """An id may be any number, and unknown fields are kept unchanged."""
    item = {"event": "chat_session_typing", "party_id": number, "extra": number}
    line = json.dumps(item).encode()
    for found in (decode(line), decode(line.decode()), decode_lines(line)):
        [event] = found
        assert isinstance(event, events.Typing)
        assert event.party_id == str(number)
        assert event.extra == {"extra": number}


@pytest.mark.parametrize("text", [b"1", bytearray(b"2" * 18), memoryview(b"x")])
def test_small_numbers_are_not_big_integers(text: Any, parser: str) -> None:
    """Numbers with few digits fit in 64 bits."""
    assert not json_input.has_big_integers(text)


def decode_separately(lines: list[bytes]) -> list[events.Event]:
    """The expected result of `decode_lines`."""
    found: list[events.Event] = []
    for line in lines:
        if line.strip():
            try:
                found += decode(line)
            except DecodeError as error:
                text = line.decode("utf-8", "backslashreplace").rstrip("\r")
                found.append(events.Malformed(None, text, str(error)))
    return found


broken = st.sampled_from(
    [
        *(b"", b"  ", b"\r", b"{", b"}", b"[", b"]", b'{"a": "x', b'y"}', b"5", b'"x"', b"\xff"),
        *(
            b'{"a": [{}',
            b"{}, {}]}",
            b'{"a": {}',
            b'"b": 1}',
            b"{}, {}",
            b'{"events": 1}',
            b"[1, 2",
        ),
    ]
)
good = st.one_of(wire_events(), odd_wire_events()).map(lambda item: json.dumps(item).encode())
listed = st.lists(wire_events(), max_size=2).map(lambda items: json.dumps(items).encode())


@pytest.mark.parametrize("loads", [None, json_input._loads])
@given(st.lists(st.one_of(good, good, listed, broken), max_size=9))
def test_lines_together_give_the_events_of_single_lines(loads: Any, lines: list[bytes]) -> None:
    """This holds for broken lines, pairs of lines that would form one value, and each parser."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_input, "_loads", loads)
        if loads is None:
            patch.setattr(codec, "typed_parser", no_typed_parser)
            patch.setattr(lines_module, "typed_parser", no_typed_parser)
        together = decode_lines(b"\n".join(lines))
        assert [repr(event) for event in together] == [
            repr(event) for event in decode_separately(lines)
        ]


@pytest.mark.parametrize(
    "lines",
    [
        [b"{}", b" ", b"\r", b"{}\r", b"\t{} "],
        [b'{"a": [1', b"2]}", b"5, 6"],
        [b'{"a": [{}', b"{}]}", b"{}, {}"],
        [b'{"a": 1', b'"b": 2}', b"{}, {}"],
        [b'{"a": "', b'"}', b"{}"],
        [b'"["', b'{"a": "]"}', b"[]", b"{}", b'{"a": []}', b"null", b"5"],
        [b"\xef\xbb\xbf{}", b'{"a": NaN}', b'"\\ud800"', b"\xff", b"{}"],
        [],
    ],
)
def test_each_line_has_its_own_value(lines: list[bytes], parser: str) -> None:
    """No line has the value that it would form with the next."""

    def alone(line: bytes) -> object:
        try:
            return json_input.parse(line)
        except DecodeError:
            return None

    assert repr(json_input.parse_lines(lines)) == repr([alone(line) for line in lines])


def test_lines_without_a_list_are_parsed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """All lines without a list are parsed at once."""
    parsed: list[bytes] = []

    def parse(text: bytes) -> object:
        parsed.append(text)
        return json.loads(text)

    monkeypatch.setattr(json_input, "_loads", None)
    monkeypatch.setattr(json_input, "parse_fast", parse)
    lines = [b'{"a": 1}', b'{"a": "[link]"}', b'{"a": 3}', b'{"a": []}', b'{"a": 5}']
    assert json_input.parse_lines(lines) == [json.loads(line) for line in lines]
    assert sorted(map(len, parsed)) == [9, 15, 30]


surroundings = st.sampled_from(("", " ", "\n", "\r\n", "\t", "\0", "\ufeff", "\xa0", ",", "5", "]"))
encodings = st.sampled_from(("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"))


@given(st.builds("{}{}{}".format, surroundings, values.map(json.dumps), surroundings), encodings)
def test_plain_texts_and_bytes_are_parsed_as_others(text: str, encoding: str) -> None:
    """The result or the error is the same in any encoding, with any text before and after."""

    class TextSubclass(str):
        """A text of a subclass of `str`."""

        __slots__ = ()

    def outcome(data: Any) -> str:
        try:
            return repr(json_input.parse(data))
        except DecodeError as error:
            return f"refused: {error}"

    assert outcome(text) == outcome(TextSubclass(text))
    data = text.encode(encoding)
    assert outcome(data) == outcome(bytearray(data))


def test_more_lines_than_are_parsed_at_once(parser: str) -> None:
    """Thousands of lines, with a list and a broken one among them."""
    item = {"event": "chat_session_typing", "party_id": "ann"}
    lines = [json.dumps(item).encode()] * 2_000
    lines[700] = json.dumps([item, item]).encode()
    lines[1_500] = b"{"
    found = decode_lines(b"\n".join(lines))
    assert len(found) == 2_001
    assert [type(event) for event in found if not isinstance(event, events.Typing)] == [
        events.Malformed
    ]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_lines_in_another_encoding_are_split_at_the_byte_of_a_line_feed(
    encoding: str, parser: str
) -> None:
    """Such lines are not supported: most become `Malformed`, as if each were decoded alone."""
    item = json.dumps({"event": "chat_session_typing", "party_id": "ann"})
    data = f"{item}\n\n{item}\n".encode(encoding)
    assert decode_lines(data) == decode_separately(data.split(b"\n"))


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_the_line_end_is_not_part_of_a_line(end: bytes, parser: str) -> None:
    """The line end is neither in the text of a broken line nor in the error about it."""
    line = b'{"event": "chat_session_typing", "party_id": "ann"}'
    broken = b'{"event": "chat_session_typing", "party_id": "an'
    found = decode_lines(end.join([broken + end, line, b"", broken, line]) + end)
    assert found == decode_separately(
        (end.join([broken + end, line, b"", broken, line]) + end).split(b"\n")
    )


def test_without_orjson_the_standard_library_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package orjson is optional."""
    monkeypatch.setitem(sys.modules, "orjson", None)
    spec = importlib.util.spec_from_file_location("json_text_alone", json_input.__file__)
    assert spec is not None
    assert spec.loader is not None
    alone = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(alone)
    assert alone._loads is None
    assert alone.parse_fast(b'{"a": [1, NaN]}') == {"a": [1, "NaN"]}
    assert not alone.has_big_integers(str(HUGE))


def test_effects_show_their_fields_and_are_frozen() -> None:
    """The repr of an effect has its class and its fields; an effect is frozen."""
    effect = effects.TypingStarted("ann", replayed=True)
    assert repr(effect) == "TypingStarted(party_id='ann')"
    with pytest.raises(AttributeError):
        effect.party_id = "bob"  # type: ignore[misc]
