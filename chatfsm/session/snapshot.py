"""A session as plain JSON, and back: what survives a restart (law L8).

Deadlines travel as seconds left, and moments as seconds ago, so the clock of the restored session
need not be that of the old one. A digest tells whether somebody changed the text meanwhile; it
is no protection against somebody who wants to deceive.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from hashlib import blake2b
from math import fsum, isfinite
from typing import Any, Final

from cattrs import Converter
from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

from chatfsm.errors import LocalProtocolError, SnapshotError
from chatfsm.session import deadlines
from chatfsm.session.migrations import MIGRATIONS
from chatfsm.session.plain import harmless
from chatfsm.session.state import Answers, Counts, Memory, Outgoing, Roll, Service, Told

__all__ = ["FORMAT", "VERSION", "restored", "taken"]

FORMAT: Final = "chatfsm.session"
VERSION: Final = 2


def taken(memory: Memory, now: float) -> dict[str, Any]:
    """What a session remembers, as plain JSON that says what and of which version it is."""
    if not isfinite(now):
        raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
    body = _moved(_converter().unstructure(memory), lambda at: _left(at, now))
    return {"format": FORMAT, "version": VERSION, "memory": body, "digest": _digest(body)}


def restored(data: object, now: float) -> Memory:
    """What was remembered, on the clock of `now`. Raises `SnapshotError`, saying why not."""
    if not isfinite(now):
        raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
    body = _checked(data)
    try:
        moved = _moved(body, lambda left: fsum([now, *left]))
        memory = _converter().structure(moved, Memory)
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


_as_text: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False).encode


def _digest(body: object) -> str:
    return blake2b(_as_text(body).encode(), digest_size=16).hexdigest()


def _left(at: float, now: float) -> list[float]:
    """How far off a moment is: seconds, and what was lost in rounding them.

    The three together, `now` and these two, add up to that very moment again.
    """
    left = at - now
    back = at - left
    lost = (at - (left + back)) - (now - back)
    return [left, lost]


def _moved(body: dict[str, Any], move: Callable[[Any], Any]) -> dict[str, Any]:
    """The same with every moment moved to another clock."""
    typing, forms, own = body["typing"], body["forms"], body["own_typing"]
    return {
        **body,
        "typing": typing and [[party_id, move(at)] for party_id, at in typing],
        "forms": forms and [[name, _form_moved(waiting, move)] for name, waiting in forms],
        "answers": body["answers"] and _answers_moved(body["answers"], move),
        "own_typing": own and {name: move(at) for name, at in own.items()},
    }


def _form_moved(waiting: dict[str, Any], move: Callable[[Any], Any]) -> dict[str, Any]:
    form = waiting["form"]
    if form["deadline"] is None:
        return waiting
    return {**waiting, "form": {**form, "deadline": move(form["deadline"])}}


def _answers_moved(answers: dict[str, Any], move: Callable[[Any], Any]) -> dict[str, Any]:
    closed = answers["forms"]
    moved = closed and [[name, {**how, "at": move(how["at"])}] for name, how in closed]
    return {**answers, "forms": moved}


# How each class is written and read. The order of some dicts means something, which JSON does not
# promise to keep: they are lists of pairs there.


def _pairs(ordered: dict[str, Any] | None) -> list[list[Any]] | None:
    if ordered is None:
        return None
    unstructure = _converter().unstructure
    return [[key, unstructure(held)] for key, held in ordered.items()]


def _ordered(pairs: Any, cls: Any) -> Any:
    return _converter().structure(None if pairs is None else dict(pairs), cls)


def _told_written(told: Told) -> dict[str, Any]:
    """Of each speaker the ids and the contents side by side: there may be thousands."""
    ids = [[speaker, list(ids), list(ids.values())] for speaker, ids in told.ids.items()]
    return {"ids": ids, "count": told.count, "complete": told.complete}


def _told_read(body: dict[str, Any], _cls: object) -> Told:
    if set(body) != {"ids", "count", "complete"}:
        raise ValueError("has other parts than those that were told")
    ids = {
        str(speaker): dict(zip(map(str, names), map(str, contents), strict=True))
        for speaker, names, contents in body["ids"]
    }
    return Told(ids, int(body["count"]), bool(body["complete"]))


def _finite(at: float | None) -> float | str | None:
    return at if at is None or isfinite(at) else str(at)


@cache
def _converter() -> Converter:
    """Made when the first snapshot is: who takes none does without."""
    made = Converter(
        forbid_extra_keys=True,
        detailed_validation=False,
        unstruct_collection_overrides={tuple: list},
    )
    made.register_structure_hook_func(lambda cls: cls is object, lambda value, _cls: value)
    made.register_unstructure_hook(Told, _told_written)
    made.register_structure_hook(Told, _told_read)
    pairwise = override(unstruct_hook=_pairs, struct_hook=_ordered)
    timely = override(unstruct_hook=_finite)
    written = override(unstruct_hook=lambda events: [harmless(event) for event in events])
    counted = override(unstruct_hook=lambda counts: made.unstructure(counts or Counts()))
    left_out = override(omit=True)
    ways: dict[type, dict[str, Any]] = {
        Roll: {"departed": pairwise, "arrivals": pairwise},
        Answers: {"forms": pairwise},
        Service: {"case_at": timely, "name_at": timely},
        Outgoing: {"events": written},
        Memory: {
            **dict.fromkeys(("typing", "forms", "outbox"), pairwise),
            "counts": counted,
            **dict.fromkeys(("wake", "own_name"), left_out),
        },
    }
    for cls, known in ways.items():
        made.register_unstructure_hook(cls, make_dict_unstructure_fn(cls, made, **known))
        read: Any = make_dict_structure_fn(cls, made, _cattrs_forbid_extra_keys=True, **known)
        made.register_structure_hook(cls, read)
    return made
