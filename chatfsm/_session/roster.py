"""Roster: who is in the chat."""

from __future__ import annotations

from math import inf
from typing import Final

from chatfsm import events
from chatfsm._plain import canonical_json, to_plain
from chatfsm._session.state import JoinTimes, SessionState, Turn, quoted
from chatfsm._values import fast_constructor
from chatfsm.effects import Anomaly, PartyAdded, PartyChanged, PartyRemoved
from chatfsm.models import Party

_make_party: Final = fast_constructor(Party)
_make_party_added: Final = fast_constructor(PartyAdded)
_make_party_removed: Final = fast_constructor(PartyRemoved)


def on_joined(turn: Turn, event: events.PartyJoined) -> None:
    """Add a party, or update its names."""
    memory, party_id, at = turn.memory, _party_id(turn.memory, event), event.timestamp
    index = _index_of(memory, party_id)
    if index is not None:
        party = _party(event, party_id)
        is_old = at is not None and at < _joined_bounds(memory.joined_at[index], -inf)[1]
        if is_old or memory.parties[index] == party:
            turn.count_duplicate()
        else:
            _rename(turn, index, party, at)
    elif _left_later(memory, party_id, at):
        turn.count_duplicate()
    else:
        party = _party(event, party_id)
        if _has_capacity(turn, party):
            _drop_departure(memory, party_id)
            _add(turn, party, at)


def is_repeated_leave(turn: Turn, event: events.PartyLeft) -> bool:
    """Report a PartyLeft from an unknown party. True if the event is a repeat."""
    memory, at = turn.memory, event.timestamp
    index = _index_of_leaver(memory, event)
    if index is not None:
        is_old = at is not None and at < _joined_bounds(memory.joined_at[index], -inf)[1]
    else:
        is_old = _departed(memory).get(_party_id(memory, event), -1.0) == at
    if is_old:
        return turn.count_duplicate()
    if index is None:
        who = quoted(event.party_id)
        turn.report_violation("unknown_party", f"{who} left, and was not here")
    return False


def on_left(turn: Turn, event: events.PartyLeft) -> None:
    """Remove a party."""
    _remove_leaver(turn, event, event.timestamp)


def merge_joined(turn: Turn, event: events.PartyJoined) -> None:
    """Merge a PartyJoined from a history.

    Ignored if the party has left since; the latest names win.
    """
    memory, at, party_id = turn.memory, _past_time(event), _party_id(turn.memory, event)
    index = _index_of(memory, party_id)
    party = _party(event, party_id)
    if at <= _left_at(memory, party_id):
        turn.count_duplicate()
        return
    if index is None:
        if not _has_capacity(turn, party):
            return
        _add(turn, party, at)
    elif memory.parties[index] != party and _is_later(memory, index, party, at):
        _rename(turn, index, party, at)
    else:
        _extend_joined_at(memory, index, at)
        turn.count_duplicate()
    _sort_parties(memory)


def is_stale_leave(turn: Turn, event: events.PartyLeft) -> bool:
    """Whether a PartyLeft from a history is older than the last join, or known.

    A stale leave may still narrow the join times of its party.
    """
    memory, at, party_id = turn.memory, _past_time(event), _party_id(turn.memory, event)
    index = _index_of(memory, party_id)
    first, last = (inf, inf) if index is None else _joined_bounds(memory.joined_at[index], inf)
    if index is not None and at >= last:
        return False
    if at > _left_at(memory, party_id):
        _record_departure(turn, party_id, at)
    if index is not None and first <= at:
        # Between the first and the last join: only the last join remains.
        _set_joined_at(memory, index, last)
        _sort_parties(memory)
    return turn.count_duplicate()


def merge_left(turn: Turn, event: events.PartyLeft) -> None:
    """Merge a PartyLeft from a history: remove the party."""
    _remove_leaver(turn, event, _past_time(event))


def _is_later(memory: SessionState, index: int, party: Party, at: float) -> bool:
    """Whether these names are later than the known ones; ties are broken by content."""
    known, known_at = memory.parties[index], _joined_bounds(memory.joined_at[index], inf)[1]
    return (at, canonical_json(party)) > (known_at, canonical_json(known))


def _remove_leaver(turn: Turn, event: events.PartyLeft, at: float | None) -> None:
    index = _index_of_leaver(turn.memory, event)
    if index is not None:
        party = _remove(turn.memory, index)
        _record_departure(turn, party.party_id, at)
        turn.effects.append(_make_party_removed(party))


def _index_of_leaver(memory: SessionState, event: events.PartyLeft) -> int | None:
    """Return the index of the party that left; the customer's id comes in any case."""
    index = _index_of(memory, event.party_id)
    if index is None and memory.is_own(event.party_id):
        index = _index_of(memory, memory.chat_id)
    return index


