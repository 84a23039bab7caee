from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import asdict, evolve
from hypothesis import given
from hypothesis import strategies as st

from chatfsm._session.state import Counts
from chatfsm.effects import (
    Anomaly,
    FormClosed,
    FormOpened,
    StateChanged,
    Terminated,
    TypingStarted,
    TypingStopped,
)
from chatfsm.models import Form

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness


def test_a_new_session_has_no_deadline(harness: Harness) -> None:
    """A new session has no deadline, and ticks report nothing."""
    assert harness.session.deadline is None
    assert harness.tick(at=1e9) == []
    assert harness.session.deadline is None
    assert harness.session.counts.events == 0


def test_the_deadline_is_the_next_one(harness: Harness) -> None:
    """The deadline is the earliest of all typing timeouts and form deadlines."""
    harness.show_form("6", at=0.0)
    assert harness.session.deadline is None
    harness.show_form("7", form_timeout="100", at=0.0)
    assert harness.session.deadline == 100.0
    harness.typing("ann", at=1.0)
    assert harness.session.deadline == 31.0
    harness.typing("bob", at=2.0)
    assert harness.session.deadline == 31.0
    harness.typing("ann", at=3.0)
    assert harness.session.deadline == 32.0
    harness.feed("not_typing", party_id="bob")
    assert harness.session.deadline == 33.0
    harness.show_form("8", form_timeout="5", at=4.0)
    assert harness.session.deadline == 9.0
    harness.feed("form_data", form_request_id="8")
    assert harness.session.deadline == 33.0
    harness.message("ann", "hello", "2")
    assert harness.session.deadline == 100.0
    harness.feed("form_data", form_request_id="7")
    assert harness.session.deadline is None


@pytest.mark.parametrize("early", [29.0, 29.999, 0.0, -5.0])
def test_an_early_tick_does_nothing(harness: Harness, early: float) -> None:
    """A tick before the deadline reports nothing and changes nothing."""
    harness.typing("ann", at=0.0)
    before = harness.copy_state()

    assert harness.tick(at=early) == []
    assert harness.copy_state() == before


@pytest.mark.parametrize("late", [30.0, 30.001, 1e9])
def test_a_tick_at_the_deadline_or_later_does_what_is_due(harness: Harness, late: float) -> None:
    """A tick at the deadline or any time after it does what is due."""
    harness.typing("ann", at=0.0)

    assert harness.tick(at=late) == [TypingStopped("ann", "timeout")]


def test_a_repeated_tick_does_nothing_more(harness: Harness) -> None:
    """A repeated tick, at the same time or an earlier one, reports nothing."""
    harness.typing("ann", at=0.0)
    harness.tick(at=30.0)
    before = harness.copy_state()

    assert harness.tick(at=30.0) == []
    assert harness.tick(at=10.0) == []
    assert harness.copy_state() == before


def test_a_late_tick_reports_in_the_order_of_time(harness: Harness) -> None:
    """A late tick reports all that is due, the oldest first, and leaves the rest."""
    harness.show_form("7", form_timeout="40", at=0.0)
    harness.show_form("8", form_timeout="10", at=0.0)
    harness.show_form("9", form_timeout="90", at=0.0)
    harness.typing("bob", at=5.0)
    harness.typing("ann", at=1.0)

    assert harness.tick(at=50.0) == [
        FormClosed(Form("8", "survey", deadline=10.0), "expired"),
        TypingStopped("ann", "timeout"),
        TypingStopped("bob", "timeout"),
        FormClosed(Form("7", "survey", deadline=40.0), "expired"),
    ]
    assert harness.session.deadline == 90.0
    assert [form.request_id for form in harness.session.forms] == ["9"]


def test_stopped_typing_and_closed_forms_leave_no_state(harness: Harness) -> None:
    """Without typing and open forms, the state differs from the first by the closed forms only."""
    before = harness.copy_state()[0]
    harness.typing("ann", at=0.0)
    harness.show_form("7", form_timeout="10")
    harness.tick(at=30.0)
    harness.typing("ann")
    harness.show_form("7")
    harness.feed("not_typing", party_id="ann")
    harness.feed("form_data", form_request_id="7")

    after = harness.copy_state()[0]
    assert after.typing is None
    assert after.forms is None
    assert after.closed_forms is not None
    assert evolve(after, **asdict(Counts()), closed_forms=None) == before


def test_after_a_deadline_the_bound_is_the_next_deadline(harness: Harness) -> None:
    """After a deadline passed, `deadline_bound` is the next deadline."""
    harness.typing("ann", at=0.0)
    harness.show_form("7", form_timeout="100")
    harness.tick(at=30.0)

    assert harness.copy_state()[1] == harness.session.deadline == 100.0


