"""State of a contact center: chats, clients, files, held polls and alarms."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Literal, Protocol

from attrs import define, field

from chatfsm.simulator.agent_pool import AgentPool, Waiter
from chatfsm.simulator.scenario import Scenario
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.tenants import AppEntry, Tenant
from chatfsm.simulator.wire_events import WireEvent
from chatfsm.transport import HttpReply

__all__ = [
    "ApiClient",
    "CenterChat",
    "CenterState",
    "ChatEnd",
    "HeldPoll",
    "OnEvent",
    "Player",
    "PlayerFactory",
    "StoredFile",
]


def _format_id(digest: str) -> str:
    """Format sixteen bytes in hexadecimal like the ids on the wire."""
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))


ChatEnd = Literal["ended", "failed", "timed_out"]


class Player(Protocol):
    """The center's side of one chat: `ScenarioPlayer`, or a class with the same members."""

    @property
    def deadline(self) -> float | None:
        """The time of the next call of `wake`; None: none is due."""
        ...

    def start(self, *, now: float) -> list[WireEvent]:
        """Return the first events."""
        ...

    def receive(self, event: WireEvent, *, now: float) -> list[WireEvent]:
        """Return the events that follow from an event of the customer's."""
        ...

    def wake(self, *, now: float) -> list[WireEvent]:
        """Return the events that are due by `now`, or that a free agent causes."""
        ...

    def close(self, *, now: float) -> None:
        """Release the chat's agents: the session is over."""
        ...

    def __hash__(self) -> int:
        """Return the hash of the identity: players are keys."""
        ...


@define
class HeldPoll:
    """A poll that waits for events."""

    request_id: int
    """The id of the poll's request."""
    until: float
    """The time at which the poll is answered without events, in seconds."""
    is_disconnected: bool = False
    """Whether its connection broke without the center noticing."""


@define(eq=False, kw_only=True)
class CenterChat:
    """A chat of the center, live or over."""

    chat_id: str
    """The id of the chat, which is the customer's party id."""
    client_id: str = field(repr=False)
    """The id of the client that opened the chat."""
    tenant: Tenant = field(repr=False)
    """The tenant that the chat belongs to."""
    entry: AppEntry = field(repr=False)
    """The entry of the app that the chat was opened with."""
    version: int
    """The version of the API that the chat was opened with: 1 or 2."""
    player: Player = field(repr=False)
    """Plays the center's side of the chat."""
    created_at: float
    """Seconds since 1970 by the center's wall clock."""
    polled_at: float
    """The time of the last answer to a poll; until then, of the chat's start."""
    active_at: float
    """The time of the customer's last activity."""
    phone_number: str | None = field(default=None, repr=False)
    """The `phone_number` of the request; None: it had none."""
    parameters: dict[str, Any] = field(factory=dict, repr=False)
    """The `parameters` of the request."""

    state: str = "establishing"
    """The last state sent to the customer."""
    ewt: str = "0"
    """The last estimated wait sent to the customer, in seconds, as the wire has it."""
    outcome: ChatEnd | None = None
    """The outcome of the session; None while it is live."""
    customer_events: list[WireEvent] = field(factory=list, repr=False)
    """The customer's events as they were posted, in order."""
    history: list[WireEvent] = field(factory=list, repr=False)
    """The events of both sides, in order."""
    pending: list[WireEvent] = field(factory=list, repr=False)
    """Events that no poll has delivered yet."""
    posted_count: int = 0
    """The number of pending events, from the first, that the reply to a POST has delivered."""
    receipts: dict[str, str] = field(factory=dict, repr=False)
    """Receipts of the customer: "delivered" or "read", by msg_id."""
    party_ids: list[str] = field(factory=list, repr=False)
    """The ids of the parties in the chat, in the order of joining."""
    last_sender: str = ""
    """The id of the party that sent the last message; "": none did."""
    case_id: str | None = None
    """The id of the case; None: the chat has none."""
    push_token_kind: str | None = None
    """The kind of the push token; None: no notifications."""
    is_warned: bool = False
    """Whether the inactivity warning was sent since the customer's last activity."""
    has_lost_events: bool = False
    """Whether a restart dropped events and no broken poll showed that to the client."""
    held_poll: HeldPoll | None = None
    """The poll that waits for events; None: none does."""
    alarm_at: float | None = None
    """The time of the chat's next alarm; None: no alarm."""
    next_msg_id: int = 0
    """The next generated msg_id: even, so that it equals none of the customer's."""

    @property
    def is_over(self) -> bool:
        """Whether the session is over; the history is still kept."""
        return self.outcome is not None

    @property
    def service_party_id(self) -> str:
        """The party id of the center itself: that of receipts before any party has joined."""
        digest = blake2b(
            self.chat_id.encode(), digest_size=16, person=b"chatfsm-service"
        ).hexdigest()
        return _format_id(digest).upper()

    @property
    def tenant_url(self) -> str:
        """The tenant's domain."""
        return self.tenant.url


