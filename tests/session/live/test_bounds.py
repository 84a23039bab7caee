from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import RemoteProtocolError
from chatfsm._session.state import SessionState
from chatfsm.effects import (
    Anomaly,
    FormOpened,
    MessageReceived,
    PartyAdded,
    SignalReceived,
    Terminated,
    TypingStarted,
    TypingStopped,
    to_json,
)
from chatfsm.models import Form, Party
from chatfsm.signaling import IceCandidate

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness


def test_the_roster_is_bounded(make_harness: type[Harness]) -> None:
    """A party beyond `max_parties` is reported as an anomaly and can join after a leave.

    A party in the roster may still change.
    """
    harness = make_harness(max_parties=2)
    harness.join("ann")
    harness.join("bob")

    [anomaly] = harness.join("eve", type="internal")

    assert anomaly == Anomaly(
        "too_many_parties",
        "more than 2 parties: 'eve' is not added",
        {
            "party_id": "eve",
            "type": "internal",
            "display_name": None,
            "first_name": None,
            "last_name": None,
        },
    )
    assert harness.session.parties == (Party("ann"), Party("bob"))
    assert harness.session.agent is None
    assert len(harness.join("bob", type="internal")) == 1
    harness.leave("ann")
    assert harness.join("eve") == [PartyAdded(Party("eve"))]
    assert harness.anomalies == ["too_many_parties"]


def test_the_departures_are_bounded(make_harness: type[Harness]) -> None:
    """As many departures are check_seen_count as the roster may hold parties, the latest ones."""
    harness = make_harness(max_parties=2)
    for number, party_id in enumerate(("ann", "bob", "eve"), start=1):
        harness.join(party_id, timestamp=number * 100)
        harness.leave(party_id, timestamp=number * 100 + 1)

    assert len(departed(harness.session._state)) == 2
    assert harness.join("eve", timestamp=300) == []
    assert harness.join("bob", timestamp=200) == []
    assert harness.join("ann", timestamp=100) == [PartyAdded(Party("ann"))]


def test_a_party_that_rejoined_is_not_a_departure(harness: Harness) -> None:
    """A party in the roster is not among the departures."""
    harness.join("ann", timestamp=1)
    harness.leave("ann", timestamp=2)
    harness.join("ann", timestamp=3)

    assert departed(harness.session._state) == {}


def test_a_forgotten_departure_is_an_anomaly(make_harness: type[Harness]) -> None:
    """A forgotten departure is reported as an anomaly (law L6), once."""
    harness = make_harness(max_parties=1)
    for party_id in ("ann", "bob", "eve"):
        harness.join(party_id)
        harness.leave(party_id)

    assert harness.anomalies == ["too_many_parties"]


def test_the_typists_are_bounded(make_harness: type[Harness]) -> None:
    """A typing party beyond `max_typists` is reported as an anomaly; the known ones may go on."""
    harness = make_harness(max_typists=2)
    harness.typing("ann", at=0.0)
    harness.typing("bob")

    assert harness.typing("eve", at=1.0) == [
        Anomaly("too_many_typists", "more than 2 typing parties: 'eve' is ignored"),
    ]
    assert harness.session.typing == ("ann", "bob")
    assert harness.typing("ann", at=2.0) == []
    assert harness.typing("eve", at=30.0) == [TypingStopped("bob", "timeout"), TypingStarted("eve")]


def test_the_forms_are_bounded(make_harness: type[Harness]) -> None:
    """A form beyond `max_forms` is reported as an anomaly; an open form may be replaced."""
    harness = make_harness(max_forms=2)
    harness.show_form("7")
    harness.show_form("8")

    assert harness.show_form("9", form_timeout="5", timestamp="100", at=1.0) == [
        Anomaly(
            "too_many_forms",
            "more than 2 open forms: form '9' is ignored",
            {"request_id": "9", "name": "survey", "secure": False, "deadline": None},
        ),
    ]
    assert harness.session.deadline is None
    assert len(harness.show_form("8", "other")) == 2
    harness.feed("form_data", form_request_id="7")
    assert harness.show_form("9", form_timeout="5", timestamp="100", at=1.0) == [
        FormOpened(Form("9", "survey", deadline=6.0)),
    ]


