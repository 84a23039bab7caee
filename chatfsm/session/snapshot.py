"""A session as plain JSON, and back: what survives a restart (law L8).

Deadlines travel as seconds left, and moments as seconds ago, so the clock of the restored session
need not be that of the old one. A digest tells whether somebody changed the text meanwhile; it
is no protection against somebody who wants to deceive.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from hashlib import blake2b
from math import fsum, isfinite
from typing import Any, Final

from cattrs import Converter

from chatfsm.errors import LocalProtocolError, SnapshotError
from chatfsm.session import deadlines
from chatfsm.session.plain import harmless
from chatfsm.session.state import Memory

__all__ = ["FORMAT", "VERSION", "restored", "taken"]

FORMAT: Final = "chatfsm.session"
VERSION: Final = 1

MIGRATIONS: Final[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {}
"""For each older version, what makes the body of the next one of its body."""

_converter: Final = Converter(forbid_extra_keys=True, detailed_validation=False)
_converter.register_structure_hook_func(lambda cls: cls is object, lambda value, _cls: value)


# Dicts whose order means something, which JSON does not promise to keep: lists of pairs in JSON.
_ORDERED: Final = (
    *("departed", "arrivals", "typing", "forms", "closed_forms", "outbox"),
    "told",
)


def taken(memory: Memory, now: float) -> dict[str, Any]:
    """What a session remembers, as plain JSON that says what and of which version it is."""
    if not isfinite(now):
        raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
    body: dict[str, Any] = _converter.unstructure(memory)
    del body["wake"]
    _shift(body, lambda at: _left(at, now))
    if body["told"]:
        body["told"] = {speaker: list(ids.items()) for speaker, ids in body["told"].items()}
    for name in _ORDERED:
        body[name] = body[name] and list(body[name].items())
    plain = harmless(body)
    return {"format": FORMAT, "version": VERSION, "memory": plain, "digest": _digest(plain)}


def restored(data: object, now: float) -> Memory:
    """What was remembered, on the clock of `now`. Raises `SnapshotError`, saying why not."""
    if not isfinite(now):
        raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
    body = deepcopy(_checked(data))
    try:
        for name in _ORDERED:
            body[name] = body[name] and dict(body[name])
        if body["told"]:
            body["told"] = {speaker: dict(ids) for speaker, ids in body["told"].items()}
        _shift(body, lambda left: fsum([now, *left]))
        memory = _converter.structure(body, Memory)
    except Exception as error:  # noqa: BLE001  # cattrs lets through whatever a class raises
        raise SnapshotError(f"not a session's memory: {type(error).__name__}") from None
    memory.wake = deadlines.earliest(memory)
    return memory


def _checked(data: object) -> dict[str, Any]:
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
    for older in range(version, VERSION):
        if older not in MIGRATIONS:
            raise SnapshotError(
                f"version {older} is too old: nothing makes version {older + 1} of it"
            )
        body = MIGRATIONS[older](body)
    return body


def _digest(body: object) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _left(at: float, now: float) -> list[float]:
    """How far off a moment is: seconds, and what was lost in rounding them.

    The three together, `now` and these two, add up to that very moment again.
    """
    left = at - now
    back = at - left
    lost = (at - (left + back)) - (now - back)
    return [left, lost]


def _shift(body: dict[str, Any], shift: Callable[[Any], Any]) -> None:
    """Shift every moment on the session's clock."""
    typing = body["typing"] or {}
    for party_id, at in typing.items():
        typing[party_id] = shift(at)
    for waiting in (body["forms"] or {}).values():
        if waiting["form"]["deadline"] is not None:
            waiting["form"]["deadline"] = shift(waiting["form"]["deadline"])
    for how in (body["closed_forms"] or {}).values():
        how["at"] = shift(how["at"])
    own = body["own_typing"]
    if own:
        own |= {"told_at": shift(own["told_at"]), "deadline": shift(own["deadline"])}
