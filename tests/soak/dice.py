"""Reproducible dice: hashes of a seed and of the number of throws."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """Dice with a seed, which may have several parts."""

    def __init__(self, *seed: object) -> None:
        self._hash = blake2b(repr(seed).encode(), digest_size=8)
        self._thrown = 0

    def throw(self) -> float:
        """Return a number from 0 to 1."""
        self._thrown += 1
        thrown = self._hash.copy()
        thrown.update(str(self._thrown).encode())
        return int.from_bytes(thrown.digest()) / 2.0**64

    def between(self, least: float, most: float) -> float:
        return least + (most - least) * self.throw()

    def one_of(self, several: Sequence[T]) -> T:
        return several[int(self.throw() * len(several))]
