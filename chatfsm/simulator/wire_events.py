"""Builders of a center's events."""

from __future__ import annotations

from typing import Any

from chatfsm._protocol import names as wire
from chatfsm.simulator.tenants import Agent

__all__ = ["agent_joined", "agent_left", "message", "status"]


def status(state: str, ewt: str = "0") -> dict[str, Any]:
    """Return a status event; `ewt` is the estimated wait in seconds, as a text."""
    return {"event": wire.STATUS, "state": state, "ewt": ewt}


def agent_joined(agent: Agent) -> dict[str, Any]:
    """Return the event of an agent who joins."""
    return {
        "event": wire.PARTY_JOINED,
        "party_id": agent.party_id,
        "display_name": agent.display_name,
        "first_name": agent.first_name,
        "last_name": agent.last_name,
        "type": "internal",
    }


def agent_left(party_id: str) -> dict[str, Any]:
    """Return the event of an agent who leaves."""
    return {"event": wire.PARTY_LEFT, "party_id": party_id, "type": "internal"}


def message(text: str, party_id: str = "$agent") -> dict[str, Any]:
    """Return a text message of the agent's or the scenario's."""
    return {"event": wire.MESSAGE, "channel": "web", "msg": text, "party_id": party_id}
