"""What is asked before there is a chat, and how one begins."""

from __future__ import annotations

import pytest

from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.tenants import Agent, AppEntry, Tenant
from tests.simulator.center.office import SCENARIO, TENANT, Office, Script, event


@pytest.mark.parametrize("version", [1, 2])
def test_availability(version: int) -> None:
    """Somebody is there where the entry is open and leads somewhere; the agents give the wait."""
    office = Office()
    asks = lambda app: office.asks("GET", "availability", app=app, version=version)  # noqa: E731
    assert asks("demo") == {"chat": "available", "ewt": "0"}
    assert asks("hasty") == {"chat": "available", "ewt": "3"}
    assert asks("closed") == {"chat": "notAvailable"}
    assert asks("nowhere")["chat"] == "notAvailable"


def test_parameters_and_servers() -> None:
    """An entry's parameters and a tenant's servers are told as the wire has them."""
    office = Office()
    expected = [{"name": "TEXT"}, {"mail": "EMAIL"}]
    assert office.asks("GET", "parameters") == {"parameters": expected}
    assert office.asks("GET", "iceservers") == {
        "servers": [
            {"url": "stun:one.example"},
            {"url": "turn:two.example", "username": "u", "credential": "c"},
        ]
    }


def test_version_is_of_version_two() -> None:
    """What version 1 does not know is a bare 404 there."""
    office = Office(server_version="9.9 (Test)")
    assert office.asks("GET", "version") == {"server_version": "9.9 (Test)"}
    assert office.refused("GET", "version", version=1) == (404, None)


def test_sms_is_of_version_one() -> None:
    """A chat by text message is accepted in version 1 alone."""
    office = Office()
    sms = {"sms_error_code": 0, "error_message": ""}
    assert office.asks("POST", "requestsms", {"phone_number": "1"}, version=1) == sms
    assert office.refused("POST", "requestsms", {}, version=2) == (404, None)


def test_a_chat_begins_once_for_each_client() -> None:
    """Who has a session is handed it again; another client, and who has none, gets a new one."""
    first = [event("status", state="queued", ewt="12")]
    office = Office(lambda: Script(first))
    made = office.asks("POST", "chats", {"phone_number": "5550100", "parameters": {"name": "A"}})
    chat_id = made["chat_id"]
    assert made == {
        "chat_id": chat_id,
        "state": "queued",
        "ewt": "12",
        "phone_number": "5550100",
        "is_new_chat": True,
    }
    assert office.asks("POST", "chats") == {**made, "is_new_chat": False}
    assert office.opens(client="bert") != chat_id
    office.posts(chat_id, event("end"))
    assert office.opens() != chat_id
    assert office.chat(chat_id).parameters == {"name": "A"}


@pytest.mark.parametrize(("as_text", "flags"), [(True, ["true", "false"]), (False, [True, False])])
def test_version_one_may_write_flags_as_text(as_text: bool, flags: list[object]) -> None:
    """By setting, and in version 1 alone."""
    office = Office(flags_as_text=as_text)
    asks = lambda version: office.asks("POST", "chats", version=version)["is_new_chat"]  # noqa: E731
    assert [asks(1), asks(1)] == flags
    assert asks(2) is False


def test_the_active_chat() -> None:
    """It is told while it lives, without saying whether it is new; else there is none."""
    office = Office()
    assert office.refused("GET", "chats/active") == (404, "5005")
    chat_id = office.opens()
    assert office.asks("GET", "chats/active") == {
        "chat_id": chat_id,
        "state": "establishing",
        "ewt": "0",
    }
    office.tells(chat_id, event("ended"))
    assert office.refused("GET", "chats/active") == (404, "5005")


def test_an_entry_without_a_scenario_is_no_launch_point() -> None:
    """It is refused with 5006."""
    assert Office().refused("POST", "chats", app="nowhere") == (400, "5006")


def test_a_full_center_takes_nobody_else() -> None:
    """One session more than may live is refused with 5001; one that lives goes on."""
    office = Office(max_live_chats=1)
    office.opens()
    assert office.refused("POST", "chats", client="bert") == (503, "5001")
    office.opens()


@pytest.mark.parametrize(
    "body",
    [
        *(b"[]", b"{", b"7", {"phone_number": 7}, {"from": ["x"]}, {"parameters": "x"}),
        {"phone_number": "1" * 5000},
    ],
)
def test_a_request_that_cannot_be_read(body: object) -> None:
    """It is refused with 5003, and no chat begins."""
    office = Office()
    assert office.refused("POST", "chats", body) == (400, "5003")
    assert not office.center.chats


def test_the_same_seed_gives_the_same_ids() -> None:
    """Ids depend on the seed and the order alone, not on how often anybody looked."""
    first, second, other = Office(), Office(), Office(seed=1)
    second.waits(1)
    first.polls(first.opens())
    second.opens()
    first.waits(100)
    found = [office.opens(client="bert") for office in (first, second, other)]
    assert found[0] == found[1] != found[2]


def test_tenants_must_be_told_apart() -> None:
    """Neither two tenants with one domain nor two entries with one app are accepted."""
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
    """A value out of range is refused, saying which."""
    with pytest.raises(ValueError, match=words):
        make()  # type: ignore[operator]
