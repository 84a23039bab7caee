"""What a client remembers of the way its chat travels, and the turn in which it hears one item."""

from __future__ import annotations

from math import inf
from typing import Any, Final, cast

from attrs import define, field
from attrs.validators import in_

from chatfsm._client.http_api import ApiMethod
from chatfsm._client.journal import Journal, recorded
from chatfsm._session.session import ChatSession
from chatfsm._statemachine import Row, TransitionTable, transition_table
from chatfsm.api import ApiRequest
from chatfsm.client_effects import ClientEffect
from chatfsm.effects import Effect, OutgoingMessage, SendEvents, Terminated
from chatfsm.endpoint import Endpoint
from chatfsm.errors import RemoteProtocolError
from chatfsm.inputs import Input
from chatfsm.settings import ClientSettings
from chatfsm.transport import HttpRequest, RequestPurpose

__all__ = [
    "HISTORY",
    "LINK",
    "POLL",
    "POST",
    "ClientState",
    "ClientTurn",
    "PendingRequest",
    "QueuedItem",
    "RetryTimer",
    "next_state",
]

# The table of the conversation: which moves exist, as tables of rows (table L2).


def _from(trigger: str, sources: tuple[str, ...], destination: str) -> tuple[Row, ...]:
    return tuple((trigger, source, destination) for source in sources)


# The link, as the app is told of it.

_UP: Final = ("waiting", "live", "retrying")

LINK: Final[TransitionTable] = transition_table(
    "link",
    ("waiting", "live", "retrying", "unauthorized", "over"),
    (
        *_from("succeeded", _UP, "live"),
        *_from("failed", _UP, "retrying"),
        *_from("busy", _UP, "waiting"),  # the server asks for patience
        *_from("refused", _UP, "unauthorized"),
        ("resume", "unauthorized", "retrying"),
        *_from("end", (*_UP, "unauthorized"), "over"),
    ),
)

# The one poll: it waits for its time, or is asked. Whatever becomes of it, the next waits.

POLL: Final[TransitionTable] = transition_table(
    "poll",
    ("closed", "due", "in_flight"),
    (
        ("open", "closed", "due"),
        ("send", "due", "in_flight"),
        ("answer", "in_flight", "due"),
        ("fail", "in_flight", "due"),
    ),
)

# What the server kept: up to date, or to be asked for. A doubt that comes up while it is asked for
# makes the answer stale before it is here.

