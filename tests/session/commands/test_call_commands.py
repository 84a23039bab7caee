"""Commands of calls, and the destinations of their signals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatfsm import commands as c
from chatfsm.effects import CallChanged
from tests.session.posting import posting

if TYPE_CHECKING:
    from tests.session.commands.conftest import Harness


def signal(msg_id: str, kind: str, to: str | None = "ann", **data: Any) -> dict[str, Any]:
    """The wire event of a signal."""
    address = {} if to is None else {"destination_party_id": to}
    data = {"type": kind, **data}
    return {"event": "chat_session_signaling", "msg_id": msg_id, **address, "data": data}


@pytest.mark.parametrize("video", [False, True])
def test_a_call_is_requested(harness: Harness, video: bool) -> None:
    """The request of a call has no destination."""
    harness.connect()

    assert harness.receive(c.RequestCall(video)) == [
        CallChanged("idle", "requested"),
        posting(signal("1", "REQUEST_CALL", None, offerVideo=video)),
    ]
    assert harness.session.call == "requested"


def test_an_offer_is_answered(harness: Harness) -> None:
    """An answer goes to the party that offered the call, and the call is active."""
    harness.signal("OFFER_CALL", party_id="bob", sdp="offer")

    assert harness.receive(c.AnswerCall("v=0")) == [
        CallChanged("offered", "active"),
        posting(signal("1", "ANSWER_CALL", "bob", sdp="v=0")),
    ]


def test_an_offer_is_rejected(harness: Harness) -> None:
    """A rejection is posted as CALL_REJECTED, then END_CALL, in one post."""
    harness.signal("OFFER_CALL")

    assert harness.receive(c.RejectCall("busy", "Not now")) == [
        CallChanged("offered", "rejected"),
        posting(
            signal("1", "CALL_REJECTED", reason_code="busy", reason="Not now"),
            signal("3", "END_CALL"),
        ),
    ]


def test_a_rejection_goes_to_one_destination(harness: Harness) -> None:
    """Both signals of a rejection go to the destination that the app gives."""
    harness.signal("OFFER_CALL")

    assert harness.send(c.RejectCall(destination_party_id="bob")) == [
        signal("1", "CALL_REJECTED", "bob"),
        signal("3", "END_CALL", "bob"),
    ]


def test_candidates_go_to_the_party_that_offered(harness: Harness) -> None:
    """Candidates are posted before and after the answer, to the party that offered the call."""
    harness.signal("OFFER_CALL")
    assert harness.send(c.SendCandidate("cand", "0", 0)) == [
        signal("1", "ICE_CANDIDATE", candidate="cand", sdpMid="0", sdpMLineIndex=0)
    ]
    harness.send(c.AnswerCall("v=0"))

    assert harness.send(c.SendCandidate("")) == [signal("5", "ICE_CANDIDATE", candidate="")]
    assert harness.session.call == "active"


@pytest.mark.parametrize("answered", [False, True])
def test_the_app_ends_the_call(harness: Harness, answered: bool) -> None:
    """An offered or active call is ended by one signal."""
    harness.signal("OFFER_CALL")
    if answered:
        harness.send(c.AnswerCall("v=0"))

    (event,) = harness.send(c.EndCall())

    assert event == signal("3" if answered else "1", "END_CALL")
    assert harness.session.call == "ended"
    assert harness.refused(c.EndCall()) == "cannot end call: the call is ended"


def test_a_request_may_be_ended(harness: Harness) -> None:
    """A requested call can be ended before it is offered."""
    harness.connect()
    harness.send(c.RequestCall())

    assert harness.send(c.EndCall()) == [signal("3", "END_CALL", None)]
    assert harness.session.call == "ended"


@pytest.mark.parametrize("state", ["idle", "requested", "offered", "active", "ended"])
def test_end_call_is_never_answered(harness: Harness, state: str) -> None:
    """A received END_CALL ends the call, if there is one, and posts nothing."""
    harness.connect()
    if state == "requested":
        harness.send(c.RequestCall())
    if state in {"offered", "active", "ended"}:
        harness.signal("OFFER_CALL")
    if state == "active":
        harness.send(c.AnswerCall("v=0"))
    if state == "ended":
        harness.send(c.EndCall())
    assert harness.session.call == state

    effects = harness.signal("END_CALL")

    assert harness.posted(effects) == []
    assert harness.session.call == ("idle" if state == "idle" else "ended")
    assert harness.posted(harness.signal("END_CALL")) == []
    assert harness.posted(harness.tick(at=100.0)) == []


@pytest.mark.parametrize(
    "command",
    [
        c.RejectCall("busy"),
        c.AnswerCall("v=0"),
        c.SendCandidate("cand", "0", 0),
        c.EndCall(),
        c.RequestPhoneCall("+1"),
        c.RequestSms("+1"),
    ],
    ids=lambda command: type(command).__name__,
)
def test_the_echo_of_a_signal_is_a_duplicate(harness: Harness, command: c.Command) -> None:
    """The echo of an own signal is a duplicate: it changes and posts nothing."""
    harness.connect()
    harness.signal("OFFER_CALL")
    events = harness.send(command)
    call = harness.session.call

    for event in events:
        fields = {name: value for name, value in event.items() if name != "event"}
        assert harness.feed("signaling", party_id="chat-1", **fields) == []

    assert harness.session.call == call
    assert harness.session.counts.duplicates == len(events)
    assert harness.session.counts.anomalies == 0


def test_the_echo_of_a_request_is_a_duplicate(harness: Harness) -> None:
    """The echo of the request of a call does not request it again."""
    harness.connect()
    harness.send(c.RequestCall(video=True))
    harness.signal("CALL_REJECTED")

    data = {"type": "REQUEST_CALL", "offerVideo": "true"}
    assert harness.feed("signaling", party_id="CHAT-1", msg_id="1", data=data) == []
    assert harness.session.call == "rejected"


def test_an_offer_during_a_call_is_answered_again(harness: Harness) -> None:
    """A new offer during a call is answered to the new party."""
    harness.signal("OFFER_CALL", party_id="ann")
    harness.send(c.AnswerCall("v=0"))

    harness.signal("OFFER_CALL", party_id="bob")

    assert harness.session.call == "offered"
    assert harness.send(c.AnswerCall("v=1")) == [signal("3", "ANSWER_CALL", "bob", sdp="v=1")]


def test_an_offer_after_a_request_is_answered(harness: Harness) -> None:
    """A call can be requested, offered, answered and ended, all with one party."""
    harness.connect()
    harness.send(c.RequestCall())
    harness.signal("OFFER_CALL", party_id="bob")

    assert harness.send(c.AnswerCall("v=0"))[0]["destination_party_id"] == "bob"
    assert harness.send(c.EndCall())[0]["destination_party_id"] == "bob"
    assert harness.session.call == "ended"


def test_an_offer_without_a_party_is_answered_without_a_destination(harness: Harness) -> None:
    """The answer to an offer without a party has no destination."""
    harness.signal("OFFER_CALL", party_id="ann")
    harness.signal("END_CALL")
    harness.signal("OFFER_CALL", party_id=None)

    assert harness.send(c.AnswerCall("v=0")) == [signal("1", "ANSWER_CALL", None, sdp="v=0")]


def test_an_own_offer_does_not_change_the_destination(harness: Harness) -> None:
    """An offer from another device of the customer does not change the destination."""
    harness.signal("OFFER_CALL", party_id="ann")
    harness.signal("OFFER_CALL", party_id="CHAT-1")

    assert harness.send(c.AnswerCall("v=0"))[0]["destination_party_id"] == "ann"


def test_the_app_may_give_the_destination(harness: Harness) -> None:
    """The destination that the app gives has precedence over the known one."""
    harness.signal("OFFER_CALL", party_id="ann")

    (event,) = harness.send(c.AnswerCall("v=0", destination_party_id="bob"))

    assert event["destination_party_id"] == "bob"


def test_a_request_after_a_call_has_ended(harness: Harness) -> None:
    """After an ended or a rejected call another one can be requested and ended."""
    harness.connect()
    for party_id in ("ann", "bob"):
        harness.send(c.RequestCall())
        harness.signal("OFFER_CALL", party_id=party_id)
        harness.send(c.RejectCall())
        harness.send(c.RequestCall())
        harness.send(c.EndCall())

    assert harness.session.call == "ended"


def test_the_end_of_the_session_ends_the_call(harness: Harness) -> None:
    """The end of the session ends the call before the termination, without a signal."""
    harness.signal("OFFER_CALL")
    harness.send(c.AnswerCall("v=0"))

    effects = harness.end()

    assert CallChanged("active", "ended") in effects[:-1]
    assert harness.posted(effects) == []


@pytest.mark.parametrize("reached", ["answered", "rejected", "ended"])
def test_early_candidates_are_kept_until_the_answer(harness: Harness, reached: str) -> None:
    """Candidates are kept until the app answers, rejects or ends the call."""
    harness.signal("OFFER_CALL")
    harness.signal("ICE_CANDIDATE", candidate="one")
    assert [kept.candidate for kept in harness.session.early_candidates] == ["one"]

    last = {"answered": c.AnswerCall("v=0"), "rejected": c.RejectCall(), "ended": c.EndCall()}
    harness.send(last[reached])

    assert harness.session.early_candidates == ()


def test_with_too_many_candidates_the_app_can_still_answer(make_harness: type[Harness]) -> None:
    """Candidates beyond `max_candidates` are reported with an anomaly; the call can be answered."""
    harness = make_harness(max_candidates=2)
    harness.signal("OFFER_CALL")
    for name in ("one", "two", "three"):
        assert harness.signal("ICE_CANDIDATE", candidate=name)

    assert [kept.candidate for kept in harness.session.early_candidates] == ["one", "two"]
    assert harness.session.counts.anomalies == 1
    assert harness.send(c.AnswerCall("v=0")) == [signal("1", "ANSWER_CALL", sdp="v=0")]


def test_candidates_after_the_answer_are_not_kept(harness: Harness) -> None:
    """Candidates of an active call are reported and not kept."""
    harness.signal("OFFER_CALL")
    harness.send(c.AnswerCall("v=0"))

    assert len(harness.signal("ICE_CANDIDATE", candidate="late")) == 1
    assert harness.session.early_candidates == ()


@pytest.mark.parametrize("call", ["idle", "ended"])
def test_the_end_reports_no_call_that_is_not_ongoing(harness: Harness, call: str) -> None:
    """Without an ongoing call, the end of the session reports no call."""
    if call == "ended":
        harness.signal("OFFER_CALL")
        harness.send(c.EndCall())

    assert [type(effect).__name__ for effect in harness.end()] == ["StateChanged", "Terminated"]
    assert harness.session.call == call


def test_a_new_request_has_no_destination(harness: Harness) -> None:
    """A request after an ended call has no destination: the last party may have left."""
    harness.connect()
    harness.signal("OFFER_CALL", party_id="ann")
    harness.send(c.EndCall())

    assert harness.send(c.RequestCall()) == [signal("3", "REQUEST_CALL", None, offerVideo=False)]
