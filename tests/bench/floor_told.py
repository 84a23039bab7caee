"""What the floor remembers of what it told, so that nothing is told twice."""

from __future__ import annotations

from hashlib import blake2b
from itertools import islice
from typing import Any, Final

from tests.bench.floor_effects import Anomaly

__all__ = ["SHORT", "Told", "digest"]

MAX_IDS: Final = 4_096
SHORT: Final = 64


class Told:
    """Knows a duplicate by kind, speaker, id and content; forgets the oldest beyond a bound."""

    def __init__(self) -> None:
        self.told: dict[tuple[Any, ...], str] = {}
        self.told_all = True
        self.duplicates = self.anomalies = 0

    def is_repeat(
        self, kind: str, speaker: str | None, msg_id: str | None, content: str, effects: list[Any]
    ) -> bool:
        """Whether this was told before, by kind, speaker, id and content; remembers it if not."""
        if msg_id is None:
            return False
        if len(content) > SHORT:
            content = digest(content)
        key: tuple[Any, ...] = (kind, speaker, msg_id)
        known = self.told.get(key)
        if known is not None:
            if known == content or (*key, content) in self.told:
                self.duplicates += 1
                return True
            self.report("id_reused", msg_id, effects)
            key = (*key, content)
        self.remember(key, content, effects)
        return False

    def remember(self, key: tuple[Any, ...], content: str, effects: list[Any]) -> None:
        """Remember what was told; where that is too much, forget the oldest eighth."""
        if len(self.told) >= MAX_IDS:
            for oldest in list(islice(self.told, MAX_IDS // 8)):
                del self.told[oldest]
            if self.told_all:
                self.told_all = False
                self.report("too_many_ids", "from here on, old duplicates are told", effects)
        self.told[key] = content

    def report(self, kind: str, text: str, effects: list[Any]) -> None:
        self.anomalies += 1
        effects.append(Anomaly(kind, text))


def digest(content: str) -> str:
    """What is remembered of a long content: of bounded length."""
    return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
