"""What a file holds is told by its content."""

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
    """What a test wants to know of a record."""

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
    """One record a line, from line 1 on."""
    return [Found(chat_id, kind, "line", place) for place, kind in enumerate(kinds, start=1)]


def events_of(path: Path) -> list[e.Event]:
    """The events of a file."""
    return [record.event for record in records(Source(str(path)))]


def refusal(path: Path) -> str:
    """What is said about a file that is no log, without its name."""
    with pytest.raises(UnreadableLogError) as caught:
        list(records(Source(str(path))))
    text = str(caught.value)
    assert text.startswith(f"{path}: ")
    return text.removeprefix(f"{path}: ")


def test_raw_events_one_a_line(log: Log) -> None:
    """JSON lines are a log."""
    assert found(log("a.jsonl", STATUS, ENDED)) == in_lines("Status", "Ended")


def test_one_event_on_one_line_is_a_log(log: Log) -> None:
    """A log of a single event is read as such."""
    assert found(log("a.json", ENDED)) == in_lines("Ended")


def test_one_event_over_many_lines_is_a_log(log: Log) -> None:
    """A single pretty-printed event is a document of one event."""
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
    """Every line is looked at for itself."""
    path = log("mixed.jsonl", STATUS, f"[{STATUS.strip()}]\n", f'{{"events":[{ENDED.strip()}]}}\n')
    assert found(path) == in_lines("Status", "Status", "Ended")


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("shape", ["envelope", "list"])
def test_one_document_on_one_line_or_many(log: Log, shape: str, indent: int | None) -> None:
    """An envelope or a list is read whole, however it is printed."""
    items = [json.loads(STATUS), json.loads(ENDED)]
    value: object = {"events": items} if shape == "envelope" else items
    path = log("a.json", json.dumps(value, indent=indent))
    unit, last = ("line", 1) if indent is None else ("event", 2)
    assert found(path) == [Found(None, "Status", unit, 1), Found(None, "Ended", unit, last)]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_case_history_keeps_its_sessions_apart(log: Log, indent: int | None) -> None:
    """Each session's chat_id is that of its events."""
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
def test_a_session_that_is_none_harms_no_other(log: Log, session: object) -> None:
    """What is no session of a case history is malformed, and its neighbours are read."""
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
    """An event, an envelope and a session may say whose they are; the event knows best."""
    (each,) = found(log("a.json", json.dumps(value, indent=indent)))
    assert (each.chat_id, each.kind) == ("a", "Ended")


def test_a_chat_id_is_no_field_of_the_event(log: Log) -> None:
    """It is taken off, so that the event is as the server said it."""
    (event,) = events_of(log("a.jsonl", '{"event":"chat_session_ended","chat_id":"a","x":1}\n'))
    assert event == e.Ended(extra={"x": 1})


def test_a_chat_id_may_be_a_number(log: Log) -> None:
    """Numbers are taken as their digits, as everywhere on this wire."""
    (each,) = found(log("a.jsonl", '{"event":"chat_session_ended","chat_id":17}\n'))
    assert each.chat_id == "17"


@pytest.mark.parametrize("chat_id", [{"a": 1}, ["a"], True, "x" * 1_025])
def test_a_chat_id_that_is_none_stays_with_the_event(log: Log, chat_id: object) -> None:
    """What cannot name a chat names none, and is kept as a field that nobody knows."""
    path = log("a.jsonl", {"event": "chat_session_ended", "chat_id": chat_id})
    (record,) = records(Source(str(path)))
    assert record.chat_id is None
    assert record.event == e.Ended(extra={"chat_id": chat_id})


@pytest.mark.parametrize("chat_id", [None, ""])
def test_an_empty_chat_id_is_none(log: Log, chat_id: object) -> None:
    """Neither null nor "" names a chat; the envelope then does."""
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
def test_what_editors_do_to_lines_does_no_harm(log: Log, data: bytes) -> None:
    """Marks, line ends and spaces around a line are not part of it."""
    assert found(log("a.jsonl", data)) == in_lines("Status", "Ended")


def test_a_document_may_start_with_a_mark(log: Log) -> None:
    """The byte order mark of a pretty-printed document is no harm either."""
    text = json.dumps({"events": [json.loads(STATUS)]}, indent=1).replace("\n", "\r\n")
    assert found(log("a.json", b"\xef\xbb\xbf" + text.encode())) == [
        Found(None, "Status", "event", 1)
    ]


def test_a_document_may_be_utf_16(log: Log) -> None:
    """JSON in UTF-16, as some tools export it, is read as a whole."""
    text = json.dumps([json.loads(STATUS), json.loads(ENDED)], indent=1)
    assert [each.kind for each in found(log("a.json", text.encode("utf-16")))] == [
        "Status",
        "Ended",
    ]


