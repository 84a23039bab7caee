from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatfsm.effects import (
    Anomaly,
    CallChanged,
    CobrowsingChanged,
    FileReceived,
    FormOpened,
    LocationReceived,
    MessageReceived,
    SignalReceived,
)
from chatfsm.models import Form

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness

# One of each kind that has a msg_id, and the same kind with another content.
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any], type]] = {
    "message": ({"msg": "one"}, {"msg": "two"}, MessageReceived),
    "text": ({"msg": "x", "msg_text": "one"}, {"msg": "x", "msg_text": "two"}, MessageReceived),
    "file": ({"file_id": "f-1"}, {"file_id": "f-2"}, FileReceived),
    "file type": (
        {"file_id": "f-1", "file_type": "image"},
        {"file_id": "f-1", "file_type": "attachment"},
        FileReceived,
    ),
    "file name": (
        {"file_id": "f-1", "file_name": "a"},
        {"file_id": "f-1", "file_name": "b"},
        FileReceived,
    ),
    "location": ({"latitude": 1}, {"latitude": 2}, LocationReceived),
    "longitude": ({"longitude": 1}, {"longitude": 2}, LocationReceived),
    "location url": (
        {"url": "https://maps.example/a"},
        {"url": "https://maps.example/b"},
        LocationReceived,
    ),
    "attachments": (
        {"msg": "x", "attachments": [{"id": "a-1"}]},
        {"msg": "x", "attachments": [{"id": "a-2"}]},
        MessageReceived,
    ),
    "signaling": (
        {"data": {"type": "CALL_STATE", "audioEnabled": True}},
        {"data": {"type": "CALL_STATE", "audioEnabled": False}},
        SignalReceived,
    ),
}
EVENT_NAMES = {
    "text": "message",
    "attachments": "message",
    "file type": "file",
    "file name": "file",
    "longitude": "location",
    "location url": "location",
}


