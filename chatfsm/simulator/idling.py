"""Who says nothing is warned and then let go; who does not even poll is let go.

Source: PROTOCOL.md §5.
"""

from __future__ import annotations

from typing import Final

from chatfsm.simulator import wire
from chatfsm.simulator.chat import Chat
from chatfsm.simulator.desk import Desk
from chatfsm.simulator.telling import tell

__all__ = ["look", "moments", "note_activity"]

_WARNING: Final = "Are you still there?"
_TOO_QUIET: Final = "The chat was closed, since nothing was said for a while."
_GONE: Final = "The chat was closed, since nobody listened."


def note_activity(desk: Desk, chat: Chat) -> None:
    """The customer did something."""
    chat.active_at = desk.now
    chat.is_warned = False


def moments(desk: Desk, chat: Chat) -> list[float]:
    """When a live chat is to be looked at for this."""
    timeout = _timeout(desk, chat)
    quiet_at = chat.active_at + (timeout if chat.is_warned else timeout / 2)
    if chat.poll is not None:
        return [quiet_at]
    return [quiet_at, chat.polled_at + desk.settings.poll_timeout]


def look(desk: Desk, chat: Chat) -> None:
    """Warn, or let go, where it is time."""
    timeout = _timeout(desk, chat)
    if desk.now >= chat.active_at + timeout / 2 and not chat.is_warned:
        chat.is_warned = True
        tell(desk, chat, [{"event": wire.TIMEOUT_WARNING, "msg": _WARNING}])
    if desk.now >= chat.active_at + timeout:
        _let_go(desk, chat, _TOO_QUIET)
    elif chat.poll is None and desk.now >= chat.polled_at + desk.settings.poll_timeout:
        _let_go(desk, chat, _GONE)


def _timeout(desk: Desk, chat: Chat) -> float:
    own = chat.entry.inactivity_timeout
    return desk.settings.inactivity_timeout if own is None else own


def _let_go(desk: Desk, chat: Chat, why: str) -> None:
    """Both events in one go, as they were seen; the first one decides."""
    events = ({"event": wire.INACTIVITY_TIMEOUT, "msg": why},)
    tell(desk, chat, (*events, {"event": wire.ENDED}))
