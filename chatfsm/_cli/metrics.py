"""Command `chatfsm metrics`: waits, responses, handling and outcomes of recorded chats."""

from __future__ import annotations

import csv
import json
import sys
from argparse import Namespace
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, Final

import cattrs
from attrs import define, field

from chatfsm._cli import parallel
from chatfsm._cli.output_file import write_file
from chatfsm._cli.progress import ProgressBar
from chatfsm._cli.replay import ReplayReporter
from chatfsm._cli.replay_outputs import Printer
from chatfsm._cli.terminal import padded
from chatfsm._cli.terminal_text import harmless_text
from chatfsm._plain import json_text
from chatfsm._session.tables import LIFECYCLE, OUTCOMES
from chatfsm.errors import ChatError
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.export_tables import safe_cell
from chatfsm.replay.metric_totals import MetricsReport
from chatfsm.replay.metrics import ChatMetrics, finish_metrics, record_step
from chatfsm.replay.stats import Totals
from chatfsm.replay.stream_replay import ReplayedChat

__all__ = ["ChatDocuments", "MetricsReporter", "run"]

_Row = dict[str, Any]
_STATES: Final = [state for state in LIFECYCLE.states if state not in OUTCOMES]
# The table of chats on a terminal has these columns; the other formats have all.
_CHAT_COLUMNS: Final = (
    "chat_id",
    "started_at",
    "duration_seconds",
    "outcome",
    "answered",
    "queue_seconds",
    "first_response_seconds",
    "response_seconds_median",
    "handle_seconds",
    "transfers",
)
# Names and ids may be thousands of characters long.
_MAX_CELL: Final = 40
_DAY_COLUMNS: Final = (
    "day",
    "chats",
    "answered",
    "abandoned",
    "abandonment_rate",
    "asa_seconds",
    "aht_seconds",
    "service_level",
)


class ChatDocuments:
    """Output of a worker or of the only process: the metrics of each chat as one JSON text."""

    wants_steps = True
    head = separator = ""

    def step_text(self, chat: ReplayedChat, step: ReplayStep) -> str:
        """No text: the step is recorded until the chat is finished."""
        record_step(chat, step)
        return ""

    def chat_text(self, chat: ReplayedChat) -> str:
        """The metrics of the chat."""
        return json_text(cattrs.unstructure(finish_metrics(chat)))

    def totals_text(self, _totals: Totals) -> str:
        """No text: the reporter has the metrics."""
        return ""


@define
class MetricsReporter(ReplayReporter):
    """Collects the metrics of all chats, and prints them at the end."""

    report: MetricsReport = field(kw_only=True)

    def report_texts(self, texts: Sequence[str]) -> None:
        """Add finished chats."""
        for text in texts:
            self.report.add(cattrs.structure(json.loads(text), ChatMetrics))

    def finish(self, options: Namespace, verified: int) -> int:  # noqa: ARG002  # no journals here
        """Print the metrics, and return the exit code."""
        self.progress.hide()
        _WRITERS[options.format](options, self.report)
        return self.status


def run(options: Namespace) -> int:
    """Measure as the command line says; return the exit code."""
    if options.format == "parquet" and not options.output:
        raise ChatError("parquet is no text: name a file with --output")
    return parallel.run(options, _reporter_for)


def _reporter_for(options: Namespace) -> ReplayReporter:
    output = ChatDocuments()
    report = MetricsReport(options.threshold)
    printer, progress = Printer(sys.stdout, output), ProgressBar(wanted=True)
    return MetricsReporter(output, printer, progress, report=report)


# Formats.


def _rows_of(options: Namespace, report: MetricsReport) -> list[_Row]:
    """The rows that --per asks for."""
    match options.per:
        case "chat":
            return [chat.to_json() for chat in report.chats]
        case "agent":
            return report.by_agent()
        case "day":
            return report.by_day()
    return [report.totals()]


def _write_json(options: Namespace, report: MetricsReport) -> None:
    """Write one document: everything, and the days if they are asked for."""
    document = report.to_json()
    if options.per == "day":
        document["days"] = report.by_day()
    _write_text(options, json_text(document) + "\n")


def _write_csv(options: Namespace, report: MetricsReport) -> None:
    """Write a line for each row, with all columns."""
    out = StringIO()
    rows = [_flat(row) for row in _rows_of(options, report)]
    writer = csv.DictWriter(out, list(_columns(options.per)), lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: safe_cell(value) for name, value in row.items()} for row in rows)
    _write_text(options, out.getvalue())


