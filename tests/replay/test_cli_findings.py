"""Findings of a log: `--fail-on`, `--strict` and the exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatfsm._cli import ExitCode

Log = Callable[..., Path]
Replays = Callable[..., Any]


def test_the_exit_statuses_are_those_that_help_names() -> None:
    """The exit codes are 0 success, 1 failure, 2 error, and 130 (128 + SIGINT)."""
    assert [code.value for code in ExitCode] == [0, 1, 2, 130]


@pytest.fixture
def odd(wire: Any, log: Log) -> dict[str, Path]:
    """A log for each kind of finding, and a clean one."""
    batch = [wire.ended(at=10), wire.status("completed", at=10), wire.says("ann", "x", at=25)]
    return {
        "clean": log("clean.jsonl", wire.says("ann", "x", at=1), *batch),
        "unknown": log("unknown.jsonl", wire.unknown(at=1)),
        "malformed": log("malformed.jsonl", wire.status("ivr"), wire.broken(at=1)),
        "anomalies": log("anomalies.jsonl", wire.leaves("nobody", at=1)),
        "late": log("late.jsonl", *batch, wire.says("ann", "x", at=26)),
    }


@pytest.mark.parametrize("kind", ["unknown", "malformed", "anomalies", "late"])
def test_fail_on_a_kind_fails_on_that_kind(
    odd: dict[str, Path], replays: Replays, kind: str
) -> None:
    """The exit code is 1 for logs with the finding, else 0; a malformed event is an anomaly too."""
    for name, path in odd.items():
        is_met = name == kind or (kind, name) == ("anomalies", "malformed")
        assert replays("--quiet", "--fail-on", kind, path).status == is_met


def test_without_fail_on_no_finding_fails(odd: dict[str, Path], replays: Replays) -> None:
    """Findings are reported without `--fail-on`, with exit code 0."""
    result = replays("--summary", *odd.values())
    assert result.status == 0
    assert result.totals["findings"] == {"unknown": 1, "malformed": 1, "anomalies": 2, "late": 1}


@pytest.mark.parametrize(
    ("words", "failing"),
    [
        (["--fail-on", "any"], {"unknown", "malformed", "anomalies", "late"}),
        (["--fail-on", "unknown,late"], {"unknown", "late"}),
        (["--fail-on", "unknown, malformed"], {"unknown", "malformed"}),
        (["--fail-on", "unknown", "--fail-on", "late"], {"unknown", "late"}),
        (["--fail-on=late,any"], {"unknown", "malformed", "anomalies", "late"}),
    ],
)
def test_fail_on_takes_several_kinds(
    odd: dict[str, Path], replays: Replays, words: list[str], failing: set[str]
) -> None:
    """Kinds may be given as a list, several times, or as "any"."""
    failed = {name for name, path in odd.items() if replays("--quiet", *words, path).status}
    assert failed == failing


def test_a_finding_of_any_chat_fails(odd: dict[str, Path], replays: Replays) -> None:
    """The exit code is that of all files, and all of them are reported."""
    result = replays("--summary", "--fail-on=late", odd["late"], odd["clean"], odd["unknown"])
    assert result.status == 1
    assert [each["chat_id"] for each in result.sessions] == ["late", "clean", "unknown"]
    assert result.totals["complete"] is True


def test_unreadable_input_is_worse_than_a_finding(
    odd: dict[str, Path], tmp_path: Path, replays: Replays
) -> None:
    """Exit code 2 takes precedence over 1, since the rest of the input is unknown."""
    missing = tmp_path / "missing"
    assert replays("--quiet", "--fail-on=any", odd["unknown"], missing).status == 2


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("unknown", "unknown: no event is called 'chat_session_weather'"),
        ("broken", "malformed: chat_session_typing: party_id is missing"),
        ("leaves", "unknown_party: 'bob' left, and was not in the roster"),
        ("status", "unknown_state: no state is called 'parked'"),
        ("cut", "malformed: item: not JSON: "),
    ],
)
def test_strict_stops_at_the_first_violation(
    wire: Any, log: Log, replays: Replays, kind: str, why: str
) -> None:
    """Exit code 1, with file, line and reason; only the events before it are reported."""
    bad = {
        "unknown": wire.unknown(),
        "broken": wire.broken(),
        "leaves": wire.leaves("bob"),
        "status": wire.status("parked"),
        "cut": '{"event":\n',
    }[kind]
    path = log("a.jsonl", wire.status("queued", at=1), bad, wire.ended(at=2))
    result = replays("--strict", "--summary", path)
    assert result.status == 1
    assert result.err.startswith(f"chatfsm: {path}: line 2: {why}")
    assert result.err.count("\n") == 1
    assert (result.session["state"], result.session["counts"]["events"]) == ("queued", 1)
    assert result.totals["complete"] is False


def test_strict_names_the_event_of_a_document(wire: Any, log: Log, replays: Replays) -> None:
    """Events of a pretty-printed file are named by their number, not by a line."""
    text = json.dumps({"events": [wire.status("ivr", at=1), wire.unknown()]}, indent=2)
    result = replays("--strict", "--quiet", log("a.json", text))
    assert (result.status, result.out) == (1, "")
    assert "a.json: event 2: unknown: " in result.err


def test_strict_reads_no_further_file(wire: Any, log: Log, replays: Replays) -> None:
    """The replay stops at the first violation."""
    result = replays(
        "--strict",
        "--summary",
        log("a.jsonl", wire.unknown(at=1)),
        log("b.jsonl", wire.status("ivr", at=1)),
    )
    assert (result.status, [each["chat_id"] for each in result.sessions]) == (1, ["a"])


def test_strict_accepts_a_clean_log(wire: Any, log: Log, replays: Replays) -> None:
    """Duplicates, own events, unknown fields and late events are no violations."""
    hello = wire.says("ann", "hello", msg_id="1", at=1, mood="fine")
    path = log("a.jsonl", hello, hello, wire.event("navigation"), wire.ended(), wire.unknown())
    result = replays("--strict", path)
    assert (result.status, result.err) == (0, "")
    assert result.out == replays(path).out


@pytest.mark.parametrize("output", [[], ["--json"], ["--summary"], ["--quiet"]])
def test_strict_may_stop_at_the_very_first_event(
    wire: Any, log: Log, replays: Replays, output: list[str]
) -> None:
    """A violation in the first event of a log gives no output of the chat."""
    result = replays("--strict", *output, log("a.jsonl", wire.unknown(at=1), wire.ended()))
    assert result.status == 1
    assert re.fullmatch(r"chatfsm: \S*a\.jsonl: line 1: unknown: .*\n", result.err)


@pytest.mark.parametrize("output", [[], ["--json"], ["--summary"], ["--quiet"]])
def test_strict_judges_a_chat_without_time_at_the_end(
    wire: Any, log: Log, replays: Replays, output: list[str]
) -> None:
    """A violation that is found only when all input is read fails in the same way."""
    path = log(
        "a.jsonl", {**wire.status("ivr"), "chat_id": "x"}, {**wire.unknown(), "chat_id": "x"}
    )
    result = replays("--strict", *output, path)
    assert result.status == 1
    assert re.fullmatch(r"chatfsm: \S*a\.jsonl: line 2: unknown: .*\n", result.err)
    if output == ["--summary"]:
        assert result.session["state"] == "ivr"
        assert result.totals["complete"] is False


def test_strict_has_one_first_violation(wire: Any, log: Log, replays: Replays) -> None:
    """Only the first violation is reported if waiting chats hold more."""
    path = log("a.jsonl", {**wire.unknown(at=1), "chat_id": "x"})
    waiting = log("b.jsonl", {**wire.unknown(), "chat_id": "y"})
    result = replays("--strict", "--summary", waiting, path)
    assert result.status == 1
    assert result.err.count("chatfsm: ") == 1
    assert len(result.sessions) == 2


def test_strict_names_a_broken_line_before_later_violations(
    wire: Any, log: Log, replays: Replays
) -> None:
    """The first violation in the file is named, even a line without time and chat."""
    path = log(
        "a.jsonl",
        {**wire.status("ivr", at=1), "chat_id": "x"},
        "{broken\n",
        {**wire.unknown(at=2), "chat_id": "x"},
    )
    result = replays("--strict", "--quiet", path)
    assert result.status == 1
    assert "a.jsonl: line 2: malformed: " in result.err
