"""Exports: rows, tables and logs for process mining, read back."""

from __future__ import annotations

import csv
import json
import sys
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from chatfsm import ChatSession, commands
from chatfsm._cli import main
from chatfsm._client.journal import stamp
from chatfsm.errors import ChatError
from chatfsm.inputs import Sent, Tick
from chatfsm.replay import Recorded, export_tables, measure_logs
from chatfsm.replay.export import COLUMNS, FORMATS, KINDS, export_logs, step_rows, writer_for
from chatfsm.replay.export_mining import time_text, xml_text
from chatfsm.replay.log_files import open_logs
from chatfsm.replay.schema import schema
from chatfsm.replay.stream_replay import StreamReplay

LOGS = Path(__file__).resolve().parent.parent / "logs"
RECORDED = sorted(str(path) for path in LOGS.iterdir() if path.suffix != ".md")
NAMES = [column.name for column in COLUMNS]
NS = "{http://www.xes-standard.org/}"

CHAT = [
    {"event": "chat_session_status", "state": "queued", "ewt": 5, "timestamp": 1700000000},
    {
        "event": "chat_session_party_joined",
        "party_id": "a1",
        "type": "internal",
        "display_name": "=cmd",
        "timestamp": 1700000010.5,
    },
    {
        "event": "chat_session_message",
        "party_id": "a1",
        "msg_id": "m1",
        "msg": 'Hi \ud800\x00<b>&"',
        "timestamp": 1700000011,
    },
    {
        "event": "chat_session_form_show",
        "form_request_id": "f1",
        "form_name": "survey",
        "form_timeout": 4,
        "timestamp": 1700000012,
    },
    {"event": "chat_session_party_left", "party_id": "a1", "timestamp": 1700000020},
    {"event": "chat_session_ended", "timestamp": 1700000021},
]


@pytest.fixture
def log(tmp_path: Path) -> str:
    """A log of one chat whose agent has a formula as name, with a text that XML forbids."""
    path = tmp_path / "chat.jsonl"
    path.write_text("".join(f"{json.dumps(event)}\n" for event in CHAT))
    return str(path)


def rows_of(*paths: str) -> list[dict[str, Any]]:
    """All rows of the logs, before they are written."""
    rows: list[dict[str, Any]] = []
    stream = StreamReplay(
        on_step=lambda chat, step: rows.extend(step_rows(chat, step)), prefers_received=True
    )
    list(stream.read(open_logs(paths)))
    return rows


def test_rows_of_a_chat(log: str) -> None:
    """Each event is followed by its effects; parties, messages and forms have columns."""
    rows = rows_of(log)
    assert [(row["seq"], row["kind"], row["name"], row["state"]) for row in rows] == [
        (0, "event", "status", "queued"),
        (0, "effect", "state_changed", "queued"),
        (0, "effect", "wait_estimated", "queued"),
        (1, "event", "party_joined", "queued"),
        (1, "effect", "party_added", "queued"),
        (2, "event", "message", "queued"),
        (2, "effect", "message_received", "queued"),
        (3, "event", "form_show", "queued"),
        (3, "effect", "form_opened", "queued"),
        (4, "effect", "form_closed", "queued"),  # at its deadline
        (4, "event", "party_left", "queued"),
        (4, "effect", "party_removed", "queued"),
        (5, "event", "ended", "ended"),
        (5, "effect", "state_changed", "ended"),
        (5, "effect", "terminated", "ended"),
    ]
    assert [row["row"] for row in rows] == list(range(15))
    assert {row["chat_id"] for row in rows} == {"chat"}
    message, closed, removed, terminated = rows[6], rows[9], rows[11], rows[14]
    assert message["at"] == "2023-11-14T22:13:31Z"
    assert message["at_seconds"] == 1700000011.0
    assert message["text"] == 'Hi \ufffd\x00<b>&"'
    for row in (rows[3], rows[4], rows[5], message, removed):
        assert (row["party_id"], row["party_type"], row["party_name"]) == ("a1", "internal", "=cmd")
    assert message["msg_id"] == "m1"
    assert rows[8]["request_id"] == closed["request_id"] == "f1"
    assert (closed["reason"], closed["at_seconds"]) == ("expired", 1700000016.0)
    assert (terminated["reason"], terminated["data"]) == ("ended", None)
    assert json.loads(rows[1]["data"]) == {"previous": "establishing", "state": "queued"}


