"""AgentPool: free agents, the queue and the estimated wait."""

from __future__ import annotations

from typing import Any

from attrs import define

from chatfsm.simulator.agent_pool import AgentPool
from tests.simulator.scenarios.harness import agent


@define(eq=False)
class Caller:
    name: str

    def wake(self, *, now: float) -> list[dict[str, Any]]:
        return []


def callers(*names: str) -> list[Caller]:
    return [Caller(name) for name in names]


def test_the_least_busy_takes_the_next_chat() -> None:
    """Among the least busy agents, the one idle for longest is chosen, up to its capacity."""
    pool = AgentPool([agent("Ada", 2), agent("Bo", 1), agent("Cy", 1)])
    taken = [pool.request(caller) for caller in callers(*"abcd")]
    assert [one.display_name for one in taken if one] == ["Ada", "Bo", "Cy", "Ada"]
    assert pool.request(Caller("e")) is None
    for one in taken:
        assert one is not None
        pool.release(one)
    assert pool.free_slots == 3


def test_agents_take_turns() -> None:
    """Among equally busy agents, the one that got a chat last is chosen last."""
    pool = AgentPool([agent("Ada"), agent("Bo")])
    given = []
    for caller in callers(*"abc"):
        one = pool.request(caller)
        assert one is not None
        given.append(one.display_name)
        pool.release(one)
    assert given == ["Ada", "Bo", "Ada"]


def test_the_longest_wait_is_served_first() -> None:
    """The queue is in order of the first request; repeated requests keep the place."""
    pool = AgentPool([agent("Ada")])
    a, b, c = callers(*"abc")
    ada = pool.request(a)
    assert ada is not None
    assert [pool.request(one) for one in (b, c, b, c)] == [None] * 4
    assert pool.queue_length == 2
    pool.release(ada)
    assert pool.take_notified() == [b, c]
    assert pool.take_notified() == []
    assert pool.request(c) is None
    assert pool.request(b) is ada


def test_a_notified_waiter_is_not_overtaken() -> None:
    """An agent reserved for a notified waiter is not given to a newcomer."""
    pool = AgentPool([agent("Ada")])
    a, b, c = callers(*"abc")
    ada = pool.request(a)
    assert ada is not None
    pool.request(b)
    pool.release(ada)
    assert pool.request(c) is None
    assert pool.request(b) is ada


def test_the_wait_is_estimated_from_the_place() -> None:
    """The estimate is 60 s per place in the queue, divided by the capacity of all agents."""
    pool = AgentPool([agent("Ada"), agent("Bo")])
    a, b, c, d = callers(*"abcd")
    assert pool.estimated_wait() == 0
    for one in (a, b, c, d):
        pool.request(one)
    assert [pool.estimated_wait(one) for one in (c, d)] == [30, 60]
    assert pool.estimated_wait() == 90
    assert AgentPool([]).estimated_wait() == 60


def test_a_withdrawal_moves_the_queue_up() -> None:
    """The withdrawal of a waiter frees the agent that was reserved for it."""
    pool = AgentPool([agent("Ada")])
    a, b, c, d = callers(*"abcd")
    ada = pool.request(a)
    assert ada is not None
    for one in (b, c, d):
        pool.request(one)
    pool.withdraw(c)
    assert pool.take_notified() == [d]
    pool.withdraw(c)
    assert pool.take_notified() == []
    pool.release(ada)
    pool.withdraw(b)
    assert pool.take_notified() == [d]
    assert pool.request(d) is ada


def test_excluded_agents_are_not_given() -> None:
    """An excluded agent is not given to the waiter, and the next in the queue may have it."""
    pool = AgentPool([agent("Ada")])
    a, b = callers("a", "b")
    assert not pool.has_other_agents({"ID-Ada"})
    assert pool.request(a, {"ID-Ada"}) is None
    assert pool.request(b) is not None
    assert pool.take_notified() == []
