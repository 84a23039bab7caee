"""Checkers of polls: one at a time, and none after the end."""

from __future__ import annotations

from math import inf
from typing import Final

from chatfsm.testing.exchanges import ObservedExchange, is_terminal
from chatfsm.testing.judge_rules import Checker, Report

__all__ = ["OnePoll", "PollsAfterEnd"]

# Seconds until a server sees that a connection was broken, or a client has read a reply.
_GRACE: Final = 1.0


class OnePoll(Checker):
    """Checks `one-poll-at-a-time`.

    Clients give a poll up and ask again at once, so an earlier poll that turns out to have been
    given up at that moment is no second one.
    """

    def __init__(self, chat_id: str, report: Report) -> None:
        super().__init__(chat_id, report)
        self._open: list[ObservedExchange] = []
        """Polls in flight, the oldest first."""

    def on_request(self, exchange: ObservedExchange) -> None:
        """Note a poll."""
        if exchange.subject == "poll":
            self._open.append(exchange)

    def on_arrival(self, exchange: ObservedExchange) -> None:
        """Check that no other poll began while this one was in flight."""
        self._close(exchange, inf)

    def on_cancel(self, exchange: ObservedExchange) -> None:
        """Check a poll that is given up, likewise."""
        self._close(exchange, (exchange.cancelled_at or 0.0) - _GRACE)

    def finish(self, report: Report, now: float) -> None:
        """Report the polls that are in flight beside others."""
        for place, exchange in enumerate(self._open):
            _report_later(report, exchange, self._open[place + 1 :], now - _GRACE)

    def _close(self, exchange: ObservedExchange, until: float) -> None:
        if exchange in self._open:
            place = self._open.index(exchange)
            _report_later(self.report, exchange, self._open[place + 1 :], until)
            del self._open[place]


def _report_later(
    report: Report, first: ObservedExchange, later: list[ObservedExchange], until: float
) -> None:
    """Report the later ones of two polls that began before a time."""
    for second in later:
        if second.at < until:
            problem = f"a poll began while poll {first.number} was in flight"
            report("one-poll-at-a-time", second, second.at, problem)


class PollsAfterEnd(Checker):
    """Checks `no-poll-after-end`.

    A 404 to another request than a poll is no end yet: the last events may wait for a poll. Nor is
    an end in a history, which may be that of an earlier session.
    """

    def __init__(self, chat_id: str, report: Report) -> None:
        super().__init__(chat_id, report)
        self._ended_at: float | None = None
        self._reason = ""

    def on_request(self, exchange: ObservedExchange) -> None:
        """Check that no poll follows the end."""
        ended_at = inf if self._ended_at is None else self._ended_at
        if exchange.subject == "poll" and exchange.at >= ended_at:
            self.report("no-poll-after-end", exchange, exchange.at, f"a poll {self._reason}")

    def on_arrival(self, exchange: ObservedExchange) -> None:
        """Note the end of the session."""
        if exchange.subject not in {"poll", "post"} or self._ended_at is not None:
            return
        end = next(filter(is_terminal, exchange.told_events), None)
        if end is not None and exchange.is_readable:
            self._end(exchange, f"after {end['event']} had arrived")
        elif exchange.subject == "poll" and exchange.is_gone:
            self._end(exchange, "after the server had said that there is no such chat")

    def on_opened(self, _exchange: ObservedExchange, /) -> None:
        """Note that the session lives: the server has given it to the client again."""
        self._ended_at = None

    def _end(self, exchange: ObservedExchange, reason: str) -> None:
        # A poll may be on its way when the end arrives in the reply to a POST.
        crossing = 0.0 if exchange.subject == "poll" else _GRACE
        self._ended_at = (exchange.arrived_at or 0.0) + crossing
        self._reason = reason
