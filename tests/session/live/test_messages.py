from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatfsm import ChatSession, commands, decode, events
from chatfsm.effects import (
    DeliveryConfirmed,
    FileReceived,
    LocationReceived,
    MessageReceived,
    ReadConfirmed,
    SendEvents,
)
from chatfsm.models import Party

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness


def test_a_message_is_reported_whole(harness: Harness) -> None:
    """A message has its text, its HTML, its sender and all other fields of the wire."""
    harness.join("ann", type="internal", display_name="Ann")

    [effect] = harness.message(
        "ann",
        "Hello<br>there",
        "2",
        msg_text="Hello\nthere",
        channel="web",
        timestamp="1614718748",
        mood="sunny",
        attachments=[{"id": "a-1", "contentType": "text/x", "content": "{}", "name": "card"}],
    )

    assert isinstance(effect, MessageReceived)
    message = effect.message
    assert message.text == "Hello\nthere"
    assert message.html == "Hello<br>there"
    assert message.sender == Party("ann", "internal", "Ann")
    assert message.party_id == "ann"
    assert message.msg_id == "2"
    assert message.timestamp == 1614718748.0
    assert message.attachments == (events.Attachment("a-1", "text/x", "{}", "card"),)
    assert message.event.channel == "web"
    assert message.event.extra == {"mood": "sunny"}
    assert message.own is False


@pytest.mark.parametrize(
    ("fields", "text", "html"),
    [
        ({"msg": "plain"}, "plain", "plain"),
        ({"msg_text": "plain"}, "plain", None),
        ({"msg": "<i>x</i>", "msg_text": ""}, "", "<i>x</i>"),
        ({"msg": ""}, "", ""),
        ({}, "", None),
    ],
)
def test_the_text_is_msg_text_if_present(
    harness: Harness, fields: dict[str, str], text: str, html: str | None
) -> None:
    """The text is msg_text if present, else msg; the HTML is msg unchanged."""
    [effect] = harness.feed("message", party_id="ann", **fields)

    assert isinstance(effect, MessageReceived)
    assert effect.message.text == text
    assert effect.message.html == html


def test_a_message_may_come_from_an_unknown_party(harness: Harness) -> None:
    """A message of a party that never joined is reported without a sender."""
    harness.join("bob")

    [effect] = harness.message("ann", "hello", "2")

    assert effect.message.sender is None
    assert effect.message.party_id == "ann"
    assert effect.message.own is False
    assert harness.anomalies == []


def test_an_empty_message_is_a_message(harness: Harness) -> None:
    """A message without any field is reported."""
    [effect] = harness.feed("message")

    assert isinstance(effect, MessageReceived)
    assert (effect.message.party_id, effect.message.msg_id, effect.message.text) == (None, None, "")
    assert effect.message.own is True, "no party is the customer (web client v4)"


@pytest.mark.parametrize(
    ("party_id", "own"),
    [("Chat-A", True), ("CHAT-A", True), ("chat-a", True), ("chat-b", False), ("chat-a2", False)],
)
def test_a_message_with_the_chat_id_as_party_is_own(
    make_harness: type[Harness], party_id: str, own: bool
) -> None:
    """A message is own if its party id equals the chat_id, without case."""
    [effect] = make_harness("Chat-A").message(party_id, "hello", "1")

    assert effect.message.own is own


def test_the_customer_who_joined_is_the_sender_in_any_case(make_harness: type[Harness]) -> None:
    """The customer, joined with the id in any case, is the sender, with the chat_id as party id."""
    harness = make_harness("Chat-A")
    harness.join("CHAT-A", type="external", display_name="Eve")

    [effect] = harness.message("chat-a", "hello", "1")

    assert effect.message.own is True
    assert effect.message.sender == Party("Chat-A", "external", "Eve")


def test_a_party_that_left_is_not_the_sender(harness: Harness) -> None:
    """A message of a party that has left is reported without a sender."""
    harness.join("ann", type="internal")
    harness.leave("ann")

    [effect] = harness.message("ann", "bye", "2")

    assert effect.message.sender is None


def test_a_file_is_reported_whole(harness: Harness) -> None:
    """A file has its id, type, name, sender and timestamp."""
    harness.join("ann", type="internal")

    [effect] = harness.feed(
        "file",
        party_id="ann",
        msg_id="4",
        file_id="f-1",
        file_type="attachment",
        file_name="notes",
        timestamp="1614739612",
    )

    assert isinstance(effect, FileReceived)
    file = effect.file
    assert (file.file_id, file.file_type, file.file_name) == ("f-1", "attachment", "notes")
    assert (file.party_id, file.msg_id, file.timestamp) == ("ann", "4", 1614739612.0)
    assert file.sender == Party("ann", "internal")
    assert file.own is False


