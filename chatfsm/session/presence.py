"""Who types: never for longer than is believable."""

from __future__ import annotations

from collections.abc import Iterator

from chatfsm.protocol import events
from chatfsm.session import law
from chatfsm.session.deadlines import Due, after
from chatfsm.session.effects import TypingStarted, TypingStopped
from chatfsm.session.state import Turn, quoted


def typing(turn: Turn, event: events.Typing) -> None:
    """Somebody types; said again, it only lasts longer. The customer's own is no news."""
    memory = turn.memory
    if memory.is_own(event.party_id):
        return
    if memory.typing is None:
        memory.typing = {}
    if event.party_id not in memory.typing:
        if len(memory.typing) >= turn.settings.max_typists:
            who = quoted(event.party_id)
            turn.report("too_many_typists", f"no room to remember that {who} types")
            return
        turn.tell(TypingStarted(event.party_id))
    deadline = after(turn.now, turn.settings.typing_timeout)
    memory.typing[event.party_id] = deadline
    memory.wake = min(memory.wake, deadline)


def stopped(turn: Turn, event: events.NotTyping | events.PartyLeft | events.Message) -> None:
    """Somebody types no more: by saying so, by leaving, or by having spoken."""
    if turn.memory.typing and event.party_id in turn.memory.typing:
        _stop(turn, event.party_id)


def all_stopped(turn: Turn, _item: object) -> None:
    """Nobody types once the conversation is over, be it completed or ended."""
    memory = turn.memory
    if memory.typing and (memory.state == "completed" or memory.state in law.OUTCOMES):
        for party_id in list(memory.typing):
            _stop(turn, party_id)


def due(turn: Turn) -> Iterator[Due]:
    """Whoever has not been heard of for too long."""
    for party_id, deadline in (turn.memory.typing or {}).items():
        if turn.now >= deadline:
            yield Due(deadline, _stop, party_id)


def _stop(turn: Turn, party_id: str) -> None:
    typing = turn.memory.typing or {}
    del typing[party_id]
    turn.memory.typing = typing or None
    turn.tell(TypingStopped(party_id))
