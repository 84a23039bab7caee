"""Export: the events and effects of recorded chats as tables, and as logs for process mining.

>>> import tempfile, pathlib
>>> from chatfsm.replay.export import COLUMNS, export_logs
>>> out = pathlib.Path(tempfile.mkdtemp()) / "chat.csv"
>>> export_logs(["tests/logs/late.jsonl"], out, "csv")
31
>>> out.read_text().splitlines()[1][:49]
'late,0,0,2025-04-04T08:00:00Z,1743753600.0,event,'

A row is one event, one input of a journal, or one effect, in the order in which they happened; the
effects of an event follow it. `COLUMNS` is the published schema of the rows, and
`chatfsm schema export` prints it. Formats: csv; parquet, which needs the extra `parquet`; xes, the
XML of IEEE 1849; and ocel, the JSON of OCEL 2.0. The last two have the effects only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, get_args

from chatfsm._plain import json_safe, snake_case, to_plain
from chatfsm._session.session import ChatSession
from chatfsm.commands import Command
from chatfsm.effects import to_json
from chatfsm.events import Event
from chatfsm.inputs import Tick
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.journal import input_to_json
from chatfsm.replay.log_files import open_logs
from chatfsm.replay.metrics import utc_text
from chatfsm.replay.stream_replay import ReplayedChat, StreamReplay

__all__ = [
    "COLUMNS",
    "FORMATS",
    "KINDS",
    "Column",
    "ExportRow",
    "ExportWriter",
    "export_logs",
    "step_rows",
    "without_surrogates",
    "writer_for",
]

FORMATS: Final = ("csv", "parquet", "xes", "ocel")
"""Names of the formats."""
KINDS: Final = ("event", "command", "input", "effect")
"""Kinds of rows; a journal alone has commands of the app and other inputs."""

ExportRow = dict[str, Any]
"""The values of a row by the names of `COLUMNS`."""


class Column(NamedTuple):
    """A column: its name, the type of its values, whether they may be None, its description."""

    name: str
    """Name of the column in the table."""
    type: type[str | int | float]
    """Python type of its values: str, int or float."""
    is_optional: bool
    """Whether a value may be None."""
    doc: str
    """Description of the column, for the schema of the table."""


COLUMNS: Final = (
    Column("chat_id", str, False, "Id of the chat."),
    Column("row", int, False, "Number of the row in its chat, from 0."),
    Column("seq", int, False, "Number of the event in its chat, from 0; its effects have it too."),
    Column("at", str, True, "Time in UTC, as ISO 8601; null if the log has no time of day."),
    Column("at_seconds", float, False, "Seconds on the clock of the log, mostly since 1970."),
    Column("kind", str, False, "event, effect, or in a journal command or input."),
    Column("name", str, False, "Name of the event or effect, such as message_received."),
    Column("state", str, False, "State of the session after the event."),
    Column("party_id", str, True, "The party that it is about."),
    Column("party_type", str, True, "Type of that party, such as internal for an agent."),
    Column("party_name", str, True, "Name of that party."),
    Column("msg_id", str, True, "The message that it is about."),
    Column("text", str, True, "Text of a message, a warning, an end or an anomaly."),
    Column("request_id", str, True, "The form that it is about."),
    Column("reason", str, True, "Why, or which kind: of an anomaly, or of an end."),
    Column("data", str, True, "All other fields, as JSON."),
)
"""The columns of a table, in their order; new ones are added at the end."""

# For each column the fields with its value, the first of them that there is.
_FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "party_id": ("party_id",),
    "msg_id": ("msg_id", "ref_msg_id"),
    "text": ("text", "msg_text", "msg"),
    "request_id": ("request_id", "form_request_id"),
    "reason": ("reason", "outcome", "kind", "why"),
}
# Values in an effect whose fields count as its own.
_PARTS: Final = ("message", "party", "form", "file", "location")
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_COMMANDS: Final = get_args(Command)
_EVENTS: Final = get_args(Event)


def step_rows(chat: ReplayedChat, step: ReplayStep) -> Iterator[ExportRow]:
    """Yield the rows of a step; the chat's `memo` counts its rows."""
    for kind, name, fields in _items(step):
        number: int = chat.memo or 0
        chat.memo = number + 1
        row = {
            "chat_id": chat.session.chat_id,
            "row": number,
            "seq": step.seq,
            "at": utc_text(step.at),
            "at_seconds": step.at,
            "kind": kind,
            "name": name,
            "state": chat.session.state,
            **_values(fields, chat.session),
        }
        yield {name: without_surrogates(value) for name, value in row.items()}


