"""A session as plain JSON, and back: what survives a restart (law L8).

What is as in a fresh session is left out. Deadlines travel as seconds left, and moments as seconds
ago, so the clock of the restored session need not be that of the old one. A digest tells whether
somebody changed the text meanwhile; it is no protection against somebody who wants to deceive.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from hashlib import blake2b
from math import isfinite
from typing import Any, Final

from chatfsm._session import state
from chatfsm._session.snapshot_fields import error_text, read_state, write_state
from chatfsm._session.state import SessionState
from chatfsm.errors import LocalProtocolError, SnapshotError

__all__ = ["FORMAT", "MIGRATIONS", "VERSION", "_digest_texts", "read_snapshot", "write_snapshot"]

FORMAT: Final = "chatfsm.session"
VERSION: Final = 1

MIGRATIONS: Final[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}
"""For each older version, a function from its memory to the memory of the next version."""


def write_snapshot(memory: SessionState, now: float) -> dict[str, Any]:
    """What a session remembers, as plain JSON that says what and of which version it is."""
    if not isfinite(now):
        raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
    body = write_state(memory, now)
    return {"format": FORMAT, "version": VERSION, "memory": body, "digest": _digest(body)}


def read_snapshot(data: object, now: float) -> SessionState:
    """What was remembered, on the clock of `now`. Raises `SnapshotError`, saying why not."""
    if not isfinite(now):
        raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
    body = _checked_memory(data)
    try:
        memory = read_state(body, now)
    except Exception as error:  # noqa: BLE001  # cattrs lets through whatever a value raises
        raise SnapshotError(f"not a session's memory: {error_text(error)}") from None
    memory.deadline_bound = state.next_deadline(memory)
    return memory


def _checked_memory(data: object) -> dict[str, Any]:
    """The body of a snapshot that is ours, whole and of this version."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise SnapshotError("not a snapshot of a chatfsm session")
    version, body = data.get("version"), data.get("memory")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise SnapshotError("a snapshot without a version")
    if version > VERSION:
        raise SnapshotError(f"version {version} is newer than {VERSION}, the last one known here")
    if not isinstance(body, dict) or set(data) != {"format", "version", "memory", "digest"}:
        raise SnapshotError("a snapshot that was changed: parts are missing or too many")
    try:
        is_whole = data["digest"] == _digest(body)
    except (TypeError, ValueError, RecursionError):
        is_whole = False
    if not is_whole:
        raise SnapshotError("a snapshot that was changed: its digest is another")
    return _migrated(body, version)


def _migrated(body: dict[str, Any], version: int) -> dict[str, Any]:
    for older in range(version, VERSION):
        if older not in MIGRATIONS:
            raise SnapshotError(
                f"version {older} is too old: nothing makes version {older + 1} of it"
            )
        try:
            body = MIGRATIONS[older](body)
        except Exception as error:  # noqa: BLE001  # whatever a forged one may lead to
            raise SnapshotError(f"not a session's memory: {type(error).__name__}") from None
    return body


# What refers to itself is nested too deeply, which the encoder notices in any case.
_as_text: Final = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), allow_nan=False, check_circular=False
).encode


def _digest(body: dict[str, Any]) -> str:
    rows = body.get("seen_ids")
    if isinstance(rows, list):
        texts = [_as_text({**body, "seen_ids": len(rows)}), *_digest_texts(rows, _as_text)]
    else:
        texts = [_as_text(body)]
    return blake2b(_encoded("\0".join(texts)), digest_size=16).hexdigest()


def _encoded(joined: str) -> bytes:
    try:
        return joined.encode()
    except UnicodeEncodeError:  # halves of characters: JSON makes one of two that meet
        whole_ones = joined.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")
        return whole_ones.encode("utf-8", "surrogatepass")


# What was told before, in a snapshot: the greatest part of it, and nearly all of it is texts.
#
# Of each speaker the ids and the contents stand side by side: there may be thousands. JSON has
# neither tuples, which are lists there, nor bytes: a digest is a text that says so, and is longer
# than any content that stands there as it came.


def _digest_texts(rows: Any, as_text: Callable[[Any], str]) -> Iterator[str]:
    """What the digest of a snapshot takes of it: the texts themselves, where there is no more.

    JSON of them takes five times as long, and is needed where somebody has no id, say.
    """
    for entry in rows:
        try:
            yield _joined(*entry)
        except TypeError:
            yield as_text(entry)


def _joined(speaker: Any, names: Any, contents: Any) -> str:
    if not names.__class__ is contents.__class__ is list:
        raise TypeError("are no lists")
    return "\0".join([speaker, str(len(names)), *names, *contents])
