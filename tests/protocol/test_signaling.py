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
    """Lists in lists, so many of them."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize("kind", SIGNALS)
@pytest.mark.parametrize("form", [lambda data: data, json.dumps], ids=["object", "text"])
def test_signal(kind: str, form: Any) -> None:
    """A signal is its type's class, whether data is an object or the JSON text of one."""
    fields, expected = SIGNALS[kind]

    event = decoded_signal(form({"type": kind, **fields}))

    assert event == events.Signaling(expected)


@pytest.mark.parametrize("kind", SIGNALS)
def test_bare_signal(kind: str) -> None:
    """Every field of a signal may be missing."""
    _, full = SIGNALS[kind]

    assert decoded_signal({"type": kind}) == events.Signaling(type(full)())


@pytest.mark.parametrize("kind", SIGNALS)
def test_unknown_fields(kind: str) -> None:
    """Unknown fields of a signal are kept with it."""
    fields, _ = SIGNALS[kind]
    more = {"event": "x", "extra": 1, "none": None}

    signal = decoded_signal({"type": kind, **fields, **more}).signal

    assert signal.extra == more


def test_types_of_signals() -> None:
    """The codec knows the types of the protocol, and each class of the union is met."""
    assert set(codec.SIGNALS) == set(SIGNALS)
    met = {type(signal) for _, signal in SIGNALS.values()} | {signaling.UnknownSignal}
    assert met == set(get_args(signaling.Signal))


@pytest.mark.parametrize(
    ("came", "flag"),
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
def test_offer_video(kind: str, came: object, flag: bool | None) -> None:
    """Whether video is offered is a truth value or the word for it."""
    signal = decoded_signal({"type": kind, "offerVideo": came}).signal

    assert signal.offer_video is flag
    assert signal.extra == {}


@pytest.mark.parametrize("came", [1, 0, "yes", [], {"video": True}])
def test_unusable_offer_video(came: object) -> None:
    """What is neither true nor false is kept, and the request is decoded."""
    signal = decoded_signal({"type": "REQUEST_CALL", "offerVideo": came}).signal

    assert signal == signaling.CallRequest(extra={"offerVideo": came})


@pytest.mark.parametrize(
    ("came", "index"), [(0, 0), ("0", 0), (1, 1), ("1", 1), (1.0, 1), ("", None), (None, None)]
)
def test_line_index(came: object, index: int | None) -> None:
    """The line index of a candidate is a number or its text."""
    signal = decoded_signal({"type": "ICE_CANDIDATE", "sdpMLineIndex": came}).signal

    assert signal == signaling.IceCandidate(sdp_m_line_index=index)
    assert type(signal.sdp_m_line_index) is type(index)


@pytest.mark.parametrize("came", [0.5, "first", True, [0]])
def test_unusable_line_index(came: object) -> None:
    """A line index that is no whole number is kept, and the candidate is decoded."""
    signal = decoded_signal(
        {"type": "ICE_CANDIDATE", "candidate": "c", "sdpMLineIndex": came}
    ).signal

    assert signal == signaling.IceCandidate("c", extra={"sdpMLineIndex": came})


def test_last_candidate() -> None:
    """An empty candidate, which means the last one, stays empty."""
    signal = decoded_signal({"type": "ICE_CANDIDATE", "candidate": "", "sdpMid": ""}).signal

    assert signal == signaling.IceCandidate("", "")


def test_too_long_candidate() -> None:
    """A candidate of more characters than a candidate can have is not used, and kept."""
    long = "c" * 4_097

    signal = decoded_signal({"type": "ICE_CANDIDATE", "candidate": long}).signal

    assert signal == signaling.IceCandidate(extra={"candidate": long})


@pytest.mark.parametrize("kind", ["OFFER_CALL", "ANSWER_CALL"])
@pytest.mark.parametrize("sdp", ["", "v=0\r\n" * 2_000])
def test_length_of_sdp(kind: str, sdp: str) -> None:
    """A session description may be empty, and may be long."""
    assert decoded_signal({"type": kind, "sdp": sdp}).signal.sdp == sdp


def test_numbers_as_text() -> None:
    """Codes and numbers that come as numbers are their digits."""
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
    """A signal that does not say its type in a word has none, and is kept whole."""
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
    """Signaling whose data is no object, nor the text of one, is malformed and kept."""
    event = decoded_signal(data)

    assert event == events.Malformed(
        "chat_session_signaling", {"event": "chat_session_signaling", "data": data}, why
    )


def test_null_data() -> None:
    """Signaling whose data is null is malformed and names the field."""
    event = decoded_signal(None)

    assert isinstance(event, events.Malformed)
    assert event.why.startswith("data ")


@pytest.mark.parametrize("form", [lambda data: data, json.dumps], ids=["object", "text"])
@pytest.mark.parametrize("kind", [*SIGNALS, "HOLD_CALL"])
def test_too_deep(kind: str, form: Any) -> None:
    """A signal that would keep something nested too deep is malformed; 31 levels are fine."""
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
    """A session description is shown by no repr, of an offer or of an answer."""
    for kind in ("OFFER_CALL", "ANSWER_CALL"):
        event = decoded_signal({"type": kind, "sdp": "v=0 my secret"})

        assert event.signal.sdp == "v=0 my secret"
        assert "secret" not in repr(event)


def test_sdp_of_an_unknown_signal_in_no_repr() -> None:
    """A session description is shown by no repr, also where the signal's type is unknown."""
    event = decoded_signal({"type": "OFFER_CALL_AGAIN", "sdp": "v=0 my secret"})

    assert "secret" not in repr(event)


@pytest.mark.parametrize("kind", ["OFFER_CALL", "ANSWER_CALL"])
def test_unusable_sdp_in_no_repr(kind: str) -> None:
    """A session description that cannot be used is kept, and shown by no repr either."""
    event = decoded_signal({"type": kind, "sdp": ["v=0 my secret"]})

    assert event.signal.extra == {"sdp": ["v=0 my secret"]}
    assert "secret" not in repr(event)


def test_signals_are_values() -> None:
    """Equal signals are equal and hash alike."""
    data = {"type": "HOLD_CALL", "for": [5]}

    assert decoded_signal(data) == decoded_signal(dict(data))
    assert hash(decoded_signal(data)) == hash(decoded_signal(dict(data)))
