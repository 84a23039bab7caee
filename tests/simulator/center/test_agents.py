"""Agents who become free are given to those who wait, in other chats."""

from __future__ import annotations

from typing import Any

from attrs import define

from chatfsm.simulator.center import ContactCenter
from tests.simulator.center.office import TENANT, Event, Office, Script, event, names


@define(eq=False)
class Waiting(Script):
    """It asks for an agent, and says so when it has one."""

    agents: Any = None
    agent: Any = None

    def start(self, *, now: float) -> list[Event]:
        return self.wake(now=now) or [event("status", state="queued")]

    def wake(self, *, now: float) -> list[Event]:
        self.agent = self.agent or self.agents.request(self)
        return [event("status", state="connected")] if self.agent else []

    def close(self, *, now: float) -> None:
        if self.agent:
            self.agents.release(self.agent)
        else:
            self.agents.withdraw(self)


def waiting_office() -> Office:
    office = Office()
    office.center = ContactCenter(
        [TENANT], make_player=lambda _scenario, agents, _chat_id: Waiting(agents=agents)
    )
    return office


def test_the_next_in_the_queue_is_woken() -> None:
    """At once when somebody's chat is over, in whichever way."""
    office = waiting_office()
    ids = [office.opens(client=str(number)) for number in range(4)]
    assert [office.chat(one).state for one in ids] == ["connected"] * 2 + ["queued"] * 2
    office.polls(ids[2], client="2")
    number = office.polls(ids[2], client="2")
    office.posts(ids[0], event("end"), client="0")
    assert names(office.brought(number)) == ["status"]  # type: ignore[arg-type]  # it was held
    assert office.chat(ids[2]).state == "connected"
    office.tells(ids[1], event("ended"))
    assert office.chat(ids[3]).state == "connected"


def test_availability_tells_how_long_it_would_take() -> None:
    """By the agents' own estimate."""
    office = waiting_office()
    assert office.asks("GET", "availability") == {"chat": "available", "ewt": "0"}
    for number in range(3):
        office.opens(client=str(number))
    assert int(office.asks("GET", "availability")["ewt"]) > 0


def test_agents_who_call_somebody_unknown_harm_nothing() -> None:
    """It may have gone meanwhile."""
    office = waiting_office()
    agents = office.center._state.agent_pools[TENANT.url]
    held = [agents.request(number) for number in range(2)]
    assert agents.request("somebody") is None
    agents.release(held[0])  # type: ignore[arg-type]  # it was given
    office.opens()
    office.collects()
    assert agents.take_notified() == []


def test_agents_who_call_for_ever_do_not_stop_the_center() -> None:
    """They are asked so often, and then the request is answered."""

    class Calling:
        def take_notified(self) -> list[str]:
            return ["somebody"]

    office = waiting_office()
    office.center._state.agent_pools[TENANT.url] = Calling()  # type: ignore[assignment]  # it has what is used
    assert office.refused("GET", "chats/active") == (404, "5005")
