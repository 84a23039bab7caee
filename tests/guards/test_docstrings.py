"""Every public field says what it means, in a text below it that the reference shows."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import chatfsm

PACKAGE = Path(chatfsm.__file__).parent
Place = tuple[str, str]
"""A module and the name of a class in it."""


def module_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


TREES = {
    module_of(path): ast.parse(path.read_text("utf-8")) for path in sorted(PACKAGE.glob("**/*.py"))
}
PUBLIC = [name for name in TREES if not any(part.startswith("_") for part in name.split("."))]


@cache
def classes_of(module: str) -> dict[str, ast.ClassDef]:
    """The classes that a module defines at its top."""
    return {node.name: node for node in TREES[module].body if isinstance(node, ast.ClassDef)}


@cache
def imports_of(module: str) -> dict[str, Place]:
    """The names that a module imports from chatfsm, wherever in it, with their homes."""
    return {
        alias.asname or alias.name: (node.module, alias.name)
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.ImportFrom) and node.module in TREES
        for alias in node.names
    }


def home_of(module: str, name: str) -> Place | None:
    """The place of a class that a module defines or imports; None if it is no class of ours."""
    seen: set[Place] = set()
    while name not in classes_of(module):
        seen.add((module, name))
        module, name = imports_of(module).get(name, (module, name))
        if (module, name) in seen:  # no class, or a module that is imported from itself
            return None
    return module, name


def exported_by(module: str) -> set[str]:
    """The names in `__all__`, and the classes of the module without an underscore."""
    listed = {
        item.value
        for node in TREES[module].body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        for item in ast.walk(node.value)
        if isinstance(item, ast.Constant)
    }
    return listed | {name for name in classes_of(module) if not name.startswith("_")}


def bases_of(place: Place) -> Iterator[Place]:
    """The bases of a class, which may be private, and whose fields are its own."""
    module, name = place
    for base in classes_of(module)[name].bases:
        if (found := home_of(module, ast.unparse(base).partition("[")[0])) is not None:
            yield found


@cache
def public_classes() -> list[Place]:
    """All classes that public modules export, and their bases."""
    exported = (home_of(module, name) for module in PUBLIC for name in exported_by(module))
    found = {place for place in exported if place is not None}
    todo = [*found]
    while todo:
        new = {*bases_of(todo.pop())} - found
        found |= new
        todo += new
    return sorted(found)


def fields_of(cls: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """The public fields of a class, each with the text below it; "" if there is none."""
    for node, below in zip(cls.body, [*cls.body[1:], None], strict=True):
        match node:
            case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                match below:
                    case ast.Expr(value=ast.Constant(value=str(text))):
                        yield name, text
                    case _:
                        yield name, ""


@pytest.mark.parametrize("module", sorted({module for module, _ in public_classes()}))
def test_each_public_field_says_what_it_means(module: str) -> None:
    """In a sentence; type and default are in the signature already."""
    missing = [
        f"{name}.{field}"
        for home, name in public_classes()
        if home == module
        for field, text in fields_of(classes_of(home)[name])
        if not text.rstrip().endswith((".", ":", ")"))
    ]
    assert missing == [], f"write a docstring below these fields of {module}"


def test_the_guard_sees_fields() -> None:
    """Those of public classes, of their private bases, and of classes in private modules."""
    found = {
        (name, field)
        for home, name in public_classes()
        for field, _ in fields_of(classes_of(home)[name])
    }
    assert found > {
        ("Settings", "strict"),
        ("_Effect", "replayed"),
        ("Health", "link"),
        ("StoredRecord", "key"),
        ("CenterSettings", "hold"),
    }
    assert not {field for _, field in found if field.startswith("_")}


def test_the_guard_sees_a_field_without_a_docstring() -> None:
    """Also where a docstring stands below the one before it, and below the next."""
    source = 'class A:\n    a: int\n    "A."\n    b: int\n    c: int = 1\n    "C."\n    _d: int\n'
    (cls,) = ast.parse(source).body
    assert isinstance(cls, ast.ClassDef)
    assert [*fields_of(cls)] == [("a", "A."), ("b", ""), ("c", "C.")]
