"""Scenarios as JSON, and the errors of invalid JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from chatfsm.simulator.scenario import (
    STEPS,
    AgentLeaves,
    Await,
    Converse,
    EndSession,
    FindAgent,
    Pause,
    Say,
    Scenario,
    ScenarioError,
    ScenarioStep,
    ShowForm,
    ShowSecureForm,
    Tell,
    from_json,
    from_plain,
    to_plain,
)

NESTED: Any = []
for _ in range(32):
    NESTED = [NESTED]
SECONDS = st.floats(0, 86_400)
TEXTS = st.text(max_size=10)
NAMES = st.text(min_size=1, max_size=10)
JSON = st.dictionaries(TEXTS, st.none() | st.integers(0, 9) | TEXTS | st.lists(TEXTS, max_size=2))
STEP: st.SearchStrategy[ScenarioStep] = st.one_of(
    st.builds(lambda event: Tell({**event, "event": "odd"}), JSON),
    st.builds(Pause, SECONDS),
    st.builds(
        Await, st.lists(NAMES, min_size=1, max_size=2).map(tuple), JSON, st.none() | SECONDS, TEXTS
    ),
    st.builds(Say, NAMES, SECONDS, st.sampled_from(["agent", "scenario"])),
    st.builds(FindAgent, SECONDS, st.none() | SECONDS),
    st.just(AgentLeaves()),
    st.builds(ShowForm, TEXTS, SECONDS),
    st.builds(ShowSecureForm, NAMES),
    st.builds(Converse, SECONDS),
    st.builds(EndSession, st.sampled_from(["ended", "failed", "timed_out"]), TEXTS),
)
STEPS_TUPLE = st.lists(STEP, max_size=4).map(tuple)


@given(st.builds(Scenario, TEXTS, STEPS_TUPLE, STEPS_TUPLE, TEXTS, TEXTS))
def test_a_scenario_survives_json(scenario: Scenario) -> None:
    """Any scenario is equal after a round trip through JSON."""
    assert from_json(json.dumps(to_plain(scenario))) == scenario


def test_the_json_is_short() -> None:
    """Fields with their default value are omitted."""
    scenario = Scenario(
        "short", (Pause(2), Await("chat_session_message"), FindAgent(), EndSession())
    )
    assert to_plain(scenario) == {
        "name": "short",
        "steps": [
            {"step": "pause", "seconds": 2},
            {"step": "await", "event": ["chat_session_message"]},
            {"step": "find_agent"},
            {"step": "end"},
        ],
    }


def test_one_event_may_be_awaited_by_its_bare_name() -> None:
    """A list is needed only for several event names."""
    step = {"step": "await", "event": "chat_session_end"}
    assert from_plain({"name": "x", "steps": [step]}).steps == (Await("chat_session_end"),)


def test_a_scenario_is_frozen() -> None:
    """A scenario is immutable, because many chats play it at once."""
    with pytest.raises(FrozenInstanceError):
        Scenario("x", ()).name = "y"  # type: ignore[misc]
    for cls in STEPS.values():
        assert cls.__setattr__ is not object.__setattr__


def refusal(value: object) -> str:
    with pytest.raises(ScenarioError) as caught:
        from_plain(value)
    return str(caught.value)


def of(step: object) -> str:
    """Return the error for a scenario whose second step is this one."""
    return refusal({"name": "x", "steps": [{"step": "end"}, step]})


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (7, "step 2: must be an object"),
        ({}, f"step 2: no kind of step; known are {', '.join(STEPS)}"),
        ({"step": "sing"}, f"step 2: unknown kind 'sing'; known are {', '.join(STEPS)}"),
        ({"step": ["sing"]}, "step 2: unknown kind ['sing']; known are"),
        ({"step": "la" * 99}, f"step 2: unknown kind 'l{'al' * 19}; known are"),
        ({"step": "pause"}, "step 2 (pause): seconds is missing"),
        ({"step": "pause", "seconds": "2"}, "step 2 (pause): seconds must be a number of seconds"),
        ({"step": "pause", "seconds": True}, "seconds must be a number of seconds"),
        ({"step": "pause", "seconds": -1}, "seconds must be from 0 to 86400 seconds"),
        ({"step": "pause", "seconds": 1, "minutes": 2}, "unknown field minutes; known are seconds"),
        ({"step": "await", "event": "x", "timeout": "1"}, "timeout must be a number of seconds"),
        ({"step": "await", "event": []}, "event must be the name of an event, or a list"),
        ({"step": "await", "event": ["a", 7]}, "event must be the name of an event, or a list"),
        ({"step": "await", "event": ["a", ""]}, "event must be the name of an event, or a list"),
        ({"step": "await", "event": {}}, "event must be the name of an event, or a list"),
        ({"step": "await", "event": "x", "where": 1}, "where must be an object of fields"),
        ({"step": "await", "event": "x", "known_as": 1}, "known_as must be a string, not int"),
        ({"step": "tell", "event": "x"}, "step 2 (tell): event must be an object"),
        ({"step": "tell", "event": {"msg": "x"}}, "event must have a field named event"),
        ({"step": "tell", "event": {"event": NESTED}}, "event is nested deeper than 32 levels"),
        ({"step": "say", "text": ""}, "text must be a non-empty string, not ''"),
        (
            {"step": "say", "text": "x", "by": "nobody"},
            "step 2 (say): by must be 'agent' or 'scenario', not",
        ),
        ({"step": "end", "how": "badly"}, "step 2 (end): how must be 'ended' or"),
        ({"step": "end", "how": []}, "step 2 (end): how must be 'ended' or"),
    ],
)
def test_an_invalid_step_is_named(step: object, words: str) -> None:
    """The error has the step's number and kind, the invalid value, and the valid ones."""
    assert words in of(step)
    assert of(step).startswith("scenario 'x': ")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "a scenario is an object with a name and steps"),
        ({"steps": []}, "scenario: name is missing"),
        ({"name": "x"}, "scenario 'x': steps is missing"),
        ({"name": 7, "steps": []}, "scenario: name must be a string, not int"),
        ({"name": "x", "steps": {}}, "scenario 'x': steps must be a list of steps"),
        ({"name": "x", "steps": [], "speed": 2}, "unknown field speed; known are after_disconnect"),
        (
            {"name": "x", "steps": [], "after_disconnect": [{"step": "sing"}]},
            "scenario 'x': after_disconnect: step 1: unknown kind 'sing'",
        ),
    ],
)
def test_an_invalid_scenario_is_refused(value: Any, words: str) -> None:
    """The error describes the expected form of a scenario."""
    assert words in refusal(value)


def test_invalid_json_is_refused() -> None:
    """The error says that the text is not JSON."""
    with pytest.raises(ScenarioError, match="a scenario is JSON: "):
        from_json("{")


def test_steps_are_checked_in_python_too() -> None:
    """A scenario built in Python raises the same errors."""
    with pytest.raises(ValueError, match="must be from 0"):
        Pause(-1)
    with pytest.raises(TypeError):
        Scenario("x", ({"step": "end"},))  # type: ignore[arg-type]
