from __future__ import annotations

import json
from math import inf, nan
from typing import TYPE_CHECKING, Any, get_args

import pytest

from chatfsm import effects as e
from chatfsm import events, signaling
from chatfsm.models import ChatMessage, Form, Party, SharedFile, SharedLocation
from tests.session.posting import posting

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness

ANN = Party("ann", "internal", "Ann")
ANN_JSON = {
    "party_id": "ann",
    "type": "internal",
    "display_name": "Ann",
    "first_name": None,
    "last_name": None,
}
FORM = Form("7", "", deadline=12.5)
FORM_JSON = {"request_id": "7", "name": "", "secure": False, "deadline": 12.5}
MESSAGE = events.Message(
    "ann",
    "2",
    "<b>hi</b>",
    "hi",
    "web",
    (events.Attachment("a-1", "text/x", "{}", "card", {"size": 3}),),
    timestamp=100.0,
    extra={"mood": "sunny"},
)
FILE = events.File("f-1", "image", "cat", "4", "ann", timestamp=101.0)
PLACE = events.Location(59.5, -7.0, "https://maps.example/", "6", "chat-1", timestamp=102.0)

EXACT: list[tuple[e.Effect, dict[str, Any]]] = [
    (
        e.StateChanged("queued", "connected"),
        {"effect": "state_changed", "previous": "queued", "state": "connected"},
    ),
    (e.WaitEstimated(5.0), {"effect": "wait_estimated", "seconds": 5.0}),
    (e.PartyAdded(ANN), {"effect": "party_added", "party": ANN_JSON}),
    (e.PartyChanged(ANN), {"effect": "party_changed", "party": ANN_JSON}),
    (e.PartyRemoved(ANN), {"effect": "party_removed", "party": ANN_JSON}),
    (
        e.MessageReceived(ChatMessage(MESSAGE, ANN, own=False)),
        {
            "effect": "message_received",
            "message": {
                "msg_id": "2",
                "party_id": "ann",
                "own": False,
                "sender": ANN_JSON,
                "text": "hi",
                "html": "<b>hi</b>",
                "channel": "web",
                "attachments": [
                    {
                        "id": "a-1",
                        "content_type": "text/x",
                        "content": "{}",
                        "name": "card",
                        "extra": {"size": 3},
                    }
                ],
                "timestamp": 100.0,
                "extra": {"mood": "sunny"},
            },
        },
    ),
    (
        e.MessageEdited("2", "ho", "<b>ho</b>", "ann"),
        {
            "effect": "message_edited",
            "msg_id": "2",
            "text": "ho",
            "html": "<b>ho</b>",
            "party_id": "ann",
        },
    ),
    (
        e.MessageDeleted("2", None),
        {"effect": "message_deleted", "msg_id": "2", "party_id": None},
    ),
    (e.TypingStarted("ann"), {"effect": "typing_started", "party_id": "ann"}),
    (
        e.TypingStopped("ann", "timeout"),
        {"effect": "typing_stopped", "party_id": "ann", "reason": "timeout"},
    ),
    (e.FormOpened(FORM), {"effect": "form_opened", "form": FORM_JSON}),
    (
        e.FormClosed(FORM, "expired"),
        {"effect": "form_closed", "form": FORM_JSON, "reason": "expired"},
    ),
    (e.WarningRaised("still?"), {"effect": "warning_raised", "text": "still?"}),
    (e.WarningCleared(), {"effect": "warning_cleared"}),
    (
        e.SignalReceived("ann", signaling.IceCandidate("a", "0", 1)),
        {
            "effect": "signal_received",
            "party_id": "ann",
            "signal": {
                "signal": "ice_candidate",
                "candidate": "a",
                "sdp_mid": "0",
                "sdp_m_line_index": 1,
                "extra": {},
            },
        },
    ),
    (
        e.CallChanged("idle", "offered"),
        {"effect": "call_changed", "previous": "idle", "state": "offered"},
    ),
    (
        e.FileReceived(SharedFile(FILE, None, own=True)),
        {
            "effect": "file_received",
            "file": {
                "msg_id": "4",
                "party_id": "ann",
                "own": True,
                "sender": None,
                "file_id": "f-1",
                "file_type": "image",
                "file_name": "cat",
                "timestamp": 101.0,
                "extra": {},
            },
        },
    ),
    (
        e.LocationReceived(SharedLocation(PLACE, None, own=True)),
        {
            "effect": "location_received",
            "location": {
                "msg_id": "6",
                "party_id": "chat-1",
                "own": True,
                "sender": None,
                "latitude": 59.5,
                "longitude": -7.0,
                "url": "https://maps.example/",
                "timestamp": 102.0,
                "extra": {},
            },
        },
    ),
    (
        posting({"event": "chat_session_end"}, msg_id="1"),
        {"effect": "send_events", "events": [{"event": "chat_session_end"}], "msg_ids": ["1"]},
    ),
    (e.MessageSent("1"), {"effect": "message_sent", "msg_id": "1"}),
    (e.MessageFailed("1", "400"), {"effect": "message_failed", "msg_id": "1", "why": "400"}),
    (
        e.MessageUnconfirmed("1", "timeout"),
        {"effect": "message_unconfirmed", "msg_id": "1", "why": "timeout"},
    ),
    (
        e.DeliveryConfirmed("1", "ann"),
        {"effect": "delivery_confirmed", "msg_id": "1", "party_id": "ann"},
    ),
    (e.ReadConfirmed("1", None), {"effect": "read_confirmed", "msg_id": "1", "party_id": None}),
    (e.CaseChanged(None), {"effect": "case_changed", "case_id": None}),
    (e.ServiceNamed("Desk"), {"effect": "service_named", "name": "Desk"}),
    (e.CobrowsingChanged("started"), {"effect": "cobrowsing_changed", "state": "started"}),
    (
        e.UnknownReceived("chat_session_x", {"event": "chat_session_x", "gift": [1]}),
        {
            "effect": "unknown_received",
            "name": "chat_session_x",
            "raw": {"event": "chat_session_x", "gift": [1]},
        },
    ),
    (
        e.Anomaly("malformed", "item: not an object", 7),
        {"effect": "anomaly", "kind": "malformed", "text": "item: not an object", "raw": 7},
    ),
    (
        e.Ignored("late", events.Typing("ann", timestamp=5.0)),
        {
            "effect": "ignored",
            "reason": "late",
            "event": {"event": "typing", "timestamp": 5.0, "extra": {}, "party_id": "ann"},
        },
    ),
    (
        e.Terminated("timed_out", "Bye"),
        {"effect": "terminated", "outcome": "timed_out", "text": "Bye"},
    ),
]

