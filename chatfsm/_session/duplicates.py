"""What was told before: knows a duplicate by who said it, its id and its content (law L5).

Remembered as speaker → id → content. A speaker is a party, or a kind of event and a party; an id
is that of the wire, or a tuple where it came with a further content, or where there is none: what
we make ourselves is never taken for what came. The number of ids is bounded by `Settings.max_ids`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
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
    "SHORT",
    "content_of",
    "contents_of",
    "digest_of",
    "is_known",
    "is_repeat",
    "remember",
    "speaker_of",
]

# Short contents are kept as they came, at no cost. Of the others so many bytes of a digest are:
# two contents look the same in one case of 2^96.
SHORT: Final = 64
DIGEST: Final = 12
# An eighth at a time, so that forgetting costs each event the same however many are remembered.
_PORTION: Final = 8


def content_of(
    first: str | None, second: str | None = None, third: str | None = None
) -> Fingerprint:
    """What tells contents apart: of bounded length, and the same in every process."""
    if first is not None and second is None and third is None and len(first) <= SHORT:
        return first
    return digest_of(f"{_part(first)}{_part(second)}{_part(third)}")


def contents_of(value: events.FormShow | events.SecureFormShow | Signal) -> bytes:
    """The same of all that a form or a signal holds, but its time."""
    unread, *read = _HELD[value.__class__](value)
    rest = json.dumps(json_safe(unread), sort_keys=True) if unread else ""
    return digest_of(f"{read!r}{rest}")


def _held_by(cls: type) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the values of all fields that were read, and whatever was not."""
    names = [known.name for known in fields(cls) if known.name not in {"timestamp", *_UNREAD}]
    (unread,) = (known.name for known in fields(cls) if known.name in _UNREAD)
    return attrgetter(unread, "__class__.__name__", *names)


_UNREAD: Final = {"extra", "raw"}
_HELD: Final = {
    cls: _held_by(cls) for cls in (events.FormShow, events.SecureFormShow, *get_args(Signal))
}


def digest_of(text: str) -> bytes:
    """A digest of `DIGEST` bytes, kept in place of a long content."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=DIGEST).digest()


def _part(part: str | None) -> str:
    return "~" if part is None else f"{len(part)}:{part}"


def speaker_of(memory: SessionState, party_id: str | None, kind: str = "") -> Scope:
    """Whose ids these are: ids count for one kind of event and one party."""
    who = memory.chat_id if memory.is_own(party_id) else party_id
    return (kind, who) if kind else who


def is_repeat(
    turn: Turn, speaker: Scope, msg_id: str | None, content: Fingerprint, at: float | None = None
) -> bool:
    """Whether this was told before; counts it if so, and remembers it if not.

    The same id with other content is no repeat: it is reported as `id_reused`. What has no id is
    no repeat either, unless a history brings it and it was told with the same time.
    """
    if msg_id is None:
        return _is_nameless_repeat(turn, speaker, content, at)
    known = is_known(turn.memory, speaker, msg_id, content)
    if known:
        return turn.count_duplicate()
    if known is False:
        turn.report_violation("id_reused", f"id {quoted(msg_id)} came again with other content")
    remember(turn, speaker, msg_id, content)
    return False


def _is_nameless_repeat(turn: Turn, speaker: Scope, content: Fingerprint, at: float | None) -> bool:
    name = (None, content, at)
    if name in turn.memory.seen_ids.get(speaker, ()):
        return turn.count_duplicate() if turn.in_history else False
    _ids_of(turn, speaker)[name] = ""
    turn.memory.seen_count += 1
    return False


def is_known(
    memory: SessionState, speaker: Scope, msg_id: str, content: Fingerprint
) -> bool | None:
    """True: told before; False: the id was, with other content; None: the id is new."""
    ids = memory.seen_ids.get(speaker)
    if ids is None:
        return None
    known = ids.get(msg_id)
    if known is None:
        return None
    return known == content or (msg_id, content) in ids


def remember(turn: Turn, speaker: Scope, msg_id: str, content: Fingerprint) -> None:
    """Remember that this was told, and forget the oldest where that is too much."""
    ids = _ids_of(turn, speaker)
    if msg_id in ids:
        ids[msg_id, content] = ""
    else:
        ids[msg_id] = content
    turn.memory.seen_count += 1


def _ids_of(turn: Turn, speaker: Scope) -> dict[MessageKey, Fingerprint]:
    """The ids of a speaker, with room for one more."""
    memory = turn.memory
    if memory.seen_count >= turn.settings.max_ids:
        _forget(turn)
    ids = memory.seen_ids.get(speaker)
    if ids is None:
        ids = memory.seen_ids[speaker] = {}
    return ids


def _forget(turn: Turn) -> None:
    """Forget the oldest of whoever said most, or of the first speakers where nobody said much."""
    memory, told, limit = turn.memory, turn.memory.seen_ids, turn.settings.max_ids
    portion = max(1, limit // _PORTION)
    busiest = max(told, key=lambda speaker: len(told[speaker]))
    speakers = iter([busiest] if len(told[busiest]) >= portion else list(told))
    memory.seen_count -= portion
    while portion:
        speaker = next(speakers)
        ids = told[speaker]
        oldest = list(islice(ids, portion))
        portion -= len(oldest)
        if len(oldest) == len(ids):
            del told[speaker]
        else:
            for name in oldest:
                del ids[name]
    if memory.seen_complete:
        memory.seen_complete = False
        text = f"more than {limit} ids: from here on, a repeat of the oldest is told again"
        turn.add_anomaly(Anomaly("too_many_ids", text))
