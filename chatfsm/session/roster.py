"""Who is in the conversation."""

from __future__ import annotations

from math import inf

from chatfsm.protocol import events
from chatfsm.session.effects import Anomaly, PartyAdded, PartyChanged, PartyRemoved
from chatfsm.session.plain import to_plain, written
from chatfsm.session.state import Memory, Roll, Turn, quoted
from chatfsm.session.values import Party


def joined(turn: Turn, event: events.PartyJoined) -> None:
    """Add a party, or learn its new names."""
    memory, party_id = turn.memory, _id(turn.memory, event)
    before = memory.announced(party_id)
    party = _party(event, party_id)
    if before == party or _is_of_the_past(
        memory, party, event.timestamp, is_here=before is not None
    ):
        turn.absorb()
    elif before is not None:
        _replace(memory, before, party)
        _arrive(memory, party.party_id, event.timestamp)
        turn.effects.append(PartyChanged(party))
    elif not _is_full(turn, party):
        if memory.roll is not None:
            _departed(memory).pop(party_id, None)
        _add(memory, party, event.timestamp)
        turn.effects.append(PartyAdded(party))


def stranger_left(turn: Turn, event: events.PartyLeft) -> bool:
    """Report a leaving of nobody; True where the leaving is old, and was told."""
    memory = turn.memory
    party = _here(memory, event)
    if party is not None:
        is_old = event.timestamp is not None and event.timestamp < _arrived_at(memory, party)
    else:
        is_old = _departed(memory).get(_id(memory, event), -1.0) == event.timestamp
    if is_old:
        return turn.absorb()
    if party is None:
        who = quoted(event.party_id)
        turn.report("unknown_party", f"{who} left, and was not here")
    return False


def left(turn: Turn, event: events.PartyLeft) -> None:
    """Remove a party."""
    memory = turn.memory
    party = _here(memory, event)
    if party is not None:
        _remove(memory, party)
        _remember_departure(turn, party.party_id, event.timestamp)
        turn.effects.append(PartyRemoved(party))


def had_joined(turn: Turn, event: events.PartyJoined) -> None:
    """A joining of the past: whoever left since is not here, and the latest names count."""
    memory, at = turn.memory, _past(event)
    before = memory.party(event.party_id)
    party = _party(event, _id(memory, event))
    if at <= _gone_at(memory, _id(memory, event)):
        turn.absorb()
    elif before is None:
        if _is_full(turn, party):
            return
        _add(memory, party, at)
        _put_in_order(memory)
        turn.effects.append(PartyAdded(party))
    elif before != party and (at, written(party)) > (_known_at(memory, before), written(before)):
        _replace(memory, before, party)
        _arrive(memory, party.party_id, at)
        _put_in_order(memory)
        turn.effects.append(PartyChanged(party))
    else:
        _arrive(memory, before.party_id, at)
        _put_in_order(memory)
        turn.absorb()


def had_left(turn: Turn, event: events.PartyLeft) -> bool:
    """A leaving of the past; True where it is older than the party's being here, or no news."""
    memory, at = turn.memory, _past(event)
    party = memory.party(event.party_id)
    if party is not None and at >= _known_at(memory, party):
        _remove(memory, party)
        _remember_departure(turn, _id(memory, event), at)
        turn.effects.append(PartyRemoved(party))
        return False
    if at > _gone_at(memory, _id(memory, event)):
        _remember_departure(turn, _id(memory, event), at)
    arrivals = _arrivals(memory)
    if party is not None and party.party_id in arrivals:
        # Older than the last joining, but not than all: the stay began after it.
        first, last = arrivals[party.party_id]
        arrivals[party.party_id] = (last if first <= at else first), last
        _put_in_order(memory)
    return turn.absorb()


def _here(memory: Memory, event: events.PartyLeft) -> Party | None:
    """Who it is that left; nearly always somebody under just this id."""
    return memory.announced(event.party_id) or memory.party(event.party_id)


