"""The format of a file is detected by its content."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from chatfsm import events as e
from chatfsm.errors import UnreadableLogError
from chatfsm.replay import formats
from chatfsm.replay.formats import Record, records
from chatfsm.replay.sources import Source

Log = Callable[..., Path]
STATUS = '{"event":"chat_session_status","state":"queued"}\n'
ENDED = '{"event":"chat_session_ended"}\n'


@frozen
class Found:
    """The parts of a record that the tests compare."""

    chat_id: str | None
    kind: str
    unit: str
    place: int


def found(path: Path) -> list[Found]:
    """The records of a file, in short."""
    return [
        Found(record.chat_id, type(record.event).__name__, record.unit, record.place)
        for record in records(Source(str(path)))
    ]


def in_lines(*kinds: str, chat_id: str | None = None) -> list[Found]:
    """One record on each line, from line 1 on."""
    return [Found(chat_id, kind, "line", place) for place, kind in enumerate(kinds, start=1)]


def events_of(path: Path) -> list[e.Event]:
    """The events of a file."""
    return [record.event for record in records(Source(str(path)))]


def refusal(path: Path) -> str:
    """The error for a file that is not a log, without its name."""
    with pytest.raises(UnreadableLogError) as caught:
        list(records(Source(str(path))))
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def test_raw_events_one_a_line(log: Log) -> None:
    """JSON lines are a log."""
    assert found(log("a.jsonl", STATUS, ENDED)) == in_lines("Status", "Ended")


def test_one_event_on_one_line_is_a_log(log: Log) -> None:
    """A log of a single event is read."""
    assert found(log("a.json", ENDED)) == in_lines("Ended")


def test_one_event_over_many_lines_is_a_log(log: Log) -> None:
    """A single pretty-printed event is a document."""
    path = log("a.json", json.dumps(json.loads(STATUS), indent=2))
    assert found(path) == [Found(None, "Status", "event", 1)]


def test_replies_one_a_line(log: Log) -> None:
    """Each line may be the envelope of one poll, empty ones too; the place is its line."""
    path = log(
        "polls.jsonl",
        f'{{"events":[{STATUS.strip()},{ENDED.strip()}]}}\n',
        '{"events":[]}\n',
        f'{{"events":[{ENDED.strip()}]}}\n',
    )
    assert found(path) == [
        Found(None, "Status", "line", 1),
        Found(None, "Ended", "line", 1),
        Found(None, "Ended", "line", 3),
    ]


def test_events_lists_and_envelopes_may_be_mixed(log: Log) -> None:
    """Each line has its own shape."""
    path = log("mixed.jsonl", STATUS, f"[{STATUS.strip()}]\n", f'{{"events":[{ENDED.strip()}]}}\n')
    assert found(path) == in_lines("Status", "Status", "Ended")


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("shape", ["envelope", "list"])
def test_one_document_on_one_line_or_many(log: Log, shape: str, indent: int | None) -> None:
    """An envelope or a list is read completely, however it is printed."""
    items = [json.loads(STATUS), json.loads(ENDED)]
    value: object = {"events": items} if shape == "envelope" else items
    path = log("a.json", json.dumps(value, indent=indent))
    unit, last = ("line", 1) if indent is None else ("event", 2)
    assert found(path) == [Found(None, "Status", unit, 1), Found(None, "Ended", unit, last)]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_case_history_keeps_its_sessions_apart(log: Log, indent: int | None) -> None:
    """The chat_id of a session applies to its events."""
    value = {
        "sessions": [
            {"chat_id": "a", "created_time": 1, "events": [json.loads(STATUS)]},
            {"chat_id": "b", "created_time": 2, "events": []},
            {"chat_id": "c", "created_time": 3, "events": [json.loads(ENDED)]},
        ]
    }
    path = log("case.json", json.dumps(value, indent=indent))
    assert [(each.chat_id, each.kind) for each in found(path)] == [("a", "Status"), ("c", "Ended")]


@pytest.mark.parametrize(
    "session", [None, 17, "text", [], {}, {"chat_id": "a"}, {"events": 5}, {"events": {}}]
)
def test_a_malformed_session_does_not_affect_others(log: Log, session: object) -> None:
    """A malformed session of a case history does not affect the other sessions."""
    good = {"chat_id": "a", "events": [json.loads(STATUS)]}
    path = log("case.json", json.dumps({"sessions": [good, session, good]}))
    (_, broken, _) = events_of(path)
    assert broken == e.Malformed(None, session, "no session of a case history")


@pytest.mark.parametrize(
    "value",
    [
        {"event": "chat_session_ended", "chat_id": "a"},
        {"events": [{"event": "chat_session_ended"}], "chat_id": "a"},
        {"events": [{"event": "chat_session_ended", "chat_id": "a"}]},
        {"events": [{"event": "chat_session_ended", "chat_id": "a"}], "chat_id": "other"},
        [{"event": "chat_session_ended", "chat_id": "a"}],
        {"sessions": [{"chat_id": "a", "events": [{"event": "chat_session_ended"}]}]},
        {"sessions": [{"events": [{"event": "chat_session_ended", "chat_id": "a"}]}]},
        {
            "sessions": [
                {"chat_id": "b", "events": [{"event": "chat_session_ended", "chat_id": "a"}]}
            ]
        },
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_the_innermost_chat_id_counts(log: Log, value: object, indent: int | None) -> None:
    """The chat_id of an event takes precedence over those of its envelope and session."""
    (each,) = found(log("a.json", json.dumps(value, indent=indent)))
    assert (each.chat_id, each.kind) == ("a", "Ended")


def test_a_chat_id_is_not_a_field_of_the_event(log: Log) -> None:
    """The chat_id is removed, so that the event is as the server sent it."""
    (event,) = events_of(log("a.jsonl", '{"event":"chat_session_ended","chat_id":"a","x":1}\n'))
    assert event == e.Ended(extra={"x": 1})


def test_a_chat_id_may_be_a_number(log: Log) -> None:
    """A number becomes its digits, as everywhere in the protocol."""
    (each,) = found(log("a.jsonl", '{"event":"chat_session_ended","chat_id":17}\n'))
    assert each.chat_id == "17"


@pytest.mark.parametrize("chat_id", [{"a": 1}, ["a"], True, "x" * 1_025])
def test_an_invalid_chat_id_stays_with_the_event(log: Log, chat_id: object) -> None:
    """A value that cannot be a chat_id is kept as an unknown field."""
    path = log("a.jsonl", {"event": "chat_session_ended", "chat_id": chat_id})
    (record,) = records(Source(str(path)))
    assert record.chat_id is None
    assert record.event == e.Ended(extra={"chat_id": chat_id})


@pytest.mark.parametrize("chat_id", [None, ""])
def test_an_empty_chat_id_counts_as_missing(log: Log, chat_id: object) -> None:
    """Null and "" are no chat_id; that of the envelope applies."""
    item = {"event": "chat_session_ended", "chat_id": chat_id}
    (each,) = found(log("a.jsonl", {"chat_id": "outer", "events": [item]}))
    assert each.chat_id == "outer"


@pytest.mark.parametrize(
    "data",
    [
        b"\xef\xbb\xbf" + STATUS.encode() + ENDED.encode(),
        STATUS.replace("\n", "\r\n").encode() + ENDED.replace("\n", "\r\n").encode(),
        STATUS.encode() + ENDED.rstrip().encode(),
        b"  " + STATUS.encode() + b"\t" + ENDED.encode(),
        STATUS.encode() + b"\xef\xbb\xbf" + ENDED.encode(),
    ],
    ids=["byte order mark", "CRLF", "no newline at the end", "indented", "mark in the middle"],
)
def test_changes_of_editors_are_tolerated(log: Log, data: bytes) -> None:
    """Byte order marks, line ends and surrounding spaces are not part of a line."""
    assert found(log("a.jsonl", data)) == in_lines("Status", "Ended")


def test_a_document_may_start_with_a_mark(log: Log) -> None:
    """A byte order mark before a pretty-printed document is skipped."""
    text = json.dumps({"events": [json.loads(STATUS)]}, indent=1).replace("\n", "\r\n")
    assert found(log("a.json", b"\xef\xbb\xbf" + text.encode())) == [
        Found(None, "Status", "event", 1)
    ]


def test_a_document_may_be_utf_16(log: Log) -> None:
    """JSON in UTF-16 is read completely."""
    text = json.dumps([json.loads(STATUS), json.loads(ENDED)], indent=1)
    assert [each.kind for each in found(log("a.json", text.encode("utf-16")))] == [
        "Status",
        "Ended",
    ]


def test_blank_lines_are_skipped_and_counted(log: Log) -> None:
    """Line numbers count blank lines, as editors do."""
    path = log("a.jsonl", "\n \r\n", STATUS, "\n\t\n", ENDED, "\n")
    assert found(path) == [Found(None, "Status", "line", 3), Found(None, "Ended", "line", 6)]


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\n\t", b'{"events":[]}', b"[]"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_without_events_is_an_empty_log(log: Log, data: bytes, *, packed: bool) -> None:
    """A file without events is an empty log, not an error."""
    assert found(log("empty.jsonl", data, packed=packed)) == []


def test_a_case_history_without_sessions_is_an_empty_log(log: Log) -> None:
    """A case history without sessions is an empty log, not an error."""
    assert found(log("case.json", '{\n"sessions": []\n}')) == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"event": \n', "not JSON: "),
        (b"\xfd\xfe\xff\n", "not text: "),
        (b"5\n", "neither an event nor an envelope of events"),
        (b'"text"\n', "neither an event nor an envelope of events"),
        (b'{"state":"queued"}\n', "neither an event nor an envelope of events"),
        (b'{"events":{}}\n', "neither an event nor an envelope of events"),
        (b'{"sessions":7}\n', "neither an event nor an envelope of events"),
        pytest.param(b"[" * 100_000 + b"\n", "not read: nested too deep", id="deep"),
    ],
)
def test_a_broken_line_is_malformed_among_good_ones(log: Log, line: bytes, why: str) -> None:
    """A malformed line affects no other line, keeps its text and has a reason."""
    path = log("a.jsonl", STATUS, line, ENDED)
    assert found(path) == in_lines("Status", "Malformed", "Ended")
    broken = events_of(path)[1]
    assert isinstance(broken, e.Malformed)
    assert broken.why.startswith(why)
    assert broken.raw == line.decode("utf-8", "backslashreplace").rstrip("\r\n")


def test_the_last_line_may_be_cut(log: Log) -> None:
    """A log that is still being written may end with a malformed line."""
    assert found(log("a.jsonl", STATUS, ENDED[:20])) == in_lines("Status", "Malformed")


@pytest.mark.parametrize("line", [b'{"event": \n', b"5\n", b"\x00\x01\xff\n", b"# a comment\n"])
def test_the_first_line_may_be_broken(log: Log, line: bytes) -> None:
    """A malformed first line is reported once a valid line shows that the file is a log."""
    path = log("a.jsonl", "\n", line, "\n", STATUS, ENDED)
    assert found(path) == [
        Found(None, "Malformed", "line", 2),
        Found(None, "Status", "line", 4),
        Found(None, "Ended", "line", 5),
    ]


def test_a_log_may_start_with_ninety_nine_broken_lines(log: Log) -> None:
    """A valid line within the first hundred shows that the file is a log."""
    path = log("a.jsonl", *["broken\n"] * 99, ENDED)
    assert found(path) == in_lines(*["Malformed"] * 99, "Ended")


def test_a_hundred_broken_lines_are_not_a_log(log: Log) -> None:
    """After a hundred malformed lines the file is refused with the error of the first."""
    path = log("a.jsonl", "\n", *["broken\n"] * 100, ENDED)
    assert refusal(path) == "line 2: not a log of chat events: this is plain text"


def test_broken_lines_later_are_never_too_many(log: Log) -> None:
    """Once a file is known as a log, any number of its lines may be malformed."""
    path = log("a.jsonl", ENDED, *["broken\n"] * 150)
    assert found(path) == in_lines("Ended", *["Malformed"] * 150)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"just a text\n", "line 1: not a log of chat events: this is plain text"),
        (b"\x7fELF\x00\x01\x02\xff\n\x00", "not a log of chat events: this is a program (ELF)"),
        (bytes(range(256)) * 40, "line 1: not a log of chat events: this is binary data of an "),
        (b'{"chat": "available"}', "line 1: not a log of chat events: neither an event nor "),
        (b"17", "line 1: not a log of chat events: neither an event nor "),
        (b"null\nnull\n", "line 1: not a log of chat events: neither an event nor "),
        (b'{\n"chat": "available"\n}', "the JSON document contains no chat events"),
        (b'"event"', "line 1: not a log of chat events: neither an event nor "),
        (b'{"event": "chat_session_ended"', "line 1: not a log of chat events: not JSON: "),
    ],
)
def test_another_file_is_refused(log: Log, data: bytes, why: str) -> None:
    """The error for another file has place and reason."""
    assert refusal(log("a.bin", data)).startswith(why)


def test_a_refusal_quotes_no_content(log: Log) -> None:
    """The error quotes no content of the file."""
    assert "secret" not in refusal(log("a.txt", b"the secret is 17\n"))


def test_a_document_that_is_too_large_is_read_line_by_line(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log with a malformed first line may have any size: it is not one document."""
    monkeypatch.setattr(formats, "_MAX_DOCUMENT_BYTES", 200)
    path = log("a.jsonl", "broken\n", *[STATUS] * 50)
    assert found(path) == in_lines("Malformed", *["Status"] * 50)


