"""What the app orders of a call, and to whom it goes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatfsm import commands as c
from chatfsm.effects import CallChanged
from tests.session.posting import posting

if TYPE_CHECKING:
    from tests.session.commands.conftest import Talk


def signal(msg_id: str, kind: str, to: str | None = "ann", **data: Any) -> dict[str, Any]:
    """The wire's event of a signal."""
    address = {} if to is None else {"destination_party_id": to}
    data = {"type": kind, **data}
    return {"event": "chat_session_signaling", "msg_id": msg_id, **address, "data": data}


@pytest.mark.parametrize("video", [False, True])
def test_a_call_is_requested(talk: Talk, video: bool) -> None:
    """A call is requested of nobody in particular."""
    talk.connects()

    assert talk.receives(c.RequestCall(video)) == [
        CallChanged("idle", "requested"),
        posting(signal("1", "REQUEST_CALL", None, offerVideo=video)),
    ]
    assert talk.session.call == "requested"


def test_an_offer_is_answered(talk: Talk) -> None:
    """An answer goes to whoever offered, and the call is on."""
    talk.signals("OFFER_CALL", party_id="bob", sdp="offer")

    assert talk.receives(c.AnswerCall("v=0")) == [
        CallChanged("offered", "active"),
        posting(signal("1", "ANSWER_CALL", "bob", sdp="v=0")),
    ]


def test_an_offer_is_rejected(talk: Talk) -> None:
    """Who rejects says that it was rejected, then that it has ended, in one post."""
    talk.signals("OFFER_CALL")

    assert talk.receives(c.RejectCall("busy", "Not now")) == [
        CallChanged("offered", "rejected"),
        posting(
            signal("1", "CALL_REJECTED", reason_code="busy", reason="Not now"),
            signal("3", "END_CALL"),
        ),
    ]


def test_a_rejection_goes_to_one_address(talk: Talk) -> None:
    """Where the app names whom a rejection is for, both of its signals go there."""
    talk.signals("OFFER_CALL")

    assert talk.orders(c.RejectCall(destination_party_id="bob")) == [
        signal("1", "CALL_REJECTED", "bob"),
        signal("3", "END_CALL", "bob"),
    ]


def test_candidates_go_to_whoever_offered(talk: Talk) -> None:
    """Candidates go out before and after the answer, with what is known of them."""
    talk.signals("OFFER_CALL")
    assert talk.orders(c.SendCandidate("cand", "0", 0)) == [
        signal("1", "ICE_CANDIDATE", candidate="cand", sdpMid="0", sdpMLineIndex=0)
    ]
    talk.orders(c.AnswerCall("v=0"))

    assert talk.orders(c.SendCandidate("")) == [signal("5", "ICE_CANDIDATE", candidate="")]
    assert talk.session.call == "active"


@pytest.mark.parametrize("answered", [False, True])
def test_the_app_ends_the_call(talk: Talk, answered: bool) -> None:
    """A call that is offered or on is ended by one signal."""
    talk.signals("OFFER_CALL")
    if answered:
        talk.orders(c.AnswerCall("v=0"))

    (event,) = talk.orders(c.EndCall())

    assert event == signal("3" if answered else "1", "END_CALL")
    assert talk.session.call == "ended"
    assert talk.refused(c.EndCall()) == "cannot end call: the call is ended"


def test_a_request_may_be_taken_back(talk: Talk) -> None:
    """A requested call is ended before anybody offered it."""
    talk.connects()
    talk.orders(c.RequestCall())

    assert talk.orders(c.EndCall()) == [signal("3", "END_CALL", None)]
    assert talk.session.call == "ended"


@pytest.mark.parametrize("state", ["idle", "requested", "offered", "active", "ended"])
def test_end_call_is_never_answered(talk: Talk, state: str) -> None:
    """The other side's END_CALL is told, ends the call where there is one, and sends nothing."""
    talk.connects()
    if state == "requested":
        talk.orders(c.RequestCall())
    if state in {"offered", "active", "ended"}:
        talk.signals("OFFER_CALL")
    if state == "active":
        talk.orders(c.AnswerCall("v=0"))
    if state == "ended":
        talk.orders(c.EndCall())
    assert talk.session.call == state

    effects = talk.signals("END_CALL")

    assert talk.posted(effects) == []
    assert talk.session.call == ("idle" if state == "idle" else "ended")
    assert talk.posted(talk.signals("END_CALL")) == []
    assert talk.posted(talk.ticks(at=100.0)) == []


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
def test_the_echo_of_a_signal_is_no_news(talk: Talk, command: c.Command) -> None:
    """An own signal that the server sends back is absorbed, and moves and sends nothing."""
    talk.connects()
    talk.signals("OFFER_CALL")
    events = talk.orders(command)
    call = talk.session.call

    for event in events:
        fields = {name: value for name, value in event.items() if name != "event"}
        assert talk.hears("signaling", party_id="chat-1", **fields) == []

    assert talk.session.call == call
    assert talk.session.counts.duplicates == len(events)
    assert talk.session.counts.anomalies == 0


def test_the_echo_of_a_request_is_no_news(talk: Talk) -> None:
    """The request of a call that comes back does not request it again."""
    talk.connects()
    talk.orders(c.RequestCall(video=True))
    talk.signals("CALL_REJECTED")

    data = {"type": "REQUEST_CALL", "offerVideo": "true"}
    assert talk.hears("signaling", party_id="CHAT-1", msg_id="1", data=data) == []
    assert talk.session.call == "rejected"


