"""Docstrings begin with a noun or a verb, not with a question word."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("chatfsm", "tests")
QUESTION_WORD = re.compile(r"(what|who|whose|whom|how|where)\b", re.IGNORECASE)


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Yield the line and the text of each docstring of modules, classes and functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield node.body[0].lineno, text


def question_words(source: str) -> list[int]:
    """Return the lines of the docstrings that begin with a question word."""
    return [line for line, text in docstrings(source) if QUESTION_WORD.match(text)]


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_docstring_begins_with_a_question_word(folder: str) -> None:
    """No docstring begins with what, who, whose, whom, how or where."""
    paths = sorted((ROOT / folder).rglob("*.py"))
    found = [
        f"{path.relative_to(ROOT).as_posix()}:{line}"
        for path in paths
        for line in question_words(path.read_text("utf-8"))
    ]
    assert len(paths) > 100
    assert found == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ('"""How it works."""', [1]),
        ('class A:\n    """\n    whose items differ.\n    """', [2]),
        ('def f():\n    "What it returns."', [2]),
        ('async def f():\n    def g():\n        """Where it is."""', [3]),
        ('"""Whether it works."""', []),
        ('"""However."""', []),
        ('x = 1\n"""What x is."""', []),
    ],
)
def test_question_words_are_found(source: str, lines: list[int]) -> None:
    """The search finds docstrings of modules, classes and functions, but no other texts."""
    assert question_words(source) == lines
