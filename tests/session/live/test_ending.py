from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import asdict, evolve

from chatfsm.effects import StateChanged, Terminated

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness

LATE = [
    {"event": "chat_session_status", "state": "failed"},
    {"event": "chat_session_status", "state": "connected"},
    {"event": "chat_session_status", "state": "no such state"},
    {"event": "chat_session_ended"},
    {"event": "chat_session_inactivity_timeout", "msg": "Bye"},
    {"event": "chat_session_party_joined", "party_id": "bob"},
    {"event": "chat_session_party_left", "party_id": "ann"},
    {"event": "chat_session_party_left", "party_id": "nobody"},
    {"event": "chat_session_message", "party_id": "ann", "msg_id": "2", "msg": "hello"},
    {"event": "chat_session_message_delivered", "ref_msg_id": "1"},
    {"event": "chat_session_message_read", "ref_msg_id": "1"},
    {"event": "chat_session_typing", "party_id": "ann"},
    {"event": "chat_session_not_typing", "party_id": "ann"},
    {"event": "chat_session_form_show", "form_request_id": "7", "form_timeout": "5"},
    {"event": "chat_session_secure_form_show", "form_request_id": "8"},
    {"event": "chat_session_secure_form_cancel", "form_request_id": "8"},
    {"event": "chat_session_timeout_warning", "msg": "still there?"},
    {"event": "chat_session_signaling", "data": {"type": "OFFER_CALL"}},
    {"event": "chat_session_file", "file_id": "f-1"},
    {"event": "chat_session_location", "latitude": "1", "longitude": "2"},
    {"event": "chat_session_case_set", "case_id": "c-1"},
    {"event": "chat_session_info", "service_name": "Desk"},
    {"event": "chat_session_cobrowsing_requested"},
    {"event": "chat_session_form_data", "form_request_id": "7"},
    {"event": "chat_form_data_cancel", "form_request_id": "7"},
    {"event": "chat_session_end"},
    {"event": "chat_session_surprise"},
    {"event": "chat_session_typing"},
    {"event": 7},
    "no object",
]


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize("item", LATE)
def test_nothing_follows_the_end(make_harness: type[Harness], item: object, strict: bool) -> None:
    """After the end an event is counted as late and as nothing else, in strict sessions too."""
    harness = make_harness(strict=strict)
    harness.join("ann", type="internal")
    harness.message("ann", "hello", "2")
    harness.end()
    before, _ = harness.copy_state()

    assert harness.feed_batch(item) == []

    after, _ = harness.copy_state()
    assert after == evolve(before, late=1)


def test_ticks_after_the_end_do_nothing(harness: Harness) -> None:
    """Ticks after the end change nothing and are not counted."""
    harness.typing("ann")
    harness.show_form("7", form_timeout="5")
    harness.end()
    before = harness.copy_state()

    assert harness.tick(at=5.0) == []
    assert harness.tick(at=1e9) == []
    assert harness.copy_state() == before


def test_one_termination_ever(harness: Harness) -> None:
    """Several endings, together or repeated, terminate once, with the outcome of the first."""
    effects = harness.feed_batch(
        {"event": "chat_session_inactivity_timeout", "msg": "Too long"},
        {"event": "chat_session_ended"},
        {"event": "chat_session_status", "state": "failed"},
        {"event": "chat_session_party_left", "party_id": "ann"},
    )

    assert effects == [
        StateChanged("establishing", "timed_out"),
        Terminated("timed_out", "Too long"),
    ]
    assert harness.session.outcome == "timed_out"
    assert harness.session.outcome_text == "Too long"
    assert harness.session.counts.late == 3


def test_the_end_drops_unneeded_state(harness: Harness) -> None:
    """A terminated session has no ids, no departures and no candidates."""
    harness.join("ann", type="internal")
    harness.message("ann", "hello", "2")
    harness.leave("ann", timestamp="100")
    harness.signal("ICE_CANDIDATE", candidate="host")
    harness.end()

    memory, wake = harness.copy_state()
    assert memory.seen_ids == {}
    assert memory.seen_count == 0
    assert memory.departed is None
    assert memory.joined_at == ()
    assert memory.call.candidates == ()
    assert harness.session.early_candidates == ()
    assert wake == float("inf")


def test_counts_of_a_whole_chat(harness: Harness) -> None:
    """Each event is counted once until the end, and each effect once."""
    harness.join("ann", type="internal")  # 1 effect
    harness.join("ann", type="internal")  # duplicate
    harness.message("ann", "hello", "2")  # 1
    harness.message("ann", "hello", "2")  # duplicate
    harness.feed("surprise")  # 1
    harness.feed("typing")  # 1 anomaly
    harness.status("no such state")  # 1 anomaly
    harness.tick(at=1.0)
    harness.end()  # 2
    harness.end()  # late

    assert asdict(harness.session.counts) == {
        "events": 8,
        "effects": 7,
        "duplicates": 2,
        "unknown": 1,
        "malformed": 1,
        "anomalies": 2,
        "late": 1,
    }
    assert len(harness.effects) == 7
