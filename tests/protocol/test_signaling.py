"""Call signaling: the `data` of a signaling event."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from chatfsm import decode, events, signaling
from chatfsm._protocol import codec

SIGNALS: dict[str, tuple[dict[str, Any], signaling.Signal]] = {
    "REQUEST_CALL": ({"offerVideo": True}, signaling.CallRequest(offer_video=True)),
    "CALL_REJECTED": (
        {"reason_code": "busy", "reason": "in a call"},
        signaling.CallRejection("busy", "in a call"),
    ),
    "OFFER_CALL": (
        {"sdp": "v=0", "offerVideo": False},
        signaling.CallOffer("v=0", offer_video=False),
    ),
    "ANSWER_CALL": ({"sdp": "v=0"}, signaling.CallAnswer("v=0")),
    "ICE_CANDIDATE": (
        {"candidate": "candidate:1 1 udp", "sdpMid": "audio", "sdpMLineIndex": 0},
        signaling.IceCandidate("candidate:1 1 udp", "audio", 0),
    ),
    "END_CALL": ({}, signaling.CallEnd()),
    "CALL_STATE": (
        {"audioEnabled": True, "videoEnabled": False},
        signaling.CallMedia(audio_enabled=True, video_enabled=False),
    ),
    "REQUEST_PHONE_CALL": ({"number": "+1 555 0100"}, signaling.PhoneCallRequest("+1 555 0100")),
    "REQUEST_SMS": ({"number": "+1 555 0100"}, signaling.SmsRequest("+1 555 0100")),
}


def decoded_signal(data: object) -> Any:
    """Decode a signaling event with that data."""
    (event,) = decode([{"event": "chat_session_signaling", "data": data}])
    return event


def nested(levels: int) -> list[Any]:
    """Lists in lists, `levels` deep."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize("kind", SIGNALS)
@pytest.mark.parametrize("form", [lambda data: data, json.dumps], ids=["object", "text"])
def test_signal(kind: str, form: Any) -> None:
    """A signal is decoded to the class of its type, from an object or from JSON text."""
    fields, expected = SIGNALS[kind]

    event = decoded_signal(form({"type": kind, **fields}))

    assert event == events.Signaling(expected)


@pytest.mark.parametrize("kind", SIGNALS)
def test_bare_signal(kind: str) -> None:
    """Every field of a signal is optional."""
    _, full = SIGNALS[kind]

    assert decoded_signal({"type": kind}) == events.Signaling(type(full)())


@pytest.mark.parametrize("kind", SIGNALS)
def test_unknown_fields(kind: str) -> None:
    """Unknown fields of a signal are kept in its `extra`."""
    fields, _ = SIGNALS[kind]
    more = {"event": "x", "extra": 1, "none": None}

    signal = decoded_signal({"type": kind, **fields, **more}).signal

    assert signal.extra == more


def test_types_of_signals() -> None:
    """The codec knows the types of the protocol, and each class of the union is covered."""
    assert set(codec.SIGNALS) == set(SIGNALS)
    decoded_types = {type(signal) for _, signal in SIGNALS.values()} | {signaling.UnknownSignal}
    assert decoded_types == set(get_args(signaling.Signal))


@pytest.mark.parametrize(
    ("wire_value", "flag"),
    [
        (True, True),
        (False, False),
        ("true", True),
        ("false", False),
        ("True", True),
        ("", None),
        (None, None),
    ],
)
@pytest.mark.parametrize("kind", ["REQUEST_CALL", "OFFER_CALL"])
def test_offer_video(kind: str, wire_value: object, flag: bool | None) -> None:
    """The field offerVideo is a boolean or its text."""
    signal = decoded_signal({"type": kind, "offerVideo": wire_value}).signal

    assert signal.offer_video is flag
    assert signal.extra == {}


@pytest.mark.parametrize("wire_value", [1, 0, "yes", [], {"video": True}])
def test_unusable_offer_video(wire_value: object) -> None:
    """An offerVideo that is not a boolean is kept, and the request is decoded."""
    signal = decoded_signal({"type": "REQUEST_CALL", "offerVideo": wire_value}).signal

    assert signal == signaling.CallRequest(extra={"offerVideo": wire_value})


@pytest.mark.parametrize(
    ("wire_value", "index"),
    [(0, 0), ("0", 0), (1, 1), ("1", 1), (1.0, 1), ("", None), (None, None)],
)
def test_line_index(wire_value: object, index: int | None) -> None:
    """The line index of a candidate is a number or its text."""
    signal = decoded_signal({"type": "ICE_CANDIDATE", "sdpMLineIndex": wire_value}).signal

    assert signal == signaling.IceCandidate(sdp_m_line_index=index)
    assert type(signal.sdp_m_line_index) is type(index)


@pytest.mark.parametrize("wire_value", [0.5, "first", True, [0]])
def test_unusable_line_index(wire_value: object) -> None:
    """A line index that is not an integer is kept, and the candidate is decoded."""
    signal = decoded_signal(
        {"type": "ICE_CANDIDATE", "candidate": "c", "sdpMLineIndex": wire_value}
    ).signal

    assert signal == signaling.IceCandidate("c", extra={"sdpMLineIndex": wire_value})


