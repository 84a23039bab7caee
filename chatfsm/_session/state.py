"""Session state: everything that a session remembers, as one attrs object of slots."""

from __future__ import annotations

import re
from math import inf
from typing import Annotated, Any, Final

from attrs import Factory, define, evolve, field, frozen

from chatfsm._log import log_fields, logger
from chatfsm._session import tables
from chatfsm.effects import Anomaly, Effect, FormReason, Ignored, OutgoingMessage, SendEvents
from chatfsm.errors import RemoteProtocolError
from chatfsm.events import Event
from chatfsm.models import AnomalyKind, Form, Party
from chatfsm.settings import Settings
from chatfsm.signaling import IceCandidate

__all__ = [
    "DEFAULT_SETTINGS",
    "LARGEST",
    "Call",
    "ClosedForm",
    "Counts",
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
    "checked_token",
    "deadline_after",
    "history_time",
    "is_token",
    "next_deadline",
    "quoted",
]

# Characters of a name from the wire that an explanation quotes.
_MAX_QUOTED: Final = 80
_TOKEN: Final = re.compile(r"[A-Za-z0-9._-]{0,64}", re.ASCII)
LARGEST: Final = 1.7976931348623157e308
"""The largest float: deadlines end here, because JSON has no infinity."""
DEFAULT_SETTINGS: Final = Settings()

Fingerprint = str | bytes
"""The content of an event: the text itself if it is short, else a digest of it."""

SessionTime = Annotated[float, "session"]
"""Seconds on the session's clock, which is the `now` of `receive`."""

ServerTime = Annotated[float, "server"]
"""Seconds since 1970 on the server's clock; infinity for a live event without a timestamp."""

Scope = str | tuple[str, str | None] | None
"""Where an id counts: a party's messages; or a kind of event, with or without a party."""

MessageKey = str | tuple[str, Fingerprint] | tuple[None, Fingerprint, float | None]
"""An id; a reused id with its further content; or content and time of an event without an id."""

SeenIds = dict[Scope, dict[MessageKey, Fingerprint]]


@define(weakref_slot=False)
class Counts:
    """Counters of one session."""

    events: int = 0
    """Events processed before the end, those of histories included."""
    effects: int = 0
    """Effects returned."""
    duplicates: int = 0
    """Events ignored because their content was reported before."""
    unknown: int = 0
    """Events of a name that chatfsm does not know, reported as `UnknownReceived`."""
    malformed: int = 0
    """Items of a reply that are no usable event, reported as `Anomaly("malformed")`."""
    anomalies: int = 0
    """`Anomaly` effects of every kind."""
    late: int = 0
    """Events after the end; no other counter includes them."""


@frozen(weakref_slot=False)
class OpenForm:
    """A form that awaits an answer."""

    form: Form
    fingerprint: Fingerprint
    """Content of the event that showed it."""
    server_time: float | None = None
    """Timestamp of that event, seconds since 1970."""


@frozen(weakref_slot=False)
class ClosedForm:
    """A form that no longer awaits an answer: why, and since when on the session's clock."""

    reason: FormReason
    at: SessionTime
    server_time: float | None = None
    """Timestamp of the event that closed it, seconds since 1970."""


@define(weakref_slot=False)
class OwnTyping:
    """The customer types: time of the last notification, and deadline of the next key."""

    sent_at: SessionTime
    deadline: SessionTime


@define(weakref_slot=False)
class Outgoing:
    """A message of the app: its wire events for a repeat, fingerprints of its echo, its state."""

    events: tuple[dict[str, Any], ...]
    echo: tuple[Fingerprint, ...] = ()
    state: Annotated[str, tables.DELIVERY] = tables.DELIVERY.initial


@frozen(weakref_slot=False)
class Call:
    """The voice or video call, as far as signaling describes it."""

    state: Annotated[str, tables.CALL] = tables.CALL.initial
    party: str | None = None
    """Party that offered the call, if the event named it."""
    candidates: tuple[IceCandidate, ...] = ()
    """ICE candidates received before the answer."""


