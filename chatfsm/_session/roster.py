"""Roster: the parties in the chat, and those that left."""

from __future__ import annotations

from math import inf
from typing import Final

from chatfsm import events
from chatfsm._plain import canonical_json, to_plain
from chatfsm._session.changes import stop_typing
from chatfsm._session.state import JoinTimes, SessionState, history_time, quoted
from chatfsm._values import fast_constructor
from chatfsm.effects import Effect, PartyAdded, PartyChanged, PartyRemoved
from chatfsm.models import Party

_party: Final = fast_constructor(Party)
_added: Final = fast_constructor(PartyAdded)
_removed: Final = fast_constructor(PartyRemoved)


# DESIGN §3: party_joined → `PartyAdded`; known and different: `PartyChanged`; known and equal:
# duplicate. A join older than the party's last join or leave comes from a cached poll: duplicate.
def party_joined(session: SessionState, event: events.PartyJoined, effects: list[Effect]) -> None:
    """Add a party to the roster, or update its names."""
    party_id, at = _id_of(session, event), event.timestamp
    party = _party(party_id, event.type, event.display_name, event.first_name, event.last_name)
    index = _index_of(session, party_id)
    if index is None:
        left_at = (session.departed or {}).get(party_id)
        if at is not None and left_at is not None and at < left_at:
            session.count_duplicate(event, effects)
        elif _has_capacity(session, party):
            if session.departed is not None:
                session.departed.pop(party_id, None)
                session.departed = session.departed or None
            _add(session, party, at, effects)
    elif _is_before_last_join(session, index, at):
        session.count_duplicate(event, effects)
    elif session.parties[index] == party:
        _extend_joined_at(session, index, at)
        session.count_duplicate(event, effects)
    else:
        _rename(session, index, party, at, effects)


# DESIGN §3: party_left → `PartyRemoved`, preceded by `TypingStopped` if the party typed; unknown
# party: `Anomaly("unknown_party")`.
def party_left(session: SessionState, event: events.PartyLeft, effects: list[Effect]) -> None:
    """Remove a party from the roster."""
    at, index = event.timestamp, _index_leaving(session, event)
    if index is None:
        if (session.departed or {}).get(_id_of(session, event), -1.0) == at:
            session.count_duplicate(event, effects)
            return
        text = f"{quoted(event.party_id)} left, and was not in the roster"
        session.report_violation("unknown_party", text)
    elif _is_before_last_join(session, index, at):
        session.count_duplicate(event, effects)
        return
    if session.typing is not None:
        stop_typing(session, event.party_id, "left", effects)
    if index is not None:
        _remove(session, index, at, effects)


def merge_joined(session: SessionState, event: events.PartyJoined, effects: list[Effect]) -> None:
    """Merge a join of a history: ignored if the party has left since; the latest names win."""
    party_id, at = _id_of(session, event), history_time(event.timestamp)
    party = _party(party_id, event.type, event.display_name, event.first_name, event.last_name)
    index = _index_of(session, party_id)
    if at <= _left_at(session, party_id):
        session.count_duplicate(event, effects)
        return
    if index is None:
        if not _has_capacity(session, party):
            return
        _add(session, party, at, effects)
    elif session.parties[index] != party and _is_later(session, index, party, at):
        _rename(session, index, party, at, effects)
    else:
        if session.joined_at[index] is not None:  # else it joined live, after all of the history
            _extend_joined_at(session, index, at)
        session.count_duplicate(event, effects)
    _sort(session)


def merge_left(session: SessionState, event: events.PartyLeft, effects: list[Effect]) -> None:
    """Merge a leave of a history: it counts if it is not before the party's last join."""
    party_id, at = _id_of(session, event), history_time(event.timestamp)
    index = _index_of(session, party_id)
    first, last = (inf, inf) if index is None else _joined_bounds(session.joined_at[index], inf)
    if index is not None and at >= last:
        stop_typing(session, event.party_id, "left", effects)
        _remove(session, index, at, effects)
        return
    if at > _left_at(session, party_id):
        _remember_departure(session, party_id, at)
    if index is not None and first <= at:
        # Between the first and the last join: only the last join remains.
        _set_joined_at(session, index, last)
        _sort(session)
    session.count_duplicate(event, effects)


def _set_parties(session: SessionState, parties: tuple[Party, ...]) -> None:
    """Set the roster; the last party is looked up again."""
    session.parties = parties
    session.last_other_id = session.last_other_party = None


