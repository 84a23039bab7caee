"""Requests that arrive when nobody waits for them any more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from chatfsm.simulator.world import SimulatedCustomer, World
from tests.simulator.world.fake_center import Wire

Worlds = Callable[..., World]


def speaker(world: World, **more: Any) -> SimulatedCustomer:
    """A customer who has a chat, and says something."""
    customer = world.add_customer("a-client", **more)
    customer.open_chat()
    world.run_until(lambda: customer.received_texts)
    customer.send_text("hello")
    return customer


def taken(customer: SimulatedCustomer) -> list[dict[str, Any]]:
    """The messages that the center took."""
    center: Any = customer.world.center
    return [event for event in center.chats[customer.chat_id].customer_events if "msg" in event]


def test_a_late_request_is_overtaken() -> None:
    """By the client's next, and its own copy; giving it up does not call it back."""
    wire = Wire("late=40:post@1")
    late = wire.sends("post")
    wire.network.cancel(late, now=30.0)
    wire.sends("post", at=31.0)
    assert [arrival.id for arrival in wire.arrived(at=31.0)] == [2]
    assert wire.network.deadline == 40.0
    assert wire.arrived(at=40.0) == [], "nobody waits for its reply"
    assert wire.center.seen == [2, 1]


def test_a_late_request_has_its_reply() -> None:
    """Where somebody still waits: after the time of both ways, and the lateness."""
    wire = Wire("late=2:post", latency=0.5)
    wire.sends("post")
    assert wire.arrived(at=2.5) == []
    assert [arrival.id for arrival in wire.arrived(at=3.0)] == [1]


def test_a_late_poll_that_nobody_waits_for_is_given_up() -> None:
    """The center holds it, and its connection is broken already."""
    wire = Wire("late=40:poll@1")
    wire.center.holds = True
    late = wire.sends()
    wire.network.cancel(late, now=30.0)
    assert wire.arrived(at=40.0) == []
    assert wire.center.given_up == [late]


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_late_by_less_than_a_client_waits_arrives_once(
    worlds: Worlds, version: int
) -> None:
    """A process that dies at once, and its next, wait for what is still on its way."""
    world = worlds("late=1:post@1")
    customer = speaker(world, version=version)
    customer.kill()
    customer.restart()
    world.run(60.0)
    assert [event["msg"] for event in taken(customer)] == ["hello"]
    assert customer.received_texts[1:] == ["You said: hello"]


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_later_arrives_beside_its_copy(worlds: Worlds, version: int) -> None:
    """No client can know: but the copy has the same id, and each answer is told once."""
    world = worlds("late=40:post@1")
    customer = speaker(world, version=version)
    world.run(100.0)
    first, second = taken(customer)
    assert first == second
    assert first["msg_id"] == "1"
