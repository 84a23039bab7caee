"""One scenario, played in one chat: told the time and what the customer says, it tells events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from chatfsm.simulator import acting
from chatfsm.simulator.agents import Agents
from chatfsm.simulator.scenario import Scenario
from chatfsm.simulator.stage import Stage

__all__ = ["Play"]


class Play:
    """What the center does in one chat.

    What is told are the wire's events, without a timestamp and a msg_id where the scenario does
    not fix them. What was due before `now` counts as done when it was due, so that it makes no
    difference how often somebody asks.
    """

    def __init__(self, scenario: Scenario, agents: Agents, chat_id: str) -> None:
        self._stage = Stage(scenario, agents, chat_id, caller=self)

    @property
    def deadline(self) -> float | None:
        """When to call `wake`; None: not before somebody says something, or an agent is free."""
        return self._stage.until

    @property
    def done(self) -> bool:
        """Whether nothing will follow, whatever happens."""
        stage = self._stage
        return stage.is_closed or (stage.is_over and not stage.program)

    def begin(self, *, now: float) -> list[dict[str, Any]]:
        """The customer is there."""
        self._stage.at = now
        return acting.go_on(self._stage, now)

    def hear(self, event: Mapping[str, Any], *, now: float) -> list[dict[str, Any]]:
        """The customer has said something."""
        told = acting.go_on(self._stage, now)
        acting.hear(self._stage, event, now)
        return told + acting.go_on(self._stage, now)

    def wake(self, *, now: float) -> list[dict[str, Any]]:
        """Time has passed, or the agents called."""
        return acting.go_on(self._stage, now)

    def close(self, *, now: float) -> None:
        """The session is over: the agents are free for others. May be called again."""
        del now  # of the seam: an agent is free at once
        self._stage.close()
