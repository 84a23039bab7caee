"""L7: modules import only from lower layers; L9: `import chatfsm` loads little."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import chatfsm

PACKAGE = Path(chatfsm.__file__).parent

# The layers of packages, from the lowest up. A module may import from its own layer and from lower
# ones, within the session as far as TOPICS allows.
LAYERS = (
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
# The topics of the session: none imports another; dispatch.py alone imports them all.
TOPICS = {
    *("calls", "forms", "lifecycle", "messages", "presence", "roster", "service"),
}
ABOVE = {"dispatch", "session"}
ALLOWED = {"transitions", "attrs", "attr", "cattrs"}
# The packages that the public names load.
CORE = {
    *("errors", "_values", "_log", "_plain", "_statemachine", "_protocol", "_session"),
    *("_validators", "_version"),
    *("events", "commands", "signaling", "models", "effects", "inputs", "settings"),
    *("_client", "api", "client_effects", "endpoint", "transport"),
}
# Libraries that are used if they are installed.
OPTIONAL = {"orjson"}
# Libraries that the allowed ones import.
INDIRECT = {"six", "typing_extensions", "exceptiongroup"}


def layer_of(package: str) -> int:
    return next(number for number, packages in enumerate(LAYERS) if package in packages)


def imports_of(path: Path) -> set[str]:
    """Return the modules of chatfsm that a file imports in any place."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            for alias in node.names:
                child = f"{node.module}.{alias.name}"
                is_module = (PACKAGE.parent / (child.replace(".", "/") + ".py")).exists()
                is_package = (PACKAGE.parent / child.replace(".", "/")).is_dir()
                found.add(child if is_module or is_package else str(node.module))
    return {name for name in found if name.partition(".")[0] == "chatfsm"}


def package_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


MODULES = sorted(PACKAGE.glob("**/*.py"))


def name_of(path: Path) -> str:
    return ".".join(("chatfsm", *path.relative_to(PACKAGE).with_suffix("").parts))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_modules_import_from_lower_layers(path: Path) -> None:
    """No module imports from a layer above its own."""
    layer = layer_of(package_of(name_of(path)))
    for imported in imports_of(path):
        assert layer_of(package_of(imported)) <= layer, imported


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_topics_do_not_import_each_other(topic: str) -> None:
    """A topic of the session imports no other topic, and not the session itself."""
    imported = {name.split(".")[-1] for name in imports_of(PACKAGE / "_session" / f"{topic}.py")}
    assert not imported & (TOPICS | ABOVE)


def test_every_module_of_the_session_is_a_topic_or_below_them() -> None:
    """Only the session and its dispatch tables import topics; shared modules import none."""
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
    """Return the names of libraries among the loaded modules."""
    tops = {name.partition(".")[0] for name in loaded}
    return {name for name in tops if name not in sys.stdlib_module_names} - {"chatfsm"}


def own_packages(loaded: set[str]) -> set[str]:
    return {package_of(name) for name in loaded if name.startswith("chatfsm.")}


def test_import_alone_loads_nothing() -> None:
    """`import chatfsm` loads no library and no package: names load theirs at the first use."""
    loaded = loaded_by("import chatfsm")
    assert (foreign(loaded), own_packages(loaded)) == (set(), set())


def test_the_names_load_three_libraries_and_nothing_else() -> None:
    """All public names load transitions, attrs, cattrs, the standard library, and no more."""
    loaded = foreign(loaded_by("from chatfsm import *"))
    assert loaded <= ALLOWED | INDIRECT | OPTIONAL
    assert {"transitions", "attr", "cattrs"} <= loaded


def test_the_names_load_no_optional_part() -> None:
    """All public names load the core packages and none of the optional ones."""
    loaded = loaded_by("from chatfsm import *")
    assert own_packages(loaded) == CORE


@pytest.mark.parametrize("name", chatfsm.__all__)
def test_each_name_loads_by_itself(name: str) -> None:
    """Each name can be the first that is used, and loads core packages alone."""
    loaded = loaded_by(f"import chatfsm; chatfsm.{name}")
    assert foreign(loaded) <= ALLOWED | INDIRECT | OPTIONAL
    assert own_packages(loaded) <= CORE
    assert own_packages(loaded), "it loads something"


def test_errors_load_no_library() -> None:
    """A program that only catches exceptions loads no library."""
    assert foreign(loaded_by("from chatfsm import ChatError, SnapshotError")) == set()


def test_help_loads_no_library() -> None:
    """The command's help loads neither libraries nor the metadata of packages."""
    loaded = loaded_by("from chatfsm._cli import _parser; _parser().format_help()")
    assert foreign(loaded) == set()
    assert "importlib.metadata" not in loaded


def test_rich_is_loaded_by_printing_only() -> None:
    """The replay command is loaded without rich."""
    assert "rich" not in loaded_by("import chatfsm._cli.replay, chatfsm._cli")


def test_replay_for_programs_brings_no_timelines() -> None:
    """The modules for timelines and journals are loaded for these alone."""
    log = PACKAGE.parent / "tests" / "logs" / "plain.jsonl"
    words = f"from chatfsm._cli import main; main(['replay', '--quiet', {str(log)!r}])"
    loaded = loaded_by(words)
    assert "chatfsm._cli.replay_outputs" in loaded
    assert not loaded & {"chatfsm._cli.timeline", "chatfsm._cli.terminal", "cattrs.strategies"}
