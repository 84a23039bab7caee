"""The seeded faults fit the source, and cover all rows and laws; the command reports correctly."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.seeded import __main__ as command
from tests.seeded.faults import FAULTS, LAWS, ROWS, Fault
from tests.seeded.tree import ROOT, applied, copy_tree


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_fits_the_source(fault: Fault) -> None:
    """The file contains the old text once, the changed file compiles, and the tests exist."""
    assert applied(fault) != Path(ROOT, fault.file).read_text("utf-8")
    for test in fault.tests:
        path, _, name = test.partition("::")
        name = re.sub(r"\[.*", "", name)
        text = Path(ROOT, path).read_text("utf-8")
        assert not name or f"def {name}(" in text or f"\n{name} = " in text


def test_each_row_and_each_law_has_a_fault() -> None:
    """Each row and law has a fault, and each fault a name and a description of its own."""
    assert {fault.covers for fault in FAULTS} == {*ROWS, *LAWS}
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 40
    assert len({fault.about for fault in FAULTS}) == len(FAULTS)


def test_an_old_text_that_does_not_fit_is_an_error() -> None:
    """A fault whose old text is missing, or is there twice, raises an error with its file."""
    for old in ("no such text", "def "):
        with pytest.raises(ValueError, match=r"must stand once in chatfsm/commands\.py"):
            applied(FAULTS[0]._replace(file="chatfsm/commands.py", old=old))


def test_a_tree_has_its_fault_and_nothing_else(tmp_path: Path) -> None:
    """A tree has all parts of the project, and one file differs."""
    copy_tree(tmp_path, FAULTS[0])
    differing = [
        path.relative_to(tmp_path).as_posix()
        for path in (tmp_path / "chatfsm").glob("**/*.py")
        if path.read_bytes() != (ROOT / path.relative_to(tmp_path)).read_bytes()
    ]
    assert differing == [FAULTS[0].file]
    assert (tmp_path / "tests" / "conftest.py").exists()


def run_of(seed: int, test: str | None, examples: int = 0) -> dict[str, Any]:
    return {"seed": seed, "test": test, "examples": examples, "passed": 0, "error": ""}


def test_the_table_names_the_test_that_found_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A row has the numbers of seeds and examples; a missed fault makes the exit code 1."""
    found = {1: "tests/a/test_one.py::test_it", 2: None}

    def pretend(fault: Fault | None, tests: list[str], seeds: list[int]) -> list[dict[str, Any]]:
        return [run_of(seed, found[seed] if fault else None, 7) for seed in seeds]

    monkeypatch.setattr(command, "run_tests", pretend)
    assert command.main(["--fault", FAULTS[0].name, "--seeds", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        *(
            FAULTS[0].name,
            FAULTS[0].covers,
            "1/1",
            "test_one::test_it",
            "(1)",
            "7",
            "/",
            "7",
            "/",
            "7",
        )
    ]
    assert command.main(["--fault", FAULTS[0].name, "--seeds", "2", "--json"]) == 1
    assert '"found": "1/2"' in capsys.readouterr().out


def test_a_suite_that_fails_without_a_fault_finds_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command stops with exit code 1, and names the test."""
    monkeypatch.setattr(command, "run_tests", lambda *_: [run_of(1, "tests/test_it.py::test_it")])
    assert command.main(["--seeds", "1"]) == 1
    assert "without a fault, seed 1: tests/test_it.py::test_it" in capsys.readouterr().err


def test_the_list_has_each_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """The list has one line for each fault."""
    assert command.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(FAULTS)


@pytest.mark.parametrize("words", [["--fault", "nothing"], ["--seeds", "0"], ["--jobs", "-1"]])
def test_wrong_options_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong option exits with 2 and an error that names the given value."""
    with pytest.raises(SystemExit) as stop:
        command.main(words)
    assert stop.value.code == 2
    assert words[-1] in capsys.readouterr().err


TESTS = """
from hypothesis import given, settings, strategies as st

@settings(database=None, derandomize=False, max_examples=50)
@given(st.integers(0, 10**6))
def test_numbers(number):
    assert number % 10 != 3

def test_nothing():
    pass
"""


def test_the_runner_counts_the_examples_up_to_the_failure(tmp_path: Path) -> None:
    """The runner writes a result for each seed, with the examples up to the failure."""
    (tmp_path / "test_it.py").write_text(TESTS, "utf-8")
    results = tmp_path / "results"
    words = ("-m", "tests.seeded.runner", str(results), "1,2,3", str(tmp_path / "test_it.py"))
    environment = {**os.environ, "CHATFSM_HYPOTHESIS": "seeded"}
    subprocess.run([sys.executable, *words], cwd=ROOT, env=environment, check=True, timeout=120)
    runs = [json.loads(line) for line in results.read_text("utf-8").splitlines()]
    assert [run["seed"] for run in runs] == [1, 2, 3]
    assert all(run["test"].endswith("::test_numbers") for run in runs)
    assert all(run["error"].endswith("!= 3") for run in runs)
    assert len({run["examples"] for run in runs}) > 1


def test_an_endless_command_ends_at_the_time_limit(tmp_path: Path) -> None:
    """A process that the command has forked ends too; without a loop the output is complete."""
    program = (
        "import os, pathlib, time\n"
        "child = os.fork() or os.getpid()\n"
        f"pathlib.Path({str(tmp_path / 'pid')!r}).write_text(str(child))\n"
        "while True: time.sleep(1)"
    )
    why = command.run_bounded([sys.executable, "-c", program], 1.0)
    assert why == "no result after 1 s"
    child = int((tmp_path / "pid").read_text("ascii"))
    with suppress(OSError):  # the process no longer exists
        for _ in range(100):  # a signal takes a moment to end a process
            if (state := Path(f"/proc/{child}/stat").read_text("ascii").split()[2]) == "Z":
                break
            time.sleep(0.1)
        assert state == "Z"
    assert command.run_bounded([sys.executable, "-c", "print('done')"], 60) == "done"
