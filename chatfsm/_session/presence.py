"""Presence: typing notifications of the parties and of the customer, with timeouts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from chatfsm import commands, events
from chatfsm._protocol.codec import encode
from chatfsm._session.state import DueAction, OwnTyping, Turn, deadline_after, quoted
from chatfsm._values import fast_constructor
from chatfsm.effects import TypingStarted, TypingStopped

# Most messages follow a typing notification, so its effects are built the fastest way.
_make_typing_started: Final = fast_constructor(TypingStarted)
_make_typing_stopped: Final = fast_constructor(TypingStopped)


def on_typing(turn: Turn, event: events.Typing) -> None:
    """Start or renew the typing notification of a party; ignore the customer's own."""
    memory, party_id = turn.memory, event.party_id
    typing = memory.typing
    if typing is None or party_id not in typing:
        if party_id != memory.last_other_id and memory.is_own(party_id):
            return
        if typing is None:
            typing = memory.typing = {}
        if len(typing) >= turn.settings.max_typists:
            limit = turn.settings.max_typists
            turn.report_violation(
                "too_many_typists",
                f"more than {limit} typing parties: {quoted(party_id)} is ignored",
            )
            return
        turn.effects.append(_make_typing_started(party_id))
    deadline = typing[party_id] = deadline_after(turn.now, turn.settings.typing_timeout)
    if deadline < memory.deadline_bound:  # noqa: PLR1730  # a third of the time of min()
        memory.deadline_bound = deadline


def on_not_typing(turn: Turn, event: events.NotTyping | events.PartyLeft | events.Message) -> None:
    """Stop the typing notification of a party that stopped, left, or sent a message."""
    typing = turn.memory.typing
    if typing is not None and event.party_id in typing:
        _stop_typing(turn, event.party_id)


def stop_all_typing(turn: Turn, _item: object) -> None:
    """Stop all typing notifications, because the conversation is completed or over."""
    for party_id in list(turn.memory.typing or ()):
        _stop_typing(turn, party_id)


def due_typing(turn: Turn) -> Iterator[DueAction]:
    """Yield the typing notifications that were not renewed in time."""
    for party_id, deadline in (turn.memory.typing or {}).items():
        if turn.now >= deadline:
            yield DueAction(deadline, _stop_typing, party_id)


def _stop_typing(turn: Turn, party_id: str) -> None:
    typing = turn.memory.typing or {}
    del typing[party_id]
    turn.memory.typing = typing or None
    turn.effects.append(_make_typing_stopped(party_id))


# The customer's own typing.


def start_typing(turn: Turn, command: commands.StartTyping) -> None:
    """Notify the server, at most once in `Settings.typing_renew` seconds."""
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
    """Notify the server that the customer stopped typing, or sends what was typed."""
    if turn.memory.own_typing is not None:
        _stop_own_typing(turn, "")


def reset_typing(turn: Turn, _item: object) -> None:
    """Drop the own typing notification without notifying the server."""
    turn.memory.own_typing = None


def due_own_typing(turn: Turn) -> Iterator[DueAction]:
    """Yield the own typing notification if the app did not renew it in time."""
    typing = turn.memory.own_typing
    if typing is not None and turn.now >= typing.deadline:
        yield DueAction(typing.deadline, _stop_own_typing, "")


def _stop_own_typing(turn: Turn, _nothing: str) -> None:
    turn.memory.own_typing = None
    turn.queue_event(encode(commands.StopTyping()))
