from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from chatfsm.effects import MessageReceived, TypingStarted, TypingStopped

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness


def test_typing_is_reported_once(harness: Harness) -> None:
    """Typing is reported once, also if the party did not join."""
    assert harness.typing("ann") == [TypingStarted("ann")]
    assert harness.typing("ann") == []
    assert harness.session.typing == ("ann",)


def test_several_may_type(harness: Harness) -> None:
    """Typing parties are listed in the order of starting."""
    harness.typing("bob")
    harness.typing("ann")
    harness.typing("bob")

    assert harness.session.typing == ("bob", "ann")


def test_a_repeat_only_renews_the_deadline(harness: Harness) -> None:
    """Repeated typing is not reported and renews the timeout."""
    harness.typing("ann", at=0.0)
    assert harness.session.deadline == 30.0

    assert harness.typing("ann", at=20.0) == []

    assert harness.session.deadline == 50.0
    assert harness.tick(at=49.9) == []
    assert harness.tick(at=50.0) == [TypingStopped("ann", "timeout")]


def test_typing_stops_by_event(harness: Harness) -> None:
    """A not_typing stops the typing of that party alone."""
    harness.typing("ann")
    harness.typing("bob")

    assert harness.feed("not_typing", party_id="ann") == [TypingStopped("ann", "event")]
    assert harness.session.typing == ("bob",)


def test_not_typing_without_typing_is_not_reported(harness: Harness) -> None:
    """A not_typing of a party that was not typing is neither reported nor an anomaly."""
    assert harness.feed("not_typing", party_id="ann") == []
    harness.typing("bob")
    assert harness.feed("not_typing", party_id="ann") == []
    assert harness.session.typing == ("bob",)


def test_typing_stops_by_a_message(harness: Harness) -> None:
    """A message stops the typing of its party alone, before it is reported."""
    harness.typing("ann")
    harness.typing("bob")

    effects = harness.message("ann", "hello", "2")

    assert effects[0] == TypingStopped("ann", "message")
    assert [type(effect) for effect in effects] == [TypingStopped, MessageReceived]
    assert harness.session.typing == ("bob",)


def test_a_repeated_message_stops_no_typing(harness: Harness) -> None:
    """A duplicate message stops no typing."""
    harness.message("ann", "hello", "2")
    harness.typing("ann")

    assert harness.message("ann", "hello", "2") == []
    assert harness.session.typing == ("ann",)


def test_a_message_without_a_party_stops_no_typing(harness: Harness) -> None:
    """A message without a party stops no typing."""
    harness.typing("ann")

    [effect] = harness.feed("message", msg="hello")

    assert isinstance(effect, MessageReceived)
    assert harness.session.typing == ("ann",)


@pytest.mark.parametrize("seconds", [0.5, 3, 120.0])
def test_typing_lasts_as_long_as_the_settings_say(
    make_harness: type[Harness], seconds: float
) -> None:
    """Typing stops after `typing_timeout`."""
    harness = make_harness(typing_timeout=seconds)
    harness.typing("ann", at=100.0)

    assert harness.session.deadline == 100.0 + seconds
    assert harness.tick(at=100.0 + seconds) == [TypingStopped("ann", "timeout")]
    assert harness.session.typing == ()
    assert harness.session.deadline is None


def test_typing_may_begin_again(harness: Harness) -> None:
    """Typing that stopped may start again."""
    harness.typing("ann")
    harness.feed("not_typing", party_id="ann")

    assert harness.typing("ann") == [TypingStarted("ann")]


@pytest.mark.parametrize("party_id", ["chat-1", "CHAT-1", "Chat-1"])
def test_the_customers_own_typing_is_not_reported(harness: Harness, party_id: str) -> None:
    """The customer's own typing is not reported, with the chat_id in any case."""
    assert harness.typing(party_id) == []
    assert harness.feed("not_typing", party_id=party_id) == []
    assert harness.session.typing == ()
    assert harness.session.counts.events == 2