def test_blank_lines_are_skipped_and_counted(log: Log) -> None:
    """A line number is the one that an editor shows."""
    path = log("a.jsonl", "\n \r\n", STATUS, "\n\t\n", ENDED, "\n")
    assert found(path) == [Found(None, "Status", "line", 3), Found(None, "Ended", "line", 6)]


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\n\t", b'{"events":[]}', b"[]"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_file_without_events_is_an_empty_log(log: Log, data: bytes, *, packed: bool) -> None:
    """Nothing happened, which is no error."""
    assert found(log("empty.jsonl", data, packed=packed)) == []


def test_a_case_history_without_sessions_is_an_empty_log(log: Log) -> None:
    """A case of which nothing is known is no error."""
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
    """One bad line harms no other, keeps its text and says what is wrong with it."""
    path = log("a.jsonl", STATUS, line, ENDED)
    assert found(path) == in_lines("Status", "Malformed", "Ended")
    broken = events_of(path)[1]
    assert isinstance(broken, e.Malformed)
    assert broken.why.startswith(why)
    assert broken.raw == line.decode("utf-8", "backslashreplace").rstrip("\r\n")


def test_the_last_line_may_be_cut(log: Log) -> None:
    """A log that was still being written ends with a malformed line."""
    assert found(log("a.jsonl", STATUS, ENDED[:20])) == in_lines("Status", "Malformed")


@pytest.mark.parametrize("line", [b'{"event": \n', b"5\n", b"\x00\x01\xff\n", b"# a comment\n"])
def test_the_first_line_may_be_broken(log: Log, line: bytes) -> None:
    """It is malformed like any other, once a good line shows that this is a log."""
    path = log("a.jsonl", "\n", line, "\n", STATUS, ENDED)
    assert found(path) == [
        Found(None, "Malformed", "line", 2),
        Found(None, "Status", "line", 4),
        Found(None, "Ended", "line", 5),
    ]


def test_a_log_may_start_with_ninety_nine_broken_lines(log: Log) -> None:
    """As long as a good line comes within a hundred, it is a log."""
    path = log("a.jsonl", *["broken\n"] * 99, ENDED)
    assert found(path) == in_lines(*["Malformed"] * 99, "Ended")


def test_a_hundred_broken_lines_are_no_log(log: Log) -> None:
    """Then the rest is not looked at any more, and the error is that of the first line."""
    path = log("a.jsonl", "\n", *["broken\n"] * 100, ENDED)
    assert refusal(path) == "line 2: not a log of chat events: this is plain text"


def test_broken_lines_later_are_never_too_many(log: Log) -> None:
    """Once a file is known as a log, any number of its lines may be broken."""
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
def test_what_is_no_log_is_refused(log: Log, data: bytes, why: str) -> None:
    """A file without anything that chatfsm knows is an error that says where and why."""
    assert refusal(log("a.bin", data)).startswith(why)


def test_a_refusal_quotes_nothing_of_the_file(log: Log) -> None:
    """Whatever a wrong file holds, it does not end up in an error."""
    assert "secret" not in refusal(log("a.txt", b"the secret is 17\n"))


def test_a_document_too_large_to_parse_whole_is_read_line_by_line(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A log with a broken first line may be of any size: it is no document."""
    monkeypatch.setattr(formats, "_MAX_DOCUMENT_BYTES", 200)
    path = log("a.jsonl", "broken\n", *[STATUS] * 50)
    assert found(path) == in_lines("Malformed", *["Status"] * 50)


def test_a_document_up_to_the_limit_is_parsed_whole(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limit itself is allowed."""
    text = json.dumps([json.loads(STATUS)], indent=1)
    monkeypatch.setattr(formats, "_MAX_DOCUMENT_BYTES", len(text))
    path = log("a.json", text)
    assert found(path) == [Found(None, "Status", "event", 1)]
    monkeypatch.setattr(formats, "_MAX_DOCUMENT_BYTES", len(text) - 1)
    assert refusal(path).startswith("line 1: not a log of chat events")


def test_a_record_says_where_it_stood(log: Log) -> None:
    """The place reads like a sentence's beginning, with the file as it was named."""
    path = log("a.jsonl", "\n", ENDED)
    (record,) = records(Source(str(path)))
    assert record.where == f"{path}: line 2"
    (record,) = records(Source(str(log("b.json", "[\n", ENDED, "]"))))
    assert record.where.endswith("b.json: event 1")


def test_a_record_is_reported_before_the_next_line_is_read(log: Log) -> None:
    """A log is a stream: nothing is read ahead of what was asked for."""
    path = log("a.jsonl", STATUS, *[ENDED] * 5_000)
    source = Source(str(path))
    stream = records(source)
    first: Record = next(stream)
    assert isinstance(first.event, e.Status)
    assert 0 < source.position < path.stat().st_size / 2
    stream.close()


@pytest.mark.parametrize("shape", ["lines", "list", "pretty", "envelope", "polls", "case", "gzip"])
def test_every_shape_holds_the_same_events(log: Log, recorded: list[Path], shape: str) -> None:
    """A shipped log written in any shape is the same log."""
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
