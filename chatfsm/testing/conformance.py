"""Whether a sender does what a conversation relies on, whatever the network does to it.

    check_sender(stdlib.Sender)
    await check_async_sender(httpx.AsyncSender)

`make_sender` is called once a case, and gives a callable with `close()`, or `aclose()`. The other
end is a server of the kit's own on 127.0.0.1; one case asks the system for a name that does not
exist.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from threading import Thread
from typing import Final, Protocol, Self

from attrs import define, field, frozen

from chatfsm.errors import ChatError
from chatfsm.testing._case_list import CONNECTING, FAILING, REPLYING
from chatfsm.testing._cases import Answer, Case, Nothing, Raised, answers_its_request, in_words
from chatfsm.testing._loopback import Stage, server_context
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest

__all__ = [
    "AsyncSenderLike",
    "Conformance",
    "ConformanceError",
    "SenderLike",
    "Trial",
    "cases",
    "check_async_sender",
    "check_sender",
]

# One sender in one case: the stage, the requests, the answers, and what was amiss.


@define
class Trial:
    """A case on its stage; whoever carries the requests notes each answer by its index."""

    case: Case
    patience: float
    trouble: Exception | None = field(default=None, init=False)
    """What was raised where a sender was made or closed."""
    _stage: Stage = field(init=False)
    _origin: str = field(init=False)
    _answers: list[Answer] = field(init=False)
    _is_over: bool = field(default=False, init=False)
    _exits: ExitStack = field(factory=ExitStack, init=False)

    def __enter__(self) -> Self:
        where = self.case.where
        tls = server_context() if where == "distrusted" else None
        stage = Stage(self.case.play, self.patience, tls=tls, accepts=where != "full")
        self._stage = self._exits.enter_context(stage)
        self._answers = [Nothing(self.limit)] * len(self.case.asks)
        match where:
            case "refused":
                self._origin = f"http://127.0.0.1:{self._unused_port()}"
            case "unknown":
                self._origin = f"http://name.invalid:{stage.port}"
            case "https":
                self._origin = f"https://127.0.0.1:{stage.port}"
            case _:
                self._origin = stage.origin
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._exits.close()

    @property
    def limit(self) -> float:
        """Seconds until the sender is given up."""
        return self.case.limit * self.patience

    @property
    def requests(self) -> list[tuple[float, HttpRequest]]:
        """The seconds to wait before each request, and the request."""
        return [
            (ask.pause * self.patience, ask.request(number, self._origin, self.patience))
            for number, ask in enumerate(self.case.asks, start=1)
        ]

    def note(self, request: HttpRequest, answer: HttpReply | HttpFailure | Exception) -> None:
        """What came of a request; an error is what the sender raised."""
        noted = Raised(answer) if isinstance(answer, Exception) else answer
        if not self._is_over:  # a sender that was given up may still answer
            self._answers[request.id - 1] = noted

    @property
    def hung(self) -> bool:
        """Whether a request got neither an answer nor an error."""
        return any(isinstance(answer, Nothing) for answer in self._answers)

    @property
    def amiss(self) -> str:
        """What was expected and what came, where they differ; "" where nothing is amiss."""
        if self._stage.faults:
            raise self._stage.faults[0]
        if self.trouble is not None:
            return f"making or closing the sender raised {type(self.trouble).__name__}"
        asks = (answers_its_request(ask, at) for at, ask in enumerate(self.case.asks, start=1))
        for ask, answer in zip(asks, self._answers, strict=True):
            if not ask.expects.holds(answer):
                return f"expected {ask.expects.words}; came {in_words(answer)}"
        return self.case.amiss(self._stage) if self.case.amiss else ""

    def _unused_port(self) -> int:
        """A port that is ours, so that nobody else listens on it, nor do we."""
        held = self._exits.enter_context(socket.socket())
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


_CASES: Final = {case.name: case for case in (*REPLYING, *FAILING, *CONNECTING)}
PATIENCE: Final = 0.3
# How much more patient a second try is: the machine may have been busy.
_MORE: Final = 5
AT_ONCE: Final = 8
"""Cases that are tried at the same time, for most of them wait."""


class SenderLike(Protocol):
    """What drivers call from threads."""

    def __call__(self, request: HttpRequest, /) -> HttpReply | HttpFailure:
        """Send a request."""
        ...

    def close(self) -> None:
        """Close what was opened."""
        ...


class AsyncSenderLike(Protocol):
    """What drivers await."""

    def __call__(self, request: HttpRequest, /) -> Awaitable[HttpReply | HttpFailure]:
        """Send a request."""
        ...

    async def aclose(self) -> None:
        """Close what was opened."""
        ...


class ConformanceError(ChatError):
    """A sender failed in some cases: `failed` has, by their names, what was amiss in each."""

    def __init__(self, failed: dict[str, str], number: int) -> None:
        lines = (f"{name}: {amiss}" for name, amiss in failed.items())
        super().__init__("\n  ".join((f"{len(failed)} of {number} cases failed:", *lines)))
        self.failed = failed


@frozen
class Conformance:
    """How many cases were passed, and which of them only at the second, more patient try."""

    passed: int
    retried: tuple[str, ...]


def cases() -> tuple[str, ...]:
    """The names of all cases."""
    return tuple(_CASES)


def check_sender(
    make_sender: Callable[[], SenderLike],
    *,
    only: Collection[str] = (),
    patience: float = PATIENCE,
) -> Conformance:
    """Try a sender in every case, or in those that are named.

    `patience`: seconds that a request may take where the server stalls; others may take ten
    times as long, and a sender that has neither answered nor raised after twenty times is given
    up. Raises `ConformanceError`, and `LookupError` where a name is no case's.
    """
    results = _Results(_chosen(only), patience)

    def attempt(case: Case) -> None:
        for trial in results.trials(case):
            _carry_in_threads(make_sender, trial)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(attempt, results.cases))
    return results.told()


async def check_async_sender(
    make_sender: Callable[[], AsyncSenderLike],
    *,
    only: Collection[str] = (),
    patience: float = PATIENCE,
) -> Conformance:
    """The same for a sender that is awaited, under asyncio or trio; needs anyio."""
    from chatfsm.testing._tasks import all_in_tasks, carry_in_tasks  # noqa: PLC0415  # an extra's

    results = _Results(_chosen(only), patience)

    async def attempt(case: Case) -> None:
        for trial in results.trials(case):
            await carry_in_tasks(make_sender, trial)

    await all_in_tasks(attempt, results.cases, AT_ONCE)
    return results.told()


@define
class _Results:
    """What came of the cases so far."""

    cases: list[Case]
    patience: float
    failed: dict[str, str] = field(factory=dict, init=False)
    retried: list[str] = field(factory=list, init=False)

    def trials(self, case: Case) -> Iterator[Trial]:
        """A case once, and once more with more patience where something was amiss.

        A sender that hung is not tried again: twenty times the patience was enough.
        """
        with Trial(case, self.patience) as trial:
            yield trial
        if trial.amiss and not trial.hung:
            self.retried.append(case.name)
            with Trial(case, self.patience * _MORE) as trial:
                yield trial
        if trial.amiss:
            self.failed[case.name] = trial.amiss

    def told(self) -> Conformance:
        """The report. Raises `ConformanceError` where a case failed."""
        if self.failed:
            raise ConformanceError(self.failed, len(self.cases))
        return Conformance(len(self.cases), tuple(self.retried))


def _chosen(only: Collection[str]) -> list[Case]:
    unknown = sorted({*only} - _CASES.keys())
    if unknown:
        raise LookupError(f"no case is called {', '.join(unknown)}")
    return [case for case in _CASES.values() if not only or case.name in only]


def _carry_in_threads(make_sender: Callable[[], SenderLike], trial: Trial) -> None:
    def carry(send: SenderLike, pause: float, request: HttpRequest) -> None:
        time.sleep(pause)
        try:
            trial.note(request, send(request))
        except Exception as error:  # noqa: BLE001  # what a sender raises is told as a finding
            trial.note(request, error)

    def work() -> None:
        try:
            with closing(make_sender()) as send:
                threads = [Thread(target=carry, args=(send, *each)) for each in trial.requests]
                for thread in threads:
                    thread.daemon = True
                    thread.start()
                    if not trial.case.together:
                        thread.join()
                for thread in threads:
                    thread.join()
        except Exception as error:  # noqa: BLE001  # as above
            trial.trouble = error

    worker = Thread(target=work, daemon=True)
    worker.start()
    worker.join(trial.limit)
