from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from chatfsm import signaling
from chatfsm._session import tables
from chatfsm.effects import CallChanged, SignalReceived

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness

# Signals that bring an idle call to each state.
SIGNALS_TO = {
    "idle": (),
    "requested": ("REQUEST_CALL",),
    "offered": ("OFFER_CALL",),
    "active": ("OFFER_CALL", "ANSWER_CALL"),
    "ended": ("OFFER_CALL", "END_CALL"),
    "rejected": ("REQUEST_CALL", "CALL_REJECTED"),
}
SIGNALS = {
    "REQUEST_CALL": signaling.CallRequest(),
    "CALL_REJECTED": signaling.CallRejection(),
    "OFFER_CALL": signaling.CallOffer(),
    "ANSWER_CALL": signaling.CallAnswer(),
    "ICE_CANDIDATE": signaling.IceCandidate(),
    "END_CALL": signaling.CallEnd(),
    "CALL_STATE": signaling.CallMedia(),
    "REQUEST_PHONE_CALL": signaling.PhoneCallRequest(),
    "REQUEST_SMS": signaling.SmsRequest(),
    "TELEPATHY": signaling.UnknownSignal("TELEPATHY", {"type": "TELEPATHY"}),
}


def reach(harness: Harness, state: str) -> None:
    """Bring the call of a new session to a state."""
    for kind in SIGNALS_TO[state]:
        harness.signal(kind)
    assert harness.session.call == state


@pytest.mark.parametrize("kind", SIGNALS)
@pytest.mark.parametrize("state", SIGNALS_TO)
def test_a_signal_moves_the_call_by_the_table(harness: Harness, state: str, kind: str) -> None:
    """Each signal in each state is reported, then the move of the table, and no other."""
    reach(harness, state)

    reported, *rest = harness.signal(kind)

    assert reported == SignalReceived("ann", SIGNALS[kind])
    destination = tables.CALL.moves[state].get(kind.lower())
    assert rest == ([] if destination is None else [CallChanged(state, destination)])
    assert harness.session.call == (destination or state)
    assert harness.anomalies == []


@pytest.mark.parametrize("state", SIGNALS_TO)
def test_the_end_of_the_session_ends_the_call(harness: Harness, state: str) -> None:
    """An ongoing call is ended with the session; any other call is not reported."""
    reach(harness, state)

    calls = [effect for effect in harness.end() if isinstance(effect, CallChanged)]

    on = state in {"requested", "offered", "active"}
    assert calls == ([CallChanged(state, "ended")] if on else [])
    assert harness.session.call == ("ended" if on else state)


def changes(harness: Harness) -> list[str]:
    """The states that the call has gone through."""
    return [effect.state for effect in harness.effects if isinstance(effect, CallChanged)]


def test_a_call_that_the_customer_asks_for(harness: Harness) -> None:
    """A call goes from the request through offer and answer to its end."""
    for kind in ("REQUEST_CALL", "OFFER_CALL", "ANSWER_CALL", "ICE_CANDIDATE", "END_CALL"):
        harness.signal(kind)

    assert changes(harness) == ["requested", "offered", "active", "ended"]


def test_a_call_that_is_rejected(harness: Harness) -> None:
    """A rejected call is followed by END_CALL, which causes no further change."""
    for kind in ("OFFER_CALL", "CALL_REJECTED", "END_CALL"):
        harness.signal(kind)

    assert changes(harness) == ["offered", "rejected"]


def test_a_second_call(harness: Harness) -> None:
    """After a call has ended, another one may be offered or requested."""
    for kind in ("OFFER_CALL", "END_CALL", "OFFER_CALL", "CALL_REJECTED", "REQUEST_CALL"):
        harness.signal(kind)

    assert changes(harness) == ["offered", "ended", "offered", "rejected", "requested"]


def test_a_signal_is_reported_with_its_party(harness: Harness) -> None:
    """A signal is reported with its party, or None, and all its fields."""
    data = {"type": "OFFER_CALL", "sdp": "v=0", "offerVideo": "true", "hint": 1}
    offer = signaling.CallOffer("v=0", offer_video=True, extra={"hint": 1})

    assert harness.feed("signaling", party_id="ann", data=data)[0] == SignalReceived("ann", offer)
    assert harness.feed("signaling", data=json.dumps(data)) == [SignalReceived(None, offer)]


def candidates(harness: Harness) -> list[str | None]:
    """The candidates that the session keeps."""
    return [candidate.candidate for candidate in harness.session.early_candidates]


def test_early_candidates_are_kept_until_the_answer(harness: Harness) -> None:
    """Candidates before the answer are reported and kept in order, and dropped at the answer."""
    harness.signal("ICE_CANDIDATE", candidate="a", sdpMid="0", sdpMLineIndex="0")
    harness.signal("REQUEST_CALL")
    harness.signal("ICE_CANDIDATE", candidate="b")
    harness.signal("OFFER_CALL")
    harness.signal("ICE_CANDIDATE", candidate="c")
    assert candidates(harness) == ["a", "b", "c"]
    assert harness.session.early_candidates[0] == signaling.IceCandidate("a", "0", 0)

    harness.signal("ANSWER_CALL")

    assert candidates(harness) == []
    assert len([effect for effect in harness.effects if isinstance(effect, SignalReceived)]) == 6


@pytest.mark.parametrize("state", ["active", "ended", "rejected"])
def test_later_candidates_are_reported_and_not_kept(harness: Harness, state: str) -> None:
    """Candidates of an answered or ended call are only reported."""
    reach(harness, state)

    assert harness.signal("ICE_CANDIDATE", candidate="a") == [
        SignalReceived("ann", signaling.IceCandidate("a")),
    ]
    assert candidates(harness) == []


@pytest.mark.parametrize("kind", ["END_CALL", "CALL_REJECTED"])
def test_candidates_of_an_unanswered_call_are_dropped(harness: Harness, kind: str) -> None:
    """The end or the rejection of a call drops its candidates."""
    harness.signal("OFFER_CALL")
    harness.signal("ICE_CANDIDATE", candidate="a")
    harness.signal(kind)

    assert candidates(harness) == []
    harness.signal("OFFER_CALL")
    assert candidates(harness) == []


def test_an_offer_in_a_call_keeps_candidates_again(harness: Harness) -> None:
    """A second offer in an active call keeps its candidates again."""
    reach(harness, "active")
    harness.signal("OFFER_CALL")
    harness.signal("ICE_CANDIDATE", candidate="b")

    assert candidates(harness) == ["b"]


def test_a_repeated_candidate_is_kept_once(harness: Harness) -> None:
    """A duplicate candidate is kept once."""
    harness.signal("OFFER_CALL", msg_id="2")
    harness.signal("ICE_CANDIDATE", msg_id="4", candidate="a")

    assert harness.signal("ICE_CANDIDATE", msg_id="4", candidate="a") == []
    assert candidates(harness) == ["a"]
