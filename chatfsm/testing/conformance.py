"""Whether a sender does what a conversation relies on, whatever the network does to it.

    check_sender(stdlib.Sender)
    await check_async_sender(httpx.AsyncSender)

`make_sender` is called once a case, and gives a callable with `close()`, or `aclose()`. The other
end is a server of the kit's own on 127.0.0.1; one case asks the system for a name that does not
exist.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Thread
from typing import Final, Protocol

from attrs import define, field, frozen

from chatfsm.conversation.exchange import HttpFailure, HttpReply, HttpRequest
from chatfsm.errors import ChatError
from chatfsm.testing.cases import Case
from chatfsm.testing.connecting import CONNECTING
from chatfsm.testing.failing import FAILING
from chatfsm.testing.replying import REPLYING
from chatfsm.testing.trials import Trial

__all__ = [
    "AsyncSenderLike",
    "Conformance",
    "ConformanceError",
    "SenderLike",
    "cases",
    "check_async_sender",
    "check_sender",
]

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
    from chatfsm.testing.tasks import all_in_tasks, carry_in_tasks  # noqa: PLC0415  # an extra's

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
