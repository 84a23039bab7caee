"""`chatfsm metrics` and `chatfsm diff`: output, options and errors."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from chatfsm._cli import main
from chatfsm.replay import MetricsReport, measure_logs

LOGS = Path(__file__).resolve().parents[1] / "logs"
ALL = [str(path) for path in sorted(LOGS.glob("*.jsonl"))]
STUCK = str(LOGS / "stuck_typing.jsonl")


def printed(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    """The output of the command."""
    assert main(words) == status
    return capsys.readouterr().out


def expected() -> MetricsReport:
    """The metrics of all recorded logs, by the library."""
    report = MetricsReport()
    for chat in measure_logs(ALL):
        report.add(chat)
    return report


def test_json_has_the_metrics_of_the_library(capsys: pytest.CaptureFixture[str]) -> None:
    """`--format json` prints chats, agents and totals; days are added by `--per day`."""
    found = json.loads(printed(capsys, "metrics", *ALL, "--format", "json"))
    assert found == json.loads(json.dumps(expected().to_json()))
    with_days = json.loads(printed(capsys, "metrics", *ALL, "--format", "json", "--per", "day"))
    assert with_days == {**found, "days": json.loads(json.dumps(expected().by_day()))}


@pytest.mark.parametrize("per", ["chat", "agent", "day", "total"])
@pytest.mark.parametrize("format_", ["table", "csv", "json"])
def test_any_number_of_jobs_gives_one_answer(
    capsys: pytest.CaptureFixture[str], per: str, format_: str
) -> None:
    """The output is identical, byte for byte."""
    words = ("metrics", *ALL, "--per", per, "--format", format_)
    assert printed(capsys, *words) == printed(capsys, *words, "--jobs", "3")


def test_the_totals_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """One line for each metric; shares in percent, seconds with one decimal, a dash for none."""
    lines = dict(line.split() for line in printed(capsys, "metrics", STUCK).splitlines())
    assert lines["aht_seconds"] == "466.0"
    assert lines["service_level"] == "100.0%"
    assert lines["response_seconds_p90"] == "-"
    assert lines["chats"] == "1"


def test_a_threshold(capsys: pytest.CaptureFixture[str]) -> None:
    """The customer of this log waits for 7 seconds."""
    found = printed(capsys, "metrics", STUCK, "--threshold", "6.5", "--format", "json")
    assert json.loads(found)["totals"]["service_level"] == 0.0


def test_csv_has_all_columns(capsys: pytest.CaptureFixture[str]) -> None:
    """Each part of a nested value has its column; a list is one text."""
    out = printed(capsys, "metrics", *ALL, "--per", "chat", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert len(rows) == len(expected().chats)
    row = next(row for row in rows if row["chat_id"].startswith("3720da37"))
    assert (row["messages_agent"], row["state_seconds_connected"], row["forms_opened"]) == (
        "6",
        "450.0",
        "1",
    )
    assert len(row["agents"].split()) == 3
    assert row["state_seconds_establishing"] == ""
    assert all(None not in row for row in rows)


def test_parquet_has_the_same_rows(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Parquet holds the same rows with typed columns."""
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "metrics.parquet"
    words = ("metrics", *ALL, "--per", "chat")
    assert printed(capsys, *words, "--format", "parquet", "-o", str(path)) == ""
    rows: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
    lines = list(csv.DictReader(io.StringIO(printed(capsys, *words, "--format", "csv"))))
    assert [
        {name: "" if value is None else str(value) for name, value in row.items()} for row in rows
    ] == lines


def test_parquet_needs_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Parquet is binary and needs --output."""
    assert main(("metrics", STUCK, "--format", "parquet")) == 2
    assert "name a file with --output" in capsys.readouterr().err


def test_a_hostile_name_is_escaped(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Control characters, formulas and very long names are made safe."""
    log = tmp_path / "log.jsonl"
    joined = {"event": "chat_session_party_joined", "type": "internal", "chat_id": "C"}
    names = ("=cmd|' /C calc'!A0", "\x1b[2J\r\nhello", "x" * 5_000)
    log.write_text(
        "\n".join(
            json.dumps({**joined, "party_id": str(number), "display_name": name})
            for number, name in enumerate(names)
        ),
        encoding="utf-8",
    )
    table = printed(capsys, "metrics", str(log), "--per", "agent")
    assert "\x1b" not in table
    assert max(map(len, table.splitlines())) < 200
    cells = printed(capsys, "metrics", str(log), "--per", "agent", "--format", "csv")
    assert "'=cmd|" in cells


