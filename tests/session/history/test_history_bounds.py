"""Bounds of the state apply to histories too; a session equals only sessions."""

from __future__ import annotations

from chatfsm import ChatSession, History, Settings, decode, effects


def past(*items: dict[str, object]) -> History:
    return History(decode(list(items)))


def kinds(reported: list[effects.Effect]) -> list[str]:
    return [effects.to_json(effect)["effect"] for effect in reported]


def test_the_roster_of_a_history_is_bounded() -> None:
    """A party of a history beyond `max_parties` is an anomaly."""
    session = ChatSession("chat-1", settings=Settings(max_parties=1))
    joined = {"event": "chat_session_party_joined", "timestamp": 1}
    reported = session.receive(
        past({**joined, "party_id": "ann"}, {**joined, "party_id": "ben"}), now=0.0
    )
    assert kinds(reported) == ["party_added", "anomaly"]
    assert all(effect.replayed for effect in reported)
    assert [party.party_id for party in session.parties] == ["ann"]


def test_the_forms_of_a_history_are_bounded() -> None:
    """A form of a history beyond `max_forms` is an anomaly."""
    session = ChatSession("chat-1", settings=Settings(max_forms=1))
    shown = {"event": "chat_session_form_show", "form_name": "age", "timestamp": 1}
    reported = session.receive(
        past({**shown, "form_request_id": "1"}, {**shown, "form_request_id": "2"}), now=0.0
    )
    assert kinds(reported) == ["form_opened", "anomaly"]
    assert [form.request_id for form in session.forms] == ["1"]


def test_a_session_equals_sessions_only() -> None:
    """A session does not equal an object of another type."""
    session = ChatSession("chat-1")
    assert session == ChatSession("chat-1")
    assert session != ChatSession("chat-1", settings=Settings(max_forms=1))
    assert session != "chat-1"
