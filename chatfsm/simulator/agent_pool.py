"""The agents of a tenant: who is free, who waits for one, and for how long.

Whoever asks is known by identity, and is called when an agent has become free for them, or when
the estimate of their wait has changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import ceil
from typing import Any, Final, Protocol

from attrs import define, field

from chatfsm.simulator.tenants import Agent

__all__ = ["AgentPool", "Waiter"]

# Seconds that a chat is thought to take, for estimates: short for a real one, so that whoever tries
# a queue sees them fall.
_CHAT_SECONDS: Final = 60.0


class Waiter(Protocol):
    """Who asks for an agent: a play."""

    def wake(self, *, now: float) -> list[dict[str, Any]]:
        """An agent is free, or the estimate another: tell what follows."""
        ...


@define
class _QueueEntry:
    waiter: Waiter
    excluded: frozenset[str]
    """The agents who would not do."""


def _as_tuple(agents: Iterable[Agent]) -> tuple[Agent, ...]:
    return tuple(agents)


@define(eq=False)
class AgentPool:
    """Who is free and who waits, the longest first."""

    _agents: tuple[Agent, ...] = field(converter=_as_tuple)
    _chat_counts: dict[str, int] = field(factory=dict, init=False)
    """How many chats each agent has, by party id."""
    _assigned_order: dict[str, int] = field(factory=dict, init=False)
    """When each agent was last given somebody: counts from 1."""
    _queue: list[_QueueEntry] = field(factory=list, init=False)
    _assigned: dict[Waiter, Agent] = field(factory=dict, init=False)
    """Whom a caller was given and has not taken yet."""
    _notified: list[Waiter] = field(factory=list, init=False)

    @property
    def free_slots(self) -> int:
        """How many more chats could begin now."""
        return sum(self._free_slots_of(agent) for agent in self._agents)

    @property
    def queue_length(self) -> int:
        """How many wait."""
        return len(self._queue)

    def has_other_agents(self, excluded: Collection[str]) -> bool:
        """Whether there is anybody at all who would do, busy or not."""
        return any(agent.party_id not in excluded for agent in self._agents)

    def request(self, waiter: Waiter, excluded: Collection[str] = ()) -> Agent | None:
        """Take a free agent; or wait, and ask again when called."""
        if waiter not in self._assigned and all(
            caller.waiter is not waiter for caller in self._queue
        ):
            self._queue.append(_QueueEntry(waiter, frozenset(excluded)))
            self._assign()
            if waiter in self._assigned:
                self._notified = [other for other in self._notified if other is not waiter]
        return self._assigned.pop(waiter, None)

    def estimated_wait(self, waiter: Waiter | None = None) -> int:
        """Seconds that somebody who waits has to wait by estimate; None: a new caller."""
        ahead = [caller.waiter for caller in self._queue]
        place = ahead.index(waiter) if waiter in ahead else len(ahead)
        if waiter not in ahead and place < self.free_slots:
            return 0
        capacity = sum(agent.capacity for agent in self._agents)
        return ceil((place + 1) * _CHAT_SECONDS / max(capacity, 1))

    def release(self, agent: Agent) -> None:
        """An agent's chat is over."""
        self._chat_counts[agent.party_id] -= 1
        self._assign()

    def withdraw(self, waiter: Waiter) -> None:
        """Somebody waits no longer, and takes nobody."""
        self._notified = [other for other in self._notified if other is not waiter]
        for place, caller in enumerate(self._queue):
            if caller.waiter is waiter:
                del self._queue[place]
                self._notified += [behind.waiter for behind in self._queue[place:]]
                break
        agent = self._assigned.pop(waiter, None)
        if agent is not None:
            self.release(agent)

    def take_notified(self) -> list[Waiter]:
        """Those who have news since last asked, in order, each once."""
        notified, self._notified = list(dict.fromkeys(self._notified)), []
        return notified

    def _free_slots_of(self, agent: Agent) -> int:
        return agent.capacity - self._chat_counts.get(agent.party_id, 0)

    def _load(self, agent: Agent) -> tuple[int, int]:
        return self._chat_counts.get(agent.party_id, 0), self._assigned_order.get(agent.party_id, 0)

    def _assign(self) -> None:
        """Give those who wait whoever is free: the least busy, and of those the longest idle."""
        waiting, self._queue = self._queue, []
        for place, caller in enumerate(waiting, 1):
            able = [agent for agent in self._agents if self._free_slots_of(agent) > 0]
            able = [agent for agent in able if agent.party_id not in caller.excluded]
            if able:
                agent = min(able, key=self._load)
                self._chat_counts[agent.party_id] = self._chat_counts.get(agent.party_id, 0) + 1
                self._assigned_order[agent.party_id] = (
                    max(self._assigned_order.values(), default=0) + 1
                )
                self._assigned[caller.waiter] = agent
            else:
                self._queue.append(caller)
            if len(self._queue) < place:
                self._notified.append(caller.waiter)  # has found somebody, or moved up
