"""Mutants: a change of a module, its key, its diff, and the sample of a seed."""

from __future__ import annotations

import ast
import difflib
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from hashlib import blake2b
from itertools import islice
from pathlib import Path

from attrs import define

from tests.mutation.operators import Change, changes_of

__all__ = ["Mutant", "mutants_of", "sampled"]


@define(slots=False)
class Mutant:
    """A module with one change."""

    path: str
    """The path of the module, from the root of the project."""
    change: Change
    source: str
    """The text of the module without the change."""
    number: int = 1
    """The number among the mutants of one function with equal lines, from 1."""

    @cached_property
    def mutated(self) -> str:
        """The text of the module with the change."""
        whole = self.source.encode()
        return (
            whole[: self.change.start] + self.change.text.encode() + whole[self.change.end :]
        ).decode()

    @cached_property
    def lines(self) -> tuple[str, str]:
        """The lines that differ, before and after the change, without indentation."""
        whole, change = self.source.encode(), self.change
        start = whole.rfind(b"\n", 0, change.start) + 1
        end = whole.find(b"\n", change.end) % (len(whole) + 1)
        old = whole[start:end]
        new = whole[start : change.start] + change.text.encode() + whole[change.end : end]
        return _stripped(old), _stripped(new)

    @property
    def where(self) -> str:
        """The path of the module, and the function if there is one."""
        return f"{self.path}::{self.change.function}" if self.change.function else self.path

    @cached_property
    def key(self) -> str:
        """A name that does not depend on other functions and on line numbers."""
        old, new = self.lines
        number = f"\n#{self.number}" if self.number > 1 else ""
        return f"{self.where}\n-{old}\n+{new}{number}"

    @property
    def diff(self) -> str:
        """The change as a unified diff with a line of context."""
        names = f"a/{self.path}", f"b/{self.path}"
        before, after = self.source.splitlines(), self.mutated.splitlines()
        return "\n".join(difflib.unified_diff(before, after, *names, n=1, lineterm=""))


def mutants_of(root: Path, packages: Iterable[str]) -> list[Mutant]:
    """Return all mutants of the modules of some packages of chatfsm."""
    found: list[Mutant] = []
    for package in packages:
        for path in sorted((root / "chatfsm" / package).glob("**/*.py")):
            found += _of_module(path.relative_to(root).as_posix(), path.read_text("utf-8"))
    return found


def _of_module(path: str, source: str) -> Iterator[Mutant]:
    numbers: Counter[str] = Counter()
    for change in changes_of(source):
        mutant = Mutant(path, change, source)
        numbers[mutant.key] += 1
        yield Mutant(path, change, source, numbers[mutant.key])


def sampled(mutants: Iterable[Mutant], number: int, seed: int) -> list[Mutant]:
    """Return the mutants of a seed, which are those with the smallest hashes of seed and key.

    Therefore a change of one function replaces the mutants of that function alone.
    """

    def rank(mutant: Mutant) -> bytes:
        return blake2b(f"{seed}\n{mutant.key}".encode(), digest_size=8).digest()

    return list(islice(filter(_is_other_program, sorted(mutants, key=rank)), number))


def _is_other_program(mutant: Mutant) -> bool:
    """Whether a mutant is a program with another syntax tree than the module."""
    try:
        return _tree(mutant.mutated) != _tree(mutant.source)
    except SyntaxError:
        return False


def _tree(source: str) -> str:
    return ast.dump(ast.parse(source))


def _stripped(lines: bytes) -> str:
    return "\n".join(line.strip() for line in lines.decode().splitlines())
