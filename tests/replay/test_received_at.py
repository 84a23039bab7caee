"""The time of receipt is the clock for events without a timestamp."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from chatfsm.replay import Source, StreamReplay, open_logs, records, replay_logs
from chatfsm.replay.times import UNREADABLE, leading_time, pop_time, read_time

Log = Callable[..., Path]
NOON = 1_767_268_800.0
"""2026-01-01 12:00:00 in UTC."""


@pytest.mark.parametrize(
    "value",
    [
        NOON,
        int(NOON),
        "1767268800",
        "1767268800.0",
        1_767_268_800_000,
        "1767268800000",
        1_767_268_800_000_000,
        "1767268800000000",
        "2026-01-01T12:00:00Z",
        "2026-01-01 12:00:00",
        "2026-01-01T12:00:00.000",
        "2026-01-01T12:00:00,000",
        "2026-01-01T14:00:00+02:00",
        "2026-01-01 14:00:00 +0200",
        "2026-01-01T12:00:00.000000000Z",
        "2026-01-01 12:00:00 UTC",
        "20260101T120000Z",
        datetime(2026, 1, 1, 12, tzinfo=UTC),
        datetime(2026, 1, 1, 12),  # noqa: DTZ001  # as a table has it
        datetime(2026, 1, 1, 14, tzinfo=timezone(timedelta(hours=2))),
    ],
)
def test_a_time_is_read(value: object) -> None:
    """ISO 8601, seconds, milliseconds and microseconds, as text or as a number."""
    assert read_time(value) == NOON


@pytest.mark.parametrize("value", [None, ""])
def test_no_time_is_none(value: object) -> None:
    """A field may be present and empty."""
    assert read_time(value) is None


@pytest.mark.parametrize(
    "value",
    [
        *("yesterday", "12:00", "nan", "inf", "-1", "9" * 400, "2026-13-01", "x" * 1_000),
        *(-5, 1e17, 1e400, True, [], {}, 10**400, datetime(1, 1, 1), "1900-01-01"),  # noqa: DTZ001
    ],
)
def test_an_invalid_time_is_unreadable(value: object) -> None:
    """An unreadable time is distinguished from a missing one."""
    assert read_time(value) is UNREADABLE


@pytest.mark.parametrize(
    "line",
    [
        "2026-01-01 12:00:00 DEBUG got",
        "[pod/chat-7/app] 2026-01-01T12:00:00.0000Z got",
        "[2026-01-01T12:00:00+00:00] got",
    ],
)
def test_a_line_may_begin_with_a_time(line: str) -> None:
    """A line may begin with a time, also after the name of a container."""
    assert leading_time(line) == NOON


@pytest.mark.parametrize("line", ["got", "12:00:00 got", "2026-99-01 12:00:00 got"])
def test_a_line_may_begin_without_a_time(line: str) -> None:
    """A line without a leading time is no finding, since no option names it."""
    assert leading_time(line) is None


def test_the_first_field_that_is_there_counts_and_is_removed() -> None:
    """The event is then as the server sent it."""
    item: dict[str, Any] = {"recv_ts": 5, "@timestamp": 6, "x": 1}
    assert pop_time(item, ("received_at", "recv_ts", "@timestamp")) == 5
    assert item == {"@timestamp": 6, "x": 1}


def status(state: str, **fields: Any) -> dict[str, Any]:
    return {"chat_id": "C1", "event": "chat_session_status", "state": state, **fields}


def steps(*paths: Path, **options: Any) -> list[tuple[float, list[str]]]:
    """The time and the effects of each step."""
    found: list[tuple[float, list[str]]] = []

    def take(_chat: object, step: Any) -> None:
        found.append((step.at, [type(effect).__name__ for effect in step.effects]))

    stream = StreamReplay(on_step=take, **options)
    list(stream.read(open_logs(paths)))
    return found


@pytest.mark.parametrize("name", ["received_at", "recv_ts", "@timestamp"])
def test_events_without_a_time_have_that_of_their_receipt(log: Log, name: str) -> None:
    """The first event does not wait for a timestamp, and the field is removed from the event."""
    lines = [status("queued", **{name: NOON}), status("connected", **{name: NOON + 5})]
    path = log("a.jsonl", *lines)
    assert steps(path) == [(NOON, ["StateChanged"]), (NOON + 5, ["StateChanged"])]
    assert [record.raw for record in records(Source(str(path)))] == [
        {"event": "chat_session_status", "state": "queued"},
        {"event": "chat_session_status", "state": "connected"},
    ]
    assert [record.received_at for record in records(Source(str(path)))] == [NOON, NOON + 5]


def test_a_field_of_another_name_is_named(log: Log) -> None:
    """With a named field the usual ones stay fields of the event."""
    path = log("a.jsonl", status("queued", at="2026-01-01T12:00:00Z", recv_ts=7))
    (source,) = open_logs(path, received_at="at")
    (record,) = records(source)
    assert record.received_at == NOON
    assert record.event.extra == {"recv_ts": 7}  # type: ignore[union-attr]


@pytest.mark.parametrize("at", [1_700_000_000, "1700000000", 1_700_000_000_000])
def test_the_time_of_an_event_goes_before_that_of_its_receipt(log: Log, at: object) -> None:
    """The timestamp of the server takes precedence."""
    path = log("a.jsonl", status("queued", received_at=1_700_000_009, timestamp=at))
    assert steps(path) == [(1_700_000_000, ["StateChanged"])]


def test_the_receipt_may_be_preferred(log: Log) -> None:
    """Metrics prefer it, for example for the customer's time in the queue."""
    path = log(
        "a.jsonl",
        status("queued", received_at=NOON, timestamp=NOON - 50),
        status("connected", timestamp=NOON + 1),
    )
    assert [at for at, _ in steps(path, prefers_received=True)] == [NOON, NOON + 1]


