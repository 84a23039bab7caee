"""Checker of clients that leave: a chat whose poll has failed goes on without them."""

from __future__ import annotations

from typing import Final

from chatfsm._protocol import names as wire
from chatfsm.errors import BusyError, TransientError, TransportError
from chatfsm.testing.exchanges import ObservedExchange
from chatfsm.testing.judge_rules import Checker, JudgedChat, Report

__all__ = ["PollsToTheEnd"]

_PASSING: Final = (TransportError, TransientError, BusyError)
_FAREWELLS: Final = frozenset({wire.END, wire.DISCONNECT})


class PollsToTheEnd(Checker):
    """Checks `polls-to-the-end`, once the client has left.

    A client may leave a chat in which its last poll was answered: its app was closed.
    """

    def __init__(self, chat: JudgedChat, report: Report) -> None:
        super().__init__(chat, report)
        self._failed: ObservedExchange | None = None
        """The last poll, if it failed."""
        self._has_said_goodbye = False

    def on_request(self, exchange: ObservedExchange) -> None:
        """Note that the customer ends the chat."""
        if any(event["event"] in _FAREWELLS for event in exchange.posted_events):
            self._has_said_goodbye = True

    def on_arrival(self, exchange: ObservedExchange) -> None:
        """Note whether the last poll failed, by a failure that passes."""
        if exchange.subject == "poll":
            self._failed = exchange if isinstance(exchange.error, _PASSING) else None

    def finish(self, report: Report, now: float) -> None:
        """Report a client that has left after a failure."""
        failed, chat = self._failed, self.chat
        if failed is None or not chat.has_left or chat.is_over or self._has_said_goodbye:
            return
        problem = "the client has left the chat after this poll had failed"
        report("polls-to-the-end", failed, failed.arrived_at or now, problem)
