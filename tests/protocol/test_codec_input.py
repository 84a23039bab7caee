"""Inputs of `decode`: accepted types, refused inputs, and broken items among usable ones."""

from __future__ import annotations

import codecs
import json
from typing import Any

import pytest

from chatfsm import ChatError, DecodeError, decode, events

ENDED = {"event": "chat_session_ended"}
TYPING = {"event": "chat_session_typing", "party_id": "Zoë 👋"}
TEXT = json.dumps([ENDED, TYPING], ensure_ascii=False)
DECODED = [events.Ended(), events.Typing("Zoë 👋")]


@pytest.mark.parametrize(
    "data",
    [
        TEXT,
        TEXT.encode(),
        bytearray(TEXT.encode()),
        memoryview(TEXT.encode()),
        memoryview(b"".join(bytes([byte, 0]) for byte in TEXT.encode()))[::2],
        [ENDED, TYPING],
        {"events": [ENDED, TYPING]},
        {"events": [ENDED, TYPING], "session": "C1"},
        json.dumps({"events": [ENDED, TYPING]}),
        f" \r\n\t{TEXT}\n",
    ],
    ids=lambda data: type(data).__name__,
)
def test_kinds_of_input(data: Any) -> None:
    """`decode` accepts text, bytes or parsed JSON, in a list or in an envelope."""
    assert decode(data) == DECODED


@pytest.mark.parametrize("data", [TYPING, json.dumps(TYPING), json.dumps(TYPING).encode()])
def test_one_event(data: Any) -> None:
    """One event alone gives a list of one."""
    assert decode(data) == DECODED[1:]


@pytest.mark.parametrize("data", [[], "[]", {"events": []}, b'{"events":[]}'])
def test_no_events(data: Any) -> None:
    """An empty batch gives no events."""
    assert decode(data) == []


def test_event_with_a_field_named_events() -> None:
    """An object with an event name is that event, also if it has a field `events`."""
    wire = {**ENDED, "events": [TYPING]}

    assert decode(wire) == [events.Ended(extra={"events": [TYPING]})]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"],
)
def test_encodings(encoding: str) -> None:
    """Bytes are decoded in each encoding that any version of JSON allows."""
    assert decode(TEXT.encode(encoding)) == DECODED


def test_byte_order_mark() -> None:
    """A byte order mark is ignored, in bytes and in text."""
    assert decode(codecs.BOM_UTF8 + TEXT.encode()) == DECODED
    assert decode("\ufeff" + TEXT) == DECODED


NO_EVENTS = [
    "5",
    "null",
    "true",
    '"chat_session_ended"',
    "{}",
    '{"events": 5}',
    '{"events": null}',
    '{"events": {"event": "chat_session_ended"}}',
    '{"Events": []}',
    "NaN",
]


@pytest.mark.parametrize("text", NO_EVENTS)
def test_json_without_events(text: str) -> None:
    """JSON without events is refused."""
    for data in (text, text.encode()):
        with pytest.raises(DecodeError, match="neither an event, nor a list"):
            decode(data)


@pytest.mark.parametrize("value", [{}, {"events": 5}, {"events": None}, {"events": ()}])
def test_parsed_without_events(value: Any) -> None:
    """A parsed object without events is refused."""
    with pytest.raises(DecodeError, match="neither an event, nor a list"):
        decode(value)


@pytest.mark.parametrize(
    "data",
    [
        "",
        b"",
        " ",
        "\ufeff",
        codecs.BOM_UTF8,
        b"\x00",
        TEXT[:-1],
        TEXT.encode()[:20],
        "[1] [2]",
        "<html>busy</html>",
        "{'event': 1}",
        '["\x01"]',
        "[1,]",
        '["\\x"]',
    ],
)
def test_input_that_is_not_json(data: Any) -> None:
    """Input that is empty, truncated or not JSON is refused."""
    with pytest.raises(DecodeError, match=r"^not JSON: .* at line 1 column \d+$"):
        decode(data)


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b'["\xff"]', "byte 2 is not utf-8"),
        (b'["\xc3"]', "byte 2 is not utf-8"),
        (b'\xef\xbb\xbf["\xff"]', "byte 2 is not utf-8"),
        ("[]".encode("utf-16") + b"\x00", "byte 6 is not utf-16.*"),
        (b"\x00\x00\x00[\x00\x11\x00\x00", "byte 4 is not utf-32-be"),
    ],
)
def test_bytes_that_are_not_text(data: bytes, place: str) -> None:
    """Bytes in no known encoding are refused, with the position."""
    with pytest.raises(DecodeError, match=f"^not text: {place}$"):
        decode(data)


