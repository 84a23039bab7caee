"""Page of the report: one HTML file, made safe against every text of a chat.

Data stand in the page as JSON in ASCII without `<`, `>` and `&`, so that no text can end its
element. Scripts show texts with `textContent`. The content security policy names the hashes of the
page's own script and style, so that the browser runs no other.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any, Final

from chatfsm._lifecycle_drawing import lifecycle_svg
from chatfsm._plain import json_text
from chatfsm._session.tables import LIFECYCLE, UNEXPECTED
from chatfsm._version import __version__

__all__ = ["SCRIPTS", "build_page", "script_safe"]

SCRIPTS: Final = (
    *("text.js", "list.js", "charts.js", "chats.js"),
    *("trace.js", "lanes.js", "steps.js", "viewer.js", "report.js"),
)
"""The scripts of the page, in their order: each may use the names of those before it."""
_ESCAPES: Final = str.maketrans({"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"})


def build_page(title: str, facts: dict[str, Any], traces: Iterable[str]) -> str:
    """Return the page; `traces` are those of the chats, in base64."""
    folder = files("chatfsm.replay.report") / "assets"
    texts = [(folder / name).read_text("utf-8") for name in SCRIPTS]
    script = '(() => {\n"use strict";\n' + "\n".join(texts) + "})();\n"
    style = (folder / "report.css").read_text("utf-8")
    policy = (
        f"default-src 'none'; script-src '{_hash(script)}'; style-src '{_hash(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    facts = {
        **facts,
        "version": __version__,
        "states": list(LIFECYCLE.states),
        "finals": sorted(LIFECYCLE.finals),
        "unexpected": [f"{source} {to}" for _, source, to in UNEXPECTED],
    }
    page = (folder / "report.html").read_text("utf-8")
    page = page.replace("<!-- policy -->", policy).replace("<!-- lifecycle -->", lifecycle_svg())
    page = page.replace("<!-- style -->", f"<style>{style}</style>")
    head, _, tail = page.partition("<!-- data -->")
    head = head.replace("<!-- title -->", escape(title))  # last: it may have any text
    data = f'<script type="application/json" id="facts">{script_safe(json_text(facts))}</script>'
    blocks = [
        f'<script type="text/plain" id="trace-{number}">{trace}</script>'
        for number, trace in enumerate(traces)
    ]
    return "\n".join((head, data, *blocks, f"<script>{script}</script>", tail))


def script_safe(text: str) -> str:
    """Return JSON in ASCII that cannot end a script element, nor begin a comment in one."""
    return text.translate(_ESCAPES)


def _hash(text: str) -> str:
    """Return the source expression of an inline script or style."""
    return f"sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}"
