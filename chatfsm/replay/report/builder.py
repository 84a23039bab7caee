"""Builder of the report: replays logs, measures each chat and keeps its trace."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heappop, heappush
from os import PathLike
from typing import Any, Final

from attrs import Factory, define, field, frozen

from chatfsm.errors import UnreadableLogError
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.log_files import open_logs
from chatfsm.replay.metric_totals import THRESHOLD, MetricsReport
from chatfsm.replay.metrics import ChatMetrics, MetricsRecorder
from chatfsm.replay.report.page import build_page
from chatfsm.replay.report.traces import TraceRecorder, clipped
from chatfsm.replay.sources import Source
from chatfsm.replay.stats import ChatStats
from chatfsm.replay.stream_replay import ReplayedChat, StreamReplay
from chatfsm.settings import Settings

__all__ = [
    "MAX_CHATS",
    "MAX_STEPS",
    "SETTINGS",
    "ChatRecorder",
    "ReportBuilder",
    "ReportInput",
    "ReportedChat",
]

MAX_CHATS: Final = 5_000
"""Number of chats whose traces a page holds, unless it is told otherwise."""
MAX_STEPS: Final = 20_000
"""Number of steps of a trace, unless it is told otherwise."""
MAX_ROWS: Final = 100_000
"""Number of chats that a page names; all are in its totals."""
SETTINGS: Final = Settings(explain=True)
"""Settings of the replay: duplicates and late events are steps of a trace, too."""
# Numbers of the human agents on a page, of one chat's parties and of one chat's responses.
_MAX_AGENTS: Final = 1_000
_MAX_NAMES: Final = 20
_MAX_RESPONSES: Final = 2_000


@define
class ReportInput:
    """A file that the report was made of, as the page names it."""

    name: str
    """The name on the page."""
    size: int | None = None
    """Bytes as stored; None if unknown."""
    sha256: str | None = None
    """Of the file as stored, in hexadecimal digits; None if it can be read only once."""
    notes: list[str] = field(factory=list)
    """What was left out, and why it could not be read, for people."""
    path: str = Factory(lambda self: self.name, takes_self=True)
    """The name of its source."""


@frozen
class ReportedChat:
    """A finished chat, as the page holds it."""

    number: int
    """Number of the record that began it, which tells the chats that began first."""
    metrics: ChatMetrics
    """The metrics of the chat, for the charts of the page."""
    row: dict[str, Any]
    """Its row in the table of chats, as JSON values."""
    trace: str | None
    """Its steps; None if the page holds no trace of it."""


@define
class ChatRecorder:
    """Records chats in their `memo`, step by step, until they are finished."""

    places: dict[str, int]
    """The index of each file by the name of its source."""
    max_chats: int = MAX_CHATS
    """Number of chats with a trace, 0 or more, in the order in which they begin."""
    max_steps: int = MAX_STEPS
    """Number of steps of a trace, 1 or more: of a longer chat the first and the last ones."""

    def add(self, chat: ReplayedChat, step: ReplayStep) -> None:
        """Record a step, which has its place."""
        metrics, trace = self._memo_of(chat)
        metrics.add(step.at, step.effects)
        if trace is not None:
            trace.add(step, chat.stats, self._place(step.where))

    def finish(self, chat: ReplayedChat) -> ReportedChat:
        """Return what was recorded of a chat, which is finished."""
        recorder, trace = self._memo_of(chat)
        metrics, (file, place) = recorder.finish(chat.stats), self._place(chat.where)
        row = {**_row(metrics, chat.stats), "input": file, "place": place}
        if trace is None:
            return ReportedChat(chat.number, metrics, row, None)
        written = trace.finish(chat.stats)
        return ReportedChat(chat.number, metrics, {**row, "steps": trace.count}, written)

    def _memo_of(self, chat: ReplayedChat) -> tuple[MetricsRecorder, TraceRecorder | None]:
        if chat.memo is None:
            trace = TraceRecorder(self.max_steps) if chat.index < self.max_chats else None
            chat.memo = MetricsRecorder(), trace
        memo: tuple[MetricsRecorder, TraceRecorder | None] = chat.memo
        return memo

    def _place(self, where: str) -> tuple[int, str]:
        """The file of a step, as an index, and its place there."""
        path, _, place = where.rpartition(": ")
        return self.places[path], place


@define(kw_only=True)
class ReportBuilder:
    """Collects chats, and makes the page of them."""

    title: str = "Chat report"
    """Title of the page, as plain text."""
    command: str = ""
    """The command line, for readers of the page; empty: none."""
    threshold: float = THRESHOLD
    """Seconds, more than 0, within which a chat counts for the service level."""
    max_chats: int = MAX_CHATS
    """Number of chats with a trace, 0 or more, in the order in which they begin."""
    max_steps: int = MAX_STEPS
    """Number of steps of a trace, 1 or more: of a longer chat the first and the last ones."""
    is_scrubbed: bool = False
    """Whether the logs were scrubbed, for readers of the page."""
    inputs: list[ReportInput] = field(factory=list)
    """The files; `read` adds those that are not here."""
    metrics: MetricsReport = field(
        default=Factory(lambda self: MetricsReport(self.threshold), takes_self=True), init=False
    )
    """The metrics of all finished chats."""
    _rows: list[tuple[int, dict[str, Any]]] = field(factory=list, init=False)
    """The number and the row of each chat."""
    _traces: dict[int, str] = field(factory=dict, init=False)
    """The trace of each chat that has one, by its number."""
    _traced: list[int] = field(factory=list, init=False)
    """A heap of these numbers, negative: the last chat to begin comes first."""

    def read(
        self,
        logs: str | PathLike[str] | Iterable[str | PathLike[str] | Source],
        *,
        default_chat_id: str | None = None,
        close_after: float | None = None,
    ) -> None:
        """Replay all chats of recorded files; the arguments are those of `replay_logs`.

        A file that cannot be read is noted in `inputs`, and on the page.
        """
        sources = open_logs(logs)
        known = {one.path for one in self.inputs}
        self.inputs += [ReportInput(one.name) for one in sources if one.name not in known]
        recorder = self.recorder()
        stream = StreamReplay(
            *(SETTINGS, default_chat_id, close_after),
            on_step=recorder.add,
            prefers_received=True,
            locates_all=True,
        )
        for chat in stream.read(sources, on_unreadable=self.add_unreadable, on_note=self.add_note):
            self.add(recorder.finish(chat))

    def recorder(self) -> ChatRecorder:
        """Return a recorder of chats in `inputs`; pass each chat that it finishes to `add`.

        The replay must have `SETTINGS`, and prefer the time of receipt.
        """
        places = {one.path: index for index, one in enumerate(self.inputs)}
        return ChatRecorder(places, self.max_chats, self.max_steps)

    def add(self, chat: ReportedChat) -> None:
        """Add a chat that is finished."""
        self.metrics.add(chat.metrics)
        if len(self._rows) >= MAX_ROWS:
            return
        self._rows.append((chat.number, chat.row))
        if chat.trace is not None:
            self._traces[chat.number] = chat.trace
            heappush(self._traced, -chat.number)
            if len(self._traced) > self.max_chats:
                del self._traces[-heappop(self._traced)]

    def add_unreadable(self, error: UnreadableLogError) -> None:
        """Note on the page why a file could not be read, or not further."""
        self.add_note(str(error))

    def add_note(self, note: str) -> None:
        """Note on the page something about a file, which the note begins with."""
        for one in self.inputs:
            if note.startswith(f"{one.path}: "):
                one.notes.append(note.removeprefix(f"{one.path}: "))
                return
        path, _, text = note.partition(": ")
        self.inputs.append(ReportInput(path, notes=[text]))

    def page(self) -> str:
        """Return the page, as HTML in ASCII."""
        traces: list[str] = []
        rows: list[dict[str, Any]] = []
        for number, row in self._rows:
            trace = self._traces.get(number)
            if trace is None:
                rows.append({name: value for name, value in row.items() if name != "steps"})
            else:
                rows.append({**row, "trace": len(traces)})
                traces.append(trace)
        return build_page(self.title, self._facts(rows), traces)

    def _facts(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "title": self.title,
            "command": self.command,
            "scrubbed": self.is_scrubbed,
            "threshold": self.threshold,
            "inputs": [
                {"name": one.name, "size": one.size, "sha256": one.sha256, "notes": one.notes}
                for one in self.inputs
            ],
            "totals": self.metrics.totals(),
            "agents": [clipped(agent) for agent in self.metrics.by_agent()[:_MAX_AGENTS]],
            "chats": rows,
            "more_chats": len(self.metrics.chats) - len(rows),
        }


def _row(metrics: ChatMetrics, stats: ChatStats) -> dict[str, Any]:
    """The row of a chat in the table: its metrics, and what a reader looks for besides."""
    names = [agent.display_name or agent.party_id for agent in metrics.agents[:_MAX_NAMES]]
    parties = [party.name for party in list(stats.parties.values())[:_MAX_NAMES]]
    return {
        **clipped({**metrics.to_json(), "agents": names, "parties": parties}),
        "response_seconds": list(metrics.response_seconds[:_MAX_RESPONSES]),
        "state": stats.session.state,
        "text": clipped(stats.session.outcome_text or ""),
        "findings": stats.findings(),
        "anomaly_kinds": dict(stats.anomalies),
    }
