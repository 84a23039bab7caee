"""The customer's own typing: posted at the start, renewed, and stopped after a timeout."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatfsm import commands as c
from chatfsm.effects import SendEvents, StateChanged, Terminated, TypingStopped
from tests.session.posting import posting

if TYPE_CHECKING:
    from tests.session.commands.conftest import Harness

TYPING = {"event": "chat_session_typing"}
NOT_TYPING = {"event": "chat_session_not_typing"}


def test_the_first_typing_is_posted(harness: Harness) -> None:
    """The first `StartTyping` is posted at once, and the next ones are not."""
    assert harness.receive(c.StartTyping(), at=0.0) == [posting(TYPING)]
    assert harness.receive(c.StartTyping("he"), at=0.0) == []
    assert harness.receive(c.StartTyping("hel"), at=4.0) == []


def test_typing_is_renewed(harness: Harness) -> None:
    """Ongoing typing is posted again after `typing_renew`, and not before."""
    harness.send(c.StartTyping(), at=0.0)
    for now in (4.0, 8.0, 9.9):
        assert harness.receive(c.StartTyping("hell"), at=now) == []

    assert harness.send(c.StartTyping("hello"), at=10.0) == [{**TYPING, "msg": "hello"}]
    assert harness.receive(c.StartTyping(), at=14.0) == []
    assert harness.receive(c.StartTyping(), at=18.0) == []
    assert harness.send(c.StartTyping(), at=20.0) == [TYPING]


def test_renew_and_idle_are_settings(make_harness: type[Harness]) -> None:
    """`typing_renew` and `typing_idle` are settings."""
    harness = make_harness(typing_renew=2.0, typing_idle=1.5)
    harness.send(c.StartTyping(), at=0.0)
    assert harness.session.deadline == 1.5

    assert harness.receive(c.StartTyping(), at=1.0) == []
    assert harness.session.deadline == 2.5
    assert harness.send(c.StartTyping(), at=2.0) == [TYPING]
    assert harness.session.deadline == 3.5


def test_typing_stops_after_the_idle_time(harness: Harness) -> None:
    """After `typing_idle` without a `StartTyping`, the session posts not_typing, once."""
    harness.send(c.StartTyping(), at=0.0)
    harness.receive(c.StartTyping(), at=3.0)

    assert harness.session.deadline == 8.0
    assert harness.tick(at=7.9) == []
    assert harness.tick(at=8.0) == [posting(NOT_TYPING)]
    assert harness.session.deadline is None
    assert harness.tick(at=100.0) == []


def test_late_typing_stops_and_starts(harness: Harness) -> None:
    """A `StartTyping` after `typing_idle` posts not_typing, then typing."""
    harness.send(c.StartTyping(), at=0.0)

    effects = harness.receive(c.StartTyping(), at=5.0)

    assert effects == [posting(NOT_TYPING), posting(TYPING)]
    assert harness.session.deadline == 10.0


def test_typing_stops_by_command(harness: Harness) -> None:
    """`StopTyping` posts not_typing once, and only if typing was posted."""
    assert harness.receive(c.StopTyping()) == []
    harness.send(c.StartTyping())

    assert harness.receive(c.StopTyping()) == [posting(NOT_TYPING)]
    assert harness.session.deadline is None
    assert harness.receive(c.StopTyping()) == []


def test_typing_starts_again_after_a_stop(harness: Harness) -> None:
    """After a stop the next `StartTyping` is posted at once."""
    harness.send(c.StartTyping(), at=0.0)
    harness.send(c.StopTyping(), at=1.0)

    assert harness.send(c.StartTyping(), at=2.0) == [TYPING]


@pytest.mark.parametrize(
    "command",
    [c.SendText("hello"), c.SendFile("F1", "image"), c.SendLocation(1.0, 2.0)],
    ids=lambda command: type(command).__name__,
)
def test_a_message_stops_typing(harness: Harness, command: c.Command) -> None:
    """A message has not_typing before it, in the same post, and only once."""
    harness.send(c.StartTyping())

    (post,) = harness.receive(command)

    assert isinstance(post, SendEvents)
    assert post.events[0] == NOT_TYPING
    assert post.events[1]["msg_id"] == "1"
    assert post.msg_ids == ("1",)
    assert harness.session.deadline is None
    assert len(harness.send(c.SendText("again"))) == 1


def test_navigation_stops_no_typing(harness: Harness) -> None:
    """Navigation and receipts do not stop typing."""
    harness.send(c.StartTyping())

    assert NOT_TYPING not in harness.send(c.SendNavigation("p"))
    assert NOT_TYPING not in harness.send(c.MarkRead("2"))
    assert harness.send(c.StopTyping()) == [NOT_TYPING]


@pytest.mark.parametrize("ending", ["ended", "status", "inactivity_timeout"])
def test_typing_is_dropped_at_the_end(harness: Harness, ending: str) -> None:
    """At the end typing is dropped without a post, and there is no deadline any more."""
    harness.send(c.StartTyping(), at=0.0)

    effects = harness.feed(ending, state="failed", at=1.0)

    assert harness.posted(effects) == []
    assert isinstance(effects[-1], Terminated)
    assert harness.session.deadline is None
    assert harness.tick(at=5.0) == []


def test_typing_is_dropped_when_the_session_is_lost(harness: Harness) -> None:
    """In a lost session typing is dropped without a post."""
    harness.send(c.StartTyping(), at=0.0)

    assert harness.lose() == [
        StateChanged("establishing", "gone"),
        Terminated("gone", "error 5005"),
    ]
    assert harness.session.deadline is None


def test_due_typing_is_posted_before_the_event(harness: Harness) -> None:
    """A not_typing that is due is posted before the effects of the event received after it."""
    harness.send(c.StartTyping(), at=0.0)

    effects = harness.feed("status", state="queued", at=6.0)

    assert effects == [posting(NOT_TYPING), StateChanged("establishing", "queued")]


def test_due_typing_is_posted_before_the_end(harness: Harness) -> None:
    """A not_typing that was due before the end is posted."""
    harness.send(c.StartTyping(), at=0.0)

    effects = harness.feed("ended", at=5.0)

    assert effects[0] == posting(NOT_TYPING)
    assert isinstance(effects[-1], Terminated)


def test_due_typing_is_posted_before_a_text(harness: Harness) -> None:
    """A not_typing that was due before a text is posted before it, in a post of its own."""
    harness.send(c.StartTyping(), at=0.0)

    effects = harness.receive(c.SendText("hello"), at=5.0)

    assert [effect.events for effect in effects if isinstance(effect, SendEvents)] == [
        (NOT_TYPING,),
        ({"event": "chat_session_message", "msg": "hello", "msg_id": "1"},),
    ]


def test_own_and_other_typing_expire_together(harness: Harness) -> None:
    """One late tick ends all typing, the customer's and the agent's, each once."""
    harness.feed("typing", party_id="ann", at=0.0)
    harness.send(c.StartTyping(), at=0.0)

    effects = harness.tick(at=30.0)

    assert TypingStopped("ann", "timeout") in effects
    assert posting(NOT_TYPING) in effects
    assert len(effects) == 2


def test_own_typing_is_not_reported(harness: Harness) -> None:
    """The customer's typing, echoed or not, is not reported to the app."""
    harness.send(c.StartTyping())

    assert harness.feed("typing", party_id="chat-1") == []
    assert harness.feed("not_typing", party_id="chat-1") == []
    assert harness.session.typing == ()
    assert harness.send(c.StopTyping()) == [NOT_TYPING]


def test_a_clock_that_goes_back_is_accepted(harness: Harness) -> None:
    """A `StartTyping` after the clock went back is throttled as any other."""
    harness.send(c.StartTyping(), at=100.0)

    assert harness.receive(c.StartTyping(), at=50.0) == []
    assert harness.session.deadline == 55.0
    assert harness.tick(at=55.0) == [posting(NOT_TYPING)]