def _is_of_the_past(memory: Memory, party: Party, at: float | None, *, is_here: bool) -> bool:
    """Whether a joining is older than that party's last move: a cached poll brings such ones."""
    if at is None or memory.roll is None:
        return False
    if is_here:
        return at < _arrived_at(memory, party)
    departed = _departed(memory).get(party.party_id)
    return departed is not None and at < departed


def _remember_departure(turn: Turn, party_id: str, at: float | None) -> None:
    departed = _departed(turn.memory)
    departed.pop(party_id, None)
    if len(departed) >= turn.settings.max_parties:
        forgotten = next(iter(departed))
        del departed[forgotten]
        text = f"more parties have left than are remembered: {quoted(forgotten)} is forgotten"
        turn.note(Anomaly("too_many_parties", text))
    departed[party_id] = at
    _roll(turn.memory).departed = departed


def _add(memory: Memory, party: Party, at: float | None) -> None:
    memory.parties = (*memory.parties, party)
    _arrive(memory, party.party_id, at)


def _arrive(memory: Memory, party_id: str, at: float | None) -> None:
    if at is None:
        return
    roll = _roll(memory)
    if roll.arrivals is None:
        roll.arrivals = {}
    known = roll.arrivals.get(party_id)
    roll.arrivals[party_id] = (at, at) if known is None else (min(known[0], at), max(known[1], at))


def _remove(memory: Memory, party: Party) -> None:
    memory.parties = tuple(known for known in memory.parties if known is not party)
    roll = memory.roll
    if roll is not None and roll.arrivals is not None:
        roll.arrivals.pop(party.party_id, None)
        roll.arrivals = roll.arrivals or None


def _roll(memory: Memory) -> Roll:
    if memory.roll is None:
        memory.roll = Roll()
    return memory.roll


def _departed(memory: Memory) -> dict[str, float | None]:
    return (memory.roll and memory.roll.departed) or {}


def _arrivals(memory: Memory) -> dict[str, tuple[float, float]]:
    return (memory.roll and memory.roll.arrivals) or {}


def _party(event: events.PartyJoined, party_id: str) -> Party:
    return Party(party_id, event.type, event.display_name, event.first_name, event.last_name)


def _id(memory: Memory, event: events.PartyJoined | events.PartyLeft) -> str:
    """Whose event it is; the customer's id may come in any case, and is the chat's."""
    return memory.chat_id if memory.is_own(event.party_id) else event.party_id


def _put_in_order(memory: Memory) -> None:
    """Parties stand in the order of joining, whatever the order in which the past is told."""
    memory.parties = tuple(sorted(memory.parties, key=lambda known: _place(memory, known)))


def _replace(memory: Memory, before: Party, party: Party) -> None:
    memory.parties = tuple(party if known is before else known for known in memory.parties)


def _is_full(turn: Turn, party: Party) -> bool:
    """Whether there is no room for one more, which is reported."""
    if len(turn.memory.parties) < turn.settings.max_parties:
        return False
    who = quoted(party.party_id)
    turn.report("too_many_parties", f"no room in the roster for {who}", to_plain(party))
    return True


def _past(event: events.PartyJoined | events.PartyLeft) -> float:
    """When it was, on the server's clock; before anything else where it bears no time."""
    return -1.0 if event.timestamp is None else event.timestamp


def _gone_at(memory: Memory, party_id: str) -> float:
    """When a party left; never: minus infinity; without a time: later than all of the past."""
    at = _departed(memory).get(party_id, -inf)
    return inf if at is None else at


def _arrived_at(memory: Memory, party: Party) -> float:
    """When a party joined; without a time: before anything."""
    return _arrivals(memory).get(party.party_id, (-inf, -inf))[1]


def _known_at(memory: Memory, party: Party) -> float:
    """When a party was last said to be here; without a time: after all of the past."""
    return _arrivals(memory).get(party.party_id, (inf, inf))[1]


def _place(memory: Memory, party: Party) -> tuple[float, str]:
    """Where in the order of joining a party stands: without a time, after all of the past."""
    return _arrivals(memory).get(party.party_id, (inf, inf))[0], party.party_id