def test_due_effects_come_before_those_of_the_event(harness: Harness) -> None:
    """Effects of a passed deadline come before those of the event that is received after it."""
    harness.typing("ann", at=0.0)
    harness.show_form("7", form_timeout="10")

    assert harness.status("queued", at=30.0) == [
        FormClosed(Form("7", "survey", deadline=10.0), "expired"),
        TypingStopped("ann", "timeout"),
        StateChanged("establishing", "queued"),
    ]


def test_typing_at_the_deadline_starts_again(harness: Harness) -> None:
    """Typing received at the deadline stops the old typing and starts a new one."""
    harness.typing("ann", at=0.0)

    assert harness.typing("ann", at=30.0) == [TypingStopped("ann", "timeout"), TypingStarted("ann")]
    assert harness.session.deadline == 60.0


def test_an_answer_after_the_deadline_answers_nothing(harness: Harness) -> None:
    """An answer received at the deadline finds its form expired, and is an anomaly."""
    harness.show_form("7", form_timeout="10", at=0.0)

    assert harness.feed("form_data", form_request_id="7", at=10.0) == [
        FormClosed(Form("7", "survey", deadline=10.0), "expired"),
        Anomaly("form_not_open", "form '7' expired 0 s before"),
    ]


def test_a_form_shown_again_after_its_deadline_opens_again(harness: Harness) -> None:
    """A form without a timestamp that is shown at its deadline expires and opens again."""
    harness.show_form("7", form_timeout="10", at=0.0)

    assert harness.show_form("7", form_timeout="10", at=10.0) == [
        FormClosed(Form("7", "survey", deadline=10.0), "expired"),
        FormOpened(Form("7", "survey", deadline=20.0)),
    ]


def test_due_effects_come_before_those_of_the_end(harness: Harness) -> None:
    """A form that expired before the end is reported as expired, not as terminated."""
    harness.show_form("7", form_timeout="10", at=0.0)
    harness.now = 11.0

    assert harness.end() == [
        FormClosed(Form("7", "survey", deadline=10.0), "expired"),
        StateChanged("establishing", "ended"),
        Terminated("ended"),
    ]


@pytest.mark.parametrize("start", [-1e6, -30.0, 0, 1e9])
def test_the_clock_may_start_at_any_value(make_harness: type[Harness], start: float) -> None:
    """The clock may start at any value, also below zero: only differences count."""
    harness = make_harness()
    harness.typing("ann", at=start)

    assert harness.session.deadline == start + 30
    assert harness.tick(at=start + 29) == []
    assert harness.tick(at=start + 30) == [TypingStopped("ann", "timeout")]


def test_a_clock_that_goes_back_is_accepted(harness: Harness) -> None:
    """If the clock goes back, only deadlines up to that time are due."""
    harness.typing("ann", at=100.0)
    harness.typing("bob", at=50.0)

    assert harness.session.deadline == 80.0
    assert harness.tick(at=80.0) == [TypingStopped("bob", "timeout")]
    assert harness.session.typing == ("ann",)


MOMENTS = st.lists(
    st.tuples(
        st.floats(0, 40),
        st.sampled_from(["tick", "ann", "bob", "stop", "form", "timed", "answer"]),
    ),
    max_size=30,
)


@given(MOMENTS)
def test_ticks_do_not_change_the_effects(
    make_harness: type[Harness], moments: list[tuple[float, str]]
) -> None:
    """Ticks at each deadline, or none, give the same effects in the same order."""
    ticked, silent = make_harness(), make_harness()
    now = 0.0
    for pause, name in moments:
        now += pause
        while ticked.session.deadline is not None and ticked.session.deadline <= now:
            assert ticked.tick(at=ticked.session.deadline) != []
        for harness in (ticked, silent):
            _feed(harness, name, now)
        assert ticked.session.typing == silent.session.typing
        assert ticked.session.forms == silent.session.forms
        assert ticked.session.deadline == silent.session.deadline
        ends = [form.deadline for form in silent.session.forms if form.deadline is not None]
        assert all(end > now for end in ends)
        assert (silent.session.deadline is None) == (not ends and not silent.session.typing)
    assert ticked.effects == silent.effects


def _feed(harness: Harness, name: str, now: float) -> None:
    if name == "tick":
        harness.tick(at=now)
    elif name == "stop":
        harness.feed("not_typing", party_id="ann", at=now)
    elif name == "form":
        harness.show_form("7", at=now)
    elif name == "timed":
        harness.show_form("8", form_timeout="25", at=now)
    elif name == "answer":
        harness.feed("form_data", form_request_id="8", at=now)
    else:
        harness.typing(name, at=now)
