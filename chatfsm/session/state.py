"""What a session remembers, and the turn in which one input is heard."""

from __future__ import annotations

from math import inf
from typing import Any, Final

from attrs import define, evolve, field, frozen

from chatfsm.errors import RemoteProtocolError
from chatfsm.log import logger
from chatfsm.protocol.signaling import IceCandidate
from chatfsm.session import law
from chatfsm.session.effects import Anomaly, AnomalyKind, Effect, FormReason, SendEvents
from chatfsm.session.law import Outcome
from chatfsm.session.settings import Settings
from chatfsm.session.values import Form, Party

__all__ = ["ClosedForm", "Counts", "Memory", "OpenForm", "Outgoing", "OwnTyping", "Turn", "quoted"]

# How much of a name from the wire an explanation quotes.
_QUOTED: Final = 80


@define(weakref_slot=False)
class Counts:
    """What a session has met."""

    events: int = 0
    """Events heard while the session was alive."""
    effects: int = 0
    """Effects told."""
    duplicates: int = 0
    """Events absorbed because what they say was told already."""
    unknown: int = 0
    malformed: int = 0
    anomalies: int = 0
    """`Anomaly` effects of every kind."""
    late: int = 0
    """Events after the end; they count as nothing else."""


@frozen
class OpenForm:
    """A form that waits, and what it looked like when it came."""

    form: Form
    content: str
    stamp: float | None = None
    """The server's time of it."""


@frozen
class ClosedForm:
    """A form that waits no more: why, since when, and the server's time of it."""

    reason: FormReason
    at: float
    stamp: float | None = None


@define(weakref_slot=False)
class OwnTyping:
    """The customer types: when that was told last, and until when it is believed."""

    told_at: float
    deadline: float


@define(weakref_slot=False)
class Outgoing:
    """What was said and may have to be said again, and what its echo may hold."""

    events: tuple[dict[str, Any], ...]
    echo: tuple[str, ...] = ()
    state: str = law.DELIVERY.initial


@define(weakref_slot=False)
class Memory:
    """All that a session knows. Containers are made when first needed, and dropped when empty."""

    chat_id: str
    state: str = law.LIFECYCLE.initial
    ewt: float | None = None
    outcome: Outcome | None = None
    outcome_text: str | None = None
    parties: tuple[Party, ...] = ()
    departed: dict[str, float | None] | None = None
    """Who left, and the server's time of it; None: it did not say."""
    arrivals: dict[str, tuple[float, float]] | None = None
    """When those who are here first and last joined, on the server's clock, where it said."""
    typing: dict[str, float] | None = None
    """Who types, and until when that is believed."""
    forms: dict[str, OpenForm] | None = None
    """By request id, in the order of opening."""
    closed_forms: dict[str, ClosedForm] | None = None
    """By request id, the last of those that wait no more."""
    own_text_at: float | None = None
    """The server's time of the customer's last text."""
    own_typing: OwnTyping | None = None
    outbox: dict[str, Outgoing] | None = None
    """By msg_id, in the order of saying: what is on its way, and the last that has arrived."""
    next_number: int = 1
    warning: str | None = None
    call: str = law.CALL.initial
    call_party: str | None = None
    """Who offered the call, where that is known."""
    candidates: list[IceCandidate] | None = None
    """Those that came before the answer."""
    case_id: str | None = None
    case_at: float | None = None
    """The server's time of it; infinite where the server did not say; None: it never spoke."""
    service_name: str | None = None
    service_at: float | None = None
    """As `case_at`."""
    cobrowsing: str | None = None
    told: dict[str, dict[str, str]] | None = None
    """What was told, by speaker and id: see `identity`."""
    told_count: int = 0
    told_all: bool = True
    """Whether nothing of what was told had to be forgotten."""
    counts: Counts = field(factory=Counts)
    wake: float = field(default=inf, eq=False)
    """No deadline is before this; a bound, so that an input compares one number."""

    def party(self, party_id: str | None) -> Party | None:
        """Who has this id, where that was announced; the customer's counts in any case."""
        for party in self.parties:
            if party.party_id == party_id:
                return party
        if self.is_own(party_id):
            for party in self.parties:
                if self.is_own(party.party_id):
                    return party
        return None

    def is_own(self, party_id: str | None) -> bool:
        """Whether the id is the customer's: that of the chat, without case (PROTOCOL.md §3)."""
        if party_id is None or len(party_id) != len(self.chat_id):
            return False
        return party_id == self.chat_id or party_id.casefold() == self.chat_id.casefold()


@define(weakref_slot=False, eq=False)
class Turn:
    """One input being heard: the memory it meets, the time, and what has followed so far."""

    memory: Memory
    settings: Settings
    now: float
    effects: list[Effect]
    anomalies: list[Effect] | None = None
    said: tuple[dict[str, Any], ...] = ()
    """What goes to the server in this turn, so far."""
    said_ids: tuple[str, ...] = ()
    replaying: bool = False
    """Whether what is heard is past."""

    def tell(self, effect: Effect) -> None:
        """Add what follows."""
        self.effects.append(evolve(effect, replayed=True) if self.replaying else effect)

    def say(self, event: dict[str, Any], msg_id: str | None = None) -> None:
        """Add what goes to the server; `msg_id` where its fate is to be known."""
        self.said = (*self.said, event)
        if msg_id is not None:
            self.said_ids = (*self.said_ids, msg_id)

    def post(self) -> None:
        """Tell the transport what to send."""
        if self.said:
            self.tell(SendEvents(self.said, self.said_ids))
            self.said = self.said_ids = ()

    def absorb(self) -> bool:
        """Count an event whose content was told already; True, for a listener to return."""
        self.memory.counts.duplicates += 1
        return True

    def report(self, kind: AnomalyKind, text: str, raw: object = None) -> None:
        """Report what the server should not have done: call it before anything is changed.

        A strict session raises `RemoteProtocolError`. A lenient one tells the `Anomaly` after all
        that the input brought.
        """
        if self.settings.strict:
            raise RemoteProtocolError(kind, text)
        self.note(Anomaly(kind, text, raw))

    def note(self, anomaly: Anomaly) -> None:
        """Tell an anomaly that is nobody's violation, after all that the input brought."""
        self.memory.counts.anomalies += 1
        if self.replaying:
            anomaly = evolve(anomaly, replayed=True)
        logger.warning("chat %a: anomaly, %s", self.memory.chat_id, anomaly.kind)
        if self.anomalies is None:
            self.anomalies = []
        self.anomalies.append(anomaly)


def quoted(word: str | None) -> str:
    """A name from the wire as an explanation may quote it: short, and in plain ASCII."""
    text = str(word)
    return ascii(text if len(text) <= _QUOTED else text[:_QUOTED] + "…")
