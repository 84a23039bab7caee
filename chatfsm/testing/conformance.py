"""Conformance kits: checks that a sender, a session or a client of your own does what it must.

    check_sender(stdlib.Sender)
    await check_async_sender(httpx.AsyncSender)
    check_session(lambda: MySession("chat-1"))
    check_client(lambda: MyClient(endpoint))

Sessions and clients are checked by the machines of `chatfsm.testing.machines` (extra `testing`).
Senders use a server of the kit's own, on 127.0.0.1; one case asks the system for a host name that
does not exist. The kit calls `make_sender` once per case, for a callable with `close()` or
`aclose()`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Thread
from typing import Any, Final, Protocol, Self

from attrs import define, field, frozen

from chatfsm.errors import ChatError
from chatfsm.testing._body_cases import BODIES, COOKIES
from chatfsm.testing._case_list import CONNECTING, FAILING, REPLYING
from chatfsm.testing._cases import Case, NoResult, Raised, SenderResult, describe, expect_own_id
from chatfsm.testing._loopback import LoopbackServer, server_context
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

__all__ = [
    "AsyncSenderLike",
    "Conformance",
    "ConformanceError",
    "SenderLike",
    "Trial",
    "cases",
    "check_async_sender",
    "check_client",
    "check_sender",
    "check_session",
]

_CASES: Final = {case.name: case for case in (*REPLYING, *BODIES, *COOKIES, *FAILING, *CONNECTING)}
PATIENCE: Final = 0.3
# A second attempt has more time, because the machine may have been busy in the first.
_RETRY_FACTOR: Final = 5
CONCURRENT_CASES: Final = 8
"""Number of cases that run at once; most of them wait."""


class SenderLike(Protocol):
    """A sender that threads call."""

    def __call__(self, request: HttpRequest, /) -> HttpReply | HttpFailure:
        """Perform a request."""
        ...

    def close(self) -> None:
        """Close what the sender has opened."""
        ...


class AsyncSenderLike(Protocol):
    """A sender that tasks await."""

    def __call__(self, request: HttpRequest, /) -> Awaitable[HttpReply | HttpFailure]:
        """Perform a request."""
        ...

    async def aclose(self) -> None:
        """Close what the sender has opened."""
        ...


class ConformanceError(ChatError):
    """A sender, session or client failed in some cases.

    `failed` has the problem of each by its name; that of a machine ends with the steps that led to
    it, as few as Hypothesis found.
    """

    def __init__(self, failed: dict[str, str], number: int) -> None:
        lines = (f"{name}: {problem}" for name, problem in failed.items())
        super().__init__("\n  ".join((f"{len(failed)} of {number} cases failed:", *lines)))
        self.failed = failed


@frozen
class Conformance:
    """The number of cases that were passed, and the names of those that were passed on retry."""

    passed: int
    """The number of cases that were passed, at once or on retry."""
    retried: tuple[str, ...]
    """The names of the cases that failed at first and were passed on retry."""


def cases() -> tuple[str, ...]:
    """Return the names of all cases."""
    return tuple(_CASES)


def check_sender(
    make_sender: Callable[[], SenderLike],
    *,
    only: Collection[str] = (),
    patience: float = PATIENCE,
) -> Conformance:
    """Check a sender in all cases, or in those whose names are in `only`.

    `patience`: seconds, more than 0, of the timeout of requests to a server that stalls. Other
    requests have ten times as much; a case without a result fails after twenty times as much.

    Raises `ConformanceError` if a case fails twice, `LookupError` if `only` has an unknown name.
    """
    results = _Results(_select(only), patience)

    def attempt(case: Case) -> None:
        for trial in results.trials(case):
            _run_in_threads(make_sender, trial)

    with ThreadPoolExecutor(CONCURRENT_CASES) as pool:
        list(pool.map(attempt, results.cases))
    return results.report()


async def check_async_sender(
    make_sender: Callable[[], AsyncSenderLike],
    *,
    only: Collection[str] = (),
    patience: float = PATIENCE,
) -> Conformance:
    """Check an asynchronous sender, with asyncio or trio, as `check_sender`; needs anyio."""
    from chatfsm.testing._tasks import run_concurrently, run_in_tasks  # noqa: PLC0415  # an extra's

    results = _Results(_select(only), patience)

    async def attempt(case: Case) -> None:
        for trial in results.trials(case):
            await run_in_tasks(make_sender, trial)

    await run_concurrently(attempt, results.cases, CONCURRENT_CASES)
    return results.report()


def check_session(
    make_session: Callable[[], Any],
    *,
    restore: Callable[[dict[str, Any], float], Any] | None = None,
    examples: int = 100,
    steps: int = 50,
    seed: int | None = None,
) -> Conformance:
    """Check a session: a `ChatSession` with settings of yours, a subclass, or a wrapper.

    `make_session`: makes a new session of the chat "chat-1", always alike. `restore`: makes one
    from a snapshot and the time; None: `restore` of the class does. Small limits in the settings
    are reached more often; `chatfsm.testing.machines.SETTINGS` has some.

    The cases are "any inputs", which is `SessionMachine`, and "sessions of a server", in which a
    server makes no mistake, so that the session reports no anomaly but exceeded limits. Each runs
    `examples` times, with up to `steps` steps, both 1 or more. `seed`: of the random choices; None:
    the same choices at each call. Needs hypothesis (extra `testing`).

    Raises `ConformanceError` if a case fails, with the shortest steps to it that were found.
    """
    from chatfsm.testing import _machine_cases  # noqa: PLC0415  # an extra's

    runs = _machine_cases.Runs(examples, steps, seed)
    return _report(_machine_cases.session_problems(make_session, restore, runs))


def check_client(
    make_client: Callable[[], Any],
    *,
    restore: Callable[[dict[str, Any], float], Any] | None = None,
    examples: int = 100,
    steps: int = 50,
    seed: int | None = None,
) -> Conformance:
    """Check a client: a `ChatClient` with settings of yours, a subclass, or a wrapper.

    `make_client`: makes a new client without a chat, always alike. The cases are "opening", which
    is `OpeningMachine`, and "chat", which is `ClientMachine`. The other arguments and the errors
    are those of `check_session`.
    """
    from chatfsm.testing import _machine_cases  # noqa: PLC0415  # an extra's

    runs = _machine_cases.Runs(examples, steps, seed)
    return _report(_machine_cases.client_problems(make_client, restore, runs))


def _report(problems: dict[str, str]) -> Conformance:
    """Return the report of some cases. `problems` has "" for each that was passed."""
    failed = {name: problem for name, problem in problems.items() if problem}
    if failed:
        raise ConformanceError(failed, len(problems))
    return Conformance(len(problems), ())


@define
class Trial:
    """One attempt of a case: its server, its requests, and the results of the sender."""

    case: Case
    """The case: the script of the server, and the requests with their expected results."""
    patience: float
    """Seconds of the timeout of requests to a server that stalls; others have ten times as much."""
    error: Exception | None = field(default=None, init=False)
    """The exception that making or closing the sender raised."""
    _server: LoopbackServer = field(init=False)
    _origin: str = field(init=False)
    _results: list[SenderResult] = field(init=False)
    _is_closed: bool = field(default=False, init=False)
    _exits: ExitStack = field(factory=ExitStack, init=False)

    def __enter__(self) -> Self:
        target = self.case.target
        tls = server_context() if target == "distrusted" else None
        server = LoopbackServer(self.case.script, self.patience, tls=tls, accepts=target != "full")
        self._server = self._exits.enter_context(server)
        self._results = [NoResult(self.limit)] * len(self.case.requests)
        match target:
            case "refused":
                self._origin = f"http://127.0.0.1:{self._unused_port()}"
            case "unknown":
                self._origin = f"http://name.invalid:{server.port}"
            case "https":
                self._origin = f"https://127.0.0.1:{server.port}"
            case _:
                self._origin = server.origin
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closed = True
        self._exits.close()

    @property
    def limit(self) -> float:
        """Seconds until the case fails without a result."""
        return self.case.limit * self.patience

    @property
    def requests(self) -> list[tuple[float, HttpRequest]]:
        """The requests, each with the delay in seconds before it."""
        return [
            (request.pause * self.patience, request.build(number, self._origin, self.patience))
            for number, request in enumerate(self.case.requests, start=1)
        ]

    def record(self, request: HttpRequest, result: HttpReply | HttpFailure | Exception) -> None:
        """Record the result of a request, or the exception that the sender raised."""
        recorded = Raised(result) if isinstance(result, Exception) else result
        if not self._is_closed:  # a sender may still return after the limit
            self._results[request.id - 1] = recorded

    @property
    def is_hung(self) -> bool:
        """Whether a request has no result."""
        return any(isinstance(result, NoResult) for result in self._results)

    @property
    def problem(self) -> str:
        """The first difference to what the case expects; "" if there is none."""
        if self._server.errors:
            raise self._server.errors[0]
        if self.error is not None:
            return f"making or closing the sender raised {type(self.error).__name__}"
        if self._server.bad_requests:
            return self._server.bad_requests[0]
        requests = (expect_own_id(each, at) for at, each in enumerate(self.case.requests, start=1))
        for request, result in zip(requests, self._results, strict=True):
            if not request.expected.matches(result):
                return f"expected {request.expected.description}, got {describe(result)}"
        return self.case.find_problem(self._server) if self.case.find_problem else ""

    def _unused_port(self) -> int:
        """Return a port that the kit holds without listening, so that no other process does."""
        holder = self._exits.enter_context(socket.socket())
        holder.bind(("127.0.0.1", 0))
        return int(holder.getsockname()[1])


@define
class _Results:
    """The results of all cases so far."""

    cases: list[Case]
    patience: float
    failed: dict[str, str] = field(factory=dict, init=False)
    retried: list[str] = field(factory=list, init=False)

    def trials(self, case: Case) -> Iterator[Trial]:
        """Return a trial of a case, and a second one with more time if the first has a problem.

        A sender that hung gets no second trial: the limit of the first was long enough.
        """
        with Trial(case, self.patience) as trial:
            yield trial
        if trial.problem and not trial.is_hung:
            self.retried.append(case.name)
            with Trial(case, self.patience * _RETRY_FACTOR) as trial:
                yield trial
        if trial.problem:
            self.failed[case.name] = trial.problem

    def report(self) -> Conformance:
        """Return the report. Raises `ConformanceError` if a case failed."""
        if self.failed:
            raise ConformanceError(self.failed, len(self.cases))
        return Conformance(len(self.cases), tuple(self.retried))


def _select(only: Collection[str]) -> list[Case]:
    unknown = sorted({*only} - _CASES.keys())
    if unknown:
        raise LookupError(f"only must have names of cases(), not {', '.join(unknown)}")
    return [case for case in _CASES.values() if not only or case.name in only]


def _run_in_threads(make_sender: Callable[[], SenderLike], trial: Trial) -> None:
    def perform(sender: SenderLike, pause: float, request: HttpRequest) -> None:
        time.sleep(pause)
        try:
            trial.record(request, sender(request))
        except Exception as error:  # noqa: BLE001  # a sender that raises fails its case
            trial.record(request, error)

    def run() -> None:
        try:
            with closing(make_sender()) as sender:
                threads = [Thread(target=perform, args=(sender, *each)) for each in trial.requests]
                for thread in threads:
                    thread.daemon = True
                    thread.start()
                    if not trial.case.concurrent:
                        thread.join()
                for thread in threads:
                    thread.join()
        except Exception as error:  # noqa: BLE001  # so does one that cannot be made or closed
            trial.error = error

    worker = Thread(target=run, daemon=True)
    worker.start()
    worker.join(trial.limit)
