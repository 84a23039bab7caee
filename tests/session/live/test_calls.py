from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from chatfsm import signaling
from chatfsm._session import tables
from chatfsm.effects import CallChanged, SignalReceived

if TYPE_CHECKING:
    from tests.session.live.conftest import Play

# Signals that lead from idle to each state, one way of several.
WAYS = {
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


def reach(play: Play, state: str) -> None:
    """Bring the call of a new session to a state."""
    for kind in WAYS[state]:
        play.signals(kind)
    assert play.session.call == state


@pytest.mark.parametrize("kind", SIGNALS)
@pytest.mark.parametrize("state", WAYS)
def test_a_signal_moves_the_call_by_the_table(play: Play, state: str, kind: str) -> None:
    """Every signal in every state is told, then the move that the table has, and no other."""
    reach(play, state)

    told, *rest = play.signals(kind)

    assert told == SignalReceived("ann", SIGNALS[kind])
    destination = tables.CALL.moves[state].get(kind.lower())
    assert rest == ([] if destination is None else [CallChanged(state, destination)])
    assert play.session.call == (destination or state)
    assert play.anomalies == []


@pytest.mark.parametrize("state", WAYS)
def test_the_end_of_the_session_ends_the_call(play: Play, state: str) -> None:
    """A call that is on is ended with the session; a call that is not is not told."""
    reach(play, state)

    calls = [effect for effect in play.ends() if isinstance(effect, CallChanged)]

    on = state in {"requested", "offered", "active"}
    assert calls == ([CallChanged(state, "ended")] if on else [])
    assert play.session.call == ("ended" if on else state)


def changes(play: Play) -> list[str]:
    """The states that the call has gone through."""
    return [effect.state for effect in play.told if isinstance(effect, CallChanged)]


def test_a_call_that_the_customer_asks_for(play: Play) -> None:
    """A call goes from the request over offer and answer to its end."""
    for kind in ("REQUEST_CALL", "OFFER_CALL", "ANSWER_CALL", "ICE_CANDIDATE", "END_CALL"):
        play.signals(kind)

    assert changes(play) == ["requested", "offered", "active", "ended"]


def test_a_call_that_is_rejected(play: Play) -> None:
    """A client that rejects sends the rejection, then an end, which is no other move."""
    for kind in ("OFFER_CALL", "CALL_REJECTED", "END_CALL"):
        play.signals(kind)

    assert changes(play) == ["offered", "rejected"]


def test_a_second_call(play: Play) -> None:
    """After a call that ended, another one may be offered or asked for."""
    for kind in ("OFFER_CALL", "END_CALL", "OFFER_CALL", "CALL_REJECTED", "REQUEST_CALL"):
        play.signals(kind)

    assert changes(play) == ["offered", "ended", "offered", "rejected", "requested"]


def test_a_signal_tells_who_sent_it_and_what(play: Play) -> None:
    """A signal is told with its party, or none, and all that it says."""
    data = {"type": "OFFER_CALL", "sdp": "v=0", "offerVideo": "true", "hint": 1}
    offer = signaling.CallOffer("v=0", offer_video=True, extra={"hint": 1})

    assert play.hears("signaling", party_id="ann", data=data)[0] == SignalReceived("ann", offer)
    assert play.hears("signaling", data=json.dumps(data)) == [SignalReceived(None, offer)]


def candidates(play: Play) -> list[str | None]:
    """The candidates that the session keeps."""
    return [candidate.candidate for candidate in play.session.early_candidates]


def test_early_candidates_are_kept_until_the_answer(play: Play) -> None:
    """Candidates that come before the answer are told and kept in order, and then let go."""
    play.signals("ICE_CANDIDATE", candidate="a", sdpMid="0", sdpMLineIndex="0")
    play.signals("REQUEST_CALL")
    play.signals("ICE_CANDIDATE", candidate="b")
    play.signals("OFFER_CALL")
    play.signals("ICE_CANDIDATE", candidate="c")
    assert candidates(play) == ["a", "b", "c"]
    assert play.session.early_candidates[0] == signaling.IceCandidate("a", "0", 0)

    play.signals("ANSWER_CALL")

    assert candidates(play) == []
    assert len([effect for effect in play.told if isinstance(effect, SignalReceived)]) == 6


@pytest.mark.parametrize("state", ["active", "ended", "rejected"])
def test_other_candidates_are_told_and_not_kept(play: Play, state: str) -> None:
    """Candidates of a call that is answered or over are told only."""
    reach(play, state)

    assert play.signals("ICE_CANDIDATE", candidate="a") == [
        SignalReceived("ann", signaling.IceCandidate("a")),
    ]
    assert candidates(play) == []


@pytest.mark.parametrize("kind", ["END_CALL", "CALL_REJECTED"])
def test_candidates_of_a_call_that_came_to_nothing_are_let_go(play: Play, kind: str) -> None:
    """A call that ends or is rejected before the answer takes its candidates with it."""
    play.signals("OFFER_CALL")
    play.signals("ICE_CANDIDATE", candidate="a")
    play.signals(kind)

    assert candidates(play) == []
    play.signals("OFFER_CALL")
    assert candidates(play) == []


def test_an_offer_in_a_call_keeps_candidates_anew(play: Play) -> None:
    """A call that is offered anew keeps the candidates of that offer."""
    reach(play, "active")
    play.signals("OFFER_CALL")
    play.signals("ICE_CANDIDATE", candidate="b")

    assert candidates(play) == ["b"]


def test_a_repeated_candidate_is_kept_once(play: Play) -> None:
    """A candidate that comes again under its id is kept once."""
    play.signals("OFFER_CALL", msg_id="2")
    play.signals("ICE_CANDIDATE", msg_id="4", candidate="a")

    assert play.signals("ICE_CANDIDATE", msg_id="4", candidate="a") == []
    assert candidates(play) == ["a"]
