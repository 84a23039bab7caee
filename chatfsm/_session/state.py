"""State: everything that a session remembers, and the context of one `receive` call."""

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

# Characters of a name from the wire that an error text quotes.
_MAX_QUOTED: Final = 80

LARGEST: Final = 1.7976931348623157e308
"""The largest float: deadlines end here, because JSON has no infinity."""

# Types of fields; `snapshot_fields` has a hook for each of them.

Fingerprint = str | bytes
"""A short content as it is, or the digest of a long one; equal for equal contents."""

SessionTime = Annotated[float, "session"]
"""Seconds on the session's clock, which is the `now` of `receive`."""

ServerTime = Annotated[float, "server"]
"""Seconds on the server's clock; infinite for a live event that bore no time."""

Scope = str | tuple[str, str | None] | None
"""The range in which an id is unique: a party id (None if the event has none), or a kind of event
with the party id that it is unique for."""

MessageKey = str | tuple[str, Fingerprint] | tuple[None, Fingerprint, float | None]
"""A msg_id; or a reused msg_id with its other content; or None, content and time of an event
without a msg_id."""

SeenIds = dict[Scope, dict[MessageKey, Fingerprint]]
"""The ids that the session has seen, with their contents."""

JoinTimes = float | tuple[float, float] | None
"""The server time of a join, or of the first and the last join; None if the events bore none."""


@define(weakref_slot=False)
class Counts:
    """Numbers of the events that a session has received and of the effects that it has returned."""

    events: int = 0
    """Events before the end of the session."""
    effects: int = 0
    """Effects of every kind."""
    duplicates: int = 0
    """Events that said nothing new, so that no effect followed."""
    unknown: int = 0
    """Events with a name that chatfsm does not know."""
    malformed: int = 0
    """Events that could not be decoded."""
    anomalies: int = 0
    """`Anomaly` effects of every kind."""
    late: int = 0
    """Events after the end of the session; they are in no other count."""


@frozen(weakref_slot=False)
class OpenForm:
    """A form that awaits an answer."""

    form: Form
    fingerprint: bytes
    """A digest of the event that showed the form."""
    server_time: float | None = None
    """The server time of that event; None if it bore none."""


@frozen(weakref_slot=False)
class ClosedForm:
    """A form that was closed."""

    reason: FormReason
    at: SessionTime
    server_time: float | None = None
    """The server time of the event that closed the form; None if it bore none."""


@define(weakref_slot=False)
class OwnTyping:
    """The typing notification of the customer, as the server has it."""

    sent_at: SessionTime
    """When the notification was last sent."""
    deadline: SessionTime
    """When the session stops it, unless the app starts typing again."""


@define(weakref_slot=False)
class Outgoing:
    """A message of the app on its way to the server."""

    events: tuple[dict[str, Any], ...]
    """The wire events, to be sent again if need be; empty once it has arrived or failed."""
    echo: tuple[Fingerprint, ...] = ()
    """The contents by which its echo is recognized."""
    state: Annotated[str, tables.DELIVERY] = tables.DELIVERY.initial


@frozen(weakref_slot=False)
class Call:
    """The voice or video call, as far as signaling shows it."""

    state: Annotated[str, tables.CALL] = tables.CALL.initial
    party: str | None = None
    """The party that offered the call, if known."""
    candidates: tuple[IceCandidate, ...] = ()
    """The ICE candidates that arrived before the answer."""


@frozen(weakref_slot=False)
class Service:
    """The case, the name of the service, and co-browsing."""

    case_id: str | None = None
    case_at: ServerTime | None = None
    """The server time of the last event about the case; None if there was no event."""
    name: str | None = None
    name_at: ServerTime | None = None
    """As `case_at`."""
    cobrowsing: str | None = None


_INITIAL_CALL: Final = Call()
_INITIAL_SERVICE: Final = Service()


