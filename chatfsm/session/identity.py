"""What was told before: knows a duplicate by who said it, its id and its content (law L5).

Remembered as speaker → id → content. An id that came with several contents has a further entry
for each. The number of entries is bounded by `Settings.max_ids`.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import islice
from typing import Final

from chatfsm.session.effects import Anomaly
from chatfsm.session.state import Memory, Turn, quoted

__all__ = ["content_of", "is_known", "is_repeat", "remember", "speaker_of"]

# Short contents are kept as they came, at no cost; a digest has one character more than these.
_SHORT: Final = 64
# An eighth at a time, so that forgetting costs each event the same however many are remembered.
_PORTION: Final = 8


def content_of(first: str | None, second: str | None = None, third: str | None = None) -> str:
    """What tells contents apart: of bounded length, and the same in every process."""
    is_alone = second is None and third is None
    if is_alone and first is not None and len(first) <= _SHORT and first[:1] != "\0":
        return first
    parts = ("~" if part is None else f"{len(part)}:{part}" for part in (first, second, third))
    joined = "\0" + "".join(parts)
    if len(joined) <= _SHORT:
        return joined
    return "#" + blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def speaker_of(memory: Memory, party_id: str | None, kind: str = "") -> str:
    """Whose ids these are: ids count for one kind of event and one party."""
    who = memory.chat_id if memory.is_own(party_id) else party_id or ""
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
    if memory.told is None or speaker not in memory.told:
        return None
    told, name = memory.told[speaker], _name(msg_id)
    if name not in told:
        return None
    return told[name] == content or _variant(msg_id, content) in told


def remember(turn: Turn, speaker: str, msg_id: str, content: str) -> None:
    """Remember that this was told, and forget the oldest where that is too much."""
    memory = turn.memory
    if memory.told is None:
        memory.told = {}
    if memory.told_count >= turn.settings.max_ids:
        _forget(turn, memory.told)
    told = memory.told.setdefault(speaker, {})
    name = _name(msg_id)
    if name in told:
        told[_variant(msg_id, content)] = ""
    else:
        told[name] = content
    memory.told_count += 1


def _name(msg_id: str) -> str:
    """An id as it is remembered: what begins with a NUL must not look like a variant."""
    return f"\0i{msg_id}" if msg_id[:1] == "\0" else msg_id


def _variant(msg_id: str, content: str) -> str:
    return f"\0v{len(msg_id)}:{msg_id}{content}"


def _forget(turn: Turn, told: dict[str, dict[str, str]]) -> None:
    """Forget the oldest of whoever said most, or of the first speakers where nobody said much."""
    memory, limit = turn.memory, turn.settings.max_ids
    portion = max(1, limit // _PORTION)
    busiest = max(told, key=lambda speaker: len(told[speaker]))
    speakers = iter([busiest] if len(told[busiest]) >= portion else list(told))
    while portion:
        speaker = next(speakers)
        for msg_id in list(islice(told[speaker], portion)):
            del told[speaker][msg_id]
            portion -= 1
            memory.told_count -= 1
        if not told[speaker]:
            del told[speaker]
    if memory.told_all:
        memory.told_all = False
        text = f"more than {limit} ids: from here on, a repeat of the oldest is told again"
        turn.note(Anomaly("too_many_ids", text))
