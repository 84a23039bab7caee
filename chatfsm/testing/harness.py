"""Harness: a Python client against a simulated center in virtual time, watched by a judge.

The client is a function that is given its HTTP: `request` (or `send`), `sleep` and `now`.

    def client(http: VirtualHttp) -> None:
        reply = http.request("POST", f"{http.url}/clientweb/api/v2/chats?tenantUrl=…", headers=…)
        http.sleep(1.0)

    Harness(client, faults="lossy", seed=7).run()  # raises JudgementError

An async function is given an `AsyncVirtualHttp`, and runs on an event loop whose time is virtual
too: `asyncio.sleep`, timeouts and tasks work, and waiting takes no time.
"""

from __future__ import annotations

import asyncio
import inspect
import selectors
from collections.abc import Awaitable, Callable, Mapping
from math import inf, isfinite
from typing import Any, Final, Literal, cast

from attrs import evolve

from chatfsm.simulator.builtin_scenarios import SCENARIOS, build_tenant
from chatfsm.simulator.center import ContactCenter
from chatfsm.simulator.faults import Faults
from chatfsm.simulator.network import BrokenExchange, Network
from chatfsm.simulator.scenario import Scenario
from chatfsm.simulator.settings import CenterSettings
from chatfsm.testing.judge import Judge, Verdict
from chatfsm.transport import FailureKind, HttpFailure, HttpReply, HttpRequest

__all__ = ["AsyncVirtualHttp", "Harness", "RunOver", "VirtualHttp"]

_Result = HttpReply | HttpFailure
_OnResult = Callable[[_Result], object]

# Calls of the client's for each request that it may send: sleeps, and looks at the clock.
_CALLS_PER_REQUEST: Final = 100


class RunOver(BaseException):  # it ends a client's loop as GeneratorExit does
    """The run is over: the client has used up its requests or its time."""


class _Line:
    """The client's connection to the network, in virtual time; it ends a run without an end."""

    def __init__(self, network: Network, max_requests: int, max_seconds: float) -> None:
        self.network = network
        self.now = 0.0
        self.request_count = 0
        self.call_count = 0
        self.max_requests = max_requests
        self.max_seconds = max_seconds
        self._waiting: dict[int, _OnResult] = {}

    def count_call(self) -> None:
        """Count a call of the client's. Raises `RunOver` if it was one too many."""
        self.call_count += 1
        if self.call_count > _CALLS_PER_REQUEST * self.max_requests:
            raise RunOver(f"the client has made {self.call_count - 1} calls")
        if self.now >= self.max_seconds:
            raise RunOver(f"{self.max_seconds:g} s are over")

    def send(self, request: HttpRequest, on_result: _OnResult) -> int:
        """Send a request, and return its number in the network."""
        self.count_call()
        if self.request_count >= self.max_requests:
            raise RunOver(f"the client has sent {self.request_count} requests")
        self.request_count += 1
        number = self.request_count
        self._waiting[number] = on_result
        self.network.send(evolve(request, id=number), now=self.now)
        return number

    def cancel(self, number: int) -> None:
        """Give up a request."""
        if self._waiting.pop(number, None) is not None:
            self.network.cancel(number, now=self.now)

    def advance(self, until: float) -> None:
        """Let time pass until something happens in the network, at most until a time."""
        due = self.network.deadline
        until = min(until, self.max_seconds)
        self.now = max(self.now, min(until, inf if due is None else due))
        for arrival in self.network.collect(now=self.now):
            if isinstance(arrival, BrokenExchange) and arrival.kind == "lost":
                continue  # only the timeout shows it
            on_result = self._waiting.pop(arrival.id, None)
            if on_result is None:
                continue  # the second copy of a reply
            if isinstance(arrival, HttpReply):
                on_result(arrival)
            else:
                kind: FailureKind = "connect" if arrival.kind == "refused" else "protocol"
                on_result(HttpFailure(arrival.id, kind, arrival.kind))


class _HttpFacts:
    """The address and the ids that a client needs for its requests."""

    url: str = "https://chat.example.com"
    """The address of the center, without a path."""

    def __init__(self, line: _Line, tenant_url: str, app_id: str, client_id: str) -> None:
        self._line = line
        self.tenant_url = tenant_url
        """The value of `tenantUrl` in each request."""
        self.app_id = app_id
        self.client_id = client_id

    def now(self) -> float:
        """Return the virtual time, in seconds from the start of the run."""
        self._line.count_call()
        return self._line.now


