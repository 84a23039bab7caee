"""Metrics of many chats: totals, and the same by agent and by day."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from attrs import define, field

from chatfsm.replay.metrics import AgentInChat, ChatMetrics, percentile, utc_text

__all__ = ["THRESHOLD", "MetricsReport"]

THRESHOLD: Final = 20.0
"""Seconds within which a chat is to be answered, as Amazon Connect and many centers have it."""
# Characters of an ISO 8601 date.
_DATE: Final = len("2026-01-01")


@define
class MetricsReport:
    """The metrics of many chats; `add` them in any order, and read the results at any time.

    `threshold`: seconds, more than 0, within which a chat counts for the service level.
    """

    threshold: float = THRESHOLD
    """Seconds, more than 0, within which a chat counts for the service level."""
    chats: list[ChatMetrics] = field(factory=list, init=False)
    """In the order of adding."""

    def add(self, chat: ChatMetrics) -> None:
        """Add a chat."""
        self.chats.append(chat)

    def to_json(self) -> dict[str, Any]:
        """Return all metrics as JSON values: chats, agents and totals."""
        return {
            "chats": [chat.to_json() for chat in self.chats],
            "agents": self.by_agent(),
            "totals": self.totals(),
        }

    def totals(self) -> dict[str, Any]:
        """Return the totals of all chats as JSON values; a mean or share of nothing is None."""
        return _totals(self.chats, self.threshold)

    def by_agent(self) -> list[dict[str, Any]]:
        """Return the metrics of each human agent as JSON values, by party id."""
        parts: dict[str, list[AgentInChat]] = {}
        for chat in self.chats:
            for agent in chat.agents:
                parts.setdefault(agent.party_id, []).append(agent)
        return [_agent(parts[party_id]) for party_id in sorted(parts)]

    def by_day(self) -> list[dict[str, Any]]:
        """Return the totals of each day in UTC, on which chats started; None: they have no time."""
        days: dict[str, list[ChatMetrics]] = {}
        for chat in self.chats:
            days.setdefault((utc_text(chat.started_at) or "")[:_DATE], []).append(chat)
        return [{"day": day or None, **_totals(days[day], self.threshold)} for day in sorted(days)]


def _totals(chats: list[ChatMetrics], threshold: float) -> dict[str, Any]:
    answered = [chat for chat in chats if chat.answered]
    abandoned = sum(chat.abandoned for chat in chats)
    # A chat that was answered without a queue was answered at once.
    in_time = sum((chat.queue_seconds or 0.0) <= threshold for chat in answered)
    offered = len(answered) + abandoned
    return {
        "chats": len(chats),
        "answered": len(answered),
        "abandoned": abandoned,
        "abandonment_rate": abandoned / offered if offered else None,
        "asa_seconds": _mean(_known(chat.queue_seconds for chat in answered)),
        "aht_seconds": _mean([chat.handle_seconds for chat in answered]),
        "service_level": in_time / offered if offered else None,
        **_spread("queue_seconds", _known(chat.queue_seconds for chat in chats)),
        **_spread("first_response_seconds", _known(chat.first_response_seconds for chat in chats)),
        **_spread("response_seconds", [each for chat in chats for each in chat.response_seconds]),
    }


def _agent(parts: list[AgentInChat]) -> dict[str, Any]:
    names = [part.display_name for part in parts if part.display_name]
    return {
        "party_id": parts[0].party_id,
        "display_name": names[-1] if names else None,
        "chats": len(parts),
        "messages": sum(part.messages for part in parts),
        "handle_seconds": sum(part.handle_seconds for part in parts),
        "first_response_seconds_median": percentile(
            _known(part.first_response_seconds for part in parts), 50
        ),
    }


def _spread(name: str, values: list[float]) -> dict[str, float | None]:
    return {f"{name}_median": percentile(values, 50), f"{name}_p90": percentile(values, 90)}


def _known(values: Iterable[float | None]) -> list[float]:
    return [value for value in values if value is not None]


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
