from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatfsm._session import tables
from chatfsm.effects import (
    Anomaly,
    CallChanged,
    FormClosed,
    StateChanged,
    Terminated,
    TypingStopped,
    WaitEstimated,
)
from chatfsm.models import Form

if TYPE_CHECKING:
    from tests.session.live.conftest import Play

# As the design says it, on purpose not read from the table.
BEFORE_THE_END = ("establishing", "ivr", "queued", "connecting", "connected", "completed")
EXPECTED = {
    "establishing": {"ivr", "queued", "connecting", "connected", "completed"},
    "ivr": {"queued", "connecting", "connected", "completed"},
    "queued": {"ivr", "connecting", "connected", "completed"},
    "connecting": {"ivr", "queued", "connected", "completed"},
    "connected": {"completed", "queued", "connecting", "ivr"},
    "completed": {"queued", "connecting", "connected", "ivr"},
}
PAIRS = [(a, b) for a in BEFORE_THE_END for b in BEFORE_THE_END if a != b]

ENDINGS = [
    ({"event": "chat_session_status", "state": "failed"}, "failed"),
    ({"event": "chat_session_ended"}, "ended"),
    ({"event": "chat_session_inactivity_timeout"}, "timed_out"),
]


def reach(play: Play, state: str) -> None:
    """Bring a new session to a state before the end."""
    if state != "establishing":
        play.status(state)
    assert play.session.state == state


def test_a_session_begins_by_being_established(play: Play) -> None:
    """A session that has heard nothing is establishing."""
    assert play.session.state == "establishing"


@pytest.mark.parametrize(("source", "destination"), PAIRS)
def test_a_status_moves_the_session(play: Play, source: str, destination: str) -> None:
    """Every new state is obeyed and told, and reported only where no row expects it."""
    reach(play, source)

    first, *rest = play.status(destination)

    assert first == StateChanged(source, destination)
    assert play.session.state == destination
    reported = [effect.kind for effect in rest if isinstance(effect, Anomaly)]
    expected = destination in EXPECTED[source]
    assert reported == ([] if expected else ["unexpected_transition"])
    assert len(rest) == len(reported)


def test_only_going_back_to_establishing_is_unexpected() -> None:
    """The pairs that no row expects are those that lead back to the beginning."""
    unexpected = {(a, b) for a, b in PAIRS if b not in EXPECTED[a]}

    assert unexpected == {(a, "establishing") for a in BEFORE_THE_END[1:]}
    assert unexpected == {(source, destination) for _, source, destination in tables.UNEXPECTED}


def test_an_unexpected_transition_is_reported_after_all_that_it_brought(play: Play) -> None:
    """The anomaly of an unexpected transition stands behind the state and the estimate."""
    play.status("connected")

    effects = play.status("establishing", ewt="4")

    assert effects == [
        StateChanged("connected", "establishing"),
        WaitEstimated(4.0),
        Anomaly("unexpected_transition", "from connected to establishing"),
    ]


@pytest.mark.parametrize("word", ["paused", "ended", "timed_out", "gone", "lost"])
def test_an_unknown_state_word_leaves_the_state(play: Play, word: str) -> None:
    """A state word that nobody knows is an anomaly and moves nothing, whatever it sounds like."""
    play.status("queued", ewt="7")
    play.types("ann")

    effects = play.status(word, ewt="9")

    assert effects == [Anomaly("unknown_state", f"no state is called '{word}'")]
    assert play.session.state == "queued"
    assert play.session.typing == ("ann",)
    assert not play.session.done


@pytest.mark.parametrize(
    ("ewt", "seconds"), [("10", 10.0), ("0", 0.0), (3, 3.0), (2.5, 2.5), ("1.5", 1.5)]
)
def test_a_new_state_brings_its_estimate(play: Play, ewt: object, seconds: float) -> None:
    """An estimate that holds a number, as text or number, follows the change of state."""
    assert play.status("queued", ewt=ewt) == [
        StateChanged("establishing", "queued"),
        WaitEstimated(seconds),
    ]


@pytest.mark.parametrize("ewt", ["", None, "soon", -1, True, "NaN"])
def test_an_estimate_without_a_number_is_none(play: Play, ewt: object) -> None:
    """An estimate that holds no usable number is not told."""
    assert play.status("queued", ewt=ewt) == [StateChanged("establishing", "queued")]


def test_the_same_state_tells_only_a_changed_estimate(play: Play) -> None:
    """A state told again is news only where its estimate is another number."""
    play.status("queued", ewt="10")

    assert play.status("queued", ewt="10") == []
    assert play.status("queued", ewt=10) == []
    assert play.status("queued") == []
    assert play.session.counts.duplicates == 3
    assert play.status("queued", ewt="8") == [WaitEstimated(8.0)]
    assert play.status("queued", ewt="10") == [WaitEstimated(10.0)]
    assert play.session.counts.duplicates == 3


def test_the_first_state_may_be_told_again(play: Play) -> None:
    """The state that every session begins in is no change when the server tells it."""
    assert play.status("establishing") == []
    assert play.status("establishing", ewt="20") == [WaitEstimated(20.0)]


def test_an_estimate_belongs_to_its_state(play: Play) -> None:
    """A new state forgets the old estimate, so that the same number is news in it."""
    play.status("queued", ewt="5")
    play.status("connecting")

    assert play.status("connecting", ewt="5") == [WaitEstimated(5.0)]


