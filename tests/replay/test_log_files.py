"""Files for given paths, and the same output for all formats and any number of workers."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatfsm.errors import UnreadableLogError
from chatfsm.replay import Source, log_files, open_logs, records, replay_logs

Log = Callable[..., Path]
ENDED = '{"event":"chat_session_ended"}\n'


@pytest.fixture
def folder(log: Log, tmp_path: Path) -> Path:
    """A directory with logs and other files."""
    log("logs/b.jsonl", ENDED)
    log("logs/a.json", ENDED)
    log("logs/deep/c.har.txt", ENDED)
    log("logs/README.md", "# Logs\n")
    log("logs/picture", b"\x89PNG\r\n\x1a\n")
    log("logs/.hidden.jsonl", ENDED)
    log("logs/.git/x.jsonl", ENDED)
    return tmp_path / "logs"


def names(sources: list[Source], folder: Path) -> list[str]:
    return [Path(source.name).relative_to(folder).as_posix() for source in sources]


def test_a_directory_is_expanded_to_its_files(folder: Path) -> None:
    """Files of subdirectories are included, sorted by name, without hidden ones."""
    sources = open_logs(folder)
    assert names(sources, folder) == ["README.md", "a.json", "b.jsonl", "deep/c.har.txt", "picture"]


def test_other_files_of_a_directory_are_skipped(folder: Path, replays: Callable[..., Any]) -> None:
    """Each is named in a note, without an error."""
    result = replays("--summary", folder)
    assert (result.status, result.totals["sessions"], result.totals["complete"]) == (0, 3, True)
    text, picture = result.err.splitlines()
    why = "left out: line 1: not a log of chat events: this is plain text"
    assert text == f"chatfsm: {folder}/README.md: {why}"
    why = "left out: not a log of chat events: this is a PNG image"
    assert picture == f"chatfsm: {folder}/picture: {why}"


def test_a_file_with_the_name_of_a_log_must_be_one(
    log: Log, folder: Path, replays: Callable[..., Any]
) -> None:
    """A file with the name of a log is an error if it is not one; the others are read."""
    log("logs/a.csv", "# nothing\n")
    result = replays("--summary", folder)
    assert (result.status, result.totals["sessions"]) == (2, 3)
    assert "a.csv: line 1: not a log" in result.err


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.json*", ["a.json", "b.jsonl"]),
        ("**/*.txt", ["deep/c.har.txt"]),
        ("[ab].*", ["a.json", "b.jsonl"]),
    ],
)
def test_a_pattern_is_expanded_to_its_matches(folder: Path, pattern: str, found: list[str]) -> None:
    """Patterns are expanded as in a shell, sorted, without directories."""
    assert names(open_logs(folder / pattern), folder) == found
    assert names(open_logs([str(folder / pattern)]), folder) == found


def test_a_file_whose_name_is_a_pattern_is_that_file(log: Log) -> None:
    """An existing path takes precedence over a pattern."""
    path = log("[a].jsonl", ENDED)
    assert [source.name for source in open_logs(path)] == [str(path)]


@pytest.mark.parametrize("name", ["missing.jsonl", "missing*.jsonl"])
def test_a_missing_file_is_an_error_when_it_is_read(tmp_path: Path, name: str) -> None:
    """The files before it can be read."""
    (source,) = open_logs(tmp_path / name)
    with pytest.raises(UnreadableLogError, match="No such file"):
        list(records(source))


def test_an_empty_directory_has_no_logs(tmp_path: Path) -> None:
    """An empty directory has no logs."""
    assert open_logs(tmp_path) == []


def test_links_in_a_directory_do_not_lead_in_circles(folder: Path) -> None:
    """A link to a directory is not followed, and a dead link is skipped."""
    (folder / "again").symlink_to(folder)
    (folder / "dead.jsonl").symlink_to(folder / "gone")
    assert "dead.jsonl" not in names(open_logs(folder), folder)


def test_the_number_of_files_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory with too many files is an error."""
    monkeypatch.setattr(log_files, "MAX_FILES", 3)
    with pytest.raises(UnreadableLogError, match="a directory with more than 3 files"):
        open_logs(folder)


def test_replay_takes_sources(folder: Path) -> None:
    """`replay_logs` takes sources and paths."""
    assert len(list(replay_logs(open_logs(folder)))) == 3
    assert len(list(replay_logs([str(folder / "a.json")]))) == 1


