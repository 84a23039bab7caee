"""Web page: its files, and the drawing of a session's lifecycle from its transition table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from importlib.resources import files
from typing import Final, Self

from attrs import frozen

from chatfsm._session.tables import LIFECYCLE, UNEXPECTED
from chatfsm.transport import HttpReply

__all__ = ["PageFiles", "lifecycle_svg"]

_SCRIPT: Final = "text/javascript; charset=utf-8"
_CONTENT_TYPES: Final = {
    **dict.fromkeys(("index.html", "agent.html"), "text/html; charset=utf-8"),
    "page.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
    **dict.fromkeys(("page.js", "chat.js", "view.js", "forms.js", "lifecycle.js"), _SCRIPT),
    **dict.fromkeys(("agent.js", "agent_view.js", "scroll.js", "typing.js"), _SCRIPT),
}
_INDEX: Final = "index.html"
_PATHS: Final = {_INDEX: "/", "agent.html": "/agent"}
# Browsers request these by themselves. Touch icons are PNG files, which the page has not.
_ICON: Final = "/favicon.ico"
_NO_ICONS: Final = ("/apple-touch-icon.png", "/apple-touch-icon-precomposed.png")
# Nothing is loaded from other places, and no text of a chat can run.
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_DRAWING: Final = "<!-- lifecycle -->"


@frozen
class PageFiles:
    """The files of the web page by path, and the tenant that its chats are with."""

    replies: Mapping[str, HttpReply]
    tenant_url: str

    @classmethod
    def for_apps(cls, tenant_url: str, apps: Mapping[str, str]) -> Self:
        """Return the page's files, with the tenant and the titles of apps by their ids."""
        folder = files("chatfsm.simulator.server") / "page"
        found = {
            _PATHS.get(name, f"/{name}"): _reply(kind, (folder / name).read_bytes())
            for name, kind in _CONTENT_TYPES.items()
        }
        page = found["/"].body.decode().replace(_DRAWING, lifecycle_svg())
        entries = [{"app_id": app_id, "title": title} for app_id, title in apps.items()]
        about = json.dumps({"tenant": tenant_url, "apps": entries}).encode()
        found |= {
            "/": _reply(_CONTENT_TYPES[_INDEX], page.encode()),
            "/simulator.json": _reply("application/json", about),
            _ICON: found["/icon.svg"],
            **dict.fromkeys(_NO_ICONS, HttpReply(0, HTTPStatus.NO_CONTENT, _HEADERS, b"")),
        }
        return cls(found, tenant_url)

    def reply_for(self, path: str) -> HttpReply | None:
        """Return the file at a path, or None."""
        return self.replies.get(path)


def _reply(kind: str, body: bytes) -> HttpReply:
    return HttpReply(0, HTTPStatus.OK, {**_HEADERS, "content-type": kind}, body)


# The drawing: live states in rows, final states in one row below; an arrow for each transition that
# the table expects between live states. The page shows the arrows out of the current state.

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
