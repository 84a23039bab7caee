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
    from tests.session.live.conftest import Harness

# DESIGN §3, written out here so that the test does not depend on the table.
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


def reach(harness: Harness, state: str) -> None:
    """Bring a new session to a state before the end."""
    if state != "establishing":
        harness.status(state)
    assert harness.session.state == state


def test_a_new_session_is_establishing(harness: Harness) -> None:
    """A session without inputs is in the state establishing."""
    assert harness.session.state == "establishing"


@pytest.mark.parametrize(("source", "destination"), PAIRS)
def test_a_status_moves_the_session(harness: Harness, source: str, destination: str) -> None:
    """Every new state is applied and reported, with an anomaly if the transition is unexpected."""
    reach(harness, source)

    first, *rest = harness.status(destination)

    assert first == StateChanged(source, destination)
    assert harness.session.state == destination
    reported = [effect.kind for effect in rest if isinstance(effect, Anomaly)]
    expected = destination in EXPECTED[source]
    assert reported == ([] if expected else ["unexpected_transition"])
    assert len(rest) == len(reported)


def test_only_going_back_to_establishing_is_unexpected() -> None:
    """The unexpected transitions are those back to establishing."""
    unexpected = {(a, b) for a, b in PAIRS if b not in EXPECTED[a]}

    assert unexpected == {(a, "establishing") for a in BEFORE_THE_END[1:]}
    assert unexpected == {(source, destination) for _, source, destination in tables.UNEXPECTED}


def test_an_unexpected_transition_is_reported_last(harness: Harness) -> None:
    """The anomaly of an unexpected transition comes after the state and the estimate."""
    harness.status("connected")

    effects = harness.status("establishing", ewt="4")

    assert effects == [
        StateChanged("connected", "establishing"),
        WaitEstimated(4.0),
        Anomaly("unexpected_transition", "from connected to establishing"),
    ]


@pytest.mark.parametrize("event_name", ["paused", "ended", "timed_out", "gone", "lost"])
def test_an_unknown_state_changes_nothing(harness: Harness, event_name: str) -> None:
    """An unknown state is an anomaly and changes nothing, also if it is the name of an outcome."""
    harness.status("queued", ewt="7")
    harness.typing("ann")

    effects = harness.status(event_name, ewt="9")

    assert effects == [Anomaly("unknown_state", f"no state is called '{event_name}'")]
    assert harness.session.state == "queued"
    assert harness.session.typing == ("ann",)
    assert not harness.session.done


@pytest.mark.parametrize(
    ("ewt", "seconds"), [("10", 10.0), ("0", 0.0), (3, 3.0), (2.5, 2.5), ("1.5", 1.5)]
)
def test_a_new_state_is_reported_with_its_estimate(
    harness: Harness, ewt: object, seconds: float
) -> None:
    """An estimate with a number, as text or number, follows the change of state."""
    assert harness.status("queued", ewt=ewt) == [
        StateChanged("establishing", "queued"),
        WaitEstimated(seconds),
    ]


@pytest.mark.parametrize("ewt", ["", None, "soon", -1, True, "NaN"])
def test_an_estimate_without_a_number_is_not_reported(harness: Harness, ewt: object) -> None:
    """An estimate without a usable number is not reported."""
    assert harness.status("queued", ewt=ewt) == [StateChanged("establishing", "queued")]


def test_the_same_state_reports_only_a_changed_estimate(harness: Harness) -> None:
    """A repeated state is reported only if its estimate has changed."""
    harness.status("queued", ewt="10")

    assert harness.status("queued", ewt="10") == []
    assert harness.status("queued", ewt=10) == []
    assert harness.status("queued") == []
    assert harness.session.counts.duplicates == 3
    assert harness.status("queued", ewt="8") == [WaitEstimated(8.0)]
    assert harness.status("queued", ewt="10") == [WaitEstimated(10.0)]
    assert harness.session.counts.duplicates == 3


def test_the_first_state_may_be_repeated(harness: Harness) -> None:
    """The status establishing in a new session is not a change."""
    assert harness.status("establishing") == []
    assert harness.status("establishing", ewt="20") == [WaitEstimated(20.0)]


def test_an_estimate_belongs_to_its_state(harness: Harness) -> None:
    """A new state clears the estimate, so that the same number is reported in it."""
    harness.status("queued", ewt="5")
    harness.status("connecting")

    assert harness.status("connecting", ewt="5") == [WaitEstimated(5.0)]


def test_a_new_state_reports_an_estimate_of_the_same_number(harness: Harness) -> None:
    """A new state is reported with its estimate, also if the number is the same as before."""
    harness.status("queued", ewt="5")

    assert harness.status("connecting", ewt="5") == [
        StateChanged("queued", "connecting"),
        WaitEstimated(5.0),
    ]


