"""The mutation command: its changes, its sample, its results and its report."""

from __future__ import annotations

import ast
import json
import shutil
from pathlib import Path

import pytest

from tests.mutation.__main__ import ROOT
from tests.mutation.mutants import Mutant, mutants_of, sampled
from tests.mutation.operators import changes_of
from tests.mutation.report import Report, equivalents
from tests.mutation.runner import Workplace

SOURCE = '''
"""A docstring."""
__all__ = ["f"]
Alias = int | str
LIMIT: int = 3

def f(x: int, y: int = 2) -> bool:
    """A docstring."""
    if not x and y < LIMIT:
        raise ValueError("no x")
    return g(x, y, least=1)
'''


def changed(source: str) -> set[str]:
    """Return the changed lines of all changes of a source."""
    return {Mutant("m.py", change, source).lines[1] for change in changes_of(source)}


@pytest.mark.parametrize(
    "line",
    [
        *("LIMIT: int = 4", "LIMIT: int = 2", "def f(x: int, y: int = 3) -> bool:"),
        *("if (x) and y < LIMIT:", "if not x and (y <= LIMIT):", "if not x and (y >= LIMIT):"),
        *("if ((not x) or (y < LIMIT)):", "if ((not x)):", "if ((y < LIMIT)):", "if False:"),
        *("if (not (not x and y < LIMIT)):", "if True:", "pass", "return None"),
        *("return g(y, x, least=1)", "return g(x, y)", "return g(x, y, least=2)"),
    ],
)
def test_a_change_is_made(line: str) -> None:
    """Conditions, operators, constants, arguments and statements are changed."""
    assert line in changed(SOURCE)


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("x = a if b else c", {"x = (c if b else a)", "x = (a)", "x = (c)"}),
        ("x = [i for i in y if i]", {"x = [i for i in y]"}),
        ("x(y[1:])", {"x(y[:])", "x(y[2:])", "x(y[0:])"}),
        ("x -= y", {"x += y", "pass"}),
        ("x = min(y)", {"x = max(y)"}),
        ("x = y.strip()", {"x = (y)"}),
        ("x = {y: 1.5, z: b'a'}", {"x = {z: b'a'}", "x = {y: 1.5}"}),
        ("x = y in (a, b)", {"x = y in (a,)", "x = y in (b,)"}),
        ("x = {a, b, c}", {"x = {b, c}", "x = {a, c}", "x = {a, b}"}),
        ("for x in y:\n  break", {"continue"}),
        ("x = y + -z", {"x = (y - -z)", "x = y + (z)"}),
        ("x = lambda y: z", {"x = (lambda y: None)"}),
    ],
)
def test_other_operators(source: str, lines: set[str]) -> None:
    """Branches, filters, slices, calls and collections are changed too."""
    assert lines <= changed(source)


def test_annotations_and_texts_are_left_alone() -> None:
    """No annotation, docstring, alias, text of an error, f-string or name in `__all__` changes."""
    lines = changed(SOURCE)
    assert not [line for line in lines if "docstring" in line or "Alias" in line or "all" in line]
    assert not [line for line in lines if "no x" in line]
    assert changed("x: Literal[1, 2]") == changed('f"{x + 1}"') == set()


@pytest.mark.parametrize("package", ["_protocol", "_client", "_session"])
def test_samples_of_chatfsm_are_programs(package: str) -> None:
    """Each mutant is another program than its module, and each has a key of its own."""
    mutants = mutants_of(ROOT, [package])
    assert len({mutant.key for mutant in mutants}) == len(mutants) > 1_000
    for mutant in sampled(mutants, 20, seed=7):
        assert ast.dump(ast.parse(mutant.mutated)) != ast.dump(ast.parse(mutant.source))
        assert mutant.diff.startswith(f"--- a/{mutant.path}\n+++ b/{mutant.path}\n@@")


