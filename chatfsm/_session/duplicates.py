"""Duplicates: events that the session has seen, by scope, msg_id and content (law L5).

Remembered as scope → msg_id → fingerprint of the content. A msg_id is unique in its scope: a party,
or a kind of event and a party. The key is a tuple if the msg_id came again with other content, or
if the event has none, so that a made-up key never equals one from the wire. `Settings.max_ids`
bounds the number of keys.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum
from hashlib import blake2b
from itertools import islice
from operator import attrgetter
from typing import Any, Final, get_args

from attrs import fields

from chatfsm import events
from chatfsm._plain import json_safe
from chatfsm._session.state import Fingerprint, MessageKey, Scope, SessionState, Turn, quoted
from chatfsm.effects import Anomaly
from chatfsm.signaling import Signal

__all__ = [
    "MAX_PLAIN_LENGTH",
    "Seen",
    "fingerprint",
    "is_duplicate",
    "lookup",
    "remember",
    "scope_for",
    "value_fingerprint",
]

# Contents up to this length are kept as they are, which costs nothing. Of longer ones a digest of
# 12 bytes is kept: two contents have the same one in one case of 2^96.
MAX_PLAIN_LENGTH: Final = 64
_DIGEST_SIZE: Final = 12
# Evicting an eighth at a time makes the cost of an event independent of the number of ids.
_EVICTED_SHARE: Final = 8


class Seen(Enum):
    """The answer of `lookup`."""

    SAME = "same"
    """The id was seen with this content: a duplicate."""
    REUSED = "reused"
    """The id was seen, but only with other content."""
    NEW = "new"
    """The id was not seen, or was evicted."""


def fingerprint(
    first: str | None, second: str | None = None, third: str | None = None
) -> Fingerprint:
    """Return the fingerprint of a content of up to three texts; the same in every process."""
    if first is not None and second is None and third is None and len(first) <= MAX_PLAIN_LENGTH:
        return first
    return _digest(f"{_length_prefixed(first)}{_length_prefixed(second)}{_length_prefixed(third)}")


def value_fingerprint(value: events.FormShow | events.SecureFormShow | Signal) -> bytes:
    """Return the fingerprint of all fields of a form event or a signal but its timestamp."""
    opaque, *read = _FIELD_VALUES[value.__class__](value)
    rest = json.dumps(json_safe(opaque), sort_keys=True) if opaque else ""
    return _digest(f"{read!r}{rest}")


def _values_getter(cls: type) -> Callable[[Any], tuple[Any, ...]]:
    """Return a getter of the opaque field, the class name, and all other fields but the time."""
    names = [
        known.name for known in fields(cls) if known.name not in {"timestamp", *_OPAQUE_FIELDS}
    ]
    (opaque,) = (known.name for known in fields(cls) if known.name in _OPAQUE_FIELDS)
    return attrgetter(opaque, "__class__.__name__", *names)


_OPAQUE_FIELDS: Final = {"extra", "raw"}
_FIELD_VALUES: Final = {
    cls: _values_getter(cls) for cls in (events.FormShow, events.SecureFormShow, *get_args(Signal))
}


def _digest(text: str) -> bytes:
    """Return a digest of `_DIGEST_SIZE` bytes, which is kept in place of a long content."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=_DIGEST_SIZE).digest()


def _length_prefixed(part: str | None) -> str:
    return "~" if part is None else f"{len(part)}:{part}"


def scope_for(memory: SessionState, party_id: str | None, kind: str = "") -> Scope:
    """Return the scope of a party's msg_ids; of its own kind if `kind` is given."""
    owner = memory.chat_id if memory.is_own(party_id) else party_id
    return (kind, owner) if kind else owner


def is_duplicate(
    turn: Turn, scope: Scope, msg_id: str | None, content: Fingerprint, at: float | None = None
) -> bool:
    """Whether an event is a duplicate; counts it if it is, and remembers it if not.

    The same msg_id with other content is no duplicate and is reported as `id_reused`. An event
    without a msg_id is a duplicate only if it comes from a history and was seen with its time `at`.
    """
    if msg_id is None:
        return _is_duplicate_without_id(turn, scope, content, at)
    seen = lookup(turn.memory, scope, msg_id, content)
    if seen is Seen.SAME:
        return turn.count_duplicate()
    if seen is Seen.REUSED:
        turn.report_violation("id_reused", f"id {quoted(msg_id)} came again with other content")
    remember(turn, scope, msg_id, content)
    return False


def _is_duplicate_without_id(
    turn: Turn, scope: Scope, content: Fingerprint, at: float | None
) -> bool:
    name = (None, content, at)
    if name in turn.memory.seen_ids.get(scope, ()):
        return turn.count_duplicate() if turn.in_history else False
    _ids_with_capacity(turn, scope)[name] = ""
    turn.memory.seen_count += 1
    return False


def lookup(memory: SessionState, scope: Scope, msg_id: str, content: Fingerprint) -> Seen:
    """Return whether the session has seen the id in this scope, and with this content."""
    ids = memory.seen_ids.get(scope)
    known = None if ids is None else ids.get(msg_id)
    if ids is None or known is None:
        return Seen.NEW
    return Seen.SAME if known == content or (msg_id, content) in ids else Seen.REUSED


def remember(turn: Turn, scope: Scope, msg_id: str, content: Fingerprint) -> None:
    """Remember a msg_id and its content; evicts the oldest ones if there are too many."""
    ids = _ids_with_capacity(turn, scope)
    if msg_id in ids:
        ids[msg_id, content] = ""
    else:
        ids[msg_id] = content
    turn.memory.seen_count += 1


def _ids_with_capacity(turn: Turn, scope: Scope) -> dict[MessageKey, Fingerprint]:
    """Return the ids of a scope, after evicting old ids if there are too many."""
    memory = turn.memory
    if memory.seen_count >= turn.settings.max_ids:
        _evict_oldest(turn)
    ids = memory.seen_ids.get(scope)
    if ids is None:
        ids = memory.seen_ids[scope] = {}
    return ids


def _evict_oldest(turn: Turn) -> None:
    """Evict the oldest ids of the largest scope, or of the first scopes if all are small."""
    memory, by_scope, limit = turn.memory, turn.memory.seen_ids, turn.settings.max_ids
    portion = max(1, limit // _EVICTED_SHARE)
    busiest = max(by_scope, key=lambda scope: len(by_scope[scope]))
    scopes = iter([busiest] if len(by_scope[busiest]) >= portion else list(by_scope))
    memory.seen_count -= portion
    while portion:
        scope = next(scopes)
        ids = by_scope[scope]
        oldest = list(islice(ids, portion))
        portion -= len(oldest)
        if len(oldest) == len(ids):
            del by_scope[scope]
        else:
            for name in oldest:
                del ids[name]
    if memory.seen_complete:
        memory.seen_complete = False
        text = f"more than {limit} ids: repeats of the oldest are no longer recognized"
        turn.add_anomaly(Anomaly("too_many_ids", text))
