"""Quirks of the wire: each is decoded, or kept as received."""

from __future__ import annotations

import json
from typing import Any

import pytest

from chatfsm import decode, events

LONG_ID = "i" * 1_025
LONG_NAME = "n" * 4_097


def only(name: str, /, **fields: Any) -> Any:
    """Decode one event of that name."""
    (event,) = decode([{"event": name, **fields}])
    return event


def nested(levels: int) -> list[Any]:
    """Lists in lists, `levels` deep."""
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("wire_value", "seconds"),
    [
        ("1614718748", 1614718748.0),
        (1614718748, 1614718748.0),
        (1614718748.5, 1614718748.5),
        ("1614718748123", 1614718748.123),
        (1614718748123, 1614718748.123),
        (0, 0.0),
        ("0", 0.0),
        (10**11 - 1, 99_999_999_999.0),
        (10**11, 100_000_000.0),
        ("100000000000", 100_000_000.0),
        (10**14 - 1, 99_999_999_999.999),
    ],
)
@pytest.mark.parametrize("name", ["chat_session_ended", "chat_session_sung", "chat_session_end"])
def test_timestamp(name: str, wire_value: object, seconds: float) -> None:
    """A timestamp is in seconds, from seconds or milliseconds, as text or number."""
    assert only(name, timestamp=wire_value).timestamp == seconds


@pytest.mark.parametrize(
    "wire_value",
    [
        10**14,
        "100000000000000",
        1e300,
        10**400,
        -1,
        "-1",
        "soon",
        "NaN",
        float("nan"),
        "1e999",
        float("inf"),
        True,
        [],
        {},
        [1614718748],
    ],
)
def test_unusable_timestamp(wire_value: object) -> None:
    """A timestamp out of range is None, and its value is kept in `extra`."""
    event = only("chat_session_ended", timestamp=wire_value)

    assert isinstance(event, events.Ended)
    assert event.timestamp is None
    assert event.extra["timestamp"] is wire_value
    assert len(event.extra) == 1


@pytest.mark.parametrize("wire_value", ["", None])
def test_empty_timestamp(wire_value: object) -> None:
    """An empty timestamp is None and is not kept."""
    assert only("chat_session_ended", timestamp=wire_value) == events.Ended()


@pytest.mark.parametrize(
    ("wire_value", "seconds"),
    [("", None), (None, None), ("0", 0.0), ("10", 10.0), (10, 10.0), (2.5, 2.5), (0, 0.0)],
)
def test_wait(wire_value: object, seconds: float | None) -> None:
    """The estimated wait is a text, a number, or missing."""
    event = only("chat_session_status", state="queued", ewt=wire_value)

    assert event == events.Status("queued", seconds)


def test_absent_wait() -> None:
    """A status without an estimate is usable."""
    assert only("chat_session_status", state="queued") == events.Status("queued", None)


@pytest.mark.parametrize(
    "wire_value", [-1, "-1", "soon", "NaN", "Infinity", False, [10], {"s": 10}]
)
def test_unusable_wait(wire_value: object) -> None:
    """An unusable estimate is kept in `extra`, and the state is decoded."""
    event = only("chat_session_status", state="queued", ewt=wire_value)

    assert event == events.Status("queued", None, extra={"ewt": wire_value})


@pytest.mark.parametrize(
    "state",
    [
        "queued",
        "connecting",
        "connected",
        "ivr",
        "establishing",
        "failed",
        "completed",
        "on_the_moon",
    ],
)
def test_states(state: str) -> None:
    """Each state is decoded by its name on the wire, also an unknown one."""
    assert only("chat_session_status", state=state) == events.Status(state)


@pytest.mark.parametrize("kind", ["scenario", "external", "internal", "msteams", "robot"])
def test_party_types(kind: str) -> None:
    """The types of parties are an open set."""
    assert only("chat_session_party_joined", party_id="P1", type=kind).type == kind
    assert only("chat_session_party_left", party_id="P1", type=kind).type == kind


def test_empty_names() -> None:
    """A name may be empty, which differs from a missing name."""
    event = only("chat_session_party_joined", party_id="P1", display_name="", first_name="")

    assert event == events.PartyJoined("P1", None, "", "", None)
    assert only("chat_session_info", service_name="") == events.Info("")
    assert only("chat_session_secure_form_show", form_request_id="8", form_id="") == (
        events.SecureFormShow("8", "")
    )


