"""What an observer of a network sees."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm.simulator.network import BrokenExchange
from chatfsm.transport import HttpReply, HttpRequest
from tests.simulator.world.fake_center import Wire


class Observer:
    """It writes down what it sees, each in few words."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, ...]] = []

    def on_request(self, request: HttpRequest, *, now: float) -> None:
        self.seen.append(("request", request.id, now))

    def on_handled(self, request_id: int, reply: HttpReply, *, now: float) -> None:
        self.seen.append(("handled", request_id, reply.status, now))

    def on_arrival(self, arrival: Any, *, now: float) -> None:
        what = arrival.kind if isinstance(arrival, BrokenExchange) else arrival.status
        self.seen.append(("arrival", arrival.id, what, now))

    def on_cancel(self, request_id: int, *, now: float) -> None:
        self.seen.append(("cancel", request_id, now))


def observed(spec: str = "", **more: Any) -> tuple[Wire, Observer]:
    wire, observer = Wire(spec, **more), Observer()
    wire.network.observer = observer
    return wire, observer


def test_a_request_is_seen_on_its_way() -> None:
    """Sent, handled by the center, and arrived at the client, each at its time."""
    wire, observer = observed(latency=0.5)
    wire.sends("post", at=1.0)
    wire.arrived(at=1.5)
    wire.arrived(at=2.0)
    assert observer.seen == [
        ("request", 1, 1.0),
        ("handled", 1, 200, 1.5),
        ("arrival", 1, 200, 2.0),
    ]


def test_a_held_poll_is_handled_when_it_is_answered() -> None:
    """And not before."""
    wire, observer = observed()
    wire.center.holds = True
    wire.sends(at=1.0)
    wire.arrived(at=2.0)
    assert observer.seen == [("request", 1, 1.0)]
    wire.center.answers()
    wire.arrived(at=3.0)
    assert observer.seen[1:] == [("handled", 1, 200, 3.0), ("arrival", 1, 200, 3.0)]


@pytest.mark.parametrize(
    ("spec", "seen"),
    [
        ("refuse", [("arrival", 1, "refused", 0.0)]),
        ("drop-reply", [("handled", 1, 200, 0.0), ("arrival", 1, "lost", 0.0)]),
        ("after-503", [("handled", 1, 200, 0.0), ("arrival", 1, 503, 0.0)]),
        ("busy", [("handled", 1, 200, 0.0), ("arrival", 1, 429, 0.0)]),
    ],
)
def test_the_reply_and_what_became_of_it_are_two_things(spec: str, seen: list[Any]) -> None:
    """The center may have handled what the client sees fail."""
    wire, observer = observed(spec)
    wire.meets()
    assert observer.seen[1:] == seen


def test_a_reply_that_comes_twice_is_seen_twice() -> None:
    """As the client sees it."""
    wire, observer = observed("twice")
    wire.sends()
    wire.arrived()
    assert observer.seen[-2:] == [("arrival", 1, 200, 0.0)] * 2


def test_a_request_that_is_given_up_is_seen() -> None:
    """Also one of which nothing is left in the network; its reply arrives no more."""
    wire, observer = observed("late=5")
    wire.sends("post")
    wire.network.cancel(1, now=1.0)
    wire.network.cancel(1, now=2.0)
    wire.arrived(at=9.0)
    seen = [("cancel", 1, 1.0), ("cancel", 1, 2.0), ("handled", 1, 200, 9.0)]
    assert observer.seen[1:] == seen
