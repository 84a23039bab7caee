"""Options of `replay` for investigations: places of findings, chats, times and explanations."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Log = Callable[..., Path]
Replays = Callable[..., Any]


@pytest.fixture
def path(wire: Any, log: Log) -> Path:
    """A log of two chats, one of them with findings."""
    return log(
        "a.jsonl",
        {"chat_id": "A", **wire.status("queued")},
        {"chat_id": "A", **wire.unknown()},
        {"chat_id": "A", **wire.status("connected", at=1_767_268_790)},
        {"chat_id": "B", **wire.status("connected", at=1_767_268_800)},
        {"chat_id": "A", **wire.broken(at=1_767_268_801)},
        {"chat_id": "A", **wire.says("ann", "hello", msg_id="2", at=1_767_268_802)},
        {"chat_id": "A", **wire.says("ann", "hello", msg_id="2", at=1_767_268_802)},
        {"chat_id": "A", **wire.ended(at=1_767_268_803)},
        {"chat_id": "A", **wire.says("ann", "late", msg_id="4", at=1_767_268_900)},
        {"chat_id": "B", **wire.ended(at=1_767_400_000)},
    )


def rows(result: Any) -> list[str]:
    return [" ".join(line.split()) for line in result.lines if line.startswith("  ")]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_each_finding_has_its_file_and_line(path: Path, replays: Replays, jobs: str) -> None:
    """Findings of events that waited for the first time of their chat have their line too."""
    found = [line for line in rows(replays("--jobs", jobs, path)) if "a.jsonl" in line]
    assert found == [
        f"+0:00 unknown chat_session_weather ({path}: line 2)",
        f"+0:11 anomaly malformed: chat_session_typing: party_id is missing ({path}: line 5)",
    ]


def test_a_finding_of_a_chat_without_any_time_has_its_line(
    wire: Any, log: Log, replays: Replays
) -> None:
    """The events are reported when the log ends."""
    path = log("a.jsonl", wire.status("queued"), wire.unknown(), wire.unknown())
    found = [line for line in rows(replays(path)) if "unknown chat" in line]
    assert [line.rpartition(": ")[2] for line in found] == ["line 2)", "line 3)"]


def test_a_finding_of_a_journal_has_its_line(log: Log, replays: Replays) -> None:
    """Findings of a journal have their lines, as those of any log."""
    event = {"input": "unknown", "name": "weather", "raw": {"event": "weather"}}
    line = {"v": 1, "chat_id": "a", "seq": 0, "at": 1.0, "in": event, "out": []}
    path = log("j.jsonl", line)
    assert f"unknown weather ({path}: line 1)" in rows(replays(path))[-1]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_only_findings_are_printed(path: Path, replays: Replays, jobs: str) -> None:
    """Only chats with findings are printed; the totals count all chats."""
    result = replays("--only-findings", "--jobs", jobs, path)
    assert [line.split()[1] for line in rows(result) if line.startswith("+")] == [
        "unknown",
        "anomaly",
    ]
    assert not any(line.startswith("B ") for line in result.lines)
    assert result.lines[-1].startswith("2 chats, ")
    result = replays("--only-findings", "--json", "--jobs", jobs, path)
    assert [effect["effect"] for effect in result.effects] == ["unknown_received", "anomaly"]


@pytest.mark.parametrize("word", ["--summary", "--quiet"])
def test_only_findings_needs_an_output_with_effects(
    path: Path, replays: Replays, word: str
) -> None:
    """A summary has no effects to select."""
    result = replays("--only-findings", word, path)
    assert (result.status, result.out) == (2, "")
    assert result.err == "chatfsm: --only-findings is for timelines and --json\n"


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_ignored_events_are_explained(path: Path, replays: Replays, jobs: str) -> None:
    """A late event is a finding, a duplicate is not."""
    result = replays("--explain", "--jobs", jobs, path)
    assert [line for line in rows(result) if " ignored " in line] == [
        "+0:12 ignored duplicate: message",
        f"+1:50 ignored late: message ({path}: line 9)",
    ]
    assert not [line for line in rows(replays(path)) if " ignored " in line]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_chat_is_chosen(path: Path, replays: Replays, jobs: str) -> None:
    """Other chats are neither printed nor counted."""
    result = replays("--summary", "--chat", "B", "--jobs", jobs, path)
    assert [each["chat_id"] for each in result.sessions] == ["B"]
    assert result.totals["sessions"] == 1
    result = replays("--summary", "--chat", "B", "--chat", "A", "--jobs", jobs, path)
    assert result.totals["sessions"] == 2


def test_a_chat_that_is_named_by_its_file_is_chosen(wire: Any, log: Log, replays: Replays) -> None:
    """Unnamed events may be named by `--unnamed-chat` or its alias `--chat-id`."""
    path = log("a.jsonl", wire.ended())
    assert replays("--summary", "--chat", "a", path).totals["sessions"] == 1
    for name in ("--unnamed-chat", "--chat-id"):
        assert replays("--summary", name, "x", "--chat", "x", path).session["chat_id"] == "x"


def test_a_chat_that_is_not_there_is_an_error(path: Path, replays: Replays) -> None:
    """An unknown chat_id is an error."""
    result = replays("--quiet", "--chat", "C", "--chat", "D", path)
    assert (result.status, result.err) == (2, "chatfsm: no chat has the id of --chat: C, D\n")


def test_times_of_day_have_their_date_above(path: Path, replays: Replays) -> None:
    """A row of another day has its own date."""
    result = replays("--time", "utc", "--chat", "A", path)
    assert "time 2026-01-01 11:59:50 to 12:01:40 UTC" in rows(result)
    assert "11:59:50 state queued → connected" in rows(result)
    result = replays("--time", "utc", "--chat", "B", path)
    assert "time 2026-01-01 12:00:00 to 2026-01-03 00:26:40 UTC" in rows(result)
    assert "01-03 00:26:40 over ended" in rows(result)


def test_local_times_have_their_offset(
    path: Path, replays: Replays, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Local times have their offset from UTC."""
    if not hasattr(time, "tzset"):  # Windows
        return
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "XYZ-2")
        time.tzset()
        result = replays("--time", "local", "--chat", "A", path)
    time.tzset()
    assert "time 2026-01-01 13:59:50 to 14:01:40 +0200" in rows(result)


