"""Coverage as a Mermaid flowchart: what logs exercise, and what is missing.

Nothing is told by a colour alone: what is exercised has solid lines and the number of times; what
is missing has dotted lines and no number.

>>> from chatfsm.replay.coverage import coverage_of
>>> from chatfsm.replay.coverage_diagram import mermaid
>>> coverage = coverage_of(["tests/logs/expired_form.jsonl"])
>>> for line in mermaid(coverage.sections(["form"])).splitlines()[6:10]:
...     print(line)
    form_open["open<br/>3x"]:::exercised
    form_submitted["submitted<br/>1x"]:::exercised
    form_cancelled["cancelled"]:::missing
    form_expired["expired<br/>2x"]:::exercised
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from attrs import define, field

from chatfsm._statemachine import Row
from chatfsm.replay.coverage import Section

__all__ = ["mermaid"]

# Blue and orange of the palette of Okabe and Ito, which the colour-blind can tell apart.
_STYLES: Final = (
    "    classDef exercised fill:#dcecf7,stroke:#0072b2,stroke-width:2px,color:#000",
    "    classDef missing fill:#fff,stroke:#d55e00,stroke-dasharray:5 4,color:#000",
)
# Curved lines would put their labels on those of the lines beside them.
_THEME: Final = (
    '%%{init: {"theme": "base", "flowchart": {"curve": "linear", "nodeSpacing": 80}, '
    '"themeVariables": {"clusterBkg": "#fafafa", "clusterBorder": "#999", '
    '"edgeLabelBackground": "#fff"}}}%%'
)
_EXERCISED_LINE: Final = "stroke:#0072b2,stroke-width:2.5px"
_MISSING_LINE: Final = "stroke:#d55e00,stroke-width:1.5px,stroke-dasharray:5 4"


@define
class _Edges:
    """The edges of a chart: a style is given to an edge by its number."""

    lines: list[str] = field(factory=list)
    exercised: list[int] = field(factory=list)
    missing: list[int] = field(factory=list)
    count: int = 0

    def add(self, source: str, destination: str, label: str, *, is_exercised: bool) -> None:
        """Add an edge: solid if it is exercised, else dotted."""
        arrow = "-->" if is_exercised else "-.->"
        self.lines.append(f'    {source} {arrow}|"{label}"| {destination}')
        (self.exercised if is_exercised else self.missing).append(self.count)
        self.count += 1

    def styles(self) -> list[str]:
        """Return the styles of all edges."""
        kinds = ((self.exercised, _EXERCISED_LINE), (self.missing, _MISSING_LINE))
        return [
            f"    linkStyle {','.join(map(str, numbers))} {style}"
            for numbers, style in kinds
            if numbers
        ]


def mermaid(sections: Iterable[Section]) -> str:
    """Return a Mermaid flowchart of the state machines among these sections of a coverage.

    Several transitions from one state to another are one line, or two if only some are exercised.
    A missing transition that all states have in common is one line, from a box around them.
    """
    found = list(sections)
    states = {section.part: section.counts for section in found if section.kind == "states"}
    rows = {section.part: section.counts for section in found if section.kind == "transitions"}
    edges, lines = _Edges(), [_THEME, "flowchart LR", *_STYLES]
    for machine, counts in states.items():
        common = _common(rows[machine])
        lines += _box(machine, counts, {source for _, source, _ in common})
        _add_edges(edges, machine, rows[machine], common)
    lines += [
        '    subgraph key["key"]',
        '    key_a["exercised<br/>3x"]:::exercised',
        '    key_b["missing"]:::missing',
        "    end",
    ]
    edges.add("key_b", "key_a", "exercised 3x", is_exercised=True)
    edges.add("key_a", "key_b", "missing", is_exercised=False)
    return "\n".join([*lines, *edges.lines, *edges.styles()]) + "\n"


def _common(rows: Mapping[Row, int]) -> set[Row]:
    """Return the missing transitions that all states have which are not final."""
    live = {source for _, source, _ in rows}
    sources: dict[tuple[str, str], set[str]] = {}
    for (trigger, source, destination), count in rows.items():
        if count == 0:
            sources.setdefault((trigger, destination), set()).add(source)
    return {
        (trigger, source, destination)
        for (trigger, destination), known in sources.items()
        if len(live) > 1 and known == live
        for source in known
    }


def _box(machine: str, counts: Mapping[str, int], live: set[str]) -> list[str]:
    """Return the states of a machine, those in `live` in a box of their own."""
    nodes = {
        state: f'    {machine}_{state}["{state}{_times("<br/>", count)}"]:::'
        + ("exercised" if count else "missing")
        for state, count in counts.items()
    }
    inner = [nodes[state] for state in counts if state in live]
    if inner:
        box = f'    subgraph {machine}_live["any of these"]'
        inner = [box, "    direction TB", *inner, "    end"]
    outer = [nodes[state] for state in counts if state not in live]
    return [f'    subgraph {machine}["{machine}"]', "    direction TB", *inner, *outer, "    end"]


def _add_edges(edges: _Edges, machine: str, rows: Mapping[Row, int], common: set[Row]) -> None:
    labels: dict[tuple[str, str, bool], list[str]] = {}
    for (trigger, source, destination), count in rows.items():
        start = "live" if (trigger, source, destination) in common else source
        known = labels.setdefault((start, destination, count > 0), [])
        label = trigger.replace("_", " ") + _times(" ", count)
        if label not in known:
            known.append(label)
    for (source, destination, is_exercised), known in labels.items():
        ends = f"{machine}_{source}", f"{machine}_{destination}"
        edges.add(*ends, "<br/>".join(known), is_exercised=is_exercised)


def _times(before: str, count: int) -> str:
    return f"{before}{count}x" if count else ""