@frozen(weakref_slot=False)
class Service:
    """Case, service name and co-browsing state."""

    case_id: str | None = None
    case_at: ServerTime | None = None
    """Timestamp of the case; infinity if the event had none; None before the first one."""
    name: str | None = None
    name_at: ServerTime | None = None
    """Timestamp of the name, as `case_at`."""
    cobrowsing: str | None = None


JoinTimes = float | tuple[float, float] | None
"""Timestamp of a party's join, or of its first and last one; None if the event had none."""

_NO_CALL: Final = Call()
_NO_SERVICE: Final = Service()


@define(weakref_slot=False)
class SessionState(Counts):
    """One session. Empty containers are None: they are made when first needed.

    `settings` and the fields after it belong to the present input or follow from the others: they
    are in no snapshot, and equality ignores them.
    """

    chat_id: str = field(kw_only=True)
    state: Annotated[str, tables.LIFECYCLE] = tables.LIFECYCLE.initial
    ewt: float | None = None
    outcome_text: str | None = None
    parties: tuple[Party, ...] = ()
    """In the order of joining."""
    joined_at: tuple[JoinTimes, ...] = ()
    """For each of `parties`."""
    departed: dict[str, float | None] | None = None
    """Parties that left: id and timestamp, None if the event had none."""
    departed_complete: bool = True
    """Whether `departed` still holds every party that left."""
    typing: dict[str, SessionTime] | None = None
    """Parties that type: id and deadline."""
    forms: dict[str, OpenForm] | None = None
    """Open forms by request id, in the order of opening."""
    closed_forms: dict[str, ClosedForm] | None = None
    """The last closed forms by request id."""
    own_text_at: float | None = None
    """Timestamp of the customer's last text."""
    own_typing: OwnTyping | None = None
    outbox: dict[str, Outgoing] | None = None
    """Messages of the app by msg_id, in order: all undecided ones, and the last of the others."""
    token: str = ""
    """Text before the number in own message ids: another one for each device and each run."""
    next_number: int = 1
    warning: str | None = None
    call: Call = _NO_CALL
    service: Service = _NO_SERVICE
    seen_ids: SeenIds = field(factory=dict)
    """Reported content by scope and id: see `duplicates`."""
    seen_count: int = 0
    """Number of ids in `seen_ids`."""
    seen_complete: bool = True
    """Whether no id was evicted from `seen_ids`."""
    settings: Settings = field(default=DEFAULT_SETTINGS, eq=False, repr=False)
    now: float = field(default=0.0, eq=False, repr=False)
    """Time of the present input."""
    anomalies_found: list[Effect] | None = field(default=None, eq=False, repr=False)
    """Anomalies of the present input, which are reported after its other effects."""
    queued_events: list[tuple[dict[str, Any], str | None]] | None = field(
        default=None, eq=False, repr=False
    )
    """Wire events to send, each with its msg_id if its delivery is tracked."""
    in_history: bool = field(default=False, eq=False, repr=False)
    """Whether the present event comes from a history."""
    deadline_bound: float = field(default=inf, eq=False, repr=False)
    """No deadline is earlier: `receive` compares one number per input."""
    last_own_id: str = field(
        default=Factory(lambda it: it.chat_id, takes_self=True), eq=False, repr=False
    )
    """Last spelling of the customer's id, which comes in any case."""
    last_other_id: str | None = field(default=None, eq=False, repr=False)
    """Last id that was not the customer's: consecutive events are often of one party."""
    last_other_party: Party | None = field(default=None, eq=False, repr=False)
    """The party of `last_other_id`; None if it is not in the roster."""

    def is_own(self, party_id: str | None) -> bool:
        """Whether the id is the customer's: equal to the chat's, ignoring case (PROTOCOL.md §3)."""
        if party_id == self.last_other_id or party_id is None:
            return False
        if party_id == self.last_own_id:
            return True
        chat_id = self.chat_id
        if len(party_id) == len(chat_id) and party_id.casefold() == chat_id.casefold():
            self.last_own_id = party_id
            return True
        self.last_other_id, self.last_other_party = party_id, self.party(party_id)
        return False

    def party(self, party_id: str | None) -> Party | None:
        """Return the party with exactly this id; the customer is listed under the chat's id."""
        for party in self.parties:
            if party.party_id == party_id:
                return party
        return None

    def count_duplicate(self, event: Event, effects: list[Effect]) -> None:
        """Count an event that brings nothing new; `Settings.explain` reports it as well."""
        self.duplicates += 1
        if self.settings.explain:
            effects.append(Ignored("duplicate", event))

    def report_violation(self, kind: AnomalyKind, text: str, raw: object = None) -> None:
        """Report what the server should not have sent; call it before anything is changed.

        Raises `RemoteProtocolError` in a strict session, else adds an `Anomaly`.
        """
        if self.settings.strict:
            raise RemoteProtocolError(kind, text)
        self.add_anomaly(kind, text, raw)

    def add_anomaly(self, kind: AnomalyKind, text: str, raw: object = None) -> None:
        """Add an `Anomaly`, which is reported after the other effects of the input."""
        self.anomalies += 1
        anomaly = Anomaly(kind, text, raw)
        if self.in_history:
            anomaly = evolve(anomaly, replayed=True)
        logger.warning("chat %a: anomaly, %s", self.chat_id, kind, extra=log_fields(self.chat_id))
        if self.anomalies_found is None:
            self.anomalies_found = []
        self.anomalies_found.append(anomaly)

    def queue_event(self, event: dict[str, Any], msg_id: str | None = None) -> None:
        """Queue a wire event; `msg_id` if its delivery is tracked."""
        if self.queued_events is None:
            self.queued_events = []
        self.queued_events.append((event, msg_id))

    def flush(self, effects: list[Effect]) -> None:
        """Turn the queued wire events into one `SendEvents`."""
        if self.queued_events is not None:
            messages = []
            before: list[dict[str, Any]] = []  # the events that belong to the message after them
            for event, msg_id in self.queued_events:
                before.append(event)
                if msg_id is not None:
                    messages.append(OutgoingMessage(tuple(before), msg_id))
                    before = []
            messages += [OutgoingMessage((event,)) for event in before]
            effects.append(SendEvents(tuple(messages)))
            self.queued_events = None


