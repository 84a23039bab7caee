"""Edits, deletions and files by address: events that web client v4 knows (PROTOCOL.md §2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from chatfsm import events
from chatfsm.effects import FileReceived, MessageDeleted, MessageEdited, to_json
from chatfsm.inputs import History
from chatfsm.models import SharedFile

if TYPE_CHECKING:
    from tests.session.live.conftest import Play


def test_an_edit_brings_the_new_text(play: Play) -> None:
    """An edit names the message, its new text and HTML, and the party."""
    play.says("ann", "Good mornig", "2")

    assert play.hears("message_edit", ref_msg_id="2", party_id="ann", msg="Good<br>morning") == [
        MessageEdited("2", "Good<br>morning", "Good<br>morning", "ann")
    ]
    assert play.hears("message_edit", msg_id="2", msg="<b>x</b>", msg_text="x") == [
        MessageEdited("2", "x", "<b>x</b>", None)
    ]
    assert play.hears("message_edit", ref_msg_id="2") == [MessageEdited("2", "", None, None)]


def test_an_edit_again_is_a_duplicate(play: Play) -> None:
    """A cached poll brings the same edit; an edit back to the first text is another one."""
    first = {"ref_msg_id": "2", "msg": "one", "timestamp": "100"}
    play.hears("message_edit", **first)

    assert play.hears("message_edit", **first) == []
    assert play.session.counts.duplicates == 1
    assert len(play.hears("message_edit", ref_msg_id="2", msg="two", timestamp="101")) == 1
    assert len(play.hears("message_edit", **{**first, "timestamp": "102"})) == 1
    assert play.anomalies == []


def test_a_deletion_is_reported_once(play: Play) -> None:
    """A deletion names the message; one of a message never received is reported all the same."""
    deletion = {"ref_msg_id": "8", "party_id": "ann"}

    assert play.hears("message_delete", **deletion) == [MessageDeleted("8", "ann")]
    assert play.hears("message_delete", **deletion) == []
    assert play.session.counts.duplicates == 1


def test_a_history_brings_changes_once(play: Play) -> None:
    """What a poll reported is a duplicate in a history, and the other way round."""
    edit = events.MessageEdit("2", "ann", "two", timestamp=100.0)
    deletion = events.MessageDelete("4", "ann", timestamp=101.0)
    play.receives(edit)

    merged = play.receives(History((edit, deletion)))

    assert merged == [MessageDeleted("4", "ann", replayed=True)]
    assert play.receives(deletion) == []
    assert play.session.counts.duplicates == 2


def test_a_file_may_come_by_its_address(play: Play) -> None:
    """Such a file has a url, and neither id nor name; without a party it is the customer's."""
    play.joins("ann")
    address = "https://files.example/cat.png"

    [effect] = play.hears("file_url", file_url=address, file_type="image", party_id="ann")

    assert isinstance(effect, FileReceived)
    file = effect.file
    assert (file.url, file.file_id, file.file_name) == (address, None, None)
    assert (file.file_type, file.own, file.sender) == ("image", False, play.session.parties[0])
    assert to_json(effect)["file"]["url"] == address
    [own] = play.hears("file_url", file_url=address)
    assert isinstance(own, FileReceived)
    assert own.file.own


def test_a_file_by_its_address_is_known_again(play: Play) -> None:
    """With an id by it, else by address and timestamp, as a file by its id."""
    with_id = {"file_url": "https://files.example/1", "msg_id": "2", "party_id": "ann"}
    with_time = {"file_url": "https://files.example/2", "timestamp": "100", "party_id": "ann"}
    for fields in (with_id, with_time):
        assert len(play.hears("file_url", **fields)) == 1
        assert play.hears("file_url", **fields) == []
    assert play.session.counts.duplicates == 2


def test_a_file_by_its_id_has_no_address_in_json(play: Play) -> None:
    """The JSON of such a file is as it was before addresses came up."""
    [effect] = play.hears("file", file_id="f-1", party_id="ann")

    assert isinstance(effect, FileReceived)
    assert isinstance(effect.file, SharedFile)
    assert effect.file.url is None
    assert "url" not in to_json(effect)["file"]


def test_two_edits_of_the_same_second_are_two(play: Play) -> None:
    """They differ in their HTML alone, in their text alone, or in their time alone."""
    edit = {"ref_msg_id": "2", "party_id": "ann", "msg": "a", "msg_text": "b", "timestamp": "100"}
    for change in ({}, {"msg": "c"}, {"msg_text": "c"}, {"timestamp": "101"}):
        assert len(play.hears("message_edit", **{**edit, **change})) == 1
