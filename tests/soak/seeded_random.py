"""Reproducible random numbers: hashes of a seed and of a counter."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class SeededRandom:
    """Random numbers of a seed, which may have several parts."""

    def __init__(self, *seed: object) -> None:
        self._hash = blake2b(repr(seed).encode(), digest_size=8)
        self._count = 0

    def random(self) -> float:
        """Return a number from 0 to 1."""
        self._count += 1
        numbered = self._hash.copy()
        numbered.update(str(self._count).encode())
        return int.from_bytes(numbered.digest()) / 2.0**64

    def uniform(self, least: float, most: float) -> float:
        return least + (most - least) * self.random()

    def choice(self, several: Sequence[T]) -> T:
        return several[int(self.random() * len(several))]
