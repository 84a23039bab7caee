"""Requests before a chat exists, and the request for a chat."""

from __future__ import annotations

import pytest

from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.tenants import Agent, AppEntry, Tenant
from tests.simulator.center.harness import SCENARIO, TENANT, CenterHarness, Script, event


@pytest.mark.parametrize("version", [1, 2])
def test_availability(version: int) -> None:
    """An entry is available if it is open and has a scenario; the agents give the wait."""
    harness = CenterHarness()
    asks = lambda app: harness.request_json("GET", "availability", app=app, version=version)  # noqa: E731
    assert asks("demo") == {"chat": "available", "ewt": "0"}
    assert asks("hasty") == {"chat": "available", "ewt": "3"}
    assert asks("closed") == {"chat": "notAvailable"}
    assert asks("nowhere")["chat"] == "notAvailable"


def test_parameters_and_servers() -> None:
    """An entry's parameters and a tenant's ICE servers are reported in wire format."""
    harness = CenterHarness()
    expected = [{"name": "TEXT"}, {"mail": "EMAIL"}]
    assert harness.request_json("GET", "parameters") == {"parameters": expected}
    assert harness.request_json("GET", "iceservers") == {
        "servers": [
            {"url": "stun:one.example"},
            {"url": "turn:two.example", "username": "u", "credential": "c"},
        ]
    }


def test_version_one_has_no_version_path() -> None:
    """Version 1 answers the path with a 404 without an error code."""
    harness = CenterHarness(server_version="9.9 (Test)")
    assert harness.request_json("GET", "version") == {"server_version": "9.9 (Test)"}
    assert harness.refused("GET", "version", version=1) == (404, None)


def test_only_version_one_accepts_sms() -> None:
    """Only version 1 accepts a chat by text message."""
    harness = CenterHarness()
    sms = {"sms_error_code": 0, "error_message": ""}
    assert harness.request_json("POST", "requestsms", {"phone_number": "1"}, version=1) == sms
    assert harness.refused("POST", "requestsms", {}, version=2) == (404, None)


def test_a_client_has_at_most_one_session() -> None:
    """A client with a session gets it again; a client without one, or another, gets a new one."""
    first = [event("status", state="queued", ewt="12")]
    harness = CenterHarness(lambda: Script(first))
    made = harness.request_json(
        "POST", "chats", {"phone_number": "5550100", "parameters": {"name": "A"}}
    )
    chat_id = made["chat_id"]
    assert made == {
        "chat_id": chat_id,
        "state": "queued",
        "ewt": "12",
        "phone_number": "5550100",
        "is_new_chat": True,
    }
    assert harness.request_json("POST", "chats") == {**made, "is_new_chat": False}
    assert harness.open_chat(client="bert") != chat_id
    harness.post(chat_id, event("end"))
    assert harness.open_chat() != chat_id
    assert harness.chat(chat_id).parameters == {"name": "A"}


@pytest.mark.parametrize(("as_text", "flags"), [(True, ["true", "false"]), (False, [True, False])])
def test_version_one_may_write_flags_as_text(as_text: bool, flags: list[object]) -> None:
    """A setting, for version 1 alone, writes flags as texts."""
    harness = CenterHarness(flags_as_text=as_text)
    asks = lambda version: harness.request_json("POST", "chats", version=version)["is_new_chat"]  # noqa: E731
    assert [asks(1), asks(1)] == flags
    assert asks(2) is False


def test_the_active_chat() -> None:
    """It is returned while the chat is live, without `is_new_chat`; otherwise 5005."""
    harness = CenterHarness()
    assert harness.refused("GET", "chats/active") == (404, "5005")
    chat_id = harness.open_chat()
    assert harness.request_json("GET", "chats/active") == {
        "chat_id": chat_id,
        "state": "establishing",
        "ewt": "0",
    }
    harness.send(chat_id, event("ended"))
    assert harness.refused("GET", "chats/active") == (404, "5005")


def test_an_entry_without_a_scenario_is_no_launch_point() -> None:
    """The request for a chat is refused with 5006."""
    assert CenterHarness().refused("POST", "chats", app="nowhere") == (400, "5006")


def test_a_full_center_refuses_new_sessions() -> None:
    """One more session than the limit is refused with 5001; a live session goes on."""
    harness = CenterHarness(max_live_chats=1)
    harness.open_chat()
    assert harness.refused("POST", "chats", client="bert") == (503, "5001")
    harness.open_chat()


@pytest.mark.parametrize(
    "body",
    [
        *(b"[]", b"{", b"7", {"phone_number": 7}, {"from": ["x"]}, {"parameters": "x"}),
        {"phone_number": "1" * 5000},
    ],
)
def test_a_request_that_cannot_be_read(body: object) -> None:
    """It is refused with 5003, and no chat begins."""
    harness = CenterHarness()
    assert harness.refused("POST", "chats", body) == (400, "5003")
    assert not harness.center.chats


def test_the_same_seed_gives_the_same_ids() -> None:
    """Ids depend only on the seed and the order of requests, not on the number of calls."""
    first, second, other = CenterHarness(), CenterHarness(), CenterHarness(seed=1)
    second.advance(1)
    first.poll(first.open_chat())
    second.open_chat()
    first.advance(100)
    found = [harness.open_chat(client="bert") for harness in (first, second, other)]
    assert found[0] == found[1] != found[2]


def test_tenants_must_be_distinct() -> None:
    """Two tenants with one domain and two entries with one app are refused."""
    with pytest.raises(ValueError, match="different urls"):
        ContactCenter([TENANT, Tenant(url="Tenant.Example", entries=())])
    with pytest.raises(ValueError, match="different app_ids"):
        Tenant(url="x", entries=[AppEntry(app_id="a"), AppEntry(app_id="a", scenario=SCENARIO)])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: AppEntry(app_id=""), "app_id must be a non-empty string, not ''"),
        (lambda: AppEntry(app_id="a", parameters={"x": "NUMBER"}), "must be one of PHONE"),
        (lambda: AppEntry(app_id="a", inactivity_timeout=0), "inactivity_timeout"),
        (lambda: Agent(party_id="a", capacity=0), "capacity"),
    ],
)
def test_tenants_are_checked(make: object, words: str) -> None:
    """A value out of range is refused with its name."""
    with pytest.raises(ValueError, match=words):
        make()  # type: ignore[operator]
