"""Drawing of a session's lifecycle, from its transition table, for pages.

Live states stand in rows, final states in one row below; there is an arrow for each transition that
the table expects between live states. A page shows the arrows that it needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from chatfsm._session.tables import LIFECYCLE, UNEXPECTED

__all__ = ["lifecycle_svg"]

_COLUMNS: Final = 3
_WIDTH: Final = 340
_BOX: Final = (100, 30)
_GAP: Final = (18, 44)
_END_BOX: Final = (76, 30)
_END_TOP: Final = 28  # for the caption of the final states
_LABEL: Final = 'role="img" aria-label="The states of a session"'
_ARROW_HEAD: Final = (
    '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
    ' orient="auto-start-reverse"><path d="M0 0 8 4 0 8z"/></marker>'
)
_BEND: Final = 0.12  # of an arrow's length, so that the two directions are apart


def lifecycle_svg() -> str:
    """Return an SVG with every state of a session and every expected transition."""
    live = [state for state in LIFECYCLE.states if state not in LIFECYCLE.finals]
    ends = [state for state in LIFECYCLE.states if state in LIFECYCLE.finals]
    places = {state: _place(number) for number, state in enumerate(live)}
    end_y = places[live[-1]][1] + _BOX[1] + _GAP[1] // 2
    height = end_y + _END_TOP + _END_BOX[1] + 12
    step = (_WIDTH - 12) / len(ends)
    frame = f'x="4" y="{end_y}" width="{_WIDTH - 8}" height="{height - end_y - 4}" rx="12"'
    parts = [
        f'<svg id="lifecycle" viewBox="0 0 {_WIDTH} {height}" {_LABEL}>',
        f"<defs>{_ARROW_HEAD}</defs>",
        f'<rect class="final" {frame}/>',
        f'<text class="note" x="{_WIDTH // 2}" y="{end_y + 18}">from any of them</text>',
        *(_arrow(source, to, places) for source, to in _expected(live)),
        *(_box(state, places[state], _BOX, "") for state in live),
        *(
            _box(state, (round(9 + n * step), end_y + _END_TOP), _END_BOX, ' class="end"')
            for n, state in enumerate(ends)
        ),
        "</svg>",
    ]
    return "\n".join(parts)


def _expected(live: list[str]) -> Iterator[tuple[str, str]]:
    unexpected = {(source, to) for _, source, to in UNEXPECTED}
    for source in live:
        for to in dict.fromkeys(LIFECYCLE.moves[source].values()):
            if to in live and to != source and (source, to) not in unexpected:
                yield source, to


def _place(number: int) -> tuple[int, int]:
    row, column = divmod(number, _COLUMNS)
    return 2 + column * (_BOX[0] + _GAP[0]), 4 + row * (_BOX[1] + _GAP[1])


def _box(state: str, place: tuple[int, int], size: tuple[int, int], kind: str) -> str:
    (x, y), (width, height) = place, size
    return (
        f'<g data-state="{state}"{kind} transform="translate({x} {y})">'
        f'<rect width="{width}" height="{height}" rx="{height // 2}"/>'
        f'<text x="{width // 2}" y="{height // 2 + 4}">{state.replace("_", " ")}</text></g>'
    )


def _arrow(source: str, to: str, places: Mapping[str, tuple[int, int]]) -> str:
    """Return an arrow from one box to another, bent to its left."""
    (x1, y1), (x2, y2) = _middle(places[source]), _middle(places[to])
    bend_x = (x1 + x2) / 2 + (y2 - y1) * _BEND
    bend_y = (y1 + y2) / 2 - (x2 - x1) * _BEND
    (x1, y1), (x2, y2) = _edge((x1, y1), (bend_x, bend_y)), _edge((x2, y2), (bend_x, bend_y))
    curve = f"M{x1:.0f} {y1:.0f} Q{bend_x:.0f} {bend_y:.0f} {x2:.0f} {y2:.0f}"
    return f'<path data-move="{source} {to}" d="{curve}"/>'


def _middle(place: tuple[int, int]) -> tuple[float, float]:
    return place[0] + _BOX[0] / 2, place[1] + _BOX[1] / 2


def _edge(middle: tuple[float, float], towards: tuple[float, float]) -> tuple[float, float]:
    """Return the point at which the line from a box's middle leaves the box."""
    dx, dy = towards[0] - middle[0], towards[1] - middle[1]
    scale = min(
        _BOX[0] / 2 / abs(dx) if dx else float("inf"), _BOX[1] / 2 / abs(dy) if dy else float("inf")
    )
    return middle[0] + dx * scale, middle[1] + dy * scale