def test_rows_have_the_published_columns() -> None:
    """Every row of the recorded logs has the columns in order, and fits the schema."""
    validator = pytest.importorskip("jsonschema").Draft202012Validator(schema("export"))
    rows = rows_of(*RECORDED)
    assert len(rows) > 1_000
    for row in rows:
        assert list(row) == NAMES
        assert [error.message for error in validator.iter_errors(row)] == []


def test_rows_of_a_journal(tmp_path: Path) -> None:
    """Commands and other inputs have their own kinds; a tick has no row."""
    path = tmp_path / "journal.jsonl"
    with path.open("w") as file:
        session = Recorded(ChatSession("chat-1"), file.write)
        session.receive(commands.SendText("hello"), now=5.0)
        session.receive(Tick(), now=6.0)
        session.receive(Sent(["1"]), now=7.0)
    rows = rows_of(str(path))
    assert [(row["kind"], row["name"]) for row in rows] == [
        ("command", "send_text"),
        ("effect", "send_events"),
        ("input", "sent"),
        ("effect", "message_sent"),
    ]
    assert {row["kind"] for row in rows} < {*KINDS}
    assert rows[0]["text"] == "hello"
    assert [row["at"] for row in rows] == [None] * 4


def test_a_journal_with_the_time_of_day(tmp_path: Path) -> None:
    """The time of receipt takes precedence over the session's clock."""
    path = tmp_path / "journal.jsonl"
    with path.open("w") as file:
        session = Recorded(ChatSession("chat-1"), lambda line: file.write(stamp(line, 1.7e9)))
        session.receive(commands.SendText("hello"), now=5.0)
    assert {row["at"] for row in rows_of(str(path))} == {"2023-11-14T22:13:20Z"}
    [chat] = measure_logs([str(path)])
    assert chat.started_at == 1.7e9


# Tables.


def test_csv(log: str, tmp_path: Path) -> None:
    """All values are exported; a text that begins like a formula gets an apostrophe."""
    out = tmp_path / "out.csv"
    rows = rows_of(log)
    assert export_logs([log], out, "csv") == len(rows)
    with out.open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    assert len(read) == len(rows)
    for found, row in zip(read, rows, strict=True):
        expected = {name: "" if value is None else str(value) for name, value in row.items()}
        if row["party_name"]:
            expected["party_name"] = "'=cmd"
        assert found == expected


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_no_cell_is_a_formula(start: str) -> None:
    """Texts are escaped; numbers stay numbers."""
    assert export_tables.safe_cell(f"{start}1") == f"'{start}1"
    assert export_tables.safe_cell(-1.5) == -1.5


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parquet has typed rows in bounded groups, and descriptions of its columns."""
    parquet = pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr(export_tables, "ROW_GROUP", 100)
    out = tmp_path / "out.parquet"
    count = export_logs(RECORDED, out, "parquet")
    file = parquet.ParquetFile(out)
    assert file.metadata.num_row_groups == -(-count // 100)
    assert file.read().to_pylist() == rows_of(*RECORDED)
    fields = {field.name: field for field in file.schema_arrow}
    assert list(fields) == NAMES
    for column in COLUMNS:
        assert fields[column.name].nullable == column.is_optional
        assert fields[column.name].metadata[b"description"].decode() == column.doc


def test_parquet_names_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow the error names the extra."""
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ChatError, match=r"pip install 'chatfsm\[parquet\]'"):
        writer_for("parquet", tmp_path / "out.parquet")


def test_another_format_is_refused(tmp_path: Path) -> None:
    """The error names the formats."""
    with pytest.raises(ValueError, match="must be one of csv, parquet, xes, ocel, not 'xml'"):
        writer_for("xml", tmp_path / "out")


# Process mining.


def test_xes(tmp_path: Path) -> None:
    """XES has a trace for each chat, with its effects in order and standard attributes."""
    out = tmp_path / "out.xes"
    export_logs(RECORDED, out, "xes")
    root = ET.parse(out).getroot()  # noqa: S314  # our own file
    assert root.tag == f"{NS}log"
    effects: dict[str, list[str]] = {}
    for row in rows_of(*RECORDED):
        if row["kind"] == "effect":
            effects.setdefault(row["chat_id"], []).append(row["name"])
    found = {}
    for trace in root.iter(f"{NS}trace"):
        events = [
            {part.get("key"): part.get("value") for part in event}
            for event in trace.iter(f"{NS}event")
        ]
        found[trace[0].get("value")] = [event["concept:name"] for event in events]
        for event in events:
            assert event["lifecycle:transition"] == "complete"
            assert datetime.fromisoformat(str(event["time:timestamp"])).year >= 1970
    assert found == effects


