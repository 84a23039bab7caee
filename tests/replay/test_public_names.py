"""The public names of `chatfsm.replay`: complete, loaded on first use, with valid examples."""

from __future__ import annotations

import ast
import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import chatfsm.replay as face

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(path.stem for path in Path(face.__file__).parent.glob("[a-z]*.py"))


def test_the_examples_print_their_output(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every doctest of the package prints its expected output."""
    monkeypatch.chdir(ROOT)
    test = doctest.DocTestParser().get_doctest(face.__doc__ or "", {}, "replay", None, 0)
    assert len(test.examples) > 15
    printed: list[str] = []
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test, out=printed.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(printed)


def test_names_agree_with_the_imports_of_type_checkers() -> None:
    """The imports for type checkers name the modules that the lazy loader uses."""
    source = ast.parse(Path(face.__file__).read_text("utf-8"))
    checking, _ = [node for node in source.body if isinstance(node, ast.If)]
    read = {
        alias.name: str(node.module).rpartition(".")[2]
        for node in checking.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert read == face._MODULES
    assert (
        sorted([*read, "COVERAGE_PARTS", "FINDINGS"]) == sorted(face.__all__) == sorted(dir(face))
    )
    for name, module in read.items():
        home = importlib.import_module(f"chatfsm.replay.{module}")
        assert getattr(face, name) is getattr(home, name)
        assert name in home.__all__


@pytest.mark.parametrize("module", MODULES)
def test_every_module_lists_its_names(module: str) -> None:
    """`__all__` of each module names its definitions."""
    loaded = importlib.import_module(f"chatfsm.replay.{module}")
    assert loaded.__all__
    assert all(hasattr(loaded, name) for name in loaded.__all__)


def test_an_unknown_name_is_refused() -> None:
    """An unknown name raises AttributeError."""
    with pytest.raises(AttributeError, match="has no attribute 'replay_all'"):
        _ = face.replay_all


def test_the_findings_load_no_library() -> None:
    """The help of the command imports the findings."""
    code = (
        "import sys; from chatfsm.replay import FINDINGS\n"
        "sys.exit(not {'attr', 'cattrs', 'transitions'}.isdisjoint(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
