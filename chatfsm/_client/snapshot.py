"""Snapshot: a client as plain JSON, and back (L8).

Times are stored as seconds from `now`. A restored client does not repeat its pending requests: it
requests the history first, and a POST that was in flight is unconfirmed until then.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from hashlib import blake2b
from math import inf, isfinite
from typing import Any, Final

from attrs import evolve
from cattrs import Converter

from chatfsm._client.polling import on_poll_lost
from chatfsm._client.state import (
    HISTORY_TABLE,
    LINK_TABLE,
    POLL_TABLE,
    ClientState,
    PendingRequest,
    QueuedItem,
    next_state,
)
from chatfsm._plain import redact_secure_form
from chatfsm._session.session import ChatSession
from chatfsm._session.state import is_token
from chatfsm.endpoint import quote_segment
from chatfsm.errors import LocalProtocolError, SnapshotError
from chatfsm.settings import ClientSettings

__all__ = ["FORMAT", "VERSION", "restore", "take"]

FORMAT: Final = "chatfsm.client"
VERSION: Final = 1

_TIMERS: Final = ("poll_timer", "history_timer", "post_timer")

_converter: Final = Converter(forbid_extra_keys=True, detailed_validation=False)
# cattrs asks for a hook, because `PendingRequest` holds a union; it is never called, since a
# snapshot holds no whole pending request.
_converter.register_structure_hook(PendingRequest, lambda value, cls: cls(**value))


def take(state: ClientState, session: ChatSession | None, now: float) -> dict[str, Any]:
    """Return a client as plain JSON, with a format, a version and a digest."""
    _check_time(now)
    body: dict[str, Any] = _converter.unstructure(evolve(state, pending={}))
    body["pending"] = [
        [number, pending.purpose]
        for number, pending in state.pending.items()
        if pending.api_request is None
    ]
    for item in (*body["queue"], *body["batch"]):
        events = item["events"]
        item["is_redacted"] |= any("_secure_" in e["event"] and "data" in e for e in events)
        item["events"] = [redact_secure_form(event) for event in events]
    _shift(body, lambda at: None if at == -inf else at - now)
    body["session"] = None if session is None else session.snapshot(now=now)
    return {"format": FORMAT, "version": VERSION, "client": body, "digest": _digest(body)}


def restore(
    data: object, settings: ClientSettings, now: float
) -> tuple[ClientState, ChatSession | None]:
    """Return the state and the session of a snapshot, on the clock of `now`.

    Raises `SnapshotError` for anything but a snapshot that `take` returned.
    """
    _check_time(now)
    body = _checked(data)
    try:
        body = deepcopy(body)
        plain, purposes = body.pop("session"), _purposes(body.pop("pending"))
        _shift(body, lambda left: -inf if left is None else _finite(now + left))
        state = _converter.structure({**body, "pending": {}}, ClientState)
        session = None
        if plain is not None:
            session = ChatSession.restore(plain, settings=settings.session, now=now)
        for is_wrong, what in _contradictions(state, session, purposes):
            if is_wrong:
                raise SnapshotError(f"not the state of a client: {what}")  # noqa: TRY301
    except SnapshotError:
        raise
    except Exception as error:  # noqa: BLE001  # cattrs passes on whatever a class raises
        raise SnapshotError(f"not the state of a client: {type(error).__name__}") from None
    _fail_pending(state, purposes, session, settings, now)
    return state, session


def _purposes(pending: Any) -> dict[int, str]:
    """Return the purposes of the requests in flight by their ids."""
    purposes = {number: str(purpose) for number, purpose in pending}
    if not all(number.__class__ is int for number in purposes):
        raise ValueError("the id of a request must be an integer")
    return purposes


def _finite(at: float) -> float:
    if not isfinite(at):
        raise ValueError("a time must be finite")
    return at


def _contradictions(
    state: ClientState, session: ChatSession | None, purposes: dict[int, str]
) -> Iterator[tuple[bool, str]]:
    """Yield conditions that no client meets: fields that are right one by one, but not together.

    A client that was restored from them would raise later, or do nothing any more.
    """
    items = (*state.queue, *state.batch)
    timers = (state.poll_timer, state.history_timer, state.post_timer)
    counts = (
        *(state.isolate_count, state.credentials_version, state.ignored_replies),
        *(timer.failures for timer in timers),
        *(item.attempts for item in items),
    )
    yield not is_token(state.token), "token is no token"
    yield any(count < 0 for count in counts), "a count is negative"
    numbers = [0, *purposes, state.next_request_id]
    yield min(numbers[1:]) < 1 or max(numbers[:-1]) >= numbers[-1], "next_request_id was used"
    yield state.post == "idle" and bool(state.batch), "a batch has no POST"
    yield not all(map(_is_item, items)), "an item of the queue cannot be posted"
    ending = state.ending
    yield ending is not None and ending.deadline is None, "an end has no deadline"
    if session is None:
        idle = (state.poll, state.history, state.post) == ("closed", "fresh", "idle")
        yield not idle or bool(items) or ending is not None, "there is no session"
        yield state.link == "over", "link is over without a session"
        return
    quote_segment(session.chat_id)
    if session.done:  # its last POST may have had no reply
        return
    posts = [*purposes.values()].count("post")
    yield posts != (state.post == "in_flight"), f"{posts} POSTs are pending, post is {state.post}"
    yield state.link == "over", "link is over before the end"
    yield state.poll == "closed", "poll is closed"


def _is_item(item: QueuedItem) -> bool:
    """Whether an item has events with a name, and an answer to a form the form's id."""
    for event in item.events:
        is_answer = isinstance(event.get("form_request_id"), str)
        if not isinstance(event.get("event"), str) or ("form" in event["event"] and not is_answer):
            return False
    return bool(item.events)


