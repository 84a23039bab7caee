"""What chatfsm promises: its names, its sizes, its places for things."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import get_args

import attrs
import pytest

import chatfsm
from chatfsm import commands, effects, errors, events, signaling
from chatfsm.protocol import codec
from chatfsm.session.state import ClosedForm, Counts, Memory, OpenForm, Outgoing, OwnTyping

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


@pytest.mark.parametrize("cls", [Memory, Counts, OpenForm, ClosedForm, OwnTyping, Outgoing])
def test_what_a_session_remembers_is_data(cls: type) -> None:
    """L8: state is attrs classes only, without a dict that could hide something."""
    assert attrs.has(cls)
    assert cls.__dictoffset__ == 0


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_is_small(path: Path) -> None:
    """No module has more than 300 lines."""
    assert len(path.read_text("utf-8").splitlines()) <= 300


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_wire_names_live_in_the_codec(path: Path) -> None:
    """The names of wire events are written in the codec, and in one module of the simulator.

    Also in the polling loop of the demo, which is to use nothing of chatfsm.
    """
    if path.name in {"codec.py", "outbound.py", "naive.py", "wire.py"}:
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