def test_the_candidates_are_bounded(make_harness: type[Harness]) -> None:
    """A candidate beyond `max_candidates` is reported, with an anomaly that contains it."""
    harness = make_harness(max_candidates=2)
    harness.signal("ICE_CANDIDATE", candidate="a")
    harness.signal("ICE_CANDIDATE", candidate="b")

    reported, anomaly = harness.signal("ICE_CANDIDATE", candidate="c")

    assert isinstance(reported, SignalReceived)
    assert isinstance(anomaly, Anomaly)
    assert anomaly.kind == "too_many_candidates"
    assert anomaly.text == "more than 2 ICE candidates before the answer"
    assert isinstance(anomaly.raw, dict)
    assert anomaly.raw["candidate"] == "c"
    assert [each.candidate for each in harness.session.early_candidates] == ["a", "b"]


def test_a_candidate_is_bounded(harness: Harness) -> None:
    """Unknown fields of a candidate are reported whole, and kept only if they are short."""
    harness.signal("ICE_CANDIDATE", candidate="a", usernameFragment="x" * 100)
    (reported,) = harness.signal("ICE_CANDIDATE", candidate="b", padding="x" * 5_000)

    assert isinstance(reported, SignalReceived)
    assert isinstance(reported.signal, IceCandidate)
    assert reported.signal.extra == {"padding": "x" * 5_000}
    kept = [(each.candidate, each.extra) for each in harness.session.early_candidates]
    assert kept == [("a", {"usernameFragment": "x" * 100}), ("b", {})]


def test_a_long_url_is_not_remembered_whole(harness: Harness) -> None:
    """A file without an id is recognized by its URL; of a long URL a digest is kept."""
    url = "https://example.com/" + "x" * 4_000
    assert len(harness.feed("file_url", file_url=url, party_id="ann", timestamp=5)) == 1
    assert harness.feed("file_url", file_url=url, party_id="ann", timestamp=5) == []
    assert len(harness.feed("file_url", file_url=url + "y", party_id="ann", timestamp=5)) == 1

    keys = [key for ids in harness.session._state.seen_ids.values() for key in ids]
    assert max(len(str(key)) for key in keys) < 100


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_the_ids_are_bounded(make_harness: type[Harness], strict: bool) -> None:
    """Beyond `max_ids` the oldest ids are forgotten, with one anomaly per session.

    A long chat does not break the protocol, so a strict session reports it too.
    """
    harness = make_harness(max_ids=4, strict=strict)
    for number in range(4):
        assert len(harness.message("ann", "hello", str(number))) == 1

    reported, anomaly = harness.message("ann", "hello", "4")

    assert isinstance(reported, MessageReceived)
    assert anomaly == Anomaly(
        "too_many_ids", "more than 4 ids: repeats of the oldest are no longer recognized"
    )
    for number in range(4, 0, -1):
        assert harness.message("ann", "hello", str(number)) == []
    assert len(harness.message("ann", "hello", "0")) == 1
    for number in range(50):
        harness.message("ann", "hello", str(100 + number))
        assert harness.session._state.seen_count <= 4
    assert harness.anomalies == ["too_many_ids"]


def test_one_id_is_the_least(make_harness: type[Harness]) -> None:
    """With `max_ids=1` the last id is known."""
    harness = make_harness(max_ids=1)
    for msg_id in ("2", "4", "6"):
        harness.message("ann", "hello", msg_id)

    assert harness.message("ann", "hello", "6") == []
    assert harness.session._state.seen_count == 1


def test_variants_of_an_id_count_too(make_harness: type[Harness]) -> None:
    """An id that is reused with new contents takes no more memory than new ids."""
    harness = make_harness(max_ids=8)
    for number in range(100):
        harness.message("ann", f"content {number}", "2")
        check_seen_count(harness, 8)

    assert harness.anomalies.count("too_many_ids") == 1


def test_the_party_with_most_ids_is_forgotten_first(make_harness: type[Harness]) -> None:
    """The ids of a party with many messages are forgotten before those of a party with few."""
    harness = make_harness(max_ids=16)
    harness.message("ann", "hello", "2")
    for number in range(100):
        harness.message("bob", "spam", str(number))

    assert harness.message("ann", "hello", "2") == []
    assert harness.message("bob", "spam", "99") == []
    assert len(harness.message("bob", "spam", "0")) == 1


