"""Judge: what requests and replies tell about a client, in whatever language it is written.

A judge observes the network of a simulator, in virtual time or behind a `SimulatorServer`:

    judge = Judge()
    network.observer = judge
    ...  # the client chats
    judge.verdict().check()  # raises JudgementError, an AssertionError

It looks at the wire alone, and so at one client: two devices of one customer look like one client
that polls twice. Times are seconds of the network.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any, Final, Literal

from attrs import evolve, frozen

from chatfsm.simulator.network import Arrival
from chatfsm.testing.exchanges import ObservedExchange, is_own, is_terminal, text_of
from chatfsm.testing.judge_leaving import PollsToTheEnd
from chatfsm.testing.judge_polls import Backoff, CarefulPolls, Gaps, OnePoll, PollsAfterEnd
from chatfsm.testing.judge_posts import ArrivedOnce, CallEnds, Receipts, UniqueIds, WellFormed
from chatfsm.testing.judge_rules import RULES, Checker, JudgedChat, Severity
from chatfsm.transport import HttpReply, HttpRequest

__all__ = ["MAX_VIOLATIONS", "Judge", "JudgementError", "Verdict", "Violation"]

MAX_VIOLATIONS: Final = 1_000
"""The most violations that a judge keeps; the client is judged by then."""
# Requests that a judge remembers although nothing has come of them.
_MAX_OPEN: Final = 10_000
# Violations of one rule that a report shows.
_MAX_SHOWN: Final = 5


@frozen
class Violation:
    """A violation of a rule."""

    rule: str
    """The name of the rule: a key of `RULES`."""
    at: float
    """The time, in seconds."""
    request: str
    """The request's number from 1, method and path; "": it is about no single request."""
    problem: str
    """What happened; without texts of people, and without credentials."""

    @property
    def severity(self) -> Severity:
        """The severity of the rule."""
        return RULES[self.rule].severity

    def to_json(self) -> dict[str, Any]:
        """Return the violation as JSON; `explanation` is the problem and the reason of the rule."""
        return {
            "rule": self.rule,
            "severity": self.severity,
            "explanation": f"{self.problem}. {RULES[self.rule].explanation}",
            "at": round(self.at, 3),
            "request": self.request,
        }

    def __str__(self) -> str:
        request = f", request {self.request}" if self.request else ""
        return f"at {self.at:.3f} s{request}: {self.problem}"


