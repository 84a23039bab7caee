"""`chatfsm report`: its input files, its page and its messages."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import pytest

from chatfsm._cli import report as command
from chatfsm.replay.stream_replay import StreamReplay
from tests.replay.conftest import CommandResult, Wire
from tests.replay.report.conftest import ReportPage

Run = Callable[..., CommandResult]
Log = Callable[..., Path]


def test_a_page_of_a_directory(reports: Run, log: Log, wire: Wire, tmp_path: Path) -> None:
    """The page names the command, and each file with its size and hash."""
    path = log("logs/a.jsonl", wire.status("queued", at=1), wire.ended(at=5))
    log("logs/notes.txt", "Call the customer back.\n")
    out = tmp_path / "report.html"
    result = reports(path.parent, "-o", out, "--title", "Week 7", "--threshold", "30")
    assert (result.status, result.out) == (0, "")
    page = ReportPage(out.read_text("utf-8"))
    assert result.err.endswith(f"{out}: 1 chat, {out.stat().st_size:,} bytes\n")
    facts = page.facts
    assert (facts["title"], facts["scrubbed"]) == ("Week 7", False)
    assert facts["command"] == f"chatfsm report --threshold 30 {path.parent}"
    [known, other] = facts["inputs"]
    assert known == {
        "name": str(path),
        "size": path.stat().st_size,
        "sha256": sha256(path.read_bytes()).hexdigest(),
        "notes": [],
    }
    assert other["notes"] == ["left out: line 1: not a log of chat events: this is plain text"]


def test_all_options_that_change_the_figures_are_in_the_command(
    reports: Run, log: Log, wire: Wire
) -> None:
    path = log("a b.jsonl", wire.status("queued", at=1))
    result = reports(path, "-o", "-", "--max-chats", "2", "--max-steps", "9", "--close-after", "60")
    assert ReportPage(result.out).facts["command"] == (
        f"chatfsm report --max-chats 2 --max-steps 9 --close-after 60 '{path}'"
    )


@pytest.mark.parametrize(("limit", "kept"), [(0, 9), (1, 1), (4, 4)])
def test_the_number_of_steps(reports: Run, log: Log, wire: Wire, limit: int, kept: int) -> None:
    """`--max-steps 0` keeps all steps."""
    path = log("a.jsonl", *(wire.says("7", f"{n}", msg_id=str(n), at=n) for n in range(9)))
    page = ReportPage(reports(path, "-o", "-", "--max-steps", limit).out)
    assert len(page.trace()["steps"]) == kept
    assert page.trace()["omitted"] == 9 - kept


def test_a_file_that_exists_is_kept(reports: Run, log: Log, wire: Wire, tmp_path: Path) -> None:
    """An existing file is kept unless --force is given."""
    path, out = log("a.jsonl", wire.status("queued", at=1)), tmp_path / "report.html"
    out.write_text("mine", "utf-8")
    result = reports(path, "-o", out)
    assert (result.status, out.read_text("utf-8")) == (2, "mine")
    assert "the file exists already; --force overwrites it" in result.err
    assert reports(path, "-o", out, "--force").status == 0
    assert out.read_text("utf-8").startswith("<!doctype html>")


def test_a_page_from_standard_input(
    reports: Run, log: Log, wire: Wire, stdin: Callable[[bytes], object]
) -> None:
    """Standard input can be read only once, so that its hash is unknown."""
    stdin(log("a.jsonl", wire.status("queued", at=1)).read_bytes())
    page = ReportPage(reports("-", "-o", "-").out)
    assert page.facts["inputs"] == [{"name": "-", "size": None, "sha256": None, "notes": []}]
    assert page.chats[0]["chat_id"] == "stdin"


def test_an_unreadable_file_is_reported(reports: Run, log: Log, wire: Wire, tmp_path: Path) -> None:
    """Unreadable files are named on standard error and on the page; the exit code is 2."""
    path, missing = log("a.jsonl", wire.status("queued", at=1)), tmp_path / "missing.jsonl"
    result = reports(path, missing, "-o", tmp_path / "report.html")
    assert result.status == 2
    assert f"chatfsm: {missing}: cannot be read" in result.err
    page = ReportPage((tmp_path / "report.html").read_text("utf-8"))
    assert page.facts["inputs"][1]["notes"] == ["cannot be read: No such file or directory"]
    assert len(page.chats) == 1


def test_a_file_that_may_not_be_read_has_no_hash(
    reports: Run, log: Log, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = log("a.jsonl", wire.status("queued", at=1))

    def refuse(*_: object) -> None:
        raise OSError("no")

    monkeypatch.setattr(command.hashlib, "file_digest", refuse)
    page = ReportPage(reports(path, "-o", "-").out)
    assert page.facts["inputs"][0]["sha256"] is None


def test_an_interrupted_run_writes_the_page(
    reports: Run, log: Log, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 130."""
    path = log("a.jsonl", wire.status("queued", at=1))
    end_file = StreamReplay.end_file

    def interrupt(self: StreamReplay, source: object) -> object:
        monkeypatch.setattr(StreamReplay, "end_file", end_file)
        raise KeyboardInterrupt

    monkeypatch.setattr(StreamReplay, "end_file", interrupt)
    result = reports(path, "-o", tmp_path / "report.html")
    assert result.status == 130
    assert "interrupted: this is what was read so far" in result.err
    assert len(ReportPage((tmp_path / "report.html").read_text("utf-8")).chats) == 1


