"""Pictures of the README and the pages: output of commands, and the lifecycle of a session.

`python -m tests.draw` redraws them; a test compares their texts with the current output.
"""

from __future__ import annotations

import io
import os
import re
from contextlib import redirect_stdout
from pathlib import Path
from xml.etree import ElementTree as ET

from rich.console import Console
from rich.text import Text

from chatfsm._cli import main
from chatfsm._session.tables import LIFECYCLE, UNEXPECTED

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "pictures"
WIDTH = 96
ROWS = 19  # of a replay
STYLE = """<style>
rect { fill: #f6f8fa; stroke: #57606a }
.page { fill: #ffffff; stroke: none }
.group rect { fill: #ffffff; stroke-dasharray: 4 4 }
.final rect { fill: #fff8e6; stroke: #9a6700 }
text { font: 13px system-ui, sans-serif; fill: #24292f; text-anchor: middle }
.note { font-size: 11.5px; fill: #57606a }
path { fill: none; stroke: #57606a }
</style>"""


def printed(*words: str) -> str:
    """Return the output of a command, in colours."""
    os.environ["COLUMNS"] = str(WIDTH)
    with redirect_stdout(io.StringIO()) as out:
        assert main([*words, "--color", "always"]) == 0
    return out.getvalue()


def demo() -> str:
    """Return the beginning of the demo's timeline, and its result."""
    blocks = printed("demo").split("\n\n")
    [timeline] = [block for block in blocks if "What chatfsm reports" in block]
    [result] = [block for block in blocks if "received by the customer" in block]
    shown = [*timeline.split("\n")[:6], "  …", "", *result.split("\n")]
    return "\n".join(line.rstrip() for line in shown)


def replay() -> str:
    """Return the beginning of a replay."""
    lines = printed("replay", str(ROOT / "tests" / "logs" / "transfer.jsonl")).split("\n")
    return "\n".join([*lines[:ROWS], "  …"])


def terminal(command: str, text: str) -> str:
    """Return a terminal with a text in colours, as SVG.

    Fonts are local ones: rich would load its own from another site.
    """
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for line in text.split("\n"):
        console.print(Text.from_ansi(line), no_wrap=True, overflow="ellipsis")
    name = command.split(maxsplit=1)[0]
    svg = console.export_svg(title=f"chatfsm {command}", unique_id=name)
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code", "ui-monospace, Menlo, Consolas")


def lifecycle() -> str:
    """Return the states of a session and their transitions, as SVG.

    Nearly every live state leads to every other, so they are drawn as groups: the states that lead
    to all that are not final, the states to which all lead, and the final ones.
    """
    live = [state for state in LIFECYCLE.states if state not in LIFECYCLE.finals]
    expected = {
        (source, to)
        for source in live
        for trigger, to in LIFECYCLE.moves[source].items()
        if (trigger, source, to) not in UNEXPECTED
    }
    middle = [to for to in live if all((one, to) in expected for one in live if one != to)]
    first = [state for state in live if state not in middle]
    final = [to for to in LIFECYCLE.states if to in LIFECYCLE.finals]
    assert all((one, to) in expected for one in live for to in final)
    return "\n".join(
        [
            '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 772 126" role="img">',
            STYLE,
            '<rect class="page" width="772" height="126"/>',
            *(box(state, 14, 52) for state in first),
            arrow(112, 146),
            '<g class="group"><rect x="148" y="10" width="324" height="106" rx="12"/></g>',
            '<text class="note" x="310" y="29">each of them to each other</text>',
            *boxes(middle, 158, 38, columns=3),
            arrow(472, 548),
            '<text class="note" x="508" y="59">from every</text>',
            '<text class="note" x="508" y="83">state</text>',
            *boxes(final, 556, 34, columns=2, kind="final"),
            "</svg>\n",
        ]
    )


def boxes(states: list[str], x: int, y: int, *, columns: int, kind: str = "") -> list[str]:
    """Return states in rows, as SVG; the first is at x and y."""
    return [
        box(state, x + number % columns * 104, y + number // columns * 37, kind)
        for number, state in enumerate(states)
    ]


def box(state: str, x: int, y: int, kind: str = "") -> str:
    """Return a state as SVG, 98 units wide and 30 high."""
    return (
        f'<g class="{kind}"><rect x="{x}" y="{y}" width="98" height="30" rx="15"/>'
        f'<text x="{x + 49}" y="{y + 19}">{state.replace("_", " ")}</text></g>'
    )


def arrow(x: int, to: int) -> str:
    """Return an arrow to the right as SVG."""
    return f'<path d="M{x} 67H{to}m-7 -4l7 4l-7 4"/>'


PICTURES = {
    "demo.svg": lambda: terminal("demo", demo()),
    "replay.svg": lambda: terminal("replay transfer.jsonl", replay()),
    "lifecycle.svg": lifecycle,
}


def texts(svg: str) -> list[str]:
    """Return the texts of a picture in their order, with all times replaced by the same one.

    Versions of rich draw the same text with other numbers, and no demo takes as long as another.
    """
    found = [
        "".join(one.itertext()).replace("\xa0", " ").strip()
        for one in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314  # our own
    ]
    return [re.sub(r"^\+\d+\.\d", "+0.0", text) for text in found if text]
