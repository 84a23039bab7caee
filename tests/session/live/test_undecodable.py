from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatfsm.effects import Anomaly, MessageReceived, UnknownReceived

if TYPE_CHECKING:
    from tests.session.live.conftest import Play

# Everything that an event cannot do without.
NEEDED = {
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
NEEDS_NOTHING = [
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


def test_an_unknown_event_is_kept_whole(play: Play) -> None:
    """An event that nobody knows is told with all that it holds."""
    raw = {"event": "chat_session_surprise", "party_id": "ann", "gift": [1, {"a": None}]}

    assert play.hears_batch(raw) == [UnknownReceived("chat_session_surprise", raw)]
    assert play.session.counts.unknown == 1
    assert play.session.counts.events == 1
    assert play.anomalies == []


@pytest.mark.parametrize("value", ["absent", None, "", [], {}, True])
@pytest.mark.parametrize(("word", "field"), NEEDED.items())
def test_what_lacks_what_it_needs_is_malformed(
    play: Play, word: str, field: str, value: object
) -> None:
    """An event without what it cannot do without, or with an empty one, is kept as malformed."""
    raw: dict[str, Any] = {"event": f"chat_session_{word}", "hint": "kept"}
    if value != "absent":
        raw[field] = value
    if word == "signaling" and value == {}:
        raw[field] = "{"  # an object of no type is a signal, half an object is none

    [anomaly] = play.hears_batch(raw)

    assert isinstance(anomaly, Anomaly)
    assert anomaly.kind == "malformed"
    assert anomaly.text.startswith(f"chat_session_{word}: {field} is ")
    assert anomaly.raw == raw
    assert play.session.counts.malformed == 1
    assert play.session.counts.anomalies == 1
    assert play.session.counts.events == 1


@pytest.mark.parametrize("word", NEEDS_NOTHING)
def test_everything_else_may_be_missing(play: Play, word: str) -> None:
    """An event of which only the name came is heard without an anomaly."""
    play.hears(word)

    assert play.anomalies == []
    assert play.session.counts.malformed == 0
    assert play.session.counts.unknown == 0


@pytest.mark.parametrize(("word", "field"), NEEDED.items())
def test_what_is_needed_is_enough(play: Play, word: str, field: str) -> None:
    """An event that holds what it needs, and nothing else, is usable."""
    values: dict[str, Any] = {"state": "queued", "data": {"type": "END_CALL"}}
    play.joins("7")
    play.hears("secure_form_show", form_request_id="7")

    play.hears(word, **{field: values.get(field, "7")})

    assert play.anomalies == []


@pytest.mark.parametrize(
    "item", [None, 7, "chat_session_ended", [], {}, {"event": 7}, {"event": None}, True]
)
def test_an_item_that_is_no_event_is_malformed(play: Play, item: object) -> None:
    """An item that is no object, or whose event is no text, is kept as malformed."""
    [anomaly] = play.hears_batch(item)

    assert isinstance(anomaly, Anomaly)
    assert anomaly.kind == "malformed"
    assert anomaly.raw == item


def test_the_rest_of_a_batch_goes_on(play: Play) -> None:
    """Unknown and broken items harm none of their neighbours."""
    effects = play.hears_batch(
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


def test_a_value_that_cannot_be_used_costs_only_itself(play: Play) -> None:
    """A field that is not needed and has an odd type leaves its event usable, and is kept."""
    [effect] = play.hears("message", msg="hello", timestamp="yesterday", msg_id=["2"])

    assert isinstance(effect, MessageReceived)
    assert effect.message.text == "hello"
    assert effect.message.timestamp is None
    assert effect.message.event.extra == {"timestamp": "yesterday", "msg_id": ["2"]}
