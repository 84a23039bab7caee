from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import asdict, evolve

from chatfsm.effects import StateChanged, Terminated

if TYPE_CHECKING:
    from tests.session.live.conftest import Play

LATECOMERS = [
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
@pytest.mark.parametrize("latecomer", LATECOMERS)
def test_nothing_follows_the_end(plays: type[Play], latecomer: object, strict: bool) -> None:
    """After the end every event is counted as late and as nothing else, in strict sessions too."""
    play = plays(strict=strict)
    play.joins("ann", type="internal")
    play.says("ann", "hello", "2")
    play.ends()
    before, _ = play.recalls()

    assert play.hears_batch(latecomer) == []

    after, _ = play.recalls()
    assert after == evolve(before, late=1)


def test_ticks_after_the_end_do_nothing(play: Play) -> None:
    """Ticks after the end, however late, change nothing and are not even counted."""
    play.types("ann")
    play.shows("7", form_timeout="5")
    play.ends()
    before = play.recalls()

    assert play.ticks(at=5.0) == []
    assert play.ticks(at=1e9) == []
    assert play.recalls() == before


def test_one_termination_ever(play: Play) -> None:
    """Endings that come together, or again, terminate once, and the first one decides."""
    effects = play.hears_batch(
        {"event": "chat_session_inactivity_timeout", "msg": "Too long"},
        {"event": "chat_session_ended"},
        {"event": "chat_session_status", "state": "failed"},
        {"event": "chat_session_party_left", "party_id": "ann"},
    )

    assert effects == [
        StateChanged("establishing", "timed_out"),
        Terminated("timed_out", "Too long"),
    ]
    assert play.session.outcome == "timed_out"
    assert play.session.outcome_text == "Too long"
    assert play.session.counts.late == 3


def test_the_end_lets_go_of_what_it_needs_no_more(play: Play) -> None:
    """A session that is over remembers no ids, no departures and no candidates."""
    play.joins("ann", type="internal")
    play.says("ann", "hello", "2")
    play.leaves("ann", timestamp="100")
    play.signals("ICE_CANDIDATE", candidate="host")
    play.ends()

    memory, wake = play.recalls()
    assert memory.seen_ids == {}
    assert memory.seen_count == 0
    assert memory.departed is None
    assert memory.joined_at == ()
    assert memory.call.candidates == ()
    assert play.session.early_candidates == ()
    assert wake == float("inf")


def test_counts_of_a_whole_chat(play: Play) -> None:
    """Each event is counted once while the session lives, and each effect once."""
    play.joins("ann", type="internal")  # 1 effect
    play.joins("ann", type="internal")  # absorbed
    play.says("ann", "hello", "2")  # 1
    play.says("ann", "hello", "2")  # absorbed
    play.hears("surprise")  # 1
    play.hears("typing")  # 1 anomaly
    play.status("no such state")  # 1 anomaly
    play.ticks(at=1.0)
    play.ends()  # 2
    play.ends()  # late

    assert asdict(play.session.counts) == {
        "events": 8,
        "effects": 7,
        "duplicates": 2,
        "unknown": 1,
        "malformed": 1,
        "anomalies": 2,
        "late": 1,
    }
    assert len(play.told) == 7
