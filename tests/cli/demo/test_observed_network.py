"""The observed network reports faults when they happen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import pytest
from attrs import define, field

from chatfsm._cli.demo_report import ObservedNetwork
from chatfsm.simulator.faults import Faults
from chatfsm.transport import HttpReply, HttpRequest

CHATS = "http://127.0.0.1/clientweb/api/v2/chats"


@define
class Center:
    """Answers every request at once, with the status that its path has in `statuses`."""

    statuses: Mapping[str, int] = field(factory=dict)
    deadline: float | None = None

    def handle(self, request: HttpRequest, *, now: float) -> HttpReply:
        name = request.url.rpartition("/")[2]
        return HttpReply(request.id, self.statuses.get(name, 200), {}, b"{}")

    def collect(self, *, now: float) -> list[HttpReply]:
        return []

    def abort_poll(self, request_id: int, *, now: float) -> None:
        """Do nothing: no poll is held."""

    def restart(self, *, now: float) -> list[int]:
        return []

    def jump_clock(self, seconds: float) -> None:
        """Do nothing: there is no clock."""


class ReportingNetwork:
    """An observed network, and the faults that it reported."""

    def __init__(self, faults: str, **statuses: int) -> None:
        self.reported: list[str] = []
        center = Center(statuses)
        self.network = ObservedNetwork(center, Faults.parse(faults), self.reported.append)
        self.number = 0

    def ask(self, method: Literal["GET", "POST"], path: str) -> Any:
        """Send one request, and return its arrival."""
        self.number += 1
        self.network.send(HttpRequest(self.number, method, CHATS + path, (), b""), now=0.0)
        [arrival] = self.network.collect(now=0.0)
        return arrival


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("refuse:poll@2", "poll 2: no connection"),
        ("reset:poll@2", "poll 2: arrived, but the connection breaks before the reply"),
        ("truncate:poll@2", "poll 2: answered, but the connection breaks within the reply"),
        ("garbage:poll@2", "poll 2: arrived, but the reply is not HTTP"),
        ("drop-reply:poll@2", "poll 2: arrived, but there is no reply"),
        ("duplicate:poll@2", "poll 2: a cache repeats the reply before"),
        ("reset:post@1", "POST 1: arrived, but the connection breaks before the reply"),
        ("reset:open@1", "open 1: arrived, but the connection breaks before the reply"),
    ],
)
def test_a_fault_is_reported_when_it_happens(fault: str, words: str) -> None:
    """Each kind of fault has its text, with the number of the affected request."""
    observed = ReportingNetwork(fault)
    for method, path in (("POST", ""), ("POST", "/C/events"), *[("GET", "/C/events")] * 3):
        observed.ask("POST" if method == "POST" else "GET", path)
    assert observed.reported == [words]
    assert observed.network.fault_count == 1


def test_a_fault_that_does_not_happen_is_not_reported() -> None:
    """A planned fault that affects no request is not reported."""
    observed = ReportingNetwork("truncate:poll@7,duplicate:poll@1")
    observed.ask("GET", "/C/events")
    assert observed.reported == []
    assert observed.network.fault_count == 0


def test_late_polls_are_counted() -> None:
    """A poll that is answered with 404 is late; each is reported with their number."""
    observed = ReportingNetwork("", events=404)
    observed.ask("GET", "/C/events")
    numbers: list[int] = []
    observed.network.on_late_poll = numbers.append
    observed.ask("GET", "/C/events")
    observed.ask("POST", "/C/events")
    observed.ask("GET", "/C/history")
    assert numbers == [2]
    assert observed.network.late_polls == 2
