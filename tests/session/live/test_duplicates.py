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
    from tests.session.live.conftest import Play

# One of each kind that carries a msg_id, and the same with other content.
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
WORDS = {
    "text": "message",
    "attachments": "message",
    "file type": "file",
    "file name": "file",
    "longitude": "location",
    "location url": "location",
}


def word_of(kind: str) -> str:
    """The word of the wire that a case above is about."""
    return WORDS.get(kind, kind)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_again_is_absorbed(play: Play, kind: str) -> None:
    """The same kind, party, id and content is told once, however often it comes."""
    content, _, told = KINDS[kind]
    fields = {"party_id": "ann", "msg_id": "2", **content}

    assert [type(effect) for effect in play.hears(word_of(kind), **fields)] == [told]
    for _again in range(70):
        assert play.hears(word_of(kind), **fields) == []
    assert play.session.counts.duplicates == 70
    assert play.anomalies == []


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_id_with_other_content_is_told(play: Play, kind: str) -> None:
    """Other content under an old id is told, reported, and known from then on; so is the first."""
    one, two, told = KINDS[kind]
    word, fields = word_of(kind), {"party_id": "ann", "msg_id": "2"}
    play.hears(word, **fields, **one)

    effects = play.hears(word, **fields, **two)

    assert [type(effect) for effect in effects] == [told, Anomaly]
    assert effects[-1] == Anomaly("id_reused", "id '2' came again with other content")
    assert play.hears(word, **fields, **two) == []
    assert play.hears(word, **fields, **one) == []
    assert play.anomalies == ["id_reused"]
    assert play.session.counts.duplicates == 2


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_id_nothing_is_a_duplicate(play: Play, kind: str) -> None:
    """What comes without an id, or with an empty one, is told each time."""
    content, _, told = KINDS[kind]

    for msg_id in (None, None, "", ""):
        effects = play.hears(word_of(kind), party_id="ann", msg_id=msg_id, **content)
        assert [type(effect) for effect in effects] == [told]
    assert play.session.counts.duplicates == 0


def test_a_file_without_an_id_is_known_by_its_time(play: Play) -> None:
    """A file without an id of its own is the same file where it was shared at the same time."""
    play.hears("file", party_id="ann", file_id="f-1", msg_id="", timestamp="100")

    assert play.hears("file", party_id="ann", file_id="f-1", timestamp=100) == []
    assert len(play.hears("file", party_id="ann", file_id="f-1", timestamp="101")) == 1
    assert len(play.hears("file", party_id="ann", file_id="f-2", timestamp="100")) == 1
    assert len(play.hears("file", party_id="bob", file_id="f-1", timestamp="100")) == 1
    assert len(play.hears("file", party_id="ann", file_id="f-1")) == 1
    assert play.session.counts.duplicates == 1


def test_a_file_with_an_id_is_known_by_its_id(play: Play) -> None:
    """Where a file has an id of its own, the time of it counts for nothing."""
    fields = {"party_id": "ann", "file_id": "f-1"}
    play.hears("file", **fields, msg_id="2", timestamp="100")

    assert play.hears("file", **fields, msg_id="2", timestamp="101") == []
    assert len(play.hears("file", **fields, msg_id="4", timestamp="100")) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_ids_count_for_one_party(play: Play, kind: str) -> None:
    """The same id and content from another party, or from nobody, is no duplicate."""
    content, _, told = KINDS[kind]

    for party_id in ("ann", "bob", None):
        effects = play.hears(word_of(kind), party_id=party_id, msg_id="2", **content)
        assert [type(effect) for effect in effects] == [told]
    assert play.anomalies == []


def test_ids_count_for_one_kind(play: Play) -> None:
    """The same party and id in another kind of event is no duplicate and no anomaly."""
    fields = {"party_id": "ann", "msg_id": "2"}

    assert len(play.hears("message", msg="f-1", **fields)) == 1
    assert len(play.hears("file", file_id="f-1", **fields)) == 1
    assert len(play.hears("location", **fields)) == 1
    assert len(play.hears("signaling", data={"type": "CALL_STATE"}, **fields)) == 1
    assert len(play.hears("message_read", ref_msg_id="2", party_id="ann")) == 1
    assert len(play.hears("message_delivered", ref_msg_id="2", party_id="ann")) == 1
    assert len(play.hears("cobrowsing_started", **fields)) == 1
    assert play.anomalies == []
    assert play.session.counts.duplicates == 0


