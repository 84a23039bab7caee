from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import asdict

from chatfsm import ChatSession

if TYPE_CHECKING:
    from tests.session.live.conftest import Play


def test_a_new_session_has_learned_nothing() -> None:
    """Before anything was heard, the read side says so."""
    session = ChatSession("chat-1")

    assert session.chat_id == "chat-1"
    assert session.state == "establishing"
    assert session.outcome is None
    assert session.outcome_text is None
    assert session.done is False
    assert session.parties == ()
    assert session.agent is None
    assert session.human_present is False
    assert session.typing == ()
    assert session.forms == ()
    assert session.warning is None
    assert session.call == "idle"
    assert session.early_candidates == ()
    assert session.last_msg_id is None
    assert session.case_id is None
    assert session.service_name is None
    assert session.cobrowsing is None
    assert session.deadline is None
    assert set(asdict(session.counts).values()) == {0}


@pytest.mark.parametrize(
    ("chat_id", "text"),
    [
        ("chat-1", "<ChatSession 'chat-1', establishing>"),
        ("é\n", r"<ChatSession '\xe9\n', establishing>"),
        ("x" * 100, "<ChatSession '" + "x" * 80 + r"\u2026', establishing>"),
    ],
)
def test_a_session_shows_its_id_and_its_state(chat_id: str, text: str) -> None:
    """The repr names the chat, short and in plain text, and the state it is in."""
    assert repr(ChatSession(chat_id)) == text


def test_the_repr_follows_the_state(play: Play) -> None:
    """The repr says the state of the moment."""
    play.ends()

    assert repr(play.session) == "<ChatSession 'chat-1', ended>"


def test_the_counts_are_a_copy(play: Play) -> None:
    """Who writes into the counts that were given out changes nothing."""
    play.joins("ann")
    counts = play.session.counts

    counts.events = 99

    assert play.session.counts.events == 1
    play.joins("bob")
    assert counts.events == 99


def test_what_was_read_does_not_change_later(play: Play) -> None:
    """What the read side gave out is of its moment."""
    play.joins("ann", type="internal")
    play.types("ann")
    play.shows("7")
    play.signals("ICE_CANDIDATE", candidate="a")
    session = play.session
    before = (session.parties, session.typing, session.forms, session.early_candidates)
    lengths = [len(part) for part in before]

    play.joins("bob")
    play.types("bob")
    play.shows("8")
    play.signals("ICE_CANDIDATE", candidate="b")
    play.ends()

    assert [len(part) for part in before] == lengths == [1, 1, 1, 1]


def test_what_was_returned_does_not_change_later(play: Play) -> None:
    """Each step gives a list of its own, which the caller may keep and change."""
    first = play.joins("ann")
    kept = list(first)
    play.joins("bob")

    assert first == kept
    first.clear()
    assert len(play.session.parties) == 2


def test_the_same_inputs_give_the_same_effects(plays: type[Play]) -> None:
    """Two sessions that hear the same at the same times tell the same and remember the same."""
    one, two = plays(), plays()
    for play in (one, two):
        play.status("queued", ewt="5")
        play.joins("ann", type="internal")
        play.types("ann", at=1.0)
        play.shows("7", form_timeout="3")
        play.says("ann", "hello", "2", at=2.0)
        play.says("ann", "other", "2")
        play.ticks(at=9.0)

    assert one.told == two.told
    assert one.recalls() == two.recalls()


def test_a_session_equals_no_other_thing() -> None:
    """A comparison with another thing is False, not None."""
    assert (ChatSession("chat-1") == "chat-1") is False
    assert (ChatSession("chat-1") != "chat-1") is True


def test_the_repr_of_a_memory_is_without_its_settings(play: Play) -> None:
    """They are the same in many sessions, and long."""
    play.joins("ann")
    assert "Settings(" not in repr(play.session._state)