SIGNALS: list[tuple[signaling.Signal, dict[str, Any]]] = [
    (signaling.CallRequest(offer_video=True), {"signal": "call_request", "offer_video": True}),
    (
        signaling.CallRejection("5", "busy"),
        {"signal": "call_rejection", "reason_code": "5", "reason": "busy"},
    ),
    (
        signaling.CallOffer("v=0"),
        {"signal": "call_offer", "sdp": "v=0", "offer_video": None},
    ),
    (signaling.CallAnswer("v=0"), {"signal": "call_answer", "sdp": "v=0"}),
    (signaling.CallEnd(), {"signal": "call_end"}),
    (
        signaling.CallMedia(audio_enabled=True, video_enabled=False),
        {"signal": "call_media", "audio_enabled": True, "video_enabled": False},
    ),
    (signaling.PhoneCallRequest("+1"), {"signal": "phone_call_request", "number": "+1"}),
    (signaling.SmsRequest("+1"), {"signal": "sms_request", "number": "+1"}),
]


def nested(levels: int) -> object:
    """Lists in objects, `levels` deep."""
    value: object = "the innermost"
    for level in range(levels):
        value = [value] if level % 2 else {"in": value}
    return value


class Odd:
    """An object without a JSON form."""

    def __repr__(self) -> str:
        raise AssertionError("repr must not be called")

    __str__ = __repr__


