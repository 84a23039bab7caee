"""Events inside the lines of other tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatfsm.errors import UnreadableLogError
from chatfsm.events import Malformed
from chatfsm.replay import Source, open_logs, records, wrapped
from chatfsm.replay.formats import Record

Log = Callable[..., Path]
NOON = 1_767_268_800.0
STATUS = {"chat_id": "C1", "event": "chat_session_status", "state": "queued"}
ENDED = {"chat_id": "C1", "event": "chat_session_ended"}
EVENTS = [json.dumps(STATUS), json.dumps(ENDED)]


def read(path: Path, **options: Any) -> tuple[list[Record], list[str]]:
    """The records of a log, and its notes."""
    (source,) = open_logs(path, **options)
    return list(records(source)), source.notes


def briefly(found: list[Record]) -> list[tuple[str | None, str, int, float | None]]:
    return [
        (each.chat_id, type(each.event).__name__, each.place, each.received_at) for each in found
    ]


TWO = [("C1", "Status", 1, NOON), ("C1", "Ended", 2, NOON + 1)]


def docker(text: str, second: int) -> str:
    at = f"2026-01-01T12:00:{second:02}.000000000Z"
    return json.dumps({"log": text, "stream": "stdout", "time": at}) + "\n"


WRAPPERS: dict[str, Callable[[str, int], str]] = {
    "docker": lambda text, second: docker(text + "\n", second),
    "container runtime": lambda text, second: (
        f"2026-01-01T12:00:{second:02}.000000000Z stdout F {text}\n"
    ),
    "kubectl --timestamps": lambda text, second: f"2026-01-01T12:00:{second:02}.0Z {text}\n",
    "kubectl --prefix": lambda text, second: (
        f"[pod/chat-7/app] 2026-01-01T12:00:{second:02}Z {text}\n"
    ),
    "logging": lambda text, second: f"2026-01-01 12:00:{second:02},000 DEBUG [main] got {text}\n",
    "braces before": lambda text, second: f"2026-01-01 12:00:{second:02} {{main}} {text} done\n",
    "an object in a field": lambda text, second: (
        f'{{"ts": {NOON + second}, "payload": {text}, "level": "info"}}\n'
    ),
    "a text in a field": lambda text, second: (
        json.dumps({"@timestamp": (NOON + second) * 1000, "message": text}) + "\n"
    ),
    "a field of a field": lambda text, second: (
        json.dumps({"_index": "chats", "_source": {"time": NOON + second, "body": text}}) + "\n"
    ),
    "structlog": lambda text, second: (
        json.dumps({"event": "received", "timestamp": NOON + second, "data": json.loads(text)})
        + "\n"
    ),
    "docker and logging": lambda text, second: docker(f"INFO got {text}\n", second),
    "docker and a field": lambda text, second: docker(f'{{"payload": {text}}}\n', second),
}


@pytest.mark.parametrize("name", WRAPPERS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_wrapper_is_recognized_where_all_lines_agree(log: Log, name: str, end: str) -> None:
    """The event is found, with the time of the wrapper."""
    lines = [WRAPPERS[name](text, second).replace("\n", end) for second, text in enumerate(EVENTS)]
    found, notes = read(log("a.log", *lines))
    assert briefly(found) == TWO
    assert notes == []
    assert found[0].raw == {"event": "chat_session_status", "state": "queued"}


@pytest.mark.parametrize(
    ("name", "unwrap"),
    [
        ("docker", "docker"),
        ("docker", "log"),
        ("docker and a field", "docker"),
        ("container runtime", "kubectl"),
        ("kubectl --timestamps", "kubectl"),
        ("logging", "text"),
        ("an object in a field", "payload"),
        ("a text in a field", "message"),
        ("a field of a field", "_source.body"),
        ("a field of a field", "_source"),
    ],
)
def test_a_wrapper_may_be_named(log: Log, name: str, unwrap: str) -> None:
    """A named wrapper is not detected."""
    lines = [WRAPPERS[name](text, second) for second, text in enumerate(EVENTS)]
    assert briefly(read(log("a.log", *lines), unwrap=unwrap)[0]) == TWO


def test_a_field_with_a_dot_in_its_name(log: Log) -> None:
    """Some tools write nested fields as one name with a dot."""
    lines = [json.dumps({"a.b": json.loads(text)}) + "\n" for text in EVENTS]
    assert len(read(log("a.log", *lines), unwrap="a.b")[0]) == 2


@pytest.mark.parametrize("name", WRAPPERS)
def test_lines_of_the_same_form_without_an_event_are_counted(log: Log, name: str) -> None:
    """Lines without an event are counted in a note."""
    other = '{"level": "info"}' if name in {"structlog", "an object in a field"} else "started"
    if name == "docker and a field":
        other = '{"payload": 1}'
    texts = [*EVENTS, other, other]
    lines = [WRAPPERS[name](text, second) for second, text in enumerate(texts)]
    found, notes = read(log("a.log", *lines))
    assert briefly(found) == TWO
    assert notes == ["2 lines without an event"]


def test_the_first_line_may_be_another_one(log: Log) -> None:
    """A service may write other lines before its first event."""
    lines = [WRAPPERS["docker"](text, n) for n, text in enumerate(["Starting", *EVENTS])]
    found, notes = read(log("a.log", *lines))
    assert [each.place for each in found] == [2, 3]
    assert notes == ["1 line without an event"]


def test_lines_that_do_not_agree_are_not_taken_for_wrapped(log: Log) -> None:
    """Two possible fields are an error, not a guess."""
    lines = [f'{{"one": {EVENTS[0]}}}\n', f'{{"two": {EVENTS[1]}}}\n']
    with pytest.raises(UnreadableLogError, match="neither an event nor an envelope of events"):
        read(log("a.log", *lines))


def test_a_plain_log_is_not_taken_for_wrapped(log: Log) -> None:
    """The fields of its first event do not matter."""
    weather = {"event": "chat_session_weather", "payload": STATUS}
    found, _ = read(log("a.log", weather, STATUS, ENDED))
    assert [type(each.event).__name__ for each in found] == ["Unknown", "Status", "Ended"]


@pytest.mark.parametrize("form", ["[{},\n{}]\n", "[\n{},\n{}\n]\n"])
def test_a_list_may_have_an_object_on_each_line(log: Log, form: str) -> None:
    """Databases export this form."""
    rows = [json.dumps({"recv_ts": NOON, "payload": text}) for text in EVENTS]
    found, notes = read(log("a.json", form.format(*rows)))
    assert [type(each.event).__name__ for each in found] == ["Status", "Ended"]
    assert [each.received_at for each in found] == [NOON, NOON]
    assert notes == []


def test_a_broken_event_is_malformed_and_the_rest_is_read(log: Log) -> None:
    """The event keeps its line and the chat of the line before."""
    lines = [WRAPPERS["logging"](text, n) for n, text in enumerate(EVENTS)]
    broken = lines[1][:-9] + "\n"
    found, _ = read(log("a.log", lines[0], broken, lines[1]))
    assert [(each.chat_id, each.place) for each in found] == [("C1", 1), ("C1", 2), ("C1", 3)]
    assert isinstance(found[1].event, Malformed)
    assert found[1].event.why == "not JSON"


@pytest.mark.parametrize(
    ("line", "why"),
    [("{", "not JSON: "), ('{"other": 1}', "without the field 'payload'"), ("5", None)],
)
def test_a_line_that_is_not_wrapped_is_malformed(log: Log, line: str, why: str | None) -> None:
    """The line is reported, and reading continues."""
    good = [f'{{"payload": {text}}}\n' for text in EVENTS]
    found, notes = read(log("a.log", good[0], line + "\n", good[1]), unwrap="payload")
    broken = [each.event for each in found if isinstance(each.event, Malformed)]
    assert [each.why[: len(why or "")] for each in broken] == ([] if why is None else [why])
    assert notes == ([] if why else ["1 line without an event"])


def test_lines_that_docker_cut_are_joined(log: Log) -> None:
    """Docker splits lines after 16 KiB, for each stream separately."""
    event = json.dumps({**STATUS, "x": "y" * 100})
    err = json.dumps({"log": "oops\n", "stream": "stderr", "time": "2026-01-01T12:00:00Z"})
    parts = [
        docker(event[:50], 0),
        err + "\n",
        docker(event[50:70], 0),
        docker(event[70:] + "\n", 0),
    ]
    found, notes = read(log("a.log", docker(EVENTS[0] + "\n", 0), *parts))
    assert briefly(found) == [("C1", "Status", 1, NOON), ("C1", "Status", 5, NOON)]
    assert notes == ["1 line without an event"]


def test_lines_that_a_container_runtime_cut_are_joined(log: Log) -> None:
    """Spaces at the cuts are kept."""
    start = "2026-01-01T12:00:00Z stdout"
    event = EVENTS[1]
    at = event.index(" ")
    lines = [
        f"{start} F {EVENTS[0]}\n",
        f"{start} P {event[: at + 1]}\n",
        f"{start} P {event[at + 1 : -5]}\n",
        f"{start} F {event[-5:]}\n",
    ]
    assert briefly(read(log("a.log", *lines))[0]) == [
        ("C1", "Status", 1, NOON),
        ("C1", "Ended", 4, NOON),
    ]


def test_a_line_without_its_end_is_reported(log: Log) -> None:
    """A killed container leaves an incomplete line."""
    found, _ = read(log("a.log", docker(EVENTS[0] + "\n", 0), docker(EVENTS[1][:9], 1)))
    assert [each.place for each in found] == [1, 2]
    assert isinstance(found[1].event, Malformed)
    assert found[1].event.why == "the rest of the line is missing"


def test_a_line_in_parts_is_bounded(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts without an end do not exhaust the memory."""
    monkeypatch.setattr(wrapped, "MAX_LINE_BYTES", 1_000)
    lines = [docker(EVENTS[0] + "\n", 0), *[docker("x" * 100, 1)] * 11]
    with pytest.raises(UnreadableLogError, match="a line in parts is too long"):
        read(log("a.log", *lines))


