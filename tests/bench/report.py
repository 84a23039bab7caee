"""What was measured, as rows: for people a table, for programs JSON."""

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
    """One number: what was measured, what it should be, and whether it is."""

    group: str
    name: str
    ours: str = ""
    """What was measured of chatfsm, with its unit."""
    other: str = ""
    """What it is compared with, likewise."""
    measured: float | None = None
    """The number that the target speaks of; None: it could not be measured."""
    unit: str = "times"
    target: float | None = None
    """None: there is none, the row is for information."""
    is_minimum: bool = False
    """Whether the target is the least that will do, and not the most."""
    spread: float | None = None
    """How far the middle half of the rounds is apart, as a part of what was measured."""
    instructions: float | None = None
    """The same ratio by instructions; None: they were not counted."""
    note: str = ""

    @property
    def verdict(self) -> str:
        """Met, not met, shown (no target), or not there."""
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
        """The row, for programs."""
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
    """Our time as so many times the other's, which must not be more."""
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
    """How many times as fast as the other we are, which must not be less."""
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


def absolute(group: str, name: str, times: Times, what: str, most_microseconds: float) -> Row:
    """Our time by itself, in microseconds."""
    return Row(
        group=group,
        name=name,
        ours=_time(times, what),
        measured=median(times[what]) * 1e6,
        unit="µs",
        target=most_microseconds,
        spread=scatter(times[what]),
    )


def absent(group: str, name: str, why: str) -> Row:
    """What could not be measured, and why."""
    return Row(group=group, name=name, note=why)


def head(machine: Machine, calibration: Mapping[str, float]) -> str:
    """What the rows were measured on, for people."""
    there = [f"{name} {number}" for name, number in machine.versions.items() if number]
    missing = [name for name, number in machine.versions.items() if not number]
    built = "built with" if machine.optimised else "a build that does not speak of"
    cores = f"{machine.cores} core{'' if machine.cores == 1 else 's'}"
    lines = [
        f"{machine.python}, {built} --enable-optimizations, {machine.compiler}",
        f"{machine.platform}, {cores}",
        ", ".join(there) + (f"; not there: {', '.join(missing)}" if missing else ""),
        ", ".join(f"{name} {took:.3g} µs" for name, took in calibration.items()),
    ]
    return "\n".join(lines)


def table(rows: Sequence[Row]) -> str:
    """The rows for people: a heading a group, a line a row."""
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
    """The rows for programs, and what they were measured on: one JSON document."""
    found = {**about, "rows": [row.as_json() for row in rows]}
    return json.dumps(found, ensure_ascii=False, indent=1)


def _time(times: Times, name: str) -> str:
    seconds = median(times[name])
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.2f} µs"


def _short(number: float) -> str:
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