def test_a_key_survives_a_move() -> None:
    """Lines above a function, and changes of another one, do not change its keys and its sample."""
    moved = SOURCE.replace("LIMIT: int = 3", "LIMIT: int = 3\n\ndef h() -> int:\n    return 5\n")
    first, second = (
        {Mutant("m.py", change, source).key for change in changes_of(source)}
        for source in (SOURCE, moved)
    )
    assert first < second
    assert {key for key in second - first if not key.startswith("m.py::h\n")} == set()


def test_a_seed_has_one_sample(tmp_path: Path) -> None:
    """The same seed gives the same sample, and another seed another one."""
    mutants = mutants_of(ROOT, ["_client"])
    keys = [[mutant.key for mutant in sampled(mutants, 30, seed)] for seed in (1, 1, 2)]
    assert keys[0] == keys[1]
    assert not {*keys[0]} & {*keys[2]}


def test_each_judged_mutant_has_a_reason() -> None:
    """Each mutant that was judged to be equivalent has a reason of more than 20 characters."""
    assert all(len(reason) > 20 for reason in equivalents().values())


LOOPS = """
def count(number: int) -> int:
    total = 0
    while total < number:
        total += 1
    return total

def unused(number: int) -> int:
    return number + 1

def half(number: int) -> int:
    return number // 2 if number > 0 else 0

LIMIT = 5
"""
TESTS = """
from chatfsm._client.small import LIMIT, count, half

def test_count() -> None:
    assert count(LIMIT) == 5

def test_half() -> None:
    assert half(2) == 1
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a small project of the same form."""
    pytest.importorskip("coverage")
    project = tmp_path / "project"
    shutil.copytree(ROOT / "tests" / "mutation", project / "tests" / "mutation")
    shutil.copy(ROOT / "tests" / "conftest.py", project / "tests")
    shutil.copy(ROOT / "pyproject.toml", project)
    for path, text in {
        "chatfsm/__init__.py": "",
        "chatfsm/_client/__init__.py": "",
        "chatfsm/_client/small.py": LOOPS,
        "tests/client/test_small.py": TESTS,
    }.items():
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text(text, "utf-8")
    return project


def test_mutants_are_killed_or_survive(project: Path, tmp_path: Path) -> None:
    """Tests of a changed line kill its mutant; an endless loop ends; the project is unchanged."""
    mutants = {mutant.lines[1]: mutant for mutant in mutants_of(project, ["_client"])}
    expected = {
        "return number // 3 if number > 0 else 0": "killed",
        "return number // 2 if (number >= 0) else 0": "survived",
        "LIMIT = 6": "killed",
        "total -= 1": "timeout",
        "return number + 2": "survived",
    }
    said: list[str] = []
    work = Workplace(project, tmp_path / "work", 1, "few", said.append, ("tests/client",))
    work.prepare()
    coverage = work.coverage(["_client"])
    sample = [mutants[line] for line in expected]
    results = work.run(sample, coverage)
    assert [result.result for result in results] == list(expected.values())
    assert results[0].by == "tests/client/test_small.py::test_half"
    assert [result.tests for result in results] == [2, 2, 2, 2, 2]
    assert (project / "chatfsm/_client/small.py").read_text("utf-8") == LOOPS
    again = Workplace(project, tmp_path / "work", 1, "few", said.append, ("tests/client",))
    count = len(said)
    assert again.run(sample, coverage) == results, "it goes on where it was"
    assert len(said) == count

    rows = {mutant.key: (mutant, result) for mutant, result in zip(sample, results, strict=True)}
    judged = {sample[1].key: "half of 0 is 0"}
    report = Report(1, rows, judged, [], 5)
    assert report.score == 75.0
    assert [mutant.change.text for mutant, _ in report.survivors] == ["2"]
    assert "+    return number + 2" in report.to_text()
    numbers = json.loads(report.to_json())["packages"]["_client"]
    assert (numbers["killed"], numbers["timeouts"], numbers["equivalent"]) == (2, 1, 1)
