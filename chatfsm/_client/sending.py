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
    handle_fatal,
    is_internal_error,
    may_have_arrived,
    read_reply,
    request_history,
    schedule_retry,
)
from chatfsm._client.state import ClientState, ClientTurn, PendingRequest, QueuedItem, next_state
from chatfsm._protocol.codec import encode
from chatfsm.client_effects import Undelivered
from chatfsm.errors import ApiError
from chatfsm.events import Event
from chatfsm.inputs import History, SendFailed, Sent
from chatfsm.transport import HttpFailure, HttpReply

__all__ = [
    "enqueue",
    "is_form_answer",
    "is_in_history",
    "is_typing",
    "next_at",
    "on_answer",
    "on_terminated",
    "resolve",
    "send",
    "subject_of",
    "supersedes",
]


def enqueue(turn: ClientTurn) -> None:
    """Queue the messages that the session wants to be posted, in place of those they supersede."""
    queue = turn.state.queue
    for message in turn.to_post:
        item = QueuedItem(message.events, message.msg_id, turn.now)
        if item.msg_id is None:
            queue[:] = [waiting for waiting in queue if not supersedes(item, waiting)]
        queue.append(item)
    turn.to_post.clear()


def next_at(state: ClientState) -> float:
    """When the next POST is to go out; infinity: none is, or one is on its way or in doubt."""
    return state.post_timer.at if state.post == "idle" and state.queue else inf


def send(turn: ClientTurn) -> None:
    """Post what waits, as much of it as goes into one."""
    state, settings, method = turn.state, turn.settings, http_api.POST
    state.queue = [item for item in state.queue if _should_send(turn, item)]
    size = 1 if state.isolate_count else settings.max_batch
    state.batch, state.queue = state.queue[:size], state.queue[size:]
    if not state.batch:
        return
    state.post = next_state(moves.POST, state.post, "send")
    events = tuple(event for item in state.batch for event in item.events)
    turn.issue(
        "post",
        method,
        path=method.path_for(None, turn.chat_id),
        body=(None, http_api.post_body(events)),
        timeout=settings.request_timeout,
        max_body=settings.max_body,
    )


def on_answer(turn: ClientTurn, pending: PendingRequest, item: HttpReply | HttpFailure) -> None:
    """Know what became of a POST, and hear what a server of v1 says in its reply."""
    try:
        events = read_reply(turn, pending, http_api.POST, item, is_chat=True)
    except ApiError as error:
        _on_error(turn, error)
        return
    state = turn.state
    state.post = next_state(moves.POST, state.post, "answer")
    state.post_timer.failures = 0
    state.isolate_count = max(0, state.isolate_count - len(state.batch))
    sent = _msg_ids(state.batch)
    state.batch = []
    if sent:
        turn.feed_session(Sent(sent))
    for event in events:
        turn.feed_session(event)


def resolve(turn: ClientTurn, past: Sequence[Event], *, complete: bool) -> None:
    """Know by the history what has arrived, and queue again, before all else, what has not."""
    enqueue(turn)
    merged: Any = past  # as `_messages_in`
    turn.feed_session(History(merged, complete=complete))
    missing = {
        message.msg_id: QueuedItem(message.events, message.msg_id, turn.now)
        for message in turn.to_post
        if message.msg_id is not None
    }
    turn.to_post = [message for message in turn.to_post if message.msg_id is None]
    state = turn.state
    kept: list[QueuedItem] = []
    if state.post == "unconfirmed":
        doubtful, state.batch = state.batch, []
        state.post = next_state(moves.POST, state.post, "resolve")
        for item in doubtful:
            kept += _remaining(turn, item, missing, past if complete else None)
    state.queue = [*kept, *missing.values(), *state.queue]


def on_terminated(turn: ClientTurn) -> None:
    """The chat is over: tell of answers that may be lost; the session tells of messages."""
    state = turn.state
    for item in (*state.batch, *state.queue):
        if is_form_answer(item):
            _report_undelivered(turn, item, "the chat is over")
    state.batch, state.queue = [], []


def _remaining(
    turn: ClientTurn,
    item: QueuedItem,
    missing: dict[str, QueuedItem],
    past: Sequence[Event] | None,
) -> list[QueuedItem]:
    """Return what must be sent again of an unconfirmed item; `past` is None if unknown."""
    if item.msg_id is not None:
        again = missing.pop(item.msg_id, None)
        if again is None:
            return []
        again.attempts = item.attempts
        return [again]
    if past is None and is_form_answer(item):
        _report_undelivered(turn, item, "nobody knows whether it arrived")
        return []
    return [] if past is not None and is_in_history(item, past) else [item]