def name_of(kind: str) -> str:
    """The wire name of a case above, without "chat_session_"."""
    return EVENT_NAMES.get(kind, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_duplicate_is_counted_and_not_reported(harness: Harness, kind: str) -> None:
    """The same kind, party, id and content is reported once, however often it is received."""
    content, _, reported = KINDS[kind]
    fields = {"party_id": "ann", "msg_id": "2", **content}

    assert [type(effect) for effect in harness.feed(name_of(kind), **fields)] == [reported]
    for _again in range(70):
        assert harness.feed(name_of(kind), **fields) == []
    assert harness.session.counts.duplicates == 70
    assert harness.anomalies == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_id_with_other_content_is_reported(harness: Harness, kind: str) -> None:
    """Another content with a known id is reported, with an anomaly, and is known afterwards."""
    one, two, reported = KINDS[kind]
    event_name, fields = name_of(kind), {"party_id": "ann", "msg_id": "2"}
    harness.feed(event_name, **fields, **one)

    effects = harness.feed(event_name, **fields, **two)

    assert [type(effect) for effect in effects] == [reported, Anomaly]
    assert effects[-1] == Anomaly("id_reused", "id '2' came again with other content")
    assert harness.feed(event_name, **fields, **two) == []
    assert harness.feed(event_name, **fields, **one) == []
    assert harness.anomalies == ["id_reused"]
    assert harness.session.counts.duplicates == 2


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_id_nothing_is_a_duplicate(harness: Harness, kind: str) -> None:
    """An event without an id, or with an empty one, is reported each time."""
    content, _, reported = KINDS[kind]

    for msg_id in (None, None, "", ""):
        effects = harness.feed(name_of(kind), party_id="ann", msg_id=msg_id, **content)
        assert [type(effect) for effect in effects] == [reported]
    assert harness.session.counts.duplicates == 0


def test_a_file_without_an_id_is_known_by_its_time(harness: Harness) -> None:
    """A file without an id is a duplicate if its file_id, party and timestamp are known."""
    harness.feed("file", party_id="ann", file_id="f-1", msg_id="", timestamp="100")

    assert harness.feed("file", party_id="ann", file_id="f-1", timestamp=100) == []
    assert len(harness.feed("file", party_id="ann", file_id="f-1", timestamp="101")) == 1
    assert len(harness.feed("file", party_id="ann", file_id="f-2", timestamp="100")) == 1
    assert len(harness.feed("file", party_id="bob", file_id="f-1", timestamp="100")) == 1
    assert len(harness.feed("file", party_id="ann", file_id="f-1")) == 1
    assert harness.session.counts.duplicates == 1


def test_a_file_with_an_id_is_known_by_its_id(harness: Harness) -> None:
    """The timestamp of a file with an id makes no difference."""
    fields = {"party_id": "ann", "file_id": "f-1"}
    harness.feed("file", **fields, msg_id="2", timestamp="100")

    assert harness.feed("file", **fields, msg_id="2", timestamp="101") == []
    assert len(harness.feed("file", **fields, msg_id="4", timestamp="100")) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_scoped_to_a_party(harness: Harness, kind: str) -> None:
    """The same id and content of another party, or without a party, is not a duplicate."""
    content, _, reported = KINDS[kind]

    for party_id in ("ann", "bob", None):
        effects = harness.feed(name_of(kind), party_id=party_id, msg_id="2", **content)
        assert [type(effect) for effect in effects] == [reported]
    assert harness.anomalies == []


def test_ids_are_scoped_to_a_kind(harness: Harness) -> None:
    """The same party and id in another kind of event is neither a duplicate nor an anomaly."""
    fields = {"party_id": "ann", "msg_id": "2"}

    assert len(harness.feed("message", msg="f-1", **fields)) == 1
    assert len(harness.feed("file", file_id="f-1", **fields)) == 1
    assert len(harness.feed("location", **fields)) == 1
    assert len(harness.feed("signaling", data={"type": "CALL_STATE"}, **fields)) == 1
    assert len(harness.feed("message_read", ref_msg_id="2", party_id="ann")) == 1
    assert len(harness.feed("message_delivered", ref_msg_id="2", party_id="ann")) == 1
    assert len(harness.feed("cobrowsing_started", **fields)) == 1
    assert harness.anomalies == []
    assert harness.session.counts.duplicates == 0


def test_many_contents_of_one_id_are_all_known(harness: Harness) -> None:
    """Each of several contents of one id is reported once."""
    contents = ["one", "two", "three", "a" * 64, "a" * 65, "", "é"]
    for content in contents:
        assert isinstance(harness.message("ann", content, "2")[0], MessageReceived)

    for content in reversed(contents):
        assert harness.message("ann", content, "2") == []
    assert harness.anomalies == ["id_reused"] * 6


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ({"msg": "ab", "msg_text": "c"}, {"msg": "a", "msg_text": "bc"}),
        ({"msg": "a" * 100}, {"msg": "a" * 99 + "b"}),
        ({"msg": "x"}, {"msg_text": "x"}),
        ({}, {"msg": ""}),
        ({"msg": "~~~"}, {}),
        ({"msg": "\0~~~"}, {}),
        ({"msg": "\0" + "2:ab1:c~"}, {"msg": "ab", "msg_text": "c"}),
        ({"msg": "\ud800"}, {"msg": "\ud801"}),
        ({"msg": "\ud800" * 80}, {"msg": "\ud801" * 80}),
        ({"msg": "x", "attachments": [{"id": "1"}]}, {"msg": "x"}),
        (
            {"msg": "x", "attachments": [{"id": "1"}, {"id": "2"}]},
            {"msg": "x", "attachments": [{"id": "2"}, {"id": "1"}]},
        ),
    ],
)
def test_contents_that_differ_are_never_confused(
    harness: Harness, one: dict[str, Any], two: dict[str, Any]
) -> None:
    """Contents that are similar but not equal are both reported."""
    fields = {"party_id": "ann", "msg_id": "2"}
    harness.feed("message", **fields, **one)

    effects = harness.feed("message", **fields, **two)

    assert [type(effect) for effect in effects] == [MessageReceived, Anomaly]


def test_an_empty_plain_text_is_other_content_than_none(harness: Harness) -> None:
    """An empty plain text is another content than no plain text."""
    harness.message("ann", "<b>hi</b>", "2")

    effects = harness.message("ann", "<b>hi</b>", "2", msg_text="")

    assert [type(effect) for effect in effects] == [MessageReceived, Anomaly]


def test_no_id_imitates_another_id(harness: Harness) -> None:
    """No msg_id makes a message a duplicate of another id with another content."""
    harness.message("ann", "one", "2")
    harness.message("ann", "two", "2")

    effects = harness.message("ann", "", "2\0two")

    assert [type(effect) for effect in effects] == [MessageReceived]


def test_no_party_id_imitates_another_kind(harness: Harness) -> None:
    """No party id makes a message a duplicate of another party's receipt."""
    harness.feed("message_read", ref_msg_id="2", party_id="ann")

    effects = harness.message("read\0ann", "", "2")

    assert [type(effect) for effect in effects] == [MessageReceived]


def test_timestamp_and_unknown_fields_are_not_content(harness: Harness) -> None:
    """A message with another timestamp or unknown fields is a duplicate."""
    harness.message("ann", "hello", "2", timestamp="1614718748")

    assert harness.message("ann", "hello", "2", timestamp=1614718748000, hop="cache") == []
    assert harness.message("ann", "hello", "2") == []


