"""The customer's own typing: told at the first key, now and then again, never for too long."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatfsm import commands as c
from chatfsm.effects import SendEvents, StateChanged, Terminated, TypingStopped
from tests.session.posting import posting

if TYPE_CHECKING:
    from tests.session.commands.conftest import Talk

TYPING = {"event": "chat_session_typing"}
NOT_TYPING = {"event": "chat_session_not_typing"}


def test_the_first_key_is_told(talk: Talk) -> None:
    """The first key is told at once, and the next ones are not."""
    assert talk.receives(c.StartTyping(), at=0.0) == [posting(TYPING)]
    assert talk.receives(c.StartTyping("he"), at=0.0) == []
    assert talk.receives(c.StartTyping("hel"), at=4.0) == []


def test_typing_is_renewed(talk: Talk) -> None:
    """Who goes on typing is told again after the time to renew, and not before."""
    talk.orders(c.StartTyping(), at=0.0)
    for now in (4.0, 8.0, 9.9):
        assert talk.receives(c.StartTyping("hell"), at=now) == []

    assert talk.orders(c.StartTyping("hello"), at=10.0) == [{**TYPING, "msg": "hello"}]
    assert talk.receives(c.StartTyping(), at=14.0) == []
    assert talk.receives(c.StartTyping(), at=18.0) == []
    assert talk.orders(c.StartTyping(), at=20.0) == [TYPING]


def test_the_time_to_renew_is_set(talks: type[Talk]) -> None:
    """How often typing is renewed and how long silence may last are settings."""
    talk = talks(typing_renew=2.0, typing_idle=1.5)
    talk.orders(c.StartTyping(), at=0.0)
    assert talk.session.deadline == 1.5

    assert talk.receives(c.StartTyping(), at=1.0) == []
    assert talk.session.deadline == 2.5
    assert talk.orders(c.StartTyping(), at=2.0) == [TYPING]
    assert talk.session.deadline == 3.5


def test_silence_ends_typing(talk: Talk) -> None:
    """Without a key for long enough, the server is told that the customer stopped, once."""
    talk.orders(c.StartTyping(), at=0.0)
    talk.receives(c.StartTyping(), at=3.0)

    assert talk.session.deadline == 8.0
    assert talk.ticks(at=7.9) == []
    assert talk.ticks(at=8.0) == [posting(NOT_TYPING)]
    assert talk.session.deadline is None
    assert talk.ticks(at=100.0) == []


def test_a_late_key_stops_and_starts(talk: Talk) -> None:
    """A key after too long a silence tells first that typing stopped, then that it began."""
    talk.orders(c.StartTyping(), at=0.0)

    effects = talk.receives(c.StartTyping(), at=5.0)

    assert effects == [posting(NOT_TYPING), posting(TYPING)]
    assert talk.session.deadline == 10.0


def test_typing_stops_by_command(talk: Talk) -> None:
    """Told to stop, the session says so once, and only if it had said that it began."""
    assert talk.receives(c.StopTyping()) == []
    talk.orders(c.StartTyping())

    assert talk.receives(c.StopTyping()) == [posting(NOT_TYPING)]
    assert talk.session.deadline is None
    assert talk.receives(c.StopTyping()) == []


def test_typing_begins_anew_after_a_stop(talk: Talk) -> None:
    """After a stop the next key is a first key."""
    talk.orders(c.StartTyping(), at=0.0)
    talk.orders(c.StopTyping(), at=1.0)

    assert talk.orders(c.StartTyping(), at=2.0) == [TYPING]


@pytest.mark.parametrize(
    "command",
    [c.SendText("hello"), c.SendFile("F1", "image"), c.SendLocation(1.0, 2.0)],
    ids=lambda command: type(command).__name__,
)
def test_what_is_said_stops_typing(talk: Talk, command: c.Command) -> None:
    """What is said says first that typing stopped, in the same post, and only once."""
    talk.orders(c.StartTyping())

    (post,) = talk.receives(command)

    assert isinstance(post, SendEvents)
    assert post.events[0] == NOT_TYPING
    assert post.events[1]["msg_id"] == "1"
    assert post.msg_ids == ("1",)
    assert talk.session.deadline is None
    assert len(talk.orders(c.SendText("again"))) == 1


def test_a_page_seen_stops_no_typing(talk: Talk) -> None:
    """Looking at a page or reading a message says nothing about the keys."""
    talk.orders(c.StartTyping())

    assert NOT_TYPING not in talk.orders(c.SendNavigation("p"))
    assert NOT_TYPING not in talk.orders(c.MarkRead("2"))
    assert talk.orders(c.StopTyping()) == [NOT_TYPING]


@pytest.mark.parametrize("ending", ["ended", "status", "inactivity_timeout"])
def test_typing_is_forgotten_at_the_end(talk: Talk, ending: str) -> None:
    """At the end typing is forgotten without a word, and nothing is due any more."""
    talk.orders(c.StartTyping(), at=0.0)

    effects = talk.hears(ending, state="failed", at=1.0)

    assert talk.posted(effects) == []
    assert isinstance(effects[-1], Terminated)
    assert talk.session.deadline is None
    assert talk.ticks(at=5.0) == []


def test_typing_is_forgotten_when_the_session_is_lost(talk: Talk) -> None:
    """Nobody is told anything about keys in a session that does not exist."""
    talk.orders(c.StartTyping(), at=0.0)

    assert talk.is_lost() == [
        StateChanged("establishing", "gone"),
        Terminated("gone", "error 5005"),
    ]
    assert talk.session.deadline is None


def test_what_is_due_goes_out_before_what_is_heard(talk: Talk) -> None:
    """A silence that has lasted long enough is told before the event that reveals it."""
    talk.orders(c.StartTyping(), at=0.0)

    effects = talk.hears("status", state="queued", at=6.0)

    assert effects == [posting(NOT_TYPING), StateChanged("establishing", "queued")]


def test_what_is_due_goes_out_before_the_end(talk: Talk) -> None:
    """A silence that was due before the end is still told."""
    talk.orders(c.StartTyping(), at=0.0)

    effects = talk.hears("ended", at=5.0)

    assert effects[0] == posting(NOT_TYPING)
    assert isinstance(effects[-1], Terminated)


def test_what_is_due_goes_out_before_what_is_said(talk: Talk) -> None:
    """A silence that was due before a text goes out in a post of its own, before it."""
    talk.orders(c.StartTyping(), at=0.0)

    effects = talk.receives(c.SendText("hello"), at=5.0)

    assert [effect.events for effect in effects if isinstance(effect, SendEvents)] == [
        (NOT_TYPING,),
        ({"event": "chat_session_message", "msg": "hello", "msg_id": "1"},),
    ]


def test_own_and_other_typing_lapse_together(talk: Talk) -> None:
    """One late tick ends all typing, the customer's and the agent's, each once."""
    talk.hears("typing", party_id="ann", at=0.0)
    talk.orders(c.StartTyping(), at=0.0)

    effects = talk.ticks(at=30.0)

    assert TypingStopped("ann", "timeout") in effects
    assert posting(NOT_TYPING) in effects
    assert len(effects) == 2


def test_own_typing_is_no_typing_of_others(talk: Talk) -> None:
    """The customer's typing, echoed or not, is nobody's that the app is told of."""
    talk.orders(c.StartTyping())

    assert talk.hears("typing", party_id="chat-1") == []
    assert talk.hears("not_typing", party_id="chat-1") == []
    assert talk.session.typing == ()
    assert talk.orders(c.StopTyping()) == [NOT_TYPING]


def test_a_clock_that_runs_back_does_no_harm(talk: Talk) -> None:
    """A key on an earlier clock is throttled as any other."""
    talk.orders(c.StartTyping(), at=100.0)

    assert talk.receives(c.StartTyping(), at=50.0) == []
    assert talk.session.deadline == 55.0
    assert talk.ticks(at=55.0) == [posting(NOT_TYPING)]
