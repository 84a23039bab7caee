"""Coverage: states and transitions that logs exercise are counted and shown in three forms."""

from __future__ import annotations

import doctest
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from chatfsm import (
    ChatSession,
    History,
    LocalProtocolError,
    SendFailed,
    Sent,
    commands,
    effects,
    events,
)
from chatfsm._cli import coverage as command
from chatfsm._cli import main
from chatfsm.replay import (
    COVERAGE_PARTS,
    Recorded,
    ReplayStep,
    coverage,
    coverage_diagram,
    replay_logs,
)
from chatfsm.replay.coverage import Coverage, coverage_of
from chatfsm.replay.coverage_diagram import mermaid
from chatfsm.testing.paths import Path as FoundPath
from chatfsm.testing.paths import Step, drive, transition_paths

LOGS = sorted(
    str(path) for path in (Path(__file__).parent.parent / "logs").iterdir() if path.suffix != ".md"
)
Log = Callable[..., Path]
Measure = Callable[..., tuple[int, str, str]]


@pytest.fixture
def measure(capsys: pytest.CaptureFixture[str]) -> Measure:
    """Run `chatfsm coverage` and return exit code, output and errors."""

    def run(*arguments: str) -> tuple[int, str, str]:
        status = main(["coverage", *arguments])
        out, err = capsys.readouterr()
        return status, out, err

    return run


def journal(file: Path, *inputs: Any) -> str:
    """Write the journal of a session that receives these inputs, one a second."""
    return journal_of(file, FoundPath("form", "", tuple(Step(item, after=1.0) for item in inputs)))


def journal_of(file: Path, path: FoundPath, chat_id: str = "chat-1") -> str:
    """Append the journal of a session that is driven along a path."""
    with file.open("a", encoding="utf-8") as out:
        session: Any = Recorded(ChatSession(chat_id), lambda line: print(line, file=out))
        drive(session, path)
    return str(file)


def moves(found: Coverage, machine: str) -> dict[tuple[str, str, str], int]:
    return {row: count for (name, row), count in found.transitions.items() if name == machine}


@pytest.mark.parametrize("machine", ["lifecycle", "form", "call", "delivery"])
def test_journals_of_all_paths_exercise_all_of_a_machine(machine: Any, tmp_path: Path) -> None:
    """`coverage` counts each transition that `paths` drives, by its own trigger."""
    for number, path in enumerate(transition_paths(machine).values()):
        file = journal_of(tmp_path / "paths.jsonl", path, f"chat-{number}")
    found = coverage_of([file])
    assert found.chats == len(transition_paths(machine))
    assert found.percent([machine]) == 100.0
    for row, path in transition_paths(machine).items():
        assert moves(found, machine)[row] >= 1, path


@pytest.mark.parametrize("machine", ["form", "call", "delivery"])
def test_a_path_adds_its_own_transitions_and_no_other(machine: Any, tmp_path: Path) -> None:
    for number, path in enumerate(transition_paths(machine).values()):
        file = journal_of(tmp_path / f"{number}.jsonl", path)
        assert list(moves(coverage_of([file]), machine)) == list(dict.fromkeys(path.rows))


def test_the_recorded_logs_do_not_lose_coverage() -> None:
    """The figures of tests/logs: they may grow, but not shrink."""
    found = {section.name: section for section in coverage_of(LOGS).sections()}
    assert {name: section.exercised for name, section in found.items()} == {
        "lifecycle states": 9,
        "lifecycle transitions": 18,
        "form states": 5,
        "form transitions": 5,
        "call states": 6,
        "call transitions": 8,
        "delivery states": 0,
        "delivery transitions": 0,
        "events": 25,
        "effects": 25,
    }
    assert found["lifecycle states"].missing == ["gone"]
    assert found["events"].missing == ["MessageEdit", "MessageDelete", "FileUrl"]


def test_counts_are_those_of_the_log(wire: Any, log: Log) -> None:
    items = [
        wire.status("queued", at=1),
        wire.status("connected", at=2),
        wire.status("queued", at=3),
    ]
    repeated = wire.says("ann", "x", msg_id="2", at=4)
    found = coverage_of([str(log("a.jsonl", *items, repeated, repeated, wire.ended(at=5)))])
    plain = found.to_json()
    assert plain["lifecycle"]["states"]["queued"] == 2
    assert {"trigger": "ended", "source": "queued", "destination": "ended", "count": 1} in (
        plain["lifecycle"]["transitions"]
    )
    assert plain["events"]["Message"] == 2
    assert plain["effects"]["MessageReceived"] == plain["effects"]["Ignored"] == 1
    assert plain["effects"]["FormOpened"] == 0