def test_nested_too_deep_to_parse() -> None:
    """A text nested deeper than the parser allows is refused as a whole."""
    for text in ("[" * 200_000, '{"event":' * 200_000, "[" * 200_000 + "]" * 200_000):
        with pytest.raises(DecodeError, match=r"^not read: nested too deep$"):
            decode(text)


@pytest.mark.parametrize(
    "text", ["my secret", '{"my": "secret', '{"my secret": 5}', '["my secret" 1]']
)
def test_refusals_quote_nothing(text: str) -> None:
    """The error has the position, and quotes nothing of the input."""
    with pytest.raises(DecodeError) as caught:
        decode(text)

    assert "secret" not in str(caught.value)


def test_refusals_are_chat_errors() -> None:
    """`DecodeError` is a `ChatError` and a `ValueError`."""
    with pytest.raises(ChatError):
        decode("")
    with pytest.raises(ValueError, match="not JSON"):
        decode("")


@pytest.mark.parametrize("data", [5, None, 1.5, True, (ENDED,), {"a"}, object()])
def test_wrong_kinds_of_input(data: Any) -> None:
    """Input that is neither text nor bytes nor parsed JSON raises `TypeError`."""
    with pytest.raises(TypeError, match=f"not {type(data).__name__}$"):
        decode(data)


BROKEN = [
    "null",
    "5",
    "[]",
    '"chat_session_ended"',
    "{}",
    '{"event": null}',
    '{"event": ["chat_session_ended"]}',
    '{"event": "chat_session_status"}',
    '{"event": "chat_session_typing", "party_id": {}}',
    '{"event": "chat_session_signaling", "data": "[[["}',
    '{"event": "chat_session_sung"}',
    '{"event": "chat_session_message", "more": ' + "[" * 40 + "]" * 40 + "}",
    '{"event": "chat_session_file", "file_id": ' + "9" * 5_000 + "}",
    '{"event": "chat_session_party_left", "party_id": NaN, "timestamp": 1e999}',
]


@pytest.mark.parametrize("broken", BROKEN)
def test_a_broken_item_affects_no_other(broken: str) -> None:
    """A broken item keeps its position, and the other items are decoded as without it."""
    text = f'{{"events": [{json.dumps(ENDED)}, {broken}, {json.dumps(TYPING)}]}}'

    first, between, last = decode(text)

    assert [first, last] == DECODED
    assert isinstance(between, events.Malformed | events.Unknown | events.PartyLeft)


def test_deep_text_of_a_signal() -> None:
    """A signal with a text nested too deep affects no other item."""
    wire = {"event": "chat_session_signaling", "data": "[" * 200_000}

    first, between, last = decode([ENDED, wire, TYPING])

    assert [first, last] == DECODED
    assert between == events.Malformed(
        "chat_session_signaling", wire, "data is not the JSON text of an object"
    )


def test_huge_number() -> None:
    """An integer of thousands of digits in an unknown field is kept as a text of its digits."""
    digits = "9" * 5_000
    text = f'[{json.dumps(ENDED)}, {{"event": "chat_session_ended", "n": {digits}, "m": 7}}]'

    assert decode(text) == [events.Ended(), events.Ended(extra={"n": digits, "m": 7})]