@pytest.mark.parametrize(
    ("fields", "own", "party_id"),
    [
        ({}, True, None),
        ({"party_id": "CHAT-1"}, True, "CHAT-1"),
        ({"session_id": "chat-1"}, True, "chat-1"),
        ({"party_id": "ann"}, False, "ann"),
        ({"session_id": "ann"}, False, "ann"),
    ],
)
def test_a_file_without_a_party_is_the_customers(
    harness: Harness, fields: dict[str, str], own: bool, party_id: str | None
) -> None:
    """A file is own if it has no party, or the chat_id as party id."""
    [effect] = harness.feed("file", file_id="f-1", **fields)

    assert isinstance(effect, FileReceived)
    assert effect.file.own is own
    assert effect.file.party_id == party_id
    assert effect.file.sender is None


def test_a_location_is_reported_whole(harness: Harness) -> None:
    """A location has its degrees, from numbers or texts, its map, sender and timestamp."""
    harness.join("ann", type="internal")

    [effect] = harness.feed(
        "location",
        party_id="ann",
        msg_id="4",
        latitude="59.5",
        longitude=-7,
        url="https://maps.example/here",
        timestamp=1614739612000,
    )

    assert isinstance(effect, LocationReceived)
    place = effect.location
    assert (place.latitude, place.longitude) == (59.5, -7.0)
    assert place.url == "https://maps.example/here"
    assert (place.party_id, place.msg_id, place.timestamp) == ("ann", "4", 1614739612.0)
    assert place.sender == Party("ann", "internal")
    assert place.own is False


@pytest.mark.parametrize(("party_id", "own"), [("CHAT-1", True), ("ann", False), (None, False)])
def test_a_location_needs_nothing(harness: Harness, party_id: str | None, own: bool) -> None:
    """A location without fields is reported, as own only if its party id is the chat_id."""
    [effect] = harness.feed("location", party_id=party_id)

    assert isinstance(effect, LocationReceived)
    assert (effect.location.latitude, effect.location.longitude) == (None, None)
    assert effect.location.own is own


@pytest.mark.parametrize("field", ["ref_msg_id", "msg_id"])
@pytest.mark.parametrize(
    ("event_name", "confirmed"),
    [("message_delivered", DeliveryConfirmed), ("message_read", ReadConfirmed)],
)
def test_receipts_name_the_message(
    harness: Harness, event_name: str, confirmed: type[DeliveryConfirmed], field: str
) -> None:
    """A receipt has the id of the message and the party, also with the older name of the field."""
    assert harness.feed(event_name, **{field: "1", "party_id": "ann"}) == [confirmed("1", "ann")]
    assert harness.feed(event_name, **{field: "3"}) == [confirmed("3", None)]


@pytest.mark.parametrize("event_name", ["message_delivered", "message_read"])
def test_a_receipt_is_reported_once(harness: Harness, event_name: str) -> None:
    """A receipt of the same message and party is reported once, of another party again."""
    harness.feed(event_name, ref_msg_id="1", party_id="ann")

    assert harness.feed(event_name, ref_msg_id="1", party_id="ann") == []
    assert harness.session.counts.duplicates == 1
    assert len(harness.feed(event_name, ref_msg_id="1", party_id="bob")) == 1


def test_delivered_and_read_are_two_things(harness: Harness) -> None:
    """A read receipt is reported after a delivery receipt."""
    harness.feed("message_delivered", ref_msg_id="1", party_id="ann")

    assert harness.feed("message_read", ref_msg_id="1", party_id="ann") == [
        ReadConfirmed("1", "ann"),
    ]


@pytest.mark.parametrize("event_name", ["message_delivered", "message_read"])
def test_the_customers_own_receipts_are_not_reported(harness: Harness, event_name: str) -> None:
    """The customer's own receipt in a history is only counted."""
    assert harness.feed(event_name, ref_msg_id="2", party_id="CHAT-1") == []
    assert harness.session.counts.events == 1
    assert harness.session.counts.duplicates == 0


@pytest.mark.parametrize(
    ("given", "read"), [("d-1", "d-1"), (7, "7"), (None, None), ([], None), (True, None), ("", "")]
)
def test_a_message_has_its_directive_id(given: object, read: str | None) -> None:
    """A message has the directive_id that the answer repeats, or None if it is unusable."""
    session = ChatSession("chat-1")
    raw = {"event": "chat_session_message", "party_id": "bot", "msg": "?", "directive_id": given}
    (event,) = decode(raw)
    (reported,) = session.receive(event, now=0.0)
    assert isinstance(reported, MessageReceived)
    assert reported.message.directive_id == read
    if read:
        command = commands.SendText("yes", directive_id=read)
        (sent,) = session.receive(command, now=1.0)
        assert isinstance(sent, SendEvents)
        assert sent.events[0]["directive_id"] == read