def test_many_contents_of_one_id_are_all_known(play: Play) -> None:
    """Each of several contents of one id is told once."""
    contents = ["one", "two", "three", "a" * 64, "a" * 65, "", "é"]
    for content in contents:
        assert isinstance(play.says("ann", content, "2")[0], MessageReceived)

    for content in reversed(contents):
        assert play.says("ann", content, "2") == []
    assert play.anomalies == ["id_reused"] * 6


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
    play: Play, one: dict[str, Any], two: dict[str, Any]
) -> None:
    """Contents that only look alike are told both."""
    fields = {"party_id": "ann", "msg_id": "2"}
    play.hears("message", **fields, **one)

    effects = play.hears("message", **fields, **two)

    assert [type(effect) for effect in effects] == [MessageReceived, Anomaly]


def test_an_empty_plain_text_is_other_content_than_none(play: Play) -> None:
    """A message whose plain text is empty says something else than one without plain text."""
    play.says("ann", "<b>hi</b>", "2")

    effects = play.says("ann", "<b>hi</b>", "2", msg_text="")

    assert [type(effect) for effect in effects] == [MessageReceived, Anomaly]


def test_no_id_can_be_made_to_look_like_another(play: Play) -> None:
    """A message is never taken for the other content of another id, whatever its id holds."""
    play.says("ann", "one", "2")
    play.says("ann", "two", "2")

    effects = play.says("ann", "", "2\0two")

    assert [type(effect) for effect in effects] == [MessageReceived]


def test_no_party_can_be_made_to_look_like_another_kind(play: Play) -> None:
    """A message is never taken for a receipt of another party, whatever its party id holds."""
    play.hears("message_read", ref_msg_id="2", party_id="ann")

    effects = play.says("read\0ann", "", "2")

    assert [type(effect) for effect in effects] == [MessageReceived]


def test_the_time_and_the_unknown_fields_make_no_other_content(play: Play) -> None:
    """A message that comes again with another time is the same message."""
    play.says("ann", "hello", "2", timestamp="1614718748")

    assert play.says("ann", "hello", "2", timestamp=1614718748000, hop="cache") == []
    assert play.says("ann", "hello", "2") == []


def test_ids_may_come_as_numbers(play: Play) -> None:
    """An id as a number is the same id as its digits."""
    play.says("ann", "hello", "2")

    assert play.hears("message", party_id="ann", msg_id=2, msg="hello") == []


@pytest.mark.parametrize("kind", ["message", "file", "location"])
def test_the_customer_is_the_same_party_in_any_case(plays: type[Play], kind: str) -> None:
    """What the customer said is known under the chat's id in whatever case it comes again."""
    play = plays("Chat-A")
    content, other, told = KINDS[kind]
    play.hears(kind, party_id="Chat-A", msg_id="1", **content)

    assert play.hears(kind, party_id="CHAT-A", msg_id="1", **content) == []
    assert play.hears(kind, party_id="chat-a", msg_id="1", **content) == []
    effects = play.hears(kind, party_id="chat-a", msg_id="1", **other)
    assert [type(effect) for effect in effects] == [told, Anomaly]


def test_the_customers_signals_are_known_in_any_case(plays: type[Play]) -> None:
    """A signal of the customer's is known under the chat's id in whatever case it comes again."""
    play = plays("Chat-A")
    fields = {"msg_id": "1", "data": {"type": "REQUEST_CALL"}}
    play.hears("signaling", party_id="Chat-A", **fields)

    assert play.hears("signaling", party_id="CHAT-A", **fields) == []


def test_an_own_file_is_known_with_and_without_its_party(play: Play) -> None:
    """A file from nobody is the customer's, so it is known when it comes with the chat's id."""
    play.hears("file", file_id="f-1", msg_id="1")

    assert play.hears("file", file_id="f-1", msg_id="1", party_id="CHAT-1") == []


def test_the_same_party_of_others_is_told_apart_by_case(play: Play) -> None:
    """Only the customer's id is compared without case."""
    play.says("ann", "hello", "2")

    assert len(play.says("ANN", "hello", "2")) == 1


