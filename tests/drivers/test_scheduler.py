"""The scheduler's heap of deadlines, and the extra that aio needs."""

from __future__ import annotations

import importlib
import sys
from typing import Any

import anyio
import pytest
from attrs import define

from chatfsm.drivers.aio import Scheduler
from chatfsm.inputs import Tick
from tests.drivers.scripted_client import poll


@define(eq=False)
class Member:
    """Counts its ticks; each moves its deadline to the next in a row."""

    deadlines: list[float]
    due: float = float("inf")
    ticks: int = 0

    @property
    def deadline(self) -> float | None:
        return self.deadlines[0] if self.deadlines else None

    def receive_safely(self, item: object) -> None:
        assert item == Tick()
        self.ticks += 1
        self.deadlines.pop(0)


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


def test_a_deadline_that_moves_costs_no_second_entry() -> None:
    """Later deadlines wait for the entry that is there; an earlier one takes its place."""
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
    """A request that comes too late is dropped: a restored chat asks again."""
    scheduler = scheduler_at([0.0])
    scheduler.send(Member([]), poll(1))
    assert not scheduler.is_open
    assert not scheduler._tasks._running


def test_without_anyio_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing the driver without its library names the extra to install."""
    monkeypatch.setitem(sys.modules, "anyio", None)
    monkeypatch.delitem(sys.modules, "chatfsm.drivers.aio", raising=False)
    with pytest.raises(ImportError, match=r"chatfsm\[aio\]"):
        importlib.import_module("chatfsm.drivers.aio")
