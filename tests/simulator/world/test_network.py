"""What each fault does to a request, and what a center and a client see of it."""

from __future__ import annotations

from typing import Any

import pytest
from attrs import evolve

from chatfsm.simulator.faults import Faults
from chatfsm.simulator.network import BrokenExchange, subject_of
from chatfsm.transport import HttpReply, HttpRequest
from tests.simulator.world.fake_center import HOST, PATHS, Wire


@pytest.mark.parametrize("on", PATHS)
def test_a_request_is_about_something(on: str) -> None:
    """Its path tells; a reply comes back for each."""
    wire = Wire()
    assert wire.meets(on) == HttpReply(1, 200, {}, b"1")
    method, path = PATHS[on]
    assert subject_of(HttpRequest(1, method, HOST + path, ())) == on  # type: ignore[arg-type]


def test_downloads_and_the_rest_are_other() -> None:
    """What has no name of its own is `other`."""
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
def test_what_breaks(spec: str, kind: str, is_seen: bool) -> None:
    """What arrives of it, and whether the center has seen the request."""
    wire = Wire(spec)
    broken = wire.meets()
    assert isinstance(broken, BrokenExchange)
    assert (broken.id, broken.kind) == (1, kind)
    assert wire.center.seen == ([1] if is_seen else [])
    assert broken.reply == (HttpReply(1, 200, {}, b"1") if is_seen else None)
    assert bool(broken.garbage) == (kind == "garbage")
    assert wire.network.fault_counts == {spec: 1}


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
def test_who_answers_instead(
    spec: str, status: int, headers: dict[str, str], body: bytes, is_seen: bool
) -> None:
    """The server with a status, having done it or not; or somebody on the way."""
    wire = Wire(spec)
    reply = wire.meets("post")
    assert (reply.id, reply.status) == (1, status)
    assert headers.items() <= dict(reply.headers).items()
    assert body in reply.body
    assert bool(reply.body) == bool(body)
    assert wire.center.seen == ([1] if is_seen else [])


def test_a_cache_gives_its_last_answer_again() -> None:
    """To the same question of the same client only; and there must have been an answer."""
    wire = Wire("duplicate:poll")
    assert wire.meets().body == b"1"
    assert wire.meets() == HttpReply(2, 200, {}, b"1")
    assert wire.meets("post").body == b"2"
    wire.sends(who="another")
    (other,) = wire.arrived()
    assert other.body == b"3"
    assert wire.center.seen == [1, 3, 4]
    assert wire.network.fault_counts == {"duplicate": 1}


def test_no_cache_answers_a_post() -> None:
    """A POST always arrives, whatever is said of duplicates."""
    wire = Wire("duplicate")
    assert [wire.meets("post").body, wire.meets("post").body] == [b"1", b"2"]


def test_a_reply_comes_late() -> None:
    """By so many seconds, beside what it takes anyway."""
    wire = Wire("delay=2", latency=0.5)
    wire.sends()
    assert wire.network.deadline == 0.5
    assert wire.arrived(at=0.5) == []
    assert wire.network.deadline == 3.0
    assert len(wire.arrived(at=3.0)) == 1
    assert wire.network.deadline is None


def test_a_reply_comes_twice() -> None:
    """And what breaks does not."""
    wire = Wire("twice,reset:post")
    wire.sends()
    assert [arrival.id for arrival in wire.arrived()] == [1, 1]
    assert wire.meets("post").kind == "reset"


def test_a_reply_is_overtaken() -> None:
    """By the next to the same client; without one it comes by itself, and never twice."""
    wire = Wire("reorder:post@1,reorder=3:post@2")
    wire.sends("post")
    wire.sends("history", who="another")
    assert [arrival.id for arrival in wire.arrived()] == [2]
    wire.sends("history")
    assert [arrival.id for arrival in wire.arrived()] == [3, 1]
    wire.sends("post", at=1.0)
    assert wire.arrived(at=3.9) == []
    assert [arrival.id for arrival in wire.arrived(at=6.0)] == [4]
    wire.sends("history", at=7.0)
    assert [arrival.id for arrival in wire.arrived(at=99.0)] == [5]


def test_only_the_nth_is_hit() -> None:
    """Counted from 1 among those of its kind; `on_fault` is told of each."""
    told: list[Any] = []
    wire = Wire(
        "reset:poll@2,refuse:@5",
        on_fault=lambda now, fault, request: told.append((now, str(fault), request.id)),
    )
    kinds = [
        arrival.kind if isinstance(arrival := wire.meets(on), BrokenExchange) else "reply"
        for on in ("poll", "post", "poll", "poll", "post", "post")
    ]
    assert kinds == ["reply", "reply", "reset", "reply", "refused", "reply"]
    assert told == [(0.0, "reset:poll@2", 3), (0.0, "refuse:@5", 5)]


