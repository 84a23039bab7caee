"""What there is to say about a replayed chat, and about many."""

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
from chatfsm.replay.chat_replay import ReplayStep

__all__ = ["COUNTED_EFFECTS", "ChatStats", "ChatTotals", "Totals"]

# A terminal event often comes in one batch with others (PROTOCOL.md §5), of one poll, whose reply
# is held for 15 s at most (§1). What is stamped later than that came by itself.
_TERMINAL_BATCH_SECONDS: Final = 15.0

COUNTED_EFFECTS: Final = frozenset((Anomaly, PartyAdded, PartyChanged, Terminated))
"""The effects that add to an account, but messages, which are most of them."""

# Who was there is told by name; a log with more parties than this is told by their number.
MAX_PARTIES: Final = 50


@define
class ChatStats:
    """What one chat's steps have added up to."""

    session: ChatSession
    messages: int = 0
    first_at: float | None = None
    last_at: float | None = None
    ended_at: float | None = None
    late_outside_batch: int = 0
    """Late events beyond the terminal batch."""
    anomalies: Counter[str] = field(factory=Counter)
    """How many of each kind."""
    parties: dict[str, Party] = field(factory=dict)
    """The parties that were there, by id, the first `MOST_NAMES` of them."""
    parties_omitted: int = 0
    """How many joinings there were after those."""

    def add(self, step: ReplayStep) -> None:
        """Take in what followed from one event."""
        self.take(step.at, step.effects)

    def take(self, at: float, effects: Sequence[Effect]) -> None:
        """Take in what followed at a time."""
        self.touch(at)
        for effect in effects:
            if effect.__class__ is MessageReceived:
                self.messages += 1
            elif effect.__class__ in COUNTED_EFFECTS:
                self.count(effect, at)
        if self.ended_at is None and self.session.done:
            self.ended_at = at

    def touch(self, at: float) -> None:
        """Take in that something was heard at a time, and perhaps before it."""
        if self.first_at is None:
            self.first_at = at
        self.last_at = at

    def count(self, effect: Effect, at: float) -> None:
        """Take in an effect of a class that is `NOTED`."""
        if isinstance(effect, Terminated):
            self.ended_at = at if self.ended_at is None else self.ended_at
        elif isinstance(effect, Anomaly):
            self.anomalies[effect.kind] += 1
        elif isinstance(effect, (PartyAdded, PartyChanged)):
            self._add_party(effect.party)

    def late(self, stamp: float | None) -> None:
        """Take in that an event came after the end, and its time, where it bears one."""
        if stamp is not None and self.ended_at is not None:
            self.late_outside_batch += stamp > self.ended_at + _TERMINAL_BATCH_SECONDS

    @property
    def duration(self) -> float:
        """Seconds on the clock of the log, until the end of the chat or of its log."""
        until = self.last_at if self.ended_at is None else self.ended_at
        return (until or 0.0) - (self.first_at or 0.0)

    def findings(self) -> dict[str, int]:
        """How often each kind of finding was met; those that were not are left out."""
        counts = self.session.counts
        met = (counts.unknown, counts.malformed, counts.anomalies, self.late_outside_batch)
        return {kind: count for kind, count in zip(FINDINGS, met, strict=True) if count}

    def summary(self) -> dict[str, Any]:
        """The chat as it stands, as JSON."""
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


_count_values: Final = attrgetter(*(count.name for count in fields(Counts)))


class ChatTotals(NamedTuple):
    """What one chat adds to the totals: as little as can be sent from one process to another."""

    messages: int
    outcome: str
    counts: tuple[int, ...]
    """In the order of `Counts`."""
    findings: dict[str, int]

    @classmethod
    def of(cls, account: ChatStats) -> ChatTotals:
        """Those of a chat that is done with."""
        session = account.session
        outcome = session.outcome or "open"
        return cls(account.messages, outcome, _count_values(session.counts), account.findings())


@define
class Totals:
    """Many chats added up."""

    sessions: int = 0
    messages: int = 0
    outcomes: Counter[str] = field(factory=Counter)
    """How many sessions ended how; those that did not are "open"."""
    counts: Counts = field(factory=Counts)
    findings: Counter[str] = field(factory=Counter)
    complete: bool = True
    """Whether all of the input was read."""

    def add(self, chat: ChatTotals) -> None:
        """Take in a chat that is done with."""
        self.sessions += 1
        self.messages += chat.messages
        self.outcomes[chat.outcome] += 1
        if chat.findings:
            self.findings.update(chat.findings)
        self.counts = Counts(*map(sum, zip(_count_values(self.counts), chat.counts, strict=True)))

    def summary(self) -> dict[str, Any]:
        """The totals as JSON."""
        return {
            "sessions": self.sessions,
            "messages": self.messages,
            "outcomes": dict(sorted(self.outcomes.items())),
            "counts": asdict(self.counts),
            "findings": {kind: self.findings[kind] for kind in FINDINGS},
            "complete": self.complete,
        }
