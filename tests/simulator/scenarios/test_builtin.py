"""The built-in scenarios, with a client session as the observer."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import effects as effect_types
from chatfsm._protocol.codec import decode_item
from chatfsm.simulator.agent_pool import AgentPool
from chatfsm.simulator.builtin_scenarios import AGENTS, FILE, SCENARIOS
from chatfsm.simulator.player import ScenarioPlayer
from chatfsm.simulator.scenario import from_plain, to_plain
from tests.simulator.scenarios.harness import (
    CHAT,
    PlayedScenario,
    answer_to,
    customer_text,
    observe_with_a_session,
)

WORDS = "form", "prompt", "secure form", "file", "transfer", "queue", "call", "hang up", "help"


def begun(name: str) -> PlayedScenario:
    played = PlayedScenario(ScenarioPlayer(SCENARIOS[name], AgentPool(AGENTS), CHAT))
    played.begin()
    return played


def play_through(name: str) -> PlayedScenario:
    played = begun(name)
    played.run(answer_to)
    return played


def states(effects: list[Any]) -> list[str]:
    return [each.state for each in effects if isinstance(each, effect_types.StateChanged)]


@pytest.mark.parametrize(
    ("name", "passed"),
    [
        ("plain", ["ivr", "connecting", "connected", "ended"]),
        ("queue", ["queued", "connecting", "connected", "ended"]),
        ("bot", ["ivr", "connecting", "connected", "ended"]),
        ("transfer", ["connecting", "connected", "connecting", "connected", "ended"]),
        ("secure_form", ["connecting", "connected", "ended"]),
        ("call", ["connecting", "connected", "ended"]),
        ("failure", ["ivr", "queued", "failed"]),
    ],
)
def test_a_session_goes_through_the_expected_states(name: str, passed: list[str]) -> None:
    """The session of an answering customer goes through these states without anomaly."""
    played = play_through(name)
    session, effects = observe_with_a_session(played)
    assert states(effects) == passed
    assert session.outcome == passed[-1]
    assert played.player.done
    assert isinstance(effects[-1], effect_types.Terminated)


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in {"survey", "echo"}])
def test_a_scenario_goes_on_without_answers(name: str) -> None:
    """No scenario gets stuck with a silent customer."""
    played = begun(name)
    played.run()
    session, _ = observe_with_a_session(played)
    assert session.done or name == "inactivity"
    assert not played.player.done or session.done


def test_the_queue_sends_two_estimates() -> None:
    """The estimates are 40 s, then 15 s."""
    _, effects = observe_with_a_session(play_through("queue"))
    estimates = [each.seconds for each in effects if isinstance(each, effect_types.WaitEstimated)]
    assert estimates[:2] == [40.0, 15.0]


def test_the_bot_hands_over_to_an_agent() -> None:
    """The bot shows a form and a prompt, and stays while the agent talks."""
    played = play_through("bot")
    _, effects = observe_with_a_session(played)
    added = [each.party for each in effects if isinstance(each, effect_types.PartyAdded)]
    assert [party.type for party in added] == ["scenario", "internal"]
    opened = [each.form for each in effects if isinstance(each, effect_types.FormOpened)]
    assert [form.name for form in opened] == ["parcel_number", ""]
    asked = [each["party_id"] for _, each in played.sent if each["event"].endswith("_message")]
    assert asked[:3] == [added[0].party_id] * 3
    assert asked[3:] == [added[1].party_id] * 2


def test_the_transfer_overlaps() -> None:
    """The second agent joins before the first leaves, and sends the messages from then on."""
    played = play_through("transfer")
    parties = [
        (name, event["party_id"])
        for name, (_, event) in zip(played.names, played.sent, strict=True)
        if name in {"party_joined", "party_left", "message"}
    ]
    first, second = AGENTS[0].party_id, AGENTS[1].party_id
    assert parties == [
        ("party_joined", first),
        ("message", first),
        ("message", first),
        ("party_joined", second),
        ("party_left", first),
        ("message", second),
        ("message", second),
        ("party_left", second),
    ]


def test_the_survey_comes_after_the_conversation() -> None:
    """After a disconnect the agent leaves, a form follows, and its answer ends the session."""
    played = play_through("survey")
    assert not played.player.done
    played.receive({"event": "chat_session_disconnect"})
    played.run(answer_to)
    session, effects = observe_with_a_session(played)
    assert states(effects) == ["connecting", "connected", "completed", "ended"]
    closed = [each.form.name for each in effects if isinstance(each, effect_types.FormClosed)]
    assert closed == ["MobileChatSurvey"]
    ending = ["party_left", "completed", "message", "form_show", "message", "ended"]
    assert played.names[-6:] == ending
    assert session.outcome == "ended"


def test_a_secure_form_is_answered_and_never_repeated() -> None:
    """Both forms are shown; the session keeps no answer."""
    played = play_through("secure_form")
    _, effects = observe_with_a_session(played)
    opened = [each.form for each in effects if isinstance(each, effect_types.FormOpened)]
    assert [form.name for form in opened] == ["identity_check", "balance_consent"]
    assert all(form.secure for form in opened)
    assert "blue" not in str(played.sent)


def test_the_call_is_answered_and_ended() -> None:
    """The call offer has candidates, the answer makes the call active, and the agent ends it."""
    _, effects = observe_with_a_session(play_through("call"))
    calls = [each.state for each in effects if isinstance(each, effect_types.CallChanged)]
    assert calls == ["offered", "active", "ended"]


def test_the_inactivity_scenario_stays_silent() -> None:
    """After the customer's answer the agent sends one message and then nothing."""
    played = play_through("inactivity")
    assert played.names[-1] == "message"
    assert played.player.deadline is None
    assert not played.player.done