def test_ids_may_come_as_numbers(harness: Harness) -> None:
    """An id as a number equals the id of its digits."""
    harness.message("ann", "hello", "2")

    assert harness.feed("message", party_id="ann", msg_id=2, msg="hello") == []


@pytest.mark.parametrize("kind", ["message", "file", "location"])
def test_the_customer_is_the_same_party_in_any_case(make_harness: type[Harness], kind: str) -> None:
    """A duplicate of the customer's message is recognized with the chat_id in any case."""
    harness = make_harness("Chat-A")
    content, other, reported = KINDS[kind]
    harness.feed(kind, party_id="Chat-A", msg_id="1", **content)

    assert harness.feed(kind, party_id="CHAT-A", msg_id="1", **content) == []
    assert harness.feed(kind, party_id="chat-a", msg_id="1", **content) == []
    effects = harness.feed(kind, party_id="chat-a", msg_id="1", **other)
    assert [type(effect) for effect in effects] == [reported, Anomaly]


def test_the_customers_signals_are_known_in_any_case(make_harness: type[Harness]) -> None:
    """A duplicate of the customer's signal is recognized with the chat_id in any case."""
    harness = make_harness("Chat-A")
    fields = {"msg_id": "1", "data": {"type": "REQUEST_CALL"}}
    harness.feed("signaling", party_id="Chat-A", **fields)

    assert harness.feed("signaling", party_id="CHAT-A", **fields) == []


def test_an_own_file_is_known_with_and_without_its_party(harness: Harness) -> None:
    """A file without a party is the customer's, so its duplicate may have the chat_id."""
    harness.feed("file", file_id="f-1", msg_id="1")

    assert harness.feed("file", file_id="f-1", msg_id="1", party_id="CHAT-1") == []


def test_ids_of_other_parties_are_case_sensitive(harness: Harness) -> None:
    """Party ids other than the customer's are compared with case."""
    harness.message("ann", "hello", "2")

    assert len(harness.message("ANN", "hello", "2")) == 1


def test_a_history_that_overlaps_with_the_poll_reports_only_new_events(harness: Harness) -> None:
    """A history that overlaps with the poll reports only what is new."""
    harness.join("ann", type="internal", timestamp="100")
    harness.message("ann", "one", "2", timestamp="101")
    harness.message("chat-1", "two", "1", timestamp="102")

    effects = harness.feed_batch(
        {
            "event": "chat_session_party_joined",
            "party_id": "ann",
            "type": "internal",
            "timestamp": "100",
        },
        {"event": "chat_session_message", "party_id": "ann", "msg": "one", "msg_id": "2"},
        {"event": "chat_session_message", "party_id": "CHAT-1", "msg": "two", "msg_id": "1"},
        {"event": "chat_session_message", "party_id": "ann", "msg": "three", "msg_id": "4"},
        {"event": "chat_session_file", "party_id": "ann", "file_id": "f-1", "msg_id": "6"},
    )

    assert [type(effect) for effect in effects] == [MessageReceived, FileReceived]
    assert harness.session.counts.duplicates == 3


def test_a_repeated_poll_reports_nothing(harness: Harness) -> None:
    """A batch of joins, messages, receipts, forms and calls received twice is reported once."""
    batch = [
        {"event": "chat_session_status", "state": "connected"},
        {"event": "chat_session_party_joined", "party_id": "ann", "timestamp": "100"},
        {"event": "chat_session_message", "party_id": "ann", "msg": "hi", "msg_id": "2"},
        {"event": "chat_session_message_read", "party_id": "ann", "ref_msg_id": "1"},
        {"event": "chat_session_form_show", "form_request_id": "7", "timestamp": "101"},
        {"event": "chat_session_form_data", "form_request_id": "7", "timestamp": "102"},
        {"event": "chat_session_signaling", "msg_id": "4", "data": {"type": "OFFER_CALL"}},
        {"event": "chat_session_signaling", "msg_id": "6", "data": {"type": "END_CALL"}},
        {"event": "chat_session_case_set", "case_id": "c-1"},
        {"event": "chat_session_info", "service_name": "Desk"},
        {"event": "chat_session_cobrowsing_requested", "msg_id": "8"},
        {"event": "chat_session_cobrowsing_ended", "msg_id": "10"},
        {"event": "chat_session_party_left", "party_id": "ann", "timestamp": "103"},
    ]
    harness.feed_batch(*batch)

    assert harness.feed_batch(*batch) == []
    assert harness.anomalies == []


