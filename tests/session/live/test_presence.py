from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatfsm.effects import MessageReceived, TypingStarted, TypingStopped

if TYPE_CHECKING:
    from tests.session.live.conftest import Play


def test_typing_is_told_once(play: Play) -> None:
    """Somebody who types is told once, announced or not."""
    assert play.types("ann") == [TypingStarted("ann")]
    assert play.types("ann") == []
    assert play.session.typing == ("ann",)


def test_several_may_type(play: Play) -> None:
    """Those who type are listed in the order of beginning."""
    play.types("bob")
    play.types("ann")
    play.types("bob")

    assert play.session.typing == ("bob", "ann")


def test_a_repeat_only_renews_the_deadline(play: Play) -> None:
    """Typing said again tells nothing and lasts from then on."""
    play.types("ann", at=0.0)
    assert play.session.deadline == 30.0

    assert play.types("ann", at=20.0) == []

    assert play.session.deadline == 50.0
    assert play.ticks(at=49.9) == []
    assert play.ticks(at=50.0) == [TypingStopped("ann", "timeout")]


def test_typing_stops_by_event(play: Play) -> None:
    """Not typing stops the typing of that party alone."""
    play.types("ann")
    play.types("bob")

    assert play.hears("not_typing", party_id="ann") == [TypingStopped("ann", "event")]
    assert play.session.typing == ("bob",)


def test_who_does_not_type_cannot_stop(play: Play) -> None:
    """Not typing from somebody who did not type is no news and no anomaly."""
    assert play.hears("not_typing", party_id="ann") == []
    play.types("bob")
    assert play.hears("not_typing", party_id="ann") == []
    assert play.session.typing == ("bob",)


def test_typing_stops_by_a_message(play: Play) -> None:
    """A message stops the typing of its party first, and nobody else's."""
    play.types("ann")
    play.types("bob")

    effects = play.says("ann", "hello", "2")

    assert effects[0] == TypingStopped("ann", "message")
    assert [type(effect) for effect in effects] == [TypingStopped, MessageReceived]
    assert play.session.typing == ("bob",)


def test_a_repeated_message_stops_no_typing(play: Play) -> None:
    """A message that a cached poll brings again says nothing about who types now."""
    play.says("ann", "hello", "2")
    play.types("ann")

    assert play.says("ann", "hello", "2") == []
    assert play.session.typing == ("ann",)


def test_a_message_from_nobody_stops_no_typing(play: Play) -> None:
    """A message without a party stops nobody's typing."""
    play.types("ann")

    [effect] = play.hears("message", msg="hello")

    assert isinstance(effect, MessageReceived)
    assert play.session.typing == ("ann",)


@pytest.mark.parametrize("seconds", [0.5, 3, 120.0])
def test_typing_lasts_as_long_as_the_settings_say(plays: type[Play], seconds: float) -> None:
    """Typing stops by itself after the timeout of the settings."""
    play = plays(typing_timeout=seconds)
    play.types("ann", at=100.0)

    assert play.session.deadline == 100.0 + seconds
    assert play.ticks(at=100.0 + seconds) == [TypingStopped("ann", "timeout")]
    assert play.session.typing == ()
    assert play.session.deadline is None


def test_typing_may_begin_again(play: Play) -> None:
    """After it stopped, typing is told anew."""
    play.types("ann")
    play.hears("not_typing", party_id="ann")

    assert play.types("ann") == [TypingStarted("ann")]


@pytest.mark.parametrize("party_id", ["chat-1", "CHAT-1", "Chat-1"])
def test_the_customers_own_typing_is_no_news(play: Play, party_id: str) -> None:
    """What the customer types is not told to the customer, in whatever case the id comes."""
    assert play.types(party_id) == []
    assert play.hears("not_typing", party_id=party_id) == []
    assert play.session.typing == ()
    assert play.session.counts.events == 2