def _on_error(turn: ClientTurn, error: ApiError) -> None:
    state = turn.state
    if may_have_arrived(error):
        _mark_unconfirmed(
            turn,
            error,
            max(schedule_retry(turn, state.post_timer, error), turn.settings.settle_delay),
        )
        return
    state.post = next_state(moves.POST, state.post, "put_back")
    batch, state.batch = state.batch, []
    if handle_fatal(turn, error) or error.transient:
        schedule_retry(turn, state.post_timer, error)
    elif len(batch) > 1:  # one of them must not take its neighbours along
        state.isolate_count = len(batch)
    else:
        state.isolate_count = max(0, state.isolate_count - 1)
        _report_failed(turn, batch.pop(), str(error))
    state.queue = batch + state.queue


def _mark_unconfirmed(turn: ClientTurn, error: ApiError, after: float) -> None:
    """It may have arrived: say so of the messages, and let the history tell."""
    state = turn.state
    state.post = next_state(moves.POST, state.post, "fail")
    if is_internal_error(error):  # the server may choke on one of them
        state.isolate_count = max(state.isolate_count, len(state.batch))
        if len(state.batch) == 1:
            state.batch[0].attempts += 1
    in_doubt = _msg_ids(state.batch)
    state.batch = [item for item in state.batch if not is_typing(item)]
    if in_doubt:
        turn.feed_session(SendFailed(in_doubt, str(error), retryable=True))
    request_history(turn, after=after)


def _msg_ids(batch: list[QueuedItem]) -> Any:  # mypy loses the types of `converter=tuple`
    return tuple(item.msg_id for item in batch if item.msg_id is not None)


def _should_send(turn: ClientTurn, item: QueuedItem) -> bool:
    """Drop what is stale, and tell of what cannot be sent."""
    if item.is_redacted:
        _report_failed(turn, item, "what answers a secure form survives no restart")
    elif item.attempts >= turn.settings.max_attempts:
        _report_failed(turn, item, f"the server failed {item.attempts} times on it")
    else:
        stale_at = item.queued_at + turn.settings.session.typing_renew
        return not is_typing(item) or turn.now < stale_at
    return False


def _report_failed(turn: ClientTurn, item: QueuedItem, why: str) -> None:
    if item.msg_id is not None:
        turn.feed_session(SendFailed(_msg_ids([item]), why, retryable=False))
    else:
        _report_undelivered(turn, item, why)


def _report_undelivered(turn: ClientTurn, item: QueuedItem, why: str) -> None:
    event = str(item.events[0]["event"])
    turn.effects.append(Undelivered(event, subject_of(item), why))


# What was said, cut into the smallest parts that arrive, fail, and are sent again as one.

_TYPING: Final = encode(c.StartTyping())["event"]
_TYPING_EVENTS: Final = frozenset({_TYPING, encode(c.StopTyping())["event"]})
_FORM_ANSWERS: Final = frozenset(
    encode(order)["event"]
    for secure in (True, False)
    for order in (c.SubmitForm("a form", {}, secure=secure), c.CancelForm("a form", secure=secure))
)
_ANSWER_EVENTS: Final = (e.FormData, e.FormDataCancel, e.SecureFormCancel)


def is_typing(item: QueuedItem) -> bool:
    """Whether it says that the customer types: of interest for seconds only."""
    return item.events[0]["event"] == _TYPING and item.msg_id is None


def is_form_answer(item: QueuedItem) -> bool:
    """Whether it answers a form."""
    return item.events[0]["event"] in _FORM_ANSWERS and item.msg_id is None


def supersedes(item: QueuedItem, other: QueuedItem) -> bool:
    """Whether what waits already makes it needless, or it makes needless what waits."""
    if other.msg_id is not None:
        return False
    return item.events == other.events or (
        item.events[0]["event"] in _TYPING_EVENTS and other.events[0]["event"] in _TYPING_EVENTS
    )


def is_in_history(item: QueuedItem, past: Iterable[e.Event]) -> bool:
    """Whether a history holds a item that is no message; what leaves no trace has not."""
    event = item.events[0]
    if is_form_answer(item):
        form = event["form_request_id"]
        return any(
            isinstance(event, _ANSWER_EVENTS) and event.form_request_id == form for event in past
        )
    msg_id = event.get("msg_id")
    return msg_id is not None and any(
        isinstance(event, (e.Signaling, e.Cobrowsing)) and event.msg_id == msg_id for event in past
    )


def subject_of(item: QueuedItem) -> str | None:
    """The id of the form or message that it is about."""
    event = item.events[0]
    found = (event.get(name) for name in ("form_request_id", "ref_msg_id", "msg_id"))
    return next((str(value) for value in found if value), None)
