"""L1: no IO, no clock, no dice in the rooms that only think."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import chatfsm

PACKAGE = Path(chatfsm.__file__).parent
PURE_ROOMS = ("_protocol", "_session", "_client", "simulator")
PURE_MODULES = (
    *("events", "commands", "signaling", "models", "inputs", "settings", "endpoint", "transport"),
    *("api", "effects", "client_effects", "_plain", "_statemachine", "_validators"),
)
# The simulator over HTTP.
IMPURE = "simulator/server"
FORBIDDEN = {
    *("asyncio", "concurrent", "datetime", "http", "io", "multiprocessing", "os", "pathlib"),
    *("random", "secrets", "select", "selectors", "shutil", "signal", "socket", "ssl"),
    *("subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid"),
}
# They do no IO, unlike their neighbours: one takes texts apart, one names numbers.
ALLOWED = {"urllib.parse", "http.HTTPStatus"}
FORBIDDEN_CALLS = {"open", "print", "input", "exec", "eval", "hash", "id", "__import__"}


def modules() -> list[Path]:
    rooms = [path for room in PURE_ROOMS for path in sorted((PACKAGE / room).glob("**/*.py"))]
    words = [PACKAGE / f"{name}.py" for name in PURE_MODULES]
    return [
        path for path in (*rooms, *words) if path.exists() and PACKAGE / IMPURE not in path.parents
    ]


def impurities(source: str) -> list[str]:
    """Everything in a module that reaches outside, or differs from process to process."""
    found = []
    for node in ast.walk(ast.parse(source)):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
            if {f"{node.module}.{alias.name}" for alias in node.names} <= ALLOWED:
                names = []
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in FORBIDDEN_CALLS
        ):
            found.append(f"{node.func.id}()")
        found += [
            name for name in names if name.partition(".")[0] in FORBIDDEN and name not in ALLOWED
        ]
    return found


@pytest.mark.parametrize("path", modules(), ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_pure_module_reaches_nowhere(path: Path) -> None:
    """A module of a pure room imports and calls nothing that does IO or throws dice."""
    assert impurities(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import time", ["time"]),
        ("from os import path", ["os"]),
        ("def f():\n    import uuid", ["uuid"]),
        ("import asyncio.queues as q", ["asyncio.queues"]),
        ("from urllib.request import urlopen", ["urllib.request"]),
        ("from urllib.parse import quote", []),
        ("from http import HTTPStatus", []),
        ("from http import HTTPStatus, client", ["http"]),
        ("x = open('y')", ["open()"]),
        ("x = hash('y')", ["hash()"]),
    ],
)
def test_the_walk_sees_what_is_planted(source: str, found: list[str]) -> None:
    """The walk over the syntax trees finds an import or a call that breaks the law."""
    assert impurities(source) == found
