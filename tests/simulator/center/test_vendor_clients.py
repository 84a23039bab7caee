"""Requests and needs of shipped clients, besides credentials and files."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm.simulator.agent_pool import AgentPool
from chatfsm.simulator.builtin_scenarios import AGENTS, FORMS, ICON, SCENARIOS, builtin_agents
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.network import Network
from chatfsm.simulator.player import ScenarioPlayer
from chatfsm.simulator.scenario import FindAgent, Scenario, ShowForm, ShowSecureForm
from chatfsm.simulator.tenants import Agent, AppEntry, Tenant, TenantField
from tests.simulator.center.harness import (
    PHOTO,
    TENANT,
    CenterHarness,
    Event,
    Script,
    agent_message,
    event,
    names,
)


def test_a_widget_gets_its_configuration() -> None:
    """It has the fields that the vendor's web client v4 reads without a check."""
    found = CenterHarness().request_json("GET", "configuration", version=1, client="WebChat")
    definition = found["definition"]
    (initiation,) = definition["chatInitiations"]
    assert initiation["urls"] == ["/"]
    assert initiation["contactTab"]["location"].split("_")
    assert [one["name"] for one in initiation["preChat"]["fields"]] == ["name", "mail"]
    assert [one["formFieldType"] for one in initiation["preChat"]["fields"]] == ["text", "email"]
    assert definition["proactiveOffers"] == []
    assert {"width", "height", "title", "color", "showAgentPic"} <= set(
        definition["chatWidgetStyling"]
    )
    assert set(definition["chatWidgetStyling"]["color"]) <= set("0123456789abcdef")
    assert len(found["styles"]) == 1


def test_a_widget_can_draw_every_form_of_the_built_in_scenarios() -> None:
    """Each form that a scenario shows is in the configuration, by its name or its id."""
    shown = {"contact", "identity_check"}  # by the keywords of the echo scenario
    for scenario in SCENARIOS.values():
        for step in (*scenario.steps, *scenario.after_disconnect):
            if isinstance(step, ShowForm):
                shown.add(step.name)
            elif isinstance(step, ShowSecureForm):
                shown.add(step.form_id)
    assert {form.name for form in FORMS} == shown - {""}
    harness = CenterHarness()
    tenant = Tenant(url="tenant.example", entries=TENANT.entries, forms=FORMS)
    harness.center = ContactCenter([tenant])
    forms = harness.request_json("GET", "configuration")["definition"]["forms"]
    assert {one["id"] for one in forms} == {one["name"] for one in forms} == shown - {""}
    assert all(one["fields"] for one in forms)


def test_a_field_of_a_form_has_a_type_that_the_widget_draws() -> None:
    """A form field of another type is refused."""
    with pytest.raises(ValueError, match="kind must be"):
        TenantField(name="x", kind="hologram")


HELLO = event("message", msg="Hello", msg_id="1")


def test_an_initial_message_is_received_with_the_chat() -> None:
    """It is delivered once, also if the request is repeated."""
    harness = CenterHarness(lambda: Script([agent_message("Hi")]))
    body = {"initial_message": HELLO}
    chat_id = harness.request_json("POST", "chats", body)["chat_id"]
    assert harness.request_json("POST", "chats", body)["chat_id"] == chat_id
    assert harness.chat(chat_id).customer_events == [HELLO]
    assert names(harness.history(chat_id)) == ["message", "message", "message_delivered"]


@pytest.mark.parametrize("given", [{"msg": "no name"}, [1], "Hello", {**HELLO, "msg_id": {}}])
def test_an_invalid_initial_message_is_refused(given: Any) -> None:
    """It is refused with 5003, and no chat begins."""
    harness = CenterHarness()
    assert harness.refused("POST", "chats", {"initial_message": given}) == (400, "5003")
    assert not harness.center.chats


def test_the_request_for_a_chat_may_be_in_a_list() -> None:
    """A list of one object is that object; a list of another length is refused."""
    harness = CenterHarness()
    chat_id = harness.request_json("POST", "chats", [{"phone_number": "5550100"}])["chat_id"]
    assert harness.chat(chat_id).phone_number == "5550100"
    for body in ([], [{}, {}], [[]]):
        assert harness.refused("POST", "chats", body, client="bert") == (400, "5003")


AGENT_1 = Agent(party_id="A1", direct_pin="1")
AGENT_2 = Agent(party_id="A2", direct_pin="2")


