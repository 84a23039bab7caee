r"""What was told before: knows a duplicate by who said it, its id and its content (law L5).

Remembered as speaker → id → content. An id that came with several contents has a further entry
for each. The number of entries is bounded by `Settings.max_ids`.

Names of our own making begin with NUL, and what came with one is escaped; a text greater than
"\1" begins with none, and can be used as it is.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from itertools import islice
from operator import attrgetter
from typing import Any, Final, get_args

from attrs import fields

from chatfsm.protocol import events
from chatfsm.protocol.signaling import Signal
from chatfsm.session.effects import Anomaly
from chatfsm.session.plain import harmless
from chatfsm.session.state import Memory, Told, Turn, quoted

__all__ = [
    "SHORT",
    "content_of",
    "contents_of",
    "is_known",
    "is_repeat",
    "named",
    "remember",
    "speaker_of",
]

# Short contents are kept as they came, at no cost; a digest has one character more than these.
SHORT: Final = 64
# An eighth at a time, so that forgetting costs each event the same however many are remembered.
_PORTION: Final = 8


def content_of(first: str | None, second: str | None = None, third: str | None = None) -> str:
    """What tells contents apart: of bounded length, and the same in every process."""
    if first is None or third is not None:
        return _bounded(f"\0{_part(first)}{_part(second)}{_part(third)}")
    if second is not None:
        return _bounded(f"\0{len(first)}:{first}{len(second)}:{second}~")
    if len(first) <= SHORT and first[:1] != "\0":
        return first
    return _bounded(f"\0{len(first)}:{first}~~")


def contents_of(value: events.FormShow | events.SecureFormShow | Signal) -> str:
    """The same of all that a form or a signal holds, but its time."""
    unread, *read = _HELD[value.__class__](value)
    rest = json.dumps(harmless(unread), sort_keys=True) if unread else ""
    return _bounded(f"\0{read!r}{rest}")


def _held_by(cls: type) -> Callable[[Any], tuple[Any, ...]]:
    """What gives the values of all fields that were read, and whatever was not."""
    names = [known.name for known in fields(cls) if known.name not in {"timestamp", *_UNREAD}]
    (unread,) = (known.name for known in fields(cls) if known.name in _UNREAD)
    return attrgetter(unread, "__class__.__name__", *names)


_UNREAD: Final = {"extra", "raw"}
_HELD: Final = {
    cls: _held_by(cls) for cls in (events.FormShow, events.SecureFormShow, *get_args(Signal))
}


def _bounded(text: str) -> str:
    if len(text) <= SHORT:
        return text
    return "#" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def _part(part: str | None) -> str:
    return "~" if part is None else f"{len(part)}:{part}"


def speaker_of(memory: Memory, party_id: str | None, kind: str = "") -> str:
    """Whose ids these are: ids count for one kind of event and one party."""
    return named(memory.chat_id if memory.is_own(party_id) else party_id, kind)


def named(party_id: str | None, kind: str = "") -> str:
    """The same where it is known whether the party is the customer: then by the chat's id."""
    who = party_id or ""
    return f"\0{kind}\0{who}" if kind or who[:1] == "\0" else who


def is_repeat(
    turn: Turn, speaker: str, msg_id: str | None, content: str, at: float | None = None
) -> bool:
    """Whether this was told before; counts it if so, and remembers it if not.

    The same id with other content is no repeat: it is reported as `id_reused`. What has no id is
    no repeat either, unless a history brings it and it was told with the same time.
    """
    if msg_id is None:
        return _is_nameless_repeat(turn, speaker, content_of(content, str(at)))
    told = turn.memory.told
    ids = None if told is None else told.ids.get(speaker)
    if ids is not None and msg_id > "\1":  # nearly all that is said
        before = ids.get(msg_id)
        if before == content:
            return turn.absorb()
        if before is None and told is not None and told.count < turn.settings.max_ids:
            ids[msg_id] = content
            told.count += 1
            return False
    known = is_known(turn.memory, speaker, msg_id, content)
    if known:
        return turn.absorb()
    if known is False:
        turn.report("id_reused", f"id {quoted(msg_id)} came again with other content")
    remember(turn, speaker, msg_id, content)
    return False


def _is_nameless_repeat(turn: Turn, speaker: str, content: str) -> bool:
    speaker = f"\0nameless\0{speaker}"
    if is_known(turn.memory, speaker, content, ""):
        return turn.absorb() if turn.replaying else False
    remember(turn, speaker, content, "")
    return False


def is_known(memory: Memory, speaker: str, msg_id: str, content: str) -> bool | None:
    """True: told before; False: the id was, with other content; None: the id is new."""
    ids = memory.told.ids.get(speaker) if memory.told is not None else None
    if ids is None:
        return None
    known = ids.get(msg_id if msg_id > "\1" else _name(msg_id))
    if known is None:
        return None
    return known == content or _variant(msg_id, content) in ids


def remember(turn: Turn, speaker: str, msg_id: str, content: str) -> None:
    """Remember that this was told, and forget the oldest where that is too much."""
    told = turn.memory.told
    if told is None:
        told = turn.memory.told = Told()
    if told.count >= turn.settings.max_ids:
        _forget(turn, told)
    ids = told.ids.get(speaker)
    if ids is None:
        ids = told.ids[speaker] = {}
    name = msg_id if msg_id > "\1" else _name(msg_id)
    if name in ids:
        ids[_variant(msg_id, content)] = ""
    else:
        ids[name] = content
    told.count += 1


def _name(msg_id: str) -> str:
    """An id as it is remembered: what begins with a NUL must not look like a variant."""
    return f"\0i{msg_id}" if msg_id[:1] == "\0" else msg_id


def _variant(msg_id: str, content: str) -> str:
    return f"\0v{len(msg_id)}:{msg_id}{content}"


def _forget(turn: Turn, told: Told) -> None:
    """Forget the oldest of whoever said most, or of the first speakers where nobody said much."""
    limit = turn.settings.max_ids
    portion = max(1, limit // _PORTION)
    busiest = max(told.ids, key=lambda speaker: len(told.ids[speaker]))
    speakers = iter([busiest] if len(told.ids[busiest]) >= portion else list(told.ids))
    while portion:
        speaker = next(speakers)
        for msg_id in list(islice(told.ids[speaker], portion)):
            del told.ids[speaker][msg_id]
            portion -= 1
            told.count -= 1
        if not told.ids[speaker]:
            del told.ids[speaker]
    if told.complete:
        told.complete = False
        text = f"more than {limit} ids: from here on, a repeat of the oldest is told again"
        turn.note(Anomaly("too_many_ids", text))