@define(weakref_slot=False)
class SessionState(Counts):
    """Everything that a session remembers.

    Empty collections are None, or one value that all sessions share: most sessions have few events,
    and a server has many sessions.
    """

    chat_id: str = field(kw_only=True)
    state: Annotated[str, tables.LIFECYCLE] = tables.LIFECYCLE.initial
    ewt: float | None = None
    outcome_text: str | None = None
    parties: tuple[Party, ...] = ()
    joined_at: tuple[JoinTimes, ...] = ()
    """For each of the parties, its join times."""
    departed: dict[str, float | None] | None = None
    """Party id → server time of its leave; None if the event bore none."""
    departed_complete: bool = True
    """Whether no entry of `departed` was evicted."""
    typing: dict[str, SessionTime] | None = None
    """Party id → deadline of its typing notification."""
    forms: dict[str, OpenForm] | None = None
    """Request id → open form, in the order of opening."""
    closed_forms: dict[str, ClosedForm] | None = None
    """Request id → closed form, the last `Settings.max_forms` of them."""
    own_text_at: float | None = None
    """The server time of the customer's last text."""
    own_typing: OwnTyping | None = None
    outbox: dict[str, Outgoing] | None = None
    """msg_id → message, in the order of sending: the unconfirmed ones and the last that arrived."""
    next_number: int = 1
    """The number in the next msg_id of this session."""
    warning: str | None = None
    call: Call = _INITIAL_CALL
    service: Service = _INITIAL_SERVICE
    seen_ids: SeenIds = field(factory=dict)
    """See `duplicates`."""
    seen_count: int = 0
    """The number of keys in `seen_ids`."""
    seen_complete: bool = True
    """Whether no key was evicted."""
    deadline_bound: float = field(default=inf, eq=False)
    """A lower bound of all deadlines, so that an input needs one comparison."""
    last_own_id: str = field(
        default=Factory(lambda memory: memory.chat_id, takes_self=True), eq=False
    )
    """The last spelling of the customer's id, which comes in upper and lower case."""
    last_other_id: str | None = field(default=None, eq=False)
    """The last id that was not the customer's, because most events repeat the id before."""

    def party_or_customer(self, party_id: str | None) -> Party | None:
        """Return the party with this id, or the customer's party if the id is the customer's."""
        return self.party_by_id(self.chat_id if self.is_own(party_id) else party_id)

    def party_by_id(self, party_id: str | None) -> Party | None:
        """Return the party with exactly this id; the customer's party has the chat's id."""
        for party in self.parties:
            if party.party_id == party_id:
                return party
        return None

    def is_own(self, party_id: str | None) -> bool:
        """Whether the id is the customer's: the chat's, ignoring case (PROTOCOL.md §3)."""
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
    """The context of one `receive` call: the state, the settings, the time, and the effects so far.

    A session reuses one turn for all calls.
    """

    memory: SessionState
    settings: Settings
    now: float = 0.0
    effects: list[Effect] = field(factory=list)
    anomalies: list[Effect] | None = None
    """`Anomaly` effects, which follow all others."""
    queued_events: list[tuple[dict[str, Any], str | None]] | None = None
    """Wire events to send, each with the msg_id of the message whose delivery is tracked."""
    in_history: bool = False
    """Whether the event comes from a history."""

    def queue_event(self, event: dict[str, Any], msg_id: str | None = None) -> None:
        """Queue a wire event; `msg_id` if its delivery is tracked."""
        if self.queued_events is None:
            self.queued_events = []
        self.queued_events.append((event, msg_id))

    def flush(self) -> None:
        """Turn the queued wire events into one `SendEvents` effect."""
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
        """Count a duplicate; returns True, for a handler to skip those after it."""
        self.memory.duplicates += 1
        return True

    def report_violation(self, kind: AnomalyKind, text: str, raw: object = None) -> None:
        """Report a violation of the protocol by the server, before the state is changed.

        Raises `RemoteProtocolError` if the session is strict; else adds an `Anomaly`.
        """
        if self.settings.strict:
            raise RemoteProtocolError(kind, text)
        self.add_anomaly(Anomaly(kind, text, raw))

    def add_anomaly(self, anomaly: Anomaly) -> None:
        """Add an `Anomaly`, which follows the other effects of the input."""
        self.memory.anomalies += 1
        if self.in_history:
            anomaly = evolve(anomaly, replayed=True)
        logger.warning("chat %a: anomaly, %s", self.memory.chat_id, anomaly.kind)
        if self.anomalies is None:
            self.anomalies = []
        self.anomalies.append(anomaly)


def quoted(name: str | None) -> str:
    """Return a name from the wire for an error text: in ASCII, at most 80 characters of it."""
    text = str(name)
    return ascii(text if len(text) <= _MAX_QUOTED else text[:_MAX_QUOTED] + "…")


# Deadlines.


class DueAction(NamedTuple):
    """An action whose deadline has passed; `subject` is a party id or a request id."""

    deadline: float
    run: Callable[[Turn, str], None]
    subject: str


def deadline_after(now: float, seconds: float) -> float:
    """Return the time `seconds` after `now`, but no infinity."""
    at = now + seconds
    return at if at < LARGEST else LARGEST  # noqa: FURB136  # a third of the time of min()


def next_deadline(memory: SessionState) -> float:
    """Return the earliest deadline of a session, or infinity if it has none."""
    typing = min(memory.typing.values()) if memory.typing else inf
    if memory.own_typing is not None:
        typing = min(typing, memory.own_typing.deadline)
    if not memory.forms:
        return typing
    forms = (waiting.form.deadline for waiting in memory.forms.values())
    return min(typing, *(deadline for deadline in forms if deadline is not None), inf)


def run_due(turn: Turn, due: Iterable[DueAction]) -> None:
    """Run the actions in the order of their deadlines.

    Raises `LocalProtocolError` if the time of the turn is not finite.
    """
    if not isfinite(turn.now):
        raise LocalProtocolError(f"now must be a finite number of seconds, not {turn.now}")
    for item in sorted(due, key=lambda item: item.deadline):
        item.run(turn, item.subject)
    turn.flush()
    turn.memory.deadline_bound = next_deadline(turn.memory)
