"""Checkers of what the customer says: ids of messages."""

from __future__ import annotations

from typing import Any, Final

from attrs import define

from chatfsm._protocol import names as wire
from chatfsm.testing.exchanges import ObservedExchange
from chatfsm.testing.judge_rules import Checker, Report

__all__ = ["UniqueIds"]

_MESSAGES: Final = frozenset({wire.MESSAGE, wire.FILE, wire.LOCATION})
"""Events that stand in a chat under their msg_id."""


def _id_of(event: dict[str, Any]) -> str:
    """Return the msg_id of a message; "" if it has none, or is no message."""
    return str(event.get("msg_id") or "") if event["event"] in _MESSAGES else ""


@define
class _Named:
    """The first message with an id."""

    event: dict[str, Any]
    exchange: ObservedExchange


class UniqueIds(Checker):
    """Checks `unique-message-ids`.

    An id may be used again if its first message has surely not arrived: the server refused it.
    """

    def __init__(self, chat_id: str, report: Report) -> None:
        super().__init__(chat_id, report)
        self._named: dict[str, _Named] = {}

    def on_request(self, exchange: ObservedExchange) -> None:
        """Check the ids of the messages in a POST."""
        for event in exchange.posted_events:
            msg_id = _id_of(event)
            if not msg_id:
                continue
            known = self._named.get(msg_id)
            if known is None or not self._may_have_arrived(known):
                self._named[msg_id] = _Named(event, exchange)
            elif known.event != event:
                problem = (
                    f"the msg_id {msg_id[:80]!a} names another message "
                    f"since request {known.exchange.number}"
                )
                self.report("unique-message-ids", exchange, exchange.at, problem)

    def _may_have_arrived(self, known: _Named) -> bool:
        return known.exchange.is_accepted or known.exchange.is_doubtful
