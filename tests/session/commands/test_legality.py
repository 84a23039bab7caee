"""Each command in each situation: allowed, or refused with a reason and without a change."""

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
    from tests.session.commands.conftest import Harness

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

FINALS: dict[str, Callable[[Harness], object]] = {
    "ended": lambda harness: harness.feed("ended"),
    "timed_out": lambda harness: harness.feed("inactivity_timeout"),
    "failed": lambda harness: harness.feed("status", state="failed"),
    "gone": lambda harness: harness.lose(),
}
LIVE = ("establishing", "ivr", "queued", "connecting", "connected", "completed")

CALLS: dict[str, Callable[[Harness], object]] = {
    "idle": lambda harness: None,
    "requested": lambda harness: harness.signal("REQUEST_CALL"),
    "offered": lambda harness: harness.signal("OFFER_CALL"),
    "active": lambda harness: (harness.signal("OFFER_CALL"), harness.signal("ANSWER_CALL")),
    "ended": lambda harness: (harness.signal("OFFER_CALL"), harness.signal("END_CALL")),
    "rejected": lambda harness: (harness.signal("OFFER_CALL"), harness.signal("CALL_REJECTED")),
}

COBROWSINGS: dict[str, Callable[[Harness], object]] = {
    "none": lambda harness: None,
    "requested": lambda harness: harness.feed("cobrowsing_requested"),
    "rejected": lambda harness: harness.feed("cobrowsing_rejected"),
    "started": lambda harness: harness.feed("cobrowsing_started"),
    "ended": lambda harness: harness.feed("cobrowsing_ended"),
}

