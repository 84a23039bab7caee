"""AgentSeat: a person or a test acts as the agent of a simulated chat."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm.effects import WaitEstimated
from chatfsm.errors import LocalProtocolError
from chatfsm.simulator.agent_seat import ACTIONS, AgentSeat, SeatPlayer
from chatfsm.simulator.builtin_scenarios import AGENTS, SCENARIOS
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.tenants import AppEntry, Tenant
from chatfsm.simulator.world import SimulatedCustomer, World

ONE, OTHER = AGENTS[0].party_id, AGENTS[1].party_id


@pytest.fixture
def world() -> World:
    entry = AppEntry(app_id="demo", scenario=SCENARIOS["echo"])
    tenant = Tenant(url="tenant.example", entries=(entry,), agents=AGENTS)
    return World(ContactCenter([tenant]))


@pytest.fixture
def customer(world: World) -> SimulatedCustomer:
    """A customer who has received the greeting of the scenario's agent."""
    customer = world.add_customer("customer-1", app_id="demo")
    customer.open_chat()
    world.run(5.0)
    return customer


def center_of(world: World) -> ContactCenter:
    center: Any = world.network.center
    return center


def act(world: World, action: str, **fields: Any) -> None:
    center = center_of(world)
    [chat] = center.chats.values()
    AgentSeat(center).act(chat.chat_id, {"action": action, **fields}, now=world.now)
    world.run(1.0)


def names(effects: list[Any]) -> list[str]:
    return [type(effect).__name__ for effect in effects]


def test_the_seat_replaces_the_scenario(world: World, customer: SimulatedCustomer) -> None:
    """The scenario's agent leaves, is free again and answers nothing more.

    The seat's agent stays.
    """
    before = len(customer.effects)
    act(world, "join", agent=OTHER)
    assert [name for name in names(customer.effects[before:]) if "Party" in name] == [
        "PartyRemoved",
        "PartyAdded",
    ]
    customer.send_text("heron")
    world.run(10.0)
    assert "You said: heron" not in customer.received_texts
    act(world, "say", text="By hand.")
    assert customer.received_texts[-1] == "By hand."
    pool = center_of(world)._state.agent_pools["tenant.example"]
    assert pool.free_slots == sum(agent.capacity for agent in AGENTS)


def test_actions_of_the_seat_reach_the_client(world: World, customer: SimulatedCustomer) -> None:
    """Typing, forms, a transfer, the queue and the end reach the client, each as its effect."""
    act(world, "join")
    before = len(customer.effects)
    act(world, "start_typing")
    act(world, "stop_typing")
    act(world, "show_form", name="contact")
    act(world, "show_form", name="identity_check", secure=True)
    act(world, "transfer", agent=OTHER)
    act(world, "queue", ewt=40)
    act(world, "join", agent=ONE)
    act(world, "end")
    wanted = ["TypingStarted", "TypingStopped", "FormOpened", "FormOpened", "PartyAdded"]
    wanted += ["PartyRemoved", "PartyRemoved", "StateChanged"]
    wanted += ["StateChanged", "PartyAdded", "StateChanged"]
    wanted += ["StateChanged", "FormClosed", "FormClosed", "Terminated"]
    found = [name for name in names(customer.effects[before:]) if name in wanted]
    assert found == wanted
    waits = [effect.seconds for effect in customer.effects if isinstance(effect, WaitEstimated)]
    assert 40 in waits
    assert center_of(world).chats[customer.chat_id or ""].outcome == "ended"


def test_a_customer_who_leaves_may_get_a_survey(world: World, customer: SimulatedCustomer) -> None:
    """The agent leaves, the state is completed, and the seat can show a form and end the chat."""
    act(world, "join")
    customer.disconnect()
    world.run(1.0)
    [chat] = center_of(world).chats.values()
    assert (chat.state, chat.outcome, chat.party_ids) == ("completed", None, [])
    with pytest.raises(LocalProtocolError, match="the agent must join first"):
        act(world, "say", text="Stay.")
    act(world, "show_form", name="survey")
    [form] = customer.forms
    assert form.name == "survey"
    act(world, "end")
    assert chat.outcome == "ended"


@pytest.mark.parametrize(
    ("action", "fields", "words"),
    [
        ("dance", {}, "action must be one of join, say"),
        ("say", {"text": "a"}, "the agent must join first"),
        ("transfer", {"agent": OTHER}, "the agent must join first"),
        ("join", {"agent": "none"}, "agent must be one of "),
        ("end", {"how": "well"}, "how must be one of ended, failed, timed_out, not 'well'"),
        ("end", {"how": []}, "how must be one of"),
    ],
)
def test_an_invalid_action_changes_nothing(
    world: World, customer: SimulatedCustomer, action: str, fields: dict[str, Any], words: str
) -> None:
    """An invalid action raises the stated error, and the scenario goes on."""
    with pytest.raises((ValueError, LocalProtocolError), match=words):
        act(world, action, **fields)
    customer.send_text("heron")
    world.run(10.0)
    assert customer.received_texts[-1] == "You said: heron"


@pytest.mark.parametrize(
    ("action", "fields", "words"),
    [
        ("join", {}, "the seat's agent is there"),
        ("say", {}, "text must be a text of 1 to 16384 characters"),
        ("say", {"text": 7}, "text must be a text"),
        ("say", {"text": "a" * 16_385}, "text must be a text"),
        ("show_form", {"name": ""}, "name must be a text"),
        ("show_form", {"name": "a" * 5_000}, "name must have at most 4096 characters"),
        ("show_form", {"name": "a", "timeout": -1}, "timeout must be from 0 to 86400 seconds"),
        ("show_form", {"name": "a", "secure": 1}, "secure must be true or false, not 1"),
        ("transfer", {}, "agent must be one of "),
        ("transfer", {"agent": ONE}, "agent must be another one"),
        ("queue", {"ewt": "soon"}, "ewt must be from 0 to 86400 seconds, not 'soon'"),
    ],
)
def test_an_invalid_field_is_named(
    world: World, customer: SimulatedCustomer, action: str, fields: dict[str, Any], words: str
) -> None:
    """The error names the field and its allowed values; the seat's agent stays in the chat."""
    act(world, "join")
    with pytest.raises((ValueError, LocalProtocolError), match=words):
        act(world, action, **fields)
    act(world, "say", text="Still here.")
    assert customer.received_texts[-1] == "Still here."


def test_an_ended_chat_refuses_actions(world: World, customer: SimulatedCustomer) -> None:
    """Every action is refused after the end of the chat, and for an unknown chat id."""
    customer.end()
    world.run(1.0)
    for action in ACTIONS:
        with pytest.raises(LocalProtocolError, match="it is over"):
            act(world, action)
    with pytest.raises(KeyError):
        AgentSeat(center_of(world)).act("none", {"action": "end"}, now=world.now)


def test_a_seat_has_no_deadline(world: World) -> None:
    """The seat has no deadline."""
    assert SeatPlayer().wake(now=5.0) == []


def test_an_ended_chat_keeps_its_player(world: World, customer: SimulatedCustomer) -> None:
    """Replacing the player of an ended chat is refused and changes nothing."""
    customer.end()
    world.run(60.0)
    center = center_of(world)
    [chat_id] = center.chats
    with pytest.raises(ValueError, match="it is over"):
        center.replace_player(chat_id, SeatPlayer(), now=world.now)
