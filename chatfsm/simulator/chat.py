"""One chat as the center has it."""

from __future__ import annotations

from typing import Any, Literal, Protocol

from attrs import define, field

from chatfsm.simulator.tenants import Entry, Tenant

__all__ = ["Chat", "Event", "Held", "Outcome", "Player"]

Event = dict[str, Any]
"""An event as the wire has it."""
Outcome = Literal["ended", "failed", "timed_out"]


class Player(Protocol):
    """What plays the part of the center in one chat: see `play.Play`."""

    @property
    def deadline(self) -> float | None:
        """When to wake it; None: not by the clock."""
        ...

    def begin(self, *, now: float) -> list[Event]:
        """What happens first."""
        ...

    def hear(self, event: Event, *, now: float) -> list[Event]:
        """What follows from what the customer did."""
        ...

    def wake(self, *, now: float) -> list[Event]:
        """What follows from time having passed, or an agent being free."""
        ...

    def close(self, *, now: float) -> None:
        """The session is over."""
        ...

    def __hash__(self) -> int:
        """By what it is, not by what it holds."""
        ...


@define
class Held:
    """A poll that waits for news."""

    request_id: int
    until: float
    is_dead: bool = False
    """Whether its connection broke, and the center does not know."""


@define(eq=False, kw_only=True)
class Chat:
    """What is known of a chat, and what waits for its customer."""

    chat_id: str
    client_id: str = field(repr=False)
    tenant: Tenant = field(repr=False)
    entry: Entry = field(repr=False)
    version: int
    play: Player = field(repr=False)
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
    outcome: Outcome | None = None
    """None while the session lives."""
    said: list[Event] = field(factory=list, repr=False)
    """The customer's events, as they were posted, in order."""
    past: list[Event] = field(factory=list, repr=False)
    """The history: both sides."""
    news: list[Event] = field(factory=list, repr=False)
    """What no poll has brought yet."""
    receipts: dict[str, str] = field(factory=dict, repr=False)
    """What the customer confirmed: message ids to "delivered" or "read"."""
    present: list[str] = field(factory=list, repr=False)
    """The ids of the parties that are there, as they came."""
    case_id: str | None = None
    push: str | None = None
    """The kind of token that is told of news; None: nobody is."""
    is_warned: bool = False
    is_cut: bool = False
    """Whether a restart forgot news, and no broken poll told the client so."""
    poll: Held | None = None
    alarm: float | None = None
    """When the desk will look at it next."""
    next_number: int = 0
    """The next message's id: even, so that it never meets the customer's own."""

    @property
    def is_over(self) -> bool:
        """Whether the session is over; its history is still there."""
        return self.outcome is not None

    @property
    def tenant_url(self) -> str:
        """The domain of its tenant."""
        return self.tenant.url
