"""Builders of a center's events, as on the wire without timestamps and generated msg_ids."""

from __future__ import annotations

from typing import Any

from chatfsm._protocol import names as wire
from chatfsm.simulator.tenants import Agent

__all__ = [
    "WireEvent",
    "agent_joined",
    "agent_left",
    "delivered",
    "ended",
    "form_shown",
    "inactive",
    "message",
    "not_typing",
    "read",
    "secure_form_shown",
    "signaling",
    "status",
    "typing",
    "warning",
]

WireEvent = dict[str, Any]
"""An event as on the wire."""


def status(state: str, ewt: str | None = "0") -> WireEvent:
    """Return a status event; `ewt` is the estimated wait in seconds, as a text, None for none."""
    return {"event": wire.STATUS, "state": state, **({} if ewt is None else {"ewt": ewt})}


def agent_joined(agent: Agent) -> WireEvent:
    """Return the event of an agent who joins."""
    return {
        "event": wire.PARTY_JOINED,
        "party_id": agent.party_id,
        "display_name": agent.display_name,
        "first_name": agent.first_name,
        "last_name": agent.last_name,
        "type": "internal",
    }


def agent_left(party_id: str) -> WireEvent:
    """Return the event of an agent who leaves."""
    return {"event": wire.PARTY_LEFT, "party_id": party_id, "type": "internal"}


def message(text: str, party_id: str = "$agent") -> WireEvent:
    """Return a text message of the agent's or the scenario's."""
    return {"event": wire.MESSAGE, "channel": "web", "msg": text, "party_id": party_id}


def typing(party_id: str) -> WireEvent:
    """Return the event of a party who starts to type."""
    return {"event": wire.TYPING, "party_id": party_id}


def not_typing(party_id: str) -> WireEvent:
    """Return the event of a party who stops typing."""
    return {"event": wire.NOT_TYPING, "party_id": party_id}


def delivered(msg_id: object, party_id: str | None) -> WireEvent:
    """Return the delivery receipt for a message of the customer's."""
    receipt = {"event": wire.MESSAGE_DELIVERED, "ref_msg_id": msg_id}
    return receipt if party_id is None else {**receipt, "party_id": party_id}


def read(msg_id: object, party_id: str) -> WireEvent:
    """Return the read receipt for a message of the customer's."""
    return {"event": wire.MESSAGE_READ, "ref_msg_id": msg_id, "party_id": party_id}


def form_shown(request_id: str, name: str, timeout: float) -> WireEvent:
    """Return the event of a form; the timeout is in seconds, 0 for none."""
    return {
        "event": wire.FORM_SHOW,
        "form_request_id": request_id,
        "form_name": name,
        "form_timeout": f"{timeout:g}",
    }


def secure_form_shown(request_id: str, form_id: str) -> WireEvent:
    """Return the event of a secure form."""
    return {"event": wire.SECURE_FORM_SHOW, "form_request_id": request_id, "form_id": form_id}


def signaling(kind: str, party_id: str, **fields: Any) -> WireEvent:
    """Return a signal of a call."""
    return {"event": wire.SIGNALING, "party_id": party_id, "data": {"type": kind, **fields}}


def warning(text: str) -> WireEvent:
    """Return the inactivity warning."""
    return {"event": wire.TIMEOUT_WARNING, "msg": text}


def inactive(text: str = "") -> WireEvent:
    """Return the inactivity timeout, which ends the session."""
    return {"event": wire.INACTIVITY_TIMEOUT, **({"msg": text} if text else {})}


def ended() -> WireEvent:
    """Return the end of the session."""
    return {"event": wire.ENDED}
