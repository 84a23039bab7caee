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
    from tests.session.live.conftest import Play


def test_the_roster_is_bounded(plays: type[Play]) -> None:
    """A party more than the roster holds is an anomaly that says who, and room is made by leaving.

    A party that is here may still change.
    """
    play = plays(max_parties=2)
    play.joins("ann")
    play.joins("bob")

    [anomaly] = play.joins("eve", type="internal")

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
    assert play.session.parties == (Party("ann"), Party("bob"))
    assert play.session.agent is None
    assert len(play.joins("bob", type="internal")) == 1
    play.leaves("ann")
    assert play.joins("eve") == [PartyAdded(Party("eve"))]
    assert play.anomalies == ["too_many_parties"]


def test_the_departures_are_bounded(plays: type[Play]) -> None:
    """As many departures are remembered as the roster holds parties, the latest ones."""
    play = plays(max_parties=2)
    for number, party_id in enumerate(("ann", "bob", "eve"), start=1):
        play.joins(party_id, timestamp=number * 100)
        play.leaves(party_id, timestamp=number * 100 + 1)

    assert len(departed(play.session._state)) == 2
    assert play.joins("eve", timestamp=300) == []
    assert play.joins("bob", timestamp=200) == []
    assert play.joins("ann", timestamp=100) == [PartyAdded(Party("ann"))]


def test_a_party_that_came_back_is_no_departure(play: Play) -> None:
    """Who is in the roster is not among those that left."""
    play.joins("ann", timestamp=1)
    play.leaves("ann", timestamp=2)
    play.joins("ann", timestamp=3)

    assert departed(play.session._state) == {}


def test_a_forgotten_departure_is_an_anomaly(plays: type[Play]) -> None:
    """That departures have to be forgotten is no silence (law L6), and no flood: told once."""
    play = plays(max_parties=1)
    for party_id in ("ann", "bob", "eve"):
        play.joins(party_id)
        play.leaves(party_id)

    assert play.anomalies == ["too_many_parties"]


def test_the_typists_are_bounded(plays: type[Play]) -> None:
    """A typist more than is remembered is an anomaly; those who are known may go on."""
    play = plays(max_typists=2)
    play.types("ann", at=0.0)
    play.types("bob")

    assert play.types("eve", at=1.0) == [
        Anomaly("too_many_typists", "more than 2 typing parties: 'eve' is ignored"),
    ]
    assert play.session.typing == ("ann", "bob")
    assert play.types("ann", at=2.0) == []
    assert play.types("eve", at=30.0) == [TypingStopped("bob", "timeout"), TypingStarted("eve")]


def test_the_forms_are_bounded(plays: type[Play]) -> None:
    """A form more than may be open is an anomaly; one that is open may be replaced."""
    play = plays(max_forms=2)
    play.shows("7")
    play.shows("8")

    assert play.shows("9", form_timeout="5", timestamp="100", at=1.0) == [
        Anomaly(
            "too_many_forms",
            "more than 2 open forms: form '9' is ignored",
            {"request_id": "9", "name": "survey", "secure": False, "deadline": None},
        ),
    ]
    assert play.session.deadline is None
    assert len(play.shows("8", "other")) == 2
    play.hears("form_data", form_request_id="7")
    assert play.shows("9", form_timeout="5", timestamp="100", at=1.0) == [
        FormOpened(Form("9", "survey", deadline=6.0)),
    ]


def test_the_candidates_are_bounded(plays: type[Play]) -> None:
    """A candidate more than is kept is told all the same, with an anomaly that holds it."""
    play = plays(max_candidates=2)
    play.signals("ICE_CANDIDATE", candidate="a")
    play.signals("ICE_CANDIDATE", candidate="b")

    told, anomaly = play.signals("ICE_CANDIDATE", candidate="c")

    assert isinstance(told, SignalReceived)
    assert isinstance(anomaly, Anomaly)
    assert anomaly.kind == "too_many_candidates"
    assert anomaly.text == "more than 2 ICE candidates before the answer"
    assert isinstance(anomaly.raw, dict)
    assert anomaly.raw["candidate"] == "c"
    assert [each.candidate for each in play.session.early_candidates] == ["a", "b"]