def _left_later(memory: SessionState, party_id: str, at: float | None) -> bool:
    """Whether the party left after this join; a cached poll brings such joins."""
    departed = _departed(memory).get(party_id)
    return at is not None and departed is not None and at < departed


def _record_departure(turn: Turn, party_id: str, at: float | None) -> None:
    departed = _departed(turn.memory)
    departed.pop(party_id, None)
    if len(departed) >= turn.settings.max_parties:
        del departed[next(iter(departed))]
        if turn.memory.departed_complete:
            turn.memory.departed_complete = False
            text = (
                f"more than {turn.settings.max_parties} parties have left: the oldest is forgotten"
            )
            turn.add_anomaly(Anomaly("too_many_parties", text))
    departed[party_id] = at
    turn.memory.departed = departed


def _drop_departure(memory: SessionState, party_id: str) -> None:
    if memory.departed:
        memory.departed.pop(party_id, None)
        memory.departed = memory.departed or None


def _add(turn: Turn, party: Party, at: float | None) -> None:
    memory = turn.memory
    memory.parties = (*memory.parties, party)
    memory.joined_at = (*memory.joined_at, at)
    turn.effects.append(_make_party_added(party))


def _rename(turn: Turn, index: int, party: Party, at: float | None) -> None:
    """Replace a party by the same party with other names."""
    memory = turn.memory
    memory.parties = (*memory.parties[:index], party, *memory.parties[index + 1 :])
    _extend_joined_at(memory, index, at)
    turn.effects.append(PartyChanged(party))


def _extend_joined_at(memory: SessionState, index: int, at: float | None) -> None:
    """Extend the join times of a party by another join; None changes nothing."""
    if at is not None:
        first, last = _joined_bounds(memory.joined_at[index], at)
        first, last = min(first, at), max(last, at)
        _set_joined_at(memory, index, last if first == last else (first, last))


def _remove(memory: SessionState, index: int) -> Party:
    party = memory.parties[index]
    memory.parties = memory.parties[:index] + memory.parties[index + 1 :]
    memory.joined_at = memory.joined_at[:index] + memory.joined_at[index + 1 :]
    return party


def _set_joined_at(memory: SessionState, index: int, arrival: JoinTimes) -> None:
    memory.joined_at = (*memory.joined_at[:index], arrival, *memory.joined_at[index + 1 :])


def _index_of(memory: SessionState, party_id: str) -> int | None:
    """Return the index of the party with exactly this id."""
    for index, party in enumerate(memory.parties):
        if party.party_id == party_id:
            return index
    return None


def _joined_bounds(arrival: JoinTimes, otherwise: float) -> tuple[float, float]:
    if arrival is None:
        return otherwise, otherwise
    return arrival if isinstance(arrival, tuple) else (arrival, arrival)


def _departed(memory: SessionState) -> dict[str, float | None]:
    return memory.departed or {}


def _party(event: events.PartyJoined, party_id: str) -> Party:
    return _make_party(party_id, event.type, event.display_name, event.first_name, event.last_name)


def _party_id(memory: SessionState, event: events.PartyJoined | events.PartyLeft) -> str:
    """Return the id of the event's party; the customer's is spelled as the chat's."""
    return memory.chat_id if memory.is_own(event.party_id) else event.party_id


def _sort_parties(memory: SessionState) -> None:
    """Sort the parties by their first join, because pages of a history come in any order.

    Parties without a join time come last.
    """
    stays = zip(memory.parties, memory.joined_at, strict=True)
    in_order = sorted(stays, key=lambda stay: (_joined_bounds(stay[1], inf)[0], stay[0].party_id))
    memory.parties = tuple(party for party, _ in in_order)
    memory.joined_at = tuple(arrival for _, arrival in in_order)


def _has_capacity(turn: Turn, party: Party) -> bool:
    """Whether one more party fits; reports a violation if not."""
    if len(turn.memory.parties) < turn.settings.max_parties:
        return True
    text = f"more than {turn.settings.max_parties} parties: {quoted(party.party_id)} is not added"
    turn.report_violation("too_many_parties", text, to_plain(party))
    return False


def _past_time(event: events.PartyJoined | events.PartyLeft) -> float:
    """Return the server time of an event in a history; -1 if it bears none."""
    return -1.0 if event.timestamp is None else event.timestamp


def _left_at(memory: SessionState, party_id: str) -> float:
    """Return when a party left: -inf if it did not, inf if the event bore no time."""
    at = _departed(memory).get(party_id, -inf)
    return inf if at is None else at
