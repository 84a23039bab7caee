"""Builders of the events that a center says."""

from __future__ import annotations

from typing import Any

from chatfsm._protocol import names as wire
from chatfsm.simulator.tenants import Agent

__all__ = ["agent_joined", "agent_left", "message", "status"]


def status(state: str, ewt: str = "0") -> dict[str, Any]:
    """The session's state, and the seconds to wait as the wire has them: a text."""
    return {"event": wire.STATUS, "state": state, "ewt": ewt}


def agent_joined(agent: Agent) -> dict[str, Any]:
    """An agent joins."""
    return {
        "event": wire.PARTY_JOINED,
        "party_id": agent.party_id,
        "display_name": agent.display_name,
        "first_name": agent.first_name,
        "last_name": agent.last_name,
        "type": "internal",
    }


def agent_left(party_id: str) -> dict[str, Any]:
    """An agent leaves."""
    return {"event": wire.PARTY_LEFT, "party_id": party_id, "type": "internal"}


def message(text: str, party_id: str = "$agent") -> dict[str, Any]:
    """Somebody of the center says something."""
    return {"event": wire.MESSAGE, "channel": "web", "msg": text, "party_id": party_id}
