"""Scheduler: the requests and deadlines of all chats in one event loop.

Requests run in tasks of their own, outside the task that uses the chat: so its cancellations and
errors are its own affair, and a chat may be left in another task than it was entered in.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Callable, Coroutine, Iterable
from contextlib import suppress
from heapq import heappop, heappush
from itertools import count
from math import inf
from types import TracebackType
from typing import Any, Protocol, Self

from chatfsm.drivers._core import (
    LONGEST_SLEEP,
    AsyncSender,
    HttpResult,
    elapsed_seconds,
    failure_of,
)
from chatfsm.drivers._tasks import BackgroundTasks, loop_caller, new_event, wait_for
from chatfsm.drivers.observing import ChatsHealth, ObservedChat, Observer, health_of
from chatfsm.inputs import Tick
from chatfsm.transport import HttpRequest

__all__ = ["Member", "Scheduler"]


class Member(ObservedChat, Protocol):
    """A chat, as the scheduler sees it."""

    due: float
    """Time of the member's valid entry in the scheduler's heap; inf if it has none."""

    @property
    def deadline(self) -> float | None:
        """Time at which the member needs a `Tick`; None if it needs none."""

    def receive_safely(self, item: Tick | HttpResult) -> list[HttpRequest]:
        """Feed an input to the client; return the requests to send now. Never raises."""
        ...

    @abstractmethod
    def closing(self, error: BaseException | None) -> Coroutine[Any, Any, None]:
        """Return the coroutine that sends the queued events, and closes the chat."""


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
        self._tasks = BackgroundTasks()
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
        self._run_in_loop = loop_caller()
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

    def start_task(self, function: Callable[..., Coroutine[Any, Any, None]], *args: Any) -> None:
        """Start a task that ends with the scheduler; it must not raise."""
        self._tasks.start(None, function, *args)

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
        """Perform a request, and in the same task the first one that follows from its result."""
        following = [request]
        while following and self._is_open:
            request, *others = following
            for other in others:
                self.send(member, other)
            try:
                result = await self._sender(request)
            except Exception as error:  # noqa: BLE001  # a sender of the app's may have bugs
                result = failure_of(request, error)
            following = member.receive_safely(result)

    async def _run_clock(self) -> None:
        while True:
            self._wake = new_event()
            self._tick_due()
            delay = min(self._heap[0][0] - self.now(), LONGEST_SLEEP) if self._heap else inf
            await wait_for(self._wake, max(0.0, delay))

    def _tick_due(self) -> None:
        now = self.now()
        while self._heap and self._heap[0][0] <= now:
            due, _, member = heappop(self._heap)
            if due != member.due:
                continue  # an earlier entry has replaced it
            member.due = inf
            deadline = member.deadline
            if deadline is not None and deadline <= now:
                for request in member.receive_safely(Tick()):
                    self.send(member, request)
            self.schedule(member)