def test_the_number_of_streams_is_bounded(log: Log) -> None:
    """Docker has two streams, so that twenty are refused."""
    lines = [
        json.dumps({"log": "x", "stream": f"s{number}", "time": "2026-01-01T12:00:00Z"}) + "\n"
        for number in range(20)
    ]
    with pytest.raises(UnreadableLogError, match="a line in parts is too long"):
        read(log("a.log", *lines), unwrap="docker")


def test_a_log_without_any_event_is_refused(log: Log) -> None:
    """A log of valid wrappers without an event is an error."""
    with pytest.raises(UnreadableLogError, match="no line has an event in it"):
        read(log("a.log", docker("Starting\n", 0)), unwrap="docker")


def test_a_chat_may_be_named_around_the_event(log: Log) -> None:
    """The chat_id of the event takes precedence."""
    bare = {"event": "chat_session_ended"}
    lines = [{"chat_id": "outer", "payload": bare}, {"chat_id": "outer", "payload": ENDED}]
    found, _ = read(log("a.log", *lines))
    assert [each.chat_id for each in found] == ["outer", "C1"]


def test_a_named_time_is_looked_for_around_the_event(log: Log) -> None:
    """Other fields are not taken for a time if one is named."""
    line = {"heard": NOON, "time": 5, "payload": {"event": "chat_session_ended"}}
    (record,), _ = read(log("a.log", line), received_at="heard")
    assert record.received_at == NOON