def test_a_repeated_signal_changes_no_call(harness: Harness) -> None:
    """A duplicate offer after the end of the call does not change the call."""
    harness.signal("OFFER_CALL", msg_id="2", sdp="v=0")
    harness.signal("END_CALL", msg_id="4")

    assert harness.signal("OFFER_CALL", msg_id="2", sdp="v=0") == []
    assert harness.session.call == "ended"
    assert harness.signal("OFFER_CALL", msg_id="6", sdp="v=0")[-1] == CallChanged(
        "ended", "offered"
    )


def test_a_closed_form_is_not_opened_by_a_cached_poll(harness: Harness) -> None:
    """A form that is shown again with the same timestamp, after it was closed, stays closed."""
    harness.show_form("7", timestamp="100", form_timeout="10")
    harness.tick(at=10.0)

    assert harness.show_form("7", timestamp="100", form_timeout="10") == []
    assert harness.session.forms == ()
    assert harness.session.counts.duplicates == 1


def test_a_closed_form_may_be_shown_again(harness: Harness) -> None:
    """A closed form that is shown with another timestamp, or without one, opens."""
    harness.show_form("7", timestamp="100")
    harness.feed("form_data", form_request_id="7")

    assert harness.show_form("7", timestamp="200") == [FormOpened(Form("7", "survey"))]
    harness.feed("form_data", form_request_id="7")
    assert harness.show_form("7") == [FormOpened(Form("7", "survey"))]


def test_a_form_shown_without_a_time_cannot_be_known(harness: Harness) -> None:
    """A closed form without a timestamp opens again: it cannot be recognized."""
    harness.show_form("7")
    harness.feed("form_data", form_request_id="7")

    assert harness.show_form("7") == [FormOpened(Form("7", "survey"))]


def test_a_replaced_form_does_not_come_back(harness: Harness) -> None:
    """A duplicate of a replaced form does not replace its successor."""
    harness.show_form("7", "short", timestamp="100")
    harness.show_form("7", "long", timestamp="200")

    assert harness.show_form("7", "short", timestamp="100") == []
    assert [form.name for form in harness.session.forms] == ["long"]


def test_every_show_of_a_form_is_known_once_it_is_closed(harness: Harness) -> None:
    """A show that was a duplicate of the open form stays one after the form is closed."""
    harness.show_form("7", timestamp="100")
    harness.show_form("7", timestamp="200")
    harness.feed("form_data", form_request_id="7")

    assert harness.show_form("7", timestamp="200") == []
    assert harness.session.forms == ()


def test_a_repeated_cobrowsing_step_is_a_duplicate(harness: Harness) -> None:
    """A duplicate step of co-browsing changes nothing."""
    harness.feed("cobrowsing_requested", msg_id="2")
    harness.feed("cobrowsing_started", msg_id="4")

    assert harness.feed("cobrowsing_requested", msg_id="2") == []
    assert harness.session.cobrowsing == "started"
    assert harness.session.counts.duplicates == 1


def test_a_cobrowsing_id_with_another_step_is_reported(harness: Harness) -> None:
    """Another step of co-browsing with a known id is reported, with an anomaly."""
    harness.feed("cobrowsing_requested", msg_id="2")

    assert harness.feed("cobrowsing_started", msg_id="2") == [
        CobrowsingChanged("started"),
        Anomaly("id_reused", "id '2' came again with other content"),
    ]


def test_cobrowsing_ids_are_scoped_to_a_party(harness: Harness) -> None:
    """The same id of co-browsing from another party is not a duplicate."""
    harness.feed("cobrowsing_requested", msg_id="2", party_id="ann")
    harness.feed("cobrowsing_ended", msg_id="4", party_id="ann")

    assert harness.feed("cobrowsing_requested", msg_id="2", party_id="bob") == [
        CobrowsingChanged("requested"),
    ]


def test_a_reused_id_is_quoted_short_and_in_ascii(harness: Harness) -> None:
    """An anomaly quotes a long or non-ASCII id shortened and escaped."""
    msg_id = "é" + "x" * 200
    harness.message("ann", "one", msg_id)

    *_, anomaly = harness.message("ann", "two", msg_id)

    assert anomaly.text.isascii()
    assert anomaly.text.startswith(r"id '\xe9xxx")
    assert len(anomaly.text) < 140


def test_another_address_under_the_same_id_is_another_file(harness: Harness) -> None:
    """The content of a file by its address is the address."""
    first = {"party_id": "ann", "msg_id": "4", "file_type": "image"}
    harness.feed("file_url", **first, file_url="https://example.com/a.png")

    reported = harness.feed("file_url", **first, file_url="https://example.com/b.png")
    assert {type(effect).__name__ for effect in reported} == {"Anomaly", "FileReceived"}