HISTORY: Final[TransitionTable] = transition_table(
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

# The one POST of what was said: none, on its way, or of doubtful fate until a history tells.

POST: Final[TransitionTable] = transition_table(
    "post",
    ("idle", "in_flight", "unconfirmed"),
    (
        ("send", "idle", "in_flight"),
        ("answer", "in_flight", "idle"),
        ("put_back", "in_flight", "idle"),  # nothing of it was taken: the same again, later
        ("fail", "in_flight", "unconfirmed"),
        ("resolve", "unconfirmed", "idle"),
    ),
)


@define
class QueuedItem:
    """A message with what goes before it, or one event that is no message; in no repr."""

    events: tuple[dict[str, Any], ...] = field(repr=False)
    msg_id: str | None
    """The message's id; None where it is none."""
    queued_at: float
    attempts: int = 0
    """How often the server answered it, when it was alone, with an internal error."""
    is_redacted: bool = False
    """Whether its content is gone: what answers a secure form survives no restart."""


@define
class RetryTimer:
    """When the next attempt may be made, and how many in a row have failed."""

    at: float = -inf
    failures: int = 0


@define
class PendingRequest:
    """A request that was not answered yet."""

    purpose: RequestPurpose
    deadline: float
    """When it is given up here, whatever its carrier does."""
    max_body: int
    credentials_version: int = 0
    """Which credentials it went out with: counts the times that they were renewed."""
    api_request: ApiRequest | None = None


def _state_field(table: TransitionTable) -> Any:
    return field(default=table.initial, validator=in_(table.states))


@define
class ClientState:
    """All that a client knows beside its session and what it was made with."""

    link: str = _state_field(LINK)
    poll: str = _state_field(POLL)
    history: str = _state_field(HISTORY)
    post: str = _state_field(POST)
    poll_timer: RetryTimer = field(factory=RetryTimer)
    history_timer: RetryTimer = field(factory=RetryTimer)
    post_timer: RetryTimer = field(factory=RetryTimer)
    polled_at: float = -inf
    """When the last poll began."""
    history_recheck_at: float | None = None
    """When a poll that broke off can no longer swallow what happens."""
    poll_answered_at: float | None = None
    """When a poll was last answered."""
    next_request_id: int = 1
    pending: dict[int, PendingRequest] = field(factory=dict)
    queue: list[QueuedItem] = field(factory=list)
    """What was said and waits to be posted."""
    batch: list[QueuedItem] = field(factory=list)
    """What is on its way, or of doubtful fate."""
    isolate_count: int = 0
    """How many go out alone, since the server choked on one of them."""
    credentials_version: int = 0
    ignored_replies: int = 0
    """Replies that nobody waited for."""


def next_state(table: TransitionTable, state: str, trigger: str) -> str:
    """Where a trigger leads; a move that is in no row leads nowhere."""
    return table.moves[state].get(trigger, state)


@define(eq=False)
class ClientTurn:
    """One item being heard: what it meets, the time, and what has followed so far."""

    state: ClientState
    settings: ClientSettings
    endpoint: Endpoint
    session: ChatSession | None
    journal: Journal | None
    now: float
    effects: list[ClientEffect] = field(factory=list)
    to_post: list[OutgoingMessage] = field(factory=list)
    """What the session wants to be posted, and nobody has queued yet."""
    terminated: Terminated | None = None
    """Kept apart, to be told last."""
    violation: RemoteProtocolError | None = None
    """The first that a strict session found; raised when the turn is done."""

    @property
    def chat_id(self) -> str:
        """The id of the chat; "" where there is none yet."""
        return "" if self.session is None else self.session.chat_id

    def open_session(self, chat_id: str) -> None:
        """Make the session of a new chat."""
        session = ChatSession(chat_id, settings=self.settings.session)
        self.session = recorded(session, self.journal)

    def feed_session(self, item: Input) -> None:
        """Let the session hear something, and sort what follows."""
        session = cast("ChatSession", self.session)  # before there is one, nothing is heard
        try:
            effects = session.receive(item, now=self.now)
        except RemoteProtocolError as error:
            effects = cast("list[Effect]", list(error.effects))
            self.violation = self.violation or error
        for effect in effects:
            if isinstance(effect, SendEvents):
                self.to_post += effect.messages
            elif isinstance(effect, Terminated):
                self.terminated = effect
            else:
                self.effects.append(effect)

    def issue(  # noqa: PLR0913  # a request has these parts
        self,
        purpose: RequestPurpose,
        method: ApiMethod,
        *,
        path: str,
        body: tuple[str | None, bytes] = (None, b""),
        timeout: float,
        max_body: int,
        call: ApiRequest | None = None,
    ) -> None:
        """Tell a request, which is owed from now on."""
        state, (content_type, content) = self.state, body
        request_id, state.next_request_id = state.next_request_id, state.next_request_id + 1
        nonce = f"{request_id}-{self.now}"
        url = self.endpoint.url_for(path, nonce=nonce, tenant=not method.is_download)
        headers = self.endpoint.headers(*([content_type] if content_type else []))
        deadline = self.now + timeout + self.settings.timeout_grace
        state.pending[request_id] = PendingRequest(
            purpose, deadline, max_body, state.credentials_version, call
        )
        self.effects.append(
            HttpRequest(
                *(request_id, method.verb, url, headers, content, timeout, max_body),
                purpose=purpose,
            )
        )
