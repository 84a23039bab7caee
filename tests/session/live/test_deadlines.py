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
    from tests.session.live.conftest import Play


def test_nothing_is_due_at_first(play: Play) -> None:
    """A session with nothing to wait for has no deadline, and ticks tell nothing."""
    assert play.session.deadline is None
    assert play.ticks(at=1e9) == []
    assert play.session.deadline is None
    assert play.session.counts.events == 0


def test_the_deadline_is_the_next_one(play: Play) -> None:
    """The deadline is exactly the earliest of everybody's typing and every form's end."""
    play.shows("6", at=0.0)
    assert play.session.deadline is None
    play.shows("7", form_timeout="100", at=0.0)
    assert play.session.deadline == 100.0
    play.types("ann", at=1.0)
    assert play.session.deadline == 31.0
    play.types("bob", at=2.0)
    assert play.session.deadline == 31.0
    play.types("ann", at=3.0)
    assert play.session.deadline == 32.0
    play.hears("not_typing", party_id="bob")
    assert play.session.deadline == 33.0
    play.shows("8", form_timeout="5", at=4.0)
    assert play.session.deadline == 9.0
    play.hears("form_data", form_request_id="8")
    assert play.session.deadline == 33.0
    play.says("ann", "hello", "2")
    assert play.session.deadline == 100.0
    play.hears("form_data", form_request_id="7")
    assert play.session.deadline is None


@pytest.mark.parametrize("early", [29.0, 29.999, 0.0, -5.0])
def test_an_early_tick_does_nothing(play: Play, early: float) -> None:
    """A tick before the deadline tells nothing and changes nothing."""
    play.types("ann", at=0.0)
    before = play.recalls()

    assert play.ticks(at=early) == []
    assert play.recalls() == before


@pytest.mark.parametrize("late", [30.0, 30.001, 1e9])
def test_a_tick_at_the_deadline_or_later_does_it(play: Play, late: float) -> None:
    """A deadline is due when now has reached it, however much later."""
    play.types("ann", at=0.0)

    assert play.ticks(at=late) == [TypingStopped("ann", "timeout")]


def test_a_repeated_tick_does_nothing_more(play: Play) -> None:
    """A tick again, at the same time or at an earlier one, tells nothing."""
    play.types("ann", at=0.0)
    play.ticks(at=30.0)
    before = play.recalls()

    assert play.ticks(at=30.0) == []
    assert play.ticks(at=10.0) == []
    assert play.recalls() == before


def test_what_is_due_happens_in_the_order_of_time(play: Play) -> None:
    """A late tick tells everything that is due, the oldest first, and leaves the rest."""
    play.shows("7", form_timeout="40", at=0.0)
    play.shows("8", form_timeout="10", at=0.0)
    play.shows("9", form_timeout="90", at=0.0)
    play.types("bob", at=5.0)
    play.types("ann", at=1.0)

    assert play.ticks(at=50.0) == [
        FormClosed(Form("8", "survey", deadline=10.0), "expired"),
        TypingStopped("ann", "timeout"),
        TypingStopped("bob", "timeout"),
        FormClosed(Form("7", "survey", deadline=40.0), "expired"),
    ]
    assert play.session.deadline == 90.0
    assert [form.request_id for form in play.session.forms] == ["9"]


def test_what_is_over_leaves_nothing_behind(play: Play) -> None:
    """When all typing has stopped and all forms are closed, only how they closed is remembered."""
    before = play.recalls()[0]
    play.types("ann", at=0.0)
    play.shows("7", form_timeout="10")
    play.ticks(at=30.0)
    play.types("ann")
    play.shows("7")
    play.hears("not_typing", party_id="ann")
    play.hears("form_data", form_request_id="7")

    after = play.recalls()[0]
    assert after.typing is None
    assert after.forms is None
    assert after.closed_forms is not None
    assert evolve(after, **asdict(Counts()), closed_forms=None) == before


def test_after_what_was_due_the_bound_is_the_next_deadline(play: Play) -> None:
    """When something has lapsed, inputs need not look for more before the next deadline."""
    play.types("ann", at=0.0)
    play.shows("7", form_timeout="100")
    play.ticks(at=30.0)

    assert play.recalls()[1] == play.session.deadline == 100.0


