"""Who is free, who waits, and for how long."""

from __future__ import annotations

from typing import Any

from attrs import define

from chatfsm.simulator.agent_pool import AgentPool
from tests.simulator.scenarios.playing import agent


@define(eq=False)
class Caller:
    name: str

    def wake(self, *, now: float) -> list[dict[str, Any]]:
        return []


def callers(*names: str) -> list[Caller]:
    return [Caller(name) for name in names]


def test_the_least_busy_takes_the_next_chat() -> None:
    """And of those the longest idle, up to what each can take."""
    pool = AgentPool([agent("Ada", 2), agent("Bo", 1), agent("Cy", 1)])
    taken = [pool.request(caller) for caller in callers(*"abcd")]
    assert [one.display_name for one in taken if one] == ["Ada", "Bo", "Cy", "Ada"]
    assert pool.request(Caller("e")) is None
    for one in taken:
        assert one is not None
        pool.release(one)
    assert pool.free_slots == 3


def test_agents_take_turns() -> None:
    """Of those who are as busy, who was given somebody last comes last."""
    pool = AgentPool([agent("Ada"), agent("Bo")])
    given = []
    for caller in callers(*"abc"):
        one = pool.request(caller)
        assert one is not None
        given.append(one.display_name)
        pool.release(one)
    assert given == ["Ada", "Bo", "Ada"]


def test_who_has_waited_longest_is_first() -> None:
    """And keeps the place, however often they ask."""
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


def test_nobody_overtakes_who_was_called() -> None:
    """An agent who was found for somebody waits for them, not for a newcomer."""
    pool = AgentPool([agent("Ada")])
    a, b, c = callers(*"abc")
    ada = pool.request(a)
    assert ada is not None
    pool.request(b)
    pool.release(ada)
    assert pool.request(c) is None
    assert pool.request(b) is ada


def test_the_wait_is_estimated_by_the_place() -> None:
    """A minute a chat, shared by as many as can be had at once."""
    pool = AgentPool([agent("Ada"), agent("Bo")])
    a, b, c, d = callers(*"abcd")
    assert pool.estimated_wait() == 0
    for one in (a, b, c, d):
        pool.request(one)
    assert [pool.estimated_wait(one) for one in (c, d)] == [30, 60]
    assert pool.estimated_wait() == 90
    assert AgentPool([]).estimated_wait() == 60


def test_who_leaves_moves_the_others_up() -> None:
    """And takes nobody, not even an agent who was found already."""
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


def test_some_would_not_do() -> None:
    """Then the next in the queue may have them."""
    pool = AgentPool([agent("Ada")])
    a, b = callers("a", "b")
    assert not pool.has_other_agents({"ID-Ada"})
    assert pool.request(a, {"ID-Ada"}) is None
    assert pool.request(b) is not None
    assert pool.take_notified() == []
