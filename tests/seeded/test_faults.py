"""The seeded faults fit the source, and cover what they must; the command is for releases."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.seeded import __main__ as command
from tests.seeded import runner
from tests.seeded.faults import FAULTS, LAWS, ROWS, Fault
from tests.seeded.tree import ROOT, applied, copy_tree


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_fits_the_source(fault: Fault) -> None:
    """Its old text stands once in its file, what comes of it compiles, and its tests exist."""
    assert applied(fault) != Path(ROOT, fault.file).read_text("utf-8")
    for test in fault.tests:
        path, _, name = test.partition("::")
        name = re.sub(r"\[.*", "", name)
        assert name in Path(ROOT, path).read_text("utf-8")


def test_each_row_and_each_law_has_a_fault() -> None:
    """And each fault a name and a purpose of its own."""
    assert {fault.covers for fault in FAULTS} == {*ROWS, *LAWS}
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 40
    assert len({fault.about for fault in FAULTS}) == len(FAULTS)


def test_an_old_text_that_does_not_fit_is_an_error() -> None:
    """A fault of text that is gone, or stands there twice, names its file."""
    for old in ("no such text", "def "):
        with pytest.raises(ValueError, match=r"must stand once in chatfsm/commands\.py"):
            applied(FAULTS[0]._replace(file="chatfsm/commands.py", old=old))


def test_a_tree_has_its_fault_and_nothing_else(tmp_path: Path) -> None:
    """All parts of the project are there, and one file differs."""
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


def test_the_table_says_which_test_found_a_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the number of seeds and of examples; a fault that was missed makes the exit code 1."""
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
    """The command stops, and names the test."""
    monkeypatch.setattr(command, "run_tests", lambda *_: [run_of(1, "tests/test_it.py::test_it")])
    assert command.main(["--seeds", "1"]) == 1
    assert "without a fault, seed 1: tests/test_it.py::test_it" in capsys.readouterr().err


def test_the_list_has_each_fault(capsys: pytest.CaptureFixture[str]) -> None:
    """With what it covers, and what it does."""
    assert command.main(["--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(FAULTS)


@pytest.mark.parametrize("words", [["--fault", "nothing"], ["--seeds", "0"], ["--jobs", "-1"]])
def test_wrong_options_are_refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With what is allowed, and what was given."""
    with pytest.raises(SystemExit) as stop:
        command.main(words)
    assert stop.value.code == 2
    assert words[-1] in capsys.readouterr().err


STATISTICS = """test_it:

  - during generate phase (0.33 seconds):
    - 11 passing, 1 failing, and 2 invalid test cases
"""


@pytest.mark.parametrize("has_examples", [True, False])
def test_the_first_failure_is_noted_with_its_examples(has_examples: bool) -> None:
    """Those of Hypothesis, or one for any other test."""
    first = runner.FirstFailure()
    failed: Any = SimpleNamespace(
        nodeid="test_it", when="call", failed=True, passed=False, user_properties=[]
    )
    failed.longreprtext = "def test_it():\nE   AssertionError: no\nE     more"
    first.pytest_runtest_logreport(failed)
    text = base64.b64encode(STATISTICS.encode()).decode()
    after: Any = SimpleNamespace(nodeid="test_it", when="teardown", failed=False, passed=True)
    after.user_properties = [("hypothesis-statistics-test_it", text)] if has_examples else []
    first.pytest_runtest_logreport(after)
    assert first.test == "test_it"
    assert first.error == "AssertionError: no"
    assert first.examples == (14 if has_examples else 1)