def test_the_answer_to_a_prompt_is_a_message_in_a_history_too(tmp_path: Path) -> None:
    prompt = events.FormShow("1", "", timestamp=1.0)
    answered = History([prompt, events.Message(msg="17", timestamp=2.0)])
    found = coverage_of([journal(tmp_path / "a.jsonl", answered)])
    assert moves(found, "form") == {("message", "open", "submitted"): 1}
    answered = History([prompt, events.FormData("1", timestamp=2.0)])
    found = coverage_of([journal(tmp_path / "b.jsonl", answered)])
    assert moves(found, "form") == {("form_data", "open", "submitted"): 1}
    assert found.events[events.FormShow] == 1


def test_a_command_answers_a_form_or_is_refused(tmp_path: Path) -> None:
    """A refused command exercises nothing."""
    submit, shown = commands.SubmitForm("1", {"a": "b"}), events.FormShow("1", "survey")
    found = coverage_of([journal(tmp_path / "a.jsonl", shown, submit)])
    assert moves(found, "form") == {("form_data", "open", "submitted"): 1}
    file = tmp_path / "b.jsonl"
    session_lines: list[str] = []
    session = Recorded(ChatSession("chat-1"), session_lines.append)
    with pytest.raises(LocalProtocolError, match="the call is idle"):
        session.receive(commands.SendCandidate("candidate:1"), now=1.0)
    file.write_text("\n".join(session_lines))
    found = coverage_of([str(file)])
    assert (moves(found, "call"), found.chats) == ({}, 1)


def test_a_restored_session_has_states_and_no_transitions_of_before(tmp_path: Path) -> None:
    session = ChatSession("chat-1")
    session.receive(events.Status("connected"), now=0.0)
    session.receive(commands.SendText("x", msg_id="a"), now=0.0)
    session.receive(SendFailed(["a"], "no reply", retryable=True), now=0.0)
    lines: list[str] = []
    recorded = Recorded(session, lines.append)
    recorded.receive(events.Typing("ann"), now=1.0)
    recorded.receive(Sent(["a"]), now=2.0)
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    found = coverage_of([str(tmp_path / "a.jsonl")])
    assert found.states["lifecycle", "connected"] == 1
    assert found.states["delivery", "unconfirmed"] == 1
    assert moves(found, "delivery") == {("sent", "unconfirmed", "sent"): 1}
    assert not moves(found, "lifecycle")


def test_each_message_of_the_app_begins_as_pending(tmp_path: Path) -> None:
    send = commands.SendText("x"), commands.SendText("y", msg_id="b"), commands.SendText("z")
    found = coverage_of([journal(tmp_path / "a.jsonl", *send, Sent(["b"]))])
    assert found.states["delivery", "pending"] == 3
    assert moves(found, "delivery") == {("sent", "pending", "sent"): 1}


def test_a_step_may_be_of_an_unknown_input(wire: Any, log: Log) -> None:
    """A step without an input counts by its effects only."""
    found, steps = Coverage(), []
    items = [wire.status("ivr", at=1), wire.ended(at=2)]
    [chat] = replay_logs([str(log("a.jsonl", *items))], on_step=lambda _, step: steps.append(step))
    for step in steps:
        found.add(chat, ReplayStep(step.seq, step.at, step.effects))
    assert (found.events.total(), found.effects[effects.StateChanged]) == (0, 2)


def test_the_table_names_the_missing_items(measure: Measure) -> None:
    status, out, err = measure(*LOGS)
    assert (status, err) == (0, "")
    assert re.search(r"(?m)^lifecycle transitions +18 +54$", out)
    assert "\n54.3 % exercised by 27 chats\n" in out
    assert "\n  lifecycle states: gone\n" in out
    assert "\n  form to replaced by form_show: open\n" in out
    assert "\n  lifecycle to connected: ivr, completed\n" in out
    assert max(map(len, out.splitlines())) <= 100


def test_a_long_list_is_wrapped(measure: Measure, log: Log) -> None:
    _, out, _ = measure(str(log("empty.jsonl", {"event": "chat_session_info"})))
    assert "1 chat\n" in out
    assert max(map(len, out.splitlines())) <= 100
    assert re.search(r"(?m)^  events: Status, .*,\n    \w+", out)


def test_only_selects_the_parts(measure: Measure) -> None:
    status, out, _ = measure("--only", "call,form", "--only", "form", *LOGS)
    assert status == 0
    assert [line.split("  ")[0] for line in out.splitlines()[1:5]] == [
        "form states",
        "form transitions",
        "call states",
        "call transitions",
    ]
    assert "events" not in out


def test_json_is_one_document(measure: Measure) -> None:
    status, out, _ = measure("--json", *LOGS)
    found = json.loads(out)
    assert (status, found["chats"], found["percent"]) == (0, 27, 54.3)
    assert list(found) == ["chats", "percent", *COVERAGE_PARTS]
    assert found["lifecycle"]["states"]["gone"] == 0


