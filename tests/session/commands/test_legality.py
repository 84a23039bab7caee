"""Every order in every situation: legal, or refused with a reason and without a trace."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from math import inf, nan
from typing import TYPE_CHECKING, Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import History, LocalProtocolError, Lost, SendFailed, Sent, Tick
from chatfsm import commands as c
from chatfsm._session.tables import CALL, COBROWSING, LIFECYCLE

if TYPE_CHECKING:
    from chatfsm.inputs import Input
    from tests.session.commands.conftest import Talk

COMMANDS: tuple[c.Command, ...] = (
    c.SendText("hello"),
    c.SendFile("F1", "image"),
    c.SendLocation(1.0, 2.0),
    c.SendNavigation("page"),
    c.StartTyping("he"),
    c.StopTyping(),
    c.SubmitForm("7", {"mood": "good"}),
    c.CancelForm("7"),
    c.MarkDelivered("2"),
    c.MarkRead("2"),
    c.Disconnect(),
    c.End(),
    c.RequestCall(),
    c.AnswerCall("v=0"),
    c.RejectCall(),
    c.SendCandidate("cand"),
    c.EndCall(),
    c.RequestPhoneCall("+1"),
    c.RequestSms("+1"),
    c.CobrowsingReply("rejected"),
    c.CobrowsingReply("started"),
    c.CobrowsingReply("ended"),
)

FINALS: dict[str, Callable[[Talk], object]] = {
    "ended": lambda talk: talk.hears("ended"),
    "timed_out": lambda talk: talk.hears("inactivity_timeout"),
    "failed": lambda talk: talk.hears("status", state="failed"),
    "gone": lambda talk: talk.is_lost(),
}
LIVE = ("establishing", "ivr", "queued", "connecting", "connected", "completed")

CALLS: dict[str, Callable[[Talk], object]] = {
    "idle": lambda talk: None,
    "requested": lambda talk: talk.signals("REQUEST_CALL"),
    "offered": lambda talk: talk.signals("OFFER_CALL"),
    "active": lambda talk: (talk.signals("OFFER_CALL"), talk.signals("ANSWER_CALL")),
    "ended": lambda talk: (talk.signals("OFFER_CALL"), talk.signals("END_CALL")),
    "rejected": lambda talk: (talk.signals("OFFER_CALL"), talk.signals("CALL_REJECTED")),
}

COBROWSINGS: dict[str, Callable[[Talk], object]] = {
    "none": lambda talk: None,
    "requested": lambda talk: talk.hears("cobrowsing_requested"),
    "rejected": lambda talk: talk.hears("cobrowsing_rejected"),
    "started": lambda talk: talk.hears("cobrowsing_started"),
    "ended": lambda talk: talk.hears("cobrowsing_ended"),
}

# What happened to form 7 before the order at second 42, and why it is not answered then.
FORMS: dict[str, tuple[Callable[[Talk], object], str | None]] = {
    "never shown": (lambda talk: None, "the server has not shown it"),
    "open": (lambda talk: talk.shows("7"), None),
    "open for long": (lambda talk: talk.shows("7", form_timeout=43), None),
    "prompt": (lambda talk: talk.shows("7", ""), None),
    "secure": (lambda talk: talk.hears("secure_form_show", form_request_id="7"), None),
    "replaced": (lambda talk: (talk.shows("7"), talk.shows("7", "other")), None),
    "due": (lambda talk: talk.shows("7", form_timeout=30), "it expired 12 s ago"),
    "expired": (
        lambda talk: (talk.shows("7", form_timeout=30), talk.ticks(at=31.0)),
        "it expired 12 s ago",
    ),
    "answered": (
        lambda talk: (talk.shows("7"), talk.receives(c.SubmitForm("7", {}))),
        "it was answered 42 s ago",
    ),
    "answered elsewhere": (
        lambda talk: (talk.shows("7"), talk.hears("form_data", form_request_id="7")),
        "it was answered 42 s ago",
    ),
    "cancelled": (
        lambda talk: (talk.shows("7"), talk.receives(c.CancelForm("7"))),
        "it was cancelled 42 s ago",
    ),
}

NEEDS_CALL = {
    c.RequestCall: ("request call", {"idle", "ended", "rejected"}),
    c.AnswerCall: ("answer call", {"offered"}),
    c.RejectCall: ("reject call", {"offered"}),
    c.SendCandidate: ("send candidate", {"requested", "offered", "active"}),
    c.EndCall: ("end call", {"requested", "offered", "active"}),
}
WHERE = {
    "rejected": {"requested"},
    "started": {"requested"},
    "ended": {"requested", "started"},
}


def words(command: c.Command) -> str:
    """The name of an order as a refusal says it."""
    name = type(command).__name__
    return "".join(f" {x.lower()}" if x.isupper() else x for x in name).strip()


def refusal(command: c.Command, state: str, call: str, form: str, cobrowsing: str) -> str | None:
    """Why an order is refused, in full, by a table of this test's own; None: it is legal."""
    what = f"cannot {words(command)}"
    kind = type(command)
    reason = None
    if state in FINALS:
        reason = f"{what}: the session is over: {state.replace('_', ' ')}"
    elif state == "completed" and kind in {
        *(c.Disconnect, c.RequestCall, c.RequestPhoneCall, c.RequestSms)
    }:
        reason = f"{what}: the conversation is completed"
    elif kind is c.RequestCall and state != "connected":
        reason = f"{what}: no agent is connected yet: the session is {state}"
    elif kind in NEEDS_CALL and call not in NEEDS_CALL[kind][1]:
        reason = f"cannot {NEEDS_CALL[kind][0]}: the call is {call}"
    elif kind in {c.SubmitForm, c.CancelForm} and FORMS[form][1] is not None:
        verb = "answer" if kind is c.SubmitForm else "cancel"
        reason = f"cannot {verb} form '7': {FORMS[form][1]}"
    elif isinstance(command, c.CobrowsingReply) and cobrowsing not in WHERE[command.state]:
        said = f"cannot reply that co-browsing is {command.state}"
        reason = f"{said}: it is {cobrowsing}"
    return reason


