"""`chatfsm replay` with journals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatfsm import Tick, commands

File = Callable[..., Path]
Runs = Callable[..., Any]
PRIVATE_TEXT = "a text that somebody wrote"


@pytest.fixture
def journal(new_recorder: Any, file: File) -> Path:
    """A journal with every kind of input."""
    return file("any.jsonl", new_recorder().receives_everything().text)


def printed_effects(recorder: Any) -> list[dict[str, Any]]:
    """The effects of the entries of a journal, as `--json` prints them."""
    entries = [entry for entry in recorder.written if "in" in entry]
    return [
        {"chat_id": entry["chat_id"], "seq": entry["seq"], "at": entry["at"], **effect}
        for entry in entries
        for effect in entry.get("out", ())
    ]


def test_json_prints_the_effects_of_the_journal(new_recorder: Any, runs: Runs, file: File) -> None:
    """`--json` prints the effects of all entries in order, each with its time and its number."""
    recorder = new_recorder().receives_everything()
    result = runs("replay", "--json", file("a.jsonl", recorder.text))
    assert (result.status, result.err) == (0, "")
    assert result.items == printed_effects(recorder)


def test_summary_shows_the_final_state(new_recorder: Any, runs: Runs, file: File) -> None:
    """The summary shows the final state of the recorded session."""
    recorder = new_recorder("the-chat").receives_everything()
    (chat,) = runs("replay", "--summary", file("a.jsonl", recorder.text)).document["sessions"]
    assert (chat["chat_id"], chat["state"], chat["outcome"]) == ("the-chat", "gone", "gone")
    counts = recorder.recorded.counts
    assert chat["counts"]["effects"] == counts.effects
    assert chat["counts"]["late"] == counts.late == 1
    assert chat["text"] == "error 5005"


def test_the_timeline_reports_both_sides(journal: Path, runs: Runs) -> None:
    """The timeline shows the events of the server, the commands of the app and the outcome."""
    result = runs("replay", journal)
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith("chat-1  ")
    assert "gone" in result.out.splitlines()[0]
    assert "good" in result.out
    assert "4000-1234" not in result.out


def test_verify_counts_the_entries(journal: Path, runs: Runs) -> None:
    """The exit code is 0; standard error has the number of entries."""
    result = runs("replay", "--verify", "--quiet", journal)
    assert (result.status, result.out, result.err) == (0, "", "chatfsm: 38 entries agree\n")


def test_verify_adds_up_files_and_still_prints(new_recorder: Any, runs: Runs, file: File) -> None:
    """The counts of several journals are added; the other output is unchanged."""
    recorder, other = (
        new_recorder().receives_everything(),
        new_recorder("chat-2").receives_everything(),
    )
    paths = file("a.jsonl", recorder.text), file("b.jsonl", other.text)
    result = runs("replay", "--verify", "--json", *paths)
    assert (result.status, result.err) == (0, "chatfsm: 76 entries agree\n")
    assert result.items == printed_effects(recorder) + printed_effects(other)


def test_verify_finds_a_difference(new_recorder: Any, runs: Runs, file: File) -> None:
    """The exit code is 1; the error names file, line and field, and quotes no text of the chat."""
    recorder = new_recorder()
    recorder.receives_event("status", state="queued", at=1.0)
    recorder.receives_event("message", party_id="ann", msg=PRIVATE_TEXT, at=2.0)
    recorder.receives_event("status", state="connected", at=3.0)
    lines = recorder.written
    lines[2]["out"][0]["message"]["text"] = "other"
    path = file("a.jsonl", *lines)
    result = runs("replay", "--verify", "--quiet", path)
    assert result.status == 1
    assert result.err.startswith(
        f"chatfsm: {path}: line 3: effect 0, message_received, differs in message; "
    )
    assert result.err.count("\n") == 1
    assert PRIVATE_TEXT not in result.err
    assert "agree" not in result.err
    assert runs("replay", "--quiet", path).status == 0, "not compared without --verify"


def test_verify_prints_the_effects_before_the_difference(
    new_recorder: Any, runs: Runs, file: File
) -> None:
    """The effects before the difference are printed; the rest is not read."""
    recorder = new_recorder()
    for number, state in enumerate(("ivr", "queued", "connected")):
        recorder.receives_event("status", state=state, at=float(number))
    lines = recorder.written
    lines[2]["out"] = []
    result = runs("replay", "--verify", "--json", file("a.jsonl", *lines))
    assert (result.status, [item["state"] for item in result.items]) == (1, ["ivr"])


@pytest.mark.parametrize("content", ["", '{"event": "chat_session_ended"}\n'])
def test_verify_without_a_journal_fails(runs: Runs, file: File, content: str) -> None:
    """The exit code is 2 if there is no entry to verify."""
    result = runs("replay", "--verify", "--quiet", file("a.jsonl", content))
    assert result.status == 2
    assert result.err == "chatfsm: nothing to verify: no journal was read\n"


def test_verify_of_a_header_alone_fails(new_recorder: Any, runs: Runs, file: File) -> None:
    """A header alone has no entry to verify."""
    recorder = new_recorder()
    recorder.receives(Tick())
    assert runs("replay", "--verify", "--quiet", file("a.jsonl", recorder.lines[0])).status == 2


def test_a_missing_file_is_unreadable(tmp_path: Path, journal: Path, runs: Runs) -> None:
    """The exit code is 2 even if another file verifies."""
    result = runs("replay", "--verify", "--quiet", journal, tmp_path / "none.jsonl")
    assert result.status == 2
    assert "none.jsonl" in result.err


def test_a_packed_journal_is_read(new_recorder: Any, runs: Runs, file: File, stdin: Any) -> None:
    """Gzip is detected by content, in a file and on standard input."""
    recorder = new_recorder().receives_everything()
    packed = file("a.jsonl.gz", recorder.text, packed=True)
    assert runs("replay", "--verify", "--quiet", packed).err == "chatfsm: 38 entries agree\n"
    stdin(packed.read_bytes())
    result = runs("replay", "--verify", "--json", "-")
    assert (result.status, result.err) == (0, "chatfsm: 38 entries agree\n")
    assert result.items == printed_effects(recorder)


def test_a_restart_is_one_chat(new_recorder: Any, runs: Runs, file: File) -> None:
    """Two sessions of one chat in one journal are one chat, each with its own clock."""
    first = new_recorder()
    first.receives_event("party_joined", party_id="ann", type="internal", at=5.0)
    second = first.restarts(at=900.0)
    second.receives(commands.SendText("hello"), at=901.0)
    path = file("a.jsonl", first.text)
    result = runs("replay", "--verify", "--summary", path)
    assert (result.status, result.err) == (0, "chatfsm: 2 entries agree\n")
    (chat,) = result.document["sessions"]
    assert (chat["agent"], chat["counts"]["effects"]) == ("ann", 2)
    items = [{**item, "seq": 0} for item in runs("replay", "--json", path).items]
    assert items == printed_effects(first)


def test_chats_interleaved_are_kept_apart(new_recorder: Any, runs: Runs, file: File) -> None:
    """Each chat of a journal has its own session."""
    lines: list[str] = []
    one, two = new_recorder("one", lines=lines), new_recorder("two", lines=lines)
    one.receives_event("status", state="ivr")
    two.receives_event("status", state="queued")
    one.receives_event("status", state="connected")
    result = runs("replay", "--verify", "--summary", file("a.jsonl", *lines))
    assert (result.status, result.err) == (0, "chatfsm: 3 entries agree\n")
    states = [(chat["chat_id"], chat["state"]) for chat in result.document["sessions"]]
    assert states == [("one", "connected"), ("two", "queued")]


def test_strict_finds_violations_in_a_journal(new_recorder: Any, runs: Runs, file: File) -> None:
    """Violations that a lenient session tolerated fail: exit code 1, with file and line."""
    recorder = new_recorder()
    recorder.receives_event("status", state="ivr")
    recorder.receives_event("weather", text=PRIVATE_TEXT)
    path = file("a.jsonl", recorder.text)
    result = runs("replay", "--strict", "--quiet", path)
    assert result.status == 1
    assert result.err.startswith(f"chatfsm: {path}: line 3: unknown: ")
    assert PRIVATE_TEXT not in result.err


def test_strict_accepts_a_violation_that_was_refused(
    new_recorder: Any, runs: Runs, file: File
) -> None:
    """A violation that was refused in the recording does not fail again; the chat continues."""
    recorder = new_recorder(strict=True)
    recorder.receives_event("status", state="ivr")
    with pytest.raises(Exception, match="unknown"):
        recorder.receives_event("weather")
    recorder.receives_event("status", state="queued")
    result = runs("replay", "--strict", "--verify", "--json", file("a.jsonl", recorder.text))
    assert (result.status, result.err) == (0, "chatfsm: 3 entries agree\n")
    assert [item["state"] for item in result.items] == ["ivr", "queued"]


def test_a_clean_journal_is_strictly_clean(new_recorder: Any, runs: Runs, file: File) -> None:
    """Commands, refused or not, are not violations by the server."""
    recorder = new_recorder()
    recorder.refuses(commands.EndCall())
    recorder.receives(commands.SendText("hello"))
    assert runs("replay", "--strict", "--quiet", file("a.jsonl", recorder.text)).status == 0


def test_findings_of_a_journal_count(journal: Path, runs: Runs) -> None:
    """`--fail-on` counts the findings of a journal."""
    assert runs("replay", "--quiet", "--fail-on", "unknown", journal).status == 1
    assert runs("replay", "--quiet", "--verify", "--fail-on", "malformed", journal).status == 1


def test_a_broken_line_in_a_journal_does_not_verify(
    new_recorder: Any, runs: Runs, file: File
) -> None:
    """An unreadable entry cannot be compared: the exit code is not 0, and the line is named."""
    recorder = new_recorder()
    recorder.receives_event("status", state="ivr")
    recorder.receives(Tick())
    recorder.receives_event("status", state="queued")
    lines = [*recorder.lines[:2], recorder.lines[2][:30] + "\n", *recorder.lines[3:]]
    result = runs("replay", "--verify", "--quiet", file("a.jsonl", *lines))
    assert result.status == 2
    assert "line 3: not a line of a journal: the rest of this chat is not verified" in result.err
    assert "agree" not in result.err


def test_verify_continues_after_a_broken_line(new_recorder: Any, runs: Runs, file: File) -> None:
    """The other chats of the file are verified, and a new header restarts the chat."""
    first, second = new_recorder("first"), new_recorder("second")
    for recorder in (first, second):
        recorder.receives_event("status", state="ivr")
        recorder.receives_event("status", state="queued")
    torn = [first.lines[0], first.lines[1][:30] + "\n", first.lines[2]]
    wrong = second.lines[2].replace('"queued"', '"connected"', 1)
    for lines, where in (
        ([*torn, *second.lines[:2], wrong], "line 6: "),
        ([*torn, *first.lines[:2], first.lines[2].replace('"queued"', '"ivr"', 1)], "line 6: "),
    ):
        result = runs("replay", "--verify", "--quiet", file("a.jsonl", *lines))
        assert result.status == 1
        assert "line 2: not a line of a journal" in result.err
        assert where in result.err.splitlines()[-1]


def test_each_chat_that_is_not_verified_is_named_once(
    new_recorder: Any, runs: Runs, file: File
) -> None:
    """One line on standard error for each chat; the summary counts all its messages."""
    recorder = new_recorder("a")
    for number in range(4):
        recorder.receives_event("message", msg=f"message {number}")
    lines = [recorder.lines[0], *recorder.lines[2:]]
    result = runs("replay", "--verify", "--summary", file("a.jsonl", *lines))
    assert result.status == 2
    assert result.err.count("line ") == 1
    assert "line 2: the next entry must have seq 0, not 1: the rest of this chat" in result.err
    assert json.loads(result.out)["totals"]["messages"] == 3


def test_a_journal_of_a_newer_version_does_not_verify(
    new_recorder: Any, runs: Runs, file: File
) -> None:
    """The exit code is 2, and the error names the version."""
    recorder = new_recorder()
    recorder.receives(Tick())
    lines = [{**line, "v": 2} for line in recorder.written]
    result = runs("replay", "--verify", "--quiet", file("a.jsonl", *lines))
    assert result.status == 2
    assert "must be 1, not 2" in result.err
    assert "line 1" in result.err


def header_at_infinity(header: dict[str, Any], snapshot: dict[str, Any]) -> dict[str, Any]:
    """A header with an infinite time."""
    return {**header, "at": float("inf"), "snapshot": snapshot}


def without_chat_id(header: dict[str, Any], _snapshot: dict[str, Any]) -> dict[str, Any]:
    """A header with an empty chat_id."""
    return {**header, "chat_id": ""}


def tampered(header: dict[str, Any], snapshot: dict[str, Any]) -> dict[str, Any]:
    """A header with a changed snapshot."""
    return {**header, "snapshot": {**snapshot, "digest": "0"}}


@pytest.mark.parametrize("broken", [header_at_infinity, without_chat_id, tampered])
@pytest.mark.parametrize("verify", [["--verify"], []])
def test_an_unusable_header_is_named(
    new_recorder: Any, runs: Runs, file: File, broken: Any, verify: list[str]
) -> None:
    """The exit code is 2; the error names file and line."""
    recorder = new_recorder()
    recorder.receives(Tick())
    lines = recorder.written
    lines[0] = broken(lines[0], recorder.recorded.snapshot(now=0.0))
    path = file("a.jsonl", *lines)
    result = runs("replay", "--quiet", *verify, path)
    assert result.status == 2
    assert "a.jsonl: line 1" in result.err


def test_an_entry_without_its_header_does_not_verify(
    new_recorder: Any, runs: Runs, file: File
) -> None:
    """The settings of the session are unknown, so that its entries cannot be verified."""
    recorder = new_recorder()
    recorder.receives_event("status", state="ivr")
    result = runs("replay", "--verify", "--quiet", file("a.jsonl", *recorder.lines[1:]))
    assert result.status != 0
    assert "line 1" in result.err


def test_a_raw_event_with_the_fields_of_a_journal_entry(runs: Runs, file: File) -> None:
    """A raw event with fields named "v" and "in" is still an event."""
    path = file("a.jsonl", {"event": "chat_session_status", "state": "ivr", "v": 1, "in": {}})
    (item,) = runs("replay", "--json", path).items
    assert item["state"] == "ivr"


def test_help_describes_journals(runs: Runs) -> None:
    """The help describes the formats, the option and the exit code."""
    result = runs("replay", "--help")
    assert result.status == 0
    text = " ".join(result.out.split())
    assert "a log, a journal" in text
    assert (
        "--verify replay journals, compare the effects with the recorded ones, and stop at the"
        in text
    )
    assert (
        "1 a finding of --fail-on, a violation with --strict, or a difference with --verify" in text
    )


def test_events_without_a_time_before_an_entry_happen_at_it(
    new_recorder: Any, runs: Runs, file: File
) -> None:
    """Raw events that wait for a first timestamp get the time of the next journal entry."""
    recorder = new_recorder("a", at=7.0)
    recorder.receives_event("status", state="connected")
    raw = '{"chat_id": "a", "event": "chat_session_status", "state": "queued"}\n'
    result = runs("replay", "--json", file("a.jsonl", raw + recorder.lines[1]))
    assert [(row["seq"], row["at"], row["state"]) for row in result.items] == [
        (0, 7.0, "queued"),
        (1, 7.0, "connected"),
    ]
