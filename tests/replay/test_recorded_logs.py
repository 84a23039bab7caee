"""Replays of the shipped logs: known results, and the same output every time."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from chatfsm._cli.terminal_text import harmless_text

Replays = Callable[..., Any]
LOGS = Path(__file__).resolve().parent.parent / "logs"


@frozen
class Known:
    """Results of a chat, counted by hand."""

    outcome: str
    messages: int
    events: int
    effects: int
    duplicates: int = 0
    unknown: int = 0
    malformed: int = 0
    anomalies: int = 0
    late: int = 0


# Counted with a separate reader, not with chatfsm: lines that are not late, effects of each kind of
# line, and messages that are not repeated.
KNOWN = {
    "call.jsonl": [Known("ended", 7, 23, 30)],
    "call_rejected.jsonl": [Known("ended", 5, 17, 23)],
    "casehistory.json": [
        Known("ended", 4, 10, 13),
        Known("failed", 2, 5, 7),
        Known("timed_out", 3, 9, 12),
    ],
    "duplicates.jsonl": [Known("ended", 6, 47, 22, duplicates=29, late=2)],
    "envelope.json": [Known("ended", 3, 10, 14)],
    "expired_form.jsonl": [Known("ended", 8, 15, 18)],
    "failure.jsonl": [Known("failed", 3, 10, 14)],
    "history.jsonl": [Known("ended", 5, 32, 27)],
    "hostile.jsonl": [Known("ended", 12, 28, 33, unknown=1)],
    "inactivity.jsonl": [Known("timed_out", 6, 15, 20)],
    "late.jsonl": [Known("timed_out", 2, 11, 16, late=4)],
    "location_and_files.jsonl": [Known("ended", 5, 18, 21)],
    "milliseconds.jsonl": [Known("ended", 5, 13, 17)],
    "plain.jsonl": [Known("ended", 10, 21, 26)],
    "polls.jsonl": [Known("ended", 6, 13, 17)],
    "secure_form.jsonl": [Known("ended", 6, 17, 20)],
    "spec_twelve.jsonl": [Known("timed_out", 1, 11, 16, late=1)],
    "stuck_typing.jsonl": [Known("ended", 5, 17, 23)],
    "survey.jsonl": [Known("ended", 6, 17, 22)],
    "teams.jsonl": [Known("ended", 6, 25, 27, duplicates=1)],
    "text_prompt.jsonl": [Known("ended", 9, 18, 19, duplicates=2)],
    "transfer.jsonl": [Known("ended", 11, 39, 49)],
    "two_chats.jsonl": [Known("ended", 5, 11, 15), Known("ended", 4, 13, 17)],
    "unknown_events.jsonl": [Known("ended", 8, 34, 41, unknown=3, malformed=10, anomalies=14)],
}
# The logs with anomalies or unknown events, as their README says.
ODD = {"unknown_events.jsonl", "hostile.jsonl"}
# The log with a late event outside the terminal batch.
LATE = {"late.jsonl"}
OUTPUTS = ["--summary", "--json", "--rows=0", "--color=always"]

every_log = pytest.mark.parametrize("name", KNOWN)


def test_every_shipped_log_is_known(recorded: list[Path]) -> None:
    """A new log needs a row in the table and a line in the README."""
    assert {path.name for path in recorded} == set(KNOWN)
    readme = (LOGS / "README.md").read_text(encoding="utf-8")
    assert [name for name in KNOWN if f"| `{name}` |" not in readme] == []


@every_log
def test_each_log_ends_and_counts_as_known(replays: Replays, name: str) -> None:
    """The outcome and every count of each chat equal those counted by hand."""
    result = replays("--summary", LOGS / name)
    assert (result.status, result.err) == (0, "")
    found = [Known(each["outcome"], each["messages"], **each["counts"]) for each in result.sessions]
    assert found == KNOWN[name]


@every_log
@pytest.mark.parametrize("output", OUTPUTS)
def test_each_log_is_reported_the_same_way_twice(replays: Replays, name: str, output: str) -> None:
    """The output is identical, byte for byte, in every format."""
    once, again = replays(output, LOGS / name), replays(output, LOGS / name)
    assert (once.status, once.err) == (0, "")
    assert once.out == again.out != ""


@every_log
def test_each_log_is_strict_where_it_is_clean(replays: Replays, name: str) -> None:
    """A clean log gives the same output with --strict; any other one stops."""
    strict = replays("--strict", "--json", LOGS / name)
    lenient = replays("--json", LOGS / name)
    assert strict.status == (name in ODD)
    assert lenient.out.startswith(strict.out)
    if name in ODD:
        assert f"{name}: line " in strict.err
        assert len(strict.lines) < len(lenient.lines)
    else:
        assert (strict.out, strict.err) == (lenient.out, "")


@every_log
def test_each_log_has_the_findings_of_the_readme(replays: Replays, name: str) -> None:
    """Only the logs named in the README have findings."""
    assert replays("--quiet", "--fail-on=any", LOGS / name).status == (name in ODD | LATE)
    assert replays("--quiet", "--fail-on=late", LOGS / name).status == (name in LATE)


@every_log
def test_each_log_is_escaped_in_a_pipe(replays: Replays, name: str) -> None:
    """One row for each effect, and no control characters."""
    result = replays("--rows=0", LOGS / name)
    assert [line for line in result.out.split("\n") if line != harmless_text(line)] == []
    rows = [line for line in result.lines if re.match(r" +\+[0-9:]+ ", line)]
    times = name == "unknown_events.jsonl"  # its one unreadable time has a row, but no effect
    assert len(rows) == sum(known.effects for known in KNOWN[name]) + times
    assert not any(line != line.rstrip() for line in result.lines)


def test_all_logs_at_once(recorded: list[Path], replays: Replays) -> None:
    """The totals are the sums of the table."""
    result = replays("--summary", *recorded)
    known = [each for path in recorded for each in KNOWN[path.name]]
    assert [each["chat_id"] for each in result.sessions if each["outcome"] is None] == []
    assert result.totals["sessions"] == len(known) == 27
    assert result.totals["messages"] == sum(each.messages for each in known)
    for count, total in result.totals["counts"].items():
        assert total == sum(getattr(each, count) for each in known)
    assert result.totals["findings"] == {"unknown": 4, "malformed": 10, "anomalies": 15, "late": 1}


def test_the_duplicates_are_reported_once_and_counted(replays: Replays) -> None:
    """Messages that a cached poll repeats are reported once."""
    reported = [
        (each["message"]["party_id"], each["message"]["msg_id"])
        for each in replays("--json", LOGS / "duplicates.jsonl").effects
        if each["effect"] == "message_received"
    ]
    assert len(reported) == len(set(reported)) == 6


def test_stuck_typing_ends_by_its_deadline(replays: Replays) -> None:
    """The typing indicator ends 30 s after its last event, and before the next one."""
    started: dict[str, float] = {}
    gaps = []
    for each in replays("--json", LOGS / "stuck_typing.jsonl").effects:
        if each["effect"] == "typing_started":
            started[each["party_id"]] = each["at"]
        elif each["effect"] == "typing_stopped":
            gaps.append(each["at"] - started[each["party_id"]])
    # Repeated after 20 and 45 s; then ended by a message, and three times by the timeout.
    assert gaps == [75.0, 12.0, 30.0, 30.0, 30.0]


def test_the_forms_expire_in_time(replays: Replays) -> None:
    """A form of two minutes and a prompt of one expire at their own times."""
    effects = replays("--json", LOGS / "expired_form.jsonl").effects
    opened = {
        each["form"]["request_id"]: each["at"]
        for each in effects
        if each["effect"] == "form_opened"
    }
    closed = {
        each["form"]["request_id"]: (
            each["reason"],
            each["at"] - opened[each["form"]["request_id"]],
        )
        for each in effects
        if each["effect"] == "form_closed"
    }
    assert closed == {"21": ("expired", 120.0), "22": ("expired", 60.0), "23": ("submitted", 90.0)}


def test_two_chats_keep_their_own_time(replays: Replays) -> None:
    """Interleaved chats have their own clocks and their own seq."""
    effects = replays("--json", LOGS / "two_chats.jsonl").effects
    chats = list(dict.fromkeys(each["chat_id"] for each in effects))
    assert len(chats) == 2
    order = [each["chat_id"] for each in effects]
    assert order != sorted(order, key=chats.index)
    for chat_id in chats:
        own = [each for each in effects if each["chat_id"] == chat_id]
        assert [each["seq"] for each in own] == sorted(each["seq"] for each in own)
        assert [each["at"] for each in own] == sorted(each["at"] for each in own)
        assert own[-1]["effect"] == "terminated"


def test_the_twelve_events_of_the_specification(replays: Replays) -> None:
    """All twelve events of the specification are recognized, in milliseconds and misspelled."""
    lines = (LOGS / "spec_twelve.jsonl").read_text(encoding="utf-8").splitlines()
    assert len({json.loads(line)["event"] for line in lines}) == len(lines) == 12
    effects = replays("--json", LOGS / "spec_twelve.jsonl").effects
    assert {each["seq"] for each in effects} == set(range(11))
    assert all(1e9 < each["at"] < 1e10 for each in effects)
