"""The layout of the package: sizes, public and private modules, and searchable names."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import chatfsm

PACKAGE = Path(chatfsm.__file__).parent
MODULES = sorted(PACKAGE.glob("**/*.py"))
MAX_LINES, MIN_LINES = 500, 40
# Modules that may be smaller.
SMALL = {"_log.py", "_version.py", "__main__.py", "__init__.py"}
PUBLIC_PACKAGES = {"adapters", "drivers", "replay", "simulator", "testing"}
PUBLIC_MODULES = {
    *("events", "commands", "effects", "signaling", "models", "inputs", "api", "transport"),
    *("endpoint", "settings", "errors", "client_effects"),
}
# One name for the blocking and the asynchronous class, or for the classes of each HTTP library.
TWINS = {"Chat", "Sender", "AsyncSender"}
# Words that identifiers must not use, each with the terms to use instead.
RETIRED = {
    **dict.fromkeys(("whoever", "somebody", "nobody"), "the app, the server, the agent …"),
    **dict.fromkeys(("hear", "hears", "heard"), "receive, handle"),
    **dict.fromkeys(("tidings", "tiding"), "effect"),
    **dict.fromkeys(("parcel", "parcels"), "queued item, batch"),
    **dict.fromkeys(("glance", "glances"), "fast decoder"),
    **dict.fromkeys(("desk", "desks"), "core, state, reporter"),
    **dict.fromkeys(("crew", "hub"), "pool, scheduler"),
    **dict.fromkeys(("law", "laws"), "transition table"),
    **dict.fromkeys(("room", "rooms", "floor", "floors"), "package, layer, limit"),
    **dict.fromkeys(("journey", "journeys", "shock", "shocks"), "request in flight, fault"),
    **dict.fromkeys(("keeping", "farewell", "telling", "owed", "stirred"), "store, done, pending"),
}
# Terms that a newcomer searches for; each is in the name of a file, class or function.
NEWCOMERS_TERMS = (
    *("duplicate", "retry", "backoff", "timer", "deadline", "dispatch", "handler", "transition"),
    *("table", "pool", "storage", "shard", "pending", "queue", "request", "reply", "error", "auth"),
    *("multipart", "route", "poll", "history", "merge", "snapshot", "journal", "stats", "parse"),
    *("encode", "decode", "fault", "scenario"),
)


def name_of(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


@cache
def definitions(path: Path) -> frozenset[tuple[type[ast.AST], str]]:
    """Return the kind and name of each class, function, parameter and variable of a module."""
    return frozenset(_definitions(path))


def _definitions(path: Path) -> Iterator[tuple[type[ast.AST], str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                yield type(node), name
            case ast.AsyncFunctionDef(name=name):
                yield ast.FunctionDef, name
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield ast.Name, name


def words_of(name: str) -> set[str]:
    """Return the words of an identifier or a path."""
    return {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])", name)}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_has_one_subject(path: Path) -> None:
    """A module has 40 to 500 lines."""
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= MAX_LINES
    assert lines >= MIN_LINES or path.name in SMALL


def test_a_module_is_public_or_begins_with_an_underscore() -> None:
    """Modules at the top of the package are private or in the list of public ones."""
    tops = {path.stem for path in PACKAGE.glob("*.py")} | {
        path.parent.name for path in PACKAGE.glob("*/__init__.py")
    }
    public = {name for name in tops if not name.startswith("_")}
    assert public == PUBLIC_PACKAGES | PUBLIC_MODULES


def test_a_class_name_is_used_once() -> None:
    """Two classes have the same name only if the name is one of TWINS."""
    places = defaultdict(list)
    for path in MODULES:
        for kind, name in definitions(path):
            if kind is ast.ClassDef:
                places[name].append(name_of(path))
    assert {name: found for name, found in places.items() if len(found) > 1}.keys() == TWINS


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_name_uses_a_retired_word(path: Path) -> None:
    """Identifiers and file names use the terms of the field."""
    names = {name_of(path), *(name for _, name in definitions(path))}
    found = {name: words_of(name) & RETIRED.keys() for name in names}
    assert {name: words for name, words in found.items() if words} == {}


@cache
def names_to_search() -> frozenset[str]:
    """Return the names of files, classes and functions, in lower case."""
    defined = {name for path in MODULES for kind, name in definitions(path) if kind is not ast.Name}
    return frozenset(name.lower() for name in {*map(name_of, MODULES), *defined})


@pytest.mark.parametrize("term", NEWCOMERS_TERMS)
def test_a_newcomer_finds_the_term(term: str) -> None:
    """A search in the names of files, classes and functions has a result."""
    assert any(term in name for name in names_to_search())
