"""Failures that shipped clients have (PROTOCOL.md §6), and that a session must not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from chatfsm.effects import (
    CallChanged,
    FormClosed,
    MessageReceived,
    PartyAdded,
    SignalReceived,
    StateChanged,
    Terminated,
    TypingReason,
    TypingStarted,
    TypingStopped,
)
from chatfsm.models import Form, Party

if TYPE_CHECKING:
    from tests.session.live.conftest import Play


@pytest.mark.parametrize(
    "state", ["ivr", "queued", "connecting", "connected", "completed", "failed"]
)
def test_every_state_is_modelled(play: Play, state: str) -> None:
    """Seen: "status decoded without its state; `completed` ignored". Every state is told."""
    assert play.status(state)[0] == StateChanged("establishing", state)
    assert play.session.state == state


def test_a_status_without_its_state_is_no_status(play: Play) -> None:
    """Seen: "status decoded without its state". Such a status is malformed and moves nothing."""
    play.status("queued")
    play.hears("status", ewt="5")

    assert play.anomalies == ["malformed"]
    assert play.session.state == "queued"


@pytest.mark.parametrize(
    "odd",
    [
        {"event": "chat_session_surprise"},
        {"event": "chat_session_party_joined", "display_name": "Nobody"},
        {"event": "chat_session_file", "file_id": {"odd": "type"}},
        {"event": "chat_session_signaling", "data": "no json"},
        {"event": None},
        "no object",
    ],
)
def test_one_odd_event_costs_only_itself(play: Play, odd: object) -> None:
    """Seen: "one unknown event, missing field or odd type crashes the app or loses the batch"."""
    effects = play.hears_batch(
        {"event": "chat_session_party_joined", "party_id": "ann"},
        odd,
        {"event": "chat_session_typing", "party_id": "ann"},
    )

    first, kept, last = effects
    assert first == PartyAdded(Party("ann"))
    assert getattr(kept, "raw", None) == odd
    assert last == TypingStarted("ann")


@pytest.mark.parametrize(
    "last",
    [
        [{"event": "chat_session_status", "state": "failed"}],
        [{"event": "chat_session_inactivity_timeout"}],
        [
            {"event": "chat_session_status", "state": "completed"},
            {"event": "chat_session_ended"},
        ],
    ],
)
def test_every_terminal_says_that_it_is_over(play: Play, last: list[dict[str, Any]]) -> None:
    """Seen: "keeps polling after failed, inactivity or completed+ended". Each makes it done."""
    play.status("connected")
    play.types("ann")
    assert not play.session.done

    play.hears_batch(*last)

    assert play.session.done
    assert play.session.deadline is None


def test_a_cached_poll_is_told_once(play: Play) -> None:
    """Seen: "same message shown 70 times a second from a cached poll". It is shown once."""
    for _each in range(70):
        play.says("ann", "Please wait for the next available agent", "0", timestamp="1614718748")

    assert [type(effect) for effect in play.told] == [MessageReceived]
    assert play.session.counts.duplicates == 69


def test_a_history_at_each_resume_tells_nothing_again(play: Play) -> None:
    """Seen: "history appended again at each resume". What has ids or is known is told once."""
    history = [
        {"event": "chat_session_party_joined", "party_id": "ann", "timestamp": "100"},
        {"event": "chat_session_message", "party_id": "ann", "msg_id": "2", "msg": "hi"},
        {"event": "chat_session_message", "party_id": "chat-1", "msg_id": "1", "msg": "ho"},
        {"event": "chat_session_file", "party_id": "chat-1", "msg_id": "3", "file_id": "f-1"},
        {"event": "chat_session_party_left", "party_id": "ann", "timestamp": "200"},
    ]
    assert len(play.hears_batch(*history)) == 5

    for _each in range(3):
        assert play.hears_batch(*history) == []
    assert play.session.parties == ()


def test_failed_and_ended_together_end_once(play: Play) -> None:
    """Seen: "callbacks fire twice when failed and ended come together". One termination, ever."""
    play.hears_batch(
        {"event": "chat_session_status", "state": "failed"},
        {"event": "chat_session_ended"},
        {"event": "chat_session_status", "state": "failed"},
    )

    assert play.endings == [Terminated("failed")]


def test_the_end_of_a_call_is_not_echoed(play: Play) -> None:
    """Seen: "END_CALL echoed for ever". It moves the call once and asks for nothing to be sent."""
    play.signals("OFFER_CALL")

    assert [type(effect) for effect in play.signals("END_CALL")] == [SignalReceived, CallChanged]
    for _each in range(3):
        assert [type(effect) for effect in play.signals("END_CALL")] == [SignalReceived]


def test_a_typing_indicator_clears(play: Play) -> None:
    """Seen: "typing indicator never clears". It clears by every way out."""
    play.joins("ann")
    ways_out: tuple[tuple[str, dict[str, str], TypingReason], ...] = (
        ("not_typing", {"party_id": "ann"}, "event"),
        ("message", {"party_id": "ann", "msg": "hi"}, "message"),
        ("party_left", {"party_id": "ann"}, "left"),
        ("status", {"state": "completed"}, "completed"),
        ("ended", {}, "terminated"),
    )
    for word, fields, reason in ways_out:
        assert play.types("ann") == [TypingStarted("ann")]
        assert TypingStopped("ann", reason) in play.hears(word, **fields)
        assert play.session.typing == ()


def test_a_typing_indicator_clears_by_itself(play: Play) -> None:
    """Seen: "typing indicator never clears". Where nothing says so, time does."""
    play.types("ann")

    assert play.ticks(at=30.0) == [TypingStopped("ann", "timeout")]


def test_nobody_talks_to_an_agent_who_left(play: Play) -> None:
    """Seen: "party never removed, messages sent to an agent who left". The agent is recomputed."""
    play.joins("ann", type="internal")
    play.joins("bob", type="internal")
    play.leaves("bob")
    assert play.session.agent == Party("ann", "internal")

    play.leaves("ann")
    assert play.session.agent is None
    assert play.session.parties == ()


def test_a_dead_prompt_swallows_no_text(play: Play) -> None:
    """Seen: "a dead form's prompt swallows later text". A closed prompt is answered by nothing."""
    for word, fields in (
        ("form_data", {"form_request_id": "7"}),
        ("chat_form_data_cancel", {"form_request_id": "7"}),
        ("secure_form_cancel", {"form_request_id": "7"}),
    ):
        play.shows("7", "")
        play.hears(word, **fields)
        assert [type(effect) for effect in play.says("chat-1", "later")] == [MessageReceived]
    play.shows("7", "", form_timeout="10", at=0.0)

    expired, later = play.hears("message", party_id="chat-1", msg="later", at=10.0)

    assert expired == FormClosed(Form("7", "", deadline=10.0), "expired")
    assert isinstance(later, MessageReceived)


def test_the_end_leaves_no_prompt(play: Play) -> None:
    """Seen: "a dead form's prompt swallows later text". The end closes every form."""
    play.shows("7", "")

    assert FormClosed(Form("7", ""), "terminated") in play.ends()
    assert play.session.forms == ()


def test_two_chats_are_told_apart(plays: type[Play]) -> None:
    """Seen: "events without chat id, so two chats cannot be told apart". Sessions share nothing."""
    one, two = plays("chat-1"), plays("chat-2")
    for play in (one, two):
        play.joins("ann", type="internal")
        assert len(play.says("ann", "hello", "2")) == 1
    one.types("ann")
    one.ends()

    assert (one.session.chat_id, two.session.chat_id) == ("chat-1", "chat-2")
    assert not two.session.done
    assert two.session.typing == ()
    assert two.session.counts.effects == 2
