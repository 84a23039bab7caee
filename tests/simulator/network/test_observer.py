"""NetworkObserver: the calls that an observer of a network receives."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm.simulator.network import BrokenExchange
from chatfsm.transport import HttpReply, HttpRequest
from tests.simulator.network.fake_center import NetworkHarness


class Observer:
    """An observer that records each call as a short tuple."""

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


def observed(spec: str = "", **more: Any) -> tuple[NetworkHarness, Observer]:
    harness, observer = NetworkHarness(spec, **more), Observer()
    harness.network.observer = observer
    return harness, observer


def test_a_request_is_observed_at_each_stage() -> None:
    """The calls are sent, handled and arrived, each with its time."""
    harness, observer = observed(latency=0.5)
    harness.send("post", at=1.0)
    harness.arrivals(at=1.5)
    harness.arrivals(at=2.0)
    assert observer.seen == [
        ("request", 1, 1.0),
        ("handled", 1, 200, 1.5),
        ("arrival", 1, 200, 2.0),
    ]


def test_a_held_poll_is_handled_when_it_is_answered() -> None:
    """The call comes with the reply, not with the hold."""
    harness, observer = observed()
    harness.center.holds = True
    harness.send(at=1.0)
    harness.arrivals(at=2.0)
    assert observer.seen == [("request", 1, 1.0)]
    harness.center.answer_held()
    harness.arrivals(at=3.0)
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
def test_handling_and_arrival_are_separate(spec: str, seen: list[Any]) -> None:
    """The center may have handled a request that fails at the client."""
    harness, observer = observed(spec)
    harness.exchange()
    assert observer.seen[1:] == seen


def test_a_reply_that_comes_twice_is_observed_twice() -> None:
    """The observer gets two arrivals, as the client does."""
    harness, observer = observed("twice")
    harness.send()
    harness.arrivals()
    assert observer.seen[-2:] == [("arrival", 1, 200, 0.0)] * 2


def test_a_cancelled_request_is_observed() -> None:
    """A cancelled request has its call, also if the network no longer has it, and no arrival."""
    harness, observer = observed("late=5")
    harness.send("post")
    harness.network.cancel(1, now=1.0)
    harness.network.cancel(1, now=2.0)
    harness.arrivals(at=9.0)
    seen = [("cancel", 1, 1.0), ("cancel", 1, 2.0), ("handled", 1, 200, 9.0)]
    assert observer.seen[1:] == seen