@pytest.mark.parametrize(
    "name", ["chat_session_inactivity_timeout", "chat_session_inactvity_timeout"]
)
def test_both_spellings(name: str) -> None:
    """The inactivity timeout is decoded with the correct and with the specified spelling."""
    assert only(name, msg="bye") == events.InactivityTimeout("bye")


@pytest.mark.parametrize(
    ("name", "cls"),
    [
        ("chat_session_message", events.Message),
        ("chat_session_timeout_warning", events.TimeoutWarning),
        ("chat_session_inactivity_timeout", events.InactivityTimeout),
    ],
)
def test_plain_text(name: str, cls: Any) -> None:
    """The plain text of the server may be beside the HTML, alone, or missing."""
    assert only(name, msg="a<br>b", msg_text="a b") == cls(msg="a<br>b", msg_text="a b")
    assert only(name, msg_text="a b") == cls(msg_text="a b")
    assert only(name, msg="a<br>b") == cls(msg="a<br>b")
    assert only(name, msg="", msg_text="") == cls(msg="", msg_text="")


def test_text_as_number() -> None:
    """A text that is a number on the wire is decoded to its digits."""
    assert only("chat_session_message", msg=42, msg_text=1.5) == events.Message(
        msg="42", msg_text="1.5"
    )


def test_file_with_session_id() -> None:
    """Old servers have session_id for the party of a file."""
    assert only("chat_session_file", file_id="F1", session_id="P1") == events.File(
        "F1", party_id="P1"
    )


def test_file_with_both_parties() -> None:
    """If a file has both fields of its party, party_id is used and session_id kept in `extra`."""
    event = only("chat_session_file", file_id="F1", session_id="OLD", party_id="P1")

    assert event == events.File("F1", party_id="P1", extra={"session_id": "OLD"})


def test_file_with_an_empty_party() -> None:
    """If party_id of a file is empty, session_id is used."""
    event = only("chat_session_file", file_id="F1", session_id="OLD", party_id="")

    assert event == events.File("F1", party_id="OLD")


def test_own_file() -> None:
    """A file without a party is usable."""
    assert only("chat_session_file", file_id="F1").party_id is None


def test_session_id_elsewhere() -> None:
    """In other events than files session_id is an unknown field."""
    event = only("chat_session_message", session_id="S1")

    assert event == events.Message(extra={"session_id": "S1"})


RECEIPTS = [
    ("chat_session_message_delivered", events.MessageDelivered),
    ("chat_session_message_read", events.MessageRead),
]


@pytest.mark.parametrize(("name", "cls"), RECEIPTS)
def test_receipts(name: str, cls: Any) -> None:
    """A receipt has its message in ref_msg_id, or, from old senders, in msg_id."""
    assert only(name, ref_msg_id="3") == cls("3")
    assert only(name, msg_id="3") == cls("3")
    assert only(name, ref_msg_id="", msg_id="3") == cls("3")
    assert only(name, ref_msg_id=None, msg_id=3) == cls("3")


@pytest.mark.parametrize(("name", "cls"), RECEIPTS)
def test_receipts_with_both(name: str, cls: Any) -> None:
    """If a receipt has both fields, ref_msg_id is used and msg_id is kept in `extra`."""
    assert only(name, msg_id="9", ref_msg_id="3") == cls("3", extra={"msg_id": "9"})


@pytest.mark.parametrize(("name", "cls"), RECEIPTS)
def test_receipts_with_one_usable(name: str, cls: Any) -> None:
    """A receipt with one usable field for its message is usable, and the other is kept."""
    event = only(name, ref_msg_id=["3"], msg_id="9")

    assert event == cls("9", extra={"ref_msg_id": ["3"]})


@pytest.mark.parametrize(("name", "cls"), RECEIPTS)
def test_receipts_with_null_msg_id(name: str, cls: Any) -> None:
    """A null msg_id of a receipt counts as missing."""
    event = only(name, ref_msg_id="3", msg_id=None)

    assert event == cls("3")


@pytest.mark.parametrize(("name", "cls"), RECEIPTS)
def test_receipts_with_none_usable(name: str, cls: Any) -> None:
    """A receipt with two empty fields is malformed; the error has the field with another type."""
    assert only(name, ref_msg_id="", msg_id="").why == "ref_msg_id is missing"
    assert only(name, ref_msg_id="", msg_id=[]).why == "msg_id is not text"
    assert only(name, ref_msg_id={}, msg_id="").why == "ref_msg_id is not text"


