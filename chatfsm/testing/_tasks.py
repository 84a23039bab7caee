"""Carrying a trial's requests in the tasks of asyncio or trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import anyio

from chatfsm.testing._cases import Case
from chatfsm.testing.conformance import Trial
from chatfsm.transport import HttpRequest

__all__ = ["all_in_tasks", "carry_in_tasks"]


async def all_in_tasks(
    attempt: Callable[[Case], Awaitable[None]], cases: Iterable[Case], at_once: int
) -> None:
    """Attempt every case, so many at the same time."""
    places = anyio.Semaphore(at_once)

    async def attempt_in_turn(case: Case) -> None:
        async with places:
            await attempt(case)

    async with anyio.create_task_group() as group:
        for case in cases:
            group.start_soon(attempt_in_turn, case)


async def carry_in_tasks(make_sender: Callable[[], Any], trial: Trial) -> None:
    """Let a sender have the trial's requests, and note what came of each."""

    async def carry(send: Any, pause: float, request: HttpRequest) -> None:
        await anyio.sleep(pause)
        try:
            trial.note(request, await send(request))
        except Exception as error:  # noqa: BLE001  # what a sender raises is told as a finding
            trial.note(request, error)

    try:
        send = make_sender()
        try:
            with anyio.move_on_after(trial.limit):
                async with anyio.create_task_group() as group:
                    for each in trial.requests:
                        if trial.case.together:
                            group.start_soon(carry, send, *each)
                        else:
                            await carry(send, *each)
        finally:
            await send.aclose()
    except Exception as error:  # noqa: BLE001  # as above
        trial.trouble = error
