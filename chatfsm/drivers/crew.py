"""Threads that carry requests: as many as are under way at once, and no more."""

from __future__ import annotations

import time
from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread

from attrs import define, field

from chatfsm.conversation.exchange import HttpRequest

__all__ = ["Crew"]


@define(eq=False)
class Crew:
    """Starts a thread where all are busy; how many can be is bounded by the client's settings.

    A poll is held for seconds, and an upload takes minutes: neither may keep a message waiting.
    The threads are daemons, so that one which waits for a server in vain does not keep the
    process from ending.
    """

    _carry: Callable[[HttpRequest], None]
    _orders: SimpleQueue[HttpRequest | None] = field(factory=SimpleQueue, init=False)
    _threads: list[Thread] = field(factory=list, init=False)
    _lock: Lock = field(factory=Lock, init=False)
    _busy: int = field(default=0, init=False)

    def put(self, request: HttpRequest) -> None:
        """Have a request carried, at once."""
        with self._lock:
            self._busy += 1
            if self._busy > len(self._threads):
                thread = Thread(target=self._work, name="chatfsm-sender", daemon=True)
                self._threads.append(thread)
                thread.start()
        self._orders.put(request)

    def dismiss(self, until: float) -> None:
        """Let the threads end after what they carry now, and wait for that; `until`: monotonic."""
        for _ in self._threads:
            self._orders.put(None)
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while (request := self._orders.get()) is not None:
            try:
                self._carry(request)
            finally:
                with self._lock:
                    self._busy -= 1
