"""L7: imports go downstairs; L9: `import chatfsm` brings little."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import chatfsm

PACKAGE = Path(chatfsm.__file__).parent

# The floors, from the ground up. A module may import from floors below its own, and within its
# room as far as TOPICS allows.
FLOORS = (
    {"errors", "_values", "_validators", "_log", "_statemachine", "_version"},
    {
        *("events", "commands", "signaling", "models", "inputs", "settings", "endpoint"),
        *("transport", "api", "effects", "client_effects", "_plain"),
    },
    {"_protocol"},
    {"_session"},
    {"_client", "_lifecycle_drawing"},
    {"adapters", "replay", "simulator", "testing"},
    {"drivers"},
    {"_cli"},
    {"__main__", "__init__"},
)
# The topics of the session: none imports another; dispatch.py alone knows them all.
TOPICS = {
    *("calls", "forms", "lifecycle", "messages", "presence", "roster", "service"),
}
ABOVE = {"dispatch", "session"}
ALLOWED = {"transitions", "attrs", "attr", "cattrs"}
# What the public names are made of.
CORE = {
    *("errors", "_values", "_log", "_plain", "_statemachine", "_protocol", "_session"),
    *("_validators", "_version"),
    *("events", "commands", "signaling", "models", "effects", "inputs", "settings"),
    *("_client", "api", "client_effects", "endpoint", "transport"),
}
# What is used where it is installed, and done without where not.
WELCOME = {"orjson"}
# What those three bring along by themselves.
BROUGHT = {"six", "typing_extensions", "exceptiongroup"}


def floor_of(room: str) -> int:
    return next(number for number, rooms in enumerate(FLOORS) if room in rooms)


def imports_of(path: Path) -> set[str]:
    """The modules of chatfsm that a file imports, wherever in the file."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                child = f"{node.module}.{alias.name}"
                is_module = (PACKAGE.parent / (child.replace(".", "/") + ".py")).exists()
                is_room = (PACKAGE.parent / child.replace(".", "/")).is_dir()
                found.add(child if is_module or is_room else str(node.module))
    return {name for name in found if name.partition(".")[0] == "chatfsm"}


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


MODULES = sorted(PACKAGE.glob("**/*.py"))


def name_of(path: Path) -> str:
    return ".".join(("chatfsm", *path.relative_to(PACKAGE).with_suffix("").parts))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_downstairs(path: Path) -> None:
    """No module imports from a floor above its own."""
    here = floor_of(room_of(name_of(path)))
    for imported in imports_of(path):
        assert floor_of(room_of(imported)) <= here, imported


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_topics_do_not_know_each_other(topic: str) -> None:
    """A topic of the session imports no other topic, and not the session itself."""
    imported = {name.split(".")[-1] for name in imports_of(PACKAGE / "_session" / f"{topic}.py")}
    assert not imported & (TOPICS | ABOVE)


def test_every_module_of_the_session_is_a_topic_or_below_them() -> None:
    """Only the session and its table stand above the topics; what they share imports none."""
    for path in (PACKAGE / "_session").glob("*.py"):
        if path.stem in TOPICS | ABOVE:
            continue
        imported = {name.split(".")[-1] for name in imports_of(path) if "._session." in name}
        assert not imported & (TOPICS | ABOVE), path.name


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(run.stdout.split())


def foreign(loaded: set[str]) -> set[str]:
    """The libraries among modules that were loaded."""
    tops = {name.partition(".")[0] for name in loaded}
    return {name for name in tops if name not in sys.stdlib_module_names} - {"chatfsm"}


def rooms(loaded: set[str]) -> set[str]:
    return {room_of(name) for name in loaded if name.startswith("chatfsm.")}


def test_import_alone_brings_nothing() -> None:
    """`import chatfsm` loads no library and no room: names load what they need when used."""
    loaded = loaded_by("import chatfsm")
    assert (foreign(loaded), rooms(loaded)) == (set(), set())


def test_the_names_bring_three_libraries_and_nothing_else() -> None:
    """All public names load transitions, attrs, cattrs, the standard library, and no more."""
    loaded = foreign(loaded_by("from chatfsm import *"))
    assert loaded <= ALLOWED | BROUGHT | WELCOME
    assert {"transitions", "attr", "cattrs"} <= loaded


def test_the_names_bring_no_optional_part() -> None:
    """All public names load none of the parts that only some need."""
    loaded = loaded_by("from chatfsm import *")
    assert rooms(loaded) == CORE


@pytest.mark.parametrize("name", chatfsm.__all__)
def test_each_name_loads_by_itself(name: str) -> None:
    """In whatever order they are used first, and nothing beyond what all of them load."""
    loaded = loaded_by(f"import chatfsm; chatfsm.{name}")
    assert foreign(loaded) <= ALLOWED | BROUGHT | WELCOME
    assert rooms(loaded) <= CORE
    assert rooms(loaded), "it loads something"


def test_errors_bring_no_library() -> None:
    """Whoever only catches errors pays for nothing else."""
    assert foreign(loaded_by("from chatfsm import ChatError, SnapshotError")) == set()


def test_help_brings_no_library() -> None:
    """The command's help loads what it prints, and neither sessions nor anybody's metadata."""
    words = "from chatfsm._cli import _parser; _parser().format_help()"
    loaded = loaded_by(words)
    assert foreign(loaded) == set()
    assert "importlib.metadata" not in loaded


def test_rich_is_loaded_by_printing_only() -> None:
    """Replay for programs does without rich."""
    assert "rich" not in loaded_by("import chatfsm._cli.replay, chatfsm._cli")