# Inputs about form 7 before the command at second 42, and the reason of the refusal then.
FORMS: dict[str, tuple[Callable[[Harness], object], str | None]] = {
    "never shown": (lambda harness: None, "the server has not shown it"),
    "open": (lambda harness: harness.show_form("7"), None),
    "open for long": (lambda harness: harness.show_form("7", form_timeout=43), None),
    "prompt": (lambda harness: harness.show_form("7", ""), None),
    "secure": (lambda harness: harness.feed("secure_form_show", form_request_id="7"), None),
    "replaced": (lambda harness: (harness.show_form("7"), harness.show_form("7", "other")), None),
    "due": (lambda harness: harness.show_form("7", form_timeout=30), "it expired 12 s ago"),
    "expired": (
        lambda harness: (harness.show_form("7", form_timeout=30), harness.tick(at=31.0)),
        "it expired 12 s ago",
    ),
    "answered": (
        lambda harness: (harness.show_form("7"), harness.receive(c.SubmitForm("7", {}))),
        "it was answered 42 s ago",
    ),
    "answered elsewhere": (
        lambda harness: (harness.show_form("7"), harness.feed("form_data", form_request_id="7")),
        "it was answered 42 s ago",
    ),
    "cancelled": (
        lambda harness: (harness.show_form("7"), harness.receive(c.CancelForm("7"))),
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
NEEDS_COBROWSING = {
    "rejected": {"requested"},
    "started": {"requested"},
    "ended": {"requested", "started"},
}


def command_name(command: c.Command) -> str:
    """The name of a command in the text of a refusal."""
    name = type(command).__name__
    return "".join(f" {x.lower()}" if x.isupper() else x for x in name).strip()


def refusal(command: c.Command, state: str, call: str, form: str, cobrowsing: str) -> str | None:
    """The text of the refusal of a command, from a table of this test; None if it is allowed."""
    prefix = f"cannot {command_name(command)}"
    kind = type(command)
    reason = None
    if state in FINALS:
        reason = f"{prefix}: the session is over: {state.replace('_', ' ')}"
    elif state == "completed" and kind in {
        *(c.Disconnect, c.RequestCall, c.RequestPhoneCall, c.RequestSms)
    }:
        reason = f"{prefix}: the conversation is completed"
    elif kind is c.RequestCall and state != "connected":
        reason = f"{prefix}: no agent is connected yet: the session is {state}"
    elif kind in NEEDS_CALL and call not in NEEDS_CALL[kind][1]:
        reason = f"cannot {NEEDS_CALL[kind][0]}: the call is {call}"
    elif kind in {c.SubmitForm, c.CancelForm} and FORMS[form][1] is not None:
        verb = "answer" if kind is c.SubmitForm else "cancel"
        reason = f"cannot {verb} form '7': {FORMS[form][1]}"
    elif (
        isinstance(command, c.CobrowsingReply) and cobrowsing not in NEEDS_COBROWSING[command.state]
    ):
        cannot = f"cannot reply that co-browsing is {command.state}"
        reason = f"{cannot}: it is {cobrowsing}"
    return reason


def in_situation(harness: Harness, state: str, call: str, form: str, cobrowsing: str) -> Harness:
    """A session in a situation, with deadlines that are due at second 42 and not reported yet."""
    FORMS[form][0](harness)
    CALLS[call](harness)
    COBROWSINGS[cobrowsing](harness)
    harness.feed("timeout_warning", msg="Still there?")
    if state in FINALS:
        FINALS[state](harness)
    else:
        harness.feed("typing", party_id="ann")
        harness.receive(c.StartTyping())
        harness.feed("status", state=state)
        assert harness.session.call == call
    assert harness.session.state == state
    assert harness.session.counts.anomalies == 0
    harness.now = 42.0
    return harness


def test_every_command_and_state_is_covered() -> None:
    """All commands and all states of the tables are covered."""
    assert {type(command) for command in COMMANDS} == set(get_args(c.Command))
    assert {*LIVE, *FINALS} == set(LIFECYCLE.states)
    assert set(CALLS) == set(CALL.states)
    assert set(COBROWSINGS) == set(COBROWSING.states)


@pytest.mark.parametrize("state", [*LIVE, *FINALS])
@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_every_command_in_every_situation(
    make_harness: type[Harness], command: c.Command, state: str
) -> None:
    """A command posts events, or is refused with its name and the reason, without a change."""
    for call in CALLS:
        for form in FORMS if call in {"idle", "offered"} else ("never shown",):
            for cobrowsing in COBROWSINGS if form == "never shown" else ("none",):
                harness = in_situation(make_harness(), state, call, form, cobrowsing)
                reason = refusal(command, state, call, form, cobrowsing)
                if reason is None:
                    effects = harness.receive(command)
                    assert harness.posted(effects), "the customer's typing was due, at the least"
                else:
                    assert harness.refused(command) == reason


@given(
    state=st.sampled_from([*LIVE, *FINALS]),
    call=st.sampled_from(sorted(CALLS)),
    form=st.sampled_from(sorted(FORMS)),
    cobrowsing=st.sampled_from(sorted(COBROWSINGS)),
    sequence=st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=8),
    now=st.floats(0, 100),
)
def test_any_commands_in_any_situation(  # noqa: PLR0913, PLR0917  # each is one part of a situation
    make_harness: type[Harness],
    state: str,
    call: str,
    form: str,
    cobrowsing: str,
    sequence: list[c.Command],
    now: float,
) -> None:
    """Each of several commands is allowed, or refused without a change.

    A refused command is refused again, and an allowed one changes no state of the lifecycle.
    """
    harness = in_situation(make_harness(max_unsent=3), state, call, form, cobrowsing)
    harness.now = now
    for command in sequence:
        before = harness.copy_state()
        reason = harness.try_command(command)
        if reason:
            assert harness.copy_state() == before
            assert reason.startswith("cannot ")
            assert ": " in reason
            assert harness.refused(command) == reason
        assert harness.session.state == state
        assert harness.session.counts.events == before[0].events
        assert harness.session.counts.anomalies == 0


@given(
    sequence=st.lists(st.sampled_from(COMMANDS), min_size=1, max_size=6),
    call=st.sampled_from(sorted(CALLS)),
    now=st.floats(0, 100),
)
def test_refused_commands_do_not_change_later_effects(
    make_harness: type[Harness], sequence: list[c.Command], call: str, now: float
) -> None:
    """A session that refused commands continues as one that never received them."""
    harness = in_situation(make_harness(), "queued", call, "due", "none")
    harness.now = now
    reference = deepcopy(harness)
    for command in sequence:
        if deepcopy(harness).try_command(command):
            harness.refused(command)
    assert harness.session == reference.session

    for last in (harness, reference):
        last.tick(at=200.0)
        last.send_text("goes on")
        last.end()

    assert harness.effects == reference.effects
    assert harness.copy_state() == reference.copy_state()


def test_a_refused_command_keeps_what_is_due(harness: Harness) -> None:
    """Effects that were due at a refused command are reported by the next input, once."""
    harness.feed("typing", party_id="ann", at=0.0)
    harness.show_form("7", form_timeout=5)
    harness.receive(c.StartTyping())

    harness.refused(c.SubmitForm("7", {}), at=50.0)
    harness.refused(c.AnswerCall("v=0"))

    assert harness.session.typing == ("ann",)
    assert [form.request_id for form in harness.session.forms] == ["7"]
    assert harness.session.deadline == 5.0
    names = [type(effect).__name__ for effect in harness.tick()]
    assert sorted(names) == ["FormClosed", "SendEvents", "TypingStopped"]
    assert harness.tick() == []


INPUTS: tuple[Input, ...] = (
    *COMMANDS,
    *(Tick(), Lost("x"), Sent(("1",)), SendFailed(("1",), "no", retryable=True), History(())),
)


@pytest.mark.parametrize("now", [inf, -inf, nan], ids=str)
@pytest.mark.parametrize("form", ["never shown", "open", "due", "expired", "answered"])
@pytest.mark.parametrize("item", INPUTS, ids=lambda item: type(item).__name__)
def test_a_time_that_is_not_finite_is_refused(
    make_harness: type[Harness], item: Input, form: str, now: float
) -> None:
    """An input at a time that is not finite is refused without a change."""
    harness = in_situation(make_harness(), "connected", "offered", form, "requested")
    before = harness.copy_state()

    with pytest.raises(LocalProtocolError):
        harness.receive(item, at=now)

    assert harness.copy_state() == before


@pytest.mark.parametrize("item", [None, "SendText", {"event": "chat_session_end"}, c.SendText])
@pytest.mark.parametrize("over", [False, True])
def test_a_value_that_is_not_an_input_is_refused(harness: Harness, item: Any, over: bool) -> None:
    """A value that is neither event nor command nor input raises `TypeError`."""
    if over:
        harness.end()
    before = harness.copy_state()

    with pytest.raises(TypeError, match=r"receive\(\) takes events, commands and inputs, not "):
        harness.receive(item)

    assert harness.copy_state() == before
