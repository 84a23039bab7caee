"""The customer's own typing: told at the first key, now and then again, and never for too long."""

from __future__ import annotations

from collections.abc import Iterator

from chatfsm.protocol import commands
from chatfsm.protocol.outbound import encode
from chatfsm.session.deadlines import Due, after
from chatfsm.session.state import OwnTyping, Turn


def pressed(turn: Turn, command: commands.StartTyping) -> None:
    """A key was pressed; the server hears of it once in `Settings.typing_renew` seconds."""
    memory = turn.memory
    deadline = after(turn.now, turn.settings.typing_idle)
    typing = memory.own_typing
    if typing is None or turn.now >= typing.told_at + turn.settings.typing_renew:
        turn.say(encode(command))
        memory.own_typing = OwnTyping(turn.now, deadline)
    else:
        typing.deadline = deadline
    memory.wake = min(memory.wake, deadline)


def released(turn: Turn, _command: commands.Command) -> None:
    """The customer stopped typing, or says what was typed."""
    if turn.memory.own_typing is not None:
        _stop(turn, "")


def forgotten(turn: Turn, _item: object) -> None:
    """After the end nobody is told any more."""
    turn.memory.own_typing = None


def due(turn: Turn) -> Iterator[Due]:
    """No key for too long."""
    typing = turn.memory.own_typing
    if typing is not None and turn.now >= typing.deadline:
        yield Due(typing.deadline, _stop, "")


def _stop(turn: Turn, _nothing: str) -> None:
    turn.memory.own_typing = None
    turn.say(encode(commands.StopTyping()))