def test_a_file_for_the_output(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The output is written to the file; exit code 2 if it cannot be written."""
    path = tmp_path / "metrics.json"
    words = ("metrics", STUCK, "--format", "json", "-o")
    assert printed(capsys, *words, str(path)) == ""
    assert json.loads(path.read_text("utf-8"))["totals"]["chats"] == 1
    assert main((*words, str(tmp_path / "missing" / "metrics.json"))) == 2
    assert "cannot write" in capsys.readouterr().err


def test_readable_files_are_measured(capsys: pytest.CaptureFixture[str]) -> None:
    """A missing file is named, the others are measured, and the exit code is 2."""
    assert main(("metrics", "missing.jsonl", STUCK, "--format", "json")) == 2
    out, err = capsys.readouterr()
    assert json.loads(out)["totals"]["chats"] == 1
    assert "missing.jsonl: cannot be read" in err


# chatfsm diff


def test_equal_logs(capsys: pytest.CaptureFixture[str]) -> None:
    """For equal logs only the totals are printed."""
    assert printed(capsys, "diff", STUCK, STUCK).splitlines() == [
        "1 chats are the same, 0 differ, 0 are only in A, 0 only in B",
        f"A: {STUCK}  B: {STUCK}",
    ]


def test_two_settings(capsys: pytest.CaptureFixture[str]) -> None:
    """The first different effect of both sides is printed."""
    words = ("diff", STUCK, STUCK, "--set-b", "typing_timeout=100")
    first, a, b, *_ = printed(capsys, *words, status=1).splitlines()
    assert first == "stuck_typing: different after 8 equal effects"
    assert a.startswith('  A  event 8, at 1744272090.0: {"effect": "typing_stopped"')
    assert b.startswith('  B  event 8, at 1744272155.0: {"effect": "message_received"')
    (found,) = json.loads(printed(capsys, *words, "--json", status=1))["different"]
    assert (found["a"]["effect"], found["equal_effects"]) == ("typing_stopped", 8)


def test_printed_effects_of_another_version(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A file of `replay --json` is compared with a log or with another such file."""
    path = tmp_path / "effects.jsonl"
    path.write_text(printed(capsys, "replay", "--json", STUCK), encoding="utf-8")
    assert printed(capsys, "diff", str(path), STUCK).startswith("1 chats are the same")
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:-1]), encoding="utf-8")
    assert "  A  no further effect" in printed(capsys, "diff", str(path), STUCK, status=1)


def test_chats_of_one_side(capsys: pytest.CaptureFixture[str]) -> None:
    """Chats of one side are named."""
    out = printed(capsys, "diff", str(LOGS / "two_chats.jsonl"), STUCK, status=1)
    assert "stuck_typing: only in B" in out
    assert "2 are only in A, 1 only in B" in out


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("-", STUCK), "name a file in place of standard input"),
        ((STUCK, STUCK, "--set-a", "typing_timeout=-1"), "must be greater than 0 seconds, not -1"),
        ((STUCK, STUCK, "--set-a", "max_ids=many"), "max_ids must be a number, not "),
        (
            (STUCK, STUCK, "--set-a", "strict=perhaps"),
            "strict must be true or false, not 'perhaps'",
        ),
        ((STUCK, STUCK, "--set-a", "wrong=1"), "a setting is NAME=VALUE"),
        ((STUCK, STUCK, "--set-a", "strict"), "a setting is NAME=VALUE"),
        ((STUCK, "missing.jsonl"), "missing.jsonl: cannot be read"),
        ((STUCK, "missing.jsonl", "--metrics"), "missing.jsonl: cannot be read"),
    ],
)
def test_bad_use_of_diff(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], why: str
) -> None:
    """One line on standard error gives the reason, and nothing is printed as a result."""
    assert main(("diff", *words)) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert why in err


def test_settings_do_not_change_printed_effects(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Settings cannot change effects that are printed already."""
    path = tmp_path / "effects.jsonl"
    path.write_text(printed(capsys, "replay", "--json", STUCK), encoding="utf-8")
    assert main(("diff", STUCK, str(path), "--set-b", "msg_id_format=n")) == 2
    assert "holds effects, which no setting changes" in capsys.readouterr().err


def test_two_periods(capsys: pytest.CaptureFixture[str]) -> None:
    """The totals side by side; `change` is B minus A."""
    words = ("diff", STUCK, str(LOGS / "transfer.jsonl"), "--metrics")
    lines = [line.split() for line in printed(capsys, *words).splitlines()]
    assert lines[0] == ["A", "B", "change"]
    rows = {line[0]: line[1:] for line in lines[1:]}
    assert rows["queue_seconds_median"] == ["7.0", "12.0", "+5.0", "+71.4%"]
    assert rows["response_seconds_p90"] == ["-", "29.0", "-"]
    assert rows["service_level"][:4] == ["100.0%", "100.0%", "+0.0", "points"]
    found = json.loads(printed(capsys, *words, "--json"))
    assert (
        found["a"]["aht_seconds"],
        found["b"]["aht_seconds"],
        found["change"]["aht_seconds"],
    ) == (
        466.0,
        453.0,
        -13.0,
    )
    assert found["change"]["response_seconds_p90"] is None
