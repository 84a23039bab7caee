"""Totals of a soak."""

from __future__ import annotations

import sys
from collections import Counter

from tests.soak.groups import Outcome


class Totals:
    """Sums over groups, and the violations with the options that reproduce them."""

    def __init__(self, seed: int, options: str) -> None:
        self.seed = seed
        self.options = options
        """All options of this run, as words of a command line."""
        self.sum = Outcome(0)
        self.faults: Counter[str] = Counter()
        self.ends: Counter[str] = Counter()
        self.violations: list[str] = []

    def add(self, outcome: Outcome) -> None:
        for name in ("chats", "events", "effects", "requests", "lives", "seconds"):
            setattr(self.sum, name, getattr(self.sum, name) + getattr(outcome, name))
        self.faults += outcome.faults
        self.ends += outcome.ends
        for violation in outcome.violations:
            seen = f"{self.options} --group {outcome.group}: {violation}"
            print(seen, file=sys.stderr, flush=True)
            self.violations.append(seen)

    def line(self) -> str:
        total = self.sum
        return (
            f"{total.chats:,} chats, {total.events:,} events, {sum(self.faults.values()):,} faults,"
            f" {len(self.violations)} violations"
        )

    def report(self, wall: float, used: float) -> str:
        """Return the report; the arguments are seconds of the wall clock and of the processor."""
        total = self.sum
        faults = ", ".join(f"{name} {count:,}" for name, count in self.faults.most_common())
        ends = ", ".join(f"{name} {count:,}" for name, count in self.ends.most_common())
        rows = (
            ("chats", f"{total.chats:,}"),
            ("events", f"{total.events:,}"),
            ("effects", f"{total.effects:,}"),
            ("requests", f"{total.requests:,}"),
            ("restarts", f"{total.lives - total.chats:,}"),
            ("faults", faults or "none"),
            ("ends", ends),
            ("violations", str(len(self.violations))),
            ("seed", str(self.seed)),
            ("time", f"{wall:.1f} s, {used:.1f} s of one core"),
        )
        lines = [f"{name:<11} {value}" for name, value in rows]
        return "\n".join([*lines, *self.violations])