def test_of_many_parties_with_few_ids_the_first_are_forgotten(make_harness: type[Harness]) -> None:
    """If all parties have few messages, an eighth of all ids is dropped, the oldest first."""
    harness = make_harness(max_ids=24)
    for number in range(25):
        harness.message(f"party {number}", "hello", "2")
    check_seen_count(harness, 24)

    for number in range(3, 25):
        assert harness.message(f"party {number}", "hello", "2") == []
    for number in range(3):
        assert len(harness.message(f"party {number}", "hello", "2")) == 1


def test_forms_and_signals_count_against_the_bound_of_ids(make_harness: type[Harness]) -> None:
    """`max_ids` bounds ids of all kinds together, not only those of messages."""
    harness = make_harness(max_ids=6)
    for number in range(60):
        text = str(number)
        harness.show_form("7", text, timestamp=number)
        harness.feed("message_read", ref_msg_id=text)
        harness.signal("CALL_STATE", msg_id=text)
        harness.feed("file", file_id=text, msg_id=text)
        harness.feed("cobrowsing_requested", msg_id=text)
        check_seen_count(harness, 6)

    assert harness.anomalies == ["too_many_ids"]


def test_the_fingerprint_of_a_long_content_is_short(harness: Harness) -> None:
    """The fingerprint of a long content is short."""
    harness.message("ann", "x" * 1_000_000, "2")
    harness.show_form("7", "y" * 4_000, timestamp="100", hint="z" * 1_000_000)
    harness.signal("OFFER_CALL", msg_id="4", sdp="s" * 1_000_000)

    seen = harness.session._state.seen_ids or {}
    kept = [text for contents in seen.values() for text in contents.values()]
    assert len(kept) == 3
    assert max(len(text) for text in kept) < 100
    assert harness.message("ann", "x" * 1_000_000, "2") == []


def check_seen_count(harness: Harness, limit: int) -> None:
    """Assert that `seen_count` is the number of check_seen_count ids, and at most `limit`."""
    memory = harness.session._state
    assert memory.seen_count == sum(len(contents) for contents in (memory.seen_ids or {}).values())
    assert memory.seen_count <= limit
    assert all((memory.seen_ids or {}).values())


def departed(memory: SessionState) -> dict[str, float | None]:
    """The departures that the session remembers."""
    return memory.departed or {}


PARTIES = st.sampled_from(["ann", "bob", "eve", "chat-1", "CHAT-1", ""])
IDS = st.sampled_from([None, "", "1", "2", 3, "4", ["5"]])
TEXTS = st.sampled_from([None, "", "a", "b", "\0", "x" * 90, "\ud800", 7, {}])
TIMES = st.sampled_from([None, "100", 101, "102", "never"])
COMMON: dict[str, Any] = {"party_id": PARTIES, "msg_id": IDS, "timestamp": TIMES}
FORMS: dict[str, Any] = {
    "form_request_id": IDS,
    "form_name": TEXTS,
    "form_timeout": st.sampled_from([None, 0, "1", 5, -1, 1e300]),
}
SIGNALS = st.sampled_from(
    ["REQUEST_CALL", "OFFER_CALL", "ANSWER_CALL", "CALL_REJECTED", "END_CALL", "ICE_CANDIDATE"]
)


def _event(names: list[str], **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"event": st.sampled_from([f"chat_session_{name}" for name in names])},
        optional={**COMMON, **fields},
    )


ALIVE = st.one_of(
    _event(
        ["status"],
        state=st.sampled_from(["establishing", "queued", "connected", "completed", "odd"]),
        ewt=st.sampled_from(["", "5", 7, None]),
    ),
    _event(["party_joined", "party_left"], display_name=TEXTS),
    _event(["message", "timeout_warning"], msg=TEXTS, msg_text=TEXTS),
    _event(["typing", "not_typing", "message_read", "cobrowsing_started"]),
    _event(["form_show", "secure_form_show", "form_data", "secure_form_cancel"], **FORMS),
    _event(["file", "location"], file_id=TEXTS, latitude=IDS, url=TEXTS),
    _event(["signaling"], data=st.fixed_dictionaries({"type": SIGNALS, "candidate": TEXTS})),
    _event(["case_set", "info", "surprise", "end"], case_id=IDS, service_name=TEXTS),
    st.sampled_from([None, 7, "x", {"event": 3}]),
)
HOSTILE = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.5, 4.0, 31.0]),
        st.one_of(
            ALIVE, ALIVE, ALIVE, ALIVE, ALIVE, ALIVE, ALIVE, _event(["ended", "inactivity_timeout"])
        ),
    ),
    max_size=60,
)