def test_what_is_due_is_told_before_the_event_that_reveals_it(play: Play) -> None:
    """An event that comes after a deadline is told after what was due."""
    play.types("ann", at=0.0)
    play.shows("7", form_timeout="10")

    assert play.status("queued", at=30.0) == [
        FormClosed(Form("7", "survey", deadline=10.0), "expired"),
        TypingStopped("ann", "timeout"),
        StateChanged("establishing", "queued"),
    ]


def test_typing_again_at_the_deadline_is_typing_anew(play: Play) -> None:
    """A repeat that comes at the deadline comes too late: typing stopped, and starts again."""
    play.types("ann", at=0.0)

    assert play.types("ann", at=30.0) == [TypingStopped("ann", "timeout"), TypingStarted("ann")]
    assert play.session.deadline == 60.0


def test_an_answer_after_the_deadline_answers_nothing(play: Play) -> None:
    """An answer that reveals that its form has expired comes too late, and is told so."""
    play.shows("7", form_timeout="10", at=0.0)

    assert play.hears("form_data", form_request_id="7", at=10.0) == [
        FormClosed(Form("7", "survey", deadline=10.0), "expired"),
        Anomaly("form_not_open", "form '7' expired 0 s before"),
    ]


def test_a_form_shown_again_after_its_deadline_opens_anew(play: Play) -> None:
    """A form without a time, shown when it has just expired, is closed and opened."""
    play.shows("7", form_timeout="10", at=0.0)

    assert play.shows("7", form_timeout="10", at=10.0) == [
        FormClosed(Form("7", "survey", deadline=10.0), "expired"),
        FormOpened(Form("7", "survey", deadline=20.0)),
    ]


def test_the_end_reveals_what_was_due_before_it(play: Play) -> None:
    """A form that expired before the end was expired, and not closed by the end."""
    play.shows("7", form_timeout="10", at=0.0)
    play.now = 11.0

    assert play.ends() == [
        FormClosed(Form("7", "survey", deadline=10.0), "expired"),
        StateChanged("establishing", "ended"),
        Terminated("ended"),
    ]


@pytest.mark.parametrize("start", [-1e6, -30.0, 0, 1e9])
def test_any_clock_will_do(plays: type[Play], start: float) -> None:
    """Only differences count: the clock may start anywhere, also below zero."""
    play = plays()
    play.types("ann", at=start)

    assert play.session.deadline == start + 30
    assert play.ticks(at=start + 29) == []
    assert play.ticks(at=start + 30) == [TypingStopped("ann", "timeout")]


def test_a_clock_that_goes_back_does_no_harm(play: Play) -> None:
    """A time before the last one lets nothing happen that is not due at it."""
    play.types("ann", at=100.0)
    play.types("bob", at=50.0)

    assert play.session.deadline == 80.0
    assert play.ticks(at=80.0) == [TypingStopped("bob", "timeout")]
    assert play.session.typing == ("ann",)


MOMENTS = st.lists(
    st.tuples(
        st.floats(0, 40),
        st.sampled_from(["tick", "ann", "bob", "stop", "form", "timed", "answer"]),
    ),
    max_size=30,
)


@given(MOMENTS)
def test_ticks_do_not_change_the_story(plays: type[Play], moments: list[tuple[float, str]]) -> None:
    """With ticks at every deadline or none, the same is told in the same order."""
    ticked, silent = plays(), plays()
    now = 0.0
    for pause, word in moments:
        now += pause
        while ticked.session.deadline is not None and ticked.session.deadline <= now:
            assert ticked.ticks(at=ticked.session.deadline) != []
        for play in (ticked, silent):
            _speak(play, word, now)
        assert ticked.session.typing == silent.session.typing
        assert ticked.session.forms == silent.session.forms
        assert ticked.session.deadline == silent.session.deadline
        ends = [form.deadline for form in silent.session.forms if form.deadline is not None]
        assert all(end > now for end in ends)
        assert (silent.session.deadline is None) == (not ends and not silent.session.typing)
    assert ticked.told == silent.told


def _speak(play: Play, word: str, now: float) -> None:
    if word == "tick":
        play.ticks(at=now)
    elif word == "stop":
        play.hears("not_typing", party_id="ann", at=now)
    elif word == "form":
        play.shows("7", at=now)
    elif word == "timed":
        play.shows("8", form_timeout="25", at=now)
    elif word == "answer":
        play.hears("form_data", form_request_id="8", at=now)
    else:
        play.types(word, at=now)
