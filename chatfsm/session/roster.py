"""Who is in the conversation."""

from __future__ import annotations

from chatfsm.protocol import events
from chatfsm.session.effects import PartyAdded, PartyChanged, PartyRemoved
from chatfsm.session.plain import to_plain
from chatfsm.session.state import Memory, Turn, quoted
from chatfsm.session.values import Party


def joined(turn: Turn, event: events.PartyJoined) -> None:
    """Add a party, or learn its new names."""
    memory = turn.memory
    party = Party(event.party_id, event.type, event.display_name, event.first_name, event.last_name)
    before = memory.party(event.party_id)
    if before == party or (before is None and _is_of_the_past(memory, event)):
        turn.absorb()
    elif before is not None:
        memory.parties = tuple(party if known is before else known for known in memory.parties)
        turn.tell(PartyChanged(party))
    elif len(memory.parties) >= turn.settings.max_parties:
        who = quoted(event.party_id)
        turn.report("too_many_parties", f"no room in the roster for {who}", to_plain(party))
    else:
        if memory.departed is not None:
            memory.departed.pop(event.party_id, None)
        memory.parties = (*memory.parties, party)
        turn.tell(PartyAdded(party))


def left(turn: Turn, event: events.PartyLeft) -> None:
    """Remove a party."""
    memory = turn.memory
    party = memory.party(event.party_id)
    if party is not None:
        memory.parties = tuple(known for known in memory.parties if known is not party)
        _remember_departure(turn, event)
        turn.tell(PartyRemoved(party))
    elif memory.departed is not None and (
        memory.departed.get(event.party_id, -1.0) == event.timestamp
    ):
        turn.absorb()
    else:
        who = quoted(event.party_id)
        turn.report("unknown_party", f"{who} left, and was not here")


def _is_of_the_past(memory: Memory, event: events.PartyJoined) -> bool:
    """Whether a joining is older than that party's leaving: a cached poll brings such ones."""
    if memory.departed is None or event.timestamp is None:
        return False
    departed = memory.departed.get(event.party_id)
    return departed is not None and event.timestamp < departed


def _remember_departure(turn: Turn, event: events.PartyLeft) -> None:
    departed = turn.memory.departed
    if departed is None:
        departed = turn.memory.departed = {}
    if len(departed) >= turn.settings.max_parties:
        del departed[next(iter(departed))]
    departed[event.party_id] = event.timestamp
