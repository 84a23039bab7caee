"""Timelines of `chatfsm replay`: the output for people, chat by chat, or as rows come."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from io import StringIO
from typing import Any, Final

from attrs import evolve

from chatfsm._cli.terminal import Columns, TerminalStyle
from chatfsm._cli.timeline import Row, TimeForm, Timeline
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.stats import Totals
from chatfsm.replay.stream_replay import ReplayedChat

__all__ = ["StreamedTimelines", "Timelines"]

# The first widths of the columns of rows that are printed as they come: a time, most kinds of rows,
# and "customer".
_COLUMNS: Final = (6, 8, 8)
# Rows of a chat after Ctrl-C on a terminal, where hundreds of chats may be open.
_LAST_ROWS: Final = 10


class Timelines:
    """Output for people: a verdict and a timeline per chat, printed when the chat is finished."""

    wants_steps = True
    head = ""
    separator = "\n"

    def __init__(
        self,
        style: TerminalStyle,
        rows: int | None,
        times: TimeForm = "relative",
        *,
        only_findings: bool = False,
    ) -> None:
        self._buffer = StringIO()
        self._style = style
        self._printer = style.printer(self._buffer)
        self._rows = rows
        self._times: TimeForm = times
        self._only_findings = only_findings
        self._last_limit: int | None = None
        """Rows of each chat from `limit_rows` on."""

    def __reduce__(self) -> tuple[Callable[..., Timelines], tuple[Any, ...]]:
        """Pickle the settings only: in another process it starts empty."""
        make = partial(Timelines, only_findings=self._only_findings)
        return make, (self._style, self._rows, self._times)

    def step_text(self, chat: ReplayedChat, step: ReplayStep) -> str:
        """Keep the rows of the step; they are printed with the chat."""
        if self._only_findings:
            if not step.findings:
                return ""
            step = evolve(step, effects=step.findings)
        self._timeline(chat).add(step)
        return ""

    def chat_text(self, chat: ReplayedChat) -> str:
        """The verdict and the timeline."""
        timeline = self._timeline(chat)
        if self._last_limit is not None:
            timeline.cut(self._last_limit)
        if not self._only_findings or chat.stats.findings():
            self._printer.print(timeline)
        return self._take_text()

    def limit_rows(self, limit: int) -> None:
        """Print at most so many rows of each chat that is not yet finished."""
        self._last_limit = limit

    def totals_text(self, totals: Totals) -> str:
        """The number of chats and messages, if there was more than one chat."""
        if totals.sessions > 1:
            self._printer.note(f"{totals.sessions} chats, {totals.messages} messages")
        return self._take_text()

    def _timeline(self, chat: ReplayedChat) -> Timeline:
        if chat.memo is None:
            chat.memo = Timeline(chat.stats, self._rows, self._times)
        timeline: Timeline = chat.memo
        return timeline

    def _take_text(self) -> str:
        text = self._buffer.getvalue()
        self._buffer.seek(0)
        self._buffer.truncate()
        return text


class StreamedTimelines(Timelines):
    """Output on a terminal: one chat is printed as it goes, the others when they are finished.

    The verdict follows the rows. The chat that is printed is the first one that has a row after the
    one before is finished. Rows in the middle of a chat that may be left out wait for its end.
    """

    separator = ""

    def __init__(self, *given: Any, only_findings: bool = False) -> None:
        super().__init__(*given, only_findings=only_findings)
        self._current: ReplayedChat | None = None
        self._columns = Columns()
        self._last: ReplayedChat | None = None
        """The chat of the last row that was printed."""
        self._is_first = True

    def step_text(self, chat: ReplayedChat, step: ReplayStep) -> str:
        """The rows of the step, if its chat is printed as it goes."""
        super().step_text(chat, step)
        if self._current is None and chat.memo is not None:
            self._current, self._columns = chat, Columns(*_COLUMNS)
        return self._next_rows(chat, self._columns) if chat is self._current else ""

    def chat_text(self, chat: ReplayedChat) -> str:
        """The rest of the chat, or all of it, and the verdict."""
        timeline = self._timeline(chat)
        is_current = chat is self._current
        if is_current:
            self._current = None
        if self._only_findings and not chat.stats.findings():
            return ""
        if self._last_limit is not None and chat is not self._last:
            timeline.cut(self._last_limit)
        columns = self._columns if is_current else Columns()
        text = self._next_rows(chat, columns, list(timeline.rows()))
        if not self._is_first:
            self._buffer.write("\n")
        self._printer.print_verdict(timeline)
        self._is_first, self._last = False, None
        return text + self._take_text()

    def limit_rows(self, limit: int) -> None:
        """Print no more than a few rows of each chat that is not yet finished."""
        super().limit_rows(min(limit, _LAST_ROWS))

    def _next_rows(
        self, chat: ReplayedChat, columns: Columns, rows: list[Row] | None = None
    ) -> str:
        """The next rows of a chat, under its name if rows of another one stand above."""
        timeline = self._timeline(chat)
        is_continued = timeline.is_begun
        taken = timeline.take_rows()
        rows = taken if rows is None else rows
        if not rows:
            return ""
        if chat is not self._last:
            if not self._is_first:
                self._buffer.write("\n")
            note = "continued" if is_continued else ""
            self._printer.print_heading(chat.session.chat_id, note)
        self._is_first, self._last = False, chat
        self._printer.print_rows(rows, columns)
        return self._take_text()
