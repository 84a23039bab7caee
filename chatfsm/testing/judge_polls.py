"""Checkers of polls and histories: one poll at a time, none after the end, no gap, no hurry."""

from __future__ import annotations

from math import inf
from typing import Any, Final

from attrs import define

from chatfsm._protocol import names as wire
from chatfsm.errors import AuthorizationError, BusyError, TransientError, TransportError
from chatfsm.testing.exchanges import ObservedExchange, is_terminal
from chatfsm.testing.judge_rules import Checker, JudgedChat, Report

__all__ = ["Backoff", "CarefulPolls", "Gaps", "OnePoll", "PollsAfterEnd"]

# Seconds until a server sees that a connection was broken, or a client has read a reply.
_GRACE: Final = 1.0


class OnePoll(Checker):
    """Checks `one-poll-at-a-time`.

    Clients give a poll up and ask again at once, so an earlier poll that turns out to have been
    given up at that moment is no second one.
    """

    def __init__(self, chat: JudgedChat, report: Report) -> None:
        super().__init__(chat, report)
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

    def __init__(self, chat: JudgedChat, report: Report) -> None:
        super().__init__(chat, report)
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
        if not exchange.is_readable:
            return
        end = next(filter(is_terminal, exchange.told_events), None)
        if end is not None:
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


# Polls and seconds after a gap in which a client that fills gaps has asked for the history.
_POLLS_AFTER_GAP: Final = 3
_SECONDS_AFTER_GAP: Final = 30.0
# Of these nothing is missing if they are lost: no history holds them.
_FLEETING: Final = frozenset({wire.TYPING, wire.NOT_TYPING})


@define
class _Gap:
    """Events that the center has sent and the client has not received."""

    exchange: ObservedExchange
    at: float
    missing: list[dict[str, Any]]
    poll_count: int = 0
    """The number of polls since, sent and answered."""


class Gaps(Checker):
    """Checks `history-after-gap`: for events that are really lost, not for those that may be."""

    def __init__(self, chat: JudgedChat, report: Report) -> None:
        super().__init__(chat, report)
        self._gaps: list[_Gap] = []

    def on_request(self, exchange: ObservedExchange) -> None:
        """Note that the history is asked for, which closes all gaps."""
        if exchange.subject == "history":
            self._gaps.clear()

    def on_handled(self, exchange: ObservedExchange) -> None:
        """Note the events in the reply to a poll that was given up."""
        if exchange.cancelled_at is not None:
            self._open_gap(exchange, exchange.handled_at or 0.0)

    def on_cancel(self, exchange: ObservedExchange) -> None:
        """Note the events in a reply that is given up on its way."""
        self._open_gap(exchange, exchange.cancelled_at or 0.0)

    def on_arrival(self, exchange: ObservedExchange) -> None:
        """Note the events in a lost reply, and the polls that follow."""
        arrived_at = exchange.arrived_at or 0.0
        if exchange.error is not None:
            self._open_gap(exchange, arrived_at)
            return
        told = exchange.told_events
        for gap in list(self._gaps):
            gap.missing = [event for event in gap.missing if event not in told]
            # After the end the history is refused, so no client can ask for it then.
            is_poll = exchange.subject == "poll" and exchange.at >= gap.at
            gap.poll_count += is_poll and not self.chat.is_over
            is_judged = gap.poll_count >= _POLLS_AFTER_GAP and not self.chat.is_over
            if gap.missing and is_judged and arrived_at >= gap.at + _SECONDS_AFTER_GAP:
                self._report(self.report, gap)
                gap.missing = []
            if not gap.missing:
                self._gaps.remove(gap)

    def finish(self, report: Report, _now: float, /) -> None:
        """Report what the client could have asked for, but has not by its end."""
        for gap in self._gaps:
            if self.chat.has_left and gap.poll_count:
                self._report(report, gap)

    def _report(self, report: Report, gap: _Gap) -> None:
        names = ", ".join(sorted({str(event["event"])[:80] for event in gap.missing}))
        problem = f"no history was asked for since this poll lost {names}"
        report("history-after-gap", gap.exchange, gap.at, problem)

    def _open_gap(self, exchange: ObservedExchange, at: float) -> None:
        if exchange.subject == "poll":
            lost = [event for event in exchange.sent_events if event["event"] not in _FLEETING]
            if lost:
                self._gaps.append(_Gap(exchange, at, lost))


# So many failures in a row may be answered at once: a first attempt may meet a connection that the
# server has just closed.
_QUICK_RETRIES: Final = 2
_SHORTEST_DELAY: Final = 0.5
"""Seconds; the shortest delay of chatfsm's own client."""
# A client need not wait longer: the server would end the chat for inactivity.
_LONGEST_RETRY_AFTER: Final = 120.0
_ROUNDING: Final = 0.05
_FAILURES: Final = (TransportError, TransientError, BusyError, AuthorizationError)


