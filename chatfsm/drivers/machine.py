"""What a driver drives, and what carries requests for it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from chatfsm.conversation.exchange import HttpFailure, HttpReply, HttpRequest

__all__ = ["Answer", "AsyncSender", "Keep", "Machine", "Sender"]

Answer = HttpReply | HttpFailure
Sender = Callable[[HttpRequest], Answer]
"""Carries one request; called from several threads at once."""
AsyncSender = Callable[[HttpRequest], Awaitable[Answer]]
"""Carries one request; called by several tasks at once."""
Keep = Callable[[dict[str, Any]], object]
"""Keeps a record somewhere; it is as safe as the chat will be, so it returns when that is done."""


class Machine(Protocol):
    """What can be driven: a `ChatClient`, or what has these members of it."""

    @property
    def deadline(self) -> float | None:
        """When to come back with a `Tick`; None: no need to."""

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether nothing will follow from anything."""

    @abstractmethod
    def receive(self, item: Any, *, now: float) -> list[Any]:
        """Hear one item, and return what follows from it."""

    def health(self, now: float) -> Any:
        """How it is doing: `link`, and `waiting`, how many things said have not arrived."""

    @abstractmethod
    def snapshot(self, *, now: float) -> dict[str, Any]:
        """All that it knows, as plain JSON."""