def situated(talk: Talk, state: str, call: str, form: str, cobrowsing: str) -> Talk:
    """A session in a situation, with deadlines that are due at second 42 and not told yet."""
    FORMS[form][0](talk)
    CALLS[call](talk)
    COBROWSINGS[cobrowsing](talk)
    talk.hears("timeout_warning", msg="Still there?")
    if state in FINALS:
        FINALS[state](talk)
    else:
        talk.hears("typing", party_id="ann")
        talk.receives(c.StartTyping())
        talk.hears("status", state=state)
        assert talk.session.call == call
    assert talk.session.state == state
    assert talk.session.counts.anomalies == 0
    talk.now = 42.0
    return talk


def test_every_situation_is_here() -> None:
    """No command and no state of any table is left out."""
    assert {type(command) for command in COMMANDS} == set(get_args(c.Command))
    assert {*LIVE, *FINALS} == set(LIFECYCLE.states)
    assert set(CALLS) == set(CALL.states)
    assert set(COBROWSINGS) == set(COBROWSING.states)


@pytest.mark.parametrize("state", [*LIVE, *FINALS])
@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_every_order_in_every_situation(talks: type[Talk], command: c.Command, state: str) -> None:
    """An order is obeyed, or refused in words that say what and why not now, without a trace."""
    for call in CALLS:
        for form in FORMS if call in {"idle", "offered"} else ("never shown",):
            for cobrowsing in COBROWSINGS if form == "never shown" else ("none",):
                talk = situated(talks(), state, call, form, cobrowsing)
                reason = refusal(command, state, call, form, cobrowsing)
                if reason is None:
                    effects = talk.receives(command)
                    assert talk.posted(effects), "own typing was due, at the least"
                else:
                    assert talk.refused(command) == reason


