"""The public names of chatfsm: their list, their modules, their values."""

from __future__ import annotations

import ast
import importlib
import inspect
import pickle
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import get_args

import attrs
import pytest

import chatfsm
from chatfsm import commands, effects, errors, events, signaling
from chatfsm._protocol import codec
from chatfsm._session.state import ClosedForm, Counts, OpenForm, Outgoing, OwnTyping, SessionState

PACKAGE = Path(chatfsm.__file__).parent
MODULES = sorted(PACKAGE.glob("**/*.py"))
UNIONS = {
    events: events.Event,
    commands: commands.Command,
    effects: effects.Effect,
    signaling: signaling.Signal,
}


def test_the_public_names() -> None:
    """The public names are these; a new or a missing one fails."""
    assert chatfsm.__all__ == [
        "ApiError",
        "AuthorizationError",
        "BusyError",
        "CaseError",
        "ChatClient",
        "ChatError",
        "ChatSession",
        "ClientSettings",
        "ConfigurationError",
        "DecodeError",
        "Endpoint",
        "FileError",
        "Health",
        "History",
        "HttpFailure",
        "HttpReply",
        "HttpRequest",
        "LocalProtocolError",
        "Lost",
        "OutOfOrder",
        "ProtocolError",
        "RemoteProtocolError",
        "ReplayDivergence",
        "RequestRefusedError",
        "SendFailed",
        "Sent",
        "SessionGoneError",
        "Settings",
        "SnapshotError",
        "StoreConflictError",
        "StoreError",
        "Tick",
        "TransientError",
        "TransportError",
        "UnreadableLogError",
        "__version__",
        "api",
        "client_effects",
        "commands",
        "decode",
        "decode_lines",
        "effects",
        "encode",
        "endpoint",
        "errors",
        "events",
        "inputs",
        "models",
        "settings",
        "signaling",
        "transport",
    ]
    assert all(hasattr(chatfsm, name) for name in chatfsm.__all__)


def test_a_name_is_the_one_that_type_checkers_read() -> None:
    """The imports for type checkers name the object that the first use of each name loads."""
    source = ast.parse(Path(chatfsm.__file__).read_text("utf-8"))
    checking = next(node for node in source.body if isinstance(node, ast.If))
    read = {
        alias.name: (str(node.module), alias.name)
        for node in checking.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    modules = {f"chatfsm.{name}": name for name in chatfsm.__all__}
    homes = {
        name: ("chatfsm" if home in modules and modules[home] == name else home, name)
        for name, home in chatfsm._HOMES.items()
    }
    assert read == homes
    assert sorted(read) == chatfsm.__all__
    for name, (home, _) in read.items():
        assert getattr(chatfsm, name) is getattr(importlib.import_module(home), name)


def test_public_modules_list_their_names() -> None:
    """`__all__` of each module lists exactly its names without an underscore."""
    modules = [
        getattr(chatfsm, name)
        for name in chatfsm.__all__
        if inspect.ismodule(getattr(chatfsm, name))
    ]
    for module in modules:
        defined = _defined_in(ast.parse(inspect.getsource(module)))
        assert set(module.__all__) == {name for name in defined if not name.startswith("_")}


def _defined_in(module: ast.Module) -> set[str]:
    """Return the classes, functions and values that a module defines at its top."""
    found: set[str] = set()
    for node in module.body:
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name):
                found.add(name)
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                found.add(name)
    return found


def test_the_version_is_the_one_that_was_installed() -> None:
    """The metadata of the package has the version of the constant."""
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["dynamic"] == ["version", "readme"]
    assert project["tool"]["hatch"]["version"]["path"] == "chatfsm/_version.py"
    try:
        installed = version("chatfsm")
    except PackageNotFoundError:
        pytest.skip("chatfsm runs from its folder, without being installed")
    assert chatfsm.__version__ == installed


def test_a_name_is_known_by_its_public_module() -> None:
    """Tracebacks, pickles and `help` name the module from which an app imports."""
    assert repr(events.Message) == "<class 'chatfsm.events.Message'>"
    for name in ("commands", "effects", "events", "errors", "models"):
        module = getattr(chatfsm, name)
        for cls in (value for value in vars(module).values() if inspect.isclass(value)):
            assert not cls.__module__.startswith("chatfsm._")


