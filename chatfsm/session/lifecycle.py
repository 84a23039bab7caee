"""The state of the session, from establishing to its one end."""

from __future__ import annotations

from math import inf
from typing import Final

from attrs import evolve

from chatfsm.frozen import maker
from chatfsm.log import logger
from chatfsm.protocol import events
from chatfsm.session import law
from chatfsm.session.effects import StateChanged, Terminated, WaitEstimated
from chatfsm.session.inputs import Lost
from chatfsm.session.state import Turn, quoted

_moved: Final = maker(StateChanged)
_estimated: Final = maker(WaitEstimated)

_MOVES: Final = law.LIFECYCLE.moves
_UNEXPECTED: Final = {source: word for word, source, _ in law.UNEXPECTED}


def status(turn: Turn, event: events.Status) -> bool:
    """Obey a status; True where the state stays as it is."""
    memory, word = turn.memory, event.state
    previous = memory.state
    if word == previous:
        return _wait_again(turn, event.ewt)
    if word not in law.STATUS_WORDS:
        turn.report("unknown_state", f"no state is called {quoted(word)}")
        return True
    destination = _MOVES[previous][word]
    if word == _UNEXPECTED.get(previous):
        turn.report("unexpected_transition", f"from {previous} to {destination}")
    _move(turn, destination)
    ewt = memory.ewt = event.ewt
    if ewt is not None and destination not in law.OUTCOMES:
        turn.effects.append(_estimated(ewt))
    return False


def ended(turn: Turn, _event: events.Ended) -> None:
    """The server ended the session."""
    _move(turn, _MOVES[turn.memory.state]["ended"])


def timed_out(turn: Turn, event: events.InactivityTimeout) -> None:
    """The server closed the session for inactivity."""
    _move(turn, _MOVES[turn.memory.state]["inactivity_timeout"])
    turn.memory.outcome_text = event.msg_text if event.msg_text is not None else event.msg


def lost(turn: Turn, item: Lost) -> None:
    """The server knows no such session."""
    _move(turn, _MOVES[turn.memory.state]["lost"])
    turn.memory.outcome_text = item.reason


def terminate(turn: Turn, _item: events.Event | Lost) -> None:
    """Say that the session is over, once and last, and let go of what no later event can need."""
    memory = turn.memory
    outcome = law.OUTCOMES[memory.state]
    memory.outcome_text = memory.outcome_text or ""
    memory.told, memory.told_count, memory.told_all = {}, 0, True
    memory.arrivals, memory.departed, memory.departed_all = (), None, True
    if memory.call.candidates:
        memory.call = evolve(memory.call, candidates=())
    memory.wake = inf
    turn.effects.append(Terminated(outcome, memory.outcome_text))
    logger.info("chat %a: terminated, %s", memory.chat_id, outcome)


def _wait_again(turn: Turn, ewt: float | None) -> bool:
    if ewt is None or ewt == turn.memory.ewt:
        return turn.absorb()
    turn.memory.ewt = ewt
    turn.effects.append(_estimated(ewt))
    return True


def _move(turn: Turn, destination: str) -> None:
    previous, turn.memory.state = turn.memory.state, destination
    turn.effects.append(_moved(previous, destination))
