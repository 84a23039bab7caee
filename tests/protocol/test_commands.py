"""Encoding of commands as wire events, and validation of their fields."""

from __future__ import annotations

import json
from types import MappingProxyType
from typing import Any, get_args

import pytest

from chatfsm import commands, encode

# Commands with all fields, and their wire events.
FULL: list[tuple[commands.Command, dict[str, Any]]] = [
    (
        commands.SendText("hi", "<b>hi</b>", msg_id="1"),
        {"event": "chat_session_message", "msg": "<b>hi</b>", "msg_text": "hi", "msg_id": "1"},
    ),
    (
        commands.SendFile("F1", "image", "cat.png", msg_id="3"),
        {
            "event": "chat_session_file",
            "msg_id": "3",
            "file_id": "F1",
            "file_type": "image",
            "file_name": "cat.png",
        },
    ),
    (
        commands.SendLocation(52.5, -13.25, "https://maps.example/1", msg_id="5"),
        {
            "event": "chat_session_location",
            "msg_id": "5",
            "latitude": 52.5,
            "longitude": -13.25,
            "url": "https://maps.example/1",
        },
    ),
    (
        commands.SendNavigation("https://shop.example/", "Shop", msg_id="7"),
        {
            "event": "chat_session_navigation",
            "msg_id": "7",
            "page": "https://shop.example/",
            "title": "Shop",
        },
    ),
    (commands.StartTyping("hel"), {"event": "chat_session_typing", "msg": "hel"}),
    (commands.StopTyping(), {"event": "chat_session_not_typing"}),
    (
        commands.SubmitForm("7", {"mood": "good"}, form_name="survey"),
        {
            "event": "chat_session_form_data",
            "form_request_id": "7",
            "form_name": "survey",
            "data": {"mood": "good"},
        },
    ),
    (
        commands.SubmitForm("8", {"pin": "1"}, form_name="card", secure=True),
        {
            "event": "chat_session_secure_form_data",
            "form_request_id": "8",
            "form_name": "card",
            "data": {"pin": "1"},
        },
    ),
    (
        commands.CancelForm("7", form_name="survey"),
        {"event": "chat_form_data_cancel", "form_request_id": "7", "form_name": "survey"},
    ),
    (
        commands.CancelForm("8", form_name="card", secure=True),
        {"event": "chat_session_secure_form_cancel", "form_request_id": "8", "form_name": "card"},
    ),
    (
        commands.MarkDelivered("2"),
        {"event": "chat_session_message_delivered", "ref_msg_id": "2"},
    ),
    (commands.MarkRead("2"), {"event": "chat_session_message_read", "ref_msg_id": "2"}),
    (commands.Disconnect(), {"event": "chat_session_disconnect"}),
    (commands.End(), {"event": "chat_session_end"}),
    (
        commands.CobrowsingReply(
            "started", "acme", "https://together.example/1", "CB1", msg_id="9"
        ),
        {
            "event": "chat_session_cobrowsing_started",
            "msg_id": "9",
            "provider_type": "acme",
            "cobrowsing_url": "https://together.example/1",
            "cobrowsing_id": "CB1",
        },
    ),
    (
        commands.CobrowsingReply("rejected", msg_id="9"),
        {"event": "chat_session_cobrowsing_rejected", "msg_id": "9"},
    ),
    (
        commands.CobrowsingReply("ended", msg_id="9"),
        {"event": "chat_session_cobrowsing_ended", "msg_id": "9"},
    ),
]

# Commands that are signals, and the data of their wire events.
SIGNALS: list[tuple[Any, dict[str, Any], dict[str, Any]]] = [
    (commands.RequestCall, {"video": True}, {"type": "REQUEST_CALL", "offerVideo": True}),
    (commands.RequestCall, {}, {"type": "REQUEST_CALL", "offerVideo": False}),
    (commands.AnswerCall, {"sdp": "v=0"}, {"type": "ANSWER_CALL", "sdp": "v=0"}),
    (
        commands.RejectCall,
        {"reason_code": "busy", "reason": "in a call"},
        {"type": "CALL_REJECTED", "reason_code": "busy", "reason": "in a call"},
    ),
    (commands.RejectCall, {}, {"type": "CALL_REJECTED"}),
    (
        commands.SendCandidate,
        {"candidate": "candidate:1", "sdp_mid": "audio", "sdp_m_line_index": 0},
        {
            "type": "ICE_CANDIDATE",
            "candidate": "candidate:1",
            "sdpMid": "audio",
            "sdpMLineIndex": 0,
        },
    ),
    (commands.SendCandidate, {"candidate": ""}, {"type": "ICE_CANDIDATE", "candidate": ""}),
    (commands.EndCall, {}, {"type": "END_CALL"}),
    (
        commands.RequestPhoneCall,
        {"number": "+1 555 0100"},
        {"type": "REQUEST_PHONE_CALL", "number": "+1 555 0100"},
    ),
    (
        commands.RequestSms,
        {"number": "+1 555 0100"},
        {"type": "REQUEST_SMS", "number": "+1 555 0100"},
    ),
]

