"""What a session remembers, and the turn in which one input is heard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, Final

from attrs import define, evolve, field, frozen

from chatfsm.errors import RemoteProtocolError
from chatfsm.frozen import quicken
from chatfsm.log import logger
from chatfsm.protocol.signaling import IceCandidate
from chatfsm.session import law
from chatfsm.session.effects import Anomaly, Effect, FormReason, SendEvents
from chatfsm.session.settings import Settings
from chatfsm.session.values import AnomalyKind, Form, Party

__all__ = [
    "Answers",
    "Call",
    "ClosedForm",
    "Counts",
    "Memory",
    "OpenForm",
    "Outgoing",
    "OwnTyping",
    "Roll",
    "Service",
    "Told",
    "Turn",
    "quoted",
]

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


@frozen(weakref_slot=False)
class OpenForm:
    """A form that waits, and what it looked like when it came."""

    form: Form
    content: str
    stamp: float | None = None
    """The server's time of it."""


@frozen(weakref_slot=False)
class ClosedForm:
    """A form that waits no more: why, since when, and the server's time of it."""

    reason: FormReason
    at: float
    stamp: float | None = None


@define(weakref_slot=False)
class Answers:
    """What the customer answered, or nobody will."""

    forms: dict[str, ClosedForm] | None = None
    """By request id, the last of those that wait no more."""
    text_at: float | None = None
    """The server's time of the customer's last text."""


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
class Told:
    """What was told: see `identity`."""

    ids: dict[str, dict[str, str]] = field(factory=dict)
    """By speaker and id."""
    count: int = 0
    complete: bool = True
    """Whether nothing of it had to be forgotten."""


@define(weakref_slot=False)
class Roll:
    """Who came and went, on the server's clock."""

    departed: dict[str, float | None] | None = None
    """Who left, and when; None: the server did not say."""
    arrivals: dict[str, tuple[float, float]] | None = None
    """When those who are here first and last joined, where it said."""


@frozen(weakref_slot=False)
class Call:
    """The call, as far as signaling tells."""

    state: str = law.CALL.initial
    party: str | None = None
    """Who offered it, where that is known."""
    candidates: tuple[IceCandidate, ...] = ()
    """Those that came before the answer."""


@frozen(weakref_slot=False)
class Service:
    """What the service says about itself."""

    case_id: str | None = None
    case_at: float | None = None
    """The server's time of it; infinite where the server did not say; None: it never spoke."""
    name: str | None = None
    name_at: float | None = None
    """As `case_at`."""
    cobrowsing: str | None = None


quicken((OpenForm, ClosedForm))

_NO_COUNTS: Final = Counts()
_NO_CALL: Final = Call()
_NO_SERVICE: Final = Service()


@define(weakref_slot=False)
class Memory:
    """All that a session knows. What is empty is None, or shared by all: most sessions wait."""

    chat_id: str
    state: str = law.LIFECYCLE.initial
    ewt: float | None = None
    outcome_text: str | None = None
    parties: tuple[Party, ...] = ()
    roll: Roll | None = None
    typing: dict[str, float] | None = None
    """Who types, and until when that is believed."""
    forms: dict[str, OpenForm] | None = None
    """By request id, in the order of opening."""
    answers: Answers | None = None
    own_typing: OwnTyping | None = None
    outbox: dict[str, Outgoing] | None = None
    """By msg_id, in the order of saying: what is on its way, and the last that has arrived."""
    next_number: int = 1
    warning: str | None = None
    call: Call = _NO_CALL
    service: Service = _NO_SERVICE
    told: Told | None = None
    counts: Counts | None = field(default=None, eq=lambda counts: counts or _NO_COUNTS)
    """None before the first input."""
    wake: float = field(default=inf, eq=False)
    """No deadline is before this; a bound, so that an input compares one number."""
    own_name: str | None = field(default=None, eq=False)
    """The customer's id as it was last spelled; looked at first, as it comes in any case."""

    def party(self, party_id: str | None) -> Party | None:
        """Who has this id, where that was announced; the customer's counts in any case."""
        return self.announced(self.chat_id if self.is_own(party_id) else party_id)

    def announced(self, party_id: str | None) -> Party | None:
        """Who was announced with just this id; the customer has the chat's."""
        for party in self.parties:
            if party.party_id == party_id:
                return party
        return None

    def is_own(self, party_id: str | None) -> bool:
        """Whether the id is the customer's: that of the chat, without case (PROTOCOL.md §3)."""
        if party_id == self.own_name:
            return party_id is not None
        told = self.told
        # Who spoke before under just this id is somebody else: the customer is told of by the
        # chat's own. It saves looking closely at each message of an agent.
        if told is not None and party_id in told.ids and party_id > "\1":
            return party_id == self.chat_id
        if party_id is None or len(party_id) != len(self.chat_id):
            return False
        is_own = party_id.casefold() == self.chat_id.casefold()
        if is_own:
            self.own_name = party_id
        return is_own


@define(weakref_slot=False, eq=False)
class Turn:
    """What one input after the other is heard in: the memory it meets, and what has followed."""

    memory: Memory
    settings: Settings
    counts: Counts
    listeners: Mapping[type, Callable[[Turn, Any], bool | None]]
    """Who listens to which event in the present state."""
    now: float = 0.0
    effects: list[Effect] = field(factory=list)
    """What follows from the input, so far."""
    anomalies: list[Effect] | None = None
    said: list[tuple[dict[str, Any], str | None]] | None = None
    """What goes to the server, so far, each with the msg_id of which the fate is to be known."""
    replaying: bool = False
    """Whether what is heard is past."""

    def say(self, event: dict[str, Any], msg_id: str | None = None) -> None:
        """Add what goes to the server; `msg_id` where its fate is to be known."""
        if self.said is None:
            self.said = []
        self.said.append((event, msg_id))

    def post(self) -> None:
        """Tell the transport what to send."""
        if self.said is not None:
            events = tuple(event for event, _ in self.said)
            msg_ids = tuple(msg_id for _, msg_id in self.said if msg_id is not None)
            self.effects.append(SendEvents(events, msg_ids))
            self.said = None

    def absorb(self) -> bool:
        """Count an event whose content was told already; True, for a listener to return."""
        self.counts.duplicates += 1
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
        self.counts.anomalies += 1
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
