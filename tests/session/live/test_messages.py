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
    from tests.session.live.conftest import Play


def test_a_message_is_told_whole(play: Play) -> None:
    """A message carries its text, its HTML, its sender and everything that the wire gave it."""
    play.joins("ann", type="internal", display_name="Ann")

    [effect] = play.says(
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
def test_the_text_is_the_servers_own_where_it_made_one(
    play: Play, fields: dict[str, str], text: str, html: str | None
) -> None:
    """The text is msg_text where there is one, else msg; the HTML is msg as it came."""
    [effect] = play.hears("message", party_id="ann", **fields)

    assert isinstance(effect, MessageReceived)
    assert effect.message.text == text
    assert effect.message.html == html


def test_a_message_may_come_from_somebody_never_announced(play: Play) -> None:
    """A message from a party that never joined is told, without a sender."""
    play.joins("bob")

    [effect] = play.says("ann", "hello", "2")

    assert effect.message.sender is None
    assert effect.message.party_id == "ann"
    assert effect.message.own is False
    assert play.anomalies == []


def test_an_empty_message_is_a_message(play: Play) -> None:
    """A message of which nothing but the name came is told."""
    [effect] = play.hears("message")

    assert isinstance(effect, MessageReceived)
    assert (effect.message.party_id, effect.message.msg_id, effect.message.text) == (None, None, "")
    assert effect.message.own is True, "no party is the customer (web client v4)"


@pytest.mark.parametrize(
    ("party_id", "own"),
    [("Chat-A", True), ("CHAT-A", True), ("chat-a", True), ("chat-b", False), ("chat-a2", False)],
)
def test_own_is_who_has_the_id_of_the_chat(plays: type[Play], party_id: str, own: bool) -> None:
    """A message is the customer's own where its party has the id of the chat, without case."""
    [effect] = plays("Chat-A").says(party_id, "hello", "1")

    assert effect.message.own is own


def test_the_announced_customer_is_the_sender_in_any_case(plays: type[Play]) -> None:
    """The customer, announced in whatever case, is here under the chat's id, and the sender."""
    play = plays("Chat-A")
    play.joins("CHAT-A", type="external", display_name="Eve")

    [effect] = play.says("chat-a", "hello", "1")

    assert effect.message.own is True
    assert effect.message.sender == Party("Chat-A", "external", "Eve")


def test_a_sender_who_left_is_not_announced_any_more(play: Play) -> None:
    """The last words of somebody who left are told without a sender."""
    play.joins("ann", type="internal")
    play.leaves("ann")

    [effect] = play.says("ann", "bye", "2")

    assert effect.message.sender is None


def test_a_file_is_told_whole(play: Play) -> None:
    """A file carries its id, type, name, sender and time."""
    play.joins("ann", type="internal")

    [effect] = play.hears(
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
def test_a_file_from_nobody_is_the_customers(
    play: Play, fields: dict[str, str], own: bool, party_id: str | None
) -> None:
    """A file is the customer's own where it is from nobody, or from the id of the chat."""
    [effect] = play.hears("file", file_id="f-1", **fields)

    assert isinstance(effect, FileReceived)
    assert effect.file.own is own
    assert effect.file.party_id == party_id
    assert effect.file.sender is None


def test_a_location_is_told_whole(play: Play) -> None:
    """A place carries its degrees, as numbers or text, its map, sender and time."""
    play.joins("ann", type="internal")

    [effect] = play.hears(
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
def test_a_location_needs_nothing(play: Play, party_id: str | None, own: bool) -> None:
    """A place of which hardly anything came is told, as own only from the id of the chat."""
    [effect] = play.hears("location", party_id=party_id)

    assert isinstance(effect, LocationReceived)
    assert (effect.location.latitude, effect.location.longitude) == (None, None)
    assert effect.location.own is own


@pytest.mark.parametrize("field", ["ref_msg_id", "msg_id"])
@pytest.mark.parametrize(
    ("word", "confirmed"),
    [("message_delivered", DeliveryConfirmed), ("message_read", ReadConfirmed)],
)
def test_receipts_name_the_message(
    play: Play, word: str, confirmed: type[DeliveryConfirmed], field: str
) -> None:
    """A receipt tells which message reached whom, also under the older name of the field."""
    assert play.hears(word, **{field: "1", "party_id": "ann"}) == [confirmed("1", "ann")]
    assert play.hears(word, **{field: "3"}) == [confirmed("3", None)]


@pytest.mark.parametrize("word", ["message_delivered", "message_read"])
def test_a_receipt_is_told_once(play: Play, word: str) -> None:
    """A receipt of the same message and party is told once, of another party again."""
    play.hears(word, ref_msg_id="1", party_id="ann")

    assert play.hears(word, ref_msg_id="1", party_id="ann") == []
    assert play.session.counts.duplicates == 1
    assert len(play.hears(word, ref_msg_id="1", party_id="bob")) == 1


def test_delivered_and_read_are_two_things(play: Play) -> None:
    """That a message was read is news after it was delivered."""
    play.hears("message_delivered", ref_msg_id="1", party_id="ann")

    assert play.hears("message_read", ref_msg_id="1", party_id="ann") == [
        ReadConfirmed("1", "ann"),
    ]


@pytest.mark.parametrize("word", ["message_delivered", "message_read"])
def test_the_customers_own_receipts_are_no_news(play: Play, word: str) -> None:
    """A receipt that the customer sent, met in a history, is only counted."""
    assert play.hears(word, ref_msg_id="2", party_id="CHAT-1") == []
    assert play.session.counts.events == 1
    assert play.session.counts.duplicates == 0


@pytest.mark.parametrize(
    ("given", "read"), [("d-1", "d-1"), (7, "7"), (None, None), ([], None), (True, None), ("", "")]
)
def test_a_directive_id_is_for_the_answer(given: object, read: str | None) -> None:
    """A message may carry one, which the customer's answer repeats; odd ones are none."""
    session = ChatSession("chat-1")
    raw = {"event": "chat_session_message", "party_id": "bot", "msg": "?", "directive_id": given}
    (event,) = decode(raw)
    (told,) = session.receive(event, now=0.0)
    assert isinstance(told, MessageReceived)
    assert told.message.directive_id == read
    if read:
        command = commands.SendText("yes", directive_id=read)
        (sent,) = session.receive(command, now=1.0)
        assert isinstance(sent, SendEvents)
        assert sent.events[0]["directive_id"] == read