def test_an_offer_while_a_call_is_on_is_answered_anew(talk: Talk) -> None:
    """A new offer during a call waits for an answer, which goes to the new party."""
    talk.signals("OFFER_CALL", party_id="ann")
    talk.orders(c.AnswerCall("v=0"))

    talk.signals("OFFER_CALL", party_id="bob")

    assert talk.session.call == "offered"
    assert talk.orders(c.AnswerCall("v=1")) == [signal("3", "ANSWER_CALL", "bob", sdp="v=1")]


def test_an_offer_after_a_request_is_answered(talk: Talk) -> None:
    """What was requested, is offered, answered and ended, all with one party."""
    talk.connects()
    talk.orders(c.RequestCall())
    talk.signals("OFFER_CALL", party_id="bob")

    assert talk.orders(c.AnswerCall("v=0"))[0]["destination_party_id"] == "bob"
    assert talk.orders(c.EndCall())[0]["destination_party_id"] == "bob"
    assert talk.session.call == "ended"


def test_an_offer_from_nobody_is_answered_to_nobody(talk: Talk) -> None:
    """Where the offer bore no party, signals bear no destination."""
    talk.signals("OFFER_CALL", party_id="ann")
    talk.signals("END_CALL")
    talk.signals("OFFER_CALL", party_id=None)

    assert talk.orders(c.AnswerCall("v=0")) == [signal("1", "ANSWER_CALL", None, sdp="v=0")]


def test_an_offer_of_our_own_is_no_address(talk: Talk) -> None:
    """An offer from another device of the customer's does not make us signal to ourselves."""
    talk.signals("OFFER_CALL", party_id="ann")
    talk.signals("OFFER_CALL", party_id="CHAT-1")

    assert talk.orders(c.AnswerCall("v=0"))[0]["destination_party_id"] == "ann"


def test_the_app_may_name_the_address(talk: Talk) -> None:
    """A destination that the app gives goes before the one that is known."""
    talk.signals("OFFER_CALL", party_id="ann")

    (event,) = talk.orders(c.AnswerCall("v=0", destination_party_id="bob"))

    assert event["destination_party_id"] == "bob"


def test_a_request_after_a_call_has_ended(talk: Talk) -> None:
    """After an ended or a rejected call another one may be requested, and ends as any other."""
    talk.connects()
    for party_id in ("ann", "bob"):
        talk.orders(c.RequestCall())
        talk.signals("OFFER_CALL", party_id=party_id)
        talk.orders(c.RejectCall())
        talk.orders(c.RequestCall())
        talk.orders(c.EndCall())

    assert talk.session.call == "ended"


def test_no_call_outlives_the_session(talk: Talk) -> None:
    """At the end the call ends, before the termination is told, without a signal."""
    talk.signals("OFFER_CALL")
    talk.orders(c.AnswerCall("v=0"))

    effects = talk.ends()

    assert CallChanged("active", "ended") in effects[:-1]
    assert talk.posted(effects) == []


@pytest.mark.parametrize("reached", ["answered", "rejected", "ended"])
def test_early_candidates_are_kept_until_the_answer(talk: Talk, reached: str) -> None:
    """Candidates of the other side are there until the app answers, rejects or ends."""
    talk.signals("OFFER_CALL")
    talk.signals("ICE_CANDIDATE", candidate="one")
    assert [kept.candidate for kept in talk.session.early_candidates] == ["one"]

    last = {"answered": c.AnswerCall("v=0"), "rejected": c.RejectCall(), "ended": c.EndCall()}
    talk.orders(last[reached])

    assert talk.session.early_candidates == ()


def test_too_many_early_candidates_do_not_keep_the_app_from_answering(talks: type[Talk]) -> None:
    """Of more candidates than are kept the first stay, the rest is reported, and all are told."""
    talk = talks(max_candidates=2)
    talk.signals("OFFER_CALL")
    for name in ("one", "two", "three"):
        assert talk.signals("ICE_CANDIDATE", candidate=name)

    assert [kept.candidate for kept in talk.session.early_candidates] == ["one", "two"]
    assert talk.session.counts.anomalies == 1
    assert talk.orders(c.AnswerCall("v=0")) == [signal("1", "ANSWER_CALL", sdp="v=0")]


def test_candidates_after_the_answer_are_not_kept(talk: Talk) -> None:
    """Once the call is on, candidates are told and not kept."""
    talk.signals("OFFER_CALL")
    talk.orders(c.AnswerCall("v=0"))

    assert len(talk.signals("ICE_CANDIDATE", candidate="late")) == 1
    assert talk.session.early_candidates == ()


@pytest.mark.parametrize("call", ["idle", "ended"])
def test_the_end_cuts_no_call_that_is_not_on(talk: Talk, call: str) -> None:
    """Where no call is on, the end of the session tells none."""
    if call == "ended":
        talk.signals("OFFER_CALL")
        talk.orders(c.EndCall())

    assert [type(effect).__name__ for effect in talk.ends()] == ["StateChanged", "Terminated"]
    assert talk.session.call == call


def test_a_new_request_is_addressed_to_nobody(talk: Talk) -> None:
    """Who offered the last call is not asked for the next one, who may have left since."""
    talk.connects()
    talk.signals("OFFER_CALL", party_id="ann")
    talk.orders(c.EndCall())

    assert talk.orders(c.RequestCall()) == [signal("3", "REQUEST_CALL", None, offerVideo=False)]