def test_ids_as_numbers() -> None:
    """Ids that are numbers on the wire equal their digits."""
    assert only("chat_session_typing", party_id=5) == events.Typing("5")
    assert only("chat_session_message", party_id=5, msg_id=0) == events.Message("5", "0")
    assert only("chat_session_form_show", form_request_id=7.0) == events.FormShow("7")
    assert only("chat_session_file", file_id=-1) == events.File("-1")
    assert only("chat_session_case_set", case_id=12) == events.CaseSet("12")
    assert only("chat_session_secure_form_show", form_request_id=8, form_id=9) == (
        events.SecureFormShow("8", "9")
    )


@pytest.mark.parametrize("timeout", [60, "60", 60.0, "60.0"])
def test_form_timeout(timeout: object) -> None:
    """The timeout of a form is a number or its text."""
    event = only("chat_session_form_show", form_request_id="7", form_timeout=timeout)

    assert event == events.FormShow("7", None, 60.0)


@pytest.mark.parametrize("wire_value", [-1, "-60", "soon", "NaN", True, [60]])
def test_unusable_form_timeout(wire_value: object) -> None:
    """An unusable timeout is kept in `extra`, and the form is decoded."""
    event = only("chat_session_form_show", form_request_id="7", form_timeout=wire_value)

    assert event == events.FormShow("7", extra={"form_timeout": wire_value})


def test_text_prompt() -> None:
    """An empty form name stays empty: it means a text prompt."""
    event = only("chat_session_form_show", form_request_id="7", form_name="", form_timeout="")

    assert event == events.FormShow("7", "", None)


@pytest.mark.parametrize(("latitude", "longitude"), [(1.5, -2), ("1.5", "-2"), ("1.50", -2.0)])
def test_coordinates(latitude: object, longitude: object) -> None:
    """Coordinates are numbers or their texts."""
    event = only("chat_session_location", latitude=latitude, longitude=longitude)

    assert event == events.Location(1.5, -2.0)


def test_unusable_coordinates() -> None:
    """Unusable coordinates are kept in `extra`, and the location is decoded without them."""
    event = only("chat_session_location", latitude="north", longitude=True, url=[])

    assert event == events.Location(extra={"latitude": "north", "longitude": True, "url": []})


@pytest.mark.parametrize("case", [{}, {"case_id": ""}, {"case_id": None}])
def test_case_unassigned(case: dict[str, Any]) -> None:
    """An empty or missing case id is None."""
    assert only("chat_session_case_set", **case) == events.CaseSet(None)


def test_extra_fields() -> None:
    """Unknown fields are kept unchanged, including null."""
    unknown = {"channel_type": "web", "n": 1, "list": [1, {"a": None}], "none": None, "extra": {}}

    event = only("chat_session_typing", party_id="P1", **unknown)

    assert event == events.Typing("P1", extra=unknown)


@pytest.mark.parametrize("tag", ["name", "raw", "why", "signal", "secure", "type", "self"])
def test_extra_fields_named_like_attributes(tag: str) -> None:
    """A wire field with the name of an attribute is an unknown field."""
    assert only("chat_session_ended", **{tag: "x"}) == events.Ended(extra={tag: "x"})
    assert only("chat_session_form_data", **{tag: "x"}) == events.FormData(extra={tag: "x"})


def test_unusable_values() -> None:
    """Unusable values are kept, and the rest of the event is decoded."""
    odd = {
        "type": True,
        "display_name": ["Ada"],
        "first_name": {"given": "Ada"},
        "last_name": float("inf"),
        "timestamp": "noon",
    }

    event = only("chat_session_party_joined", party_id="P1", **odd)

    assert event == events.PartyJoined("P1", extra=odd)


@pytest.mark.parametrize("field", ["msg_id", "party_id", "channel"])
def test_too_long_id(field: str) -> None:
    """An id that is too long is not used, and kept."""
    assert only("chat_session_message", **{field: LONG_ID}) == events.Message(
        extra={field: LONG_ID}
    )
    longest = LONG_ID[1:]
    assert getattr(only("chat_session_message", **{field: longest}), field) == longest


def test_too_long_required_id() -> None:
    """An event whose required id is too long is malformed; the error does not quote it."""
    event = only("chat_session_typing", party_id=LONG_ID)

    assert isinstance(event, events.Malformed)
    assert event.why == "party_id is longer than 1024 characters"


@pytest.mark.parametrize("field", ["display_name", "first_name", "last_name"])
def test_too_long_name(field: str) -> None:
    """A name that is too long is not used, and kept."""
    event = only("chat_session_party_joined", party_id="P1", **{field: LONG_NAME})

    assert event == events.PartyJoined("P1", extra={field: LONG_NAME})
    longest = LONG_NAME[1:]
    kept = only("chat_session_party_joined", party_id="P1", **{field: longest})
    assert getattr(kept, field) == longest


