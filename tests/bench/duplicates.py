"""Seen ids of the plain reducer, which recognize duplicates."""

from __future__ import annotations

from hashlib import blake2b
from itertools import islice
from typing import Any, Final

from tests.bench.reducer_effects import Anomaly

__all__ = ["SHORT", "DuplicateFilter", "digest"]

MAX_IDS: Final = 4_096
SHORT: Final = 64


class DuplicateFilter:
    """Seen ids by kind, scope, id and content; the oldest are forgotten beyond a bound."""

    def __init__(self) -> None:
        self.seen_ids: dict[tuple[Any, ...], str] = {}
        self.seen_complete = True
        self.duplicates = self.anomalies = 0

    def is_duplicate(
        self, kind: str, scope: str | None, msg_id: str | None, content: str, effects: list[Any]
    ) -> bool:
        """Whether these values were seen before; a new combination is remembered."""
        if msg_id is None:
            return False
        if len(content) > SHORT:
            content = digest(content)
        key: tuple[Any, ...] = (kind, scope, msg_id)
        known = self.seen_ids.get(key)
        if known is not None:
            if known == content or (*key, content) in self.seen_ids:
                self.duplicates += 1
                return True
            self.report("id_reused", msg_id, effects)
            key = (*key, content)
        self.remember(key, content, effects)
        return False

    def remember(self, key: tuple[Any, ...], content: str, effects: list[Any]) -> None:
        """Remember a key; at the limit, forget the oldest eighth first."""
        if len(self.seen_ids) >= MAX_IDS:
            for oldest in list(islice(self.seen_ids, MAX_IDS // 8)):
                del self.seen_ids[oldest]
            if self.seen_complete:
                self.seen_complete = False
                self.report("too_many_ids", "from here on, old duplicates are reported", effects)
        self.seen_ids[key] = content

    def report(self, kind: str, text: str, effects: list[Any]) -> None:
        self.anomalies += 1
        effects.append(Anomaly(kind, text))


def digest(content: str) -> str:
    """Return a digest of bounded length, which stands for a long content."""
    return blake2b(content.encode("utf-8", "surrogatepass"), digest_size=32).hexdigest()
