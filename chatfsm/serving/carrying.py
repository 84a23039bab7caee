"""Requests into the simulated network, and what comes out of it to whoever waits for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from math import inf
from typing import Literal

from attrs import define, field

from chatfsm.conversation.exchange import HttpReply, HttpRequest
from chatfsm.simulator.network import Broken, Network

__all__ = ["Carrier", "Outcome"]

Outcome = HttpReply | Broken | None
"""None: the face closes before anything came."""


@define(eq=False)
class Carrier:
    """Keeps a network going in real time; all of it runs in one event loop.

    `speed`: seconds of the center's to one second here.
    """

    network: Network
    speed: float = 1.0
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _numbers: count[int] = field(factory=lambda: count(1), init=False)
    _waiting: dict[int, asyncio.Future[Outcome]] = field(factory=dict, init=False)
    _due: float = field(default=inf, init=False)
    """When `run` looks next."""
    _broken: Exception | None = field(default=None, init=False)
    _sooner: asyncio.Event = field(factory=asyncio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._began = self.clock()

    def now(self) -> float:
        """Seconds of the center's since it began."""
        return (self.clock() - self._began) * self.speed

    async def carry(
        self,
        method: Literal["GET", "POST"],
        url: str,
        headers: tuple[tuple[str, str], ...],
        body: bytes,
    ) -> Outcome:
        """What comes back; a caller who is cancelled has given the request up."""
        request = HttpRequest(next(self._numbers), method, url, headers, body)
        arrived: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting[request.id] = arrived
        self.look(lambda now: self.network.send(request, now=now))
        try:
            return await arrived
        finally:
            # What has come is waited for no longer: only who went away before is found here.
            if self._waiting.pop(request.id, None) is not None:
                self.look(lambda now: self.network.cancel(request.id, now=now))

    def look(self, work: Callable[[float], object] = lambda _now: None) -> None:
        """Do something to the network, told the time, and bring everybody what is theirs then.

        What the center raises ends `run`: it broke, and nothing that it says can be trusted.
        """
        try:
            work(self.now())
            arrivals = self.network.collect(now=self.now())
            deadline = self.network.deadline
        except Exception as error:  # noqa: BLE001  # raised by `run`, whatever it is
            self._broken = self._broken or error
            arrivals, deadline = [], -inf
        for outcome in arrivals:
            arrived = self._waiting.pop(outcome.id, None)
            if arrived is not None and not arrived.done():
                arrived.set_result(outcome)
        if deadline is not None and deadline < self._due:
            self._due = deadline
            self._sooner.set()

    async def run(self) -> None:
        """Look whenever something is due, until cancelled. Raises what broke the center."""
        while self._broken is None:
            self._due = inf
            self.look()
            self._sooner.clear()
            rest = None if self._due == inf else max(0.0, self._due - self.now()) / self.speed
            with suppress(TimeoutError):
                async with asyncio.timeout(rest):
                    await self._sooner.wait()
        raise self._broken

    def close(self) -> None:
        """Nothing comes any more: whoever waits is told so."""
        while self._waiting:
            _, arrived = self._waiting.popitem()
            if not arrived.done():
                arrived.set_result(None)
