"""Snapshot: a session as plain JSON and back, so that it survives a restart (law L8).

Fields with their default value are omitted. Session times travel as seconds from now, so that the
restored session may have another clock. A digest detects accidental changes; it is no protection
against forgery.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from math import isfinite
from typing import Any, Final

from chatfsm._session import state
from chatfsm._session.snapshot_fields import error_text, read_state, write_state
from chatfsm._session.state import SessionState
from chatfsm.errors import LocalProtocolError, SnapshotError

__all__ = ["FORMAT", "MIGRATIONS", "VERSION", "read_snapshot", "write_snapshot"]

FORMAT: Final = "chatfsm.session"
VERSION: Final = 1

MIGRATIONS: Final[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}
"""For each older version, a function from its memory to the memory of the next version."""

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
        state.checked_token(memory.token)
    except Exception as error:  # noqa: BLE001  # cattrs lets through whatever a value raises
        raise SnapshotError(f"not a session's memory: {error_text(error)}") from None
    memory.deadline_bound = state.next_deadline(memory)
    return memory


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