class VirtualHttp(_HttpFacts):
    """HTTP and a clock for a blocking client. `send` is a sender, as the drivers take them."""

    def send(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """Perform a request, whose id may be any, and return its result."""
        line = self._line
        results: list[_Result] = []
        until = line.now + _checked(request.timeout)
        number = line.send(request, results.append)
        while not results and line.now < min(until, line.max_seconds):
            line.advance(until)
        if not results:
            line.cancel(number)
            line.count_call()
            results.append(_timed_out())
        return evolve(results[0], id=request.id)

    def request(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float = 30.0,
    ) -> HttpReply:
        """Perform a request and return its reply, of any status.

        Raises TimeoutError after `timeout` seconds, ConnectionRefusedError if nothing was sent, and
        ConnectionError for a reply that breaks off.
        """
        return _reply_or_raise(self.send(_plain_request(method, url, headers, body, timeout)))

    def sleep(self, seconds: float) -> None:
        """Let time pass, at least 0 seconds."""
        line = self._line
        line.count_call()
        until = line.now + _checked(seconds)
        while line.now < min(until, line.max_seconds):
            line.advance(until)
        line.count_call()


class AsyncVirtualHttp(_HttpFacts):
    """HTTP and a clock for an async client. `send` is an async sender, as the drivers take them."""

    async def send(self, request: HttpRequest) -> HttpReply | HttpFailure:
        """Perform a request and return its result; a task that is cancelled gives it up."""
        arrived: asyncio.Future[_Result] = asyncio.get_running_loop().create_future()
        number = self._line.send(request, arrived.set_result)
        try:
            async with asyncio.timeout(_checked(request.timeout)):
                return evolve(await arrived, id=request.id)
        except TimeoutError:
            return evolve(_timed_out(), id=request.id)
        finally:
            self._line.cancel(number)

    async def request(
        self,
        method: Literal["GET", "POST"],
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float = 30.0,  # noqa: ASYNC109  # as that of `VirtualHttp`
    ) -> HttpReply:
        """Perform a request and return its reply; raises as `VirtualHttp.request` does."""
        return _reply_or_raise(await self.send(_plain_request(method, url, headers, body, timeout)))

    async def sleep(self, seconds: float) -> None:
        """Let time pass, at least 0 seconds; so does `asyncio.sleep`."""
        self._line.count_call()
        await asyncio.sleep(_checked(seconds))


def _checked(seconds: float) -> float:
    if not (isfinite(seconds) and seconds >= 0):
        raise ValueError(f"a time must be a finite number of seconds from 0, not {seconds!r}")
    return seconds


def _timed_out() -> HttpFailure:
    return HttpFailure(0, "timeout", "no reply in time")


def _plain_request(
    method: Literal["GET", "POST"],
    url: str,
    headers: Mapping[str, str] | None,
    body: bytes,
    timeout: float,
) -> HttpRequest:
    return HttpRequest(1, method, url, tuple((headers or {}).items()), body, timeout)


def _reply_or_raise(result: _Result) -> HttpReply:
    if isinstance(result, HttpReply):
        return result
    if result.kind == "timeout":
        raise TimeoutError(result.why)
    if result.kind == "connect":
        raise ConnectionRefusedError(result.why)
    raise ConnectionError(result.why)


class _VirtualSelector(selectors.SelectSelector):
    """A selector that advances virtual time instead of waiting."""

    def __init__(self, line: _Line) -> None:
        super().__init__()
        self.line = line

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready, after the time until the next timer, or the next arrival."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        line = self.line
        if line.now >= line.max_seconds:
            raise RunOver(f"{line.max_seconds:g} s are over")
        if timeout is None and line.network.deadline is None:
            raise RunOver("the client waits for what never comes: no request and no timer")
        line.advance(inf if timeout is None else line.now + timeout)
        return super().select(0)


class _VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is that of a line."""

    def __init__(self, line: _Line) -> None:
        super().__init__(_VirtualSelector(line))
        self._line = line

    def time(self) -> float:
        """Return the virtual time."""
        return self._line.now


Client = Callable[[VirtualHttp], object] | Callable[[AsyncVirtualHttp], Awaitable[object]]
"""A client: a function that chats, and returns when it is done."""


class Harness:
    """Lets a client chat with a simulated center in virtual time, and judges it.

    `scenario`: the course of the chat, or the name of a built-in one. `faults`: those of the
    network, as text or `Faults`; the same `seed` gives the same run. `latency`: seconds of each
    way. `max_requests`, `max_seconds`: a client that exceeds them is stopped, by `RunOver`, and
    judged by what it did until then; `stopped` is the reason. A harness plays one run. Raises
    ValueError for an unknown scenario, or faults that cannot be read.
    """

    def __init__(  # noqa: PLR0913  # all but one by name
        self,
        client: Client,
        *,
        scenario: Scenario | str = "echo",
        faults: Faults | str = "",
        seed: int = 0,
        latency: float = 0.05,
        settings: CenterSettings | None = None,
        max_requests: int = 1_000,
        max_seconds: float = 3_600.0,
    ) -> None:
        if isinstance(scenario, str):
            if scenario not in SCENARIOS:
                names = ", ".join(SCENARIOS)
                raise ValueError(f"no scenario is called {scenario!a}; there are {names}")
            scenario = SCENARIOS[scenario]
        tenant = build_tenant(scenario)
        self.client = client
        self.center = ContactCenter([tenant], settings, seed=seed)
        self.network = Network(self.center, faults, seed=seed, latency=latency)
        self.judge = Judge()
        self.network.observer = self.judge
        self.stopped = ""
        """The reason for which the run was ended; "": the client returned."""
        self._line = _Line(self.network, max_requests, max_seconds)
        self._facts: Final = (tenant.url, tenant.entries[0].app_id, "harness-client")

    @property
    def now(self) -> float:
        """The virtual time, in seconds from the start of the run."""
        return self._line.now

    def play(self) -> Verdict:
        """Let the client run to its end, and return the verdict. Raises what the client raises."""
        try:
            self._play()
            self.judge.on_left(now=self.now)
        except RunOver as over:
            self.stopped = str(over)
        return self.judge.verdict(now=self.now)

    def run(self) -> Verdict:
        """Do as `play`, and raise `JudgementError` if the verdict is "fail"."""
        verdict = self.play()
        verdict.check()
        return verdict

    def _play(self) -> None:
        if not _is_async(self.client):
            cast("Callable[[VirtualHttp], object]", self.client)(
                VirtualHttp(self._line, *self._facts)
            )
            return
        client = cast("Callable[[AsyncVirtualHttp], Awaitable[object]]", self.client)

        async def main() -> None:
            await client(AsyncVirtualHttp(self._line, *self._facts))

        with asyncio.Runner(loop_factory=lambda: _VirtualLoop(self._line)) as runner:
            runner.run(main())


def _is_async(client: Any) -> bool:
    return inspect.iscoroutinefunction(client) or inspect.iscoroutinefunction(
        getattr(client, "__call__", None)  # noqa: B004  # an object whose call is async
    )
