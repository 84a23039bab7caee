"""What nobody knows, what is broken, and what comes too late."""

from __future__ import annotations

from typing import Final

from chatfsm.errors import RemoteProtocolError
from chatfsm.log import logger
from chatfsm.protocol import events
from chatfsm.session.effects import UnknownReceived
from chatfsm.session.identity import content_of, is_repeat
from chatfsm.session.inputs import History
from chatfsm.session.plain import written
from chatfsm.session.state import Turn, quoted

# Where they are remembered among what was told.
_ODD: Final = ("odd", None)


def unknown(turn: Turn, event: events.Unknown) -> None:
    """Tell an event that nobody knows, whole; of the past once, though its page may come again."""
    if turn.settings.strict:
        raise RemoteProtocolError("unknown", f"no event is called {quoted(event.name)}")
    if is_repeat(turn, _ODD, None, content_of(written(event))):
        return
    turn.memory.unknown += 1
    logger.info("chat %a: unknown event", turn.memory.chat_id)
    turn.effects.append(UnknownReceived(event.name, event.raw))


def malformed(turn: Turn, event: events.Malformed) -> None:
    """Tell what is broken, and keep it as it came; of the past once, too."""
    if not turn.settings.strict and is_repeat(turn, _ODD, None, content_of(written(event))):
        return
    what = "item" if event.name is None else event.name
    turn.report("malformed", f"{what}: {event.why}", event.raw)
    turn.memory.malformed += 1


def only_counted(_turn: Turn, _event: object) -> None:
    """Nothing follows."""


def late(turn: Turn, _event: object) -> None:
    """After the end nothing is heard any more: it is counted, as late and as nothing else."""
    turn.memory.late += 1


def late_history(turn: Turn, item: History) -> None:
    """After the end the past is no news either."""
    turn.memory.late += len(item.events)
