"""Both type checkers find the errors of the programs in tests/wrong_programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted((ROOT / "tests" / "wrong_programs").glob("*.py"))
Found = set[tuple[str, int, str]]
"""File, line and rule of each error."""


def expected(place: int) -> Found:
    """Read the errors from the comments of the programs: mypy's rule is first, pyright's second."""
    return {
        (path.name, number, line.split("# expect: ")[1].split()[place])
        for path in PROGRAMS
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "# expect: " in line
    }


def run(*command: str) -> str:
    program = [sys.executable, "-m", *command, *map(str, PROGRAMS)]
    return subprocess.run(program, cwd=ROOT, capture_output=True, text=True, check=False).stdout


def test_there_are_programs() -> None:
    """The five programs have 18 errors, such as a forgotten await or a missing case."""
    assert len(PROGRAMS) == 5
    assert len(expected(0)) == len(expected(1)) == 18


@pytest.mark.skipif(find_spec("mypy") is None, reason="mypy is not installed")
def test_mypy_finds_them(tmp_path: Path) -> None:
    """Mypy reports each error on its line by its rule, and no other error."""
    output = run("mypy", "--strict", "--cache-dir", str(tmp_path))
    found = re.findall(r"^.*?(\w+\.py):(\d+): error: .*\[([\w-]+)\]$", output, re.MULTILINE)
    assert {(name, int(line), rule) for name, line, rule in found} == expected(0), output


@pytest.mark.skipif(find_spec("pyright") is None, reason="pyright is not installed")
def test_pyright_finds_them() -> None:
    """Pyright reports each error on its line by its rule, and no other error."""
    output = run("pyright", "--outputjson", "--pythonpath", sys.executable)
    found = json.loads(output)["generalDiagnostics"]
    assert {
        (Path(error["file"]).name, error["range"]["start"]["line"] + 1, error["rule"])
        for error in found
    } == expected(1), output
