"""What was said goes out: in order, in batches, one POST at a time, and again only when safe."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

from chatfsm.conversation import endpoints, moves, parcels
from chatfsm.conversation.exchange import HttpFailure, HttpReply
from chatfsm.conversation.judging import (
    answer_in,
    consequences,
    doubt,
    is_internal,
    may_have_arrived,
    put_off,
)
from chatfsm.conversation.parcels import Parcel
from chatfsm.conversation.state import Owed, State, Step, moved
from chatfsm.conversation.tidings import Undelivered
from chatfsm.errors import ApiError
from chatfsm.protocol.events import Event
from chatfsm.session.inputs import History, SendFailed, Sent

__all__ = ["abandon", "answered", "ask", "enqueue", "next_at", "resolve"]


def enqueue(step: Step) -> None:
    """Queue what the session wants to be posted; what repeats itself waits once."""
    queue = step.state.queue
    for effect in step.said:
        for parcel in parcels.cut(effect, step.now):
            queue[:] = [waiting for waiting in queue if not parcels.repeats(parcel, waiting)]
            queue.append(parcel)
    step.said.clear()


def next_at(state: State) -> float:
    """When the next POST is to go out; infinity: none is, or one is on its way or in doubt."""
    return state.post_pace.at if state.post == "idle" and state.queue else inf


def ask(step: Step) -> None:
    """Post what waits, as much of it as goes into one."""
    state, settings, method = step.state, step.settings, endpoints.POST
    state.queue = [parcel for parcel in state.queue if _is_worth_sending(step, parcel)]
    size = 1 if state.alone else settings.max_batch
    state.batch, state.queue = state.queue[:size], state.queue[size:]
    if not state.batch:
        return
    state.post = moved(moves.POST, state.post, "ask")
    events = tuple(event for parcel in state.batch for event in parcel.events)
    step.ask(
        "post",
        method,
        path=method.path_for(None, step.chat_id),
        body=(None, endpoints.posted(events)),
        timeout=settings.request_timeout,
        max_body=settings.max_body,
    )


def answered(step: Step, owed: Owed, item: HttpReply | HttpFailure) -> None:
    """Know what became of a POST, and hear what a server of v1 says in its reply."""
    try:
        events = answer_in(step, owed, endpoints.POST, item, is_chat=True)
    except ApiError as error:
        _failed(step, error)
        return
    state = step.state
    state.post = moved(moves.POST, state.post, "answer")
    state.post_pace.failures = 0
    state.alone = max(0, state.alone - len(state.batch))
    sent = _messages_in(state.batch)
    state.batch = []
    if sent:
        step.hear(Sent(sent))
    for event in events:
        step.hear(event)


def resolve(step: Step, past: Sequence[Event], *, complete: bool) -> None:
    """Know by the history what has arrived, and queue again, before all else, what has not."""
    enqueue(step)
    merged: Any = past  # as `_messages_in`
    step.hear(History(merged, complete=complete))
    again: dict[str | None, Parcel] = {
        parcel.msg_id: parcel
        for effect in step.said
        if effect.msg_ids
        for parcel in parcels.cut(effect, step.now)
    }
    step.said = [effect for effect in step.said if not effect.msg_ids]
    state = step.state
    kept: list[Parcel] = []
    if state.post == "doubtful":
        doubtful, state.batch = state.batch, []
        state.post = moved(moves.POST, state.post, "resolve")
        for parcel in doubtful:
            kept += _still_to_send(step, parcel, again, past if complete else None)
    state.queue = [*kept, *again.values(), *state.queue]


def abandon(step: Step) -> None:
    """The chat is over: tell of answers that may be lost; the session tells of messages."""
    state = step.state
    for parcel in (*state.batch, *state.queue):
        if parcels.is_answer(parcel):
            _tell_undelivered(step, parcel, "the chat is over")
    state.batch, state.queue = [], []


def _still_to_send(
    step: Step, parcel: Parcel, again: dict[str | None, Parcel], past: Sequence[Event] | None
) -> list[Parcel]:
    """What is left to send of a parcel whose fate was in doubt; `past` None: nobody will tell."""
    if parcel.msg_id is not None:
        missing = again.pop(parcel.msg_id, None)
        if missing is None:
            return []
        missing.attempts = parcel.attempts
        return [missing]
    if past is None and parcels.is_answer(parcel):
        _tell_undelivered(step, parcel, "nobody knows whether it arrived")
        return []
    return [] if past is not None and parcels.has_arrived(parcel, past) else [parcel]


def _failed(step: Step, error: ApiError) -> None:
    state = step.state
    if may_have_arrived(error):
        _doubt(step, error, max(put_off(step, state.post_pace, error), step.settings.settle))
        return
    state.post = moved(moves.POST, state.post, "put_back")
    batch, state.batch = state.batch, []
    if consequences(step, error) or error.transient:
        put_off(step, state.post_pace, error)
    elif len(batch) > 1:  # one of them must not take its neighbours along
        state.alone = len(batch)
    else:
        state.alone = max(0, state.alone - 1)
        _refuse(step, batch.pop(), str(error))
    state.queue = batch + state.queue


def _doubt(step: Step, error: ApiError, after: float) -> None:
    """It may have arrived: say so of the messages, and let the history tell."""
    state = step.state
    state.post = moved(moves.POST, state.post, "doubt")
    if is_internal(error):  # the server may choke on one of them
        state.alone = max(state.alone, len(state.batch))
        if len(state.batch) == 1:
            state.batch[0].attempts += 1
    in_doubt = _messages_in(state.batch)
    state.batch = [parcel for parcel in state.batch if not parcels.is_typing(parcel)]
    if in_doubt:
        step.hear(SendFailed(in_doubt, str(error), retryable=True))
    doubt(step, after=after)


def _messages_in(batch: list[Parcel]) -> Any:  # mypy loses the types of `converter=tuple`
    return tuple(parcel.msg_id for parcel in batch if parcel.msg_id is not None)


def _is_worth_sending(step: Step, parcel: Parcel) -> bool:
    """Drop what is stale, and tell of what cannot be sent."""
    if parcel.is_lost:
        _refuse(step, parcel, "what answers a secure form survives no restart")
    elif parcel.attempts >= step.settings.max_attempts:
        _refuse(step, parcel, f"the server failed {parcel.attempts} times on it")
    else:
        stale_at = parcel.said_at + step.settings.session.typing_renew
        return not parcels.is_typing(parcel) or step.now < stale_at
    return False


def _refuse(step: Step, parcel: Parcel, why: str) -> None:
    if parcel.msg_id is not None:
        step.hear(SendFailed(_messages_in([parcel]), why, retryable=False))
    else:
        _tell_undelivered(step, parcel, why)


def _tell_undelivered(step: Step, parcel: Parcel, why: str) -> None:
    event = str(parcel.events[0]["event"])
    step.effects.append(Undelivered(event, parcels.subject_of(parcel), why))