# Values that the wire or a caller may put into uninterpreted fields, and their JSON.
UNINTERPRETED: list[tuple[object, object]] = [
    (nan, "nan"),
    (inf, "inf"),
    (-inf, "-inf"),
    (1.5, 1.5),
    (True, True),
    (None, None),
    ("", ""),
    (-(10**100), -(10**100)),
    (10**5_000, "(a number too long to write)"),
    (-(10**5_000), "(a number too long to write)"),
    ("\ud800 alone", "\ud800 alone"),
    ({"\udfff": "\udfff"}, {"\udfff": "\udfff"}),
    ({1: "a", None: "b", False: "c", 2.5: "d"}, {"1": "a", "None": "b", "False": "c", "2.5": "d"}),
    ({(1, 2): "pair"}, {"[1, 2]": "pair"}),
    ({10**5_000: "x"}, {"(a number too long to write)": "x"}),
    ({nan: "x"}, {"nan": "x"}),
    ((1, (2, 3)), [1, [2, 3]]),
    ({1, 2}, "(set)"),
    (b"bytes", "(bytes)"),
    (Odd(), "(Odd)"),
    ([Odd(), {"odd": Odd()}], ["(Odd)", {"odd": "(Odd)"}]),
    (3j, "(complex)"),
]


@pytest.mark.parametrize(("effect", "plain"), EXACT, ids=[type(it).__name__ for it, _ in EXACT])
def test_an_effect_has_its_json(effect: e.Effect, plain: dict[str, Any]) -> None:
    """Each effect has exactly this JSON, in this order, and it survives a round trip as text."""
    written = e.to_json(effect)

    assert written == plain
    assert list(written) == list(plain)
    assert json.loads(json.dumps(written, allow_nan=False)) == plain


def test_every_effect_is_covered() -> None:
    """The list above contains each effect once, each with its own name."""
    assert {type(effect) for effect, _ in EXACT} == {*get_args(e.Effect)}
    assert len(EXACT) == len(get_args(e.Effect))
    assert len({plain["effect"] for _, plain in EXACT}) == len(EXACT)


@pytest.mark.parametrize(("signal", "plain"), SIGNALS)
def test_a_signal_has_its_json(signal: signaling.Signal, plain: dict[str, Any]) -> None:
    """A signal is written with its name, its fields and its unknown fields."""
    written = e.to_json(e.SignalReceived(None, signal))

    assert written == {
        "effect": "signal_received",
        "party_id": None,
        "signal": {**plain, "extra": {}},
    }


def test_an_unknown_signal_is_written_whole() -> None:
    """A signal of an unknown type is written with all its fields."""
    signal = signaling.UnknownSignal(None, {"mood": nan})

    assert e.to_json(e.SignalReceived(None, signal))["signal"] == {
        "signal": "unknown_signal",
        "type": None,
        "raw": {"mood": "nan"},
    }


def carriers(value: object) -> list[e.Effect]:
    """Every effect with an uninterpreted field, with `value` in it."""
    extra = {"unread": value}
    attachment = events.Attachment(extra=extra)
    return [
        e.UnknownReceived("x", value),
        e.UnknownReceived("x", extra),
        e.Anomaly("malformed", "x", value),
        e.MessageReceived(ChatMessage(events.Message(extra=extra), None, own=False)),
        e.MessageReceived(ChatMessage(events.Message(attachments=(attachment,)), None, own=False)),
        e.FileReceived(SharedFile(events.File("f-1", extra=extra), None, own=False)),
        e.LocationReceived(SharedLocation(events.Location(extra=extra), None, own=False)),
        e.SignalReceived(None, signaling.CallEnd(extra)),
        e.SignalReceived(None, signaling.IceCandidate(extra=extra)),
        e.SignalReceived(None, signaling.UnknownSignal("x", extra)),
    ]


