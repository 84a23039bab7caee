"""Rules of the judge: their names, what they ask for and why, and the form of their checkers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from attrs import frozen

from chatfsm.testing.exchanges import ObservedExchange

__all__ = ["RULES", "Checker", "Report", "Rule", "Severity"]

Severity = Literal["error", "warning"]
"""An error fails the client. A warning names what is optional, or wrong only by bad luck."""


@frozen
class Rule:
    """A rule of the protocol that a judge can check by requests and replies alone."""

    name: str
    severity: Severity
    explanation: str
    """The reason of the rule, for people."""


def _rules(*rules: Rule) -> dict[str, Rule]:
    return {rule.name: rule for rule in rules}


RULES: Final[dict[str, Rule]] = _rules(
    Rule(
        "one-poll-at-a-time",
        "error",
        "A server takes one poll per session at a time, and refuses a second one with 5509; events "
        "are then lost between the two.",
    ),
    Rule(
        "no-poll-after-end",
        "error",
        "A session is over after chat_session_ended, an inactivity timeout, the state failed, the "
        "error 5005 or a 404 of the server's: no poll must follow.",
    ),
    Rule(
        "unique-message-ids",
        "error",
        "A msg_id names one message of a chat, also after a restart: the same id with other "
        "content confuses receipts, and the history.",
    ),
)
"""All rules by name, in the order of a report."""

Report = Callable[[str, ObservedExchange, float, str], None]
"""Reports a violation: the rule's name, the exchange, the time in seconds, and the problem."""


class Checker:
    """Checks one or more rules for one chat, or for requests that belong to no chat yet.

    The methods are called as things happen; each may report violations.
    """

    def __init__(self, chat_id: str, report: Report) -> None:
        self.chat_id = chat_id
        """The id of the chat; "": requests that belong to none."""
        self.report = report

    def on_request(self, exchange: ObservedExchange) -> None:
        """Check a request that the client sends."""

    def on_handled(self, exchange: ObservedExchange) -> None:
        """Check a request that the center has handled."""

    def on_arrival(self, exchange: ObservedExchange) -> None:
        """Check what has arrived at the client."""

    def on_cancel(self, exchange: ObservedExchange) -> None:
        """Check a request that the client has given up."""

    def on_opened(self, _exchange: ObservedExchange, /) -> None:
        """Check the arrived reply to a request that named this chat as the client's live one."""

    def finish(self, report: Report, now: float) -> None:
        """Report what only the end of a run shows, without a change: the run may go on."""
