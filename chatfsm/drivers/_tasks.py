"""Tasks: what asyncio and trio have in different ways, for the asynchronous driver.

anyio has it for both, but asks at each call which one runs; here that is asked once a task.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import copy_context
from inspect import CORO_CLOSED, getcoroutinestate
from math import inf
from typing import Any, Final, Protocol, cast

import anyio
from attrs import define, field

__all__ = [
    "BackgroundTasks",
    "Event",
    "current_task",
    "has_succeeded",
    "loop_caller",
    "new_event",
    "wait_for",
]


_CANCEL_AGAIN: Final = 1.0  # seconds


class _Cancellable(Protocol):
    def cancel(self) -> object:
        """Cancel a task."""

    def __hash__(self) -> int: ...


class Event(Protocol):
    """A condition of asyncio or trio that is set once, and that one task waits for."""

    def set(self) -> None:
        """Wake the task that waits."""

    def wait(self) -> Awaitable[object]:
        """Wait until the event is set."""
        ...


class _FutureEvent:
    """An event of asyncio: a future, which suffices for one task that waits."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        self._future = asyncio.get_running_loop().create_future()

    def set(self) -> None:
        if not self._future.done():  # as it is if the wait was cancelled
            self._future.set_result(None)

    def wait(self) -> Awaitable[object]:
        return self._future


@define(eq=False)
class BackgroundTasks:
    """Tasks of the event loop that belong to no other task, each with an owner or None."""

    _running: dict[_Cancellable, object] = field(factory=dict, init=False)
    """Owner by the task of asyncio, or by the cancel scope of a task of trio."""
    _end: Event | None = field(default=None, init=False)

    def start(
        self, owner: object, function: Callable[..., Coroutine[Any, Any, None]], *args: Any
    ) -> None:
        """Start a task. The cancellation of other tasks does not reach it."""
        trio = _running_trio()
        if trio is None:
            task = asyncio.get_running_loop().create_task(function(*args))
            self._running[task] = owner
            # A task that is cancelled before it has begun runs none of its code.
            task.add_done_callback(self._remove)
            return
        scope = trio.CancelScope()

        async def run() -> None:
            try:
                with scope:
                    await function(*args)
            finally:
                self._remove(scope)

        self._running[scope] = owner
        trio.lowlevel.spawn_system_task(run, context=copy_context())

    def cancel(self, owner: object) -> None:
        """Cancel the tasks of an owner."""
        for task, its_owner in self._running.items():
            if its_owner is owner:
                task.cancel()

    async def stop(self) -> None:
        """Cancel all tasks, and wait until they have ended, even if the caller is cancelled."""
        with anyio.CancelScope(shield=True):
            while self._running:
                for task in self._running:
                    task.cancel()
                self._end = new_event()
                # asyncio cancels a task once, and a sender may have caught that.
                await wait_for(self._end, _CANCEL_AGAIN)

    def _remove(self, task: _Cancellable) -> None:
        del self._running[task]
        if not self._running and self._end is not None:
            self._end.set()
            self._end = None


def loop_caller() -> Callable[[Callable[[], object]], object]:
    """Return the function that other threads call to have one called in the running loop."""
    trio = _running_trio()
    if trio is None:
        caller: Any = asyncio.get_running_loop().call_soon_threadsafe
    else:
        caller = trio.lowlevel.current_trio_token().run_sync_soon
    return cast("Callable[[Callable[[], object]], object]", caller)


def _running_trio() -> Any:
    """Return the module trio if it runs the current task, else None: then asyncio does."""
    trio = sys.modules.get("trio")
    return trio if trio is not None and trio.lowlevel.in_trio_task() else None


def new_event() -> Event:
    """Return an event of the library that runs the current task; anyio's asks for it each time."""
    trio = _running_trio()
    return _FutureEvent() if trio is None else cast("Event", trio.Event())


async def wait_for(event: Event, seconds: float) -> None:
    """Wait until an event is set, for so many seconds at most."""
    if _running_trio() is not None:
        with anyio.move_on_after(seconds):
            await event.wait()
        return
    handle = None
    if seconds < inf:
        handle = asyncio.get_running_loop().call_later(seconds, event.set)
    try:
        await event.wait()
    finally:
        if handle is not None:
            handle.cancel()


def current_task() -> object:
    """Return the current task of asyncio or trio."""
    trio = _running_trio()
    return asyncio.current_task() if trio is None else trio.lowlevel.current_task()


def has_succeeded(task: object) -> bool:
    """Whether a task has ended without an exception of its own.

    The exception of a task of trio reaches the block around its nursery, so it is not asked for.
    """
    if isinstance(task, asyncio.Task):
        # `task.exception()` would count as retrieving the exception, and hide it from the log.
        return task.done() and not task.cancelled() and getattr(task, "_exception", None) is None
    return getcoroutinestate(getattr(task, "coro")) == CORO_CLOSED  # noqa: B009  # of trio
