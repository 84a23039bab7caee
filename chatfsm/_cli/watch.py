"""Command `chatfsm watch`: shows the chats of a store, again and again or once."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from attrs import asdict

from chatfsm._cli import ExitCode
from chatfsm._cli.terminal import STYLES, style_for
from chatfsm._cli.terminal_text import harmless_text
from chatfsm._cli.watch_reader import ChatRow, StoreReader, sort_rows
from chatfsm.errors import ChatError

__all__ = ["run"]

_PIPE_WIDTH: Final = 200
"""Columns in a pipe, where no line is wrapped or cut."""
_WIDE: Final = 125
"""Columns from which a terminal has place for all of the table."""
_BESIDE: Final = {True: 104, False: 64}
"""Columns of a wide and of a narrow table beside the names of the chats."""
_STATE_WIDTH: Final = len("establishing")
_FRAME: Final = 5
"""Lines of the screen around the rows: head, rule, summary, and the number of other chats."""
_LINK_STYLES: Final = {
    "live": STYLES["good"],
    "waiting": STYLES["state"],
    "retrying": "yellow",
    "unauthorized": STYLES["bad"],
    "over": STYLES["quiet"],
}
_LONGEST: Final = 100
"""Columns of a name or a reason in a pipe; a record of a stranger may have any."""
_MOST: Final = 9_999
"""The largest count, and the largest number of days, that is shown as it is."""
_LATE: Final = 10.0
"""Seconds after its deadline from which a chat seems to have no driver."""
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def run(options: Namespace) -> int:
    """Show the store that the command line names; return the exit code."""
    reader = StoreReader(Path(options.store))
    if options.json:
        return _print_json(reader, options)
    if find_spec("rich") is None:
        raise ChatError("the table needs rich: pip install 'chatfsm[cli]'; or use --json")
    if options.once or not sys.stdout.isatty():
        rows = reader.read()
        width = style_for(sys.stdout, options.color).width
        _console(options).print(_page(rows, options, time.time(), width=width, height=None))
        return _status(rows)
    return _show(reader, options)


def _console(options: Namespace) -> Any:
    """Return the console of rich for standard output."""
    from rich.console import Console  # noqa: PLC0415  # an extra, needed here only

    style = style_for(sys.stdout, options.color)
    console = style.console(sys.stdout, style.width or _PIPE_WIDTH)
    return console or Console(
        file=sys.stdout, no_color=True, highlight=False, width=None if style.width else _PIPE_WIDTH
    )


def _status(rows: list[ChatRow]) -> int:
    is_bad = any(row.error is not None for row in rows)
    return ExitCode.FAILURE if is_bad else ExitCode.SUCCESS


def _show(reader: StoreReader, options: Namespace) -> int:
    """Show the table until Ctrl-C; what cannot be read now may be readable later."""
    from rich.live import Live  # noqa: PLC0415  # an extra, needed here only
    from rich.text import Text  # noqa: PLC0415

    console = _console(options)
    rows = reader.read()
    try:
        with Live(console=console, screen=True, auto_refresh=False) as live:
            while True:
                width, height = console.size
                page = _page(rows, options, time.time(), width=width, height=height)
                live.update(page, refresh=True)
                time.sleep(options.every)
                try:
                    rows = reader.read()
                except ChatError as error:
                    live.update(Text(harmless_text(str(error)), STYLES["bad"]), refresh=True)
                    time.sleep(options.every)
    except KeyboardInterrupt:
        console.print(_summary(rows, time.time(), has_keys=options.keys))
    return ExitCode.SUCCESS


def _page(
    rows: list[ChatRow], options: Namespace, wall: float, *, width: int | None, height: int | None
) -> Any:
    """Return the table and the summary; with a height, only as many rows as fit."""
    from rich.console import Group  # noqa: PLC0415  # an extra, needed here only
    from rich.text import Text  # noqa: PLC0415

    shown = [row for row in sort_rows(rows) if options.all or not row.is_over]
    count = len(shown) if height is None else max(1, height - _FRAME)
    parts: list[Any] = [_table(shown[:count], options, wall, width)]
    if len(shown) > count:
        parts.append(Text(f"… and {len(shown) - count:,} more", "dim"))
    return Group(*parts, _summary(rows, wall, has_keys=options.keys))


def _table(rows: list[ChatRow], options: Namespace, wall: float, width: int | None) -> Any:
    """Return the table; of more columns than a narrow terminal has it shows the important ones."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415  # an extra, needed here only
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    is_wide = width is None or width >= _WIDE
    names = ["key", "chat"] if options.keys and is_wide else ["key" if options.keys else "chat"]
    place = _LONGEST if width is None else max(8, (width - _BESIDE[is_wide]) // len(names))
    for name in names:
        table.add_column(name, no_wrap=True, max_width=place)
    table.add_column("state", no_wrap=True, max_width=_LONGEST if width is None else _STATE_WIDTH)
    table.add_column("link", no_wrap=True)
    numbers = _NUMBERS if is_wide else _NARROW
    for name in numbers:
        heading = name if is_wide else _SHORT.get(name, name)
        table.add_column(heading, no_wrap=True, justify="right")
    for row in rows:
        called = {"key": row.key, "chat": row.chat_id or ("-" if row.error is None else "?")}
        cells = [Text(harmless_text(called[name])) for name in names]
        if row.error is not None:
            table.add_row(*cells, Text(harmless_text(row.error), STYLES["bad"]))
            continue
        cells += [Text(row.state or "-"), Text(row.link, _LINK_STYLES[row.link])]
        values = {
            "silent": _span(row.answered_at, wall),
            "saved": _span(row.saved_at, wall),
            "due": _due(row.due, wall),
            **{name: _count(getattr(row, name)) for name in _COUNTS},
            "agent": "yes" if row.has_agent else "-",
        }
        table.add_row(*cells, *(values[name] for name in numbers))
    return table


_COUNTS: Final = ("queued", "unhandled", "failures", "forms", "anomalies")
_NARROW: Final = ("silent", "due", "queued", "unhandled", "failures")
_NUMBERS: Final = ("silent", "saved", "due", *_COUNTS, "agent")
_HOW_TO_NAME: Final = " (--keys names them)"
_SHORT: Final = {"queued": "queue", "unhandled": "unread", "failures": "fail"}


def _summary(rows: list[ChatRow], wall: float, *, has_keys: bool) -> Any:
    from rich.text import Text  # noqa: PLC0415  # an extra, needed here only

    totals = _totals(rows, wall)
    parts = [f"{totals['chats']:,} {'chat' if totals['chats'] == 1 else 'chats'}"]
    parts += [f"{count:,} {link}" for link, count in totals["links"].items()]
    if totals["unreadable"]:
        parts.append(f"{totals['unreadable']:,} unreadable" + ("" if has_keys else _HOW_TO_NAME))
    parts.append(f"{totals['queued']:,} queued")
    if totals["oldest_silence"] is not None:
        parts.append(f"silent for {_seconds(totals['oldest_silence'])}")
    now = time.strftime("%H:%M:%S", time.localtime(wall))
    return Text(f"{', '.join(parts)}; {now}", "bold", overflow="fold")


def _totals(rows: list[ChatRow], wall: float) -> dict[str, Any]:
    """Return the totals of all rows; silence counts for chats that are not over."""
    readable = [row for row in rows if row.error is None]
    links = Counter(row.link for row in readable)
    silences = [
        max(0.0, wall - row.answered_at)
        for row in readable
        if row.answered_at is not None and not row.is_over
    ]
    return {
        "chats": len(readable),
        "unreadable": len(rows) - len(readable),
        "links": {link: links[link] for link in _LINK_STYLES if links[link]},
        "queued": sum(row.queued for row in readable),
        "unhandled": sum(row.unhandled for row in readable),
        "oldest_silence": max(silences, default=None),
    }


def _print_json(reader: StoreReader, options: Namespace) -> int:
    """Print the chats and the totals as one JSON document."""
    rows, wall = reader.read(), time.time()
    shown = [row for row in sort_rows(rows) if options.all or not row.is_over]
    chats = [_plain(row, has_key=options.keys) for row in shown]
    document = {"at": wall, "totals": _totals(rows, wall), "chats": chats}
    sys.stdout.write(json.dumps(document, indent=1) + "\n")
    return _status(rows)


def _plain(row: ChatRow, *, has_key: bool) -> dict[str, Any]:
    """Return a row as a JSON object; without its key unless that is to be shown."""
    plain = asdict(row)
    if row.error is not None:
        plain = {"key": row.key, "error": row.error}
    if not has_key:
        del plain["key"]
    return plain


def _count(count: int) -> str:
    return f"{_MOST}+" if count > _MOST else str(count or "-")


def _due(due: float | None, wall: float) -> Any:
    """Return when the driver is to act. If that is past, perhaps no process drives the chat."""
    from rich.text import Text  # noqa: PLC0415  # an extra, needed here only

    if due is None or due >= wall:
        return "-" if due is None else _seconds(due - wall)
    late = wall - due
    return Text(f"-{_seconds(late)}", STYLES["bad"] if late > _LATE else "")


def _span(at: float | None, wall: float) -> str:
    return "-" if at is None else _seconds(wall - at)


def _seconds(seconds: float) -> str:
    """Return a duration in its largest unit: `42 s`, `12 min`, `5 h`, `3 d`; 0 if it is over."""
    left = min(max(0.0, seconds), _MOST * _DAY)
    for unit, size in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if left >= 2 * size:
            return f"{left / size:.0f} {unit}"
    return f"{left:.0f} s"
