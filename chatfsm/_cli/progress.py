"""Progress: a bar for long input. It needs rich, of the extra `cli`; without it, there is none."""

from __future__ import annotations

import sys
import time
from importlib.util import find_spec
from typing import Any, Final

from chatfsm._cli.terminal_text import harmless_text
from chatfsm.replay.sources import ReadPosition, Source

__all__ = ["ProgressBar"]

# Input that takes less than a second needs no bar; redrawn more often than this, it flickers.
_DELAY: Final = 1.0
_REDRAW: Final = 0.2


class ProgressBar:
    """A progress bar on standard error; shown only on a terminal, with rich, for long input."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted and sys.stderr.isatty() and find_spec("rich") is not None
        self._is_beside_output = sys.stdout.isatty()
        self._next = time.monotonic() + _DELAY
        self._bar: tuple[Any, Any] | None = None

    def show(self, source: Source | ReadPosition, events: int) -> None:
        """Draw the bar, unless it was drawn a moment ago."""
        if not self._wanted or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _REDRAW
        bar, task = self._bar or self._start()
        bar.update(
            task,
            description=f"{harmless_text(source.stem)}: {events:,} events",
            completed=source.position,
            total=source.size,
        )
        bar.refresh()

    def clear_for_output(self) -> None:
        """Remove the bar before output is printed, if that goes to a terminal, too."""
        if self._is_beside_output:
            self.hide()

    def hide(self) -> None:
        """Remove the bar; the next `show` draws it again."""
        if self._bar is not None:
            self._bar[0].stop()
            self._bar = None

    def _start(self) -> tuple[Any, Any]:
        from rich.console import Console  # noqa: PLC0415  # an extra, needed here only
        from rich.progress import BarColumn, TaskProgressColumn, TextColumn  # noqa: PLC0415
        from rich.progress import Progress as Bar  # noqa: PLC0415

        bar = Bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(),
            console=Console(stderr=True),
            transient=True,
            auto_refresh=False,
        )
        self._bar = bar, bar.add_task("", total=None)
        bar.start()
        return self._bar
