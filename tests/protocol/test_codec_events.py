"""Events of each wire name: full, bare, as captured, and as in the specification."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from chatfsm import DecodeError, decode, events, signaling
from chatfsm._protocol import codec
from chatfsm._protocol.codec import converter, decode_item

AGENT = "80A8248D-69D7-4DA2-8074-6139AA191D7E"
SECONDS = "1614718748"
WHEN = 1614718748.0

Wire = dict[str, Any]


def only(wire: object) -> events.Event:
    """Decode one event, which must be the only one."""
    (event,) = decode([wire])
    return event


def field_names(event: events.Event) -> set[str]:
    """The names of the attributes of an event."""
    return set(event.__slots__) - {"__weakref__"}


FULL: dict[str, tuple[Wire, events.Event]] = {
    "chat_session_status": (
        {"state": "queued", "ewt": "10", "timestamp": SECONDS},
        events.Status("queued", 10.0, timestamp=WHEN),
    ),
    "chat_session_ended": ({"timestamp": SECONDS}, events.Ended(timestamp=WHEN)),
    "chat_session_party_joined": (
        {
            "party_id": AGENT,
            "type": "internal",
            "display_name": "Agent A",
            "first_name": "Agent",
            "last_name": "A",
            "timestamp": SECONDS,
        },
        events.PartyJoined(AGENT, "internal", "Agent A", "Agent", "A", timestamp=WHEN),
    ),
    "chat_session_party_left": (
        {"party_id": AGENT, "type": "internal", "timestamp": SECONDS},
        events.PartyLeft(AGENT, "internal", timestamp=WHEN),
    ),
    "chat_session_message": (
        {
            "party_id": AGENT,
            "msg_id": "2",
            "msg": "Good<br>day",
            "msg_text": "Good\nday",
            "channel": "web",
            "attachments": [
                {"id": "a1", "contentType": "application/json", "content": "{}", "name": "card"}
            ],
            "timestamp": SECONDS,
        },
        events.Message(
            AGENT,
            "2",
            "Good<br>day",
            "Good\nday",
            "web",
            (events.Attachment("a1", "application/json", "{}", "card"),),
            timestamp=WHEN,
        ),
    ),
    "chat_session_message_delivered": (
        {"ref_msg_id": "3", "party_id": AGENT, "timestamp": SECONDS},
        events.MessageDelivered("3", AGENT, timestamp=WHEN),
    ),
    "chat_session_message_read": (
        {"ref_msg_id": "3", "party_id": AGENT, "timestamp": SECONDS},
        events.MessageRead("3", AGENT, timestamp=WHEN),
    ),
    "chat_session_typing": (
        {"party_id": AGENT, "timestamp": SECONDS},
        events.Typing(AGENT, timestamp=WHEN),
    ),
    "chat_session_not_typing": (
        {"party_id": AGENT, "timestamp": SECONDS},
        events.NotTyping(AGENT, timestamp=WHEN),
    ),
    "chat_session_form_show": (
        {
            "form_request_id": "7",
            "form_name": "survey",
            "form_timeout": "300",
            "channel": "web",
            "form_content": "Which one?",
            "timestamp": SECONDS,
        },
        events.FormShow("7", "survey", 300.0, "web", "Which one?", timestamp=WHEN),
    ),
    "chat_session_message_edit": (
        {
            "ref_msg_id": "3",
            "party_id": AGENT,
            "msg": "Good<br>bye",
            "msg_text": "Good bye",
            "timestamp": SECONDS,
        },
        events.MessageEdit("3", AGENT, "Good<br>bye", "Good bye", timestamp=WHEN),
    ),
    "chat_session_message_delete": (
        {"ref_msg_id": "3", "party_id": AGENT, "timestamp": SECONDS},
        events.MessageDelete("3", AGENT, timestamp=WHEN),
    ),
    "chat_session_file_url": (
        {
            "file_url": "https://files.example/1",
            "file_type": "image",
            "msg_id": "8",
            "party_id": AGENT,
            "timestamp": SECONDS,
        },
        events.FileUrl("https://files.example/1", "image", "8", AGENT, timestamp=WHEN),
    ),
    "chat_session_secure_form_show": (
        {"form_request_id": "8", "form_id": "card", "timestamp": SECONDS},
        events.SecureFormShow("8", "card", timestamp=WHEN),
    ),
    "chat_session_secure_form_cancel": (
        {"form_request_id": "8", "party_id": AGENT, "timestamp": SECONDS},
        events.SecureFormCancel("8", AGENT, timestamp=WHEN),
    ),
    "chat_session_timeout_warning": (
        {"msg": "Still<br>there?", "msg_text": "Still there?", "timestamp": SECONDS},
        events.TimeoutWarning("Still<br>there?", "Still there?", timestamp=WHEN),
    ),
    "chat_session_inactivity_timeout": (
        {"msg": "Good<br>bye", "msg_text": "Good bye", "timestamp": SECONDS},
        events.InactivityTimeout("Good<br>bye", "Good bye", timestamp=WHEN),
    ),
    "chat_session_inactvity_timeout": (
        {"msg": "Good<br>bye", "msg_text": "Good bye", "timestamp": SECONDS},
        events.InactivityTimeout("Good<br>bye", "Good bye", timestamp=WHEN),
    ),
    "chat_session_signaling": (
        {
            "data": {"type": "END_CALL"},
            "msg_id": "4",
            "party_id": AGENT,
            "destination_party_id": "P9",
            "timestamp": SECONDS,
        },
        events.Signaling(signaling.CallEnd(), "4", AGENT, "P9", timestamp=WHEN),
    ),
    "chat_session_file": (
        {
            "file_id": "F1",
            "file_type": "image",
            "file_name": "cat.png",
            "msg_id": "6",
            "party_id": AGENT,
            "timestamp": SECONDS,
        },
        events.File("F1", "image", "cat.png", "6", AGENT, timestamp=WHEN),
    ),
    "chat_session_location": (
        {
            "latitude": 52.5,
            "longitude": "-13.25",
            "url": "https://maps.example/1",
            "msg_id": "8",
            "party_id": AGENT,
            "timestamp": SECONDS,
        },
        events.Location(52.5, -13.25, "https://maps.example/1", "8", AGENT, timestamp=WHEN),
    ),
    "chat_session_case_set": (
        {"case_id": "C-5", "timestamp": SECONDS},
        events.CaseSet("C-5", timestamp=WHEN),
    ),
    "chat_session_info": (
        {"service_name": "Sales", "timestamp": SECONDS},
        events.Info("Sales", timestamp=WHEN),
    ),
    **{
        f"chat_session_cobrowsing_{state}": (
            {
                "msg_id": "9",
                "party_id": AGENT,
                "provider_type": "acme",
                "cobrowsing_url": "https://together.example/1",
                "cobrowsing_id": "CB1",
                "timestamp": SECONDS,
            },
            events.Cobrowsing(
                state, "9", AGENT, "acme", "https://together.example/1", "CB1", timestamp=WHEN
            ),
        )
        for state in ("requested", "rejected", "started", "ended")
    },
    "chat_session_form_data": (
        {
            "form_request_id": "7",
            "form_name": "survey",
            "data": {"mood": "good"},
            "timestamp": SECONDS,
        },
        events.FormData("7", "survey", timestamp=WHEN),
    ),
    "chat_session_secure_form_data": (
        {"form_request_id": "8", "form_name": "card", "data": {"pin": "1"}, "timestamp": SECONDS},
        events.FormData("8", "card", secure=True, timestamp=WHEN),
    ),
    "chat_form_data_cancel": (
        {"form_request_id": "7", "form_name": "survey", "timestamp": SECONDS},
        events.FormDataCancel("7", "survey", timestamp=WHEN),
    ),
}

# The required fields of each event, and the event that is decoded from them.
BARE: dict[str, tuple[Wire, events.Event]] = {
    "chat_session_status": ({"state": "ivr"}, events.Status("ivr")),
    "chat_session_ended": ({}, events.Ended()),
    "chat_session_party_joined": ({"party_id": AGENT}, events.PartyJoined(AGENT)),
    "chat_session_party_left": ({"party_id": AGENT}, events.PartyLeft(AGENT)),
    "chat_session_message": ({}, events.Message()),
    "chat_session_message_delivered": ({"ref_msg_id": "3"}, events.MessageDelivered("3")),
    "chat_session_message_read": ({"ref_msg_id": "3"}, events.MessageRead("3")),
    "chat_session_typing": ({"party_id": AGENT}, events.Typing(AGENT)),
    "chat_session_not_typing": ({"party_id": AGENT}, events.NotTyping(AGENT)),
    "chat_session_form_show": ({"form_request_id": "7"}, events.FormShow("7")),
    "chat_session_secure_form_show": ({"form_request_id": "8"}, events.SecureFormShow("8")),
    "chat_session_secure_form_cancel": ({"form_request_id": "8"}, events.SecureFormCancel("8")),
    "chat_session_timeout_warning": ({}, events.TimeoutWarning()),
    "chat_session_inactivity_timeout": ({}, events.InactivityTimeout()),
    "chat_session_inactvity_timeout": ({}, events.InactivityTimeout()),
    "chat_session_signaling": (
        {"data": {"type": "END_CALL"}},
        events.Signaling(signaling.CallEnd()),
    ),
    "chat_session_file": ({"file_id": "F1"}, events.File("F1")),
    "chat_session_file_url": ({"file_url": "x"}, events.FileUrl("x")),
    "chat_session_message_edit": ({"ref_msg_id": "3"}, events.MessageEdit("3")),
    "chat_session_message_delete": ({"ref_msg_id": "3"}, events.MessageDelete("3")),
    "chat_session_location": ({}, events.Location()),
    "chat_session_case_set": ({}, events.CaseSet()),
    "chat_session_info": ({}, events.Info()),
    "chat_session_cobrowsing_requested": ({}, events.Cobrowsing("requested")),
    "chat_session_cobrowsing_rejected": ({}, events.Cobrowsing("rejected")),
    "chat_session_cobrowsing_started": ({}, events.Cobrowsing("started")),
    "chat_session_cobrowsing_ended": ({}, events.Cobrowsing("ended")),
    "chat_session_form_data": ({}, events.FormData()),
    "chat_session_secure_form_data": ({}, events.FormData(secure=True)),
    "chat_form_data_cancel": ({}, events.FormDataCancel()),
}

ONLY_COUNTED = ("chat_session_end", "chat_session_disconnect", "chat_session_navigation")

# The required field of each event; receipts accept either of two.
REQUIRED = [
    ("chat_session_status", "state"),
    ("chat_session_party_joined", "party_id"),
    ("chat_session_party_left", "party_id"),
    ("chat_session_typing", "party_id"),
    ("chat_session_not_typing", "party_id"),
    ("chat_session_form_show", "form_request_id"),
    ("chat_session_secure_form_show", "form_request_id"),
    ("chat_session_secure_form_cancel", "form_request_id"),
    ("chat_session_file", "file_id"),
    ("chat_session_file_url", "file_url"),
    ("chat_session_message_edit", "ref_msg_id"),
    ("chat_session_message_delete", "ref_msg_id"),
    ("chat_session_signaling", "data"),
    ("chat_session_message_delivered", "ref_msg_id"),
    ("chat_session_message_read", "ref_msg_id"),
]


@pytest.mark.parametrize("name", FULL)
def test_full_event(name: str) -> None:
    """All fields of an event are decoded to all attributes of its class."""
    wire, expected = FULL[name]

    event = only({"event": name, **wire})

    assert event == expected
    assert event.extra == {}
    unset = {key for key in field_names(event) if getattr(event, key) is None}
    assert unset == set()


@pytest.mark.parametrize("name", BARE)
def test_bare_event(name: str) -> None:
    """An event with only the required fields of its name is usable."""
    wire, expected = BARE[name]

    event = only({"event": name, **wire})

    assert event == expected
    assert event.timestamp is None
    assert event.extra == {}


@pytest.mark.parametrize("name", BARE)
def test_event_as_text(name: str) -> None:
    """JSON text and the parsed object give the same event."""
    for table in (FULL, BARE):
        wire, expected = table[name]

        assert decode(json.dumps({"event": name, **wire})) == [expected]


@pytest.mark.parametrize("name", FULL)
def test_null_is_missing(name: str) -> None:
    """A field that is null counts as missing."""
    wire, _ = FULL[name]
    bare_wire, expected = BARE[name]

    event = only({"event": name, **dict.fromkeys(wire), **bare_wire})

    assert event == expected
    assert event.extra == {}


@pytest.mark.parametrize("name", ONLY_COUNTED)
def test_only_counted(name: str) -> None:
    """Client events that a session only counts are kept whole, with their timestamp."""
    wire = {"event": name, "page": "https://shop.example/", "timestamp": SECONDS}

    event = only(wire)

    assert event == events.ClientEvent(name, wire, timestamp=WHEN)


def test_names_of_the_wire() -> None:
    """The codec knows the names of the protocol, and no others."""
    assert set(codec.EVENTS) == {*FULL, *ONLY_COUNTED}
    assert set(BARE) == set(FULL)


def test_every_class_is_covered() -> None:
    """Each class of the union is decoded from some input."""
    inputs: list[Any] = [{"event": name, **wire} for name, (wire, _) in FULL.items()]
    inputs += [{"event": "chat_session_end"}, {"event": "chat_session_sung"}, 5]

    decoded_types = {type(event) for event in decode(inputs)}

    assert decoded_types == set(get_args(events.Event))


@pytest.mark.parametrize(("name", "field"), REQUIRED)
def test_missing_required_field(name: str, field: str) -> None:
    """An event without its required field is malformed; `why` has the field, and `raw` the item."""
    wire = {"event": name, "timestamp": SECONDS, "note": "kept"}

    event = only(wire)

    assert event == events.Malformed(name, wire, f"{field} is missing", timestamp=WHEN)
    assert event.raw is wire


@pytest.mark.parametrize(("name", "field"), REQUIRED)
@pytest.mark.parametrize("value", [["my secret"], {"my": "secret"}, True, float("nan")])
def test_unusable_required_field(name: str, field: str, value: object) -> None:
    """An event with an unusable required field is malformed; the error does not quote it."""
    if field == "data" and isinstance(value, dict):
        value = "my secret"
    wire = {"event": name, field: value}

    event = only(wire)

    assert isinstance(event, events.Malformed)
    assert event.name == name
    assert event.raw is wire
    assert event.why.startswith(f"{field} ")
    assert "secret" not in event.why
    assert "secret" not in repr(event)


@pytest.mark.parametrize(
    ("name", "field"), [pair for pair in REQUIRED if pair[1] not in {"data", "ref_msg_id"}]
)
def test_empty_required_field(name: str, field: str) -> None:
    """An empty id counts as missing."""
    event = only({"event": name, field: ""})

    assert isinstance(event, events.Malformed)
    assert event.why == f"{field} is missing"


@pytest.mark.parametrize(("name", "field"), [pair for pair in REQUIRED if pair[1] != "data"])
def test_null_required_field(name: str, field: str) -> None:
    """A required field that is null is missing."""
    event = only({"event": name, field: None})

    assert isinstance(event, events.Malformed)
    assert event.why == f"{field} is missing"


def test_events_are_values() -> None:
    """Equal events have equal hashes, and an event is immutable."""
    items: list[Any] = [{"event": name, "more": [1], **FULL[name][0]} for name in FULL]
    items += [{"event": "chat_session_end"}, {"event": "chat_session_sung"}, {"event": 5}]

    first, second = decode(items), decode(items)

    assert first == second
    assert [hash(event) for event in first] == [hash(event) for event in second]
    with pytest.raises(AttributeError):
        first[0].timestamp = 1.0


def test_captured_message() -> None:
    """The captured message is decoded as documented: text seconds, an unknown party."""
    text = (
        '{"channel":"web","event":"chat_session_message","msg":"Please wait for the next available '
        'agent","msg_id":"0","party_id":"7215D0DA-D272-499C-9CF3-9F1A322F42CB",'
        '"timestamp":"1614718748"}'
    )

    assert decode(text) == [
        events.Message(
            party_id="7215D0DA-D272-499C-9CF3-9F1A322F42CB",
            msg_id="0",
            msg="Please wait for the next available agent",
            channel="web",
            timestamp=1614718748.0,
        )
    ]


def test_captured_status() -> None:
    """The captured status is decoded as documented: an empty estimate is None."""
    text = '{"event":"chat_session_status","ewt":"","state":"queued"}'

    assert decode(text) == [events.Status("queued", None)]


def test_captured_party_joined() -> None:
    """The captured join of an agent is decoded as documented."""
    text = (
        '{"display_name":"Agent A","event":"chat_session_party_joined","first_name":"Agent",'
        '"last_name":"A","party_id":"80A8248D-69D7-4DA2-8074-6139AA191D7E",'
        '"timestamp":"1614718750","type":"internal"}'
    )

    assert decode(text) == [
        events.PartyJoined(AGENT, "internal", "Agent A", "Agent", "A", timestamp=1614718750.0)
    ]


def test_captured_envelope() -> None:
    """The captured envelope with a file is decoded as documented."""
    text = (
        '{"events":[{"event":"chat_session_file","file_id":"6fdadd52-df9e-44bb-af08-6e4cb3b7eb81",'
        '"file_name":"notes","file_type":"attachment","msg_id":"4",'
        '"party_id":"FA713225-A136-4EE4-AF5A-467019A84D67","timestamp":"1614739612"}]}'
    )

    assert decode(text) == [
        events.File(
            "6fdadd52-df9e-44bb-af08-6e4cb3b7eb81",
            "attachment",
            "notes",
            "4",
            "FA713225-A136-4EE4-AF5A-467019A84D67",
            timestamp=1614739612.0,
        )
    ]


# The twelve events of the specification, with its milliseconds, its data as a string, and its
# spelling of inactivity.
PRINTED: list[tuple[Wire, events.Event]] = [
    (
        {"event": "chat_session_status", "state": "connected", "ewt": "0"},
        events.Status("connected", 0.0),
    ),
    ({"event": "chat_session_ended"}, events.Ended()),
    (
        {
            "event": "chat_session_party_joined",
            "party_id": "P1",
            "first_name": "Ada",
            "last_name": "Example",
            "display_name": "Ada E.",
            "type": "internal",
            "timestamp": 1614718748123,
        },
        events.PartyJoined("P1", "internal", "Ada E.", "Ada", "Example", timestamp=1614718748.123),
    ),
    (
        {"event": "chat_session_party_left", "party_id": "P1", "timestamp": 1614718748123},
        events.PartyLeft("P1", timestamp=1614718748.123),
    ),
    (
        {
            "event": "chat_session_message",
            "party_id": "P1",
            "msg_id": "2",
            "msg": "Hello",
            "timestamp": 1614718748123,
        },
        events.Message("P1", "2", "Hello", timestamp=1614718748.123),
    ),
    ({"event": "chat_session_typing", "party_id": "P1"}, events.Typing("P1")),
    ({"event": "chat_session_not_typing", "party_id": "P1"}, events.NotTyping("P1")),
    (
        {
            "event": "chat_session_form_show",
            "form_request_id": "7",
            "form_name": "survey",
            "form_timeout": 60,
        },
        events.FormShow("7", "survey", 60.0),
    ),
    (
        {"event": "chat_session_timeout_warning", "msg": "Hello?", "timestamp": 1614718748123},
        events.TimeoutWarning("Hello?", timestamp=1614718748.123),
    ),
    (
        {"event": "chat_session_inactvity_timeout", "msg": "Bye", "timestamp": 1614718748123},
        events.InactivityTimeout("Bye", timestamp=1614718748.123),
    ),
    (
        {
            "event": "chat_session_signaling",
            "msg_id": "4",
            "party_id": "P1",
            "data": '{"type":"CALL_REJECTED","reason_code":"busy","reason":"in a call"}',
        },
        events.Signaling(signaling.CallRejection("busy", "in a call"), "4", "P1"),
    ),
    (
        {
            "event": "chat_session_file",
            "party_id": "P1",
            "msg_id": "6",
            "file_id": "F1",
            "file_type": "image",
            "timestamp": 1614718748123,
        },
        events.File("F1", "image", None, "6", "P1", timestamp=1614718748.123),
    ),
]


def test_printed_events() -> None:
    """The twelve events of the specification are decoded as printed there, in one batch."""
    batch = json.dumps({"events": [wire for wire, _ in PRINTED]})

    decoded = decode(batch)

    assert len(decoded) == 12
    assert decoded == [expected for _, expected in PRINTED]


def test_unknown_event() -> None:
    """An event with an unknown name is kept whole, with its timestamp."""
    wire = {"event": "chat_session_sung", "song": ["la", 1], "timestamp": 1614718748123}

    event = only(wire)

    assert event == events.Unknown("chat_session_sung", wire, timestamp=1614718748.123)
    assert event.raw is wire


@pytest.mark.parametrize(
    ("item", "shown"),
    [
        ({"event": "chat_session_sung", "song": "secret"}, "Unknown(timestamp=None, name="),
        ({"event": 7, "song": "secret"}, "Malformed(timestamp=None, name=None, why="),
        ({"event": "chat_session_navigation", "page": "secret"}, "ClientEvent(timestamp=None, n"),
    ],
)
def test_raw_content_in_no_repr(item: dict[str, object], shown: str) -> None:
    """Texts of parties in an event that is kept as received are not in its repr (law L10)."""
    text = repr(only(item))

    assert text.startswith(shown)
    assert "secret" not in text


@pytest.mark.parametrize("name", ["", "CHAT_SESSION_ENDED", " chat_session_ended", "message"])
def test_nearly_known_names(name: str) -> None:
    """Names are compared exactly."""
    assert only({"event": name}) == events.Unknown(name, {"event": name})


@pytest.mark.parametrize("given_timestamp", ["soon", True, [1], -5, 1e14, "Infinity"])
def test_unknown_event_with_unusable_timestamp(given_timestamp: object) -> None:
    """An unknown event with an unusable timestamp has none, and keeps the value in `raw`."""
    event = only({"event": "chat_session_sung", "timestamp": given_timestamp})

    assert isinstance(event, events.Unknown)
    assert event.timestamp is None
    assert event.raw["timestamp"] == given_timestamp


@pytest.mark.parametrize("item", [None, True, 5, 1.5, "chat_session_ended", [], [{}], b"{}"])
def test_item_that_is_not_an_object(item: object) -> None:
    """An item that is not an object is malformed and kept."""
    event = decode_item(item)

    assert event == events.Malformed(None, item, "not an object")


@pytest.mark.parametrize("event_name", [None, 5, True, ["chat_session_ended"], {"a": 1}])
def test_event_name_that_is_not_text(event_name: object) -> None:
    """An item whose event is not a text is malformed and keeps its timestamp."""
    wire = {"event": event_name, "timestamp": SECONDS}

    event = only(wire)

    assert event == events.Malformed(None, wire, "event is no text", timestamp=WHEN)


def test_item_without_event() -> None:
    """An object without an event, in a list, is malformed."""
    assert only({}) == events.Malformed(None, {}, "event is no text")


def test_converter_reads_one_class() -> None:
    """The converter structures a raw object as the requested class."""
    wire = {"event": "chat_session_message", "msg": "hello", "mood": "good"}

    message = converter.structure(wire, events.Message)

    assert message == events.Message(msg="hello", extra={"mood": "good"})


def test_converter_keeps_extra_without_the_event_name() -> None:
    """The converter keeps unknown fields also if the object has no event name."""
    message = converter.structure({"msg": "hello", "mood": "good"}, events.Message)

    assert message == events.Message(msg="hello", extra={"mood": "good"})


def test_converter_refuses() -> None:
    """The converter, called with one class, raises an error with the missing field."""
    with pytest.raises(ValueError, match=r"^state is missing$") as caught:
        converter.structure({"event": "chat_session_status"}, events.Status)

    assert not isinstance(caught.value, DecodeError)