def test_the_overview_has_a_glossary() -> None:
    """`help(chatfsm)` explains the terms of names and texts."""
    assert chatfsm.__doc__ is not None
    _, _, glossary = chatfsm.__doc__.partition("\nGlossary:\n\n")
    entries = [re.split(r"  +", line, maxsplit=1) for line in glossary.strip().splitlines()]
    terms = [term for term, _ in entries]
    assert terms == sorted(terms)
    assert len(terms) >= 30
    assert {"event", "command", "input", "effect", "duplicate", "anomaly", "unconfirmed"} <= {
        *terms
    }


def test_all_names_are_listed_before_they_are_used() -> None:
    """`dir` and `import *` list all names in a process that has used none."""
    program = "import chatfsm; print(chatfsm.__all__ == dir(chatfsm), len(vars(chatfsm)))"
    known, few = output_of(program).split()
    assert known == "True"
    assert int(few) < len(chatfsm.__all__)
    words = "from chatfsm import *; import chatfsm; print({*chatfsm.__all__} <= {*globals()})"
    assert output_of(words).strip() == "True"


def test_threads_may_use_a_name_at_once() -> None:
    """Threads that use a name at once get the same object, in a process that has loaded none."""
    words = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
import chatfsm
names = [name for name in chatfsm.__all__ for _ in range(2)]
barrier = Barrier(len(names))
def use(name):
    barrier.wait(30)
    return name, id(getattr(chatfsm, name))
with ThreadPoolExecutor(len(names)) as pool:
    print(len(set(pool.map(use, names))) == len(chatfsm.__all__))
"""
    assert output_of(words).strip() == "True"


def test_a_pickle_loads_in_a_new_process() -> None:
    """A pickle names the module of a class, and loads before any name was used."""
    made = pickle.dumps([events.Typing("ann"), commands.SendText("x"), chatfsm.Settings()])
    words = f"import pickle, chatfsm; print(len(pickle.loads({made!r})))"
    assert output_of(words).strip() == "3"


def output_of(program: str) -> str:
    """Return the output of a program in a new process of Python."""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    return run.stdout


def test_every_error_has_one_root() -> None:
    """Every exception of chatfsm is a `ChatError`."""
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), chatfsm.ChatError)


@pytest.mark.parametrize("module", UNIONS, ids=lambda module: module.__name__)
def test_a_union_is_closed_over_its_module(module: object) -> None:
    """Every public class of a module is in its union, or is a field of such a class."""
    parts = {events.Attachment, effects.OutgoingMessage}
    made = {
        value
        for name, value in vars(module).items()
        if inspect.isclass(value)
        and not name.startswith("_")
        and value.__module__ == module.__name__
    }
    assert made - parts == set(get_args(UNIONS[module]))


def test_no_name_is_used_twice() -> None:
    """Events, commands, signals and effects share no name."""
    names = [cls.__name__ for union in UNIONS.values() for cls in get_args(union)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("module", UNIONS, ids=lambda module: module.__name__)
def test_values_are_frozen(module: object) -> None:
    """Events, commands, signals and effects cannot be changed."""
    for cls in get_args(UNIONS[module]):
        assert attrs.has(cls)
        assert cls.__setattr__ is not object.__setattr__
        assert cls.__dictoffset__ == 0


@pytest.mark.parametrize("cls", [SessionState, Counts, OpenForm, ClosedForm, OwnTyping, Outgoing])
def test_the_state_of_a_session_is_data(cls: type) -> None:
    """L8: state consists of attrs classes without a `__dict__`."""
    assert attrs.has(cls)
    assert cls.__dictoffset__ == 0


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_wire_names_live_in_one_module(path: Path) -> None:
    """The names of wire events are literals in `_protocol/names.py` alone.

    The exception is the polling loop of the demo, which uses no other part of chatfsm.
    """
    if path.name in {"naive_client.py", "names.py"}:
        assert '"chat_session_message"' in path.read_text("utf-8")
    else:
        code = path.read_text("utf-8")
        assert '"chat_session_' not in code
        assert "'chat_session_" not in code


def test_every_event_class_is_reachable_from_the_wire() -> None:
    """Every event class is the result of decoding some wire event."""
    by_name = set(codec.EVENTS.values())
    assert by_name | {events.Unknown, events.Malformed} == set(get_args(events.Event))


def test_the_type_marker_is_shipped() -> None:
    """The package contains py.typed, so that type checkers use its annotations."""
    assert (PACKAGE / "py.typed").exists()
