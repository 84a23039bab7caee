"""All that a contact center remembers."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Literal, Protocol

from attrs import define, field

from chatfsm.simulator.agent_pool import AgentPool
from chatfsm.simulator.agent_pool import Waiter as Waiting
from chatfsm.simulator.scenario import Scenario
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.tenants import AppEntry, Tenant
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
    "WireEvent",
]

# One chat as the center has it.

WireEvent = dict[str, Any]
"""An event as the wire has it."""
ChatEnd = Literal["ended", "failed", "timed_out"]


class Player(Protocol):
    """What plays the part of the center in one chat: see `play.Play`."""

    @property
    def deadline(self) -> float | None:
        """When to wake it; None: not by the clock."""
        ...

    def start(self, *, now: float) -> list[WireEvent]:
        """What happens first."""
        ...

    def receive(self, event: WireEvent, *, now: float) -> list[WireEvent]:
        """What follows from what the customer did."""
        ...

    def wake(self, *, now: float) -> list[WireEvent]:
        """What follows from time having passed, or an agent being free."""
        ...

    def close(self, *, now: float) -> None:
        """The session is over."""
        ...

    def __hash__(self) -> int:
        """By what it is, not by what it holds."""
        ...


@define
class HeldPoll:
    """A poll that waits for news."""

    request_id: int
    until: float
    is_disconnected: bool = False
    """Whether its connection broke, and the center does not know."""


@define(eq=False, kw_only=True)
class CenterChat:
    """What is known of a chat, and what waits for its customer."""

    chat_id: str
    client_id: str = field(repr=False)
    tenant: Tenant = field(repr=False)
    entry: AppEntry = field(repr=False)
    version: int
    player: Player = field(repr=False)
    created_at: float
    """Seconds since 1970, by the center's wall clock."""
    polled_at: float
    """When the last poll was answered; before the first one, when the chat began."""
    active_at: float
    """When the customer last did something."""
    phone_number: str | None = field(default=None, repr=False)
    parameters: dict[str, Any] = field(factory=dict, repr=False)

    state: str = "establishing"
    """The last state that was told."""
    ewt: str = "0"
    outcome: ChatEnd | None = None
    """None while the session lives."""
    customer_events: list[WireEvent] = field(factory=list, repr=False)
    """The customer's events, as they were posted, in order."""
    history: list[WireEvent] = field(factory=list, repr=False)
    """The history: both sides."""
    pending: list[WireEvent] = field(factory=list, repr=False)
    """What no poll has brought yet."""
    receipts: dict[str, str] = field(factory=dict, repr=False)
    """What the customer confirmed: message ids to "delivered" or "read"."""
    party_ids: list[str] = field(factory=list, repr=False)
    """The ids of the parties that are there, as they came."""
    case_id: str | None = None
    push_token_kind: str | None = None
    """The kind of token that is told of news; None: nobody is."""
    is_warned: bool = False
    has_lost_events: bool = False
    """Whether a restart forgot news, and no broken poll told the client so."""
    held_poll: HeldPoll | None = None
    alarm_at: float | None = None
    """When the desk will look at it next."""
    next_msg_id: int = 0
    """The next message's id: even, so that it never meets the customer's own."""

    @property
    def is_over(self) -> bool:
        """Whether the session is over; its history is still there."""
        return self.outcome is not None

    @property
    def tenant_url(self) -> str:
        """The domain of its tenant."""
        return self.tenant.url


OnEvent = Callable[[str, WireEvent], object]
"""Told of every event of every chat: the chat's id, and the event as the wire has it."""
PlayerFactory = Callable[[Scenario, AgentPool, str], Player]


@define
class ApiClient:
    """Who asks: through which entry of which tenant."""

    tenant: Tenant
    entry: AppEntry
    client_id: str = field(repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """What a session is known by beside its id."""
        return self.tenant.url, self.client_id


@define
class StoredFile:
    """A file that a customer brought."""

    owner: tuple[str, str] = field(repr=False)
    file_name: str
    content_type: str
    content: bytes = field(repr=False)


@define(eq=False)
class CenterState:
    """The one mutable object of a center; what happens to it is in the modules beside."""

    tenants: dict[str, Tenant]
    """By their domains in lower case."""
    settings: CenterSettings
    seed: int
    make_player: PlayerFactory
    on_event: OnEvent | None
    agent_pools: dict[str, AgentPool]
    """By the tenants' domains."""
    chats: dict[str, CenterChat] = field(factory=dict)
    live_chats: dict[tuple[str, str], CenterChat] = field(factory=dict)
    """The session of each client that has one."""
    chats_by_waiter: dict[Waiting, CenterChat] = field(factory=dict)
    """The chats of the plays that go on."""
    ended_chat_ids: dict[str, None] = field(factory=dict)
    """The ids of sessions that are over, oldest first."""
    files: dict[str, StoredFile] = field(factory=dict)
    """Oldest first."""
    stored_bytes: int = 0
    """Bytes of all files."""
    chats_by_poll: dict[int, CenterChat] = field(factory=dict)
    """Polls that wait, by the ids of their requests."""
    dirty: dict[str, None] = field(factory=dict)
    """Chats in which something has happened since anybody looked when they are due next."""
    answerable: dict[str, None] = field(factory=dict)
    """Chats whose poll can be answered when somebody collects."""
    ready_replies: list[HttpReply] = field(factory=list)
    alarms: list[tuple[float, int, str]] = field(factory=list)
    """A heap of when to look at which chat; an entry counts where it is the chat's `alarm`."""
    now: float = 0.0
    clock_jump: float = 0.0
    """Seconds by which the wall clock has jumped."""
    id_count: int = 0
    """How many ids were made."""
    alarm_count: int = 0
    """How many alarms were set: what is due at one time comes in the order that it was set."""

    def new_id(self, kind: str) -> str:
        """An id of the form that the real ones have: the same for the same seed and order."""
        self.id_count += 1
        written = f"{self.seed}\0{kind}\0{self.id_count}".encode()
        found = blake2b(written, digest_size=16, person=b"chatfsm-center").hexdigest()
        return "-".join((found[:8], found[8:12], found[12:16], found[16:20], found[20:]))

    @property
    def wall_clock(self) -> float:
        """Seconds since 1970, as far as the center knows."""
        return self.settings.started_at + self.clock_jump + self.now

    @property
    def timestamp(self) -> str:
        """The same as events have it: a text of whole seconds, or milliseconds."""
        return str(int(self.wall_clock * (1000 if self.settings.milliseconds else 1)))
