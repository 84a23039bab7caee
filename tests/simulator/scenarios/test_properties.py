"""What holds of every scenario, whatever is in it and whatever the customer says."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatfsm.simulator.agent_pool import AgentPool
from chatfsm.simulator.echo_agent import KEYWORDS
from chatfsm.simulator.player import ScenarioPlayer
from chatfsm.simulator.scenario import (
    AgentLeaves,
    Await,
    Converse,
    EndSession,
    FindAgent,
    Pause,
    Say,
    Scenario,
    ScenarioStep,
    ShowForm,
    Tell,
)
from tests.simulator.scenarios.playing import CHAT, PlayedScenario, agent, said

KINDS = ["chat_session_message", "chat_session_form_data", "chat_session_disconnect", "odd"]
SHORT = st.integers(0, 6).map(lambda halves: halves / 2)
STEPS: st.SearchStrategy[ScenarioStep] = st.one_of(
    st.sampled_from([Tell({"event": f"told_{n}"}) for n in range(3)]),
    st.builds(Pause, SHORT),
    st.builds(Await, st.sampled_from(KINDS), timeout=st.none() | SHORT),
    st.builds(Say, st.just("hello"), SHORT),
    st.builds(FindAgent, SHORT, st.none() | SHORT),
    st.just(AgentLeaves()),
    st.just(ShowForm("form")),
    st.builds(Converse, SHORT),
    st.just(EndSession()),
)
SCENARIOS = st.builds(
    Scenario,
    st.just("any"),
    st.lists(STEPS, max_size=8).map(tuple),
    st.lists(STEPS, max_size=3).map(tuple),
)
EVENTS = st.one_of(
    st.sampled_from(sorted(KEYWORDS)).map(said),
    st.sampled_from(KINDS).map(lambda name: {"event": name}),
)
SPOKEN = st.lists(st.tuples(SHORT, EVENTS), max_size=8)
# After so long nothing is left that goes on by itself: eight steps and eight answers of a few
# pauses of three seconds each.
LATE = 1_000.0


def staged(scenario: Scenario, capacity: int) -> tuple[PlayedScenario, AgentPool]:
    agents = AgentPool([agent("Ada", capacity), agent("Bo")])
    return PlayedScenario(ScenarioPlayer(scenario, agents, CHAT)), agents


def kept(played: PlayedScenario) -> list[dict[str, Any]]:
    return [event for _, event in played.told]


@given(SCENARIOS, SPOKEN)
def test_it_makes_no_difference_who_looks_when(
    scenario: Scenario, spoken: list[tuple[float, dict[str, Any]]]
) -> None:
    """Woken at every deadline or not at all, a play tells the same by each time it is asked."""
    often, _ = staged(scenario, 1)
    seldom, _ = staged(scenario, 1)
    often.begin()
    seldom.begin()
    for after, event in spoken:
        often.until(often.now + after)
        seldom.now += after
        often.hear(event)
        seldom.hear(event)
        assert kept(often) == kept(seldom)
        assert often.play.deadline == seldom.play.deadline
    often.until(LATE)
    seldom.now = LATE
    seldom.take(seldom.play.wake(now=LATE))
    assert kept(often) == kept(seldom)
    assert often.play.done is seldom.play.done


@given(st.lists(st.tuples(SCENARIOS, SPOKEN), min_size=2, max_size=4))
def test_every_agent_is_free_in_the_end(
    plays: list[tuple[Scenario, list[tuple[float, dict[str, Any]]]]],
) -> None:
    """Several chats share few agents, and when all are closed nobody is busy and nobody waits."""
    agents = AgentPool([agent("Ada"), agent("Bo")])
    courses = [PlayedScenario(ScenarioPlayer(scenario, agents, CHAT)) for scenario, _ in plays]
    for played in courses:
        played.begin()
    for played, (_, spoken) in zip(courses, plays, strict=True):
        for after, event in spoken:
            played.until(played.now + after)
            played.hear(event)
            for called in agents.take_notified():
                called.wake(now=played.now)
            assert agents.free_slots >= 0
    for played in courses:
        played.play.close(now=LATE)
    assert agents.free_slots == 2
    assert agents.queue_length == 0
    assert agents.take_notified() == []


@given(SCENARIOS, SPOKEN)
def test_who_left_was_there(scenario: Scenario, spoken: list[tuple[float, dict[str, Any]]]) -> None:
    """Nobody joins twice, and nobody leaves who had not joined."""
    played, _ = staged(scenario, 2)
    played.begin()
    for after, event in spoken:
        played.until(played.now + after)
        played.hear(event)
    played.until(LATE)
    here: set[str] = set()
    for event in kept(played):
        if event["event"] == "chat_session_party_joined":
            assert event["party_id"] not in here
            here.add(event["party_id"])
        elif event["event"] == "chat_session_party_left":
            here.remove(event["party_id"])
