"""Paths: a driven session reaches every state and every transition of the tables."""

from __future__ import annotations

import doctest
from typing import Any, get_args

import pytest

from chatfsm import ChatSession, LocalProtocolError, commands, effects
from chatfsm._session import tables
from chatfsm.testing import paths
from chatfsm.testing.paths import MACHINES, Machine, Path, drive, shortest_paths
from tests.transition_pairs import pairs_of

TABLES: dict[str, Any] = {
    "lifecycle": tables.LIFECYCLE,
    "form": tables.FORM,
    "call": tables.CALL,
    "delivery": tables.DELIVERY,
    "cobrowsing": tables.COBROWSING,
    "commands": tables.ALLOWED_COMMANDS,
}


def state_in(session: ChatSession, machine: str, reported: list[Any]) -> str:
    """Return the state of a machine, as the session and its effects show it."""
    match machine:
        case "lifecycle" | "commands":
            return session.state
        case "form":
            [*_, last] = [
                e for e in reported if isinstance(e, effects.FormClosed | effects.FormOpened)
            ]
            replaced = [e for e in reported if getattr(e, "reason", None) == "replaced"]
            return "replaced" if replaced else getattr(last, "reason", "open")
        case "call":
            return session.call
        case "delivery":
            return session.outbox[paths.MSG_ID]
    return session.cobrowsing or "none"


def driven(path: Path) -> tuple[ChatSession, list[Any]]:
    session = ChatSession("chat-1")
    return session, drive(session, path, now=1000.0)


@pytest.mark.parametrize("machine", MACHINES)
def test_a_shortest_path_leads_to_each_state(machine: Machine) -> None:
    found = shortest_paths(machine)
    assert set(found) == set(TABLES[machine].states)
    for state, path in found.items():
        session, reported = driven(path)
        if path.steps or machine not in {"form", "delivery"}:
            assert (path.state, state_in(session, machine, reported)) == (state, state)


@pytest.mark.parametrize("machine", MACHINES)
def test_a_path_leads_through_each_transition(machine: Machine) -> None:
    """Each pair of the table is the last step of a path, from its source state."""
    found = paths.transition_paths(machine)
    moves = TABLES[machine].moves
    assert set(found) == {
        (trigger, state, moves[state][trigger])
        for _, state, trigger in pairs_of([TABLES[machine]])
        if trigger in moves[state]
    }
    for (trigger, source, destination), path in found.items():
        *before, last = path.steps
        assert last.row == (trigger, source, destination)
        session, reported = driven(Path(machine, source, tuple(before)))
        assert state_in(session, machine, reported) == source
        now = 1000.0 + sum(step.after for step in path.steps)
        reported += session.receive(last.item, now=now)
        assert state_in(session, machine, reported) == destination == path.state


def test_a_path_is_as_short_as_any() -> None:
    """A path has one transition from the start, or else one more than that of its source state."""
    for machine in ("lifecycle", "form", "call", "delivery", "cobrowsing"):
        shortest = shortest_paths(machine)
        for path in paths.simple_paths(machine):
            assert len(path.rows) >= len(shortest[path.state].rows)


def test_simple_paths_repeat_no_state_and_reach_their_target() -> None:
    count = {}
    for machine in MACHINES:
        found = list(paths.simple_paths(machine))
        count[machine] = len(found)
        assert len(set(map(repr, found))) == len(found)
        for path in found:
            states = [path.rows[0][1], *(row[2] for row in path.rows)] if path.rows else []
            assert len(states) == len(set(states))
    assert count.pop("lifecycle") == 326 * 5  # six live states in any order, then four ends
    assert count == {"form": 7, "call": 102, "delivery": 18, "cobrowsing": 5, "commands": 10}


@pytest.mark.parametrize("path", list(paths.simple_paths("call")), ids=lambda path: len(path.rows))
def test_a_session_follows_every_simple_path_of_a_call(path: Path) -> None:
    session, reported = driven(path)
    assert state_in(session, "call", reported) == path.state


def test_every_command_has_a_path() -> None:
    used = {type(path.steps[-1].item) for path in paths.transition_paths("commands").values()}
    assert used == set(get_args(commands.Command))


def test_a_command_needs_its_path() -> None:
    """Without the prepared state the session refuses the command, so no step is superfluous."""
    refused = []
    for (trigger, *_), path in paths.transition_paths("commands").items():
        *before, last = path.steps
        if trigger in {"submit_form", "cancel_form", "answer_call", "cobrowsing_reply"}:
            session, _ = driven(Path("commands", "", tuple(before[:-1])))
            with pytest.raises(LocalProtocolError):
                session.receive(last.item, now=1000.0)
            refused.append(trigger)
    assert len(refused) == 4 * 6


def test_a_path_works_for_any_chat_id() -> None:
    session = ChatSession("7215D0DA-D272-499C-9CF3-9F1A322F42CB")
    reported = drive(session, paths.transition_paths("form")["message", "open", "submitted"])
    assert reported[1] == effects.FormClosed(reported[0].form, "submitted")  # type: ignore[union-attr]


@pytest.mark.parametrize("function", [shortest_paths, paths.transition_paths, paths.simple_paths])
def test_an_unknown_machine_is_refused(function: Any) -> None:
    with pytest.raises(ValueError, match=r"machine must be one of lifecycle, form, .*, not 'poll'"):
        list(function("poll"))


def test_the_examples_of_the_module_hold() -> None:
    results = doctest.testmod(paths)
    assert results.attempted > 5
    assert results.failed == 0