def test_history_overlaps_with_the_poll(play: Play) -> None:
    """A history that holds what the poll has told, and more, tells only the more."""
    play.joins("ann", type="internal", timestamp="100")
    play.says("ann", "one", "2", timestamp="101")
    play.says("chat-1", "two", "1", timestamp="102")

    effects = play.hears_batch(
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
    assert play.session.counts.duplicates == 3


def test_a_whole_poll_again_tells_nothing(play: Play) -> None:
    """A batch of joinings, messages, receipts, forms and calls that comes twice is told once."""
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
    play.hears_batch(*batch)

    assert play.hears_batch(*batch) == []
    assert play.anomalies == []


def test_a_signal_again_moves_no_call(play: Play) -> None:
    """An offer that a cached poll brings after the end of the call rings nowhere."""
    play.signals("OFFER_CALL", msg_id="2", sdp="v=0")
    play.signals("END_CALL", msg_id="4")

    assert play.signals("OFFER_CALL", msg_id="2", sdp="v=0") == []
    assert play.session.call == "ended"
    assert play.signals("OFFER_CALL", msg_id="6", sdp="v=0")[-1] == CallChanged("ended", "offered")


def test_a_dead_form_is_not_opened_by_a_cached_poll(play: Play) -> None:
    """A form shown again with the same time, after it was closed, stays closed."""
    play.shows("7", timestamp="100", form_timeout="10")
    play.ticks(at=10.0)

    assert play.shows("7", timestamp="100", form_timeout="10") == []
    assert play.session.forms == ()
    assert play.session.counts.duplicates == 1


def test_a_form_may_be_shown_anew(play: Play) -> None:
    """A form shown at another time, or without one, after it was closed, opens."""
    play.shows("7", timestamp="100")
    play.hears("form_data", form_request_id="7")

    assert play.shows("7", timestamp="200") == [FormOpened(Form("7", "survey"))]
    play.hears("form_data", form_request_id="7")
    assert play.shows("7") == [FormOpened(Form("7", "survey"))]


def test_a_form_shown_without_a_time_cannot_be_known(play: Play) -> None:
    """Without a time nothing says that a form is an old one, so it opens again."""
    play.shows("7")
    play.hears("form_data", form_request_id="7")

    assert play.shows("7") == [FormOpened(Form("7", "survey"))]


def test_a_replaced_form_does_not_come_back(play: Play) -> None:
    """The first look of a form, brought again by a cached poll, does not replace the second."""
    play.shows("7", "short", timestamp="100")
    play.shows("7", "long", timestamp="200")

    assert play.shows("7", "short", timestamp="100") == []
    assert [form.name for form in play.session.forms] == ["long"]


def test_every_show_of_a_form_is_known_once_it_is_closed(play: Play) -> None:
    """A show that was absorbed because the form was open is known too, when it comes again."""
    play.shows("7", timestamp="100")
    play.shows("7", timestamp="200")
    play.hears("form_data", form_request_id="7")

    assert play.shows("7", timestamp="200") == []
    assert play.session.forms == ()


def test_a_cobrowsing_step_again_is_absorbed(play: Play) -> None:
    """An old step of co-browsing, brought again under its id, changes nothing."""
    play.hears("cobrowsing_requested", msg_id="2")
    play.hears("cobrowsing_started", msg_id="4")

    assert play.hears("cobrowsing_requested", msg_id="2") == []
    assert play.session.cobrowsing == "started"
    assert play.session.counts.duplicates == 1


def test_a_cobrowsing_id_with_another_step_is_told(play: Play) -> None:
    """Another step of co-browsing under an old id is told and reported."""
    play.hears("cobrowsing_requested", msg_id="2")

    assert play.hears("cobrowsing_started", msg_id="2") == [
        CobrowsingChanged("started"),
        Anomaly("id_reused", "id '2' came again with other content"),
    ]


def test_cobrowsing_ids_count_for_one_party(play: Play) -> None:
    """A step of co-browsing from another party is no duplicate, though the id is the same."""
    play.hears("cobrowsing_requested", msg_id="2", party_id="ann")
    play.hears("cobrowsing_ended", msg_id="4", party_id="ann")

    assert play.hears("cobrowsing_requested", msg_id="2", party_id="bob") == [
        CobrowsingChanged("requested"),
    ]


def test_a_reused_id_is_named_short_and_in_plain_ascii(play: Play) -> None:
    """An anomaly quotes a long or odd id in part, escaped, so that it can be printed anywhere."""
    msg_id = "é" + "x" * 200
    play.says("ann", "one", msg_id)

    *_, anomaly = play.says("ann", "two", msg_id)

    assert anomaly.text.isascii()
    assert anomaly.text.startswith(r"id '\xe9xxx")
    assert len(anomaly.text) < 140


def test_another_address_under_the_same_id_is_another_file(play: Play) -> None:
    """A file by its address has the address as its content."""
    first = {"party_id": "ann", "msg_id": "4", "file_type": "image"}
    play.hears("file_url", **first, file_url="https://example.com/a.png")

    told = play.hears("file_url", **first, file_url="https://example.com/b.png")
    assert {type(effect).__name__ for effect in told} == {"Anomaly", "FileReceived"}