def _add(session: SessionState, party: Party, at: float | None, effects: list[Effect]) -> None:
    _set_parties(session, (*session.parties, party))
    session.joined_at = (*session.joined_at, at)
    effects.append(_added(party))


def _rename(
    session: SessionState, index: int, party: Party, at: float | None, effects: list[Effect]
) -> None:
    _set_parties(session, (*session.parties[:index], party, *session.parties[index + 1 :]))
    _extend_joined_at(session, index, at)
    effects.append(PartyChanged(party))


def _remove(session: SessionState, index: int, at: float | None, effects: list[Effect]) -> None:
    party = session.parties[index]
    _set_parties(session, session.parties[:index] + session.parties[index + 1 :])
    session.joined_at = session.joined_at[:index] + session.joined_at[index + 1 :]
    _remember_departure(session, party.party_id, at)
    effects.append(_removed(party))


def _remember_departure(session: SessionState, party_id: str, at: float | None) -> None:
    """Remember when a party left; the first departures are dropped if there are too many."""
    departed = session.departed
    if departed is None:
        departed = session.departed = {}
    departed.pop(party_id, None)
    if len(departed) >= session.settings.max_parties:
        del departed[next(iter(departed))]
        if session.departed_complete:
            session.departed_complete = False
            limit = session.settings.max_parties
            text = f"more than {limit} parties have left: the oldest is forgotten"
            session.add_anomaly("too_many_parties", text)
    departed[party_id] = at


def _has_capacity(session: SessionState, party: Party) -> bool:
    """Whether the roster has capacity for one more party; reports it if not."""
    if len(session.parties) < session.settings.max_parties:
        return True
    limit = session.settings.max_parties
    text = f"more than {limit} parties: {quoted(party.party_id)} is not added"
    session.report_violation("too_many_parties", text, to_plain(party))
    return False


def _is_before_last_join(session: SessionState, index: int, at: float | None) -> bool:
    joined_at = session.joined_at[index]
    if at is None or joined_at is None:
        return False
    return at < (joined_at[1] if isinstance(joined_at, tuple) else joined_at)


def _is_later(session: SessionState, index: int, party: Party, at: float) -> bool:
    """Whether names replace the known ones: the later, or at the same time the greater ones."""
    known, known_at = session.parties[index], _joined_bounds(session.joined_at[index], inf)[1]
    return (at, canonical_json(party)) > (known_at, canonical_json(known))


def _extend_joined_at(session: SessionState, index: int, at: float | None) -> None:
    """Widen the bounds of a party's joins by one more."""
    if at is not None:
        first, last = _joined_bounds(session.joined_at[index], at)
        first, last = min(first, at), max(last, at)
        _set_joined_at(session, index, last if first == last else (first, last))


def _set_joined_at(session: SessionState, index: int, at: JoinTimes) -> None:
    session.joined_at = (*session.joined_at[:index], at, *session.joined_at[index + 1 :])


def _joined_bounds(at: JoinTimes, missing: float) -> tuple[float, float]:
    """Return the timestamps of the first and the last join; `missing` for both if unknown."""
    if at is None:
        return missing, missing
    return at if isinstance(at, tuple) else (at, at)


def _index_of(session: SessionState, party_id: str) -> int | None:
    """Return the index of the party with exactly this id."""
    for index, party in enumerate(session.parties):
        if party.party_id == party_id:
            return index
    return None


def _index_leaving(session: SessionState, event: events.PartyLeft) -> int | None:
    """Return the index of the party that leaves, which nearly always is under just this id."""
    index = _index_of(session, event.party_id)
    if index is None and session.is_own(event.party_id):
        index = _index_of(session, session.chat_id)
    return index


def _id_of(session: SessionState, event: events.PartyJoined | events.PartyLeft) -> str:
    """Return the party's id; the customer's, in any spelling, is the chat's."""
    return session.chat_id if session.is_own(event.party_id) else event.party_id


def _sort(session: SessionState) -> None:
    """Sort by first join, whatever the order of history pages; without a timestamp: last."""
    rows = zip(session.parties, session.joined_at, strict=True)
    ordered = sorted(rows, key=lambda row: (_joined_bounds(row[1], inf)[0], row[0].party_id))
    _set_parties(session, tuple(party for party, _ in ordered))
    session.joined_at = tuple(at for _, at in ordered)


def _left_at(session: SessionState, party_id: str) -> float:
    """Return when a party left: minus infinity if it did not, infinity if the event had no time."""
    at = (session.departed or {}).get(party_id, -inf)
    return inf if at is None else at
