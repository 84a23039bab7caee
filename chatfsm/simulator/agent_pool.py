"""Agent pool: the free agents of a tenant, and the queue of chats that wait for one.

A chat's player waits by identity. The pool notifies it when an agent was assigned to it, or when
its estimated wait has changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import ceil
from typing import Any, Final, Protocol

from attrs import define, field

from chatfsm.simulator.tenants import Agent

__all__ = ["AgentPool", "Waiter"]

# Seconds that a chat lasts by estimate: fewer than a real chat's, so that the estimates of a short
# trial fall.
_CHAT_SECONDS: Final = 60.0


class Waiter(Protocol):
    """An object that waits for an agent: the player of a chat."""

    def wake(self, *, now: float) -> list[dict[str, Any]]:
        """Return the events that follow from an assigned agent or a new estimate."""
        ...


@define
class _QueueEntry:
    waiter: Waiter
    excluded: frozenset[str]
    """The party ids of agents who must not be assigned."""


def _as_tuple(agents: Iterable[Agent]) -> tuple[Agent, ...]:
    return tuple(agents)


@define(eq=False)
class AgentPool:
    """The agents of a tenant, and the queue of waiters in the order of their requests."""

    _agents: tuple[Agent, ...] = field(converter=_as_tuple)
    _chat_counts: dict[str, int] = field(factory=dict, init=False)
    """The number of chats of each agent, by party id."""
    _assigned_order: dict[str, int] = field(factory=dict, init=False)
    """The number of the last assignment of each agent, counted from 1 in the pool."""
    _queue: list[_QueueEntry] = field(factory=list, init=False)
    _assigned: dict[Waiter, Agent] = field(factory=dict, init=False)
    """Agents that were assigned and that their waiter has not taken yet."""
    _preferred: dict[Waiter, str] = field(factory=dict, init=False)
    """The party ids of agents that waiters requested."""
    _notified: list[Waiter] = field(factory=list, init=False)

    @property
    def free_slots(self) -> int:
        """The number of chats that could start now."""
        return sum(self._free_slots_of(agent) for agent in self._agents)

    @property
    def queue_length(self) -> int:
        """The number of waiters in the queue."""
        return len(self._queue)

    def has_other_agents(self, excluded: Collection[str]) -> bool:
        """Whether the tenant has an agent besides those excluded, busy or free."""
        return any(agent.party_id not in excluded for agent in self._agents)

    def request(self, waiter: Waiter, excluded: Collection[str] = ()) -> Agent | None:
        """Return a free agent, or None and put the waiter into the queue.

        A waiter that is notified calls this again. `excluded` holds party ids of agents who must
        not be assigned.
        """
        if waiter not in self._assigned and all(
            entry.waiter is not waiter for entry in self._queue
        ):
            self._queue.append(_QueueEntry(waiter, frozenset(excluded)))
            self._assign()
            if waiter in self._assigned:
                self._notified = [one for one in self._notified if one is not waiter]
        return self._assigned.pop(waiter, None)

    def prefer(self, waiter: Waiter, party_id: str) -> None:
        """Assign this agent to the waiter if free, before any other."""
        self._preferred[waiter] = party_id

    def estimated_wait(self, waiter: Waiter | None = None) -> int:
        """Return the estimated seconds of waiting of a queued waiter, or if None of a new one."""
        queue = [entry.waiter for entry in self._queue]
        place = queue.index(waiter) if waiter in queue else len(queue)
        if waiter not in queue and place < self.free_slots:
            return 0
        capacity = sum(agent.capacity for agent in self._agents)
        return ceil((place + 1) * _CHAT_SECONDS / max(capacity, 1))

    def release(self, agent: Agent) -> None:
        """Free the agent from one chat, and assign the agent to the next waiter."""
        self._chat_counts[agent.party_id] -= 1
        self._assign()

    def withdraw(self, waiter: Waiter) -> None:
        """Remove the waiter from the queue, and release an agent who was assigned to it."""
        self._notified = [one for one in self._notified if one is not waiter]
        self._preferred.pop(waiter, None)
        for place, entry in enumerate(self._queue):
            if entry.waiter is waiter:
                del self._queue[place]
                self._notified += [behind.waiter for behind in self._queue[place:]]
                break
        agent = self._assigned.pop(waiter, None)
        if agent is not None:
            self.release(agent)

    def take_notified(self) -> list[Waiter]:
        """Return the waiters to notify, in order and each once, and forget them."""
        notified, self._notified = list(dict.fromkeys(self._notified)), []
        return notified

    def _free_slots_of(self, agent: Agent) -> int:
        return agent.capacity - self._chat_counts.get(agent.party_id, 0)

    def _load(self, agent: Agent) -> tuple[int, int]:
        return self._chat_counts.get(agent.party_id, 0), self._assigned_order.get(agent.party_id, 0)

    def _assign(self) -> None:
        """Assign free agents to waiters: the least busy first, among those the longest idle."""
        queue, self._queue = self._queue, []
        for place, entry in enumerate(queue, 1):
            able = [agent for agent in self._agents if self._free_slots_of(agent) > 0]
            able = [agent for agent in able if agent.party_id not in entry.excluded]
            if able:
                preferred = self._preferred.pop(entry.waiter, "")
                chosen = [agent for agent in able if agent.party_id == preferred]
                agent = min(chosen or able, key=self._load)
                self._chat_counts[agent.party_id] = self._chat_counts.get(agent.party_id, 0) + 1
                self._assigned_order[agent.party_id] = (
                    max(self._assigned_order.values(), default=0) + 1
                )
                self._assigned[entry.waiter] = agent
            else:
                self._queue.append(entry)
            if len(self._queue) < place:
                self._notified.append(entry.waiter)  # it has an agent, or a better place
