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


def content_of(first: str | None, *rest: str | None) -> str:
    """What tells contents apart: of bounded length, and the same in every process."""
    if first is not None and len(first) <= _SHORT and first[:1] != "\0" and not any(rest):
        return first
    parts = ("~" if part is None else f"{len(part)}:{part}" for part in (first, *rest))
    joined = "\0" + "".join(parts)
    if len(joined) <= _SHORT:
        return joined
    return "#" + blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()


def speaker_of(memory: Memory, party_id: str | None, kind: str = "") -> str:
    """Whose ids these are: ids count for one kind of event and one party."""
    who = memory.chat_id if memory.is_own(party_id) else party_id or ""
    return f"{kind}\0{who}" if kind else who


def is_repeat(turn: Turn, speaker: str, msg_id: str | None, content: str) -> bool:
    """Whether this was told before; counts it if so, and remembers it if not.

    The same id with other content is no repeat: it is reported as `id_reused`.
    """
    if msg_id is None:
        return False
    known = is_known(turn.memory, speaker, msg_id, content)
    if known:
        return turn.absorb()
    if known is False:
        turn.report("id_reused", f"id {quoted(msg_id)} came again with other content")
    remember(turn, speaker, msg_id, content)
    return False


def is_known(memory: Memory, speaker: str, msg_id: str, content: str) -> bool | None:
    """True: told before; False: the id was, with other content; None: the id is new."""
    if memory.told is None or speaker not in memory.told:
        return None
    told = memory.told[speaker]
    if msg_id not in told:
        return None
    return told[msg_id] == content or _variant(msg_id, content) in told


def remember(turn: Turn, speaker: str, msg_id: str, content: str) -> None:
    """Remember that this was told, and forget the oldest where that is too much."""
    memory = turn.memory
    if memory.told is None:
        memory.told = {}
    if memory.told_count >= turn.settings.max_ids:
        _forget(turn, memory.told)
    told = memory.told.setdefault(speaker, {})
    if msg_id in told:
        told[_variant(msg_id, content)] = ""
    else:
        told[msg_id] = content
    memory.told_count += 1


def _variant(msg_id: str, content: str) -> str:
    return f"{msg_id}\0{content}"


def _forget(turn: Turn, told: dict[str, dict[str, str]]) -> None:
    """Forget the oldest of whoever said most, or of the first speakers where nobody said much."""
    memory, limit = turn.memory, turn.settings.max_ids
    portion = max(1, limit // _PORTION)
    busiest = max(told, key=lambda speaker: len(told[speaker]))
    order = [busiest] if len(told[busiest]) >= portion else list(told)
    for speaker in order:
        for msg_id in list(islice(told[speaker], portion)):
            del told[speaker][msg_id]
            portion -= 1
            memory.told_count -= 1
        if not told[speaker]:
            del told[speaker]
        if portion == 0:
            break
    if memory.told_all:
        memory.told_all = False
        text = f"more than {limit} ids: from here on, a repeat of the oldest is told again"
        turn.note(Anomaly("too_many_ids", text))
