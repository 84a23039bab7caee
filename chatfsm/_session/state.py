"""What a session remembers, and the turn in which one input is heard."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import inf, isfinite
from typing import Annotated, Any, Final, NamedTuple

from attrs import Factory, define, evolve, field, frozen

from chatfsm._log import logger
from chatfsm._session import tables
from chatfsm.effects import Anomaly, Effect, FormReason, OutgoingMessage, SendEvents
from chatfsm.errors import LocalProtocolError, RemoteProtocolError
from chatfsm.models import AnomalyKind, Form, Party
from chatfsm.settings import Settings
from chatfsm.signaling import IceCandidate

__all__ = [
    "LARGEST",
    "Call",
    "ClosedForm",
    "Counts",
    "DueAction",
    "Fingerprint",
    "JoinTimes",
    "MessageKey",
    "OpenForm",
    "Outgoing",
    "OwnTyping",
    "Scope",
    "SeenIds",
    "ServerTime",
    "Service",
    "SessionState",
    "SessionTime",
    "Turn",
    "deadline_after",
    "next_deadline",
    "quoted",
    "run_due",
]

# How much of a name from the wire an explanation quotes.
_MAX_QUOTED: Final = 80

LARGEST: Final = 1.7976931348623157e308
"""The largest float: deadlines end here, because JSON has no infinity."""


Fingerprint = str | bytes
"""What somebody said, where that is short; else a digest of it."""

SessionTime = Annotated[float, "session"]
"""Seconds on the session's clock, which is the `now` of `receive`."""

ServerTime = Annotated[float, "server"]
"""Seconds on the server's clock; infinite for a live event that bore no time."""

Scope = str | tuple[str, str | None] | None
"""A party; or a kind of event, and a party where it is one's own; None: nobody was named."""

MessageKey = str | tuple[str, Fingerprint] | tuple[None, Fingerprint, float | None]
"""An id; an id that came again with this further content; the content and time of what has none."""

SeenIds = dict[Scope, dict[MessageKey, Fingerprint]]


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
    fingerprint: bytes
    """A digest of it."""
    server_time: float | None = None
    """The server's time of it."""


@frozen(weakref_slot=False)
class ClosedForm:
    """A form that waits no more: why, since when, and the server's time of it."""

    reason: FormReason
    at: SessionTime
    server_time: float | None = None


@define(weakref_slot=False)
class OwnTyping:
    """The customer types: when that was told last, and until when it is believed."""

    sent_at: SessionTime
    deadline: SessionTime


@define(weakref_slot=False)
class Outgoing:
    """What was said and may have to be said again, and what its echo may hold."""

    events: tuple[dict[str, Any], ...]
    echo: tuple[Fingerprint, ...] = ()
    state: Annotated[str, tables.DELIVERY] = tables.DELIVERY.initial


@frozen(weakref_slot=False)
class Call:
    """The call, as far as signaling tells."""

    state: Annotated[str, tables.CALL] = tables.CALL.initial
    party: str | None = None
    """Who offered it, where that is known."""
    candidates: tuple[IceCandidate, ...] = ()
    """Those that came before the answer."""


@frozen(weakref_slot=False)
class Service:
    """What the service says about itself."""

    case_id: str | None = None
    case_at: ServerTime | None = None
    """The server's time of it; infinite where the server did not say; None: it never spoke."""
    name: str | None = None
    name_at: ServerTime | None = None
    """As `case_at`."""
    cobrowsing: str | None = None


JoinTimes = float | tuple[float, float] | None
"""When somebody joined, or first and last joined; None: the server did not say."""

_INITIAL_CALL: Final = Call()
_INITIAL_SERVICE: Final = Service()


@define(weakref_slot=False)
class SessionState(Counts):
    """All that a session knows. What is empty is None, or shared by all: most sessions wait."""

    chat_id: str = field(kw_only=True)
    state: Annotated[str, tables.LIFECYCLE] = tables.LIFECYCLE.initial
    ewt: float | None = None
    outcome_text: str | None = None
    parties: tuple[Party, ...] = ()
    joined_at: tuple[JoinTimes, ...] = ()
    """When each of the parties joined, on the server's clock."""
    departed: dict[str, float | None] | None = None
    """Who left, and when on the server's clock; None: it did not say."""
    departed_complete: bool = True
    """Whether nobody of them had to be forgotten."""
    typing: dict[str, SessionTime] | None = None
    """Who types, and until when that is believed."""
    forms: dict[str, OpenForm] | None = None
    """By request id, in the order of opening."""
    closed_forms: dict[str, ClosedForm] | None = None
    """By request id, the last of the forms that wait no more."""
    own_text_at: float | None = None
    """The server's time of the customer's last text."""
    own_typing: OwnTyping | None = None
    outbox: dict[str, Outgoing] | None = None
    """By msg_id, in the order of saying: what is on its way, and the last that has arrived."""
    next_number: int = 1
    warning: str | None = None
    call: Call = _INITIAL_CALL
    service: Service = _INITIAL_SERVICE
    seen_ids: SeenIds = field(factory=dict)
    """What was told, by speaker and id: see `identity`."""
    seen_count: int = 0
    """How many ids that are."""
    seen_complete: bool = True
    """Whether nothing of it had to be forgotten."""
    deadline_bound: float = field(default=inf, eq=False)
    """No deadline is before this; a bound, so that an input compares one number."""
    last_own_id: str = field(
        default=Factory(lambda memory: memory.chat_id, takes_self=True), eq=False
    )
    """The customer's id as it was last spelled; it comes in any case."""
    last_other_id: str | None = field(default=None, eq=False)
    """The last id that was not the customer's: most events are of whom the one before was of."""

    def party_or_customer(self, party_id: str | None) -> Party | None:
        """Who has this id, where that was announced; the customer's counts in any case."""
        return self.party_by_id(self.chat_id if self.is_own(party_id) else party_id)

    def party_by_id(self, party_id: str | None) -> Party | None:
        """Who was announced with just this id; the customer has the chat's."""
        for party in self.parties:
            if party.party_id == party_id:
                return party
        return None

    def is_own(self, party_id: str | None) -> bool:
        """Whether the id is the customer's: that of the chat, without case (PROTOCOL.md §3)."""
        if party_id == self.last_other_id or party_id is None:
            return False
        if party_id == self.last_own_id:
            return True
        chat_id = self.chat_id
        if len(party_id) == len(chat_id) and party_id.casefold() == chat_id.casefold():
            self.last_own_id = party_id
            return True
        self.last_other_id = party_id
        return False