OnEvent = Callable[[str, WireEvent], object]
"""A callback with the chat's id and an event of either side."""
PlayerFactory = Callable[[Scenario, AgentPool, str], Player]


@define
class ApiClient:
    """An authenticated client: its tenant, the entry of its app, and its id."""

    tenant: Tenant
    """The tenant that the request names."""
    entry: AppEntry
    """The entry of the app id."""
    client_id: str = field(repr=False)
    """The `clientId`, or for a browser the id in its cookie."""

    @property
    def key(self) -> tuple[str, str]:
        """The tenant's domain and the client's id, by which the client's session is found."""
        return self.tenant.url, self.client_id


@define
class StoredFile:
    """An uploaded file."""

    owner: tuple[str, str] = field(repr=False)
    """The tenant's domain and the client's id; "" for a browser that sent no cookie."""
    file_name: str
    """The name that the client gave: untrusted, it may be a path."""
    content_type: str
    """The MIME type that the client gave."""
    content: bytes = field(repr=False)
    """The bytes of the file."""


@define(eq=False)
class CenterState:
    """The state of a center, changed by the functions of the modules beside this one."""

    tenants: dict[str, Tenant]
    """By the tenant's domain, in lower case."""
    settings: CenterSettings
    """The settings of the center."""
    seed: int
    """The seed of the ids: with the same one the same calls give the same ids."""
    make_player: PlayerFactory
    """Makes the player of a new chat."""
    on_event: OnEvent | None
    """Called with each event of each chat; None: nothing is called."""
    agent_pools: dict[str, AgentPool]
    """By the tenant's domain."""
    chats: dict[str, CenterChat] = field(factory=dict)
    """The chats, live or over, by their ids."""
    live_chats: dict[tuple[str, str], CenterChat] = field(factory=dict)
    """The live session of each client that has one."""
    chats_by_waiter: dict[Waiter, CenterChat] = field(factory=dict)
    """The live chats by their players, which wait in agent pools."""
    ended_chat_ids: dict[str, None] = field(factory=dict)
    """The ids of chats that are over, the oldest first."""
    files: dict[str, StoredFile] = field(factory=dict)
    """The oldest first."""
    stored_bytes: int = 0
    """The bytes of all files."""
    chats_by_poll: dict[int, CenterChat] = field(factory=dict)
    """Chats with a held poll, by the id of its request."""
    dirty: dict[str, None] = field(factory=dict)
    """Chats that changed since their alarms were set."""
    answerable: dict[str, None] = field(factory=dict)
    """Chats whose held poll the next `collect` answers."""
    ready_replies: list[HttpReply] = field(factory=list)
    """The replies to polls that the next `collect` returns."""
    alarms: list[tuple[float, int, str]] = field(factory=list)
    """A heap of alarms: time, number, chat id. Only the one at the chat's `alarm_at` is valid."""
    now: float = 0.0
    """The time of the last call, in seconds."""
    clock_jump: float = 0.0
    """Seconds by which the wall clock was moved."""
    id_count: int = 0
    """The number of ids made so far."""
    alarm_count: int = 0
    """The number of alarms set so far: alarms of one time go off in the order of setting."""

    def new_id(self, kind: str) -> str:
        """Return an id in the form of real ones; it depends on the seed and the order alone."""
        self.id_count += 1
        written = f"{self.seed}\0{kind}\0{self.id_count}".encode()
        found = blake2b(written, digest_size=16, person=b"chatfsm-center").hexdigest()
        return _format_id(found)

    @property
    def wall_clock(self) -> float:
        """Seconds since 1970 by the center's clock."""
        return self.settings.started_at + self.clock_jump + self.now

    @property
    def timestamp(self) -> str:
        """The wall clock as in events: a text of whole seconds or milliseconds."""
        return str(int(self.wall_clock * (1000 if self.settings.milliseconds else 1)))
