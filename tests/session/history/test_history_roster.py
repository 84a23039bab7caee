"""The roster, where a history tells of parties that joined live without a timestamp."""

from __future__ import annotations

from chatfsm import ChatSession, History, events


def test_a_live_join_without_a_timestamp_is_later_than_a_history() -> None:
    """Its names stay; and once a join of the history has a timestamp, the party has one too."""
    session = ChatSession("chat-1")
    session.receive(events.PartyJoined("ann", display_name="Ann"), now=1.0)
    old = events.PartyJoined("ann", display_name="Anne", timestamp=100.0)

    assert session.receive(History((old,)), now=2.0) == []
    assert [party.display_name for party in session.parties] == ["Ann"]

    left_before = events.PartyLeft("ann", timestamp=50.0)
    assert session.receive(History((left_before,)), now=3.0) == []
    assert [party.party_id for party in session.parties] == ["ann"]
    assert session.counts.duplicates == 2
