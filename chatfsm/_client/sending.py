"""Sending: the queue, and the POSTs of its items: in order, in batches, one at a time.

An item is sent again only if that is safe: if the server surely did not take it, or if a history
shows that it has not arrived.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import Any, Final

from chatfsm import commands as c
from chatfsm import events as e
from chatfsm._client import http_api
from chatfsm._client.failures import (
    handle_fatal,
    is_internal_error,
    may_have_arrived,
    read_reply,
    request_history,
    schedule_retry,
)
from chatfsm._client.state import (
    POST_TABLE,
    ClientState,
    ClientTurn,
    PendingRequest,
    QueuedItem,
    next_state,
)
from chatfsm._protocol.codec import encode
from chatfsm.client_effects import Undelivered
from chatfsm.errors import ApiError
from chatfsm.events import Event
from chatfsm.inputs import History, SendFailed, Sent
from chatfsm.transport import HttpFailure, HttpReply

__all__ = [
    "enqueue",
    "fail_unposted",
    "is_in_doubt",
    "next_at",
    "on_answer",
    "on_terminated",
    "resolve",
    "send",
]

_START_TYPING: Final = encode(c.StartTyping())["event"]
_TYPING: Final = frozenset({_START_TYPING, encode(c.StopTyping())["event"]})
_FORM_ANSWERS: Final = frozenset(
    encode(command)["event"]
    for secure in (True, False)
    for command in (
        c.SubmitForm("a form", {}, secure=secure),
        c.CancelForm("a form", secure=secure),
    )
)
_ARRIVED: Final = frozenset({"sent", "delivered", "read"})
"""Fates of a message, as `ChatSession.outbox` names them, that mean that the server has it."""
_ANSWER_EVENTS: Final = (e.FormData, e.FormDataCancel, e.SecureFormCancel)


def enqueue(turn: ClientTurn) -> None:
    """Queue the messages from the session, in place of the items that they supersede."""
    queue = turn.state.queue
    for message in turn.to_post:
        item = QueuedItem(message.events, message.msg_id, turn.now)
        if item.msg_id is None:
            queue[:] = [waiting for waiting in queue if not _supersedes(item, waiting)]
        queue.append(item)
    turn.to_post.clear()


def next_at(state: ClientState) -> float:
    """Return when to send the next POST; infinity if there is none, or it must wait.

    It waits for the outcome of the one before, for the history of a chat with a past, and for the
    poll that decides whether there is a chat; none follows its end.
    """
    must_wait = state.is_joining or state.is_gone or state.ending is not None
    return state.post_timer.at if state.queue and state.post == "idle" and not must_wait else inf


def send(turn: ClientTurn) -> None:
    """Post the first items of the queue, as many as fit into a batch."""
    state, settings, method = turn.state, turn.settings, http_api.POST
    state.queue = [item for item in state.queue if _should_send(turn, item)]
    size = 1 if state.isolate_count else settings.max_batch
    state.batch, state.queue = state.queue[:size], state.queue[size:]
    if not state.batch:
        return
    state.post = next_state(POST_TABLE, state.post, "send")
    events = [event for item in state.batch for event in item.events]
    turn.issue(
        "post",
        method,
        path=method.path_for(None, turn.chat_id),
        body=(None, http_api.post_body(events)),
        timeout=settings.request_timeout,
        max_body=settings.max_body,
    )


def on_answer(turn: ClientTurn, pending: PendingRequest, item: HttpReply | HttpFailure) -> None:
    """Report that the batch was sent, or handle the error.

    The reply of a server of version 1 also holds new events.
    """
    try:
        events = read_reply(turn, pending, http_api.POST, item, is_chat=True)
    except ApiError as error:
        _on_error(turn, error)
        return
    state = turn.state
    state.post = next_state(POST_TABLE, state.post, "answer")
    state.post_timer.failures = 0
    state.isolate_count = max(0, state.isolate_count - len(state.batch))
    msg_ids = _msg_ids(state.batch)
    state.batch = []
    if msg_ids:
        turn.feed_session(Sent(msg_ids))
    turn.feed_events(events)


def resolve(turn: ClientTurn, past: Sequence[Event], *, complete: bool) -> None:
    """Merge a history, and queue again, before all else, the items that have not arrived.

    Messages that an earlier, refused history left unconfirmed are older than the batch.
    """
    enqueue(turn)
    merged: Any = past  # as in `_msg_ids`
    turn.feed_session(History(merged, complete=complete))
    missing = {
        message.msg_id: QueuedItem(message.events, message.msg_id, turn.now)
        for message in turn.to_post
        if message.msg_id is not None
    }
    turn.to_post = [message for message in turn.to_post if message.msg_id is None]
    state = turn.state
    remaining: list[QueuedItem] = []
    if state.post == "unconfirmed":
        unconfirmed, state.batch = state.batch, []
        state.post = next_state(POST_TABLE, state.post, "resolve")
        for item in unconfirmed:
            remaining += _remaining(turn, item, missing, past if complete else None)
    _fail_overtaken(turn, missing)
    state.queue = [*missing.values(), *remaining, *state.queue]


def is_in_doubt(state: ClientState) -> bool:
    """Whether the outcome of a message, or of an answer to a form, is unknown."""
    return any(item.msg_id is not None or _is_form_answer(item) for item in state.batch)


def fail_unposted(turn: ClientTurn, why: str) -> None:
    """Report the messages and answers to forms in the queue, which have surely not arrived."""
    queue, turn.state.queue = turn.state.queue, []
    for item in queue:
        if item.msg_id is not None or _is_form_answer(item):
            _report_failed(turn, item, why)


def on_terminated(turn: ClientTurn) -> None:
    """Report the answers to forms that may be lost; the session reports its messages."""
    state = turn.state
    for item in state.batch:
        if _is_form_answer(item):
            _report_undelivered(turn, item, "it is unknown whether it arrived: the chat is over")
    state.batch, state.queue = [], []


def _remaining(
    turn: ClientTurn,
    item: QueuedItem,
    missing: dict[str, QueuedItem],
    past: Sequence[Event] | None,
) -> list[QueuedItem]:
    """Return what to send again of an unconfirmed item.

    `missing`: the messages that the session wants to be sent again. `past`: the events of a
    complete history; None if there is none.
    """
    if item.msg_id is not None:
        again = missing.pop(item.msg_id, None)
        if again is None:
            return []
        again.attempts = item.attempts
        return [again]
    if past is None and _is_form_answer(item):
        _report_undelivered(turn, item, "it is unknown whether it arrived")
        return []
    return [] if past is not None and _is_in_history(item, past) else [item]


def _fail_overtaken(turn: ClientTurn, missing: dict[str, QueuedItem]) -> None:
    """Report the missing messages that a later one has overtaken, and remove them from `missing`.

    Sent again, they would arrive after it. The app may say them anew, or leave them.
    """
    if not missing or turn.session is None:
        return
    in_flight = _msg_ids(turn.state.batch)
    older: list[str] = []
    overtaken: list[str] = []
    for msg_id, fate in turn.session.outbox.items():
        if msg_id in missing:
            older.append(msg_id)
        elif fate in _ARRIVED or msg_id in in_flight:
            overtaken += older
            older.clear()
    for msg_id in overtaken:
        why = "it has not arrived, and a later message has, or may have"
        _report_failed(turn, missing.pop(msg_id), why)


def _on_error(turn: ClientTurn, error: ApiError) -> None:
    state = turn.state
    if may_have_arrived(error):
        delay = schedule_retry(turn, state.post_timer, error)
        _mark_unconfirmed(turn, error, max(delay, turn.settings.settle_delay))
        return
    state.post = next_state(POST_TABLE, state.post, "put_back")
    batch, state.batch = state.batch, []
    if handle_fatal(turn, error) or error.transient:
        schedule_retry(turn, state.post_timer, error)
    elif len(batch) > 1:  # one item is refused: find it, so that the others get through
        state.isolate_count = len(batch)
    else:
        state.isolate_count = max(0, state.isolate_count - 1)
        _report_failed(turn, batch.pop(), str(error))
    state.queue = batch + state.queue


def _mark_unconfirmed(turn: ClientTurn, error: ApiError, after: float) -> None:
    """Report that the messages are unconfirmed, and request the history in `after` seconds."""
    state = turn.state
    state.post = next_state(POST_TABLE, state.post, "fail")
    if is_internal_error(error):  # the content of an item may be the reason
        state.isolate_count = max(state.isolate_count, len(state.batch))
        if len(state.batch) == 1:
            state.batch[0].attempts += 1
    msg_ids = _msg_ids(state.batch)
    state.batch = [item for item in state.batch if not _is_typing(item)]
    if msg_ids:
        turn.feed_session(SendFailed(msg_ids, str(error), retryable=True))
    request_history(turn, after=after)


def _should_send(turn: ClientTurn, item: QueuedItem) -> bool:
    """Whether to send an item. Reports the items that cannot be sent."""
    if item.is_redacted:
        _report_failed(turn, item, "the answer to a secure form is lost in a restart")
    elif item.attempts >= turn.settings.max_attempts:
        _report_failed(turn, item, f"the server failed {item.attempts} times on it")
    else:
        stale_at = item.queued_at + turn.settings.session.typing_renew
        return not _is_typing(item) or turn.now < stale_at
    return False


def _report_failed(turn: ClientTurn, item: QueuedItem, why: str) -> None:
    if item.msg_id is not None:
        turn.feed_session(SendFailed(_msg_ids([item]), why, retryable=False))
    else:
        _report_undelivered(turn, item, why)


def _report_undelivered(turn: ClientTurn, item: QueuedItem, why: str) -> None:
    event = str(item.events[0]["event"])
    turn.effects.append(Undelivered(event, _subject_of(item), why))


def _supersedes(item: QueuedItem, waiting: QueuedItem) -> bool:
    """Whether an item that is no message makes `waiting` redundant: same events, or both typing."""
    if waiting.msg_id is not None:
        return False
    return item.events == waiting.events or (
        item.events[0]["event"] in _TYPING and waiting.events[0]["event"] in _TYPING
    )


def _is_typing(item: QueuedItem) -> bool:
    """Whether it says that the customer types, which is of interest for seconds only."""
    return item.msg_id is None and item.events[0]["event"] == _START_TYPING


def _is_form_answer(item: QueuedItem) -> bool:
    """Whether it submits or cancels a form."""
    return item.msg_id is None and item.events[0]["event"] in _FORM_ANSWERS


def _is_in_history(item: QueuedItem, past: Iterable[e.Event]) -> bool:
    """Whether a history holds an item that is no message; False if histories omit such events."""
    event = item.events[0]
    if _is_form_answer(item):
        request_id = event["form_request_id"]
        return any(
            isinstance(old, _ANSWER_EVENTS) and old.form_request_id == request_id for old in past
        )
    msg_id = event.get("msg_id")
    return msg_id is not None and any(
        isinstance(old, (e.Signaling, e.Cobrowsing)) and old.msg_id == msg_id for old in past
    )


def _msg_ids(batch: list[QueuedItem]) -> Any:  # mypy loses the types of `converter=tuple`
    return tuple(item.msg_id for item in batch if item.msg_id is not None)


def _subject_of(item: QueuedItem) -> str | None:
    """Return the id of the form or the message that an item is about."""
    event = item.events[0]
    found = (event.get(name) for name in ("form_request_id", "ref_msg_id", "msg_id"))
    return next((str(value) for value in found if value), None)