def test_xes_is_well_formed_for_hostile_text(log: str, tmp_path: Path) -> None:
    """Characters that XML forbids are replaced; all others are unchanged."""
    out = tmp_path / "out.xes"
    export_logs([log], out, "xes")
    texts = [each.get("value") for each in ET.parse(out).iter() if each.get("key") == "text"]  # noqa: S314
    assert texts == ['Hi \ufffd\ufffd<b>&"', ""]
    hostile = "".join(map(chr, [*range(0x300), 0xD7FF, 0xE000, 0xFFFD, 0xFFFE, 0xFFFF, 0x10FFFF]))
    [value] = ET.fromstring(f"<a b={xml_text(hostile)}/>").attrib.values()  # noqa: S314
    assert len(value) == len(hostile)
    assert value.replace("\ufffd", "") == "".join(
        each
        for each in hostile
        if each in "\t\n\r" or (each >= " " and each not in "\ufffd\ufffe\uffff")
    )


def test_ocel(tmp_path: Path) -> None:
    """Types are declared, ids are unique, and each relation refers to an object."""
    out = tmp_path / "out.json"
    export_logs(RECORDED, out, "ocel")
    log = json.loads(out.read_text())
    assert set(log) == {"objectTypes", "eventTypes", "objects", "events"}
    objects = {each["id"]: each["type"] for each in log["objects"]}
    assert len(objects) == len(log["objects"])
    assert set(objects.values()) == {each["name"] for each in log["objectTypes"]}
    assert len({each["id"] for each in log["events"]}) == len(log["events"])
    rows = [row for row in rows_of(*RECORDED) if row["kind"] == "effect"]
    assert [each["type"] for each in log["events"]] == [row["name"] for row in rows]
    assert {each["type"] for each in log["events"]} <= {each["name"] for each in log["eventTypes"]}
    for event, row in zip(log["events"], rows, strict=True):
        related = {each["qualifier"]: each["objectId"] for each in event["relationships"]}
        assert {objects[each] for each in related.values()} == set(related)
        assert ("party" in related) == (row["party_id"] is not None)
        assert ("message" in related) == (row["msg_id"] is not None)


def test_an_agent_of_two_chats_is_one_object(tmp_path: Path) -> None:
    """A party is one object for all chats; messages and forms are separate for each chat."""
    path, out = tmp_path / "chats.jsonl", tmp_path / "out.json"
    lines = [{"chat_id": chat, **event} for chat in ("c1", "c2") for event in CHAT]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    export_logs([str(path)], out, "ocel")
    objects = [each["id"] for each in json.loads(out.read_text())["objects"]]
    assert sorted(objects) == [
        *("chat:c1", "chat:c2", "form:c1/f1", "form:c2/f1"),
        *("message:c1/m1", "message:c2/m1", "party:a1"),
    ]


def test_pm4py_reads_both(log: str, tmp_path: Path) -> None:
    """pm4py finds all chats, events and objects, also in the hostile log."""
    pm4py = pytest.importorskip("pm4py")
    paths = [*RECORDED, log]
    rows = [row for row in rows_of(*paths) if row["kind"] == "effect"]
    export_logs(paths, tmp_path / "out.xes", "xes")
    with warnings.catch_warnings(action="ignore"):  # about a faster library
        frame = pm4py.read_xes(str(tmp_path / "out.xes"))
    assert list(frame["concept:name"]).count("message_received") > 100
    assert len(frame) == len(rows)
    assert set(frame["case:concept:name"]) == {row["chat_id"] for row in rows}
    export_logs(paths, tmp_path / "out.json", "ocel")
    ocel = pm4py.read_ocel2_json(str(tmp_path / "out.json"))
    assert len(ocel.events) == len(rows)
    assert set(ocel.objects["ocel:type"]) == {"chat", "party", "form", "message"}


def test_times_beyond_the_calendar() -> None:
    """Times outside the calendar are clamped."""
    assert time_text(12.5) == "1970-01-01T00:00:12.500+00:00"
    assert time_text(-5.0) == "1970-01-01T00:00:00.000+00:00"
    assert time_text(1e300) == "9999-12-31T23:59:59.000+00:00"


