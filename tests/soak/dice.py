"""Dice that fall the same each time: hashes of a seed and of how often they were thrown."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Throws by a seed, which may be made of several parts."""

    def __init__(self, *seed: object) -> None:
        self._hash = blake2b(repr(seed).encode(), digest_size=8)
        self._thrown = 0

    def throw(self) -> float:
        """From 0 to 1."""
        self._thrown += 1
        thrown = self._hash.copy()
        thrown.update(str(self._thrown).encode())
        return int.from_bytes(thrown.digest()) / 2.0**64

    def between(self, least: float, most: float) -> float:
        return least + (most - least) * self.throw()

    def one_of(self, several: Sequence[T]) -> T:
        return several[int(self.throw() * len(several))]