def test_a_new_state_tells_an_estimate_of_the_same_number(play: Play) -> None:
    """A new state tells its estimate also where the number is the one of before."""
    play.status("queued", ewt="5")

    assert play.status("connecting", ewt="5") == [
        StateChanged("queued", "connecting"),
        WaitEstimated(5.0),
    ]


def test_completed_stops_all_typing(play: Play) -> None:
    """Completed is told with its estimate, then everybody stops typing, and nothing else ends."""
    play.status("connected")
    play.joins("ann", type="internal")
    play.types("ann")
    play.types("bob")
    play.shows("7")
    play.hears("timeout_warning", msg="still there?")
    play.signals("OFFER_CALL")

    effects = play.status("completed", ewt="0")

    assert effects == [
        StateChanged("connected", "completed"),
        WaitEstimated(0.0),
        TypingStopped("ann", "completed"),
        TypingStopped("bob", "completed"),
    ]
    session = play.session
    assert session.typing == ()
    assert not session.done
    assert session.outcome is None
    assert [party.party_id for party in session.parties] == ["ann"]
    assert [form.request_id for form in session.forms] == ["7"]
    assert session.warning == "still there?"
    assert session.call == "offered"


def test_other_states_stop_no_typing(play: Play) -> None:
    """Only completed and the end stop the typing of everybody."""
    play.status("connected")
    play.types("ann")

    assert play.status("queued") == [StateChanged("connected", "queued")]
    assert play.session.typing == ("ann",)


def test_after_completed_the_session_goes_on(play: Play) -> None:
    """After completed, messages, a survey form and another agent may follow, and at last an end."""
    play.status("completed")

    assert len(play.says("scenario", "How was it?", "2")) == 1
    assert len(play.shows("9")) == 1
    assert play.status("connected") == [StateChanged("completed", "connected")]
    play.status("completed")
    assert play.ends()[-1] == Terminated("ended")


@pytest.mark.parametrize(("ending", "final"), ENDINGS)
@pytest.mark.parametrize("source", BEFORE_THE_END)
def test_every_state_can_end(play: Play, source: str, ending: object, final: str) -> None:
    """From every state that is not final, the server may end the session in each of three ways."""
    reach(play, source)

    assert play.hears_batch(ending) == [StateChanged(source, final), Terminated(final)]
    assert play.session.state == final
    assert play.session.outcome == final
    assert play.session.done
    assert play.anomalies == []


@pytest.mark.parametrize(("ending", "final"), ENDINGS)
def test_an_end_tells_its_consequences_in_order(play: Play, ending: object, final: str) -> None:
    """An end tells the state, typing, forms and call, and the termination last."""
    play.status("connected")
    play.joins("ann", type="internal", display_name="Ann")
    play.types("ann")
    play.types("bob")
    play.shows("7", form_timeout="60")
    play.hears("secure_form_show", form_request_id="8", form_id="card")
    play.signals("OFFER_CALL")
    play.signals("ANSWER_CALL")
    parties = play.session.parties

    effects = play.hears_batch(ending)

    assert effects == [
        StateChanged("connected", final),
        TypingStopped("ann", "terminated"),
        TypingStopped("bob", "terminated"),
        FormClosed(Form("7", "survey", deadline=60.0), "terminated"),
        FormClosed(Form("8", "card", secure=True), "terminated"),
        CallChanged("active", "ended"),
        Terminated(final),
    ]
    session = play.session
    assert session.parties == parties != ()
    assert session.typing == ()
    assert session.forms == ()
    assert session.call == "ended"
    assert session.deadline is None


def test_a_failure_tells_no_estimate(play: Play) -> None:
    """Who has failed waits for nobody: an estimate beside failed is not told."""
    assert play.status("failed", ewt="5") == [
        StateChanged("establishing", "failed"),
        Terminated("failed"),
    ]


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, ""),
        ({"msg": "Bye"}, "Bye"),
        ({"msg": "<b>Bye</b>", "msg_text": "Bye"}, "Bye"),
        ({"msg": "Bye", "msg_text": ""}, ""),
    ],
)
@pytest.mark.parametrize("word", ["inactivity_timeout", "inactvity_timeout"])
def test_inactivity_says_why(play: Play, word: str, fields: dict[str, str], text: str) -> None:
    """The end for inactivity carries the server's text, under both spellings of its name."""
    assert play.session.outcome_text is None

    assert play.hears(word, **fields)[-1] == Terminated("timed_out", text)
    assert play.session.outcome_text == text


def test_an_end_without_words_has_an_empty_text(play: Play) -> None:
    """After an end about which the server said nothing, the text is empty and not missing."""
    play.ends()

    assert play.session.outcome_text == ""


def test_the_law_is_the_machine() -> None:
    """The compiled tables and the machines agree on every pair of state and trigger."""
    for table in (tables.LIFECYCLE, tables.FORM, tables.CALL):
        machine = table.machine
        for state in table.states:
            for trigger in table.triggers:
                transitions = machine.get_transitions(trigger, source=state)
                destination = transitions[0].dest if transitions else None
                assert table.moves[state].get(trigger) == destination, (table.name, state, trigger)
        assert table.initial == machine.initial


def test_the_law_has_the_finals_of_the_design() -> None:
    """The final states are the four outcomes of a session, and the five reasons of a form."""
    assert tables.LIFECYCLE.initial == "establishing"
    assert tables.LIFECYCLE.finals == {"ended", "timed_out", "failed", "gone"}
    assert tables.FORM.finals == {"submitted", "cancelled", "expired", "replaced", "terminated"}
    assert tables.CALL.finals == set()
    assert tables.CALL.states == ("idle", "requested", "offered", "active", "ended", "rejected")