def test_a_clock_that_does_not_count_from_1970_stays_relative(log: Log, replays: Replays) -> None:
    """The clock of a journal has no time of day."""
    line = {"v": 1, "chat_id": "a", "seq": 0, "at": 5.0, "in": {"input": "tick"}, "out": []}
    status = {"event": "chat_session_status", "state": "queued"}
    path = log("j.jsonl", line, {"chat_id": "b", **status})
    assert replays("--time", "utc", path).out == replays(path).out


def test_json_has_no_places(path: Path, replays: Replays) -> None:
    """The output does not depend on the path of the file."""
    assert "a.jsonl" not in json.dumps(replays("--json", path).effects)


def says(wire: Any, *ids: object) -> list[dict[str, Any]]:
    return [wire.says("ann", "hello", msg_id=msg_id, at=1_767_268_800) for msg_id in ids]


@pytest.mark.parametrize(
    ("ids", "hint"),
    [
        (["0", "2", "6"], "4"),
        (["0", "8", "2", "10"], "4, 6"),
        (
            [*map(str, range(0, 40, 2)), *map(str, range(60, 80, 2))],
            "40, 42, 44, 46, 48 and 5 more",
        ),
    ],
)
def test_gaps_in_the_numbers_of_messages_are_hinted_at(
    wire: Any, log: Log, replays: Replays, ids: list[str], hint: str
) -> None:
    """Servers assign consecutive even numbers; their order does not matter."""
    result = replays(log("a.jsonl", *says(wire, *ids)))
    assert f"hint msg_id {hint} may be missing from the log" in rows(result)


@pytest.mark.parametrize(
    "ids",
    [
        ["0", "2", "4"],
        ["1", "5", "9"],
        ["2"],
        ["a", None, "x" * 99, "0" * 50],
        ["2", "4", "1000"],
    ],
)
def test_other_numbers_are_not_gaps(
    wire: Any, log: Log, replays: Replays, ids: list[object]
) -> None:
    """The customer's numbers are odd, and some servers use other ids."""
    result = replays(log("a.jsonl", *says(wire, *ids)))
    assert not [row for row in rows(result) if row.startswith("hint")]


def test_a_message_that_cannot_be_used_is_not_missing(
    wire: Any, log: Log, replays: Replays
) -> None:
    """A malformed message with the id counts as present."""
    broken = wire.event("file", msg_id="4")
    result = replays(log("a.jsonl", *says(wire, "2", "6"), broken))
    assert not [row for row in rows(result) if row.startswith("hint")]
