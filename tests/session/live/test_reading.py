from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from attrs import asdict

from chatfsm import ChatSession

if TYPE_CHECKING:
    from tests.session.live.conftest import Harness


def test_a_new_session_is_empty() -> None:
    """The attributes of a new session have their empty values."""
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
def test_the_repr_has_the_chat_id_and_the_state(chat_id: str, text: str) -> None:
    """The repr has the chat_id, shortened and escaped, and the state."""
    assert repr(ChatSession(chat_id)) == text


def test_the_repr_follows_the_state(harness: Harness) -> None:
    """The repr has the present state."""
    harness.end()

    assert repr(harness.session) == "<ChatSession 'chat-1', ended>"


def test_the_counts_are_a_copy(harness: Harness) -> None:
    """A change of the returned counts does not change the session."""
    harness.join("ann")
    counts = harness.session.counts

    counts.events = 99

    assert harness.session.counts.events == 1
    harness.join("bob")
    assert counts.events == 99


def test_returned_values_do_not_change_later(harness: Harness) -> None:
    """Values that the session returned do not change with later inputs."""
    harness.join("ann", type="internal")
    harness.typing("ann")
    harness.show_form("7")
    harness.signal("ICE_CANDIDATE", candidate="a")
    session = harness.session
    before = (session.parties, session.typing, session.forms, session.early_candidates)
    lengths = [len(part) for part in before]

    harness.join("bob")
    harness.typing("bob")
    harness.show_form("8")
    harness.signal("ICE_CANDIDATE", candidate="b")
    harness.end()

    assert [len(part) for part in before] == lengths == [1, 1, 1, 1]


def test_returned_effects_do_not_change_later(harness: Harness) -> None:
    """Each call of `receive` returns a new list, which the caller may keep and change."""
    first = harness.join("ann")
    kept = list(first)
    harness.join("bob")

    assert first == kept
    first.clear()
    assert len(harness.session.parties) == 2


def test_the_same_inputs_give_the_same_effects(make_harness: type[Harness]) -> None:
    """Two sessions with the same inputs at the same times have equal effects and equal states."""
    one, two = make_harness(), make_harness()
    for harness in (one, two):
        harness.status("queued", ewt="5")
        harness.join("ann", type="internal")
        harness.typing("ann", at=1.0)
        harness.show_form("7", form_timeout="3")
        harness.message("ann", "hello", "2", at=2.0)
        harness.message("ann", "other", "2")
        harness.tick(at=9.0)

    assert one.effects == two.effects
    assert one.copy_state() == two.copy_state()


def test_a_session_equals_no_other_object() -> None:
    """A session does not equal an object of another type: False, not None."""
    assert (ChatSession("chat-1") == "chat-1") is False
    assert (ChatSession("chat-1") != "chat-1") is True


def test_the_repr_of_a_state_omits_the_settings(harness: Harness) -> None:
    """The repr of a state omits the settings, which are long and shared by many sessions."""
    harness.join("ann")
    assert "Settings(" not in repr(harness.session._state)
