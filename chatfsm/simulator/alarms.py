"""When to look at which chat: a heap, so that thousands of quiet chats cost nothing."""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

from chatfsm.simulator import idling
from chatfsm.simulator.chat import Chat
from chatfsm.simulator.desk import Desk

__all__ = ["due", "next_at", "set_alarm"]

# So many alarms that are out of date are not worth tidying up.
_FEW: Final = 64


def set_alarm(desk: Desk, chat: Chat) -> None:
    """Look at the chat again when something of it is due next."""
    moments = [chat.poll.until] if chat.poll else []
    if not chat.is_over:
        moments += idling.moments(desk, chat)
        moments += [] if chat.play.deadline is None else [chat.play.deadline]
    at = min(moments, default=None)
    if at == chat.alarm:
        return
    chat.alarm = at
    if at is not None:
        desk.rung += 1
        heappush(desk.alarms, (at, desk.rung, chat.chat_id))
        _tidy(desk)


def next_at(desk: Desk) -> float | None:
    """When the next chat is due; what is out of date is thrown away."""
    while desk.alarms:
        at, _, chat_id = desk.alarms[0]
        chat = desk.chats.get(chat_id)
        if chat is not None and chat.alarm == at:
            return at
        heappop(desk.alarms)
    return None


def _tidy(desk: Desk) -> None:
    """Throw away all that is out of date, where it is most of the heap."""
    if len(desk.alarms) > 2 * len(desk.chats) + _FEW:
        desk.alarms = [
            entry
            for entry in desk.alarms
            if entry[2] in desk.chats and desk.chats[entry[2]].alarm == entry[0]
        ]
        heapify(desk.alarms)


def due(desk: Desk) -> list[Chat]:
    """The chats that are due now, each once, in the order of their times."""
    found = []
    while (at := next_at(desk)) is not None and at <= desk.now:
        chat = desk.chats[heappop(desk.alarms)[2]]
        chat.alarm = None
        found.append(chat)
    return found