def _fail_pending(
    state: ClientState,
    purposes: dict[int, str],
    session: ChatSession | None,
    settings: ClientSettings,
    now: float,
) -> None:
    """Fail the requests that were in flight, as the process did."""
    state.link = next_state(LINK_TABLE, state.link, "resume")
    if session is None or session.done:
        return
    if state.poll == "in_flight":
        on_poll_lost(state, settings)
    state.poll = next_state(POLL_TABLE, state.poll, "fail")
    state.history = next_state(HISTORY_TABLE, state.history, "fail")
    state.history = next_state(HISTORY_TABLE, state.history, "request")
    state.history_timer.at = max(state.history_timer.at, now)
    posts = [number for number, purpose in purposes.items() if purpose == "post"]
    for number in posts:
        # Its deadline has passed, so that the first `receive` fails it as any other POST.
        state.pending[number] = PendingRequest(
            "post", -inf, settings.max_body, state.credentials_version
        )


def _check_time(now: float) -> None:
    if not isfinite(now):
        raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")


def _checked(data: object) -> dict[str, Any]:
    """Return the body of a snapshot that is complete and of this version."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise SnapshotError(f"not a snapshot of a client: format must be {FORMAT!r}")
    version, body = data.get("version"), data.get("client")
    if version != VERSION or isinstance(version, bool):
        raise SnapshotError(f"version must be {VERSION}, not {version!a:.20}")
    if not isinstance(body, dict) or set(data) != {"format", "version", "client", "digest"}:
        raise SnapshotError("the snapshot was changed: keys are missing or were added")
    try:
        is_whole = data["digest"] == _digest(body)
    except (TypeError, ValueError, RecursionError):
        is_whole = False
    if not is_whole:
        raise SnapshotError("the snapshot was changed: the digest does not match")
    return body


def _digest(body: object) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _shift(body: dict[str, Any], shift: Callable[[Any], Any]) -> None:
    """Shift all times on the client's clock."""
    for name in _TIMERS:
        body[name]["at"] = shift(body[name]["at"])
    body["polled_at"] = shift(body["polled_at"])
    for name in ("poll_answered_at", "history_recheck_at"):
        if body[name] is not None:
            body[name] = shift(body[name])
    for item in (*body["queue"], *body["batch"]):
        item["queued_at"] = shift(item["queued_at"])
    if body.get("ending") is not None and body["ending"]["deadline"] is not None:
        body["ending"]["deadline"] = shift(body["ending"]["deadline"])
