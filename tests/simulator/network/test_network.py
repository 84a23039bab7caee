"""Network: the effect of each fault on a request, as seen by the center and the client."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from chatfsm.simulator.faults import Faults
from chatfsm.simulator.network import BrokenExchange, subject_of
from chatfsm.transport import HttpReply, HttpRequest
from tests.simulator.network.fake_center import HOST, PATHS, NetworkHarness


@pytest.mark.parametrize("on", PATHS)
def test_each_request_has_a_subject(on: str) -> None:
    """The subject follows from the path; a request of each subject gets a reply."""
    harness = NetworkHarness()
    assert harness.exchange(on) == HttpReply(1, 200, {}, b"1")
    method, path = PATHS[on]
    assert subject_of(HttpRequest(1, method, HOST + path, ())) == on  # type: ignore[arg-type]


def test_downloads_and_the_rest_are_other() -> None:
    """Requests without a subject of their own are `other`."""
    for path in ("chats/active", "chats/c1/files/f1", "chats/c1/closecase", "files/f1"):
        assert subject_of(HttpRequest(1, "GET", HOST + path, ())) == "other"


@pytest.mark.parametrize(
    ("spec", "kind", "is_seen"),
    [
        ("refuse", "refused", False),
        ("drop-request", "lost", False),
        ("drop-reply", "lost", True),
        ("reset", "reset", True),
        ("truncate", "truncated", True),
        ("garbage", "garbage", True),
    ],
)
def test_broken_exchanges(spec: str, kind: str, is_seen: bool) -> None:
    """The test checks the kind of failure, and whether the center received the request."""
    harness = NetworkHarness(spec)
    broken = harness.exchange()
    assert isinstance(broken, BrokenExchange)
    assert (broken.id, broken.kind) == (1, kind)
    assert harness.center.seen == ([1] if is_seen else [])
    assert broken.reply == (HttpReply(1, 200, {}, b"1") if is_seen else None)
    assert bool(broken.garbage) == (kind == "garbage")
    assert harness.network.fault_counts == {spec: 1}


@pytest.mark.parametrize(
    ("spec", "status", "headers", "body", "is_seen"),
    [
        ("404", 404, {}, b"", False),
        ("503=2", 503, {"retry-after": "2"}, b"", False),
        ("500/5500", 500, {}, b'"error_code": "5500"', False),
        ("after-502", 502, {}, b"", True),
        ("portal", 200, {"content-type": "text/html"}, b"<!doctype html>", False),
        ("not-found", 404, {"content-type": "text/html"}, b"<html>", False),
        ("redirect", 302, {"location": "http://portal.example/login"}, b"<!doctype html>", False),
    ],
)
def test_replaced_replies(
    spec: str, status: int, headers: dict[str, str], body: bytes, is_seen: bool
) -> None:
    """The reply is from the server, before or after it acted, or from an intermediary."""
    harness = NetworkHarness(spec)
    reply = harness.exchange("post")
    assert (reply.id, reply.status) == (1, status)
    assert headers.items() <= dict(reply.headers).items()
    assert body in reply.body
    assert bool(reply.body) == bool(body)
    assert harness.center.seen == ([1] if is_seen else [])


def test_a_cache_repeats_its_last_answer() -> None:
    """Only the same request of the same client gets the cached answer, if there is one."""
    harness = NetworkHarness("duplicate:poll")
    assert harness.exchange().body == b"1"
    assert harness.exchange() == HttpReply(2, 200, {}, b"1")
    assert harness.exchange("post").body == b"2"
    harness.send(who="another")
    (other,) = harness.arrivals()
    assert other.body == b"3"
    assert harness.center.seen == [1, 3, 4]
    assert harness.network.fault_counts == {"duplicate": 1}


def test_no_cache_answers_a_post() -> None:
    """A POST always reaches the center, also with the fault `duplicate`."""
    harness = NetworkHarness("duplicate")
    assert [harness.exchange("post").body, harness.exchange("post").body] == [b"1", b"2"]


def test_a_reply_comes_late() -> None:
    """The delay is added to the latency of both ways."""
    harness = NetworkHarness("delay=2", latency=0.5)
    harness.send()
    assert harness.network.deadline == 0.5
    assert harness.arrivals(at=0.5) == []
    assert harness.network.deadline == 3.0
    assert len(harness.arrivals(at=3.0)) == 1
    assert harness.network.deadline is None


def test_a_reply_comes_twice() -> None:
    """A broken exchange does not come twice."""
    harness = NetworkHarness("twice,reset:post")
    harness.send()
    assert [arrival.id for arrival in harness.arrivals()] == [1, 1]
    assert harness.exchange("post").kind == "reset"


def test_a_reply_is_overtaken() -> None:
    """The next reply to the same client comes first; without one the delay has a limit."""
    harness = NetworkHarness("reorder:post@1,reorder=3:post@2")
    harness.send("post")
    harness.send("history", who="another")
    assert [arrival.id for arrival in harness.arrivals()] == [2]
    harness.send("history")
    assert [arrival.id for arrival in harness.arrivals()] == [3, 1]
    harness.send("post", at=1.0)
    assert harness.arrivals(at=3.9) == []
    assert [arrival.id for arrival in harness.arrivals(at=6.0)] == [4]
    harness.send("history", at=7.0)
    assert [arrival.id for arrival in harness.arrivals(at=99.0)] == [5]


def test_only_the_nth_request_is_hit() -> None:
    """Requests of a subject are counted from 1; `on_fault` is called for each fault."""
    faults: list[Any] = []
    harness = NetworkHarness(
        "reset:poll@2,refuse:@5",
        on_fault=lambda now, fault, request: faults.append((now, str(fault), request.id)),
    )
    kinds = [
        arrival.kind if isinstance(arrival := harness.exchange(on), BrokenExchange) else "reply"
        for on in ("poll", "post", "poll", "poll", "post", "post")
    ]
    assert kinds == ["reply", "reply", "reset", "reply", "refused", "reply"]
    assert faults == [(0.0, "reset:poll@2", 3), (0.0, "refuse:@5", 5)]


def test_a_rate_is_a_share() -> None:
    """The share is near the rate, the same for the same seed, and another for another."""

    def hits(seed: int) -> list[bool]:
        harness = NetworkHarness("refuse:0.25", seed=seed)
        return [isinstance(harness.exchange(), BrokenExchange) for _ in range(400)]

    first = hits(1)
    assert 70 <= sum(first) <= 130
    assert hits(1) == first
    assert hits(2) != first


def test_of_exclusive_faults_the_first_applies() -> None:
    """Of exclusive faults the first applies; delays and doubles are combined with it."""
    harness = NetworkHarness("drop-reply,reset,delay=1,503")
    harness.send()
    assert harness.network.fault_counts == {"drop-reply": 1, "delay": 1}
    assert [arrival.kind for arrival in harness.arrivals(at=1.0)] == ["lost"]


def test_a_held_poll_is_answered_later() -> None:
    """The center's deadline is also the network's."""
    harness = NetworkHarness()
    harness.center.holds = True
    harness.send()
    assert harness.arrivals() == []
    harness.center.deadline = 15.0
    assert harness.network.deadline == 15.0
    harness.center.answer_held()
    assert harness.arrivals(at=15.0) == [HttpReply(1, 200, {}, b"news")]


def test_a_reset_breaks_a_held_poll_at_once() -> None:
    """The faults of the reply apply once there is one."""
    harness = NetworkHarness("reset:poll@1,drop-reply:poll@2")
    harness.center.holds = True
    assert harness.exchange().kind == "reset"
    assert harness.center.aborted == [1]
    harness.send()
    assert harness.arrivals() == []
    harness.center.answer_held()
    (lost,) = harness.arrivals()
    assert (lost.kind, lost.reply.body) == ("lost", b"news")


def test_a_restart_breaks_held_polls() -> None:
    """The request that causes the restart is handled by the restarted server."""
    harness = NetworkHarness("restart:post,jump=60:post")
    harness.center.holds = True
    harness.send()
    harness.send("post")
    broken, reply = harness.arrivals()
    assert (broken.id, broken.kind) == (1, "reset")
    assert (reply.id, reply.status) == (2, 200)
    assert (harness.center.restarts, harness.center.jumped) == (1, 60.0)


def test_a_restart_after_a_cancelled_poll() -> None:
    """A cancelled poll does not break again."""
    harness = NetworkHarness("restart:post")
    harness.center.holds = True
    harness.send()
    harness.center.held.append(99)
    harness.network.cancel(1, now=0.0)
    assert harness.exchange("post").id == 2


def test_a_cancelled_request_has_no_arrival() -> None:
    """The center gets an abort for a held poll; a request in flight still reaches the center."""
    harness = NetworkHarness(latency=1.0)
    harness.center.holds = True
    held = harness.send()
    assert harness.arrivals(at=1.0) == []
    harness.network.cancel(held, now=2.0)
    assert harness.center.aborted == [held]
    underway, posted = harness.send(at=2.0), harness.send("post", at=2.0)
    harness.network.cancel(underway, now=2.5)
    harness.network.cancel(posted, now=2.5)
    harness.network.cancel(99, now=2.5)
    assert harness.arrivals(at=3.0) == harness.arrivals(at=9.0) == []
    assert harness.center.seen == [held, underway, posted]
    assert harness.center.aborted == [held, underway]


def test_faults_can_be_removed() -> None:
    """Requests sent afterwards have no faults; earlier requests keep theirs."""
    harness = NetworkHarness("delay=9")
    harness.send()
    harness.network.faults = Faults()
    harness.send()
    assert [arrival.id for arrival in harness.arrivals(at=1.0)] == [2]
    assert [arrival.id for arrival in harness.arrivals(at=9.0)] == [1]


def test_a_cache_is_bounded() -> None:
    """The oldest answer is dropped."""
    harness = NetworkHarness("duplicate:poll@5000")
    for number in range(4_100):
        harness.send(who=str(number))
    assert len(harness.network._cache) == 4_096
    assert evolve(harness.arrivals()[-1], id=0).status == 200


def test_replies_to_cancelled_polls_are_dropped() -> None:
    """The center's reply to a cancelled request is dropped."""
    harness = NetworkHarness()
    harness.center.ready.append(HttpReply(7, 200, {}, b"late"))
    assert harness.arrivals() == []
