"""Properties of all scenarios with any customer."""

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
from tests.simulator.scenarios.harness import CHAT, PlayedScenario, agent, customer_text

KINDS = ["chat_session_message", "chat_session_form_data", "chat_session_disconnect", "odd"]
SHORT = st.integers(0, 6).map(lambda halves: halves / 2)
STEPS: st.SearchStrategy[ScenarioStep] = st.one_of(
    st.sampled_from([Tell({"event": f"other_{n}"}) for n in range(3)]),
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
    st.sampled_from(sorted(KEYWORDS)).map(customer_text),
    st.sampled_from(KINDS).map(lambda name: {"event": name}),
)
SPOKEN = st.lists(st.tuples(SHORT, EVENTS), max_size=8)
# Seconds after which no play has a deadline: eight steps and eight answers of a few
# pauses of at most three seconds each.
LATE = 1_000.0


def played_by(scenario: Scenario, capacity: int) -> tuple[PlayedScenario, AgentPool]:
    agents = AgentPool([agent("Ada", capacity), agent("Bo")])
    return PlayedScenario(ScenarioPlayer(scenario, agents, CHAT)), agents


def events_of(played: PlayedScenario) -> list[dict[str, Any]]:
    return [event for _, event in played.sent]


@given(SCENARIOS, SPOKEN)
def test_the_events_do_not_depend_on_when_the_player_is_woken(
    scenario: Scenario, spoken: list[tuple[float, dict[str, Any]]]
) -> None:
    """A player that is woken rarely sends the same events as one woken at each deadline."""
    often, _ = played_by(scenario, 1)
    seldom, _ = played_by(scenario, 1)
    often.begin()
    seldom.begin()
    for after, event in spoken:
        often.until(often.now + after)
        seldom.now += after
        often.receive(event)
        seldom.receive(event)
        assert events_of(often) == events_of(seldom)
        assert often.player.deadline == seldom.player.deadline
    often.until(LATE)
    seldom.now = LATE
    seldom.record(seldom.player.wake(now=LATE))
    assert events_of(often) == events_of(seldom)
    assert often.player.done is seldom.player.done


@given(st.lists(st.tuples(SCENARIOS, SPOKEN), min_size=2, max_size=4))
def test_every_agent_is_free_in_the_end(
    plays: list[tuple[Scenario, list[tuple[float, dict[str, Any]]]]],
) -> None:
    """After several chats with few agents are closed, no agent is busy and the queue is empty."""
    agents = AgentPool([agent("Ada"), agent("Bo")])
    courses = [PlayedScenario(ScenarioPlayer(scenario, agents, CHAT)) for scenario, _ in plays]
    for played in courses:
        played.begin()
    for played, (_, spoken) in zip(courses, plays, strict=True):
        for after, event in spoken:
            played.until(played.now + after)
            played.receive(event)
            for called in agents.take_notified():
                called.wake(now=played.now)
            assert agents.free_slots >= 0
    for played in courses:
        played.player.close(now=LATE)
    assert agents.free_slots == 2
    assert agents.queue_length == 0
    assert agents.take_notified() == []


@given(SCENARIOS, SPOKEN)
def test_only_present_parties_leave(
    scenario: Scenario, spoken: list[tuple[float, dict[str, Any]]]
) -> None:
    """No party joins twice, and only parties that joined leave."""
    played, _ = played_by(scenario, 2)
    played.begin()
    for after, event in spoken:
        played.until(played.now + after)
        played.receive(event)
    played.until(LATE)
    here: set[str] = set()
    for event in events_of(played):
        if event["event"] == "chat_session_party_joined":
            assert event["party_id"] not in here
            here.add(event["party_id"])
        elif event["event"] == "chat_session_party_left":
            here.remove(event["party_id"])