@given(
    state=st.sampled_from([*LIVE, *FINALS]),
    call=st.sampled_from(sorted(CALLS)),
    form=st.sampled_from(sorted(FORMS)),
    cobrowsing=st.sampled_from(sorted(COBROWSINGS)),
    orders=st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=8),
    now=st.floats(0, 100),
)
def test_any_orders_in_any_situation(  # noqa: PLR0913, PLR0917  # each is one side of a situation
    talks: type[Talk],
    state: str,
    call: str,
    form: str,
    cobrowsing: str,
    orders: list[c.Command],
    now: float,
) -> None:
    """Whatever is ordered in a row, each order is obeyed or refused, and refused without a trace.

    A refused order is refused again, and one that is obeyed raises nothing and moves no state.
    """
    talk = situated(talks(max_unsent=3), state, call, form, cobrowsing)
    talk.now = now
    for order in orders:
        before = talk.recalls()
        reason = talk.tried(order)
        if reason:
            assert talk.recalls() == before
            assert reason.startswith("cannot ")
            assert ": " in reason
            assert talk.refused(order) == reason
        assert talk.session.state == state
        assert talk.session.counts.events == before[0].events
        assert talk.session.counts.anomalies == 0


@given(
    orders=st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=6),
    call=st.sampled_from(sorted(CALLS)),
    now=st.floats(0, 100),
)
def test_refused_orders_change_no_future(
    talks: type[Talk], orders: list[c.Command], call: str, now: float
) -> None:
    """A session that refused orders goes on as one that was never asked."""
    talk = situated(talks(), "queued", call, "due", "none")
    talk.now = now
    twin = deepcopy(talk)
    for order in orders:
        if deepcopy(talk).tried(order):
            talk.refused(order)
    assert talk.session == twin.session

    for last in (talk, twin):
        last.ticks(at=200.0)
        last.says("goes on")
        last.ends()

    assert talk.told == twin.told
    assert talk.recalls() == twin.recalls()


def test_a_refused_order_lets_nothing_lapse(talk: Talk) -> None:
    """What was due when an order was refused is still told by the next input, and once."""
    talk.hears("typing", party_id="ann", at=0.0)
    talk.shows("7", form_timeout=5)
    talk.receives(c.StartTyping())

    talk.refused(c.SubmitForm("7", {}), at=50.0)
    talk.refused(c.AnswerCall("v=0"))

    assert talk.session.typing == ("ann",)
    assert [form.request_id for form in talk.session.forms] == ["7"]
    assert talk.session.deadline == 5.0
    names = [type(effect).__name__ for effect in talk.ticks()]
    assert sorted(names) == ["FormClosed", "SendEvents", "TypingStopped"]
    assert talk.ticks() == []


INPUTS: tuple[Input, ...] = (
    *COMMANDS,
    *(Tick(), Lost("x"), Sent(("1",)), SendFailed(("1",), "no", retryable=True), History(())),
)


@pytest.mark.parametrize("now", [inf, -inf, nan], ids=str)
@pytest.mark.parametrize("form", ["never shown", "open", "due", "expired", "answered"])
@pytest.mark.parametrize("item", INPUTS, ids=lambda item: type(item).__name__)
def test_a_time_that_is_no_number_is_refused(
    talks: type[Talk], item: Input, form: str, now: float
) -> None:
    """Whatever comes at a time that is not finite is refused without a trace."""
    talk = situated(talks(), "connected", "offered", form, "requested")
    before = talk.recalls()

    with pytest.raises(LocalProtocolError):
        talk.receives(item, at=now)

    assert talk.recalls() == before


@pytest.mark.parametrize("item", [None, "SendText", {"event": "chat_session_end"}, c.SendText])
@pytest.mark.parametrize("over", [False, True])
def test_what_is_no_input_is_refused(talk: Talk, item: Any, over: bool) -> None:
    """What is no event, no command and no word of the transport is a mistake of the caller's."""
    if over:
        talk.ends()
    before = talk.recalls()

    with pytest.raises(TypeError, match=r"receive\(\) takes events, commands and inputs, not "):
        talk.receives(item)

    assert talk.recalls() == before
