"""What a client remembers of the way its chat travels, and the step in which it hears one item."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any, Final, Literal, cast

from attrs import define, field
from attrs.validators import in_

from chatfsm._client.http_api import Method
from chatfsm._session.session import ChatSession
from chatfsm._statemachine import Row, TransitionTable, transition_table
from chatfsm.api import ApiRequest
from chatfsm.client_effects import ClientEffect
from chatfsm.effects import Effect, SendEvents, Terminated
from chatfsm.endpoint import Endpoint
from chatfsm.errors import RemoteProtocolError
from chatfsm.inputs import Input
from chatfsm.settings import ClientSettings
from chatfsm.transport import HttpRequest

__all__ = [
    "HISTORY",
    "LINK",
    "POLL",
    "POST",
    "Owed",
    "Pace",
    "Parcel",
    "SessionMaker",
    "State",
    "Step",
    "moved",
]

# The law of the conversation: which moves exist, as tables of rows (law L2).


def _from(trigger: str, sources: tuple[str, ...], destination: str) -> tuple[Row, ...]:
    return tuple((trigger, source, destination) for source in sources)


# The link, as the app is told of it.

_UP: Final = ("waiting", "live", "retrying")

LINK: Final[TransitionTable] = transition_table(
    "link",
    ("waiting", "live", "retrying", "unauthorized", "over"),
    (
        *_from("heard", _UP, "live"),
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
    ("closed", "due", "asked"),
    (
        ("open", "closed", "due"),
        ("ask", "due", "asked"),
        ("answer", "asked", "due"),
        ("fail", "asked", "due"),
    ),
)

# What the server kept: up to date, or to be asked for. A doubt that comes up while it is asked for
# makes the answer stale before it is here.

HISTORY: Final[TransitionTable] = transition_table(
    "history",
    ("fresh", "due", "asked", "stale"),
    (
        ("doubt", "fresh", "due"),
        ("doubt", "due", "due"),
        ("doubt", "asked", "stale"),
        ("doubt", "stale", "stale"),
        ("ask", "due", "asked"),
        ("answer", "asked", "fresh"),
        ("answer", "stale", "due"),
        ("fail", "asked", "due"),
        ("fail", "stale", "due"),
        ("give_up", "asked", "fresh"),
        ("give_up", "stale", "fresh"),
    ),
)

# The one POST of what was said: none, on its way, or of doubtful fate until a history tells.

POST: Final[TransitionTable] = transition_table(
    "post",
    ("idle", "asked", "doubtful"),
    (
        ("ask", "idle", "asked"),
        ("answer", "asked", "idle"),
        ("put_back", "asked", "idle"),  # nothing of it was taken: the same again, later
        ("doubt", "asked", "doubtful"),
        ("resolve", "doubtful", "idle"),
    ),
)


@define
class Parcel:
    """A message with what goes before it, or one event that is no message; in no repr."""

    events: tuple[dict[str, Any], ...] = field(repr=False)
    msg_id: str | None
    """The message's id; None where it is none."""
    said_at: float
    attempts: int = 0
    """How often the server answered it, when it was alone, with an internal error."""
    is_lost: bool = False
    """Whether its content is gone: what answers a secure form survives no restart."""


SessionMaker = Callable[..., Any]
"""`ChatSession`, or what has its members: called with the chat's id and `settings=`."""

Purpose = Literal["poll", "history", "post", "call"]


@define
class Pace:
    """When the next attempt may be made, and how many in a row have failed."""

    at: float = -inf
    failures: int = 0


@define
class Owed:
    """A request that was not answered yet."""

    purpose: Purpose
    deadline: float
    """When it is given up here, whatever its carrier does."""
    max_body: int
    credentials: int = 0
    """Which credentials it went out with: counts the times that they were renewed."""
    call: ApiRequest | None = None


def _state(law: TransitionTable) -> Any:
    return field(default=law.initial, validator=in_(law.states))


@define
class State:
    """All that a client knows beside its session and what it was made with."""

    link: str = _state(LINK)
    poll: str = _state(POLL)
    history: str = _state(HISTORY)
    post: str = _state(POST)
    poll_pace: Pace = field(factory=Pace)
    history_pace: Pace = field(factory=Pace)
    post_pace: Pace = field(factory=Pace)
    polled_at: float = -inf
    """When the last poll began."""
    recheck_at: float | None = None
    """When a poll that broke off can no longer swallow what happens."""
    heard_at: float | None = None
    """When a poll was last answered."""
    next_id: int = 1
    owed: dict[int, Owed] = field(factory=dict)
    queue: list[Parcel] = field(factory=list)
    """What was said and waits to be posted."""
    batch: list[Parcel] = field(factory=list)
    """What is on its way, or of doubtful fate."""
    alone: int = 0
    """How many go out alone, since the server choked on one of them."""
    credentials: int = 0
    ignored: int = 0
    """Replies that nobody waited for."""


def moved(law: TransitionTable, state: str, trigger: str) -> str:
    """Where a trigger leads; a move that is in no row leads nowhere."""
    return law.moves[state].get(trigger, state)


@define(eq=False)
class Step:
    """One item being heard: what it meets, the time, and what has followed so far."""

    state: State
    settings: ClientSettings
    endpoint: Endpoint
    session: ChatSession | None
    make_session: SessionMaker
    now: float
    effects: list[ClientEffect] = field(factory=list)
    said: list[SendEvents] = field(factory=list)
    """What the session wants to be posted, and nobody has queued yet."""
    end: Terminated | None = None
    """Kept apart, to be told last."""
    violation: RemoteProtocolError | None = None
    """The first that a strict session found; raised when the step is done."""

    @property
    def chat_id(self) -> str:
        """The id of the chat; "" where there is none yet."""
        return "" if self.session is None else self.session.chat_id

    def hear(self, item: Input) -> None:
        """Let the session hear something, and sort what follows."""
        session = cast("ChatSession", self.session)  # before there is one, nothing is heard
        try:
            told = session.receive(item, now=self.now)
        except RemoteProtocolError as error:
            told = cast("list[Effect]", list(error.effects))
            self.violation = self.violation or error
        for effect in told:
            if isinstance(effect, SendEvents):
                self.said.append(effect)
            elif isinstance(effect, Terminated):
                self.end = effect
            else:
                self.effects.append(effect)

    def ask(  # noqa: PLR0913  # a request has these parts
        self,
        purpose: Purpose,
        method: Method,
        *,
        path: str,
        body: tuple[str | None, bytes] = (None, b""),
        timeout: float,
        max_body: int,
        call: ApiRequest | None = None,
    ) -> None:
        """Tell a request, which is owed from now on."""
        state, (content_type, content) = self.state, body
        request_id, state.next_id = state.next_id, state.next_id + 1
        nonce = f"{request_id}-{self.now}"
        url = self.endpoint.url_for(path, nonce=nonce, tenant=not method.is_download)
        headers = self.endpoint.headers(*([content_type] if content_type else []))
        deadline = self.now + timeout + self.settings.timeout_grace
        state.owed[request_id] = Owed(purpose, deadline, max_body, state.credentials, call)
        self.effects.append(
            HttpRequest(request_id, method.verb, url, headers, content, timeout, max_body)
        )