def test_echo_answers_its_keywords() -> None:
    """Each keyword shows one part of the protocol without anomaly, and "bye" ends the chat."""
    played = begun("echo")
    played.run()
    greeting = played.sent[-1][1]["msg"]
    for number, word in enumerate(WORDS):
        assert word in greeting
        played.receive(customer_text(f" {word.upper()}!", str(2 * number + 1)))
        played.run()
    played.receive(customer_text("bye", "99"))
    played.run()
    session, effects = observe_with_a_session(played)
    kinds = {type(each) for each in effects}
    assert kinds >= {
        effect_types.FormOpened,
        effect_types.FileReceived,
        effect_types.CallChanged,
        effect_types.PartyRemoved,
    }
    assert states(effects)[2:6] == ["connecting", "connected", "queued", "connecting"]
    assert session.outcome == "ended"
    file = next(each.file for each in effects if isinstance(each, effect_types.FileReceived))
    assert (file.file_id, file.file_name) == (FILE.file_id, FILE.file_name)


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_survives_json(name: str) -> None:
    """A built-in scenario is equal after a round trip through JSON."""
    scenario = SCENARIOS[name]
    assert scenario.name == name
    assert scenario.title
    assert from_plain(to_plain(scenario)) == scenario


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_scenario_frees_its_agents(name: str) -> None:
    """Closing the player at any moment frees its agents."""
    agents = AgentPool(AGENTS)
    free = agents.free_slots
    play = ScenarioPlayer(SCENARIOS[name], agents, CHAT)
    play.start(now=0.0)
    play.wake(now=10.0)
    play.close(now=10.0)
    play.close(now=11.0)
    assert agents.free_slots == free
    assert play.done
    assert play.deadline is None
    assert play.receive(customer_text("hello?"), now=12.0) == []


def test_receipts_name_the_message_that_was_read() -> None:
    """The agent of `echo` confirms that a message is read before it answers."""
    played = begun("echo")
    played.run()
    news = played.receive(customer_text("hello", "7"))
    assert decode_item(news[0]).ref_msg_id == "7"  # type: ignore[union-attr]
    played.run()
    assert played.names[-4:] == ["message_read", "typing", "not_typing", "message"]
    assert played.sent[-1][1]["msg"] == "You said: hello"
