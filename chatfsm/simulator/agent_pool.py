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

__all__ = ["Agents", "Caller"]

# Seconds that a chat is thought to take, for estimates: short for a real one, so that whoever tries
# a queue sees them fall.
_A_CHAT: Final = 60.0


class Caller(Protocol):
    """Who asks for an agent: a play."""

    def wake(self, *, now: float) -> list[dict[str, Any]]:
        """An agent is free, or the estimate another: tell what follows."""
        ...


@define
class _Waiting:
    who: Caller
    besides: frozenset[str]
    """The agents who would not do."""


def _all(agents: Iterable[Agent]) -> tuple[Agent, ...]:
    return tuple(agents)


@define(eq=False)
class Agents:
    """Who is free and who waits, the longest first."""

    _agents: tuple[Agent, ...] = field(converter=_all)
    _busy: dict[str, int] = field(factory=dict, init=False)
    """How many chats each agent has, by party id."""
    _turns: dict[str, int] = field(factory=dict, init=False)
    """When each agent was last given somebody: counts from 1."""
    _queue: list[_Waiting] = field(factory=list, init=False)
    _found: dict[Caller, Agent] = field(factory=dict, init=False)
    """Whom a caller was given and has not taken yet."""
    _called: list[Caller] = field(factory=list, init=False)

    @property
    def free(self) -> int:
        """How many more chats could begin now."""
        return sum(self._room(agent) for agent in self._agents)

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._queue)

    def has_others(self, besides: Collection[str]) -> bool:
        """Whether there is anybody at all who would do, busy or not."""
        return any(agent.party_id not in besides for agent in self._agents)

    def ask(self, who: Caller, besides: Collection[str] = ()) -> Agent | None:
        """Take a free agent; or wait, and ask again when called."""
        if who not in self._found and all(caller.who is not who for caller in self._queue):
            self._queue.append(_Waiting(who, frozenset(besides)))
            self._assign()
            if who in self._found:
                self._called = [other for other in self._called if other is not who]
        return self._found.pop(who, None)

    def wait_of(self, who: Caller | None = None) -> int:
        """Seconds that somebody who waits has to wait by estimate; None: a new caller."""
        ahead = [caller.who for caller in self._queue]
        place = ahead.index(who) if who in ahead else len(ahead)
        if who not in ahead and place < self.free:
            return 0
        capacity = sum(agent.capacity for agent in self._agents)
        return ceil((place + 1) * _A_CHAT / max(capacity, 1))

    def release(self, agent: Agent) -> None:
        """An agent's chat is over."""
        self._busy[agent.party_id] -= 1
        self._assign()

    def leave(self, who: Caller) -> None:
        """Somebody waits no longer, and takes nobody."""
        self._called = [other for other in self._called if other is not who]
        for place, caller in enumerate(self._queue):
            if caller.who is who:
                del self._queue[place]
                self._called += [behind.who for behind in self._queue[place:]]
                break
        agent = self._found.pop(who, None)
        if agent is not None:
            self.release(agent)

    def called(self) -> list[Caller]:
        """Those who have news since last asked, in order, each once."""
        called, self._called = list(dict.fromkeys(self._called)), []
        return called

    def _room(self, agent: Agent) -> int:
        return agent.capacity - self._busy.get(agent.party_id, 0)

    def _load(self, agent: Agent) -> tuple[int, int]:
        return self._busy.get(agent.party_id, 0), self._turns.get(agent.party_id, 0)

    def _assign(self) -> None:
        """Give those who wait whoever is free: the least busy, and of those the longest idle."""
        waiting, self._queue = self._queue, []
        for place, caller in enumerate(waiting, 1):
            able = [agent for agent in self._agents if self._room(agent) > 0]
            able = [agent for agent in able if agent.party_id not in caller.besides]
            if able:
                agent = min(able, key=self._load)
                self._busy[agent.party_id] = self._busy.get(agent.party_id, 0) + 1
                self._turns[agent.party_id] = max(self._turns.values(), default=0) + 1
                self._found[caller.who] = agent
            else:
                self._queue.append(caller)
            if len(self._queue) < place:
                self._called.append(caller.who)  # has found somebody, or moved up