def test_scrub_takes_all_formats(log: Log, tmp_path: Path, replays: Callable[..., Any]) -> None:
    """`scrub` takes a directory of many formats, and prints its notes."""
    from chatfsm._cli import main  # noqa: PLC0415  # for this alone

    log("logs/a.csv", "chat_id,event\nC1,chat_session_ended\n")
    log("logs/b.log", '2026-01-01 10:00:00 DEBUG {"chat_id":"C2","event":"chat_session_ended"}\n')
    log("logs/README", "hello\n")
    out = tmp_path / "out.jsonl"
    assert main(["scrub", str(tmp_path / "logs"), str(out)]) == 0
    result = replays("--summary", out)
    assert result.totals["outcomes"] == {"ended": 2}


# The same output for any number of workers


def chats() -> list[dict[str, Any]]:
    """Five interleaved chats with times of receipt and findings."""
    found: list[dict[str, Any]] = []
    for number in range(200):
        chat = {"chat_id": f"chat-{number % 5}", "received_at": 1_767_268_800 + number}
        event = {"event": "chat_session_message", "party_id": "A", "msg_id": str(number)}
        found.append({**chat, **event, "msg": f"text {number}"})
        if number % 23 == 0:
            found.append({**chat, "event": "chat_session_weather"})
    found[30]["received_at"] = "soon"
    return found + [{"chat_id": f"chat-{n}", "event": "chat_session_ended"} for n in range(5)]


def as_table(rows: list[dict[str, Any]]) -> bytes:
    stream = io.StringIO()
    names = ["chat_id", "received_at", "event", "party_id", "msg_id", "msg"]
    writer = csv.DictWriter(stream, names)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


def as_har(rows: list[dict[str, Any]]) -> bytes:
    entries = [
        {
            "startedDateTime": row.get("received_at", 1_767_270_000),
            "time": 5,
            "request": {
                "method": "GET",
                "url": f"https://x/clientweb/api/v2/chats/{row['chat_id']}/events",
            },
            "response": {"status": 200, "content": {"text": json.dumps({"events": [row]})}},
        }
        for row in rows
    ]
    return json.dumps({"log": {"entries": entries}}, indent=1).encode()


def as_lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def as_zip(rows: list[dict[str, Any]]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("a.jsonl", as_lines(rows[:100]))
        archive.writestr("b.csv", as_table(rows[100:]))
    return stream.getvalue()


FORMATS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "lines": as_lines,
    "spaced": lambda rows: "\n\n".join(json.dumps(row, indent=1) for row in rows).encode(),
    "envelopes": lambda rows: "".join(
        json.dumps({"events": [row]}) + "\n" for row in rows
    ).encode(),
    "list": lambda rows: json.dumps(rows, indent=2).encode(),
    "utf-16": lambda rows: as_lines(rows).decode().encode("utf-16"),
    "gzip": lambda rows: gzip.compress(as_lines(rows)),
    "bzip2": lambda rows: bz2.compress(as_lines(rows)),
    "xz": lambda rows: lzma.compress(as_lines(rows)),
    "zip": as_zip,
    "csv": as_table,
    "har": as_har,
    "docker": lambda rows: b"".join(
        json.dumps({"log": json.dumps(row) + "\n", "stream": "x", "time": "2026-01-01"}).encode()
        + b"\n"
        for row in rows
    ),
    "text": lambda rows: b"".join(
        b"2026-01-01 12:00:00 DEBUG " + json.dumps(row).encode() + b"\n" for row in rows
    ),
}


@pytest.mark.parametrize("name", FORMATS)
def test_jobs_give_the_same_answer(
    log: Log, tmp_path: Path, replays: Callable[..., Any], name: str
) -> None:
    """The output is identical, byte for byte, including notes and findings."""
    log(f"logs/a.{name}", FORMATS[name](chats()))
    log("logs/note.txt", "nothing\n")
    for words in (("--summary",), ("--json",)):
        one, three = (replays(*words, "--jobs", n, tmp_path / "logs") for n in ("1", "3"))
        assert (one.status, one.out, one.err) == (three.status, three.out, three.err)
        assert one.err.count("left out") == 1
    assert replays("--summary", tmp_path / "logs").totals["outcomes"] == {"ended": 5}


def test_notes_are_not_repeated_by_a_second_run(
    log: Log, tmp_path: Path, replays: Callable[..., Any]
) -> None:
    """A violation in one worker makes a single process read the input again."""
    log("logs/a.txt", "nothing\n")
    log("logs/b.jsonl", as_lines(chats()))
    one, two = (replays("--json", "--strict", "--jobs", n, tmp_path / "logs") for n in ("1", "2"))
    assert (one.status, one.out, one.err) == (two.status, two.out, two.err)
    assert one.err.count("left out") == 1


def test_quiet_prints_no_notes(folder: Path, replays: Callable[..., Any]) -> None:
    """Notes are not errors, so that `--quiet` suppresses them."""
    assert replays("--quiet", folder) == type(replays("--quiet", folder))(0, "", "")