def is_token(token: object) -> bool:
    """Whether a value can begin message ids."""
    return isinstance(token, str) and _TOKEN.fullmatch(token) is not None


def checked_token(token: str) -> str:
    """Return a token for message ids. Raises ValueError if it is none."""
    if not is_token(token):
        raise ValueError(
            "token must be a text of at most 64 letters, digits, '-', '.' and '_', not"
            f" {token!r:.40}"
        )
    return token


def quoted(word: str | None) -> str:
    """Return a name from the wire for an explanation: shortened, in ASCII, in quotes."""
    text = str(word)
    return ascii(text if len(text) <= _MAX_QUOTED else text[:_MAX_QUOTED] + "…")


def deadline_after(now: float, seconds: float) -> float:
    """Return the time `seconds` from now; at most the largest float, which JSON can hold."""
    at = now + seconds
    return at if at < LARGEST else LARGEST  # noqa: FURB136  # a third of the time of min()


def history_time(timestamp: float | None) -> float:
    """Return the timestamp of an event of a history; before all others if it has none."""
    return -1.0 if timestamp is None else timestamp


def next_deadline(session: SessionState) -> float:
    """Return the next moment at which something expires; infinity if nothing does."""
    earliest = min(session.typing.values()) if session.typing else inf
    if session.own_typing is not None:
        earliest = min(earliest, session.own_typing.deadline)
    if not session.forms:
        return earliest
    forms = (waiting.form.deadline for waiting in session.forms.values())
    return min(earliest, *(deadline for deadline in forms if deadline is not None), inf)