def test_a_chat_that_is_not_finished_is_written(log: str, tmp_path: Path) -> None:
    """A writer that is closed early leaves a complete file."""
    writer = writer_for("xes", tmp_path / "out.xes")
    for row in rows_of(log):
        writer.add(1, row)
    writer.finish(2)  # a chat without rows
    writer.close()
    assert len([*ET.parse(tmp_path / "out.xes").iter(f"{NS}event")]) == 9  # noqa: S314


# The command.


@pytest.mark.parametrize("to", FORMATS)
def test_the_command_writes_the_bytes_of_the_library(to: str, tmp_path: Path) -> None:
    """The bytes are equal, with one worker and with two."""
    if to == "parquet":
        pytest.importorskip("pyarrow")
    files = [path for path in RECORDED if "transfer" in path or "two_chats" in path]
    export_logs(files, tmp_path / "library", to)
    for jobs in ("1", "2"):
        out = tmp_path / f"jobs{jobs}"
        assert main(["export", *files, "--to", to, "-o", str(out), "--jobs", jobs]) == 0
        assert out.read_bytes() == (tmp_path / "library").read_bytes()


def test_the_command_overwrites_only_with_force(
    log: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without --force an existing file is kept; a directory is never replaced."""
    out = tmp_path / "out.csv"
    out.write_text("mine")
    call = ["export", log, "--to", "csv", "-o"]
    assert main([*call, str(out)]) == 2
    assert "--force overwrites it" in capsys.readouterr().err
    assert out.read_text() == "mine"
    assert main([*call, str(out), "--force"]) == 0
    assert out.read_text().startswith("chat_id,row,")
    assert capsys.readouterr().err == "chatfsm: 15 rows of 1 chat\n"
    assert main([*call, str(tmp_path), "--force"]) == 2
    assert main([*call, str(tmp_path / "nowhere" / "out.csv")]) == 2
    assert "cannot write" in capsys.readouterr().err
    assert {path.name for path in tmp_path.iterdir()} == {"out.csv", "chat.jsonl"}


def test_a_file_that_cannot_be_read(log: str, tmp_path: Path) -> None:
    """The other files are exported; if none can be read, nothing is written."""
    out = tmp_path / "out.csv"
    missing = str(tmp_path / "missing.jsonl")
    assert main(["export", missing, "--scrub", "--to", "csv", "-o", str(out)]) == 2
    assert not out.exists()
    scrubbed = tmp_path / "scrubbed.csv"
    assert main(["export", missing, log, "--scrub", "--to", "csv", "-o", str(scrubbed)]) == 2
    assert len(scrubbed.read_text().splitlines()) == 16
    assert main(["export", missing, "--to", "csv", "-o", str(out)]) == 2
    assert not out.exists()
    assert main(["export", missing, log, "--to", "csv", "-o", str(out)]) == 2
    assert len(out.read_text().splitlines()) == 16


def test_scrubbed_exports_have_no_texts_and_names(
    log: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """States, times and the order of effects are kept; the same key gives the same file."""
    monkeypatch.setenv("CHATFSM_SCRUB_KEY", "secret")
    outs = [tmp_path / "1.csv", tmp_path / "2.csv"]
    for out in outs:
        call = ["export", log, "--scrub", "--chat", "chat", "--to", "csv", "-o", str(out)]
        assert main(call) == 0
    assert outs[0].read_bytes() == outs[1].read_bytes()
    with outs[0].open(encoding="utf-8", newline="") as file:
        read = list(csv.DictReader(file))
    kept = ("seq", "at", "kind", "name", "state", "party_type")
    plain = [{name: str(row[name] or "") for name in kept} for row in rows_of(log)]
    assert [{name: row[name] for name in kept} for row in read] == [
        {**row, "seq": row["seq"] or "0"} for row in plain
    ]
    text = outs[0].read_text()
    assert not any(secret in text for secret in ("cmd", "Hi ", ",a1,", "survey", "chat,"))


def test_scrubbed_exports_keep_the_times_of_receipt(tmp_path: Path) -> None:
    """Events without a timestamp have the time of receipt."""
    path, out = tmp_path / "chat.jsonl", tmp_path / "out.csv"
    path.write_text('{"event": "chat_session_ended", "received_at": "2026-01-01T12:00:00Z"}\n')
    assert main(["export", str(path), "--scrub", "--to", "csv", "-o", str(out)]) == 0
    with out.open(encoding="utf-8", newline="") as file:
        assert {row["at"] for row in csv.DictReader(file)} == {"2026-01-01T12:00:00Z"}