def _write_parquet(options: Namespace, report: MetricsReport) -> None:
    """Write a Parquet file with the columns of the CSV."""
    try:
        pa: Any = import_module("pyarrow")  # an extra, needed here only
        parquet: Any = import_module("pyarrow.parquet")
    except ModuleNotFoundError as error:
        raise ChatError("Parquet needs pyarrow: pip install 'chatfsm[parquet]'") from error
    rows = [_flat(row) for row in _rows_of(options, report)]
    kinds = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    schema = pa.schema([(name, kinds[kind]) for name, kind in _columns(options.per).items()])
    parquet.write_table(pa.Table.from_pylist(rows, schema=schema), options.output)


def _write_table(options: Namespace, report: MetricsReport) -> None:
    """Write aligned columns for people."""
    rows = _rows_of(options, report)
    if options.per == "total":
        _write_text(
            options, _aligned([[name, _for_people(name, rows[0][name])] for name in rows[0]])
        )
        return
    wanted = {"chat": _CHAT_COLUMNS, "day": _DAY_COLUMNS, "agent": tuple(_columns("agent"))}
    names = wanted[options.per]
    lines = [[_for_people(name, row[name]) for name in names] for row in rows]
    _write_text(options, _aligned([list(names), *lines]))


def _for_people(name: str, value: Any) -> str:
    """A value as a person reads it: seconds with one decimal, shares in percent."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name in {"abandonment_rate", "service_level"}:
        return f"{value:.1%}"
    if isinstance(value, float):
        return f"{value:.1f}"
    text = harmless_text(str(value))
    return text if len(text) <= _MAX_CELL else f"{text[: _MAX_CELL - 1]}…"


def _aligned(lines: list[list[str]]) -> str:
    """Lines with two spaces between the columns, which are as wide as their widest text."""
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]
    padded_lines = (
        "  ".join(padded(text, width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    return "\n".join(padded_lines) + "\n"


def _write_text(options: Namespace, text: str) -> None:
    if not options.output:
        sys.stdout.write(text)
        return
    try:
        write_file(Path(options.output), [text])
    except OSError as error:
        raise ChatError(f"cannot write {options.output}: {error.strerror}") from error


_WRITERS: Final[dict[str, Callable[[Namespace, MetricsReport], None]]] = {
    "table": _write_table,
    "json": _write_json,
    "csv": _write_csv,
    "parquet": _write_parquet,
}


# Columns of the flat formats.


def _flat(row: _Row) -> _Row:
    """A row without nesting: `messages_agent`; a list is one text with spaces."""
    flat: _Row = {}
    for name, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{part}": number for part, number in value.items()}
        else:
            flat[name] = " ".join(value) if isinstance(value, list) else value
    return flat


def _columns(per: str) -> dict[str, type]:
    """The columns and their types, of a table with these rows."""
    empty = MetricsReport()
    match per:
        case "chat":
            return _CHAT_TYPES
        case "agent":
            return _AGENT_TYPES
    totals: dict[str, type] = dict.fromkeys(empty.totals(), float)
    totals |= dict.fromkeys(("chats", "answered", "abandoned"), int)
    return {"day": str, **totals} if per == "day" else totals


def _named(kind: type, names: Iterable[str]) -> dict[str, type]:
    return dict.fromkeys(names, kind)


_CHAT_TYPES: Final = {
    **_named(str, ("chat_id", "started_at", "ended_at")),
    "duration_seconds": float,
    "outcome": str,
    **_named(bool, ("answered", "abandoned")),
    **_named(float, ("queue_seconds", "first_response_seconds")),
    "responses": int,
    **_named(float, ("response_seconds_median", "response_seconds_p90", "handle_seconds")),
    "transfers": int,
    **_named(float, (f"state_seconds_{state}" for state in _STATES)),
    **_named(int, (f"messages_{side}" for side in ("customer", "agent", "scenario"))),
    "files": int,
    "agent_typing_seconds": float,
    **_named(int, (f"forms_{end}" for end in ("opened", "submitted", "cancelled", "expired"))),
    "form_answer_seconds_median": float,
    "warnings": int,
    "agents": str,
    **_named(int, ("duplicates", "unknown", "malformed", "anomalies", "late")),
}
_AGENT_TYPES: Final = {
    **_named(str, ("party_id", "display_name")),
    **_named(int, ("chats", "messages")),
    **_named(float, ("handle_seconds", "first_response_seconds_median")),
}
