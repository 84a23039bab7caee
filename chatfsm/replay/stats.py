"""Statistics of one chat and of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple

from attrs import asdict, define, field, fields

from chatfsm._session.session import ChatSession
from chatfsm._session.state import Counts
from chatfsm.effects import Anomaly, Effect, MessageReceived, PartyAdded, PartyChanged, Terminated
from chatfsm.models import Party
from chatfsm.replay import FINDINGS

__all__ = ["COUNTED_EFFECTS", "ChatStats", "ChatTotals", "Totals"]

# A terminal event often comes in one batch with others (PROTOCOL.md §5), in the reply of one poll,
# which the server holds for at most 15 s (§1). An event stamped later than that came by itself.
_TERMINAL_BATCH_SECONDS: Final = 15.0

COUNTED_EFFECTS: Final = frozenset((Anomaly, PartyAdded, PartyChanged, Terminated))
"""Effects that `ChatStats.count` takes; `MessageReceived`, the most frequent, is counted inline."""

# The timeline names the parties of a chat, up to this many; of all others it gives the number.
MAX_PARTIES: Final = 50


@define
class ChatStats:
    """Statistics of one chat, added up effect by effect."""

    session: ChatSession
    """The session that the statistics are of."""
    messages: int = 0
    """Number of messages received, of all parties."""
    first_at: float | None = None
    """Time of the first event, in seconds on the clock of the log; None before it."""
    last_at: float | None = None
    """Time of the last event or deadline."""
    ended_at: float | None = None
    """Time at which the session terminated; None if it has not."""
    late_outside_batch: int = 0
    """Late events that did not come in one batch with the terminal event."""
    anomalies: Counter[str] = field(factory=Counter)
    """Number of anomalies of each kind."""
    unreadable_times: int = 0
    """Number of events with a time that cannot be read: anomalies that no session counts."""
    parties: dict[str, Party] = field(factory=dict)
    """Parties that were in the chat at any time, by id; the first `MAX_PARTIES` of them."""
    parties_omitted: int = 0
    """Number of joins and changes of parties beyond those."""
    _late: int = field(default=0, init=False)
    """Late events that `count_late` has seen."""

    def add(self, at: float, effects: Sequence[Effect]) -> None:
        """Add the effects of one input at the time `at`."""
        self.touch(at)
        for effect in effects:
            if effect.__class__ is MessageReceived:
                self.messages += 1
            elif effect.__class__ in COUNTED_EFFECTS:
                self.count(effect, at)
        if self.ended_at is None and self.session.done:
            self.ended_at = at
        if self.ended_at is not None:
            self.count_late(at)

    def touch(self, at: float) -> None:
        """Extend the time of the chat to `at`."""
        if self.first_at is None:
            self.first_at = at
        self.last_at = at

    def count(self, effect: Effect, at: float) -> None:
        """Count one effect of a class in `COUNTED_EFFECTS`."""
        if isinstance(effect, Terminated):
            self.ended_at = at if self.ended_at is None else self.ended_at
        elif isinstance(effect, Anomaly):
            self.anomalies[effect.kind] += 1
        elif isinstance(effect, (PartyAdded, PartyChanged)):
            self._add_party(effect.party)

    def count_late(self, timestamp: float | None) -> None:
        """Count the last event if the session found it late, and it came by itself.

        An event without a timestamp is taken for one of the terminal batch. Call it after each
        event of a chat that has terminated.
        """
        late = self.session.counts.late
        if late > self._late and timestamp is not None and self.ended_at is not None:
            self.late_outside_batch += timestamp > self.ended_at + _TERMINAL_BATCH_SECONDS
        self._late = late

    def restart(self, session: ChatSession) -> None:
        """Go on with another session of the same chat."""
        self.session = session
        self._late = session.counts.late

    @property
    def duration(self) -> float:
        """Seconds from the first event to the end of the chat, or to the last event of its log."""
        until = self.last_at if self.ended_at is None else self.ended_at
        return (until or 0.0) - (self.first_at or 0.0)

    def findings(self) -> dict[str, int]:
        """Number of findings of each kind in `FINDINGS`; kinds without any are left out."""
        return _findings(self, self.session.counts)

    def summary(self) -> dict[str, Any]:
        """The state and the statistics of the chat, as JSON values."""
        session = self.session
        return {
            "chat_id": session.chat_id,
            "state": session.state,
            "outcome": session.outcome,
            "text": session.outcome_text,
            "parties": [
                {"party_id": party.party_id, "type": party.type, "display_name": party.display_name}
                for party in session.parties
            ],
            "agent": session.agent.party_id if session.agent else None,
            "typing": list(session.typing),
            "open_forms": [form.request_id for form in session.forms],
            "warning": session.warning,
            "call": session.call,
            "case_id": session.case_id,
            "messages": self.messages,
            "counts": asdict(session.counts),
        }

    def _add_party(self, party: Party) -> None:
        if party.party_id in self.parties or len(self.parties) < MAX_PARTIES:
            self.parties[party.party_id] = party
        else:
            self.parties_omitted += 1


def _findings(stats: ChatStats, counts: Counts) -> dict[str, int]:
    """The findings of a chat; `counts`: those of its session, which makes them anew each time."""
    anomalies = counts.anomalies + stats.unreadable_times
    met = (counts.unknown, counts.malformed, anomalies, stats.late_outside_batch)
    return {kind: count for kind, count in zip(FINDINGS, met, strict=True) if count}


_count_values: Final = attrgetter(*(count.name for count in fields(Counts)))


class ChatTotals(NamedTuple):
    """Contribution of one chat to the totals: small, because worker processes send it."""

    messages: int
    """Number of messages received, of all parties."""
    outcome: str
    """Outcome of the session; `open` if it has none."""
    counts: tuple[int, ...]
    """Values in the order of the fields of `Counts`."""
    findings: dict[str, int]
    """Number of findings of each kind that there is."""

    @classmethod
    def of(cls, stats: ChatStats) -> ChatTotals:
        """The contribution of a finished chat."""
        counts, outcome = stats.session.counts, stats.session.outcome or "open"
        return cls(stats.messages, outcome, _count_values(counts), _findings(stats, counts))


@define
class Totals:
    """Statistics of many chats, added up chat by chat."""

    sessions: int = 0
    """Number of chats that were added."""
    messages: int = 0
    """Number of messages received, in all chats."""
    outcomes: Counter[str] = field(factory=Counter)
    """Number of sessions of each outcome; `open` counts those without one."""
    counts: Counts = field(factory=Counts)
    """The sums of the counts of all sessions."""
    findings: Counter[str] = field(factory=Counter)
    """Number of findings of each kind, in all chats."""
    complete: bool = True
    """Whether all input was read."""

    def add(self, chat: ChatTotals) -> None:
        """Add one finished chat."""
        self.sessions += 1
        self.messages += chat.messages
        self.outcomes[chat.outcome] += 1
        if chat.findings:
            self.findings.update(chat.findings)
        self._add_counts(chat.counts)

    def merge(self, other: Totals) -> None:
        """Add the statistics of other chats."""
        self.sessions += other.sessions
        self.messages += other.messages
        self.outcomes.update(other.outcomes)
        self.findings.update(other.findings)
        self._add_counts(_count_values(other.counts))
        self.complete = self.complete and other.complete

    def summary(self) -> dict[str, Any]:
        """The totals as JSON values."""
        return {
            "sessions": self.sessions,
            "messages": self.messages,
            "outcomes": dict(sorted(self.outcomes.items())),
            "counts": asdict(self.counts),
            "findings": {kind: self.findings[kind] for kind in FINDINGS},
            "complete": self.complete,
        }

    def _add_counts(self, values: tuple[int, ...]) -> None:
        # Adding a chat takes 1 µs; with a new `Counts` from a loop over its fields it took 4.7 µs.
        counts = self.counts
        events, effects, duplicates, unknown, malformed, anomalies, late = values
        counts.events += events
        counts.effects += effects
        counts.duplicates += duplicates
        counts.unknown += unknown
        counts.malformed += malformed
        counts.anomalies += anomalies
        counts.late += late
