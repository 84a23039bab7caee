"""A client as plain JSON, and back: what survives a crash (law L8).

Moments travel as seconds from `now`. What is owed by HTTP is not asked for again as it was: after
a restore the history comes first, and a POST that was on its way is in doubt until it is here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from hashlib import blake2b
from math import inf, isfinite
from typing import Any, Final

from attrs import evolve
from cattrs import Converter

from chatfsm._client import state as moves
from chatfsm._client.polling import on_poll_lost
from chatfsm._client.state import ClientState, PendingRequest, next_state
from chatfsm._plain import redact_secure_form
from chatfsm._session.session import ChatSession
from chatfsm.errors import LocalProtocolError, SnapshotError
from chatfsm.settings import ClientSettings

__all__ = ["FORMAT", "VERSION", "restore", "take"]

FORMAT: Final = "chatfsm.client"
VERSION: Final = 1

_converter: Final = Converter(forbid_extra_keys=True, detailed_validation=False)
# None is ever read: what is owed by HTTP has failed with the process.
_converter.register_structure_hook(PendingRequest, lambda value, cls: cls(**value))
_TIMERS: Final = ("poll_timer", "history_timer", "post_timer")


def take(state: ClientState, session: ChatSession | None, now: float) -> dict[str, Any]:
    """What a client remembers, as plain JSON that says what and of which version it is."""
    if not isfinite(now):
        raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
    purposes = {
        number: pending.purpose
        for number, pending in state.pending.items()
        if pending.api_request is None
    }
    body: dict[str, Any] = _converter.unstructure(evolve(state, pending={}))
    body["pending"] = [[number, purpose] for number, purpose in purposes.items()]
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
    """What was remembered, on the clock of `now`. Raises `SnapshotError`, saying why not."""
    if not isfinite(now):
        raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
    body = deepcopy(_checked(data))
    plain = body.pop("session", None)
    session = None
    if plain is not None:
        session = ChatSession.restore(plain, settings=settings.session, now=now)
    try:
        purposes = dict(body.pop("pending"))
        _shift(body, lambda left: -inf if left is None else now + left)
        state = _converter.structure({**body, "pending": {}}, ClientState)
    except Exception as error:  # noqa: BLE001  # cattrs lets through whatever a class raises
        raise SnapshotError(f"not a client's memory: {type(error).__name__}") from None
    _fail_pending(state, purposes, session, settings, now)
    return state, session


def _fail_pending(
    state: ClientState,
    purposes: dict[int, str],
    session: ChatSession | None,
    settings: ClientSettings,
    now: float,
) -> None:
    """What was under way has failed with the process; these are the first things that follow."""
    state.link = next_state(moves.LINK, state.link, "resume")
    if session is None or session.done:
        return
    if state.poll == "in_flight":
        on_poll_lost(state, settings)
    state.poll = next_state(moves.POLL, state.poll, "fail")
    state.history = next_state(
        moves.HISTORY, next_state(moves.HISTORY, state.history, "fail"), "request"
    )
    state.history_timer.at = max(state.history_timer.at, now)
    posts = [number for number, purpose in purposes.items() if purpose == "post"]
    if len(posts) != (state.post == "in_flight"):
        raise SnapshotError("not a client's memory: a POST is on its way, or is not")
    for number in posts:
        state.pending[number] = PendingRequest(
            "post", -inf, settings.max_body, state.credentials_version
        )


def _checked(data: object) -> dict[str, Any]:
    """The body of a snapshot that is ours, whole and of this version."""
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise SnapshotError("not a snapshot of a chatfsm client")
    version, body = data.get("version"), data.get("client")
    if version != VERSION or isinstance(version, bool):
        raise SnapshotError(f"version {version!a:.20} is not {VERSION}, the only one known here")
    if not isinstance(body, dict) or set(data) != {"format", "version", "client", "digest"}:
        raise SnapshotError("a snapshot that was changed: parts are missing or too many")
    try:
        is_whole = data["digest"] == _digest(body)
    except (TypeError, ValueError, RecursionError):
        is_whole = False
    if not is_whole:
        raise SnapshotError("a snapshot that was changed: its digest is another")
    return body


def _digest(body: object) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _shift(body: dict[str, Any], shift: Callable[[Any], Any]) -> None:
    """Shift every moment on the client's clock."""
    for name in _TIMERS:
        body[name]["at"] = shift(body[name]["at"])
    body["polled_at"] = shift(body["polled_at"])
    for name in ("poll_answered_at", "history_recheck_at"):
        if body[name] is not None:
            body[name] = shift(body[name])
    for item in (*body["queue"], *body["batch"]):
        item["queued_at"] = shift(item["queued_at"])
