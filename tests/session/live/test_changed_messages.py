"""Edits, deletions and files by address: events that web client v4 knows (PROTOCOL.md §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatfsm import events
from chatfsm.effects import FileReceived, MessageDeleted, MessageEdited, to_json
from chatfsm.inputs import History
from chatfsm.models import SharedFile

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness


def test_an_edit_is_reported_with_the_new_text(harness: Harness) -> None:
    """An edit has the id of the message, its new text and HTML, and the party."""
    harness.message("ann", "Good mornig", "2")

    assert harness.feed("message_edit", ref_msg_id="2", party_id="ann", msg="Good<br>morning") == [
        MessageEdited("2", "Good<br>morning", "Good<br>morning", "ann")
    ]
    assert harness.feed("message_edit", msg_id="2", msg="<b>x</b>", msg_text="x") == [
        MessageEdited("2", "x", "<b>x</b>", None)
    ]
    assert harness.feed("message_edit", ref_msg_id="2") == [MessageEdited("2", "", None, None)]


def test_a_repeated_edit_is_a_duplicate(harness: Harness) -> None:
    """A duplicate edit is counted; an edit back to the first text is another edit."""
    first = {"ref_msg_id": "2", "msg": "one", "timestamp": "100"}
    harness.feed("message_edit", **first)

    assert harness.feed("message_edit", **first) == []
    assert harness.session.counts.duplicates == 1
    assert len(harness.feed("message_edit", ref_msg_id="2", msg="two", timestamp="101")) == 1
    assert len(harness.feed("message_edit", **{**first, "timestamp": "102"})) == 1
    assert harness.anomalies == []


def test_a_deletion_is_reported_once(harness: Harness) -> None:
    """A deletion has the id of the message; an unknown message makes no difference."""
    deletion = {"ref_msg_id": "8", "party_id": "ann"}

    assert harness.feed("message_delete", **deletion) == [MessageDeleted("8", "ann")]
    assert harness.feed("message_delete", **deletion) == []
    assert harness.session.counts.duplicates == 1


def test_a_history_does_not_report_known_changes_again(harness: Harness) -> None:
    """A change that a poll reported is a duplicate in a history, and the other way round."""
    edit = events.MessageEdit("2", "ann", "two", timestamp=100.0)
    deletion = events.MessageDelete("4", "ann", timestamp=101.0)
    harness.receive(edit)

    merged = harness.receive(History((edit, deletion)))

    assert merged == [MessageDeleted("4", "ann", replayed=True)]
    assert harness.receive(deletion) == []
    assert harness.session.counts.duplicates == 2


def test_a_file_may_come_by_its_address(harness: Harness) -> None:
    """A file by its address has a URL, no id and no name; without a party it is the customer's."""
    harness.join("ann")
    address = "https://files.example/cat.png"

    [effect] = harness.feed("file_url", file_url=address, file_type="image", party_id="ann")

    assert isinstance(effect, FileReceived)
    file = effect.file
    assert (file.url, file.file_id, file.file_name) == (address, None, None)
    assert (file.file_type, file.own, file.sender) == ("image", False, harness.session.parties[0])
    assert to_json(effect)["file"]["url"] == address
    [own] = harness.feed("file_url", file_url=address)
    assert isinstance(own, FileReceived)
    assert own.file.own


def test_a_file_by_its_address_has_duplicates(harness: Harness) -> None:
    """Such a file is identified by its msg_id, else by its address and timestamp."""
    with_id = {"file_url": "https://files.example/1", "msg_id": "2", "party_id": "ann"}
    with_time = {"file_url": "https://files.example/2", "timestamp": "100", "party_id": "ann"}
    for fields in (with_id, with_time):
        assert len(harness.feed("file_url", **fields)) == 1
        assert harness.feed("file_url", **fields) == []
    assert harness.session.counts.duplicates == 2


def test_a_file_by_its_id_has_no_address_in_json(harness: Harness) -> None:
    """The JSON of a file by its id has no `url`."""
    [effect] = harness.feed("file", file_id="f-1", party_id="ann")

    assert isinstance(effect, FileReceived)
    assert isinstance(effect.file, SharedFile)
    assert effect.file.url is None
    assert "url" not in to_json(effect)["file"]


def test_two_edits_of_the_same_second_are_two(harness: Harness) -> None:
    """Two edits with another HTML, text or timestamp are two edits."""
    edit = {"ref_msg_id": "2", "party_id": "ann", "msg": "a", "msg_text": "b", "timestamp": "100"}
    for change in ({}, {"msg": "c"}, {"msg_text": "c"}, {"timestamp": "101"}):
        assert len(harness.feed("message_edit", **{**edit, **change})) == 1