def test_a_candidate_is_bounded(play: Play) -> None:
    """What a candidate holds that nobody knows is told whole, and kept where it is short."""
    play.signals("ICE_CANDIDATE", candidate="a", usernameFragment="x" * 100)
    (told,) = play.signals("ICE_CANDIDATE", candidate="b", padding="x" * 5_000)

    assert isinstance(told, SignalReceived)
    assert isinstance(told.signal, IceCandidate)
    assert told.signal.extra == {"padding": "x" * 5_000}
    kept = [(each.candidate, each.extra) for each in play.session.early_candidates]
    assert kept == [("a", {"usernameFragment": "x" * 100}), ("b", {})]


def test_a_long_url_is_not_remembered_whole(play: Play) -> None:
    """A file without an id is recognized by its URL, of which a digest is kept if it is long."""
    url = "https://example.com/" + "x" * 4_000
    assert len(play.hears("file_url", file_url=url, party_id="ann", timestamp=5)) == 1
    assert play.hears("file_url", file_url=url, party_id="ann", timestamp=5) == []
    assert len(play.hears("file_url", file_url=url + "y", party_id="ann", timestamp=5)) == 1

    keys = [key for ids in play.session._state.seen_ids.values() for key in ids]
    assert max(len(str(key)) for key in keys) < 100


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
def test_the_ids_are_bounded(plays: type[Play], strict: bool) -> None:
    """Of more ids than are remembered the oldest are forgotten, with one anomaly ever.

    A chat that is long breaks no rule, so a strict session tells it too.
    """
    play = plays(max_ids=4, strict=strict)
    for number in range(4):
        assert len(play.says("ann", "hello", str(number))) == 1

    told, anomaly = play.says("ann", "hello", "4")

    assert isinstance(told, MessageReceived)
    assert anomaly == Anomaly(
        "too_many_ids", "more than 4 ids: repeats of the oldest are no longer recognized"
    )
    for number in range(4, 0, -1):
        assert play.says("ann", "hello", str(number)) == []
    assert len(play.says("ann", "hello", "0")) == 1
    for number in range(50):
        play.says("ann", "hello", str(100 + number))
        assert play.session._state.seen_count <= 4
    assert play.anomalies == ["too_many_ids"]


def test_one_id_is_the_least(plays: type[Play]) -> None:
    """With room for one id, the last one is known."""
    play = plays(max_ids=1)
    for msg_id in ("2", "4", "6"):
        play.says("ann", "hello", msg_id)

    assert play.says("ann", "hello", "6") == []
    assert play.session._state.seen_count == 1


def test_variants_of_an_id_count_too(plays: type[Play]) -> None:
    """An id that comes with ever new content takes no more memory than ids that are new."""
    play = plays(max_ids=8)
    for number in range(100):
        play.says("ann", f"content {number}", "2")
        remembered(play, 8)

    assert play.anomalies.count("too_many_ids") == 1


def test_who_says_much_is_forgotten_first(plays: type[Play]) -> None:
    """Ids of those who say little are kept where somebody says much."""
    play = plays(max_ids=16)
    play.says("ann", "hello", "2")
    for number in range(100):
        play.says("bob", "spam", str(number))

    assert play.says("ann", "hello", "2") == []
    assert play.says("bob", "spam", "99") == []
    assert len(play.says("bob", "spam", "0")) == 1


def test_of_many_who_say_little_the_first_are_forgotten(plays: type[Play]) -> None:
    """Where nobody says much, the ids of the first speakers are forgotten, an eighth of all."""
    play = plays(max_ids=24)
    for number in range(25):
        play.says(f"party {number}", "hello", "2")
    remembered(play, 24)

    for number in range(3, 25):
        assert play.says(f"party {number}", "hello", "2") == []
    for number in range(3):
        assert len(play.says(f"party {number}", "hello", "2")) == 1