def test_an_envelope_may_have_a_time_of_receipt(log: Log) -> None:
    """The time applies to all events of the envelope that have none."""
    queued = {"event": "chat_session_status", "state": "queued"}
    envelope = {"chat_id": "C1", "received_at": NOON, "events": [queued, {**queued, "recv_ts": 5}]}
    path = log("a.jsonl", envelope)
    assert [record.received_at for record in records(Source(str(path)))] == [NOON, 5]


@pytest.mark.parametrize("own", ["2026-01-01T12:00:00Z", int(NOON) * 1_000_000])
def test_a_rewritten_timestamp_is_read(log: Log, own: object) -> None:
    """A log may have rewritten timestamps as ISO 8601 or in microseconds."""
    assert steps(log("a.jsonl", status("queued", timestamp=own))) == [(NOON, ["StateChanged"])]


@pytest.mark.parametrize("field", ["received_at", "timestamp"])
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_time_that_cannot_be_read_is_a_finding(
    log: Log, replays: Callable[..., Any], field: str, jobs: str
) -> None:
    """An unreadable time is an anomaly; the event is kept, and the clock does not advance."""
    path = log("a.jsonl", status("queued", recv_ts=NOON), status("connected", **{field: "soon"}))
    result = replays("--summary", "--jobs", jobs, path)
    assert result.totals["findings"]["anomalies"] == 1
    assert result.session["state"] == "connected"
    assert replays("--quiet", "--fail-on", "anomalies", "--jobs", jobs, path).status == 1
    assert steps(path)[1:] == [(NOON, ["Anomaly"]), (NOON, ["StateChanged"])]


def test_an_unreadable_time_does_not_start_the_clock(log: Log) -> None:
    """The event waits for the first time of its chat, as one without a time does."""
    path = log("a.jsonl", status("queued", recv_ts="soon"), status("connected", recv_ts=NOON))
    (chat,) = replay_logs([str(path)])
    assert (chat.stats.first_at, chat.stats.unreadable_times) == (NOON, 1)


def test_silence_is_counted_by_the_receipt(log: Log, replays: Callable[..., Any]) -> None:
    """`--close-after` uses the time of receipt; an unreadable time does not count."""
    path = log(
        "a.jsonl",
        status("queued", recv_ts=NOON),
        status("connected", recv_ts="soon"),
        status("queued", recv_ts=NOON + 1_000),
    )
    assert len(replays("--summary", "--close-after", "60", path).sessions) == 2


def test_thousands_of_events_keep_their_times(log: Log) -> None:
    """Lines that are parsed in blocks keep their times, with fields in any order."""
    lines = [
        {"recv_ts": NOON + n, **status("queued" if n % 2 else "ivr")} if n % 3 else status("queued")
        for n in range(2_000)
    ]
    path = log("a.jsonl", *lines)
    found = [record.received_at for record in records(Source(str(path)))]
    assert found == [NOON + n if n % 3 else None for n in range(2_000)]
    assert json.dumps(found)


def test_the_first_of_two_fields_takes_precedence(tmp_path: Path) -> None:
    """The first field takes precedence, so that a range of a log is read like the whole."""
    event = {"event": "chat_session_message", "msg": "x"}
    both = {**event, "recv_ts": 5, "received_at": 7}
    path = tmp_path / "a.jsonl"
    for before in ([], [{**event, "recv_ts": 3}], [{**event, "received_at": 3}]):
        path.write_text("".join(json.dumps(each) + "\n" for each in [event, *before, both]))
        *_, last = records(Source(str(path)))
        assert (last.received_at, last.event.extra) == (7.0, {"recv_ts": 5})