BARE: list[tuple[commands.Command, dict[str, Any]]] = [
    (commands.SendText("hi"), {"event": "chat_session_message", "msg": "hi"}),
    (commands.SendText(""), {"event": "chat_session_message", "msg": ""}),
    (
        commands.SendText("yes", directive_id="d-1"),
        {"event": "chat_session_message", "msg": "yes", "directive_id": "d-1"},
    ),
    (
        commands.SendFile("F1", "attachment"),
        {"event": "chat_session_file", "file_id": "F1", "file_type": "attachment"},
    ),
    (
        commands.SendFile("F1", "image", msg_id=""),
        {"event": "chat_session_file", "file_id": "F1", "file_type": "image", "msg_id": ""},
    ),
    (
        commands.SendLocation(0, 0),
        {"event": "chat_session_location", "latitude": 0, "longitude": 0},
    ),
    (
        commands.SendNavigation("https://shop.example/"),
        {"event": "chat_session_navigation", "page": "https://shop.example/"},
    ),
    (commands.StartTyping(), {"event": "chat_session_typing"}),
    (
        commands.SubmitForm("7", {}),
        {"event": "chat_session_form_data", "form_request_id": "7", "data": {}},
    ),
    (
        commands.SubmitForm("7", {"text": "hi"}, form_name=""),
        {
            "event": "chat_session_form_data",
            "form_request_id": "7",
            "form_name": "",
            "data": {"text": "hi"},
        },
    ),
    (commands.CancelForm("7"), {"event": "chat_form_data_cancel", "form_request_id": "7"}),
    (
        commands.CobrowsingReply("started"),
        {"event": "chat_session_cobrowsing_started"},
    ),
]


@pytest.mark.parametrize(("command", "wire"), FULL)
def test_full_command(command: commands.Command, wire: dict[str, Any]) -> None:
    """A command with all fields is encoded to exactly this wire event."""
    assert encode(command) == wire


@pytest.mark.parametrize(("command", "wire"), BARE)
def test_bare_command(command: commands.Command, wire: dict[str, Any]) -> None:
    """A field that is None is absent from the wire, and an empty one is present."""
    assert encode(command) == wire


@pytest.mark.parametrize(("cls", "fields", "data"), SIGNALS)
def test_signal_command(cls: Any, fields: dict[str, Any], data: dict[str, Any]) -> None:
    """A signal is a signaling event, with the destination of the command, if any."""
    addressed = cls(**fields, msg_id="11", destination_party_id="P1")

    assert encode(cls(**fields)) == {"event": "chat_session_signaling", "data": data}
    assert encode(addressed) == {
        "event": "chat_session_signaling",
        "msg_id": "11",
        "destination_party_id": "P1",
        "data": data,
    }


def test_every_command_is_covered() -> None:
    """Every command of the union has a wire event."""
    encoded_types = {type(command) for command, _ in FULL} | {cls for cls, _, _ in SIGNALS}

    assert encoded_types == set(get_args(commands.Command))


@pytest.mark.parametrize(("command", "wire"), [*FULL, *BARE])
def test_wire_is_json(command: commands.Command, wire: dict[str, Any]) -> None:
    """A wire event is strict JSON."""
    assert json.loads(json.dumps(encode(command), allow_nan=False)) == wire


def test_answers_in_any_mapping() -> None:
    """Answers may be any mapping, and are encoded as JSON."""
    command = commands.SubmitForm("7", MappingProxyType({"mood": "good"}))

    assert json.loads(json.dumps(encode(command)))["data"] == {"mood": "good"}


