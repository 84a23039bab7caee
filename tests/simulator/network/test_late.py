"""Late requests: they reach the center after the client's timeout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatfsm.simulator.world import SimulatedCustomer, World
from tests.simulator.network.fake_center import NetworkHarness

Worlds = Callable[..., World]


def customer_with_a_message(world: World, **more: Any) -> SimulatedCustomer:
    """Return a customer that has a chat and has sent a message."""
    customer = world.add_customer("a-client", **more)
    customer.open_chat()
    world.run_until(lambda: customer.received_texts)
    customer.send_text("hello")
    return customer


def accepted_messages(customer: SimulatedCustomer) -> list[dict[str, Any]]:
    """Return the messages that the center accepted."""
    center: Any = customer.world.center
    return [event for event in center.chats[customer.chat_id].customer_events if "msg" in event]


def test_a_late_request_is_overtaken() -> None:
    """The next request of the client arrives first, and cancelling does not stop a late one."""
    harness = NetworkHarness("late=40:post@1")
    late = harness.send("post")
    harness.network.cancel(late, now=30.0)
    harness.send("post", at=31.0)
    assert [arrival.id for arrival in harness.arrivals(at=31.0)] == [2]
    assert harness.network.deadline == 40.0
    assert harness.arrivals(at=40.0) == [], "its reply was cancelled"
    assert harness.center.seen == [2, 1]


def test_a_late_request_is_answered() -> None:
    """If the client still waits, the reply comes after both latencies and the delay."""
    harness = NetworkHarness("late=2:post", latency=0.5)
    harness.send("post")
    assert harness.arrivals(at=2.5) == []
    assert [arrival.id for arrival in harness.arrivals(at=3.0)] == [1]


def test_a_late_poll_without_a_client_is_aborted() -> None:
    """The center holds the poll and aborts it at once, because the connection is gone."""
    harness = NetworkHarness("late=40:poll@1")
    harness.center.holds = True
    late = harness.send()
    harness.network.cancel(late, now=30.0)
    assert harness.arrivals(at=40.0) == []
    assert harness.center.aborted == [late]


@pytest.mark.parametrize("version", [1, 2])
def test_a_post_that_is_late_within_the_timeout_arrives_once(worlds: Worlds, version: int) -> None:
    """A process that restarts at once waits for its requests that are still in flight."""
    world = worlds("late=1:post@1")
    customer = customer_with_a_message(world, version=version)
    customer.kill()
    customer.restart()
    world.run(60.0)
    assert [event["msg"] for event in accepted_messages(customer)] == ["hello"]
    assert customer.received_texts[1:] == ["You said: hello"]


@pytest.mark.parametrize("version", [1, 2])
def test_a_post_that_is_late_beyond_the_timeout_arrives_twice(worlds: Worlds, version: int) -> None:
    """The copy has the same id, and each answer is reported once."""
    world = worlds("late=40:post@1")
    customer = customer_with_a_message(world, version=version)
    world.run(100.0)
    first, second = accepted_messages(customer)
    assert first == second
    assert first["msg_id"] == "1"