def test_an_envelope_and_a_list_may_be_wrapped(log: Log) -> None:
    """An envelope or a list may be wrapped, as a reply of a poll."""
    lines = [{"payload": {"events": [STATUS, ENDED]}}, {"payload": [ENDED]}]
    found, _ = read(log("a.log", *lines))
    assert [(type(each.event).__name__, each.place) for each in found] == [
        ("Status", 1),
        ("Ended", 1),
        ("Ended", 2),
    ]


def test_a_wrapped_journal_is_one(log: Log) -> None:
    """An unusable line of a wrapped journal is an error, as in a plain one."""
    line = {"v": 1, "chat_id": "a", "seq": 0, "at": 1.0, "in": {"input": "tick"}, "out": []}
    (record,), _ = read(log("a.log", {"payload": line}))
    assert type(record.event).__name__ == "JournalEntry"
    with pytest.raises(UnreadableLogError, match="line 1: the version of a journal must be 1"):
        read(log("b.log", {"payload": {**line, "v": 2}}))


@pytest.mark.parametrize("separator", ["\x1e", "\ufeff", "  ", ","])
def test_separators_before_an_event_are_skipped(log: Log, separator: str) -> None:
    """RFC 7464 separators, byte order marks and commas are skipped."""
    path = log("a.log", *(separator + text + "\n" for text in EVENTS))
    assert [type(each.event).__name__ for each in records(Source(str(path)))] == [
        "Status",
        "Ended",
    ]


def test_deep_wrapping_is_not_followed(log: Log) -> None:
    """Fields are searched three levels deep."""
    value: object = STATUS
    for _ in range(5):
        value = {"payload": value}
    with pytest.raises(UnreadableLogError, match="neither an event nor an envelope"):
        read(log("a.log", json.dumps(value)))


@pytest.mark.parametrize("unwrap", [None, "payload", "text"])
def test_deep_nesting_is_malformed(log: Log, unwrap: str | None) -> None:
    """Deep nesting in the wrapper or in the event raises no RecursionError."""
    deep = "[" * 700 + "]" * 700
    good = [f'{{"payload": {text}}}\n' for text in EVENTS]
    bad = [f'{{"payload": {deep}}}\n', f'{{"payload": {"[" * 100_000}\n']
    found, _ = read(log("a.log", *good, *bad), unwrap=unwrap)
    assert [each.chat_id for each in found if each.place < 3] == ["C1", "C1"]
