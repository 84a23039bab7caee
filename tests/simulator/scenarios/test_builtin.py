"""The built-in scenarios, heard by a client."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm import effects as told
from chatfsm._protocol.codec import decode_item
from chatfsm.simulator.agent_pool import AgentPool
from chatfsm.simulator.builtin_scenarios import AGENTS, FILE, SCENARIOS
from chatfsm.simulator.player import ScenarioPlayer
from chatfsm.simulator.scenario import from_plain, to_plain
from tests.simulator.scenarios.playing import CHAT, PlayedScenario, awaited, heard_by_a_client, said

WORDS = "form", "prompt", "secure form", "file", "transfer", "queue", "call", "hang up", "help"


def begun(name: str) -> PlayedScenario:
    played = PlayedScenario(ScenarioPlayer(SCENARIOS[name], AgentPool(AGENTS), CHAT))
    played.begin()
    return played


def play_through(name: str) -> PlayedScenario:
    played = begun(name)
    played.run(awaited)
    return played


def states(effects: list[Any]) -> list[str]:
    return [each.state for each in effects if isinstance(each, told.StateChanged)]


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
def test_a_client_sees_the_whole_story(name: str, passed: list[str]) -> None:
    """Played with a willing customer, each goes through its states to its end, without anomaly."""
    played = play_through(name)
    session, effects = heard_by_a_client(played)
    assert states(effects) == passed
    assert session.outcome == passed[-1]
    assert played.play.done
    assert isinstance(effects[-1], told.Terminated)


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name not in {"survey", "echo"}])
def test_a_story_goes_on_without_answers(name: str) -> None:
    """A customer who says nothing at all is waited for in vain, and no scenario is stuck."""
    played = begun(name)
    played.run()
    session, _ = heard_by_a_client(played)
    assert session.done or name == "inactivity"
    assert not played.play.done or session.done


def test_the_queue_tells_two_estimates() -> None:
    """Forty seconds, then fifteen."""
    _, effects = heard_by_a_client(play_through("queue"))
    estimates = [each.seconds for each in effects if isinstance(each, told.WaitEstimated)]
    assert estimates[:2] == [40.0, 15.0]


def test_the_bot_hands_over_to_a_person() -> None:
    """It shows a form and a prompt, and stays while a person talks."""
    played = play_through("bot")
    _, effects = heard_by_a_client(played)
    added = [each.party for each in effects if isinstance(each, told.PartyAdded)]
    assert [party.type for party in added] == ["scenario", "internal"]
    opened = [each.form for each in effects if isinstance(each, told.FormOpened)]
    assert [form.name for form in opened] == ["parcel_number", ""]
    asked = [each["party_id"] for _, each in played.told if each["event"].endswith("_message")]
    assert asked[:3] == [added[0].party_id] * 3
    assert asked[3:] == [added[1].party_id] * 2


def test_the_transfer_overlaps() -> None:
    """The colleague joins before the first agent leaves, and talks from then on."""
    played = play_through("transfer")
    parties = [
        (name, event["party_id"])
        for name, (_, event) in zip(played.names, played.told, strict=True)
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
    """The customer disconnects, the agent goes, a form comes, its answer ends the session."""
    played = play_through("survey")
    assert not played.play.done
    played.hear({"event": "chat_session_disconnect"})
    played.run(awaited)
    session, effects = heard_by_a_client(played)
    assert states(effects) == ["connecting", "connected", "completed", "ended"]
    closed = [each.form.name for each in effects if isinstance(each, told.FormClosed)]
    assert closed == ["MobileChatSurvey"]
    ending = ["party_left", "completed", "message", "form_show", "message", "ended"]
    assert played.names[-6:] == ending
    assert session.outcome == "ended"


def test_a_secure_form_is_answered_and_never_repeated() -> None:
    """Both forms are shown, and what they were answered with stays with the customer."""
    played = play_through("secure_form")
    _, effects = heard_by_a_client(played)
    opened = [each.form for each in effects if isinstance(each, told.FormOpened)]
    assert [form.name for form in opened] == ["identity_check", "balance_consent"]
    assert all(form.secure for form in opened)
    assert "blue" not in str(played.told)


def test_the_call_is_answered_and_ended() -> None:
    """Candidates come early, the answer makes the call active, the agent hangs up."""
    _, effects = heard_by_a_client(play_through("call"))
    calls = [each.state for each in effects if isinstance(each, told.CallChanged)]
    assert calls == ["offered", "active", "ended"]


def test_inactivity_is_left_to_the_center() -> None:
    """After the customer's answer the agent says one thing more, and then nothing, for ever."""
    played = play_through("inactivity")
    assert played.names[-1] == "message"
    assert played.play.deadline is None
    assert not played.play.done


def test_the_echo_knows_its_words() -> None:
    """Each word shows a part of the protocol, a client makes sense of all, and bye ends it."""
    played = begun("echo")
    played.run()
    greeting = played.told[-1][1]["msg"]
    for number, word in enumerate(WORDS):
        assert word in greeting
        played.hear(said(f" {word.upper()}!", str(2 * number + 1)))
        played.run()
    played.hear(said("bye", "99"))
    played.run()
    session, effects = heard_by_a_client(played)
    kinds = {type(each) for each in effects}
    assert kinds >= {told.FormOpened, told.FileReceived, told.CallChanged, told.PartyRemoved}
    assert states(effects)[2:6] == ["connecting", "connected", "queued", "connecting"]
    assert session.outcome == "ended"
    file = next(each.file for each in effects if isinstance(each, told.FileReceived))
    assert (file.file_id, file.file_name) == (FILE.file_id, FILE.file_name)


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_is_the_same_after_a_trip_through_json(name: str) -> None:
    """What is built in could as well have been read from a file."""
    scenario = SCENARIOS[name]
    assert scenario.name == name
    assert scenario.title
    assert from_plain(to_plain(scenario)) == scenario


@pytest.mark.parametrize("name", SCENARIOS)
def test_each_frees_its_agents(name: str) -> None:
    """Whatever happened, a closed play holds nobody."""
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
    assert play.receive(said("hello?"), now=12.0) == []


def test_receipts_name_what_was_read() -> None:
    """The agent of echo has read a message before answering it."""
    played = begun("echo")
    played.run()
    news = played.hear(said("hello", "7"))
    assert decode_item(news[0]).ref_msg_id == "7"  # type: ignore[union-attr]
    played.run()
    assert played.names[-4:] == ["message_read", "typing", "not_typing", "message"]
    assert played.told[-1][1]["msg"] == "You said: hello"
