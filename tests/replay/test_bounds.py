"""Bounds for one line, one document and one file; beyond a bound the file is refused."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from chatfsm.errors import UnreadableLogError
from chatfsm.replay import formats, reader, sources
from chatfsm.replay.formats import records
from chatfsm.replay.items import MAX_EVENTS, MAX_VALUES
from chatfsm.replay.sources import MAX_BLANK_LINES, Source

Log = Callable[..., Path]
EVENT = b'{"event":"chat_session_ended"}'
TINY = 4_000_000


def refusal(path: Path) -> tuple[int, str]:
    """The number of records before the error, and the error without the name of the file."""
    places: list[int] = []
    with pytest.raises(UnreadableLogError) as caught:
        places.extend(record.place for record in records(Source(str(path))))
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return len(places), text.removeprefix(f"{path}: ")


def measured(path: Path) -> tuple[tuple[int, str], int]:
    """The refusal of a file, and the peak of memory in bytes."""
    tracemalloc.start()
    try:
        return refusal(path), tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("item", [b"{}", b"1", b"[]"])
@pytest.mark.parametrize("packed", [False, True])
def test_millions_of_items_in_a_line_are_refused(log: Log, item: bytes, *, packed: bool) -> None:
    """A file of some KB cannot keep the reader busy for minutes."""
    line = b'{"events":[' + (item + b",") * TINY + item + b"]}\n"
    path = log("a.jsonl", EVENT + b"\n", line, EVENT, packed=packed)
    found, memory = measured(path)
    assert found == (1, "line 2: more than 2,000,000 values")
    assert memory < 100_000_000


@pytest.mark.parametrize("shape", ["one event", "text of commas", "several on a line"])
def test_other_lines_with_too_many_values_are_refused(log: Log, shape: str) -> None:
    """The bound counts commas, also those in texts."""
    lines = {
        "one event": b'{"event":"chat_session_ended","x":[' + b"0," * MAX_VALUES + b"0]}",
        "text of commas": b'{"event":"chat_session_message","msg":"' + b"," * MAX_VALUES + b'"}',
        "several on a line": b"{} " * MAX_VALUES + b"{}",
    }
    assert refusal(log("a.jsonl", lines[shape])) == (0, "line 1: more than 2,000,000 values")


@pytest.mark.parametrize(
    ("start", "item", "end"),
    [
        (b"[", EVENT + b",", EVENT + b"]"),
        (b'{"events":[', b"{},", b"{}]}"),
        (b'{"sessions":[{"events":[', b"{},", b"{}]}]}"),
        (b'{"sessions":[', b'{"events":[{}]},', b'{"events":[{}]}]}'),
        (b'{"sessions":[', b"{},", b"{}]}"),
        (b"", b"{} ", b"{}"),
        (b"", EVENT + b",", EVENT),
    ],
)
def test_the_number_of_events_in_a_line_is_bounded(
    log: Log, start: bytes, item: bytes, end: bytes
) -> None:
    """The limit itself is allowed; beyond it the error suggests one event on each line."""
    line = start + item * MAX_EVENTS + end
    why = "line 2: more than 100,000 events: write one on each line"
    assert refusal(log("a.jsonl", EVENT + b"\n", line)) == (1, why)


def test_a_line_may_have_as_many_events_as_the_limit(log: Log) -> None:
    """A line with exactly the limit is read completely."""
    path = log("a.jsonl", b"[" + (EVENT + b",") * (MAX_EVENTS - 1) + EVENT + b"]")
    assert sum(1 for _ in records(Source(str(path)))) == MAX_EVENTS


def test_the_number_of_events_in_a_document_is_bounded(log: Log) -> None:
    """The bound of a document is that of a line."""
    path = log("a.json", b'{"events":[\n', b"{},\n" * MAX_EVENTS, b"{}\n]}\n")
    why = "the JSON document has more than 100,000 events: write one on each line"
    assert refusal(path) == (0, why)


def test_a_list_of_events_one_a_line_has_no_bound(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that is too large for one document is read line by line."""
    monkeypatch.setattr(formats, "MAX_VALUES", 50)
    path = log("a.json", b"[\n", (EVENT + b",\n") * 100, EVENT + b"\n]\n")
    assert [record.place for record in records(Source(str(path)))] == [*range(2, 103)]


def test_a_document_with_too_many_values_is_refused(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says why the file was not parsed as one document."""
    monkeypatch.setattr(formats, "MAX_VALUES", 200_000)
    path = log("a.json", b'{"events":[\n', b"{},\n" * 400_000, b"{}\n]}\n")
    (count, why), memory = measured(path)
    assert count == 0
    assert why.startswith("line 1: not a log of chat events: not JSON: ")
    assert why.endswith("; as one document it has more than 256 MiB or 2,000,000 values")
    assert memory < 20_000_000


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b" \t\n"])
@pytest.mark.parametrize("head", [b"", EVENT + b"\n"])
def test_a_file_of_blank_lines_is_refused(log: Log, line: bytes, head: bytes) -> None:
    """A small gzip file of millions of blank lines ends soon, with an error."""
    path = log("a.jsonl", head, line * (12 * MAX_BLANK_LINES), packed=True)
    (count, why), memory = measured(path)
    assert count == (head != b"")
    assert why.endswith(": more than 1,000,000 blank lines in a row")
    number = int(why.removeprefix("line ").partition(":")[0])
    assert MAX_BLANK_LINES * 0.9 < number < MAX_BLANK_LINES * 1.1
    assert memory < 10_000_000


@pytest.mark.parametrize("line", [b"\n", b"\r\n", b"  \t\r\n"])
def test_blank_lines_between_events_are_skipped_and_counted(log: Log, line: bytes) -> None:
    """Blank lines are skipped at little cost, and line numbers stay correct."""
    every = 20_000
    path = log("a.jsonl", (line * every + b" " + EVENT + b"\n") * 20, line, EVENT)
    places = [record.place for record in records(Source(str(path)))]
    assert places == [*((every + 1) * number for number in range(1, 21)), (every + 1) * 20 + 2]


def test_blank_lines_do_not_change_a_broken_line(log: Log) -> None:
    """The text of a malformed line keeps its leading spaces."""
    path = log("a.jsonl", EVENT + b"\n\n  broken \r\n\n", EVENT)
    broken = [record.event for record in records(Source(str(path)))][1]
    assert getattr(broken, "raw", None) == "  broken "


def test_long_broken_lines_at_the_beginning_are_not_kept(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file may begin with a hundred broken lines, but not with a hundred of 64 MiB."""
    monkeypatch.setattr(reader, "MAX_LINE_BYTES", 1_000)
    _, why = refusal(log("a.jsonl", b"x" * 600 + b"\n", b"x" * 600 + b"\n", EVENT))
    assert why.startswith("line 1: not a log of chat events")


def test_workers_have_the_bounds_of_one_process(
    log: Log, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bound is reported once, for any number of workers."""
    from chatfsm._cli import main  # noqa: PLC0415  # for this alone

    monkeypatch.setattr(sources, "MAX_BLANK_LINES", 10)
    event = json.dumps({"chat_id": "C1", "event": "chat_session_ended"})
    path = log("a.jsonl", event + "\n", "\n" * 200_000, event)
    printed = []
    for jobs in ("1", "3"):
        assert main(["replay", "--jobs", jobs, str(path)]) == 2
        printed.append(capsys.readouterr())
    assert printed[0] == printed[1]
    assert printed[0].err.count("blank lines") == 1
