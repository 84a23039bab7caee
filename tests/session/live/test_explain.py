"""Explanations: with `Settings(explain=True)` a session reports what it otherwise only counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatfsm import events
from chatfsm.effects import Ignored, TypingStarted
from chatfsm.inputs import History

if TYPE_CHECKING:
    from tests.session.live.conftest import Play

DUPLICATES: list[tuple[str, dict[str, Any]]] = [
    ("status", {"state": "establishing"}),
    ("party_joined", {"party_id": "ann"}),
    ("message", {"party_id": "ann", "msg_id": "2", "msg": "hi"}),
    ("message_edit", {"ref_msg_id": "2", "msg": "ho"}),
    ("message_delete", {"ref_msg_id": "2"}),
    ("message_delivered", {"ref_msg_id": "1", "party_id": "ann"}),
    ("message_read", {"ref_msg_id": "1", "party_id": "ann"}),
    ("form_show", {"form_request_id": "7"}),
    ("file", {"file_id": "f-1", "msg_id": "4", "party_id": "ann"}),
    ("file_url", {"file_url": "https://files.example/1", "msg_id": "6", "party_id": "ann"}),
    ("location", {"latitude": 1, "msg_id": "8", "party_id": "ann"}),
    ("signaling", {"msg_id": "10", "party_id": "ann", "data": {"type": "OFFER_CALL"}}),
    ("cobrowsing_requested", {"msg_id": "12"}),
    ("case_set", {"case_id": "c-1"}),
    ("info", {"service_name": "Trees"}),
]


@pytest.mark.parametrize(("word", "fields"), DUPLICATES, ids=[word for word, _ in DUPLICATES])
def test_a_duplicate_is_explained(plays: type[Play], word: str, fields: dict[str, Any]) -> None:
    """Each kind of duplicate is reported with its event, and counted as without `explain`."""
    silent, play = plays(), plays(explain=True)
    for stage in (silent, play):
        stage.hears(word, **fields)

    [ignored] = play.hears(word, **fields)

    assert isinstance(ignored, Ignored)
    assert ignored.reason == "duplicate"
    assert silent.hears(word, **fields) == []
    assert play.session.counts.duplicates == silent.session.counts.duplicates


def test_an_explanation_shows_no_text(plays: type[Play]) -> None:
    """The repr of an ignored event names the reason alone: an app may log it (law L10)."""
    play = plays(explain=True)
    play.says("ann", "a secret", "2")

    [ignored] = play.says("ann", "a secret", "2")

    assert "secret" not in repr(ignored)


def test_a_late_event_is_explained(plays: type[Play]) -> None:
    """After the end each event is reported as late, those of a history too."""
    play = plays(explain=True)
    play.ends()
    typing = events.Typing("ann")

    assert play.receives(typing) == [Ignored("late", typing)]
    assert play.receives(History((typing,))) == [Ignored("late", typing)]
    assert play.session.counts.late == 2


def test_a_duplicate_of_a_history_is_marked_as_replayed(plays: type[Play]) -> None:
    """Like every effect that a history brings."""
    play = plays(explain=True)
    message = events.Message("ann", "2", "hi")
    play.receives(message)

    assert play.receives(History((message,))) == [Ignored("duplicate", message, replayed=True)]


def test_without_it_nothing_is_explained(play: Play) -> None:
    """Off by default: what is new is reported, nothing else."""
    assert play.types("ann") == [TypingStarted("ann")]
    play.joins("ann")
    assert play.joins("ann") == []