@define(weakref_slot=False, eq=False)
class Turn:
    """What one input after the other is heard in: the memory it meets, and what has followed."""

    memory: SessionState
    settings: Settings
    now: float = 0.0
    effects: list[Effect] = field(factory=list)
    """What follows from the input, so far."""
    anomalies: list[Effect] | None = None
    queued_events: list[tuple[dict[str, Any], str | None]] | None = None
    """What goes to the server, so far, each with the msg_id of which the fate is to be known."""
    in_history: bool = False
    """Whether what is heard is past."""

    def queue_event(self, event: dict[str, Any], msg_id: str | None = None) -> None:
        """Add what goes to the server; `msg_id` where its fate is to be known."""
        if self.queued_events is None:
            self.queued_events = []
        self.queued_events.append((event, msg_id))

    def flush(self) -> None:
        """Tell the transport what to send."""
        if self.queued_events is not None:
            messages = []
            before: list[dict[str, Any]] = []  # what belongs to the message after it
            for event, msg_id in self.queued_events:
                before.append(event)
                if msg_id is not None:
                    messages.append(OutgoingMessage(tuple(before), msg_id))
                    before = []
            messages += [OutgoingMessage((event,)) for event in before]
            self.effects.append(SendEvents(tuple(messages)))
            self.queued_events = None

    def count_duplicate(self) -> bool:
        """Count an event whose content was told already; True, for a listener to return."""
        self.memory.duplicates += 1
        return True

    def report_violation(self, kind: AnomalyKind, text: str, raw: object = None) -> None:
        """Report what the server should not have done: call it before anything is changed.

        A strict session raises `RemoteProtocolError`. A lenient one tells the `Anomaly` after all
        that the input brought.
        """
        if self.settings.strict:
            raise RemoteProtocolError(kind, text)
        self.add_anomaly(Anomaly(kind, text, raw))

    def add_anomaly(self, anomaly: Anomaly) -> None:
        """Tell an anomaly that is nobody's violation, after all that the input brought."""
        self.memory.anomalies += 1
        if self.in_history:
            anomaly = evolve(anomaly, replayed=True)
        logger.warning("chat %a: anomaly, %s", self.memory.chat_id, anomaly.kind)
        if self.anomalies is None:
            self.anomalies = []
        self.anomalies.append(anomaly)


def quoted(word: str | None) -> str:
    """A name from the wire as an explanation may quote it: short, and in plain ASCII."""
    text = str(word)
    return ascii(text if len(text) <= _MAX_QUOTED else text[:_MAX_QUOTED] + "…")


# What is due: moments at which something ends by itself.


class DueAction(NamedTuple):
    """One lapse: since when it is due, what then happens, and to whom or what."""

    deadline: float
    run: Callable[[Turn, str], None]
    subject: str


def deadline_after(now: float, seconds: float) -> float:
    """So many seconds from now; a number that can be written, however far off."""
    at = now + seconds
    return at if at < LARGEST else LARGEST  # noqa: FURB136  # a third of the time of min()


def next_deadline(memory: SessionState) -> float:
    """The next moment at which something is due; infinity where nothing will be."""
    typing = min(memory.typing.values()) if memory.typing else inf
    if memory.own_typing is not None:
        typing = min(typing, memory.own_typing.deadline)
    if not memory.forms:
        return typing
    forms = (waiting.form.deadline for waiting in memory.forms.values())
    return min(typing, *(deadline for deadline in forms if deadline is not None), inf)


def run_due(turn: Turn, due: Iterable[DueAction]) -> None:
    """Let everything that is due happen, the oldest first. Refuses a time that is no number."""
    if not isfinite(turn.now):
        raise LocalProtocolError(f"now must be a finite number of seconds, not {turn.now}")
    for item in sorted(due, key=lambda item: item.deadline):
        item.run(turn, item.subject)
    turn.flush()
    turn.memory.deadline_bound = next_deadline(turn.memory)
