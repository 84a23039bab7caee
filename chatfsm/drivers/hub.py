"""Many chats on one event loop: a task for each request under way, and one for all deadlines."""

from __future__ import annotations

import time
from collections.abc import Callable
from heapq import heappop, heappush
from itertools import count
from math import inf
from types import TracebackType
from typing import Protocol, Self

import anyio

from chatfsm.conversation.exchange import HttpRequest
from chatfsm.drivers.desk import failure_of
from chatfsm.drivers.machine import Answer, AsyncSender
from chatfsm.session.inputs import Tick

__all__ = ["Hub", "Member"]


class Member(Protocol):
    """A chat, as the hub sees it."""

    due: float
    """The earliest time for which the hub has it in its heap."""

    @property
    def deadline(self) -> float | None:
        """When to let it hear a `Tick`; None: no need to."""

    def heard(self, item: Tick | Answer) -> None:
        """Hear it, and send what follows; never raises."""

    async def aclose(self) -> None:
        """Flush, and stop."""


class Hub:
    """Carries the requests of its members, and wakes them in time."""

    def __init__(self, send: AsyncSender, now: Callable[[], float] = time.monotonic) -> None:
        self.now = now
        self._send = send
        self._heap: list[tuple[float, int, Member]] = []
        self._number = count()  # no two entries are compared by their members
        self._under_way: dict[anyio.CancelScope, Member] = {}
        self.members: set[Member] = set()
        """Those that are not over."""
        self._is_open = False

    async def __aenter__(self) -> Self:
        self._wake = anyio.Event()
        self._watching = anyio.CancelScope(shield=True)
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._is_open = True
        self._tasks.start_soon(self._watch)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Give up all that is under way; what the block raised goes on as it is."""
        self._is_open = False
        for scope in (self._watching, *self._under_way):
            scope.cancel()
        self._tasks.cancel_scope.cancel()
        await self._tasks.__aexit__(None, None, None)

    @property
    def is_open(self) -> bool:
        """Whether requests are carried."""
        return self._is_open

    def carry(self, member: Member, request: HttpRequest) -> None:
        """Send a request, and let the member hear what came of it."""
        if self._is_open:
            # Whoever cancels the chat's block does not cut off what is being said: closing does.
            scope = anyio.CancelScope(shield=True)
            self._under_way[scope] = member
            self._tasks.start_soon(self._carry, member, request, scope)

    def give_up(self, member: Member) -> None:
        """Stop carrying what this member has under way; it hears no more of it."""
        for scope, other in self._under_way.items():
            if other is member:
                scope.cancel()

    def schedule(self, member: Member) -> None:
        """See to it that a member is woken at its deadline; an earlier look does no harm."""
        deadline = member.deadline
        if deadline is None or deadline >= member.due:
            return
        member.due = deadline
        heappush(self._heap, (deadline, next(self._number), member))
        if self._heap[0][2] is member:
            self._wake.set()

    async def _carry(self, member: Member, request: HttpRequest, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                member.heard(await self._answer(request))
        finally:
            del self._under_way[scope]

    async def _answer(self, request: HttpRequest) -> Answer:
        try:
            return await self._send(request)
        except Exception as error:  # noqa: BLE001  # whoever writes a sender may err
            return failure_of(request, error)

    async def _watch(self) -> None:
        with self._watching:
            while True:
                self._wake = anyio.Event()
                self._wake_the_due()
                delay = self._heap[0][0] - self.now() if self._heap else inf
                with anyio.move_on_after(max(0.0, delay)):
                    await self._wake.wait()

    def _wake_the_due(self) -> None:
        now = self.now()
        while self._heap and self._heap[0][0] <= now:
            due, _, member = heappop(self._heap)
            if due != member.due:
                continue  # an earlier entry has taken its place
            member.due = inf
            deadline = member.deadline
            if deadline is not None and deadline <= now:
                member.heard(Tick())
            self.schedule(member)