@pytest.mark.parametrize(
    "thing", [None, 5, "End", {"event": "chat_session_end"}, commands.End, object()]
)
def test_an_object_that_is_not_a_command(thing: Any) -> None:
    """An object that is not a command raises `TypeError` with its type."""
    with pytest.raises(TypeError, match=rf"not {type(thing).__name__}$"):
        encode(thing)


@pytest.mark.parametrize("kind", ["image/png", "application/pdf", "IMAGE", "", None, 5, "file"])
def test_file_type(kind: Any) -> None:
    """The file_type is image or attachment; a MIME type is refused."""
    with pytest.raises(ValueError, match="file_type"):
        commands.SendFile("F1", kind)


@pytest.mark.parametrize(("latitude", "longitude"), [(90, 180), (-90, -180), (0.0, 0.0)])
def test_coordinates(latitude: float, longitude: float) -> None:
    """The poles and the date line are valid coordinates."""
    command = commands.SendLocation(latitude, longitude)

    assert (command.latitude, command.longitude) == (latitude, longitude)


OUT_OF_RANGE = [
    (91, 0, "latitude"),
    (-90.5, 0, "latitude"),
    (0, 181, "longitude"),
    (0, -180.5, "longitude"),
    (float("nan"), 0, "latitude"),
    (0, float("nan"), "longitude"),
    (float("inf"), 0, "latitude"),
    (0, float("-inf"), "longitude"),
    (10**400, 0, "latitude"),
    (0, 10**400, "longitude"),
]


@pytest.mark.parametrize(
    ("latitude", "longitude", "field"), OUT_OF_RANGE, ids=lambda part: str(part)[:8]
)
def test_coordinates_out_of_range(latitude: float, longitude: float, field: str) -> None:
    """Coordinates out of range are refused; the error has the field."""
    with pytest.raises(ValueError, match=f"^{field} must be from"):
        commands.SendLocation(latitude, longitude)


def test_coordinates_of_thousands_of_digits() -> None:
    """Coordinates of thousands of digits are refused; the error has the field."""
    with pytest.raises(ValueError, match=r"^latitude must be .* not an integer of thousands"):
        commands.SendLocation(10**5000, 0)


@pytest.mark.parametrize("degrees", ["52.5", None, [1]])
def test_coordinates_that_are_not_numbers(degrees: Any) -> None:
    """Coordinates that are not numbers raise `TypeError`."""
    with pytest.raises(TypeError):
        commands.SendLocation(degrees, 0)
    with pytest.raises(TypeError):
        commands.SendLocation(0, degrees)


REQUIRED: list[tuple[Any, dict[str, Any], str]] = [
    (commands.SendFile, {"file_type": "image"}, "file_id"),
    (commands.SendNavigation, {}, "page"),
    (commands.SubmitForm, {"data": {}}, "request_id"),
    (commands.CancelForm, {}, "request_id"),
    (commands.MarkDelivered, {}, "msg_id"),
    (commands.MarkRead, {}, "msg_id"),
    (commands.AnswerCall, {}, "sdp"),
    (commands.RequestPhoneCall, {}, "number"),
    (commands.RequestSms, {}, "number"),
]


@pytest.mark.parametrize(
    ("cls", "rest", "field"),
    REQUIRED,
    ids=[f"{cls.__name__}-{field}" for cls, _, field in REQUIRED],
)
@pytest.mark.parametrize("value", ["", None, 5, b"x", ["x"]])
def test_required_ids(cls: Any, rest: dict[str, Any], field: str, value: Any) -> None:
    """A required id of a command is a text that is not empty."""
    with pytest.raises(ValueError, match=f"^{field} must be a non-empty string, not"):
        cls(**rest, **{field: value})


TEXTS: list[tuple[Any, dict[str, Any], str]] = [
    (commands.SendText, {}, "text"),
    (commands.SendText, {"text": "hi"}, "html"),
    (commands.SendText, {"text": "hi"}, "msg_id"),
    (commands.SendText, {"text": "hi"}, "directive_id"),
    (commands.SendFile, {"file_id": "F1", "file_type": "image"}, "file_name"),
    (commands.SendLocation, {"latitude": 0, "longitude": 0}, "url"),
    (commands.SendNavigation, {"page": "p"}, "title"),
    (commands.StartTyping, {}, "draft"),
    (commands.SubmitForm, {"request_id": "7", "data": {}}, "form_name"),
    (commands.CancelForm, {"request_id": "7"}, "form_name"),
    (commands.EndCall, {}, "destination_party_id"),
    (commands.RejectCall, {}, "reason_code"),
    (commands.RejectCall, {}, "reason"),
    (commands.SendCandidate, {}, "candidate"),
    (commands.SendCandidate, {"candidate": "c"}, "sdp_mid"),
    (commands.CobrowsingReply, {"state": "started"}, "provider_type"),
    (commands.CobrowsingReply, {"state": "started"}, "cobrowsing_url"),
    (commands.CobrowsingReply, {"state": "started"}, "cobrowsing_id"),
]


