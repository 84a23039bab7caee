from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatfsm.effects import Anomaly, MessageReceived, UnknownReceived

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness

# The field that each event requires.
REQUIRED = {
    "status": "state",
    "party_joined": "party_id",
    "party_left": "party_id",
    "typing": "party_id",
    "not_typing": "party_id",
    "form_show": "form_request_id",
    "secure_form_show": "form_request_id",
    "secure_form_cancel": "form_request_id",
    "file": "file_id",
    "file_url": "file_url",
    "message_edit": "ref_msg_id",
    "message_delete": "ref_msg_id",
    "signaling": "data",
    "message_delivered": "ref_msg_id",
    "message_read": "ref_msg_id",
}
WITHOUT_REQUIRED = [
    "ended",
    "message",
    "timeout_warning",
    "inactivity_timeout",
    "inactvity_timeout",
    "location",
    "case_set",
    "info",
    "cobrowsing_requested",
    "cobrowsing_rejected",
    "cobrowsing_started",
    "cobrowsing_ended",
    "form_data",
    "secure_form_data",
    "chat_form_data_cancel",
    "end",
    "disconnect",
    "navigation",
]


def test_an_unknown_event_is_kept_whole(harness: Harness) -> None:
    """An unknown event is reported with all its fields."""
    raw = {"event": "chat_session_surprise", "party_id": "ann", "gift": [1, {"a": None}]}

    assert harness.feed_batch(raw) == [UnknownReceived("chat_session_surprise", raw)]
    assert harness.session.counts.unknown == 1
    assert harness.session.counts.events == 1
    assert harness.anomalies == []


@pytest.mark.parametrize("value", ["absent", None, "", [], {}, True])
@pytest.mark.parametrize(("event_name", "field"), REQUIRED.items())
def test_an_event_without_its_required_field_is_malformed(
    harness: Harness, event_name: str, field: str, value: object
) -> None:
    """An event without its required field, or with an unusable value in it, is malformed."""
    raw: dict[str, Any] = {"event": f"chat_session_{event_name}", "hint": "kept"}
    if value != "absent":
        raw[field] = value
    if event_name == "signaling" and value == {}:
        raw[field] = "{"  # an object without a type is a signal, half an object is not

    [anomaly] = harness.feed_batch(raw)

    assert isinstance(anomaly, Anomaly)
    assert anomaly.kind == "malformed"
    assert anomaly.text.startswith(f"chat_session_{event_name}: {field} is ")
    assert anomaly.raw == raw
    assert harness.session.counts.malformed == 1
    assert harness.session.counts.anomalies == 1
    assert harness.session.counts.events == 1


@pytest.mark.parametrize("event_name", WITHOUT_REQUIRED)
def test_all_other_fields_are_optional(harness: Harness, event_name: str) -> None:
    """An event with only a name causes no anomaly."""
    harness.feed(event_name)

    assert harness.anomalies == []
    assert harness.session.counts.malformed == 0
    assert harness.session.counts.unknown == 0


@pytest.mark.parametrize(("event_name", "field"), REQUIRED.items())
def test_the_required_field_is_enough(harness: Harness, event_name: str, field: str) -> None:
    """An event with only its required field is usable."""
    values: dict[str, Any] = {"state": "queued", "data": {"type": "END_CALL"}}
    harness.join("7")
    harness.feed("secure_form_show", form_request_id="7")

    harness.feed(event_name, **{field: values.get(field, "7")})

    assert harness.anomalies == []


@pytest.mark.parametrize(
    "item", [None, 7, "chat_session_ended", [], {}, {"event": 7}, {"event": None}, True]
)
def test_an_item_that_is_not_an_event_is_malformed(harness: Harness, item: object) -> None:
    """An item that is not an object, or whose event is not a text, is malformed."""
    [anomaly] = harness.feed_batch(item)

    assert isinstance(anomaly, Anomaly)
    assert anomaly.kind == "malformed"
    assert anomaly.raw == item


def test_a_malformed_item_affects_no_other(harness: Harness) -> None:
    """Unknown and malformed items do not affect the others of their batch."""
    effects = harness.feed_batch(
        {"event": "chat_session_message", "msg": "one"},
        {"event": "chat_session_surprise"},
        {"event": "chat_session_message", "msg": "two"},
        {"event": "chat_session_status"},
        None,
        {"event": "chat_session_message", "msg": "three"},
    )

    assert [type(effect) for effect in effects] == [
        MessageReceived,
        UnknownReceived,
        MessageReceived,
        Anomaly,
        Anomaly,
        MessageReceived,
    ]


def test_an_unusable_value_leaves_its_event_usable(harness: Harness) -> None:
    """An optional field with an unusable value is kept in `extra`, and the event is usable."""
    [effect] = harness.feed("message", msg="hello", timestamp="yesterday", msg_id=["2"])

    assert isinstance(effect, MessageReceived)
    assert effect.message.text == "hello"
    assert effect.message.timestamp is None
    assert effect.message.event.extra == {"timestamp": "yesterday", "msg_id": ["2"]}