def test_completed_stops_all_typing(harness: Harness) -> None:
    """Completed is reported with its estimate, then all typing stops, and nothing else ends."""
    harness.status("connected")
    harness.join("ann", type="internal")
    harness.typing("ann")
    harness.typing("bob")
    harness.show_form("7")
    harness.feed("timeout_warning", msg="still there?")
    harness.signal("OFFER_CALL")

    effects = harness.status("completed", ewt="0")

    assert effects == [
        StateChanged("connected", "completed"),
        WaitEstimated(0.0),
        TypingStopped("ann", "completed"),
        TypingStopped("bob", "completed"),
    ]
    session = harness.session
    assert session.typing == ()
    assert not session.done
    assert session.outcome is None
    assert [party.party_id for party in session.parties] == ["ann"]
    assert [form.request_id for form in session.forms] == ["7"]
    assert session.warning == "still there?"
    assert session.call == "offered"


def test_other_states_stop_no_typing(harness: Harness) -> None:
    """Only completed and the end stop all typing."""
    harness.status("connected")
    harness.typing("ann")

    assert harness.status("queued") == [StateChanged("connected", "queued")]
    assert harness.session.typing == ("ann",)


def test_after_completed_the_session_goes_on(harness: Harness) -> None:
    """After completed, messages, a survey form and another agent may follow, and an end."""
    harness.status("completed")

    assert len(harness.message("scenario", "How was it?", "2")) == 1
    assert len(harness.show_form("9")) == 1
    assert harness.status("connected") == [StateChanged("completed", "connected")]
    harness.status("completed")
    assert harness.end()[-1] == Terminated("ended")


@pytest.mark.parametrize(("ending", "final"), ENDINGS)
@pytest.mark.parametrize("source", BEFORE_THE_END)
def test_every_state_can_end(harness: Harness, source: str, ending: object, final: str) -> None:
    """From every state that is not final, the server can end the session in three ways."""
    reach(harness, source)

    assert harness.feed_batch(ending) == [StateChanged(source, final), Terminated(final)]
    assert harness.session.state == final
    assert harness.session.outcome == final
    assert harness.session.done
    assert harness.anomalies == []


@pytest.mark.parametrize(("ending", "final"), ENDINGS)
def test_an_end_reports_its_consequences_in_order(
    harness: Harness, ending: object, final: str
) -> None:
    """An end reports state, typing, forms and call, and the termination last."""
    harness.status("connected")
    harness.join("ann", type="internal", display_name="Ann")
    harness.typing("ann")
    harness.typing("bob")
    harness.show_form("7", form_timeout="60")
    harness.feed("secure_form_show", form_request_id="8", form_id="card")
    harness.signal("OFFER_CALL")
    harness.signal("ANSWER_CALL")
    parties = harness.session.parties

    effects = harness.feed_batch(ending)

    assert effects == [
        StateChanged("connected", final),
        TypingStopped("ann", "terminated"),
        TypingStopped("bob", "terminated"),
        FormClosed(Form("7", "survey", deadline=60.0), "terminated"),
        FormClosed(Form("8", "card", secure=True), "terminated"),
        CallChanged("active", "ended"),
        Terminated(final),
    ]
    session = harness.session
    assert session.parties == parties != ()
    assert session.typing == ()
    assert session.forms == ()
    assert session.call == "ended"
    assert session.deadline is None


def test_a_failure_reports_no_estimate(harness: Harness) -> None:
    """An estimate beside the state failed is not reported."""
    assert harness.status("failed", ewt="5") == [
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
@pytest.mark.parametrize("event_name", ["inactivity_timeout", "inactvity_timeout"])
def test_inactivity_has_the_text_of_the_server(
    harness: Harness, event_name: str, fields: dict[str, str], text: str
) -> None:
    """The end for inactivity has the server's text, with both spellings of its name."""
    assert harness.session.outcome_text is None

    assert harness.feed(event_name, **fields)[-1] == Terminated("timed_out", text)
    assert harness.session.outcome_text == text


def test_an_end_without_a_text_has_an_empty_text(harness: Harness) -> None:
    """After an end without a text, `outcome_text` is empty, not None."""
    harness.end()

    assert harness.session.outcome_text == ""


def test_the_tables_agree_with_the_machines() -> None:
    """The compiled tables and the machines agree on every pair of state and trigger."""
    for table in (tables.LIFECYCLE, tables.FORM, tables.CALL):
        machine = table.machine
        for state in table.states:
            for trigger in table.triggers:
                transitions = machine.get_transitions(trigger, source=state)
                destination = transitions[0].dest if transitions else None
                assert table.moves[state].get(trigger) == destination, (table.name, state, trigger)
        assert table.initial == machine.initial


def test_the_tables_have_the_finals_of_the_design() -> None:
    """The final states are the four outcomes of a session and the five reasons of a form."""
    assert tables.LIFECYCLE.initial == "establishing"
    assert tables.LIFECYCLE.finals == {"ended", "timed_out", "failed", "gone"}
    assert tables.FORM.finals == {"submitted", "cancelled", "expired", "replaced", "terminated"}
    assert tables.CALL.finals == set()
    assert tables.CALL.states == ("idle", "requested", "offered", "active", "ended", "rejected")
