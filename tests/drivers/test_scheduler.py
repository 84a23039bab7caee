"""The scheduler's heap of deadlines, and the extra that aio needs."""

from __future__ import annotations

import asyncio
import importlib
import sys
from contextlib import suppress
from math import inf
from typing import Any

import anyio
import pytest
from attrs import define, field

from chatfsm.drivers import _tasks
from chatfsm.drivers._tasks import current_task, new_event, wait_for
from chatfsm.drivers.aio import Scheduler
from chatfsm.inputs import Tick
from chatfsm.transport import HttpReply, HttpRequest
from tests.drivers.scripted_client import poll, reply


@define(eq=False)
class Member:
    """A member that counts its ticks, and moves its deadline to the next of a list."""

    deadlines: list[float]
    due: float = float("inf")
    ticks: int = 0

    @property
    def deadline(self) -> float | None:
        return self.deadlines[0] if self.deadlines else None

    def receive_safely(self, item: object) -> list[HttpRequest]:
        assert item == Tick()
        self.ticks += 1
        self.deadlines.pop(0)
        return []


async def never(_request: object) -> Any:
    raise AssertionError("nothing is to be sent")


def scheduler_at(clock: list[float]) -> Scheduler:
    scheduler = Scheduler(never, lambda: clock[0])
    scheduler._wake = anyio.Event()
    return scheduler


def test_each_member_is_woken_at_its_deadline() -> None:
    """In any order of scheduling, a tick comes when it is due and not before."""
    clock = [0.0]
    late, early = Member([3.0]), Member([1.0, 2.0])
    scheduler = scheduler_at(clock)
    for member in (late, early):
        scheduler.schedule(member)
    woken = []
    for clock[0] in (0.5, 1.0, 2.5, 3.0, 9.0):
        scheduler._tick_due()
        woken.append((early.ticks, late.ticks))
    assert woken == [(0, 0), (1, 0), (2, 0), (2, 1), (2, 1)]


def test_a_moved_deadline_has_no_second_entry() -> None:
    """A later deadline reuses the entry in the heap; an earlier one replaces it."""
    clock = [0.0]
    member = Member([2.0])
    scheduler = scheduler_at(clock)
    for deadline in (2.0, 5.0, 9.0, 7.0):
        member.deadlines = [deadline]
        scheduler.schedule(member)
    assert len(scheduler._heap) == 1
    member.deadlines = [1.0]
    scheduler.schedule(member)
    member.deadlines = [4.0]
    for clock[0], ticks in ((1.0, 0), (2.0, 0), (4.0, 1)):
        scheduler._tick_due()
        assert member.ticks == ticks
    assert scheduler._heap == []


def test_no_request_is_sent_outside_the_block() -> None:
    """A request after the end is dropped, and a restored chat repeats it."""
    scheduler = scheduler_at([0.0])
    scheduler.send(Member([]), poll(1))
    assert not scheduler.is_open
    assert not scheduler._tasks._running


@define(eq=False)
class Requesting(Member):
    """A member that makes further requests after each result."""

    following: list[list[int]] = field(factory=list)

    def receive_safely(self, item: object) -> list[HttpRequest]:
        return [poll(number) for number in self.following.pop(0)] if self.following else []


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_all_requests_that_follow_from_a_result_are_performed(backend: str) -> None:
    """The first runs in the task of the request before it, the others in tasks of their own."""
    tasks: dict[int, object] = {}

    async def sender(request: HttpRequest) -> HttpReply:
        tasks[request.id] = current_task()
        if request.id == 3:
            raise ZeroDivisionError  # an error of the app stops nothing
        await anyio.lowlevel.checkpoint()
        return reply(request.id)

    async def play() -> None:
        async with Scheduler(sender) as scheduler:
            member = Requesting([], following=[[2, 3], [], [4]])
            scheduler.send(member, poll(1))
            await anyio.wait_all_tasks_blocked()

    anyio.run(play, backend=backend)
    assert sorted(tasks) == [1, 2, 3, 4]
    assert tasks[1] is tasks[2]
    assert len({*tasks.values()}) == 2


def test_a_sender_that_catches_its_cancellation_is_cancelled_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The end of the block waits for all requests, but not endlessly."""
    monkeypatch.setattr(_tasks, "_CANCEL_AGAIN", 0.01)
    caught: list[int] = []

    async def stubborn(request: HttpRequest) -> HttpReply:
        while len(caught) < 3:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(60)
            caught.append(request.id)
        return reply(request.id)

    async def play() -> None:
        async with Scheduler(stubborn) as scheduler:
            scheduler.send(Requesting([]), poll(1))
            await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(play(), 10))
    assert caught == [1, 1, 1]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_waiting_for_an_event_has_a_limit(backend: str) -> None:
    """The wait ends when the event is set, or when the time is over."""

    async def play() -> list[bool]:
        found = []
        for seconds, sets in ((inf, True), (10.0, True), (0.0, False)):
            event = new_event()
            if sets:
                event.set()
            with anyio.move_on_after(5) as scope:
                await wait_for(event, seconds)
            found.append(scope.cancelled_caught)
        return found

    assert anyio.run(play, backend=backend) == [False, False, False]


def test_without_anyio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the driver without its library names the extra to install."""
    monkeypatch.setitem(sys.modules, "anyio", None)
    monkeypatch.delitem(sys.modules, "chatfsm.drivers.aio", raising=False)
    with pytest.raises(ImportError, match=r"chatfsm\[aio\]"):
        importlib.import_module("chatfsm.drivers.aio")