def test_a_large_page_is_reported(
    reports: Run, log: Log, wire: Wire, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_LARGE_PAGE", 1_000)
    result = reports(log("a.jsonl", wire.status("queued", at=1)), "-o", tmp_path / "report.html")
    assert "the page is large: --max-chats and --max-steps make it smaller" in result.err


@pytest.fixture
def personal_log(log: Log, wire: Wire) -> Path:
    """A log with personal data in each field and in its file name."""
    return log(
        "susan-miller.jsonl",
        wire.joins("party-of-tom", "Tom Baker", first_name="Tom", at=1741348800),
        wire.says("party-of-tom", "Hello Susan Miller", msg_id="1", at=1741348801),
        wire.event("weather", town="Smalltown", at=1741348802),
        wire.leaves("unheard-of", at=1741348803),
        wire.ended(msg="Goodbye Susan", at=1741348804),
    )


def test_a_scrubbed_page(
    reports: Run, personal_log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page holds no name, id, text or path of the log, but states, times and findings."""
    monkeypatch.setenv("CHATFSM_SCRUB_KEY", "a key of the test")
    result = reports(personal_log, "-o", "-", "--scrub")
    page = ReportPage(result.out)
    for word in (
        "Susan",
        "Miller",
        "susan",
        "Tom",
        "Baker",
        "party-of",
        "unheard",
        "Smalltown",
        "Goodbye",
    ):
        assert word not in page.all_data
    assert str(tmp_path) not in page.all_data
    assert "/tmp" not in page.all_data  # noqa: S108  # the directory of the scrubbed copy
    facts = page.facts
    assert facts["command"] == "chatfsm report --scrub FILE …"
    assert facts["inputs"][0]["name"] == "input 1"
    assert facts["inputs"][0]["sha256"] == sha256(personal_log.read_bytes()).hexdigest()
    assert page.chats[0]["outcome"] == "ended"
    assert page.chats[0]["started_at"] == "2025-03-07T12:00:00Z"
    assert page.chats[0]["findings"] == {"unknown": 1, "anomalies": 1}
    assert [step[3] for step in page.trace()["steps"]] == [f"line {n}" for n in range(1, 6)]
    assert reports(personal_log, "-o", "-", "--scrub").out == result.out


def test_a_file_that_cannot_be_scrubbed(reports: Run, personal_log: Path) -> None:
    """The file name is on standard error, not on the page."""
    missing = personal_log.with_name("henry-ford.jsonl")
    log = personal_log.with_name("about-susan.txt")
    log.write_text("nothing\n", "utf-8")
    result = reports(personal_log, missing, personal_log.parent, "-o", "-", "--scrub")
    assert result.status == 2
    assert "henry-ford" in result.err
    page = ReportPage(result.out)
    assert "henry" not in page.all_data
    assert "about-susan" not in page.all_data
    notes = {one["name"]: one["notes"] for one in page.facts["inputs"]}
    assert notes["input 2"] == ["cannot be read: No such file or directory"]
    assert notes["input 3"] == ["left out: line 1: not a log of chat events: this is plain text"]
