"""L1: no IO, no clock and no random numbers in the packages without IO."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import chatfsm

PACKAGE = Path(chatfsm.__file__).parent
PURE_PACKAGES = ("_protocol", "_session", "_client", "simulator")
PURE_MODULES = (
    *("events", "commands", "signaling", "models", "inputs", "settings", "endpoint", "transport"),
    *("api", "effects", "client_effects", "_plain", "_statemachine", "_validators"),
)
# The HTTP server of the simulator.
IMPURE = "simulator/server"
FORBIDDEN = {
    *("asyncio", "concurrent", "datetime", "http", "io", "multiprocessing", "os", "pathlib"),
    *("random", "secrets", "select", "selectors", "shutil", "signal", "socket", "ssl"),
    *("subprocess", "sys", "tempfile", "threading", "time", "urllib", "uuid"),
}
# Names without IO in forbidden modules: bytes in memory, parts of URLs, names of status codes.
ALLOWED = {"io.BytesIO", "urllib.parse", "http.HTTPStatus"}
FORBIDDEN_CALLS = {"open", "print", "input", "exec", "eval", "hash", "id", "__import__"}


def modules() -> list[Path]:
    paths = [path for name in PURE_PACKAGES for path in sorted((PACKAGE / name).glob("**/*.py"))]
    paths += [PACKAGE / f"{name}.py" for name in PURE_MODULES]
    return [path for path in paths if path.exists() and PACKAGE / IMPURE not in path.parents]


def impurities(source: str) -> list[str]:
    """Return the names in a module that do IO, or whose results differ between processes."""
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
def test_a_pure_module_does_no_io(path: Path) -> None:
    """A pure module imports and calls nothing that does IO or returns random numbers."""
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
        ("from io import BytesIO", []),
        ("from io import BytesIO, open", ["io"]),
        ("x = open('y')", ["open()"]),
        ("x = hash('y')", ["hash()"]),
    ],
)
def test_forbidden_imports_and_calls_are_found(source: str, found: list[str]) -> None:
    """The walk finds forbidden imports and calls in every place of a module."""
    assert impurities(source) == found
