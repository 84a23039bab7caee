"""What the benchmarks compare is the same work, and the same everywhere."""

from __future__ import annotations

import json
from collections import Counter

from attrs import asdict

from chatfsm import ChatSession, events
from chatfsm._protocol.codec import decode_item
from tests.bench import handwritten
from tests.bench.floor import Floor
from tests.bench.hearing import effects_of, heard
from tests.bench.lean_floor import LeanFloor
from tests.bench.peers import with_transitions
from tests.bench.rows.sessions import LIBRARIES, say_the_same
from tests.bench.workloads import EVENTS_A_CHAT, block, chats, mid_conversation

CHATS = chats(20)


def test_a_seed_makes_the_same_chats() -> None:
    """The same seed makes the same lines, and another seed makes others."""
    lines = [chat.lines() for chat in CHATS]
    assert [chat.lines() for chat in chats(20)] == lines
    assert [chat.lines() for chat in chats(20, seed=5)] != lines


def test_a_chat_is_of_fifty_events_and_ends() -> None:
    """Every chat has as many events as are counted, terminates with its last, and is clean."""
    for chat in map(heard, CHATS):
        told = effects_of(chat)
        assert len(told) == EVENTS_A_CHAT
        assert "Terminated" in kinds(told[-1])
        assert not any("Anomaly" in kinds(effects) for effects in told)


def test_the_chats_hold_what_real_ones_hold() -> None:
    """Every kind of event that is measured is met, and so are duplicates."""
    met = Counter(type(event).__name__ for chat in map(heard, CHATS) for event, _ in chat.timed)
    assert {"Message", "Typing", "FormShow", "File", "TimeoutWarning", "MessageRead"} <= set(met)
    assert met.most_common(1)[0][0] == "Message"
    assert sum(finished(chat.chat_id).counts.duplicates for chat in CHATS) > 20


def test_a_long_chat_goes_on() -> None:
    """No block of a long chat repeats an id of the one before, and none ends it."""
    session = ChatSession(block(0).chat_id)
    for number in range(3):
        for event, now in heard(block(number)).timed:
            session.receive(event, now=now)
    assert not session.done
    assert session.counts.events == 3_000
    assert session.counts.anomalies == 0


def test_mid_conversation_has_two_parties() -> None:
    """The session whose size is measured has two parties, and nothing is open."""
    session = ChatSession(mid_conversation().chat_id)
    for event, now in heard(mid_conversation()).timed:
        session.receive(event, now=now)
    assert len(session.parties) == 2
    assert (session.typing, session.forms, session.done) == ((), (), False)


def test_the_floors_tell_the_same() -> None:
    """Both floors tell effects of the same kinds in the same order, and count the same."""
    for chat in map(heard, CHATS):
        expected = [kinds(effects) for effects in effects_of(chat)]
        counts = finished(chat.chat_id).counts
        for floor in (Floor(chat.chat_id), LeanFloor(chat.chat_id)):
            assert [kinds(floor.receive(event, now)) for event, now in chat.timed] == expected
            assert floor.events == counts.events
            assert floor.effects == counts.effects
            assert floor.duplicates == counts.duplicates


def test_the_floor_is_bounded_where_a_session_is() -> None:
    """What falls over an edge is told by both, and neither keeps a long content."""
    plays = (
        [event for number in range(258) for event in coming_and_going(f"agent {number}")],
        [events.Message("a", str(number), "x") for number in range(4_100)],
        [events.FormShow(str(number), form_name="x" * 99, timestamp=1.0) for number in range(66)],
        [events.Typing(f"agent {number}") for number in range(258)],
    )
    for play in plays:
        session, floor = ChatSession("a chat"), Floor("a chat")
        told = [sorted(kinds(session.receive(event, now=1.0))) for event in play]
        assert [sorted(kinds(floor.receive(event, 1.0))) for event in play] == told
        assert any("Anomaly" in effects for effects in told)
        assert all(len(content) <= 64 for content in floor.told.values())


def test_peers_tell_the_same() -> None:
    """Each way of using a library that is there tells just what the floor tells."""
    met = [library.name for library in LIBRARIES if library.maker() is not None]
    assert met[:3] == [library.name for library in LIBRARIES[:3]]
    for library in LIBRARIES:
        made = library.maker()
        if made is not None:
            say_the_same(made, map(heard, CHATS[:3]))
            for chat in map(heard, CHATS[:3]):
                peer, floor = made(chat.chat_id), Floor(chat.chat_id)
                told = [floor.receive(event, now) for event, now in chat.timed]
                assert [peer.receive(event, now) for event, now in chat.timed] == told


def test_transitions_is_used_in_its_usual_way() -> None:
    """The peer with the target has all that a Machine comes with; the lean one has not."""
    assert hasattr(with_transitions.Chat("a chat"), "to_connected")
    assert not hasattr(with_transitions.Lean("a chat"), "to_connected")


def test_code_by_hand_reads_the_same() -> None:
    """The constructors by hand make of each item what the codec makes of it."""
    for line in (line for chat in CHATS for line in chat.lines(named=True)):
        item = json.loads(line)
        ours, theirs = decode_item(item), handwritten.construct(item)
        assert type(ours).__name__ == type(theirs).__name__
        assert asdict(ours) == asdict(theirs)


def finished(chat_id: str) -> ChatSession:
    """The session that has heard all of that chat."""
    (chat,) = (heard(chat) for chat in CHATS if chat.chat_id == chat_id)
    session = ChatSession(chat_id)
    for event, now in chat.timed:
        session.receive(event, now=now)
    return session


def coming_and_going(party_id: str) -> tuple[events.PartyJoined, events.PartyLeft]:
    return events.PartyJoined(party_id, timestamp=1.0), events.PartyLeft(party_id, timestamp=2.0)


def kinds(effects: list[object]) -> list[str]:
    return [type(effect).__name__ for effect in effects]
