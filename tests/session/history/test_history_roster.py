"""The roster, if a history has parties that joined live without a timestamp."""

from __future__ import annotations

from chatfsm import ChatSession, History, events


def test_a_live_join_without_a_timestamp_is_later_than_a_history() -> None:
    """The live names stay, and the party takes the timestamp of a join in the history."""
    session = ChatSession("chat-1")
    session.receive(events.PartyJoined("ann", display_name="Ann"), now=1.0)
    old = events.PartyJoined("ann", display_name="Anne", timestamp=100.0)

    assert session.receive(History((old,)), now=2.0) == []
    assert [party.display_name for party in session.parties] == ["Ann"]

    left_before = events.PartyLeft("ann", timestamp=50.0)
    assert session.receive(History((left_before,)), now=3.0) == []
    assert [party.party_id for party in session.parties] == ["ann"]
    assert session.counts.duplicates == 2


def test_a_repeated_join_does_not_change_the_other_party() -> None:
    """A repeated join changes only its party, in a history too: A at 10, B at 20, A at 10 again."""
    session = ChatSession("chat-1")
    ann, bob = (events.PartyJoined(name, timestamp=at) for name, at in (("ann", 10.0), ("bob", 20)))

    session.receive(History((ann, bob, ann)), now=1.0)
    assert [party.party_id for party in session.parties] == ["ann", "bob"]
    assert session._state.joined_at == (10.0, 20.0)


def test_of_two_names_of_the_same_second_the_greater_one_wins() -> None:
    """The order of the pages of the history does not matter."""
    for names in (("Ann", "Anna"), ("Anna", "Ann")):
        session = ChatSession("chat-1")
        for name in names:
            event = events.PartyJoined("ann", display_name=name, timestamp=10.0)
            session.receive(History((event,), complete=False), now=1.0)
        assert [party.display_name for party in session.parties] == ["Anna"]
