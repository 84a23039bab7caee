"""The warning before the server closes a silent session."""

from __future__ import annotations

from chatfsm.protocol import events
from chatfsm.session.effects import WarningCleared, WarningRaised
from chatfsm.session.state import Turn

Shared = events.File | events.Location | events.SecureFormCancel


def warned(turn: Turn, event: events.TimeoutWarning) -> None:
    """Tell the warning, each time."""
    text = event.msg_text if event.msg_text is not None else event.msg or ""
    turn.memory.warning = text
    turn.effects.append(WarningRaised(text))


def somebody_acted(turn: Turn, event: Shared) -> None:
    """What the customer does clears the warning; what others do does not."""
    own_file = event.party_id is None and isinstance(event, events.File)
    if turn.memory.warning is not None and (own_file or turn.memory.is_own(event.party_id)):
        customer_acted(turn, event)


def customer_acted(turn: Turn, _item: object) -> None:
    """The customer did something, so the server's patience starts anew."""
    if turn.memory.warning is not None:
        turn.memory.warning = None
        turn.effects.append(WarningCleared())