def test_a_rate_is_a_share() -> None:
    """Near it, the same with the same seed, and another with another."""

    def hits(seed: int) -> list[bool]:
        wire = Wire("refuse:0.25", seed=seed)
        return [isinstance(wire.meets(), BrokenExchange) for _ in range(400)]

    first = hits(1)
    assert 70 <= sum(first) <= 130
    assert hits(1) == first
    assert hits(2) != first


def test_the_first_of_what_cannot_go_together_hits() -> None:
    """What only adds to it comes along."""
    wire = Wire("drop-reply,reset,delay=1,503")
    wire.sends()
    assert wire.network.fault_counts == {"drop-reply": 1, "delay": 1}
    assert [arrival.kind for arrival in wire.arrived(at=1.0)] == ["lost"]


def test_a_held_poll_is_answered_later() -> None:
    """When the center says so; the network's deadline is also that of the center."""
    wire = Wire()
    wire.center.holds = True
    wire.sends()
    assert wire.arrived() == []
    wire.center.deadline = 15.0
    assert wire.network.deadline == 15.0
    wire.center.answers()
    assert wire.arrived(at=15.0) == [HttpReply(1, 200, {}, b"news")]


def test_a_reset_breaks_a_held_poll_at_once() -> None:
    """And what hits the reply waits until there is one."""
    wire = Wire("reset:poll@1,drop-reply:poll@2")
    wire.center.holds = True
    assert wire.meets().kind == "reset"
    assert wire.center.given_up == [1]
    wire.sends()
    assert wire.arrived() == []
    wire.center.answers()
    (lost,) = wire.arrived()
    assert (lost.kind, lost.reply.body) == ("lost", b"news")


def test_a_restart_breaks_what_is_held() -> None:
    """The request that meets the restart is heard by the new server."""
    wire = Wire("restart:post,jump=60:post")
    wire.center.holds = True
    wire.sends()
    wire.sends("post")
    broken, reply = wire.arrived()
    assert (broken.id, broken.kind) == (1, "reset")
    assert (reply.id, reply.status) == (2, 200)
    assert (wire.center.restarts, wire.center.jumped) == (1, 60.0)


def test_a_restart_of_what_nobody_waits_for() -> None:
    """A poll that was given up breaks no second time."""
    wire = Wire("restart:post")
    wire.center.holds = True
    wire.sends()
    wire.center.held.append(99)
    wire.network.cancel(1, now=0.0)
    assert wire.meets("post").id == 2


def test_what_is_given_up_does_not_arrive() -> None:
    """The center hears of a held poll; of what was on its way it hears as if nothing were."""
    wire = Wire(latency=1.0)
    wire.center.holds = True
    held = wire.sends()
    assert wire.arrived(at=1.0) == []
    wire.network.cancel(held, now=2.0)
    assert wire.center.given_up == [held]
    underway, posted = wire.sends(at=2.0), wire.sends("post", at=2.0)
    wire.network.cancel(underway, now=2.5)
    wire.network.cancel(posted, now=2.5)
    wire.network.cancel(99, now=2.5)
    assert wire.arrived(at=3.0) == wire.arrived(at=9.0) == []
    assert wire.center.seen == [held, underway, posted]
    assert wire.center.given_up == [held, underway]


def test_faults_may_stop() -> None:
    """What is sent from then on meets none; what was sent before met its own."""
    wire = Wire("delay=9")
    wire.sends()
    wire.network.faults = Faults()
    wire.sends()
    assert [arrival.id for arrival in wire.arrived(at=1.0)] == [2]
    assert [arrival.id for arrival in wire.arrived(at=9.0)] == [1]


def test_a_cache_is_bounded() -> None:
    """The oldest answer is let go."""
    wire = Wire("duplicate:poll@5000")
    for number in range(4_100):
        wire.sends(who=str(number))
    assert len(wire.network._cache) == 4_096
    assert evolve(wire.arrived()[-1], id=0).status == 200


def test_news_of_polls_that_are_gone_are_dropped() -> None:
    """A center that answers what was given up says it to nobody."""
    wire = Wire()
    wire.center.ready.append(HttpReply(7, 200, {}, b"late"))
    assert wire.arrived() == []
