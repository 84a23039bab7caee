"""What nobody knows, what is broken, and what comes too late."""

from __future__ import annotations

from chatfsm.errors import RemoteProtocolError
from chatfsm.log import logger
from chatfsm.protocol import events
from chatfsm.session.effects import UnknownReceived
from chatfsm.session.state import Turn, quoted


def unknown(turn: Turn, event: events.Unknown) -> None:
    """Tell an event that nobody knows, whole."""
    if turn.settings.strict:
        raise RemoteProtocolError("unknown", f"no event is called {quoted(event.name)}")
    turn.memory.counts.unknown += 1
    logger.info("chat %a: unknown event", turn.memory.chat_id)
    turn.tell(UnknownReceived(event.name, event.raw))


def malformed(turn: Turn, event: events.Malformed) -> None:
    """Tell what is broken, and keep it as it came."""
    what = "item" if event.name is None else event.name
    turn.report("malformed", f"{what}: {event.why}", event.raw)
    turn.memory.counts.malformed += 1


def only_counted(_turn: Turn, _event: object) -> None:
    """Nothing follows."""


def late(turn: Turn, _event: object) -> None:
    """After the end nothing is heard any more: it is counted, as late and as nothing else."""
    turn.memory.counts.late += 1
