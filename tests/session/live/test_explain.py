"""Explanations: with `Settings(explain=True)` a session reports what it otherwise only counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatfsm import events
from chatfsm.effects import Ignored, TypingStarted
from chatfsm.inputs import History

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness

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


@pytest.mark.parametrize(("name", "fields"), DUPLICATES, ids=[name for name, _ in DUPLICATES])
def test_a_duplicate_is_explained(
    make_harness: type[Harness], name: str, fields: dict[str, Any]
) -> None:
    """Each kind of duplicate is reported with its event, and counted as without `explain`."""
    silent, harness = make_harness(), make_harness(explain=True)
    for each in (silent, harness):
        each.feed(name, **fields)

    [ignored] = harness.feed(name, **fields)

    assert isinstance(ignored, Ignored)
    assert ignored.reason == "duplicate"
    assert silent.feed(name, **fields) == []
    assert harness.session.counts.duplicates == silent.session.counts.duplicates


def test_an_explanation_shows_no_text(make_harness: type[Harness]) -> None:
    """The repr of an ignored event names the reason alone: an app may log it (law L10)."""
    harness = make_harness(explain=True)
    harness.message("ann", "a secret", "2")

    [ignored] = harness.message("ann", "a secret", "2")

    assert "secret" not in repr(ignored)


def test_a_late_event_is_explained(make_harness: type[Harness]) -> None:
    """After the end each event is reported as late, also those of a history."""
    harness = make_harness(explain=True)
    harness.end()
    typing = events.Typing("ann")

    assert harness.receive(typing) == [Ignored("late", typing)]
    assert harness.receive(History((typing,))) == [Ignored("late", typing)]
    assert harness.session.counts.late == 2


def test_a_duplicate_of_a_history_is_marked_as_replayed(make_harness: type[Harness]) -> None:
    """A duplicate of a history is marked as replayed, as all effects of a history are."""
    harness = make_harness(explain=True)
    message = events.Message("ann", "2", "hi")
    harness.receive(message)

    assert harness.receive(History((message,))) == [Ignored("duplicate", message, replayed=True)]


def test_by_default_nothing_is_explained(harness: Harness) -> None:
    """By default only new facts are reported."""
    assert harness.typing("ann") == [TypingStarted("ann")]
    harness.join("ann")
    assert harness.join("ann") == []
