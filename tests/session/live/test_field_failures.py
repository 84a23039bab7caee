"""Failures of existing clients (PROTOCOL.md §6) that a session must not have."""

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
    from tests.session.live.conftest import Harness


@pytest.mark.parametrize(
    "state", ["ivr", "queued", "connecting", "connected", "completed", "failed"]
)
def test_every_state_is_modelled(harness: Harness, state: str) -> None:
    """Seen: "status decoded without its state; `completed` ignored". Every state is reported."""
    assert harness.status(state)[0] == StateChanged("establishing", state)
    assert harness.session.state == state


def test_a_status_without_its_state_is_no_status(harness: Harness) -> None:
    """Seen: "status decoded without its state". Such a status is malformed and changes no state."""
    harness.status("queued")
    harness.feed("status", ewt="5")

    assert harness.anomalies == ["malformed"]
    assert harness.session.state == "queued"


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
def test_one_odd_event_affects_no_other(harness: Harness, odd: object) -> None:
    """Seen: "one unknown event, missing field or odd type crashes the app or loses the batch"."""
    effects = harness.feed_batch(
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
def test_every_ending_makes_the_session_done(harness: Harness, last: list[dict[str, Any]]) -> None:
    """Seen: "keeps polling after failed, inactivity or completed+ended". Each makes it done."""
    harness.status("connected")
    harness.typing("ann")
    assert not harness.session.done

    harness.feed_batch(*last)

    assert harness.session.done
    assert harness.session.deadline is None


def test_a_cached_poll_is_reported_once(harness: Harness) -> None:
    """Seen: "same message shown 70 times a second from a cached poll". It is reported once."""
    for _each in range(70):
        harness.message(
            "ann", "Please wait for the next available agent", "0", timestamp="1614718748"
        )

    assert [type(effect) for effect in harness.effects] == [MessageReceived]
    assert harness.session.counts.duplicates == 69


def test_a_history_at_each_resume_reports_nothing_again(harness: Harness) -> None:
    """Seen: "history appended again at each resume". Known events are not reported again."""
    history = [
        {"event": "chat_session_party_joined", "party_id": "ann", "timestamp": "100"},
        {"event": "chat_session_message", "party_id": "ann", "msg_id": "2", "msg": "hi"},
        {"event": "chat_session_message", "party_id": "chat-1", "msg_id": "1", "msg": "ho"},
        {"event": "chat_session_file", "party_id": "chat-1", "msg_id": "3", "file_id": "f-1"},
        {"event": "chat_session_party_left", "party_id": "ann", "timestamp": "200"},
    ]
    assert len(harness.feed_batch(*history)) == 5

    for _each in range(3):
        assert harness.feed_batch(*history) == []
    assert harness.session.parties == ()


def test_failed_and_ended_together_end_once(harness: Harness) -> None:
    """Seen: "callbacks fire twice when failed and ended come together". One termination, ever."""
    harness.feed_batch(
        {"event": "chat_session_status", "state": "failed"},
        {"event": "chat_session_ended"},
        {"event": "chat_session_status", "state": "failed"},
    )

    assert harness.endings == [Terminated("failed")]


def test_the_end_of_a_call_is_not_echoed(harness: Harness) -> None:
    """Seen: "END_CALL echoed for ever". It changes the call once and causes no reply."""
    harness.signal("OFFER_CALL")

    assert [type(effect) for effect in harness.signal("END_CALL")] == [SignalReceived, CallChanged]
    for _each in range(3):
        assert [type(effect) for effect in harness.signal("END_CALL")] == [SignalReceived]


def test_a_typing_indicator_clears(harness: Harness) -> None:
    """Seen: "typing indicator never clears". It clears for each reason."""
    harness.join("ann")
    reasons: tuple[tuple[str, dict[str, str], TypingReason], ...] = (
        ("not_typing", {"party_id": "ann"}, "event"),
        ("message", {"party_id": "ann", "msg": "hi"}, "message"),
        ("party_left", {"party_id": "ann"}, "left"),
        ("status", {"state": "completed"}, "completed"),
        ("ended", {}, "terminated"),
    )
    for name, fields, reason in reasons:
        assert harness.typing("ann") == [TypingStarted("ann")]
        assert TypingStopped("ann", reason) in harness.feed(name, **fields)
        assert harness.session.typing == ()


def test_a_typing_indicator_clears_after_the_timeout(harness: Harness) -> None:
    """Seen: "typing indicator never clears". It clears after the timeout at the latest."""
    harness.typing("ann")

    assert harness.tick(at=30.0) == [TypingStopped("ann", "timeout")]


def test_an_agent_who_left_is_not_the_agent(harness: Harness) -> None:
    """Seen: "party never removed, messages sent to an agent who left". The agent is recomputed."""
    harness.join("ann", type="internal")
    harness.join("bob", type="internal")
    harness.leave("bob")
    assert harness.session.agent == Party("ann", "internal")

    harness.leave("ann")
    assert harness.session.agent is None
    assert harness.session.parties == ()


def test_a_closed_prompt_takes_no_text(harness: Harness) -> None:
    """Seen: "a dead form's prompt swallows later text". No text answers a closed prompt."""
    for name, fields in (
        ("form_data", {"form_request_id": "7"}),
        ("chat_form_data_cancel", {"form_request_id": "7"}),
        ("secure_form_cancel", {"form_request_id": "7"}),
    ):
        harness.show_form("7", "")
        harness.feed(name, **fields)
        assert [type(effect) for effect in harness.message("chat-1", "later")] == [MessageReceived]
    harness.show_form("7", "", form_timeout="10", at=0.0)

    expired, later = harness.feed("message", party_id="chat-1", msg="later", at=10.0)

    assert expired == FormClosed(Form("7", "", deadline=10.0), "expired")
    assert isinstance(later, MessageReceived)


def test_the_end_closes_the_prompts(harness: Harness) -> None:
    """Seen: "a dead form's prompt swallows later text". The end closes every form."""
    harness.show_form("7", "")

    assert FormClosed(Form("7", ""), "terminated") in harness.end()
    assert harness.session.forms == ()


def test_two_sessions_share_nothing(make_harness: type[Harness]) -> None:
    """Seen: "events without chat id, so two chats cannot be told apart". Sessions share nothing."""
    one, two = make_harness("chat-1"), make_harness("chat-2")
    for harness in (one, two):
        harness.join("ann", type="internal")
        assert len(harness.message("ann", "hello", "2")) == 1
    one.typing("ann")
    one.end()

    assert (one.session.chat_id, two.session.chat_id) == ("chat-1", "chat-2")
    assert not two.session.done
    assert two.session.typing == ()
    assert two.session.counts.effects == 2
