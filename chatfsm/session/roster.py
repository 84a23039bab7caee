"""Who is in the conversation."""

from __future__ import annotations

from math import inf
from typing import Final

from chatfsm.frozen import maker
from chatfsm.protocol import events
from chatfsm.session.effects import Anomaly, PartyAdded, PartyChanged, PartyRemoved
from chatfsm.session.plain import to_plain, written
from chatfsm.session.state import Arrival, Memory, Turn, quoted
from chatfsm.session.values import Party

_made: Final = maker(Party)
_added: Final = maker(PartyAdded)
_removed: Final = maker(PartyRemoved)


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
        _arrive(memory, party, event.timestamp)
        turn.effects.append(PartyChanged(party))
    elif not _is_full(turn, party):
        if memory.departed:
            memory.departed.pop(party_id, None)
            memory.departed = memory.departed or None
        _add(memory, party, event.timestamp)
        turn.effects.append(_added(party))


def stranger_left(turn: Turn, event: events.PartyLeft) -> bool:
    """Report a leaving of nobody; True where the leaving is old, and was told."""
    memory = turn.memory
    party = _here(memory, event)
    if party is not None:
        is_old = event.timestamp is not None and event.timestamp < _arrived(memory, party, -inf)[1]
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
        turn.effects.append(_removed(party))


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
        turn.effects.append(_added(party))
    elif before != party and _is_later(at, party, _arrived(memory, before, inf)[1], before):
        _replace(memory, before, party)
        _arrive(memory, party, at)
        _put_in_order(memory)
        turn.effects.append(PartyChanged(party))
    else:
        _arrive(memory, before, at)
        _put_in_order(memory)
        turn.absorb()


def had_left(turn: Turn, event: events.PartyLeft) -> bool:
    """A leaving of the past; True where it is older than the party's being here, or no news."""
    memory, at = turn.memory, _past(event)
    party = memory.party(event.party_id)
    if party is not None and at >= _arrived(memory, party, inf)[1]:
        _remove(memory, party)
        _remember_departure(turn, _id(memory, event), at)
        turn.effects.append(_removed(party))
        return False
    if at > _gone_at(memory, _id(memory, event)):
        _remember_departure(turn, _id(memory, event), at)
    if party is not None and _arrived(memory, party, inf)[0] <= at:
        # Older than the last joining, but not than all: the stay began after it.
        _stay(memory, party, _arrived(memory, party, inf)[1])
        _put_in_order(memory)
    return turn.absorb()


def _is_later(at: float, party: Party, known_at: float, known: Party) -> bool:
    """Whether names count more than those of before; at the same time, in whatever order told."""
    return (at, written(party)) > (known_at, written(known))


def _here(memory: Memory, event: events.PartyLeft) -> Party | None:
    """Who it is that left; nearly always somebody under just this id."""
    return memory.announced(event.party_id) or memory.party(event.party_id)


def _is_of_the_past(memory: Memory, party: Party, at: float | None, *, is_here: bool) -> bool:
    """Whether a joining is older than that party's last move: a cached poll brings such ones."""
    if at is None:
        return False
    if is_here:
        return at < _arrived(memory, party, -inf)[1]
    departed = _departed(memory).get(party.party_id)
    return departed is not None and at < departed


def _remember_departure(turn: Turn, party_id: str, at: float | None) -> None:
    departed = _departed(turn.memory)
    departed.pop(party_id, None)
    if len(departed) >= turn.settings.max_parties:
        del departed[next(iter(departed))]
        if turn.memory.departed_all:
            turn.memory.departed_all = False
            text = f"more than {turn.settings.max_parties} have left: the first are forgotten"
            turn.note(Anomaly("too_many_parties", text))
    departed[party_id] = at
    turn.memory.departed = departed


def _add(memory: Memory, party: Party, at: float | None) -> None:
    memory.parties = (*memory.parties, party)
    memory.arrivals = (*memory.arrivals, at)


def _arrive(memory: Memory, party: Party, at: float | None) -> None:
    """Somebody who is here is said to have joined, perhaps at another time."""
    if at is not None:
        first, last = _arrived(memory, party, at)
        first, last = min(first, at), max(last, at)
        _stay(memory, party, last if first == last else (first, last))


def _remove(memory: Memory, party: Party) -> None:
    place = _place(memory, party)
    memory.parties = memory.parties[:place] + memory.parties[place + 1 :]
    memory.arrivals = memory.arrivals[:place] + memory.arrivals[place + 1 :]


def _stay(memory: Memory, party: Party, arrival: Arrival) -> None:
    place = _place(memory, party)
    memory.arrivals = (*memory.arrivals[:place], arrival, *memory.arrivals[place + 1 :])


def _replace(memory: Memory, before: Party, party: Party) -> None:
    place = _place(memory, before)
    memory.parties = (*memory.parties[:place], party, *memory.parties[place + 1 :])


def _place(memory: Memory, party: Party) -> int:
    """Where among the parties somebody stands."""
    whose = party.party_id
    return next(place for place, known in enumerate(memory.parties) if known.party_id == whose)


def _arrived(memory: Memory, party: Party, otherwise: float) -> tuple[float, float]:
    """When somebody who is here first and last joined; `otherwise`: where nobody said."""
    return _times(memory.arrivals[_place(memory, party)], otherwise)


def _times(arrival: Arrival, otherwise: float) -> tuple[float, float]:
    if arrival is None:
        return otherwise, otherwise
    return arrival if isinstance(arrival, tuple) else (arrival, arrival)


def _departed(memory: Memory) -> dict[str, float | None]:
    return memory.departed or {}


def _party(event: events.PartyJoined, party_id: str) -> Party:
    return _made(party_id, event.type, event.display_name, event.first_name, event.last_name)


def _id(memory: Memory, event: events.PartyJoined | events.PartyLeft) -> str:
    """Whose event it is; the customer's id may come in any case, and is the chat's."""
    return memory.chat_id if memory.is_own(event.party_id) else event.party_id


def _put_in_order(memory: Memory) -> None:
    """Parties stand in the order of joining, whatever the order in which the past is told.

    Whoever joined without a time stands after all of the past.
    """
    stays = zip(memory.parties, memory.arrivals, strict=True)
    in_order = sorted(stays, key=lambda stay: (_times(stay[1], inf)[0], stay[0].party_id))
    memory.parties = tuple(party for party, _ in in_order)
    memory.arrivals = tuple(arrival for _, arrival in in_order)


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