def _items(step: ReplayStep) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the kind, name and fields of what happened in a step."""
    item = step.item
    if isinstance(item, _EVENTS):
        yield "event", snake_case(type(item)), to_plain(item)
    elif item is not None and not isinstance(item, Tick):
        plain = input_to_json(item)
        yield "command" if isinstance(item, _COMMANDS) else "input", plain.pop("input"), plain
    for effect in step.effects:
        plain = to_json(effect)
        yield "effect", plain.pop("effect"), plain


def _values(fields: dict[str, Any], session: ChatSession) -> dict[str, Any]:
    """Return the values of the columns that depend on the fields; `data` has the rest."""
    for name in _PARTS:
        if isinstance(part := fields.get(name), Mapping):
            fields = {**fields, name: dict(part)}
    parts = [fields, *(fields[name] for name in _PARTS if isinstance(fields.get(name), dict))]
    values = {column: _take(parts, names) for column, names in _FIELDS.items()}
    described = [fields.get("party"), *(part.get("sender") for part in parts)]
    described += [to_plain(each) for each in session.parties if each.party_id == values["party_id"]]
    described += [fields] if "display_name" in fields else []
    rest = {name: value for name, value in fields.items() if value not in ({}, [], None, "")}
    return {
        "party_id": values["party_id"],
        "party_type": _first(described, "type"),
        "party_name": _first(described, "display_name"),
        "msg_id": values["msg_id"],
        "text": values["text"],
        "request_id": values["request_id"],
        "reason": values["reason"],
        "data": json.dumps(json_safe(rest), sort_keys=True) if rest else None,
    }


def _first(described: Iterable[Mapping[str, Any] | None], name: str) -> str | None:
    """Return the first text of this name that the descriptions of a party have."""
    found = (each.get(name) for each in described if each)
    return next((text for text in found if isinstance(text, str)), None)


def _take(parts: list[dict[str, Any]], names: tuple[str, ...]) -> str | None:
    """Remove the first text that some fields have, and return it."""
    for part in parts:
        for name in names:
            if isinstance(part.get(name), str):
                text: str = part.pop(name)
                return text
    return None


def without_surrogates(value: Any) -> Any:
    """Return a text without half characters, which no file can hold; other values as they are."""
    if isinstance(value, str) and not value.isascii():
        return _SURROGATES.sub("\ufffd", value)
    return value


# Writers.


class ExportWriter(Protocol):
    """Writes the rows of many chats to one file."""

    def add(self, chat: int, row: ExportRow, /) -> None:
        """Write a row; `chat` is the number of its chat, which differs from all others."""

    def finish(self, chat: int, /) -> None:
        """End a chat: no row of it follows."""

    def close(self) -> None:
        """Write the rest, and close the file."""


def writer_for(kind: str, path: str | PathLike[str]) -> ExportWriter:
    """Return the writer of one of `FORMATS`, which writes a new file or overwrites one.

    Raises ValueError for another format, `ChatError` if the library of its extra is missing, and
    OSError if the file cannot be written.
    """
    from chatfsm.replay import export_mining, export_tables  # noqa: PLC0415  # they import this one

    writers: dict[str, Callable[[Path], ExportWriter]] = {
        "csv": export_tables.CsvWriter,
        "parquet": export_tables.ParquetWriter,
        "xes": export_mining.XesWriter,
        "ocel": export_mining.OcelWriter,
    }
    if kind not in writers:
        raise ValueError(f"the format must be one of {', '.join(FORMATS)}, not {kind!r}")
    return writers[kind](Path(path))


def export_logs(
    paths: Iterable[str | PathLike[str]], path: str | PathLike[str], to: str = "csv"
) -> int:
    """Replay recorded logs, write the rows to a file, and return how many there were.

    `paths`: as those of `open_logs`. Times are those of receipt, where the log has them. Raises as
    `writer_for` does, and `UnreadableLogError` if a log cannot be read.
    """
    writer = writer_for(to, path)
    count = 0

    def add(chat: ReplayedChat, step: ReplayStep) -> None:
        nonlocal count
        for row in step_rows(chat, step):
            writer.add(chat.number, row)
            count += 1

    try:
        stream = StreamReplay(on_step=add, prefers_received=True)
        for chat in stream.read(open_logs(paths)):
            writer.finish(chat.number)
    finally:
        writer.close()
    return count
