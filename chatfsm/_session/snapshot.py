"""Snapshot: a session as plain JSON and back, so that it survives a restart (law L8).

Fields with their default value are omitted. Session times travel as seconds from now, so that the
restored session may have another clock. A digest detects accidental changes; it is no protection
against forgery.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import blake2b
from math import isfinite
from typing import Any, Final

from attrs import fields

from chatfsm._session import state
from chatfsm._session.snapshot_fields import error_text, read_state, write_state
from chatfsm._session.state import Counts, Outgoing, SessionState
from chatfsm._session.tables import COBROWSING, OUTCOMES
from chatfsm.errors import LocalProtocolError, SnapshotError

__all__ = ["FORMAT", "MIGRATIONS", "VERSION", "read_snapshot", "write_snapshot"]

FORMAT: Final = "chatfsm.session"
VERSION: Final = 1

MIGRATIONS: Final[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}
"""For each older version, a function from its memory to the memory of the next version."""

_MAX_NUMBER: Final = 10**18  # no counter of a session comes near
_PARTS: Final = frozenset({"format", "version", "memory", "digest"})


def write_snapshot(memory: SessionState, now: float) -> dict[str, Any]:
    """Return a snapshot: the format, its version, the memory of the session, and a digest.

    Raises `LocalProtocolError` if `now` is not finite.
    """
    _check_time(now)
    body = write_state(memory, now)
    return {"format": FORMAT, "version": VERSION, "memory": body, "digest": _digest(body)}


def read_snapshot(data: object, now: float) -> SessionState:
    """Return the memory in a snapshot, with its session times on the clock of `now`.

    Raises `SnapshotError` with the reason if `data` is no snapshot of a known version, and
    `LocalProtocolError` if `now` is not finite.
    """
    _check_time(now)
    body = _checked_memory(data)
    try:
        memory = read_state(body, now)
    except Exception as error:  # noqa: BLE001  # cattrs lets through whatever a value raises
        raise SnapshotError(f"not a session's memory: {error_text(error)}") from None
    for is_wrong, what in _contradictions(memory):
        if is_wrong:
            raise SnapshotError(f"not a session's memory: {what}")
    memory.deadline_bound = state.next_deadline(memory)
    return memory


def _contradictions(memory: SessionState) -> Iterator[tuple[bool, str]]:
    """Yield conditions that no session meets: fields that are right one by one, but not together.

    A session that was restored from them would raise later, in the middle of a chat.
    """
    is_over = memory.state in OUTCOMES
    forms, outbox = memory.forms or {}, memory.outbox or {}
    parties = {party.party_id for party in memory.parties}
    counts = (getattr(memory, known.name) for known in fields(Counts))
    yield not memory.chat_id, "chat_id is empty"
    yield not state.is_token(memory.token), "token is no token"
    yield not 1 <= memory.next_number < _MAX_NUMBER, "next_number is out of range"
    yield not all(0 <= count < _MAX_NUMBER for count in counts), "a count is out of range"
    yield len(parties) != len(memory.parties), "a party is twice in the roster"
    joined = 0 if is_over else len(memory.parties)
    yield len(memory.joined_at) != joined, "joined_at does not fit parties"
    seen = sum(map(len, memory.seen_ids.values()))
    yield memory.seen_count != seen, "seen_count is not the number of seen_ids"
    yield is_over != (memory.outcome_text is not None), "outcome_text does not fit state"
    waiting = memory.typing or memory.own_typing or forms
    yield bool(is_over and waiting), "something has a deadline after the end"
    keys = [waiting.form.request_id for waiting in forms.values()]
    yield keys != [*forms], "a form has another key than its request_id"
    cobrowsing = memory.service.cobrowsing
    is_unknown = cobrowsing is not None and cobrowsing not in COBROWSING.states
    yield is_unknown, "cobrowsing is no state"
    yield not all(map(_is_outgoing, outbox.values())), "a message in the outbox has no events"


def _is_outgoing(outgoing: Outgoing) -> bool:
    """Whether a message that may have to be sent has events, and another one has none."""
    if outgoing.state not in {"pending", "unconfirmed"}:
        return not outgoing.events
    names = [event.get("event") for event in outgoing.events]
    return bool(names) and all(isinstance(name, str) for name in names)


def _check_time(now: float) -> None:
    if not isfinite(now):
        raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")


def _checked_memory(data: object) -> dict[str, Any]:
    """Return the memory in a snapshot, migrated to `VERSION`."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise SnapshotError(f"not a snapshot of a session: its format must be {FORMAT!r}")
    version, body = data.get("version"), data.get("memory")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise SnapshotError(f"the version of a snapshot must be an integer from 1 to {VERSION}")
    if version > VERSION:
        raise SnapshotError(f"version {version} is newer than {VERSION}, the newest known version")
    if not isinstance(body, dict) or set(data) != _PARTS:
        raise SnapshotError(f"the snapshot was changed: its parts must be {sorted(_PARTS)}")
    try:
        is_intact = data["digest"] == _digest(body)
    except (TypeError, ValueError, RecursionError):
        is_intact = False
    if not is_intact:
        raise SnapshotError("the snapshot was changed: its digest does not match its memory")
    return _migrated(body, version)


def _migrated(body: dict[str, Any], version: int) -> dict[str, Any]:
    for older in range(version, VERSION):
        if older not in MIGRATIONS:
            raise SnapshotError(f"version {older} has no migration to version {older + 1}")
        try:
            body = MIGRATIONS[older](body)
        except Exception as error:  # noqa: BLE001  # a forged memory may raise anything
            reason = f"migration from version {older} raised {type(error).__name__}"
            raise SnapshotError(f"not a session's memory: {reason}") from None
    return body


# A reference to itself is found by the encoder's limit of nesting.
_as_text: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
).encode


def _digest(body: dict[str, Any]) -> str:
    rows = body.get("seen_ids")
    if isinstance(rows, list):
        texts = [_as_text({**body, "seen_ids": len(rows)}), *map(_row_text, rows)]
    else:
        texts = [_as_text(body)]
    return blake2b(_encoded("\0".join(texts)), digest_size=16).hexdigest()


def _row_text(row: Any) -> str:
    """Return the text of a row of seen ids; JSON takes five times as long as joining the texts."""
    try:
        scope, keys, contents = row
        if keys.__class__ is contents.__class__ is list:
            return "\0".join([scope, str(len(keys)), *keys, *contents])
    except (TypeError, ValueError):
        pass
    return _as_text(row)


def _encoded(joined: str) -> bytes:
    try:
        return joined.encode()
    except UnicodeEncodeError:  # lone surrogates: JSON joins two that meet to one character
        paired = joined.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return paired.encode("utf-8", "surrogatepass")