def test_long_text() -> None:
    """The length of a message text is not limited."""
    text = "la" * 100_000

    assert only("chat_session_message", msg=text) == events.Message(msg=text)


def test_long_addresses() -> None:
    """The length of an address is not limited."""
    url = "https://together.example/" + "a" * 10_000

    assert only("chat_session_location", url=url) == events.Location(url=url)
    assert only(
        "chat_session_cobrowsing_started",
        provider_type=url,
        cobrowsing_url=url,
        cobrowsing_id=url,
    ) == events.Cobrowsing("started", provider_type=url, cobrowsing_url=url, cobrowsing_id=url)


def test_long_attachment() -> None:
    """The length of an attachment's content is not limited."""
    content = "aGk=" * 10_000

    event = only("chat_session_message", attachments=[{"content": content}])

    assert event.attachments == (events.Attachment(content=content),)


CARD = {"id": "a1", "contentType": "image/png", "content": "aGk=", "name": "cat"}


def test_attachments() -> None:
    """Attachments are decoded in order; all fields are optional; unknown fields are kept."""
    event = only("chat_session_message", attachments=[CARD, {}, {"id": 5, "size": 9}])

    assert event == events.Message(
        attachments=(
            events.Attachment("a1", "image/png", "aGk=", "cat"),
            events.Attachment(),
            events.Attachment("5", extra={"size": 9}),
        )
    )


def test_attachment_type() -> None:
    """A field `type` of an attachment is unknown and kept: only signals have a type."""
    event = only("chat_session_message", attachments=[{"type": "card", "event": "x"}])

    assert event.attachments == (events.Attachment(extra={"type": "card", "event": "x"}),)


def test_attachment_as_text() -> None:
    """An attachment may be the JSON text of an object."""
    event = only("chat_session_message", attachments=[json.dumps(CARD)])

    assert event.attachments == (events.Attachment("a1", "image/png", "aGk=", "cat"),)


def test_attachment_with_an_odd_value() -> None:
    """An unusable value of an attachment is kept in its `extra`."""
    event = only("chat_session_message", attachments=[{"id": "a1", "content": {"body": 1}}])

    assert event.attachments == (events.Attachment("a1", extra={"content": {"body": 1}}),)


@pytest.mark.parametrize("wire_value", [None, []])
def test_no_attachments(wire_value: object) -> None:
    """An empty list and null both mean no attachments."""
    assert only("chat_session_message", attachments=wire_value) == events.Message()


@pytest.mark.parametrize(
    "wire_value", ["", "[]", 5, CARD, [5], [CARD, "card"], [None], [[CARD]], True]
)
def test_unusable_attachments(wire_value: object) -> None:
    """Attachments that are not a list of objects are kept unchanged, and the message is decoded."""
    event = only("chat_session_message", msg="see here", attachments=wire_value)

    assert event == events.Message(msg="see here", extra={"attachments": wire_value})


def test_attachment_content_in_no_repr() -> None:
    """The content of an attachment is not in its repr."""
    event = only("chat_session_message", attachments=[{"id": "a1", "content": "my secret"}])

    assert event.attachments[0].content == "my secret"
    assert "secret" not in repr(event)


FORM_ANSWERS = [{"pin": "my secret"}, '{"pin": "my secret"}', ["my secret"], "my secret", None, 5]


@pytest.mark.parametrize("answers", FORM_ANSWERS)
@pytest.mark.parametrize("name", ["chat_session_form_data", "chat_session_secure_form_data"])
def test_form_data_is_not_kept(name: str, answers: object) -> None:
    """The answers of a form are kept nowhere, whatever their type."""
    event = only(name, form_request_id="7", form_name="card", data=answers, more=1)

    secure = name == "chat_session_secure_form_data"
    answered = not isinstance(answers, str)
    assert event == events.FormData("7", "card", secure, answered, extra={"more": 1})


def test_deep_form_data_is_not_kept() -> None:
    """The answers of a form may be nested to any depth, because they are not parsed."""
    event = only("chat_session_form_data", form_request_id="7", data=nested(40))

    assert event == events.FormData("7")


