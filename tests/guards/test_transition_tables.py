"""L2: state machines are data, and the dict that sessions read agrees with `transitions`."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import chatfsm
from chatfsm._session import tables
from chatfsm._statemachine import TransitionTable
from tests.transition_pairs import moved_by_transitions, pairs_of

TABLES = (
    tables.LIFECYCLE,
    tables.FORM,
    tables.CALL,
    tables.DELIVERY,
    tables.COBROWSING,
    tables.ALLOWED_COMMANDS,
)
BY_NAME = {drawn.name: drawn for drawn in TABLES}
PAIRS = pairs_of(TABLES)


@pytest.mark.parametrize(("name", "state", "trigger"), PAIRS)
def test_the_compiled_table_agrees_with_transitions(name: str, state: str, trigger: str) -> None:
    """For every (state, trigger) pair the compiled table and the Machine agree."""
    table = BY_NAME[name]
    assert table.moves[state].get(trigger) == moved_by_transitions(table, state, trigger)


def test_tables_are_called_what_they_are() -> None:
    """Each table has the name by which tools find it."""
    assert list(BY_NAME) == ["lifecycle", "form", "call", "delivery", "cobrowsing", "commands"]


def test_every_pair_was_compared() -> None:
    """The pairs are complete: all states of each table with all its triggers."""
    lifecycle, form, call, delivery, cobrowsing, orders = 10 * 10, 6 * 6, 6 * 10, 6 * 6, 5 * 3, 200
    assert len(PAIRS) == lifecycle + form + call + delivery + cobrowsing + orders


@pytest.mark.parametrize("table", BY_NAME.values(), ids=BY_NAME)
def test_a_machine_is_shared_and_has_no_model(table: TransitionTable) -> None:
    """A table's Machine has no model, no automatic transitions and no callbacks."""
    machine = table.machine
    assert machine.models == []
    assert not [name for name in machine.events if name.startswith("to_")]
    for event in machine.events.values():
        for transitions in event.transitions.values():
            assert len(transitions) == 1
            transition = transitions[0]
            assert not any(
                (
                    transition.before,
                    transition.after,
                    transition.prepare,
                    transition.conditions,
                )
            )


@pytest.mark.parametrize("table", BY_NAME.values(), ids=BY_NAME)
def test_only_known_states_are_named(table: TransitionTable) -> None:
    """Every row leads from a state to a state of its own table."""
    for state, row in table.moves.items():
        assert state in table.states
        assert set(row.values()) <= set(table.states)


def test_nothing_leads_out_of_a_final_state() -> None:
    """The final states of the lifecycle are the four outcomes, those of a form all but open."""
    assert (
        tables.LIFECYCLE.finals == {"ended", "timed_out", "failed", "gone"} == set(tables.OUTCOMES)
    )
    assert tables.FORM.finals == set(tables.FORM.states) - {"open"}
    assert tables.CALL.finals == set()


def test_every_live_state_leads_to_every_final() -> None:
    """A session can end from any state that is not final."""
    for state in set(tables.LIFECYCLE.states) - tables.LIFECYCLE.finals:
        assert tables.LIFECYCLE.finals <= set(tables.LIFECYCLE.moves[state].values())


def test_every_status_word_leads_somewhere_from_everywhere() -> None:
    """A known status has a transition from each live state except its own."""
    for state in set(tables.LIFECYCLE.states) - tables.LIFECYCLE.finals:
        assert set(tables.LIFECYCLE.moves[state]) >= tables.STATUS_STATES - {state}


def test_no_source_uses_wildcards_or_adds_models() -> None:
    """No module uses a wildcard source, adds a model, or creates a second kind of Machine."""
    for path in Path(chatfsm.__file__).parent.glob("**/*.py"):
        source = path.read_text("utf-8")
        assert "add_model" not in source
        if path.name != "_statemachine.py":
            imported = [
                node.module
                for node in ast.walk(ast.parse(source))
                if isinstance(node, ast.ImportFrom)
            ]
            assert "transitions" not in imported
        else:
            assert source.count("Machine(") == 1
            assert '"*"' not in source


def functions_that_set_a_state(source: str) -> set[str]:
    """Return the functions of a module that assign a state, or create a call with one."""
    found = set()
    for function in ast.walk(ast.parse(source)):
        if not isinstance(function, ast.FunctionDef):
            continue
        for node in ast.walk(function):
            targets: list[ast.expr] = []
            if isinstance(node, ast.Assign):
                targets = [
                    target
                    for each in node.targets
                    for target in (each.elts if isinstance(each, ast.Tuple) else [each])
                ]
            elif isinstance(node, ast.AnnAssign | ast.AugAssign):
                targets = [node.target]
            is_assigned = any(
                isinstance(target, ast.Attribute) and target.attr == "state" for target in targets
            )
            is_made = (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"Call", "evolve"}
                and (node.func.id == "Call" or "state" in {word.arg for word in node.keywords})
            )
            if is_assigned or is_made:
                found.add(function.name)
    return found


def test_only_three_functions_set_a_state() -> None:
    """Only the functions that look up the table set the state of a session, message or call."""
    found = {
        (path.stem, name)
        for path in (Path(chatfsm.__file__).parent / "_session").glob("*.py")
        for name in functions_that_set_a_state(path.read_text("utf-8"))
    }
    assert found == {("lifecycle", "_move"), ("outbox", "_move"), ("changes", "move_call")}


@pytest.mark.parametrize(
    "planted",
    [
        "session.state = 'connected'",
        "previous, session.state = session.state, 'connected'",
        "session.call = evolve(session.call, state='ended')",
        "session.call = Call('ended')",
    ],
)
def test_a_state_that_is_set_elsewhere_is_seen(planted: str) -> None:
    """The walk over the syntax trees finds a state that is set without a table."""
    assert functions_that_set_a_state(f"def f():\n    {planted}\n") == {"f"}