@pytest.mark.parametrize(
    ("cls", "rest", "field"), TEXTS, ids=[f"{cls.__name__}-{field}" for cls, _, field in TEXTS]
)
@pytest.mark.parametrize("value", [5, b"x", ["x"]])
def test_text_fields(cls: Any, rest: dict[str, Any], field: str, value: Any) -> None:
    """A text field of a command refuses other types."""
    with pytest.raises((TypeError, ValueError)):
        cls(**rest, **{field: value})


@pytest.mark.parametrize("cls", [commands.SendText, commands.SendCandidate])
def test_required_texts(cls: Any) -> None:
    """A required text of a command cannot be None."""
    with pytest.raises(TypeError):
        cls(None)


@pytest.mark.parametrize(
    ("cls", "rest", "field"),
    [
        (commands.RequestCall, {}, "video"),
        (commands.SubmitForm, {"request_id": "7", "data": {}}, "secure"),
        (commands.CancelForm, {"request_id": "7"}, "secure"),
    ],
)
@pytest.mark.parametrize("value", ["false", 5])
def test_boolean_fields(cls: Any, rest: Any, field: str, value: Any) -> None:
    """A boolean field refuses texts and numbers, which would be true whatever their content."""
    with pytest.raises((TypeError, ValueError)):
        cls(**rest, **{field: value})


@pytest.mark.parametrize("answers", [None, [], "mood=good", 5, [("mood", "good")]])
def test_answers_must_be_a_mapping(answers: Any) -> None:
    """Answers are a mapping, and nothing else."""
    with pytest.raises(TypeError, match=r"^data must be a mapping"):
        commands.SubmitForm("7", answers)


@pytest.mark.parametrize("index", [-1, "0", 0.5, float("nan"), float("inf")])
def test_line_index(index: Any) -> None:
    """A line index is an integer from 0."""
    with pytest.raises((TypeError, ValueError)):
        commands.SendCandidate("c", sdp_m_line_index=index)


@pytest.mark.parametrize("state", ["requested", "Started", "", None, 5])
def test_cobrowsing_states(state: Any) -> None:
    """The customer can reject, start and end co-browsing, and not request it."""
    with pytest.raises(ValueError, match="state"):
        commands.CobrowsingReply(state)


@pytest.mark.parametrize(
    "command",
    [
        commands.SubmitForm("7", {"pin": "my secret"}),
        commands.SubmitForm("7", {"pin": "my secret"}, form_name="card", secure=True),
        commands.AnswerCall("v=0 my secret"),
    ],
)
def test_secrets_in_no_repr(command: commands.Command) -> None:
    """Answers of forms and session descriptions are encoded, and are in no repr."""
    assert "secret" in json.dumps(encode(command))
    assert "secret" not in repr(command)


def test_fields_that_the_session_sets_are_keyword_only() -> None:
    """Fields that the session sets are keyword-only."""
    with pytest.raises(TypeError):
        commands.EndCall("11")
    with pytest.raises(TypeError):
        commands.CancelForm("7", "survey")


def test_text_of_a_message() -> None:
    """HTML is encoded as msg, with the plain text beside it."""
    plain, rich = commands.SendText("hi"), commands.SendText("hi", "<b>hi</b>")

    assert (plain.body, plain.plain) == ("hi", None)
    assert (rich.body, rich.plain) == ("<b>hi</b>", "hi")


@pytest.mark.parametrize(("command", "_wire"), [*FULL, *BARE])
def test_commands_are_values(command: Any, _wire: dict[str, Any]) -> None:
    """A command is hashable and immutable."""
    assert hash(command) == hash(command)
    with pytest.raises(AttributeError):
        command.msg_id = "2"