def test_a_document_up_to_the_limit_is_parsed_at_once(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit itself is allowed."""
    text = json.dumps([json.loads(STATUS)], indent=1)
    monkeypatch.setattr(formats, "_MAX_DOCUMENT_BYTES", len(text))
    path = log("a.json", text)
    assert found(path) == [Found(None, "Status", "event", 1)]
    monkeypatch.setattr(formats, "_MAX_DOCUMENT_BYTES", len(text) - 1)
    assert refusal(path).startswith("line 1: not a log of chat events")


def test_a_record_has_its_place(log: Log) -> None:
    """The place begins like an error message: the file as given, then the line."""
    path = log("a.jsonl", "\n", ENDED)
    (record,) = records(Source(str(path)))
    assert record.where == f"{path}: line 2"
    (record,) = records(Source(str(log("b.json", "[\n", ENDED, "]"))))
    assert record.where.endswith("b.json: event 1")


def test_a_record_is_reported_before_the_next_line_is_read(log: Log) -> None:
    """A log is read as a stream, without reading ahead."""
    path = log("a.jsonl", STATUS, *[ENDED] * 5_000)
    source = Source(str(path))
    stream = records(source)
    first: Record = next(stream)
    assert isinstance(first.event, e.Status)
    assert 0 < source.position < path.stat().st_size / 2
    stream.close()


@pytest.mark.parametrize("shape", ["lines", "list", "pretty", "envelope", "polls", "case", "gzip"])
def test_every_shape_holds_the_same_events(log: Log, recorded: list[Path], shape: str) -> None:
    """A shipped log gives the same events in each shape."""
    plain = next(path for path in recorded if path.name == "unknown_events.jsonl")
    items: list[Any] = [json.loads(line) for line in plain.read_bytes().splitlines()]
    text: str = {
        "lines": "\n".join(map(json.dumps, items)),
        "gzip": "\n".join(map(json.dumps, items)),
        "list": json.dumps(items),
        "pretty": json.dumps({"events": items}, indent=2),
        "envelope": json.dumps({"events": items}),
        "polls": "\n".join(json.dumps({"events": [item]}) for item in items),
        "case": json.dumps({"sessions": [{"events": items}]}, indent=2),
    }[shape]
    path = log("other", text, packed=shape == "gzip")
    assert events_of(path) == events_of(plain)