def test_last_candidate() -> None:
    """An empty candidate, which means the last one, stays empty."""
    signal = decoded_signal({"type": "ICE_CANDIDATE", "candidate": "", "sdpMid": ""}).signal

    assert signal == signaling.IceCandidate("", "")


def test_too_long_candidate() -> None:
    """A candidate that is too long is not used, and kept."""
    long = "c" * 4_097

    signal = decoded_signal({"type": "ICE_CANDIDATE", "candidate": long}).signal

    assert signal == signaling.IceCandidate(extra={"candidate": long})


@pytest.mark.parametrize("kind", ["OFFER_CALL", "ANSWER_CALL"])
@pytest.mark.parametrize("sdp", ["", "v=0\r\n" * 2_000])
def test_length_of_sdp(kind: str, sdp: str) -> None:
    """A session description may be empty, and its length is not limited."""
    assert decoded_signal({"type": kind, "sdp": sdp}).signal.sdp == sdp


def test_numbers_as_text() -> None:
    """Codes and numbers that are numbers on the wire are decoded to their digits."""
    assert decoded_signal({"type": "CALL_REJECTED", "reason_code": 486}).signal.reason_code == "486"
    assert decoded_signal({"type": "REQUEST_SMS", "number": 5550100}).signal.number == "5550100"


@pytest.mark.parametrize("kind", ["HOLD_CALL", "end_call", "", "UNKNOWN"])
def test_unknown_signal(kind: str) -> None:
    """A signal of an unknown type is kept whole."""
    data = {"type": kind, "for": 5}

    assert decoded_signal(data).signal == signaling.UnknownSignal(kind, data)
    assert decoded_signal(json.dumps(data)).signal == signaling.UnknownSignal(kind, data)


@pytest.mark.parametrize("data", [{}, {"type": None}, {"type": 5}, {"type": ["END_CALL"]}])
def test_signal_without_type(data: dict[str, Any]) -> None:
    """A signal without a type, or with a type that is not a text, is kept whole."""
    assert decoded_signal(data).signal == signaling.UnknownSignal(None, data)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (5, "data is not an object"),
        (True, "data is not an object"),
        ([], "data is not an object"),
        ("5", "data is not an object"),
        ("null", "data is not an object"),
        ("[]", "data is not an object"),
        ("", "data is not the JSON text of an object"),
        ("END_CALL", "data is not the JSON text of an object"),
        ('{"type": "END_CALL"', "data is not the JSON text of an object"),
    ],
)
def test_unusable_data(data: object, why: str) -> None:
    """Signaling whose data is neither an object nor the JSON text of one is malformed and kept."""
    event = decoded_signal(data)

    assert event == events.Malformed(
        "chat_session_signaling", {"event": "chat_session_signaling", "data": data}, why
    )


def test_null_data() -> None:
    """Signaling whose data is null is malformed; the error has the field."""
    event = decoded_signal(None)

    assert isinstance(event, events.Malformed)
    assert event.why.startswith("data ")


@pytest.mark.parametrize("form", [lambda data: data, json.dumps], ids=["object", "text"])
@pytest.mark.parametrize("kind", [*SIGNALS, "HOLD_CALL"])
def test_too_deep(kind: str, form: Any) -> None:
    """A signal with a field nested too deep is malformed; 31 levels are accepted."""
    event = decoded_signal(form({"type": kind, "more": nested(33)}))

    assert isinstance(event, events.Malformed)
    assert event.why.startswith("data ")
    assert event.why.endswith("nested deeper than 32 levels")
    assert isinstance(decoded_signal(form({"type": kind, "more": nested(31)})), events.Signaling)


def test_huge_number_in_text() -> None:
    """A huge number in the text of a signal is kept as its digits."""
    digits = "9" * 5_000

    signal = decoded_signal(f'{{"type": "END_CALL", "n": {digits}}}').signal

    assert signal == signaling.CallEnd(extra={"n": digits})


def test_sdp_in_no_repr() -> None:
    """The session description of an offer or an answer is in no repr."""
    for kind in ("OFFER_CALL", "ANSWER_CALL"):
        event = decoded_signal({"type": kind, "sdp": "v=0 my secret"})

        assert event.signal.sdp == "v=0 my secret"
        assert "secret" not in repr(event)


def test_sdp_of_an_unknown_signal_in_no_repr() -> None:
    """The session description of an unknown signal is in no repr."""
    event = decoded_signal({"type": "OFFER_CALL_AGAIN", "sdp": "v=0 my secret"})

    assert "secret" not in repr(event)


@pytest.mark.parametrize("kind", ["OFFER_CALL", "ANSWER_CALL"])
def test_unusable_sdp_in_no_repr(kind: str) -> None:
    """An unusable session description is kept, and is in no repr either."""
    event = decoded_signal({"type": kind, "sdp": ["v=0 my secret"]})

    assert event.signal.extra == {"sdp": ["v=0 my secret"]}
    assert "secret" not in repr(event)


def test_signals_are_values() -> None:
    """Equal signals have equal hashes."""
    data = {"type": "HOLD_CALL", "for": [5]}

    assert decoded_signal(data) == decoded_signal(dict(data))
    assert hash(decoded_signal(data)) == hash(decoded_signal(dict(data)))
