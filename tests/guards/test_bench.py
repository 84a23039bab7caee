"""The benchmarks compare the same work, on the same chats on every machine."""

from __future__ import annotations

import json
from collections import Counter

from attrs import asdict

from chatfsm import ChatSession, events
from chatfsm._protocol.codec import decode_item
from tests.bench import handwritten
from tests.bench.event_carrying_reducer import EventCarryingReducer
from tests.bench.peers import with_transitions
from tests.bench.plain_reducer import PlainReducer
from tests.bench.rows.sessions import LIBRARIES, check_same_effects
from tests.bench.usage import decode_chat, effects_of
from tests.bench.workloads import EVENTS_A_CHAT, block, chats, mid_conversation

CHATS = chats(20)


def test_a_seed_makes_the_same_chats() -> None:
    """The same seed makes the same lines, and another seed makes others."""
    lines = [chat.lines() for chat in CHATS]
    assert [chat.lines() for chat in chats(20)] == lines
    assert [chat.lines() for chat in chats(20, seed=5)] != lines


def test_a_chat_is_of_fifty_events_and_ends() -> None:
    """Every chat has fifty events, terminates with the last, and has no anomalies."""
    for chat in map(decode_chat, CHATS):
        returned = effects_of(chat)
        assert len(returned) == EVENTS_A_CHAT
        assert "Terminated" in kinds(returned[-1])
        assert not any("Anomaly" in kinds(effects) for effects in returned)


def test_the_chats_resemble_real_ones() -> None:
    """The chats contain every kind of event that is measured, and duplicates."""
    decoded = map(decode_chat, CHATS)
    counts = Counter(type(event).__name__ for chat in decoded for event, _ in chat.timed)
    assert {"Message", "Typing", "FormShow", "File", "TimeoutWarning", "MessageRead"} <= set(counts)
    assert counts.most_common(1)[0][0] == "Message"
    assert sum(finished(chat.chat_id).counts.duplicates for chat in CHATS) > 20


def test_a_long_chat_continues() -> None:
    """No block of a long chat repeats an id of the block before, and none ends the chat."""
    session = ChatSession(block(0).chat_id)
    for number in range(3):
        for event, now in decode_chat(block(number)).timed:
            session.receive(event, now=now)
    assert not session.done
    assert session.counts.events == 3_000
    assert session.counts.anomalies == 0


def test_mid_conversation_has_two_parties() -> None:
    """The session whose size is measured has two parties, and no open form or typing party."""
    session = ChatSession(mid_conversation().chat_id)
    for event, now in decode_chat(mid_conversation()).timed:
        session.receive(event, now=now)
    assert len(session.parties) == 2
    assert (session.typing, session.forms, session.done) == ((), (), False)


def test_reducers_return_the_same_effects() -> None:
    """Both reducers return effects of the same kinds in the same order, and count the same."""
    for chat in map(decode_chat, CHATS):
        expected = [kinds(effects) for effects in effects_of(chat)]
        counts = finished(chat.chat_id).counts
        for reducer in (PlainReducer(chat.chat_id), EventCarryingReducer(chat.chat_id)):
            assert [kinds(reducer.receive(event, now)) for event, now in chat.timed] == expected
            assert reducer.events == counts.events
            assert reducer.effects == counts.effects
            assert reducer.duplicates == counts.duplicates


def test_the_reducer_has_the_bounds_of_a_session() -> None:
    """Both report anomalies at the same bounds, and neither keeps a long content."""
    inputs = (
        [event for number in range(258) for event in coming_and_going(f"agent {number}")],
        [events.Message("a", str(number), "x") for number in range(4_100)],
        [events.FormShow(str(number), form_name="x" * 99, timestamp=1.0) for number in range(66)],
        [events.Typing(f"agent {number}") for number in range(258)],
    )
    for items in inputs:
        session, reducer = ChatSession("a chat"), PlainReducer("a chat")
        returned = [sorted(kinds(session.receive(event, now=1.0))) for event in items]
        assert [sorted(kinds(reducer.receive(event, 1.0))) for event in items] == returned
        assert any("Anomaly" in effects for effects in returned)
        assert all(len(content) <= 64 for content in reducer.seen_ids.values())


def test_peers_return_the_same_effects() -> None:
    """Each usage of an installed library returns the effects of the plain reducer."""
    installed = [library.name for library in LIBRARIES if library.maker() is not None]
    assert installed[:3] == [library.name for library in LIBRARIES[:3]]
    for library in LIBRARIES:
        made = library.maker()
        if made is not None:
            check_same_effects(made, map(decode_chat, CHATS[:3]))
            for chat in map(decode_chat, CHATS[:3]):
                peer, reducer = made(chat.chat_id), PlainReducer(chat.chat_id)
                expected = [reducer.receive(event, now) for event, now in chat.timed]
                assert [peer.receive(event, now) for event, now in chat.timed] == expected


def test_transitions_is_used_in_its_usual_way() -> None:
    """The peer with the target has the triggers that a Machine adds; the smaller one has not."""
    assert hasattr(with_transitions.Chat("a chat"), "to_connected")
    assert not hasattr(with_transitions.NoAutoTransitions("a chat"), "to_connected")


def test_code_by_hand_reads_the_same() -> None:
    """The constructors by hand return the same events as the codec."""
    for line in (line for chat in CHATS for line in chat.lines(named=True)):
        item = json.loads(line)
        ours, theirs = decode_item(item), handwritten.construct(item)
        assert type(ours).__name__ == type(theirs).__name__
        assert asdict(ours) == asdict(theirs)


def finished(chat_id: str) -> ChatSession:
    """Return a session that has received all events of a chat."""
    (chat,) = (decode_chat(chat) for chat in CHATS if chat.chat_id == chat_id)
    session = ChatSession(chat_id)
    for event, now in chat.timed:
        session.receive(event, now=now)
    return session


def coming_and_going(party_id: str) -> tuple[events.PartyJoined, events.PartyLeft]:
    return events.PartyJoined(party_id, timestamp=1.0), events.PartyLeft(party_id, timestamp=2.0)


def kinds(effects: list[object]) -> list[str]:
    return [type(effect).__name__ for effect in effects]
