"""The report: the score of each package, and every survivor with its diff, as text and JSON."""

from __future__ import annotations

import json
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from attrs import define

from tests.mutation.mutants import Mutant
from tests.mutation.runner import Result

__all__ = ["Report", "equivalents"]

_JUDGED: Final = Path(__file__).with_name("equivalents.json")
_KINDS: Final = ("mutants", "killed", "at import", "timeouts", "equivalent", "survived")


def equivalents() -> dict[str, str]:
    """Return the reasons of the mutants that were judged to be equivalent, by their keys."""
    judged = json.loads(_JUDGED.read_text("utf-8"))
    return {entry["mutant"]: entry["reason"] for entry in judged}


@define(slots=False)
class Report:
    """The results of a sample."""

    seed: int
    results: dict[str, tuple[Mutant, Result]]
    equivalents: dict[str, str]
    stale: list[str]
    """Keys of judged mutants that no longer exist."""
    seconds: int

    @cached_property
    def packages(self) -> dict[str, Counter[str]]:
        """The counts of each package, and of all."""
        found: dict[str, Counter[str]] = {}
        for mutant, result in self.results.values():
            for name in (mutant.path.split("/")[1], "all"):
                counts = found.setdefault(name, Counter())
                counts["mutants"] += 1
                counts[self._kind(result)] += 1
                counts["at import"] += result.died_at_import
        return dict(sorted(found.items(), key=lambda row: (row[0] == "all", row[0])))

    @property
    def score(self) -> float:
        """The share of killed mutants among those that are not equivalent, in percent."""
        return _score(self.packages["all"])

    @property
    def survivors(self) -> list[tuple[Mutant, Result]]:
        """The mutants that no test noticed and that were not judged to be equivalent."""
        return [row for row in self.results.values() if self._kind(row[1]) == "survived"]

    @property
    def wrongly_judged(self) -> list[str]:
        """The keys of mutants that were judged to be equivalent, although a test kills them."""
        return [
            key
            for key, (_, result) in self.results.items()
            if key in self.equivalents and result.result != "survived"
        ]

    def _kind(self, result: Result) -> str:
        if result.result == "survived" and result.key in self.equivalents:
            return "equivalent"
        return {"timeout": "timeouts"}.get(result.result, result.result)

    def to_text(self) -> str:
        """Return the report as text."""
        head = f"{'package':12}" + "".join(f"{kind:>12}" for kind in _KINDS) + f"{'score':>10}"
        rows = [
            f"{name:12}"
            + "".join(f"{counts[kind]:12}" for kind in _KINDS)
            + f"{_score(counts):9.1f}%"
            for name, counts in self.packages.items()
        ]
        parts = [f"Seed {self.seed}, {self.seconds} s.", "", head, *rows]
        for mutant, result in self.survivors:
            parts += ["", f"Survived {result.tests} tests ({mutant.change.operator}):", mutant.diff]
        for key in self.wrongly_judged:
            parts += ["", "Judged to be equivalent, but killed:", key]
        for key in self.stale:
            parts += ["", "Judged to be equivalent, but no change of the present code:", key]
        return "\n".join(parts)

    def to_json(self) -> str:
        """Return the report as JSON."""
        packages = {
            name: {kind.replace(" ", "_"): counts[kind] for kind in _KINDS}
            | {"score": round(_score(counts), 2)}
            for name, counts in self.packages.items()
        }
        found: dict[str, Any] = {
            "seed": self.seed,
            "seconds": self.seconds,
            "packages": packages,
            "survivors": [
                {
                    "mutant": mutant.key,
                    "operator": mutant.change.operator,
                    "line": mutant.change.line,
                    "tests": result.tests,
                    "diff": mutant.diff,
                }
                for mutant, result in self.survivors
            ],
            "equivalent": [
                {"mutant": key, "reason": self.equivalents[key]}
                for key, (_, result) in self.results.items()
                if self._kind(result) == "equivalent"
            ],
            "wrongly_judged": self.wrongly_judged,
            "stale": self.stale,
        }
        return json.dumps(found, indent=2)


def _score(counts: Counter[str]) -> float:
    judged = counts["mutants"] - counts["equivalent"]
    return 100.0 * (counts["killed"] + counts["timeouts"]) / judged if judged else 100.0
