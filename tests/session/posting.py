"""Short form of the effect `SendEvents`."""

from __future__ import annotations

from typing import Any

from chatfsm.effects import OutgoingMessage, SendEvents


def posting(*events: dict[str, Any], msg_id: str | None = None) -> SendEvents:
    """One message of several events, or, without an id, events without a message."""
    if msg_id is not None:
        return SendEvents((OutgoingMessage(events, msg_id),))
    return SendEvents(tuple(OutgoingMessage((event,)) for event in events))
