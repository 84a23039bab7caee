"""What chatfsm promises: its names, its sizes, its places for things."""

from __future__ import annotations

import ast
import importlib
import inspect
import pickle
import subprocess
import sys
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
    """The face of the library is these names; adding or losing one is a decision."""
    assert chatfsm.__all__ == [
        "ChatError",
        "ChatSession",
        "DecodeError",
        "History",
        "LocalProtocolError",
        "Lost",
        "RemoteProtocolError",
        "ReplayDivergence",
        "SendFailed",
        "Sent",
        "Settings",
        "SnapshotError",
        "Tick",
        "commands",
        "decode",
        "decode_lines",
        "effects",
        "encode",
        "events",
        "signaling",
    ]
    assert all(hasattr(chatfsm, name) for name in chatfsm.__all__)


def test_a_name_is_what_type_checkers_take_it_for() -> None:
    """The imports that they read say of each name what its first use loads."""
    source = ast.parse(Path(chatfsm.__file__).read_text("utf-8"))
    (checking,) = [node for node in source.body if isinstance(node, ast.If)]
    read = {
        alias.name: (str(node.module), alias.name)
        for node in checking.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    homes = {name: (home, name) for name, home in chatfsm._HOME.items()}
    modules = {name: (home.rpartition(".")[0], name) for name, home in chatfsm._MODULES.items()}
    assert read == homes | modules
    assert sorted(read) == chatfsm.__all__
    for name, (home, _) in read.items():
        assert getattr(chatfsm, name) is getattr(importlib.import_module(home), name)


def test_all_names_are_listed_before_they_are_used() -> None:
    """`dir` and `import *` tell them all, in a process that has used none."""
    told = "import chatfsm; print({*chatfsm.__all__} <= {*dir(chatfsm)}, len(vars(chatfsm)))"
    known, few = in_a_fresh_process(told).split()
    assert known == "True"
    assert int(few) < len(chatfsm.__all__)
    words = "from chatfsm import *; import chatfsm; print({*chatfsm.__all__} <= {*globals()})"
    assert in_a_fresh_process(words).strip() == "True"


def test_a_name_that_is_none_is_refused() -> None:
    """As by any module."""
    with pytest.raises(AttributeError, match="module 'chatfsm' has no attribute 'nothing'"):
        chatfsm.nothing  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from chatfsm import nothing  # type: ignore[attr-defined]  # noqa: F401, PLC0415


def test_threads_may_use_a_name_at_once() -> None:
    """All of them get the same, in a process that has loaded nothing."""
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
    assert in_a_fresh_process(words).strip() == "True"


def test_what_was_pickled_comes_back_where_nothing_was_used() -> None:
    """A pickle names the module of a class, not the face."""
    made = pickle.dumps([events.Typing("ann"), commands.SendText("x"), chatfsm.Settings()])
    words = f"import pickle, chatfsm; print(len(pickle.loads({made!r})))"
    assert in_a_fresh_process(words).strip() == "3"


def in_a_fresh_process(words: str) -> str:
    """What Python prints."""
    run = subprocess.run(
        [sys.executable, "-c", words], capture_output=True, text=True, check=True, timeout=60
    )
    return run.stdout


def test_every_error_has_one_root() -> None:
    """Whoever catches `ChatError` catches everything that chatfsm raises on purpose."""
    for name in errors.__all__:
        assert issubclass(getattr(errors, name), chatfsm.ChatError)


@pytest.mark.parametrize("module", UNIONS, ids=lambda module: module.__name__)
def test_a_union_is_closed_over_its_module(module: object) -> None:
    """Every class that a module makes public is in its union, or is a part of one that is."""
    parts = {events.Attachment}
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
    """Nothing that is told can be changed."""
    for cls in get_args(UNIONS[module]):
        assert attrs.has(cls)
        assert cls.__setattr__ is not object.__setattr__
        assert cls.__dictoffset__ == 0


@pytest.mark.parametrize("cls", [SessionState, Counts, OpenForm, ClosedForm, OwnTyping, Outgoing])
def test_what_a_session_remembers_is_data(cls: type) -> None:
    """L8: state is attrs classes only, without a dict that could hide something."""
    assert attrs.has(cls)
    assert cls.__dictoffset__ == 0


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_is_small(path: Path) -> None:
    """No module has more than 500 lines."""
    assert len(path.read_text("utf-8").splitlines()) <= 500


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_wire_names_live_in_one_module(path: Path) -> None:
    """The names of wire events are written in `_protocol/names.py` alone.

    And in the polling loop of the demo, which is to use nothing of chatfsm.
    """
    if path.name in {"naive_client.py", "names.py"}:
        assert '"chat_session_message"' in path.read_text("utf-8")
    else:
        code = path.read_text("utf-8")
        assert '"chat_session_' not in code
        assert "'chat_session_" not in code


def test_every_event_class_is_reachable_from_the_wire() -> None:
    """No event class exists that nothing decodes to."""
    by_name = set(codec.EVENTS.values())
    assert by_name | {events.Unknown, events.Malformed} == set(get_args(events.Event))


def test_the_type_marker_is_shipped() -> None:
    """Type checkers are told that the annotations count."""
    assert (PACKAGE / "py.typed").exists()
