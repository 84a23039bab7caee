"""All that a contact center remembers."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from attrs import define, field

from chatfsm.conversation.exchange import HttpReply
from chatfsm.simulator.agents import Agents
from chatfsm.simulator.agents import Caller as Waiting
from chatfsm.simulator.chat import Chat, Event, Player
from chatfsm.simulator.scenario import Scenario
from chatfsm.simulator.settings import CenterSettings
from chatfsm.simulator.tenants import Entry, Tenant

__all__ = ["Caller", "Desk", "OnEvent", "PlayMaker", "Upload"]

OnEvent = Callable[[str, Event], object]
"""Told of every event of every chat: the chat's id, and the event as the wire has it."""
PlayMaker = Callable[[Scenario, Agents, str], Player]


@define
class Caller:
    """Who asks: through which entry of which tenant."""

    tenant: Tenant
    entry: Entry
    client_id: str = field(repr=False)

    @property
    def key(self) -> tuple[str, str]:
        """What a session is known by beside its id."""
        return self.tenant.url, self.client_id


@define
class Upload:
    """A file that a customer brought."""

    owner: tuple[str, str] = field(repr=False)
    file_name: str
    content_type: str
    content: bytes = field(repr=False)


@define(eq=False)
class Desk:
    """The one mutable object of a center; what happens to it is in the modules beside."""

    tenants: dict[str, Tenant]
    """By their domains in lower case."""
    settings: CenterSettings
    seed: int
    make_play: PlayMaker
    on_event: OnEvent | None
    agents: dict[str, Agents]
    """By the tenants' domains."""
    chats: dict[str, Chat] = field(factory=dict)
    current: dict[tuple[str, str], Chat] = field(factory=dict)
    """The session of each client that has one."""
    playing: dict[Waiting, Chat] = field(factory=dict)
    """The chats of the plays that go on."""
    over: dict[str, None] = field(factory=dict)
    """The ids of sessions that are over, oldest first."""
    files: dict[str, Upload] = field(factory=dict)
    """Oldest first."""
    stored: int = 0
    """Bytes of all files."""
    held: dict[int, Chat] = field(factory=dict)
    """Polls that wait, by the ids of their requests."""
    stirred: dict[str, None] = field(factory=dict)
    """Chats in which something has happened since anybody looked when they are due next."""
    answerable: dict[str, None] = field(factory=dict)
    """Chats whose poll can be answered when somebody collects."""
    ready: list[HttpReply] = field(factory=list)
    alarms: list[tuple[float, int, str]] = field(factory=list)
    """A heap of when to look at which chat; an entry counts where it is the chat's `alarm`."""
    now: float = 0.0
    skew: float = 0.0
    """Seconds by which the wall clock has jumped."""
    made: int = 0
    """How many ids were made."""
    rung: int = 0
    """How many alarms were set: what is due at one time comes in the order that it was set."""

    def new_id(self, kind: str) -> str:
        """An id of the form that the real ones have: the same for the same seed and order."""
        self.made += 1
        written = f"{self.seed}\0{kind}\0{self.made}".encode()
        found = blake2b(written, digest_size=16, person=b"chatfsm-center").hexdigest()
        return "-".join((found[:8], found[8:12], found[12:16], found[16:20], found[20:]))

    @property
    def wall_clock(self) -> float:
        """Seconds since 1970, as far as the center knows."""
        return self.settings.started_at + self.skew + self.now

    @property
    def timestamp(self) -> str:
        """The same as events have it: a text of whole seconds, or milliseconds."""
        return str(int(self.wall_clock * (1000 if self.settings.milliseconds else 1)))