def test_forms_and_signals_share_the_room_for_ids(plays: type[Play]) -> None:
    """Whatever is remembered by its id is bounded, not only messages."""
    play = plays(max_ids=6)
    for number in range(60):
        word = str(number)
        play.shows("7", word, timestamp=number)
        play.hears("message_read", ref_msg_id=word)
        play.signals("CALL_STATE", msg_id=word)
        play.hears("file", file_id=word, msg_id=word)
        play.hears("cobrowsing_requested", msg_id=word)
        remembered(play, 6)

    assert play.anomalies == ["too_many_ids"]


def test_long_contents_take_no_room(play: Play) -> None:
    """What is remembered of a message of a megabyte is short."""
    play.says("ann", "x" * 1_000_000, "2")
    play.shows("7", "y" * 4_000, timestamp="100", hint="z" * 1_000_000)
    play.signals("OFFER_CALL", msg_id="4", sdp="s" * 1_000_000)

    told = play.session._state.seen_ids or {}
    kept = [text for contents in told.values() for text in contents.values()]
    assert len(kept) == 3
    assert max(len(text) for text in kept) < 100
    assert play.says("ann", "x" * 1_000_000, "2") == []


def remembered(play: Play, limit: int) -> None:
    """The ids that are remembered are counted right, and within their bound."""
    memory = play.session._state
    assert memory.seen_count == sum(len(contents) for contents in (memory.seen_ids or {}).values())
    assert memory.seen_count <= limit
    assert all((memory.seen_ids or {}).values())


def departed(memory: SessionState) -> dict[str, float | None]:
    """Who left, as far as is remembered."""
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
def test_a_hostile_server_does_no_harm(
    plays: type[Play], deliveries: list[tuple[float, object]]
) -> None:
    """Whatever comes, nothing is raised, memory stays bounded, and one termination is the last."""
    play = plays(max_ids=8, max_parties=2, max_typists=1, max_forms=2, max_candidates=2)
    now = 0.0
    for pause, item in deliveries:
        now += pause
        was_done = play.session.done
        effects = play.hears_batch(item, at=now)
        assert not (was_done and effects)
        for effect in effects:
            assert json.loads(json.dumps(to_json(effect), allow_nan=False))
        _within_bounds(play)
    endings = [place for place, effect in enumerate(play.told) if isinstance(effect, Terminated)]
    assert endings == ([len(play.told) - 1] if play.session.done else [])
    assert play.anomalies.count("too_many_ids") <= 1
    counts = play.session.counts
    assert counts.effects == len(play.told)
    assert counts.anomalies == len(play.anomalies)
    assert counts.events + counts.late == len(deliveries)


def _within_bounds(play: Play) -> None:
    memory = play.session._state
    remembered(play, 8)
    assert len(memory.parties) <= 2
    assert len(departed(memory)) <= 2
    assert len(memory.typing or ()) <= 1
    assert len(memory.forms or ()) <= 2
    assert len(memory.call.candidates) <= 2
    # Containers are dropped when empty, and no deadline is before the bound of them all.
    assert memory.typing != {}
    assert memory.forms != {}
    assert play.session.deadline is None or memory.deadline_bound <= play.session.deadline


# Fewer words than a hostile server has, so that breaches are met after all that can go before.
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
                lambda word, form: {
                    "event": f"chat_session_{word}",
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
    plays: type[Play], deliveries: list[tuple[float, object]]
) -> None:
    """A strict session that raises is as it would be had the breach never been delivered."""
    settings = {"max_parties": 2, "max_typists": 1, "max_forms": 1, "max_candidates": 1}
    lenient, strict = plays(**settings), plays(strict=True, **settings)
    now = 0.0
    for pause, item in deliveries:
        now += pause
        strict.ticks(at=now)
        lenient.ticks(at=now)
        before = strict.recalls()
        try:
            strict.hears_batch(item)
        except RemoteProtocolError:
            assert strict.recalls() == before
        else:
            lenient.hears_batch(item)
    assert strict.told == lenient.told
    assert strict.recalls() == lenient.recalls()
