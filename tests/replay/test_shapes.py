"""Logs as common tools write them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from chatfsm import events as e
from chatfsm._cli import main
from chatfsm.errors import UnreadableLogError
from chatfsm.replay.formats import records
from chatfsm.replay.reader import Record
from chatfsm.replay.sources import Source

Log = Callable[..., Path]
TEXTS = ["€5 now", "Привет", "plain", "\U0001f642"]
EVENTS = [
    {"chat_id": "C1", "event": "chat_session_message", "msg_id": str(number), "msg": text}
    for number, text in enumerate(TEXTS, start=1)
]
LINES = [json.dumps(event) for event in EVENTS]
SHAPES = {
    "jq": "\n".join(json.dumps(event, indent=2) for event in EVENTS) + "\n",
    "list cut off": "[\n" + ",\n".join(LINES) + ",\n",
    "list with a trailing comma": "[" + ",\n".join(LINES) + ",\n]\n",
    "list whose last item has the bracket": "[" + ",\n".join(LINES[:3]) + f",\n{LINES[3]},]",
    "commas at line ends": ",\n".join(LINES) + "\n",
    "two on a line": f"{LINES[0]}\n{LINES[1]}{LINES[2]}\n{LINES[3]}\n",
    "all on a line": " ".join(LINES),
    "record separators": "".join(f"\x1e{line}\n" for line in LINES),
}


def read(path: Path) -> list[Record]:
    """The records of a file."""
    return list(records(Source(str(path))))


def texts(found: list[Record]) -> list[str | None]:
    """The texts of messages; None for any other event."""
    return [record.event.msg if isinstance(record.event, e.Message) else None for record in found]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_each_shape_holds_the_same_events(log: Log, shape: str, end: str) -> None:
    """All events are read, whatever separates them."""
    found = read(log("a.jsonl", SHAPES[shape].replace("\n", end)))
    assert texts(found) == TEXTS
    assert {record.chat_id for record in found} == {"C1"}


@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_is_split_among_workers(
    log: Log, capsys: pytest.CaptureFixture[str], shape: str
) -> None:
    """Two workers print the output of one process, also for events without a chat_id."""
    text = SHAPES[shape]
    path = log("a.jsonl", text + text.replace('"chat_id": "C1", ', ""))
    printed = []
    for jobs in ("1", "2"):
        assert main(["replay", "--json", "--jobs", jobs, str(path)]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1]
    assert printed[0].count("message_received") > 0


def test_text_after_an_event_on_its_line_is_malformed(log: Log) -> None:
    """Two concurrent writers, one of them cut off: the complete event is read."""
    whole, _, broken = found = read(log("a.jsonl", LINES[0] + "\n" + LINES[1] + LINES[2][:30]))
    assert texts(found) == [*TEXTS[:2], None]
    assert isinstance(broken.event, e.Malformed)
    assert broken.event.raw == LINES[2][:30]
    assert (whole.place, broken.place) == (1, 2)


def test_a_cut_off_stream_of_documents_ends_malformed(log: Log) -> None:
    """The documents before the cut are read."""
    *whole, broken = read(log("a.json", SHAPES["jq"][:-20]))
    assert texts(whole) == TEXTS[:3]
    assert isinstance(broken.event, e.Malformed)


def test_a_stream_of_documents_without_events_is_not_a_log(log: Log) -> None:
    """Documents of another kind are refused."""
    with pytest.raises(UnreadableLogError, match="line 1: not a log of chat events"):
        read(log("a.json", '{\n"a": 1\n}\n{\n"b": 2\n}\n'))


@pytest.mark.parametrize("text", ["[\n", "[\n,\n"])
def test_brackets_alone_are_not_a_log(log: Log, text: str) -> None:
    """A list that was cut off before its first event is an error, not an empty log."""
    with pytest.raises(UnreadableLogError, match="line 1: not a log of chat events"):
        read(log("a.json", text))


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_log_in_utf_16_or_32_is_read(log: Log, encoding: str, *, packed: bool) -> None:
    """Windows writes logs in these encodings, with a byte order mark."""
    text = "\ufeff" + "".join(json.dumps(each, ensure_ascii=False) + "\r\n" for each in EVENTS)
    found = read(log("a.jsonl", text.encode(encoding), packed=packed))
    assert texts(found) == TEXTS
    assert [record.place for record in found] == [1, 2, 3, 4]


def test_a_cut_off_character_is_an_error_after_the_lines_before(log: Log) -> None:
    """A truncated character at the end of a UTF-16 log is reported."""
    data = ("\ufeff" + LINES[0] + "\n").encode("utf-16-le") + b"{"
    stream = records(Source(str(log("a.jsonl", data))))
    assert texts([next(stream)]) == TEXTS[:1]
    with pytest.raises(UnreadableLogError, match=r"cannot be read after line 1: .*truncated"):
        next(stream)


def test_a_lone_surrogate_in_utf_16_harms_no_other_event(log: Log) -> None:
    """A lone surrogate is kept and does not affect other events."""
    text = '\ufeff{"event":"chat_session_message","msg":"\ud83d"}\n' + LINES[0]
    found = read(log("a.jsonl", text.encode("utf-16-le", "surrogatepass")))
    assert texts(found) == ["\ud83d", TEXTS[0]]