@pytest.mark.parametrize(
    ("value", "written"), UNINTERPRETED, ids=[str(number) for number in range(len(UNINTERPRETED))]
)
def test_uninterpreted_values_are_written_as_json(value: object, written: object) -> None:
    """Uninterpreted values are written as strict JSON, unchanged if they are JSON already."""
    assert e.to_json(e.Anomaly("malformed", "x", value))["raw"] == written
    for effect in carriers(value):
        plain = e.to_json(effect)
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain


@pytest.mark.parametrize("levels", [1_000, 100_000])
def test_a_value_nested_too_deep_is_cut(levels: int) -> None:
    """A value that is nested too deep to write is cut, with a note in its place."""
    for effect in carriers(nested(levels)):
        text = json.dumps(e.to_json(effect), allow_nan=False)
        assert "(nested too deep to write)" in text
        assert "the innermost" not in text


def test_a_value_nested_as_the_codec_allows_is_kept() -> None:
    """A value as deep as the codec accepts is written whole."""
    value = nested(33)

    assert e.to_json(e.UnknownReceived("x", value))["raw"] == value


def test_json_shares_nothing_with_its_effect() -> None:
    """A change of the JSON does not change the effect."""
    raw = {"event": "x", "gift": [1, {"a": 2}]}
    effect = e.UnknownReceived("x", raw)

    written = e.to_json(effect)
    written["raw"]["gift"][1]["a"] = 3
    written["raw"]["gift"].append(4)

    assert raw == {"event": "x", "gift": [1, {"a": 2}]}
    assert e.to_json(effect)["raw"] == raw


@pytest.mark.parametrize(
    "value", [value for value, _ in UNINTERPRETED] + [nested(1_000)], ids=lambda _: "unread"
)
def test_a_session_accepts_uninterpreted_values(harness: Harness, value: object) -> None:
    """Events with uninterpreted values give effects that can be written as JSON."""
    extra = {"unread": value}
    attachments = (events.Attachment(extra=extra),)
    received = [
        events.Message("ann", "2", "hi", attachments=attachments, extra=extra),
        events.Message("ann", "2", "ho", attachments=attachments, extra=extra),
        events.FormShow("7", extra=extra),
        events.FormShow("7", "other", timestamp=1.0, extra=extra),
        events.SecureFormShow("8", extra=extra),
        events.Signaling(signaling.UnknownSignal("x", extra), "4", "ann"),
        events.Signaling(signaling.IceCandidate(extra=extra), "6", "ann"),
        events.Unknown("x", extra),
        events.Malformed("x", value, "odd"),
        events.Malformed(None, value, "odd"),
    ]
    for event in received:
        harness.receive(event)

    for effect in harness.effects:
        plain = e.to_json(effect)
        assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert len(harness.effects) == 12


def test_extreme_numbers_of_the_wire_can_be_written(harness: Harness) -> None:
    """The largest numbers of the wire give effects that can be written as JSON."""
    harness.status("queued", ewt=1.7e308)
    harness.show_form("7", form_timeout="1.7e308")
    harness.feed("location", latitude="-1.7e308", longitude=1e400)
    harness.feed("message", msg=10**300, timestamp=1e400)

    for effect in harness.effects:
        json.dumps(e.to_json(effect), allow_nan=False)
    assert len(harness.effects) == 5


def test_a_deadline_that_overflows_can_be_written(harness: Harness) -> None:
    """A deadline that overflows is written as strict JSON."""
    harness.now = 1e308

    [opened] = harness.show_form("7", form_timeout="1.7e308")

    assert json.dumps(e.to_json(opened), allow_nan=False)
    assert harness.session.deadline is None or harness.session.deadline < inf
