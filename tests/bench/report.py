"""Results as rows: a table for people, JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from attrs import frozen

from tests.bench.machine import Machine
from tests.bench.measure import Times, ratio, scatter, spread

__all__ = ["Row", "absent", "absolute", "at_least", "at_most", "document", "head", "table"]


@frozen(kw_only=True)
class Row:
    """One result: the measured number, its target and the verdict."""

    group: str
    name: str
    ours: str = ""
    """The result of chatfsm, with its unit."""
    other: str = ""
    """The result and the name of the peer, with its unit."""
    measured: float | None = None
    """The number that the target limits; None if it could not be measured."""
    unit: str = "times"
    target: float | None = None
    """None if the row is for information only."""
    is_minimum: bool = False
    """Whether the target is a minimum; otherwise it is a maximum."""
    spread: float | None = None
    """The distance between the quartiles of the rounds, as a share of `measured`."""
    instructions: float | None = None
    """The same ratio by instructions; None if they were not counted."""
    note: str = ""

    @property
    def verdict(self) -> str:
        """The verdict: "met", "not met", "shown" (no target), or "not there"."""
        if self.measured is None:
            return "not there"
        if self.target is None:
            return "shown"
        met = self.measured >= self.target if self.is_minimum else self.measured <= self.target
        return "met" if met else "not met"

    @property
    def wanted(self) -> str:
        """The target, for people."""
        if self.target is None:
            return ""
        return f"{'≥' if self.is_minimum else '≤'} {_short(self.target)} {self.unit}"

    def as_json(self) -> dict[str, Any]:
        """Return the row as JSON-safe values."""
        return {
            "group": self.group,
            "name": self.name,
            "ours": self.ours,
            "other": self.other,
            "measured": self.measured,
            "unit": self.unit,
            "target": self.target,
            "is_minimum": self.is_minimum,
            "verdict": self.verdict,
            "spread": self.spread,
            "instructions": self.instructions,
            "note": self.note,
        }


def at_most(
    group: str, name: str, times: Times, pair: tuple[str, str], target: float | None
) -> Row:
    """Return a row of chatfsm's time divided by the peer's, which has a maximum."""
    ours, other = pair
    return Row(
        group=group,
        name=name,
        ours=_time(times, ours),
        other=f"{_time(times, other)}  {other}",
        measured=ratio(times, ours, other),
        target=target,
        spread=spread(times, ours, other),
    )


def at_least(
    group: str, name: str, times: Times, pair: tuple[str, str], target: float | None
) -> Row:
    """Return a row of the peer's time divided by chatfsm's, which has a minimum."""
    ours, other = pair
    return Row(
        group=group,
        name=name,
        ours=_time(times, ours),
        other=f"{_time(times, other)}  {other}",
        measured=ratio(times, other, ours),
        unit="times faster",
        target=target,
        is_minimum=True,
        spread=spread(times, other, ours),
    )


def absolute(group: str, name: str, times: Times, work: str, most_microseconds: float) -> Row:
    """Return a row of chatfsm's time alone, in microseconds."""
    return Row(
        group=group,
        name=name,
        ours=_time(times, work),
        measured=median(times[work]) * 1e6,
        unit="µs",
        target=most_microseconds,
        spread=scatter(times[work]),
    )


def absent(group: str, name: str, why: str) -> Row:
    """Return a row of a measurement that was not possible, with the reason."""
    return Row(group=group, name=name, note=why)


def head(machine: Machine, calibration: Mapping[str, float]) -> str:
    """Return the lines above the table, which describe the machine."""
    there = [f"{name} {number}" for name, number in machine.versions.items() if number]
    missing = [name for name, number in machine.versions.items() if not number]
    built = "built with" if machine.optimised else "a build that does not report"
    cores = f"{machine.cores} core{'' if machine.cores == 1 else 's'}"
    lines = [
        f"{machine.python}, {built} --enable-optimizations, {machine.compiler}",
        f"{machine.platform}, {cores}",
        ", ".join(there) + (f"; not there: {', '.join(missing)}" if missing else ""),
        ", ".join(f"{name} {took:.3g} µs" for name, took in calibration.items()),
    ]
    return "\n".join(lines)


def table(rows: Sequence[Row]) -> str:
    """Return the table: a heading for each group, a line for each row."""
    titles = f"{'ours':>12}  {'measured':>16}  {'target':>15}  {'spread':>7}  "
    titles += f"{'by instr.':>9}  {'verdict':9} other"
    lines = [f"{'':44} {titles}"]
    group = ""
    for row in rows:
        if row.group != group:
            group = row.group
            lines += ["", group]
        lines.append(_line(row))
    counts = dict.fromkeys(("met", "not met", "not there", "shown"), 0)
    for row in rows:
        counts[row.verdict] += 1
    lines += ["", ", ".join(f"{count} {word}" for word, count in counts.items())]
    return "\n".join(lines)


def _line(row: Row) -> str:
    measured = "" if row.measured is None else f"{_short(row.measured)} {row.unit}"
    spread = "" if row.spread is None else f"{row.spread:.0%}"
    counted = "" if row.instructions is None else _short(row.instructions)
    about = "; ".join(part for part in (row.other, row.note) if part)
    return (
        f"  {row.name:42} {row.ours:>12}  {measured:>16}  {row.wanted:>15}  {spread:>7}  "
        f"{counted:>9}  {row.verdict:9} {about}"
    ).rstrip()


def document(rows: Sequence[Row], about: dict[str, Any]) -> str:
    """Return one JSON document: the rows, the machine and the scale."""
    found = {**about, "rows": [row.as_json() for row in rows]}
    return json.dumps(found, ensure_ascii=False, indent=1)


def _time(times: Times, name: str) -> str:
    seconds = median(times[name])
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.2f} µs"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
