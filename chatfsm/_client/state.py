"""State of a client: its transition tables, its memory, and the context of one `receive`."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any, Final, Literal, cast

from attrs import define, field, setters
from attrs.validators import in_

from chatfsm._client.http_api import MethodSpec
from chatfsm._client.journal import Journal, recorded
from chatfsm._session.session import ChatSession
from chatfsm._statemachine import Row, TransitionTable, transition_table
from chatfsm._values import fast_constructor
from chatfsm.api import ApiRequest
from chatfsm.client_effects import ClientEffect
from chatfsm.effects import Effect, OutgoingMessage, SendEvents, Terminated
from chatfsm.endpoint import Endpoint
from chatfsm.errors import RemoteProtocolError
from chatfsm.events import Ended, Event, InactivityTimeout, Status
from chatfsm.inputs import Input, Lost
from chatfsm.settings import ClientSettings
from chatfsm.transport import HttpRequest, RequestPurpose

__all__ = [
    "HISTORY_TABLE",
    "LINK_TABLE",
    "POLL_TABLE",
    "POST_TABLE",
    "ClientState",
    "ClientTurn",
    "Ending",
    "PendingRequest",
    "QueuedItem",
    "RetryTimer",
    "next_state",
]

_http_request: Final = fast_constructor(HttpRequest)

# Transition tables. Each is a table of rows (L2): trigger, source, destination.


def _from(trigger: str, sources: tuple[str, ...], destination: str) -> tuple[Row, ...]:
    return tuple((trigger, source, destination) for source in sources)


# The link to the server, as `LinkChanged` reports it.

_UP: Final = ("waiting", "live", "retrying")

LINK_TABLE: Final[TransitionTable] = transition_table(
    "link",
    ("waiting", "live", "retrying", "unauthorized", "over"),
    (
        *_from("succeeded", _UP, "live"),
        *_from("failed", _UP, "retrying"),
        *_from("busy", _UP, "waiting"),  # the server asks the client to wait
        *_from("refused", _UP, "unauthorized"),
        ("resume", "unauthorized", "retrying"),
        *_from("end", (*_UP, "unauthorized"), "over"),
    ),
)

# The poll. Whether it succeeds or fails, the next one is due.

POLL_TABLE: Final[TransitionTable] = transition_table(
    "poll",
    ("closed", "due", "in_flight"),
    (
        ("open", "closed", "due"),
        ("send", "due", "in_flight"),
        ("answer", "in_flight", "due"),
        ("fail", "in_flight", "due"),
    ),
)

# The request for the history. A gap that is found while one is in flight makes it stale: its reply
# cannot fill that gap, so another one follows.

HISTORY_TABLE: Final[TransitionTable] = transition_table(
    "history",
    ("fresh", "due", "in_flight", "stale"),
    (
        ("request", "fresh", "due"),
        ("request", "due", "due"),
        ("request", "in_flight", "stale"),
        ("request", "stale", "stale"),
        ("send", "due", "in_flight"),
        ("answer", "in_flight", "fresh"),
        ("answer", "stale", "due"),
        ("fail", "in_flight", "due"),
        ("fail", "stale", "due"),
        ("give_up", "in_flight", "fresh"),
        ("give_up", "stale", "fresh"),
    ),
)

# The POST of the customer's events. If its outcome is unknown, a history decides it.

POST_TABLE: Final[TransitionTable] = transition_table(
    "post",
    ("idle", "in_flight", "unconfirmed"),
    (
        ("send", "idle", "in_flight"),
        ("answer", "in_flight", "idle"),
        ("put_back", "in_flight", "idle"),  # the server took nothing: the batch is sent again
        ("fail", "in_flight", "unconfirmed"),
        ("resolve", "unconfirmed", "idle"),
    ),
)


def next_state(table: TransitionTable, state: str, trigger: str) -> str:
    """Return the next state; the same state if the table has no such transition."""
    return table.moves[state].get(trigger, state)


# Memory.


@define
class QueuedItem:
    """An `OutgoingMessage` of the session in the queue; its content is in no repr."""

    events: tuple[dict[str, Any], ...] = field(repr=False)
    msg_id: str | None
    """The id of the message; None if the item is no message."""
    queued_at: float
    attempts: int = 0
    """Number of internal errors that the server answered to a POST of this item alone."""
    is_redacted: bool = False
    """Whether its content is lost: snapshots do not hold the answers to secure forms."""


EndingKind = Literal["ended", "inactivity_timeout", "failed", "lost"]


@define
class Ending:
    """The end of the chat, which the session has not received yet: see `ending`."""

    kind: EndingKind
    text: str | None = None
    """Text of the server about the end."""
    deadline: float | None = None
    """Until when the end is held back; None: not decided yet."""
    is_hopeless: bool = False
    """Whether the last history failed."""


@define
class RetryTimer:
    """The time of the next attempt, and the number of failures in a row."""

    at: float = -inf
    failures: int = 0


@define
class PendingRequest:
    """An `HttpRequest` without a reply."""

    purpose: RequestPurpose
    deadline: float
    """When the client gives it up, even if the sender reports nothing."""
    max_body: int
    credentials_version: int = 0
    """`ClientState.credentials_version` when it was sent."""
    api_request: ApiRequest | None = None


def _state_field(table: TransitionTable) -> Any:
    return field(default=table.initial, validator=in_(table.states))


@define(on_setattr=setters.NO_OP)  # the tables lead to states alone
class ClientState:
    """Everything that a client remembers, besides its session and its arguments.

    Times are on the clock of `now`. Snapshots have the fields under these names, and are checked
    when they are restored.
    """

    link: str = _state_field(LINK_TABLE)
    poll: str = _state_field(POLL_TABLE)
    history: str = _state_field(HISTORY_TABLE)
    post: str = _state_field(POST_TABLE)
    poll_timer: RetryTimer = field(factory=RetryTimer)
    history_timer: RetryTimer = field(factory=RetryTimer)
    post_timer: RetryTimer = field(factory=RetryTimer)
    polled_at: float = -inf
    """When the last poll was sent."""
    is_gone: bool = False
    """Whether the server refused the history of a chat that it does not know: a poll decides."""
    is_poll_missed: bool = False
    """Whether a poll was refused as busy: one history follows the next good poll."""
    history_recheck_at: float | None = None
    """When the server has surely let go of a broken poll, which can then lose no more events."""
    poll_answered_at: float | None = None
    """When the last reply to a poll came."""
    token: str = ""
    """Token of the session, kept before there is one."""
    is_joining: bool = False
    """Whether the chat may have a past that is not merged yet: until then nothing is posted."""
    next_request_id: int = 1
    pending: dict[int, PendingRequest] = field(factory=dict)
    queue: list[QueuedItem] = field(factory=list)
    """Items that wait for a POST."""
    batch: list[QueuedItem] = field(factory=list)
    """Items of the POST that is in flight or unconfirmed."""
    ending: Ending | None = None
    """The end that is held back until the last outcomes are known."""
    isolate_count: int = 0
    """Number of items to send one by one, after the server failed on one of a batch."""
    credentials_version: int = 0
    """How often `Resume` has set the credentials."""
    ignored_replies: int = 0
    """Number of replies to no pending request."""


# Events that end a session; a status only if its state is this one.
_ENDS: Final = (Ended, InactivityTimeout, Status)
_FAILED: Final = "failed"


def _ending_of(item: Ended | InactivityTimeout | Status | Lost) -> Ending:
    if isinstance(item, InactivityTimeout):
        return Ending("inactivity_timeout", item.msg if item.msg_text is None else item.msg_text)
    if isinstance(item, Lost):
        return Ending("lost", item.reason)
    return Ending("failed" if isinstance(item, Status) else "ended")


@define(eq=False)
class ClientTurn:
    """The context of one `receive` call: the state, the settings, the time, the effects so far."""

    state: ClientState
    settings: ClientSettings
    endpoint: Endpoint
    session: ChatSession | None
    journal: Journal | None
    now: float
    effects: list[ClientEffect] = field(factory=list)
    to_post: list[OutgoingMessage] = field(factory=list)
    """Messages from the session that are not in the queue yet."""
    final_item: Input | None = None
    """The input that ends the session, if it came in this turn."""
    late: list[Event] = field(factory=list)
    """Events that came after it."""
    terminated: Terminated | None = None
    """Kept apart, because it must be the last effect."""
    violation: RemoteProtocolError | None = None
    """The first one that a strict session found; raised at the end of the turn."""
    purpose: RequestPurpose | None = None
    """Purpose of the request that the turn receives the result of."""
    has_merged: bool = False
    """Whether a complete history was merged."""

    @property
    def link(self) -> str:
        """State of the link to the server."""
        return self.state.link

    @property
    def chat_id(self) -> str:
        """The id of the chat; "" if there is none yet."""
        return "" if self.session is None else self.session.chat_id

    def open_session(self, chat_id: str) -> None:
        """Make the session of a new chat."""
        session = ChatSession(chat_id, settings=self.settings.session, token=self.state.token)
        self.session = recorded(session, self.journal)

    def feed_session(self, item: Input) -> None:
        """Pass an input to the session, and sort its effects. There must be a session."""
        session: Any = self.session
        try:
            effects: list[Effect] = session.receive(item, now=self.now)
        except RemoteProtocolError as error:
            effects = [*cast("tuple[Effect, ...]", error.effects)]
            self.violation = self.violation or error
        for effect in effects:
            if isinstance(effect, SendEvents):
                self.to_post += effect.messages
            elif isinstance(effect, Terminated):
                self.terminated = effect
            else:
                self.effects.append(effect)

    def feed_events(self, events: Iterable[Event]) -> None:
        """Pass new events to the session, up to one that ends it, which `ending` passes on."""
        for event in events:
            if self.state.ending is not None:
                self.late.append(event)
            elif isinstance(event, _ENDS) and getattr(event, "state", _FAILED) == _FAILED:
                self.begin_ending(event)
            else:
                self.feed_session(event)

    def begin_ending(self, item: Ended | InactivityTimeout | Status | Lost) -> None:
        """Note that the chat is over; of several ends the first one counts."""
        if self.state.ending is None and self.session is not None and not self.session.done:
            self.state.ending, self.final_item = _ending_of(item), item

    def issue(  # noqa: PLR0913  # a request has these parts
        self,
        purpose: RequestPurpose,
        method: MethodSpec,
        *,
        path: str,
        body: tuple[str | None, bytes] = (None, b""),
        timeout: float,
        max_body: int,
        api_request: ApiRequest | None = None,
    ) -> None:
        """Add an `HttpRequest` to the effects, and remember it as pending."""
        state, (content_type, content) = self.state, body
        request_id, state.next_request_id = state.next_request_id, state.next_request_id + 1
        nonce = f"{request_id}-{self.now}"
        url = self.endpoint.url_for(path, nonce=nonce, tenant=not method.is_download)
        headers = self.endpoint.headers(content_type) if content_type else self.endpoint.headers()
        deadline = self.now + timeout + self.settings.timeout_grace
        state.pending[request_id] = PendingRequest(
            purpose, deadline, max_body, state.credentials_version, api_request
        )
        self.effects.append(
            _http_request(
                *(request_id, method.verb, url, headers, content, timeout, max_body),
                *(purpose, method.path),
            )
        )
