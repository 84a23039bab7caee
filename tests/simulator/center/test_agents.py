"""Shared agents: an agent freed by one chat goes to the next chat in the queue."""

from __future__ import annotations

from typing import Any

from attrs import define

from chatfsm.simulator.center import ContactCenter
from tests.simulator.center.harness import TENANT, CenterHarness, Event, Script, event, names


@define(eq=False)
class Waiting(Script):
    """A player that requests an agent and sends a status when it has one."""

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


def waiting_harness() -> CenterHarness:
    harness = CenterHarness()
    harness.center = ContactCenter(
        [TENANT], make_player=lambda _scenario, agents, _chat_id: Waiting(agents=agents)
    )
    return harness


def test_a_freed_agent_goes_to_the_next_in_the_queue() -> None:
    """The end of a chat, however it comes, gives its agent to the next chat at once."""
    harness = waiting_harness()
    ids = [harness.open_chat(client=str(number)) for number in range(4)]
    assert [harness.chat(one).state for one in ids] == ["connected"] * 2 + ["queued"] * 2
    harness.poll(ids[2], client="2")
    number = harness.poll(ids[2], client="2")
    harness.post(ids[0], event("end"), client="0")
    assert names(harness.late_reply(number)) == ["status"]  # type: ignore[arg-type]  # the poll was held
    assert harness.chat(ids[2]).state == "connected"
    harness.send(ids[1], event("ended"))
    assert harness.chat(ids[3]).state == "connected"


def test_availability_has_the_estimated_wait() -> None:
    """GET availability reports the estimate of the agent pool."""
    harness = waiting_harness()
    assert harness.request_json("GET", "availability") == {"chat": "available", "ewt": "0"}
    for number in range(3):
        harness.open_chat(client=str(number))
    assert int(harness.request_json("GET", "availability")["ewt"]) > 0


def test_a_notification_for_an_unknown_waiter_is_dropped() -> None:
    """A notification for an unknown waiter, whose chat may have ended meanwhile, is dropped."""
    harness = waiting_harness()
    agents = harness.center._state.agent_pools[TENANT.url]
    held = [agents.request(number) for number in range(2)]
    assert agents.request("somebody") is None
    agents.release(held[0])  # type: ignore[arg-type]  # an agent was free
    harness.open_chat()
    harness.collect()
    assert agents.take_notified() == []


def test_endless_notifications_do_not_stop_the_center() -> None:
    """Notifications are taken a limited number of times, and then the request is answered."""

    class EndlessNotifications:
        def take_notified(self) -> list[str]:
            return ["somebody"]

    harness = waiting_harness()
    harness.center._state.agent_pools[TENANT.url] = EndlessNotifications()  # type: ignore[assignment]  # it has the method that is used
    assert harness.refused("GET", "chats/active") == (404, "5005")
