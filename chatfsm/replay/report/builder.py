"""Builder of the report: replays logs, measures each chat and keeps its trace."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import Any, Final

from attrs import Factory, define, field

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

__all__ = ["MAX_CHATS", "MAX_STEPS", "ReportBuilder", "ReportInput"]

MAX_CHATS: Final = 5_000
"""Number of chats whose traces a page holds, unless it is told otherwise."""
MAX_STEPS: Final = 20_000
"""Number of steps of a trace, unless it is told otherwise."""
MAX_ROWS: Final = 100_000
"""Number of chats that a page names; all are in its totals."""
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


@define
class _ChatRecord:
    """One chat, while it is replayed."""

    place: tuple[int, str]
    """The index of its first file, and the place there."""
    trace: TraceRecorder | None
    """None if the page holds no more traces."""
    metrics: MetricsRecorder = field(factory=MetricsRecorder)


@define(kw_only=True)
class ReportBuilder:
    """Collects chats, and makes the page of them."""

    title: str = "Chat report"
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
    stream: StreamReplay = field(factory=StreamReplay, init=False)
    """The replay, after `open_stream`."""
    _rows: list[dict[str, Any]] = field(factory=list, init=False)
    _traces: list[str] = field(factory=list, init=False)
    _records: dict[ReplayedChat, _ChatRecord] = field(factory=dict, init=False)
    _begun: int = field(default=0, init=False)
    _places: dict[str, int] = field(factory=dict, init=False)
    """Index of each file by its name."""

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
        stream = self.open_stream(default_chat_id, close_after)
        for chat in stream.read(
            open_logs(logs), on_unreadable=self.add_unreadable, on_note=self.add_note
        ):
            self.add_chat(chat)

    def open_stream(
        self, default_chat_id: str | None = None, close_after: float | None = None
    ) -> StreamReplay:
        """Return a replay whose steps are recorded; pass each chat that it yields to `add_chat`."""
        settings = Settings(explain=True)  # duplicates and late events are steps of a trace too
        self.stream = StreamReplay(
            *(settings, default_chat_id, close_after),
            on_step=self._add_step,
            prefers_received=True,
        )
        return self.stream

    def add_chat(self, chat: ReplayedChat) -> None:
        """Add a chat that is finished."""
        record = self._records.pop(chat, None) or self._new_record()
        metrics = record.metrics.finish(chat.stats)
        self.metrics.add(metrics)
        if len(self._rows) >= MAX_ROWS:
            return
        row = {**_row(metrics, chat.stats), "input": record.place[0], "place": record.place[1]}
        if record.trace is not None:
            trace = record.trace.finish(chat.stats)
            row |= {"trace": len(self._traces), "steps": record.trace.count}
            self._traces.append(trace)
        self._rows.append(row)

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
        return build_page(self.title, self._facts(), self._traces)

    def _facts(self) -> dict[str, Any]:
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
            "chats": self._rows,
            "more_chats": len(self.metrics.chats) - len(self._rows),
        }

    def _add_step(self, chat: ReplayedChat, step: ReplayStep) -> None:
        place = self._place(chat, step)
        record = self._records.get(chat)
        if record is None:
            record = self._records[chat] = self._new_record(place)
        record.metrics.add(step.at, step.effects)
        if record.trace is not None:
            record.trace.add(step, chat.stats, place)

    def _new_record(self, place: tuple[int, str] | None = None) -> _ChatRecord:
        """The record of a chat; without a `place`, of one that has no step."""
        self._begun += 1
        trace = TraceRecorder(self.max_steps) if self._begun <= self.max_chats else None
        return _ChatRecord(place or self._split(self.stream.position), trace)

    def _place(self, chat: ReplayedChat, step: ReplayStep) -> tuple[int, str]:
        """The file of a step, as an index, and its place there."""
        if step.seq < len(chat.unstamped):  # it waited for the first time of its chat
            return self._split(chat.unstamped[step.seq].where)
        return self._split(self.stream.position)

    def _split(self, where: str) -> tuple[int, str]:
        path, _, place = where.rpartition(": ")
        if path not in self._places:
            paths = [one.path for one in self.inputs]
            if path not in paths:
                self.inputs.append(ReportInput(path))
                paths.append(path)
            self._places[path] = paths.index(path)
        return self._places[path], place


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