def test_the_diagram_does_not_rely_on_colours(measure: Measure) -> None:
    """Each transition is drawn once, solid with a number or dotted without."""
    status, out, _ = measure("--mermaid", *LOGS)
    assert (status, out.splitlines()[1]) == (0, "flowchart LR")
    edges = re.findall(r'(?m)^    (\w+) (-->|-\.->)\|"(.*)"\| (\w+)$', out)
    labels = [(arrow, label) for source, arrow, label, _ in edges for label in label.split("<br/>")]
    assert all((re.search(r" \d+x$", label) is not None) == (a == "-->") for a, label in labels)
    found = coverage_of(LOGS)
    rows = [s for s in found.sections() if s.kind == "transitions"]
    solid = sum(arrow == "-->" for arrow, _ in labels) - 1  # and one in the key
    assert solid == sum(section.exercised for section in rows)
    styled = {
        kind: numbers.split(",")
        for numbers, kind in re.findall(r"(?m)^    linkStyle ([\d,]+) stroke:#(\w+)", out)
    }
    assert len(styled["0072b2"]) == sum(arrow == "-->" for _, arrow, _, _ in edges)
    assert len(styled["d55e00"]) == sum(arrow == "-.->" for _, arrow, _, _ in edges)
    assert ("lifecycle_live", "-.->", "lost", "lifecycle_gone") in edges
    assert 'lifecycle_gone["gone"]:::missing' in out


def test_the_diagram_of_full_coverage_has_no_box() -> None:
    found = coverage_of(LOGS)
    _, transitions = found.sections(["form"])
    found.transitions.update(("form", row) for row in transitions.counts)
    drawn = mermaid(found.sections(["form", "events"]))
    assert "any of these" not in drawn
    assert drawn.count("-.->") == 1  # in the key
    assert "Message" not in drawn


def test_the_output_is_a_file(measure: Measure, tmp_path: Path) -> None:
    out = tmp_path / "coverage.mmd"
    out.write_text("old")
    assert measure("--mermaid", "-o", str(out), *LOGS) == (0, "", "")
    assert out.read_text("utf-8").startswith("%%{init: ")


def test_an_output_that_cannot_be_written_is_an_error(measure: Measure, tmp_path: Path) -> None:
    status, out, err = measure("-o", str(tmp_path), *LOGS)
    assert (status, out) == (2, "")
    assert "cannot write" in err


@pytest.mark.parametrize(("percent", "status"), [("0", 0), ("54.3", 0), ("54.4", 1), ("100", 1)])
def test_low_coverage_fails(measure: Measure, percent: str, status: int) -> None:
    found, out, err = measure("--fail-under", percent, *LOGS)
    assert found == status
    assert "% exercised" in out
    assert err == (f"chatfsm: 54.3 % is less than {percent} %\n" if status else "")


def test_a_file_that_cannot_be_read_is_an_error_and_the_others_are_read(
    measure: Measure, tmp_path: Path
) -> None:
    status, out, err = measure("--fail-under", "100", str(tmp_path / "none.jsonl"), LOGS[0])
    assert status == 2
    assert "none.jsonl" in err
    assert "1 chat" in out


def test_an_interrupted_run_shows_the_coverage_so_far(
    measure: Measure, log: Log, wire: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Coverage):
        def add(self, chat: Any, step: Any) -> None:
            super().add(chat, step)
            raise KeyboardInterrupt

    monkeypatch.setattr(command, "Coverage", Interrupted)
    status, out, err = measure(str(log("a.jsonl", wire.status("ivr", at=1), wire.ended(at=2))))
    assert status == 130
    assert "interrupted" in err
    assert "exercised by 1 chat\n" in out


def test_logs_are_read_as_replay_reads_them(measure: Measure, wire: Any, log: Log) -> None:
    """`--chat-id` joins files to one chat; `--close-after` ends a silent one."""
    one = str(log("a.jsonl", wire.status("ivr", at=1)))
    other = str(log("b.jsonl", wire.status("queued", at=2000)))
    assert json.loads(measure("--json", one, other)[1])["chats"] == 2
    assert json.loads(measure("--json", "--chat-id", "c", one, other)[1])["chats"] == 1
    closed = measure("--json", "--chat-id", "c", "--close-after", "60", one, other)
    assert json.loads(closed[1])["chats"] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--only", "poll"],
        ["--only", ""],
        ["--fail-under", "101"],
        ["--fail-under", "-1"],
        ["--fail-under", "nan"],
        ["--json", "--mermaid"],
        ["-o", ""],
    ],
)
def test_a_wrong_option_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["coverage", *arguments, "x"])
    assert stop.value.code == 2
    assert "error: " in capsys.readouterr().err


@pytest.mark.parametrize("module", [coverage, coverage_diagram])
def test_the_examples_of_the_module_hold(module: Any) -> None:
    results = doctest.testmod(module)
    assert results.attempted >= 3
    assert results.failed == 0