@pytest.mark.parametrize("pin", ["2", 2])
def test_a_pin_selects_an_agent(pin: Any) -> None:
    """The agent with that PIN gets the chat if free; otherwise another agent does."""
    scenario = Scenario("find", (FindAgent(ring=0),))
    entry = AppEntry(app_id="demo", scenario=scenario)
    tenant = Tenant(url="tenant.example", entries=(entry,), agents=(AGENT_1, AGENT_2))
    harness = CenterHarness()
    harness.center = ContactCenter([tenant])
    chats = [
        harness.request_json("POST", "chats", {"parameters": {"directChatPIN": pin}}, client=client)
        for client in ("anna", "bert")
    ]
    assert [harness.chat(one["chat_id"]).party_ids for one in chats] == [["A2"], ["A1"]]


def test_a_preferred_agent_is_dropped_with_the_chat() -> None:
    """The pool drops the preference when the waiter withdraws."""
    pool = AgentPool([AGENT_1, AGENT_2])
    player = ScenarioPlayer(Scenario("any", ()), pool, "c")
    pool.prefer(player, "A2")
    pool.withdraw(player)
    assert pool.request(player) == AGENT_1


@pytest.mark.parametrize(
    ("given", "added"),
    [
        (event("status", state="connected"), {"ewt": ""}),
        (event("status", state="connected", ewt="7"), {}),
        (event("form_show", form_request_id="1", form_name="x"), {"channel": "web"}),
        (event("message_read", ref_msg_id="1"), {"party_id": "A1"}),
    ],
)
def test_strict_decoders_find_their_fields(given: Event, added: Event) -> None:
    """The center adds the fields that the vendor's SDKs require, if a scenario omits them."""
    harness = CenterHarness(lambda: Script([event("party_joined", party_id="A1")]))
    chat_id = harness.open_chat()
    harness.send(chat_id, given)
    polled = harness.poll(chat_id)
    assert isinstance(polled, list)
    assert given | added | polled[1] == polled[1]


def test_a_receipt_has_a_party_before_anyone_has_joined() -> None:
    """It names the sender of the last message, or else a party of the center itself."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    harness.post(chat_id, HELLO)
    harness.send(chat_id, agent_message("Hi") | {"party_id": "BOT"})
    harness.post(chat_id, {**HELLO, "msg_id": "3"})
    receipts = [one for one in harness.history(chat_id) if "ref_msg_id" in one]
    assert len(receipts[0]["party_id"]) == len(chat_id)
    assert receipts[1]["party_id"] == "BOT"


@pytest.mark.parametrize("msg_id", [1.5, 7, "9B2D6E0C-5A4F-4F0B-8B7B-1D0C9F0E7A11"])
def test_a_msg_id_may_be_a_fraction_or_a_uuid(msg_id: Any) -> None:
    """The receipt has the id as it was sent."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    harness.post(chat_id, {**HELLO, "msg_id": msg_id})
    polled = harness.poll(chat_id)
    assert isinstance(polled, list)
    assert polled[0]["ref_msg_id"] == msg_id


@pytest.mark.parametrize("kept", [False, True])
def test_a_history_is_refused_after_the_end(kept: bool) -> None:
    """It is refused with 5005, which tells web clients of the end; a setting allows it."""
    harness = CenterHarness(history_after_end=kept)
    chat_id = harness.open_chat()
    harness.send(chat_id, event("ended"))
    if kept:
        assert names(harness.history(chat_id)) == ["ended"]
    else:
        assert harness.refused("GET", f"chats/{chat_id}/history") == (404, "5005")
    assert names(harness.poll(chat_id)) == ["ended"], "the end is still delivered"


def test_built_in_agents_have_photos() -> None:
    """Each agent has its own PNG image, and the chat has an icon."""
    images = [agent.photo for agent in AGENTS] + [ICON]
    assert len(set(images)) == len(images)
    assert all(image is not None and image.startswith(PHOTO[:8]) for image in images)


def test_the_number_of_agents_can_be_set() -> None:
    """Each has its own id and name, and the configured capacity."""
    assert builtin_agents() == AGENTS
    assert builtin_agents(1, 2)[0].party_id == AGENTS[0].party_id
    many = builtin_agents(5, 1)
    assert len({agent.party_id for agent in many}) == len({one.display_name for one in many}) == 5
    assert {agent.capacity for agent in many} == {1}


def test_faults_may_be_given_as_text() -> None:
    """The network takes a text at its start and later; an invalid text is refused."""
    network = Network(CenterHarness().center, "lossy")
    assert str(network.faults).startswith("refuse:0.02")
    network.faults = "503"
    assert str(network.faults) == "503"
    with pytest.raises(ValueError, match="no fault is called"):
        network.faults = "locusts"