@pytest.mark.parametrize("name", ["chat_session_form_data", "chat_session_secure_form_data"])
def test_malformed_form_data_is_not_kept(name: str) -> None:
    """The answers of a form are not kept in a malformed event either."""
    event = only(name, form_request_id="7", data={"pin": "my secret"}, more=nested(40))

    assert isinstance(event, events.Malformed)
    assert "my secret" not in str(event.raw)


def test_cancelled_form_data_is_not_kept() -> None:
    """The data of a client's cancel of a secure form (PROTOCOL.md §3) is not kept."""
    event = only("chat_session_secure_form_cancel", form_request_id="8", data={"pin": "my secret"})

    assert event == events.SecureFormCancel("8")


CLIENT_EVENTS = [
    (
        {"event": "chat_session_message", "msg": "hello", "msg_id": "C1:1", "party_id": "C1"},
        events.Message("C1", "C1:1", "hello"),
    ),
    (
        {"event": "chat_session_message_delivered", "ref_msg_id": "2"},
        events.MessageDelivered("2"),
    ),
    ({"event": "chat_session_message_read", "ref_msg_id": "2"}, events.MessageRead("2")),
    (
        {"event": "chat_session_typing", "msg": "hel", "party_id": "C1"},
        events.Typing("C1", extra={"msg": "hel"}),
    ),
    ({"event": "chat_session_not_typing", "party_id": "C1"}, events.NotTyping("C1")),
    (
        {
            "event": "chat_session_form_data",
            "form_request_id": 7,
            "form_name": "",
            "data": {"text": "hi"},
        },
        events.FormData("7", ""),
    ),
    (
        {"event": "chat_form_data_cancel", "form_request_id": "7", "form_name": "survey"},
        events.FormDataCancel("7", "survey"),
    ),
    (
        {
            "event": "chat_session_secure_form_data",
            "form_request_id": "8",
            "form_name": "card",
            "data": {"pin": "1"},
        },
        events.FormData("8", "card", secure=True),
    ),
    (
        {
            "event": "chat_session_secure_form_cancel",
            "form_request_id": "8",
            "form_name": "card",
        },
        events.SecureFormCancel("8", extra={"form_name": "card"}),
    ),
    (
        {
            "event": "chat_session_file",
            "msg_id": "",
            "file_id": "F1",
            "file_type": "image",
            "file_name": "cat.png",
        },
        events.File("F1", "image", "cat.png"),
    ),
    (
        {"event": "chat_session_location", "msg_id": "5", "latitude": 1, "longitude": 2},
        events.Location(1.0, 2.0, msg_id="5"),
    ),
    (
        {
            "event": "chat_session_cobrowsing_started",
            "provider_type": "acme",
            "cobrowsing_url": "https://together.example/1",
            "cobrowsing_id": 5,
        },
        events.Cobrowsing(
            "started",
            provider_type="acme",
            cobrowsing_url="https://together.example/1",
            cobrowsing_id="5",
        ),
    ),
]


@pytest.mark.parametrize(("wire", "expected"), CLIENT_EVENTS)
def test_client_events_in_a_log(wire: dict[str, Any], expected: events.Event) -> None:
    """The customer's own events in a log or a history are decoded."""
    assert decode([wire]) == [expected]


@pytest.mark.parametrize(
    "name",
    [
        "chat_session_ended",
        "chat_session_message",
        "chat_session_form_show",
        "chat_session_location",
        "chat_session_cobrowsing_started",
        "chat_form_data_cancel",
    ],
)
def test_too_deep(name: str) -> None:
    """A known event with a field nested too deep is malformed; 32 levels are accepted."""
    fine, deep = nested(32), nested(33)

    kept = only(name, form_request_id="7", more=fine)
    refused = only(name, form_request_id="7", more=deep)

    assert kept.extra["more"] is fine
    assert refused.name == name
    assert refused.raw["more"] is deep
    assert refused.why == "holds something nested deeper than 32 levels"


def test_too_deep_in_a_known_field() -> None:
    """The same holds for a field that the event knows but cannot use."""
    event = only("chat_session_message", msg=nested(33))

    assert isinstance(event, events.Malformed)
    assert event.why == "holds something nested deeper than 32 levels"


def test_too_deep_in_an_attachment() -> None:
    """The same holds inside an attachment."""
    event = only("chat_session_message", attachments=[{"more": nested(40)}])

    assert isinstance(event, events.Malformed)
    assert event.why == "holds something nested deeper than 32 levels"


def test_too_deep_and_missing_field() -> None:
    """A missing required field is reported before excessive nesting."""
    event = only("chat_session_typing", more=nested(40))

    assert event.why == "party_id is missing"
