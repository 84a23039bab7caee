"""Ending: the last steps of a client after the server has ended the chat.

The session ends at once, unless the outcome of a message is in doubt. Then the client holds the end
back until the POST in flight is answered, or one last history shows what has arrived, or
`ClientSettings.settle_timeout` is over. It polls and posts no more in the meantime.
"""

from __future__ import annotations

from math import inf

from chatfsm._client import sending
from chatfsm._client.failures import request_history
from chatfsm._client.state import ClientState, ClientTurn, Ending
from chatfsm.events import Ended, InactivityTimeout, Status
from chatfsm.inputs import Input, Lost

__all__ = ["advance", "next_at"]


def next_at(state: ClientState) -> float:
    """Return when the end is held back no longer; infinity if there is none."""
    ending = state.ending
    return inf if ending is None or ending.deadline is None else ending.deadline


def advance(turn: ClientTurn, ending: Ending) -> None:
    """End the session unless something is still to be settled."""
    sending.enqueue(turn)
    if ending.deadline is None:
        _begin(turn, ending)
    if next_at(turn.state) > turn.now and not _is_settled(turn, ending):
        turn.late.clear()
        return
    turn.state.ending = None
    sending.fail_unposted(turn, "not posted: the chat is over")
    turn.feed_session(turn.final_item or _item_of(ending))
    for event in turn.late:
        turn.feed_session(event)


def _begin(turn: ClientTurn, ending: Ending) -> None:
    """Set the deadline; request the last history, unless a POST in flight may answer by itself."""
    if ending.kind == "lost":  # the server does not know the chat, and has no history of it
        ending.deadline = turn.now
        return
    ending.deadline = turn.now + turn.settings.settle_timeout
    if turn.state.post != "in_flight" and not _is_settled(turn, ending):
        timer = turn.state.history_timer
        request_history(turn)
        if timer.failures == 0:  # else the server is to be left alone until then
            timer.at = turn.now


def _is_settled(turn: ClientTurn, ending: Ending) -> bool:
    """Whether no message and no answer to a form is in doubt, or nothing will resolve the doubt."""
    session = turn.session
    state = turn.state
    if session is None or ending.is_hopeless or state.is_gone or state.link == "unauthorized":
        return True
    return not sending.is_in_doubt(state) and "unconfirmed" not in session.outbox.values()


def _item_of(ending: Ending) -> Input:
    """Return the input that ends the session."""
    if ending.kind == "inactivity_timeout":
        return InactivityTimeout(ending.text)
    if ending.kind == "lost":
        return Lost(ending.text or "")
    return Status("failed") if ending.kind == "failed" else Ended()
