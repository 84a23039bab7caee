"""Watching: a session or a client whose every step is checked, wherever an app uses it.

    with watched(ChatClient(endpoint)) as client:
        run_my_app(client)

The first step that breaks a rule raises AssertionError with the rule, out of `receive`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from chatfsm._session.session import ChatSession
from chatfsm.testing.invariants import ClientChecker, SessionChecker, check_restore

__all__ = ["watched"]

Watched = TypeVar("Watched")


@contextmanager
def watched(target: Watched) -> Iterator[Watched]:
    """Watch a session or a client, for the time of a `with` block.

    `target`: a `ChatSession` or a `ChatClient` that has received nothing yet, a subclass, or a
    wrapper with the same members. The block gets a stand-in with all members of the target, whose
    `receive` checks what follows: by `SessionChecker`, and by `ClientChecker` if the target has a
    `session`. At the end of the block, a `ChatSession` must equal the one restored from its
    snapshot. Raises AssertionError with the rule that is broken.
    """
    stand_in = _WatchedReceiver(target)
    yield cast("Watched", stand_in)
    stand_in.check_end()


class _WatchedReceiver:
    """A stand-in for a session or a client, which checks each `receive`."""

    def __init__(self, target: Any) -> None:
        self._target = target
        self._now: float | None = None
        self._client_checker = ClientChecker()
        self._session_checker = SessionChecker()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def __repr__(self) -> str:
        return f"<watched {self._target!r}>"

    def receive(self, item: Any, *, now: float) -> list[Any]:
        """Receive an item, check the effects, and return them."""
        target = self._target
        effects: list[Any] = target.receive(item, now=now)
        self._now = now
        if hasattr(target, "session"):
            self._client_checker.check(item, effects, target, now=now)
        else:
            self._session_checker.check(effects, target, now=now)
        return effects

    def check_end(self) -> None:
        """Check that a session survives a restart."""
        session = getattr(self._target, "session", self._target)
        if isinstance(session, ChatSession) and self._now is not None:
            check_restore(session, now=self._now)