@define
class _Failing:
    """Failures in a row of one request."""

    count: int
    at: float
    retry_after: float


class Backoff(Checker):
    """Checks `backoff` and `retry-after`, for each kind of request alone.

    A POST is tried again if its body is the same; another one may say something new.
    """

    def __init__(self, chat: JudgedChat, report: Report) -> None:
        super().__init__(chat, report)
        self._failing: dict[tuple[object, ...], _Failing] = {}

    def on_request(self, exchange: ObservedExchange) -> None:
        """Check the time since the last failure."""
        failing = self._failing.get(exchange.identity)
        if failing is None:
            return
        waited = exchange.at - failing.at
        if failing.count > _QUICK_RETRIES and waited < _SHORTEST_DELAY:
            problem = f"tried again {waited:.3f} s after failure {failing.count} in a row"
            self.report("backoff", exchange, exchange.at, problem)
        elif waited < min(failing.retry_after, _LONGEST_RETRY_AFTER) - _ROUNDING:
            problem = f"tried again after {waited:.3f} s of {failing.retry_after:g} s"
            self.report("retry-after", exchange, exchange.at, problem)

    def on_arrival(self, exchange: ObservedExchange) -> None:
        """Count a failure."""
        error = exchange.error
        if not isinstance(error, _FAILURES):
            self._failing.pop(exchange.identity, None)
            return
        before = self._failing.get(exchange.identity)
        count = 1 if before is None else before.count + 1
        at = exchange.arrived_at or 0.0
        self._failing[exchange.identity] = _Failing(count, at, error.retry_after or 0.0)


_PATIENCE: Final = 20.0
"""Seconds after which a poll may be given up."""
# So many polls that are given up after as long, by so many seconds, are so by a timeout.
_ABORTED_POLLS: Final = 3
_SAME_PATIENCE: Final = 0.2


class CarefulPolls(Checker):
    """Checks `uncached-polls`, `patient-poll` and `history-when-joining`."""

    def __init__(self, chat: JudgedChat, report: Report) -> None:
        super().__init__(chat, report)
        self._last_url = ""
        self._is_cachable = False
        self._patience: list[float] = []
        """Seconds after which the last aborted polls were given up."""
        self._is_impatient = False
        self._joined: ObservedExchange | None = None
        """The exchange that named the session as one with a past, until its history follows."""
        self._poll_count = 0

    def on_request(self, exchange: ObservedExchange) -> None:
        """Check a poll; note a history."""
        if exchange.subject == "history":
            self._joined = None
        if exchange.subject != "poll":
            return
        self._poll_count += 1
        self._check_cache(exchange)

    def on_cancel(self, exchange: ObservedExchange) -> None:
        """Report, once, a timeout that is too short; a client that is stopped has no timeout."""
        if exchange.subject != "poll" or self._is_impatient:
            return
        at = exchange.cancelled_at or 0.0
        waited = at - exchange.at
        last = self._patience = [*self._patience[1 - _ABORTED_POLLS :], waited]
        is_timeout = len(last) == _ABORTED_POLLS and max(last) - min(last) < _SAME_PATIENCE
        if is_timeout and max(last) < _PATIENCE:
            self._is_impatient = True
            problem = f"polls are given up after {waited:.1f} s"
            self.report("patient-poll", exchange, at, problem)

    def on_opened(self, exchange: ObservedExchange, /) -> None:
        """Note that the session existed before this client's first poll."""
        value = exchange.value if isinstance(exchange.value, dict) else {}
        is_new = value.get("is_new_chat", exchange.subject == "open")
        if str(is_new).lower() == "false" and self._poll_count == 0:
            self._joined = exchange

    def finish(self, report: Report, now: float) -> None:
        """Report a client that has polled for some time without a history."""
        joined = self._joined
        if joined is None or self._poll_count < _POLLS_AFTER_GAP:
            return
        at = joined.arrived_at or 0.0
        if now >= at + _SECONDS_AFTER_GAP:
            problem = "the session had a past, but its history was not asked for"
            report("history-when-joining", joined, at, problem)

    def _check_cache(self, exchange: ObservedExchange) -> None:
        """Report, once, polls that a cache may answer."""
        url, before = exchange.request.url, self._last_url
        self._last_url = url
        asks_server = "no-cache" in exchange.header("cache-control").lower()
        if self._is_cachable or (asks_server and url != before):
            return
        self._is_cachable = True
        missing = "the URL is the same as before" if asks_server else "Cache-Control is missing"
        self.report("uncached-polls", exchange, exchange.at, f"a cache may answer: {missing}")