def test_huge_number_in_known_fields() -> None:
    """A number of thousands of digits is unusable as an id or timestamp, and usable as a text."""
    digits = "9" * 5_000
    text = (
        f'{{"event": "chat_session_message", "msg_id": {digits}, "timestamp": {digits},'
        f' "msg": {digits}}}'
    )

    assert decode(text) == [
        events.Message(msg=digits, extra={"msg_id": digits, "timestamp": digits})
    ]


def test_huge_number_parsed_already() -> None:
    """A huge number from another parser is kept as a number."""
    huge = 10**5_000
    wire = {"event": "chat_session_message", "msg": huge, "msg_id": huge, "timestamp": huge}

    (event,) = decode([wire])

    assert event == events.Message(extra={"msg": huge, "msg_id": huge, "timestamp": huge})


def test_huge_required_number_parsed_already() -> None:
    """A required id that is a huge number makes the event malformed, and is not quoted."""
    (event,) = decode([{"event": "chat_session_typing", "party_id": 10**5_000}])

    assert isinstance(event, events.Malformed)
    assert event.why.startswith("party_id ")
    assert "000000" not in event.why


@pytest.mark.parametrize(
    ("literal", "kept"),
    [
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
        ("1e999", "1e999"),
        ("-1e999", "-1e999"),
    ],
)
def test_numbers_that_json_does_not_have(literal: str, kept: str) -> None:
    """Numbers that JSON does not have are kept as texts, and not used as numbers."""
    text = (
        f'[{{"event": "chat_session_status", "state": "queued", "ewt": {literal},'
        f' "timestamp": {literal}, "n": {literal}}}]'
    )

    assert decode(text) == [
        events.Status("queued", extra={"ewt": kept, "timestamp": kept, "n": kept})
    ]


def test_repeated_keys() -> None:
    """Of repeated keys the last one is used."""
    text = '{"event": "chat_session_sung", "event": "chat_session_ended", "n": 1, "n": 2}'

    assert decode(text) == [events.Ended(extra={"n": 2})]


@pytest.mark.parametrize(
    "data",
    [
        '{"event": "chat_session_message", "msg": "\\ud83d"}',
        b'{"event": "chat_session_message", "msg": "\xed\xa0\xbd"}',
        '{"event": "chat_session_message", "msg": "\ud83d"}',
        '{"event": "chat_session_message", "msg": "\ud83d"}'.encode("utf-16-le", "surrogatepass"),
    ],
    ids=["escaped", "bytes", "text", "utf-16"],
)
def test_lone_surrogates(data: str | bytes) -> None:
    """A lone surrogate is kept as it is."""
    assert decode(data) == [events.Message(msg="\ud83d")]


def test_keys_that_are_not_text() -> None:
    """A parsed object may have keys that JSON does not have."""
    wire: dict[Any, Any] = {"event": "chat_session_ended", 5: "five", None: "none", ("a",): 1}

    assert decode([wire]) == [events.Ended(extra={5: "five", None: "none", ("a",): 1})]


def test_values_that_json_does_not_have() -> None:
    """Values that JSON does not have are kept unchanged."""
    odd = {"msg": b"bytes", "msg_id": {"a", "set"}, "timestamp": (1,), "more": object()}

    (event,) = decode([{"event": "chat_session_message", **odd}])

    assert event == events.Message(extra=odd)


def test_deep_tuple() -> None:
    """Tuples count as levels of nesting too."""
    value: tuple[Any, ...] = ()
    for _ in range(32):
        value = (value,)

    (event,) = decode([{"event": "chat_session_ended", "more": value}])

    assert isinstance(event, events.Malformed)


def test_input_is_not_changed() -> None:
    """`decode` does not change its input."""
    batch = {"events": [{"event": "chat_session_status", "ewt": "", "more": [1]}, 5, {"a": None}]}
    before = json.dumps(batch)

    decode(batch)

    assert json.dumps(batch) == before


def test_order() -> None:
    """Events are in the order of the items."""
    ids = [str(n) for n in range(50)]

    decoded = decode([{"event": "chat_session_typing", "party_id": n} for n in ids])

    assert [event.party_id for event in decoded] == ids
