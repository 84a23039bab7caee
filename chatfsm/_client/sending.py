"""What was said goes out: in order, in batches, one POST at a time, and again only when safe."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import Any, Final

from chatfsm import commands as c
from chatfsm import events as e
from chatfsm._client import http_api
from chatfsm._client import state as moves
from chatfsm._client.failures import (
    answer_in,
    consequences,
    doubt,
    is_internal,
    may_have_arrived,
    put_off,
)
from chatfsm._client.state import Owed, Parcel, State, Step, moved
from chatfsm._protocol.codec import encode
from chatfsm.client_effects import Undelivered
from chatfsm.effects import SendEvents
from chatfsm.errors import ApiError
from chatfsm.events import Event
from chatfsm.inputs import History, SendFailed, Sent
from chatfsm.transport import HttpFailure, HttpReply

__all__ = [
    "abandon",
    "answered",
    "ask",
    "cut",
    "enqueue",
    "has_arrived",
    "is_answer",
    "is_typing",
    "next_at",
    "repeats",
    "resolve",
    "subject_of",
]


def enqueue(step: Step) -> None:
    """Queue what the session wants to be posted; what repeats itself waits once."""
    queue = step.state.queue
    for effect in step.said:
        for parcel in cut(effect, step.now):
            queue[:] = [waiting for waiting in queue if not repeats(parcel, waiting)]
            queue.append(parcel)
    step.said.clear()


def next_at(state: State) -> float:
    """When the next POST is to go out; infinity: none is, or one is on its way or in doubt."""
    return state.post_pace.at if state.post == "idle" and state.queue else inf


def ask(step: Step) -> None:
    """Post what waits, as much of it as goes into one."""
    state, settings, method = step.state, step.settings, http_api.POST
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
        body=(None, http_api.posted(events)),
        timeout=settings.request_timeout,
        max_body=settings.max_body,
    )


def answered(step: Step, owed: Owed, item: HttpReply | HttpFailure) -> None:
    """Know what became of a POST, and hear what a server of v1 says in its reply."""
    try:
        events = answer_in(step, owed, http_api.POST, item, is_chat=True)
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
        for parcel in cut(effect, step.now)
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
        if is_answer(parcel):
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
    if past is None and is_answer(parcel):
        _tell_undelivered(step, parcel, "nobody knows whether it arrived")
        return []
    return [] if past is not None and has_arrived(parcel, past) else [parcel]


def _failed(step: Step, error: ApiError) -> None:
    state = step.state
    if may_have_arrived(error):
        _doubt(step, error, max(put_off(step, state.post_pace, error), step.settings.settle_delay))
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
    state.batch = [parcel for parcel in state.batch if not is_typing(parcel)]
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
        return not is_typing(parcel) or step.now < stale_at
    return False


def _refuse(step: Step, parcel: Parcel, why: str) -> None:
    if parcel.msg_id is not None:
        step.hear(SendFailed(_messages_in([parcel]), why, retryable=False))
    else:
        _tell_undelivered(step, parcel, why)


def _tell_undelivered(step: Step, parcel: Parcel, why: str) -> None:
    event = str(parcel.events[0]["event"])
    step.effects.append(Undelivered(event, subject_of(parcel), why))


# What was said, cut into the smallest parts that arrive, fail, and are sent again as one.

_TYPING: Final = encode(c.StartTyping())["event"]
_PASSING: Final = frozenset({_TYPING, encode(c.StopTyping())["event"]})
_ANSWERS: Final = frozenset(
    encode(order)["event"]
    for secure in (True, False)
    for order in (c.SubmitForm("a form", {}, secure=secure), c.CancelForm("a form", secure=secure))
)
_ANSWERED: Final = (e.FormData, e.FormDataCancel, e.SecureFormCancel)


def cut(effect: SendEvents, now: float) -> list[Parcel]:
    """The parcels of what a session wants to be posted, in order.

    What a message brings along (the answer to a text prompt, say) is a part of it: the session
    sends both again.
    """
    if not effect.msg_ids:
        return [Parcel((event,), None, now) for event in effect.events]
    parcels: list[Parcel] = []
    events = list(effect.events)
    for following, msg_id in zip((*effect.msg_ids[1:], None), effect.msg_ids, strict=True):
        end = len(events) if following is None else _end_of(events, msg_id)
        parcels.append(Parcel(tuple(events[:end]), msg_id, now))
        del events[:end]
    return parcels


def _end_of(events: list[dict[str, Any]], msg_id: str) -> int:
    """Where a message ends: at its id, or at an empty one, as some connectors want of files."""
    return next(
        (at for at, event in enumerate(events, 1) if event.get("msg_id") in {msg_id, ""}),
        len(events),
    )


def is_typing(parcel: Parcel) -> bool:
    """Whether it says that the customer types: of interest for seconds only."""
    return parcel.events[0]["event"] == _TYPING and parcel.msg_id is None


def is_answer(parcel: Parcel) -> bool:
    """Whether it answers a form."""
    return parcel.events[0]["event"] in _ANSWERS and parcel.msg_id is None


def repeats(parcel: Parcel, other: Parcel) -> bool:
    """Whether what waits already makes it needless, or it makes needless what waits."""
    if parcel.msg_id is not None or other.msg_id is not None:
        return False
    return parcel.events == other.events or (
        parcel.events[0]["event"] in _PASSING and other.events[0]["event"] in _PASSING
    )


def has_arrived(parcel: Parcel, past: Iterable[e.Event]) -> bool:
    """Whether a history holds a parcel that is no message; what leaves no trace has not."""
    event = parcel.events[0]
    if is_answer(parcel):
        form = event["form_request_id"]
        return any(isinstance(item, _ANSWERED) and item.form_request_id == form for item in past)
    msg_id = event.get("msg_id")
    return msg_id is not None and any(
        isinstance(item, (e.Signaling, e.Cobrowsing)) and item.msg_id == msg_id for item in past
    )


def subject_of(parcel: Parcel) -> str | None:
    """The id of the form or message that it is about."""
    event = parcel.events[0]
    found = (event.get(name) for name in ("form_request_id", "ref_msg_id", "msg_id"))
    return next((str(value) for value in found if value), None)
