"""Scheduler: the requests and deadlines of all chats in one event loop.

Requests run in tasks of their own, outside the task that uses the chat: so its cancellations and
errors are its own affair, and a chat may be left in another task than it was entered in.
"""

from __future__ import annotations

import asyncio
import sys
from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from contextvars import copy_context
from heapq import heappop, heappush
from inspect import CORO_CLOSED, getcoroutinestate
from itertools import count
from math import inf
from types import TracebackType
from typing import Any, Protocol, Self, cast

import anyio
from attrs import define, field

from chatfsm.drivers._core import (
    LONGEST_SLEEP,
    AsyncSender,
    HttpResult,
    elapsed_seconds,
    failure_of,
)
from chatfsm.drivers.observing import ChatsHealth, ObservedChat, Observer, health_of
from chatfsm.inputs import Tick
from chatfsm.transport import HttpRequest

__all__ = ["Event", "Member", "Scheduler", "current_task", "has_succeeded", "new_event"]


class Member(ObservedChat, Protocol):
    """A chat, as the scheduler sees it."""

    due: float
    """Time of the member's valid entry in the scheduler's heap; inf if it has none."""

    @property
    def deadline(self) -> float | None:
        """Time at which the member needs a `Tick`; None if it needs none."""

    def receive_safely(self, item: Tick | HttpResult) -> None:
        """Feed an input to the client, and send the requests that follow; never raises."""

    @abstractmethod
    def closing(self, error: BaseException | None) -> Coroutine[Any, Any, None]:
        """Return the coroutine that sends the queued events, and closes the chat."""


class _Cancellable(Protocol):
    def cancel(self) -> object:
        """Cancel a task."""

    def __hash__(self) -> int: ...


class Event(Protocol):
    """A condition of asyncio or trio that is set once, and that tasks wait for."""

    def set(self) -> None:
        """Wake the tasks that wait."""

    async def wait(self) -> Any:
        """Wait until the event is set."""


class Scheduler:
    """One event loop's requests and deadlines: a task per request, and one for all deadlines.

    `observers` receive the observations of all its chats.
    """

    def __init__(
        self,
        sender: AsyncSender,
        now: Callable[[], float] = elapsed_seconds,
        observers: Iterable[Observer] = (),
    ) -> None:
        self.now = now
        self._sender = sender
        self._heap: list[tuple[float, int, Member]] = []
        self._entry_numbers = count()  # no two entries are compared by their members
        self._tasks = _BackgroundTasks()
        self.members: set[Member] = set()
        """Chats that are not over."""
        self.observers = (*observers,)
        self._is_open = False
        self._soon: deque[Callable[[], object]] = deque()
        """Functions that other threads want called in the event loop."""
        self._is_woken = False

    async def __aenter__(self) -> Self:
        self._wake = new_event()
        self._is_open = True
        self._run_in_loop = _loop_caller()
        self._tasks.start(None, self._run_clock)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Cancel all requests; an exception of the block goes on as it is."""
        self._is_open = False
        await self._tasks.stop()

    @property
    def is_open(self) -> bool:
        """Whether requests are sent."""
        return self._is_open

    def health(self) -> ChatsHealth:
        """Return the health of the chats that are not over."""
        return health_of(self.members, self.now())

    def send(self, member: Member, request: HttpRequest) -> None:
        """Perform a request, and give its result to the member."""
        if self._is_open:
            self._tasks.start(member, self._perform, member, request)

    def cancel_requests(self, member: Member) -> None:
        """Cancel a member's requests; it receives no result."""
        self._tasks.cancel(member)

    def schedule(self, member: Member) -> None:
        """Wake a member at its deadline, or earlier."""
        deadline = member.deadline
        if deadline is None or deadline >= member.due:
            return
        member.due = deadline
        heappush(self._heap, (deadline, next(self._entry_numbers), member))
        if self._heap[0][2] is member:
            self._wake.set()

    def run_soon(self, function: Callable[[], object]) -> None:
        """Call a function in the event loop soon; for other threads."""
        self._soon.append(function)
        if not self._is_woken:  # one call for all: waking the loop is a system call
            self._is_woken = True
            with suppress(RuntimeError):  # the loop has ended
                self._run_in_loop(self._run_all)

    def _run_all(self) -> None:
        self._is_woken = False
        while self._soon:
            self._soon.popleft()()

    async def _perform(self, member: Member, request: HttpRequest) -> None:
        try:
            result = await self._sender(request)
        except Exception as error:  # noqa: BLE001  # a sender of the app's may have bugs
            result = failure_of(request, error)
        member.receive_safely(result)

    async def _run_clock(self) -> None:
        while True:
            self._wake = new_event()
            self._tick_due()
            delay = min(self._heap[0][0] - self.now(), LONGEST_SLEEP) if self._heap else inf
            with anyio.move_on_after(max(0.0, delay)):
                await self._wake.wait()

    def _tick_due(self) -> None:
        now = self.now()
        while self._heap and self._heap[0][0] <= now:
            due, _, member = heappop(self._heap)
            if due != member.due:
                continue  # an earlier entry has replaced it
            member.due = inf
            deadline = member.deadline
            if deadline is not None and deadline <= now:
                member.receive_safely(Tick())
            self.schedule(member)


@define(eq=False)
class _BackgroundTasks:
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
        for task in self._running:
            task.cancel()
        with anyio.CancelScope(shield=True):
            while self._running:
                self._end = self._end or new_event()
                await self._end.wait()

    def _remove(self, task: _Cancellable) -> None:
        del self._running[task]
        if not self._running and self._end is not None:
            self._end.set()
            self._end = None


def _loop_caller() -> Callable[[Callable[[], object]], object]:
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
    return asyncio.Event() if trio is None else cast("Event", trio.Event())


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
