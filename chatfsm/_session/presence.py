"""Who types: never for longer than is believable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chatfsm import commands, events
from chatfsm._protocol.codec import encode
from chatfsm._session.state import DueAction, OwnTyping, Turn, deadline_after, quoted
from chatfsm._values import fast_constructor
from chatfsm.effects import TypingStarted, TypingStopped

# Told before nearly every message: made the fastest way there is.
_make_typing_started: Final = fast_constructor(TypingStarted)
_make_typing_stopped: Final = fast_constructor(TypingStopped)


def on_typing(turn: Turn, event: events.Typing) -> None:
    """Somebody types; said again, it only lasts longer. The customer's own is no news."""
    memory, party_id = turn.memory, event.party_id
    typing = memory.typing
    if typing is None or party_id not in typing:
        if party_id != memory.last_other_id and memory.is_own(party_id):
            return
        if typing is None:
            typing = memory.typing = {}
        if len(typing) >= turn.settings.max_typists:
            who = quoted(party_id)
            turn.report_violation("too_many_typists", f"no room to remember that {who} types")
            return
        turn.effects.append(_make_typing_started(party_id))
    deadline = typing[party_id] = deadline_after(turn.now, turn.settings.typing_timeout)
    if deadline < memory.deadline_bound:  # noqa: PLR1730  # a third of the time of min()
        memory.deadline_bound = deadline


def on_not_typing(turn: Turn, event: events.NotTyping | events.PartyLeft | events.Message) -> None:
    """Somebody types no more: by saying so, by leaving, or by having spoken."""
    typing = turn.memory.typing
    if typing is not None and event.party_id in typing:
        _stop_typing(turn, event.party_id)


def stop_all_typing(turn: Turn, _item: object) -> None:
    """Nobody types once the conversation is over, be it completed or ended."""
    for party_id in list(turn.memory.typing or ()):
        _stop_typing(turn, party_id)


def due_typing(turn: Turn) -> Iterator[DueAction]:
    """Whoever has not been heard of for too long."""
    for party_id, deadline in (turn.memory.typing or {}).items():
        if turn.now >= deadline:
            yield DueAction(deadline, _stop_typing, party_id)


def _stop_typing(turn: Turn, party_id: str) -> None:
    typing = turn.memory.typing or {}
    del typing[party_id]
    turn.memory.typing = typing or None
    turn.effects.append(_make_typing_stopped(party_id))


# The customer's own typing: told at the first key, now and then again, and never for too long.


def start_typing(turn: Turn, command: commands.StartTyping) -> None:
    """A key was pressed; the server hears of it once in `Settings.typing_renew` seconds."""
    memory = turn.memory
    deadline = deadline_after(turn.now, turn.settings.typing_idle)
    typing = memory.own_typing
    if typing is None or turn.now >= typing.sent_at + turn.settings.typing_renew:
        turn.queue_event(encode(command))
        memory.own_typing = OwnTyping(turn.now, deadline)
    else:
        typing.deadline = deadline
    memory.deadline_bound = min(memory.deadline_bound, deadline)


def stop_typing(turn: Turn, _command: commands.Command) -> None:
    """The customer stopped typing, or says what was typed."""
    if turn.memory.own_typing is not None:
        _stop_own_typing(turn, "")


def reset_typing(turn: Turn, _item: object) -> None:
    """After the end nobody is told any more."""
    turn.memory.own_typing = None


def due_own_typing(turn: Turn) -> Iterator[DueAction]:
    """No key for too long."""
    typing = turn.memory.own_typing
    if typing is not None and turn.now >= typing.deadline:
        yield DueAction(typing.deadline, _stop_own_typing, "")


def _stop_own_typing(turn: Turn, _nothing: str) -> None:
    turn.memory.own_typing = None
    turn.queue_event(encode(commands.StopTyping()))
