"""Trials in tasks: runs asynchronous senders with asyncio or trio; needs anyio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import anyio

from chatfsm.testing._cases import Case
from chatfsm.testing.conformance import Trial
from chatfsm.transport import HttpRequest

__all__ = ["run_concurrently", "run_in_tasks"]


async def run_concurrently(
    attempt: Callable[[Case], Awaitable[None]], cases: Iterable[Case], limit: int
) -> None:
    """Attempt every case, at most `limit` of them at once."""
    limiter = anyio.Semaphore(limit)

    async def attempt_in_turn(case: Case) -> None:
        async with limiter:
            await attempt(case)

    async with anyio.create_task_group() as group:
        for case in cases:
            group.start_soon(attempt_in_turn, case)


async def run_in_tasks(make_sender: Callable[[], Any], trial: Trial) -> None:
    """Send a trial's requests by a sender, and record each result."""

    async def perform(sender: Any, pause: float, request: HttpRequest) -> None:
        await anyio.sleep(pause)
        try:
            trial.record(request, await sender(request))
        except Exception as error:  # noqa: BLE001  # a sender that raises fails its case
            trial.record(request, error)

    try:
        sender = make_sender()
        try:
            with anyio.move_on_after(trial.limit):
                async with anyio.create_task_group() as group:
                    for each in trial.requests:
                        if trial.case.concurrent:
                            group.start_soon(perform, sender, *each)
                        else:
                            await perform(sender, *each)
        finally:
            await sender.aclose()
    except Exception as error:  # noqa: BLE001  # so does one that cannot be made or closed
        trial.error = error