@given(HOSTILE)
def test_any_events_raise_nothing_and_keep_all_bounds(
    make_harness: type[Harness], deliveries: list[tuple[float, object]]
) -> None:
    """Any events raise nothing, keep all bounds, and end with at most one termination, the last."""
    harness = make_harness(max_ids=8, max_parties=2, max_typists=1, max_forms=2, max_candidates=2)
    now = 0.0
    for pause, item in deliveries:
        now += pause
        was_done = harness.session.done
        effects = harness.feed_batch(item, at=now)
        assert not (was_done and effects)
        for effect in effects:
            assert json.loads(json.dumps(to_json(effect), allow_nan=False))
        _within_bounds(harness)
    endings = [
        place for place, effect in enumerate(harness.effects) if isinstance(effect, Terminated)
    ]
    assert endings == ([len(harness.effects) - 1] if harness.session.done else [])
    assert harness.anomalies.count("too_many_ids") <= 1
    counts = harness.session.counts
    assert counts.effects == len(harness.effects)
    assert counts.anomalies == len(harness.anomalies)
    assert counts.events + counts.late == len(deliveries)


def _within_bounds(harness: Harness) -> None:
    memory = harness.session._state
    check_seen_count(harness, 8)
    assert len(memory.parties) <= 2
    assert len(departed(memory)) <= 2
    assert len(memory.typing or ()) <= 1
    assert len(memory.forms or ()) <= 2
    assert len(memory.call.candidates) <= 2
    # Empty containers are dropped, and no deadline is before `deadline_bound`.
    assert memory.typing != {}
    assert memory.forms != {}
    assert harness.session.deadline is None or memory.deadline_bound <= harness.session.deadline


# A smaller vocabulary than a hostile server's, so that breaches occur in many states.
NARROW = st.lists(
    st.tuples(
        st.sampled_from([0.0, 31.0]),
        st.one_of(
            st.fixed_dictionaries(
                {
                    "event": st.sampled_from(
                        [
                            "chat_session_party_joined",
                            "chat_session_party_left",
                            "chat_session_typing",
                            "chat_session_message",
                            "chat_session_cobrowsing_started",
                        ]
                    ),
                    "party_id": st.sampled_from(["ann", "bob", "eve"]),
                    "msg_id": st.sampled_from(["2", "4"]),
                    "msg": st.sampled_from(["a", "b"]),
                }
            ),
            st.builds(
                lambda msg_id, kind: {
                    "event": "chat_session_signaling",
                    "msg_id": msg_id,
                    "data": {"type": kind},
                },
                st.sampled_from([None, "2", "4", "6", "8"]),
                st.sampled_from(["ICE_CANDIDATE", "ICE_CANDIDATE", "OFFER_CALL"]),
            ),
            st.builds(
                lambda event_name, form: {
                    "event": f"chat_session_{event_name}",
                    "form_request_id": form,
                    "timestamp": "100",
                },
                st.sampled_from(["form_show", "secure_form_show", "form_data"]),
                st.sampled_from(["7", "8"]),
            ),
            st.builds(
                lambda state: {"event": "chat_session_status", "state": state},
                st.sampled_from(["establishing", "connected", "completed", "odd"]),
            ),
        ),
    ),
    max_size=20,
)


@given(NARROW)
def test_a_strict_session_is_the_lenient_one_without_the_breaches(
    make_harness: type[Harness], deliveries: list[tuple[float, object]]
) -> None:
    """After a breach a strict session is in the state that it would have without the breach."""
    settings = {"max_parties": 2, "max_typists": 1, "max_forms": 1, "max_candidates": 1}
    lenient, strict = make_harness(**settings), make_harness(strict=True, **settings)
    now = 0.0
    for pause, item in deliveries:
        now += pause
        strict.tick(at=now)
        lenient.tick(at=now)
        before = strict.copy_state()
        try:
            strict.feed_batch(item)
        except RemoteProtocolError:
            assert strict.copy_state() == before
        else:
            lenient.feed_batch(item)
    assert strict.effects == lenient.effects
    assert strict.copy_state() == lenient.copy_state()