class JudgementError(AssertionError):
    """A client has violated the protocol; the text is the report, `verdict` its data."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(str(verdict))
        self.verdict = verdict


@frozen
class Verdict:
    """The verdict on a client; as text it is a report for people."""

    violations: tuple[Violation, ...]
    """All violations, in the order of time."""
    said: int
    """The number of texts of the customer's that the center has received, copies not counted."""
    told: int
    """The number of texts of other parties that have arrived at the client, without copies."""

    @property
    def verdict(self) -> Literal["pass", "fail"]:
        """The verdict: "fail" if there is a violation with the severity error."""
        is_fail = any(violation.severity == "error" for violation in self.violations)
        return "fail" if is_fail else "pass"

    def check(self) -> None:
        """Raise `JudgementError` if the verdict is "fail"."""
        if self.verdict == "fail":
            raise JudgementError(self)

    def ignoring(self, rules: Collection[str]) -> Verdict:
        """Return the verdict without violations of these rules.

        Raises ValueError, which lists the rules, if there is no such rule.
        """
        for name in rules:
            if name not in RULES:
                raise ValueError(f"rule must be one of {', '.join(RULES)}, not {name!r}")
        kept = tuple(violation for violation in self.violations if violation.rule not in rules)
        return evolve(self, violations=kept)

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as JSON."""
        return {
            "verdict": self.verdict,
            "violations": [violation.to_json() for violation in self.violations],
            "said": self.said,
            "told": self.told,
        }

    def __str__(self) -> str:
        counts = Counter(violation.severity for violation in self.violations)
        found = f"{_counted(counts['error'], 'error')}, {_counted(counts['warning'], 'warning')}"
        texts = f"{_counted(self.said, 'text')} said, {_counted(self.told, 'text')} told"
        lines = [f"{self.verdict}: {found}; {texts}"]
        for rule in sorted(RULES.values(), key=lambda rule: rule.severity):
            broken = [violation for violation in self.violations if violation.rule == rule.name]
            if broken:
                lines += ["", f"{rule.severity}: {rule.name}, {_counted(len(broken), 'time')}"]
                lines += [f"  {rule.explanation}"]
                lines += [f"  - {violation}" for violation in broken[:_MAX_SHOWN]]
                if len(broken) > _MAX_SHOWN:
                    lines += [f"  - and {len(broken) - _MAX_SHOWN} more"]
        return "\n".join(lines)


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_CHECKERS: Final[tuple[type[Checker], ...]] = (
    OnePoll,
    PollsAfterEnd,
    PollsToTheEnd,
    Gaps,
    Backoff,
    CarefulPolls,
    UniqueIds,
    ArrivedOnce,
    CallEnds,
    Receipts,
    WellFormed,
)


class Judge:
    """Judges the client of a network, as its observer. A judge can judge one run."""

    def __init__(self) -> None:
        self.request_count = 0
        """The number of requests seen."""
        self.has_opened_chat = False
        """Whether the client has been told the id of a chat."""
        self.now = 0.0
        """The time of the last event."""
        self._violations: list[Violation] = []
        self._open: dict[int, ObservedExchange] = {}
        """Exchanges that are not finished, by the id of the request."""
        self._chats: dict[str, JudgedChat] = {}
        self._checkers: dict[str, list[Checker]] = {}
        """By the id of the chat."""
        self._said: set[tuple[str, ...]] = set()
        self._told: set[tuple[str, ...]] = set()

    def on_request(self, request: HttpRequest, *, now: float) -> None:
        """See a request of the client's."""
        self.now = now
        self.request_count += 1
        exchange = self._open[request.id] = ObservedExchange.of(self.request_count, request, now)
        if len(self._open) > _MAX_OPEN:
            del self._open[next(iter(self._open))]
        for checker in self._checkers_of(exchange.chat_id):
            checker.on_request(exchange)

    def on_handled(self, request_id: int, reply: HttpReply, *, now: float) -> None:
        """See the reply of the center, before any fault of the network."""
        self.now = now
        exchange = self._open.get(request_id)
        if exchange is None:
            return
        exchange.reply, exchange.handled_at = reply, now
        self._count_said(exchange)
        for checker in self._checkers_of(exchange.chat_id):
            checker.on_handled(exchange)

    def on_arrival(self, arrival: Arrival, *, now: float) -> None:
        """See what arrives at the client."""
        self.now = now
        exchange = self._open.pop(arrival.id, None)
        if exchange is None:
            return
        exchange.arrive(arrival, now)
        self._count_told(exchange)
        checkers = self._checkers_of(exchange.chat_id)
        is_end = exchange.is_gone or any(map(is_terminal, exchange.told_events))
        if is_end and exchange.subject != "history":
            self._chats[exchange.chat_id].is_over = True
        for checker in checkers:
            checker.on_arrival(exchange)
        if exchange.opened_chat_id:
            self.has_opened_chat = True
            checkers = self._checkers_of(exchange.opened_chat_id)
            self._chats[exchange.opened_chat_id].is_over = False
            for checker in checkers:
                checker.on_opened(exchange)

    def on_cancel(self, request_id: int, *, now: float) -> None:
        """See that the client gives a request up."""
        self.now = now
        exchange = self._open.get(request_id)
        if exchange is not None and exchange.cancelled_at is None:
            exchange.cancelled_at = now
            for checker in self._checkers_of(exchange.chat_id):
                checker.on_cancel(exchange)

    def on_left(self, *, now: float) -> None:
        """See that the client has ended: what it has not done by now, it never will."""
        self.now = now
        for chat in self._chats.values():
            chat.has_left = True

    def verdict(self, *, now: float | None = None) -> Verdict:
        """Return the verdict up to `now`, or to the last event; the run may go on."""
        found = list(self._violations)
        until = self.now if now is None else max(self.now, now)
        for checkers in self._checkers.values():
            for checker in checkers:
                checker.finish(_reporter(found), until)
        ordered = sorted(found, key=lambda violation: violation.at)
        return Verdict(tuple(ordered), len(self._said), len(self._told))

    def _checkers_of(self, chat_id: str) -> list[Checker]:
        found = self._checkers.get(chat_id)
        if found is None:
            chat = self._chats[chat_id] = JudgedChat(chat_id)
            report = _reporter(self._violations)
            found = self._checkers[chat_id] = [checker(chat, report) for checker in _CHECKERS]
        return found

    def _count_said(self, exchange: ObservedExchange) -> None:
        if exchange.is_accepted:
            for event in exchange.posted_events:
                text = text_of(event)
                if text is not None:
                    self._said.add((exchange.chat_id, str(event.get("msg_id") or ""), text))

    def _count_told(self, exchange: ObservedExchange) -> None:
        for event in exchange.told_events:
            text = text_of(event)
            if text is not None and not is_own(event, exchange.chat_id):
                party, msg_id = str(event.get("party_id")), str(event.get("msg_id") or "")
                self._told.add((exchange.chat_id, party, msg_id, text))


def _reporter(found: list[Violation]) -> Any:
    """Return a `Report` that appends to a list, up to its bound."""

    def report(rule: str, exchange: ObservedExchange, at: float, problem: str) -> None:
        if len(found) < MAX_VIOLATIONS:
            found.append(Violation(rule, at, str(exchange), problem))

    return report
