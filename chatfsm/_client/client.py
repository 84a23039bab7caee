"""The client: one door in for what the app orders and what HTTP brings, and one chat behind it."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import inf, isfinite
from typing import Any, Final, Self, cast, get_args

from attrs import frozen

from chatfsm import commands as c
from chatfsm._client import api_requests, history, polling, sending, snapshot
from chatfsm._client.failures import change_link, request_history
from chatfsm._client.journal import Journal, recorded
from chatfsm._client.state import ClientState, ClientTurn, PendingRequest, RetryTimer
from chatfsm._session.session import ChatSession
from chatfsm.api import ApiRequest, Resume
from chatfsm.client_effects import ClientEffect
from chatfsm.endpoint import Endpoint, quote_segment
from chatfsm.errors import LocalProtocolError
from chatfsm.inputs import Tick
from chatfsm.settings import ClientSettings
from chatfsm.transport import HttpFailure, HttpReply

__all__ = ["ChatClient", "ClientInput", "Health", "health_of"]

# How a chat's way is doing, for whoever watches many.


@frozen
class Health:
    """A moment of a client; seconds are counted from the `now` that it was asked at."""

    link: str
    """One of the states of the link's law."""
    silent_for: float | None
    """Seconds since a poll was last answered; None: none ever was."""
    next_in: float | None
    """Seconds until the client's deadline; None: it has none."""
    failures: int
    """Failures in a row: of polls, histories or POSTs, whichever has more."""
    pending: int
    """Requests without an answer."""
    queued: int
    """Things said that are not known to have arrived, whether posted or not."""
    ignored: int
    """Replies that nobody waited for: late, repeated, or unknown."""


def health_of(state: ClientState, deadline: float | None, now: float) -> Health:
    """What there is to say of a client's state."""
    paces = (state.poll_timer, state.history_timer, state.post_timer)
    return Health(
        link=state.link,
        silent_for=None if state.poll_answered_at is None else now - state.poll_answered_at,
        next_in=None if deadline is None else max(0.0, deadline - now),
        failures=max(pace.failures for pace in paces),
        pending=len(state.pending),
        queued=len(state.queue) + len(state.batch),
        ignored=state.ignored_replies,
    )


ClientInput = c.Command | ApiRequest | HttpReply | HttpFailure | Resume | Tick

_DEFAULTS: Final = ClientSettings()
_COMMANDS: Final = frozenset(get_args(c.Command))
_API_REQUESTS: Final = frozenset(get_args(ApiRequest))
# These wait once, however often they are said.
_UNBOUNDED: Final = frozenset({c.StartTyping, c.StopTyping, c.Disconnect, c.End})

_ON_ANSWER: Final[
    dict[str, Callable[[ClientTurn, PendingRequest, HttpReply | HttpFailure], None]]
] = {
    "poll": polling.on_answer,
    "history": history.on_answer,
    "post": sending.on_answer,
    "api": api_requests.on_answer,
}


class ChatClient:
    """One chat over HTTP, without IO and without a clock.

    `receive` takes an item and the time, and returns the effects. Perform each `HttpRequest` among
    them, and return one `HttpReply` or `HttpFailure` with its id. To survive a crash, save a
    `snapshot` after each `receive`, before its requests are performed.

    `chat_id`: a chat that exists already; the client requests its history first. `journal`: called
    with each line of a journal of the session, which `chatfsm.replay.journal` can verify.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        settings: ClientSettings = _DEFAULTS,
        chat_id: str | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._endpoint = endpoint
        self.settings = settings
        self._journal = journal
        self._state = ClientState()
        self._session: ChatSession | None = None
        if chat_id is not None:
            quote_segment(chat_id)
            self._session = recorded(ChatSession(chat_id, settings=settings.session), journal)
            self._state.poll, self._state.history = "due", "due"
        self._deadline = self._next_deadline()

    def __repr__(self) -> str:
        chat = "no chat" if self._session is None else repr(self._session)
        return f"<{type(self).__name__} of {chat}, {self._state.link}>"

    @property
    def session(self) -> ChatSession | None:
        """The session; None until the chat's id is known."""
        return self._session

    @property
    def endpoint(self) -> Endpoint:
        """The contact center, and who asks."""
        return self._endpoint

    @property
    def done(self) -> bool:
        """Whether the chat is over: nothing will follow from anything."""
        return self._session is not None and self._session.done

    @property
    def deadline(self) -> float | None:
        """The time of the next `Tick`, on the clock of `now`; None if no tick is needed."""
        return self._deadline

    def receive(self, item: ClientInput, *, now: float) -> list[ClientEffect]:
        """Hear one item, and return what follows from it, in order.

        `now`: seconds on a clock of the caller's that does not go backwards. Early, late and
        repeated ticks do no harm; replies that nobody waits for are counted, and ignored.

        Raises `LocalProtocolError` for a command or a call that is not allowed now, which then
        changes nothing, and for a `now` that is not finite; ValueError for credentials that no
        header can carry; TypeError for what is no input; and, where the session is strict,
        `RemoteProtocolError` with what follows all the same in its `effects`.
        """
        if not isfinite(now):
            raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
        turn = ClientTurn(
            self._state, self.settings, self._endpoint, self._session, self._journal, now
        )
        try:
            self._dispatch(turn, item)
            self._session, self._endpoint = turn.session, turn.endpoint
            if self._state.link != "over":
                if turn.session is not None and self._has_slept(now):
                    request_history(turn)
                _advance(turn)
        finally:
            self._deadline = self._next_deadline()
        if turn.violation is not None:
            turn.violation.effects = tuple(turn.effects)
            raise turn.violation
        return turn.effects

    def health(self, now: float) -> Health:
        """How the chat's way is doing."""
        return health_of(self._state, self.deadline, now)

    def snapshot(self, *, now: float) -> dict[str, Any]:
        """All that the client knows, as plain JSON with a version; no credentials.

        It holds what people wrote where that may have to be sent again, and what answers no
        secure form: an answer of that kind which had not arrived is told as `Undelivered` after a
        restore. Calls are not in it either: whoever waited for them is gone with the process.
        """
        return snapshot.take(self._state, self._session, now)

    @classmethod
    def restore(
        cls,
        data: object,
        endpoint: Endpoint,
        *,
        settings: ClientSettings = _DEFAULTS,
        now: float,
        journal: Journal | None = None,
    ) -> Self:
        """Return the client of a snapshot, with these credentials.

        Requests that were in flight are sent again, the history first; a POST is unconfirmed until
        the history is here. Raises `SnapshotError` for anything but a snapshot of a client.
        """
        client = cls(endpoint, settings=settings, journal=journal)
        client._state, session = snapshot.restore(data, settings, now)
        client._session = None if session is None else recorded(session, journal)
        client._deadline = client._next_deadline()
        return client

    def _next_deadline(self) -> float | None:
        session, state = self._session, self._state
        earliest = min((pending.deadline for pending in state.pending.values()), default=inf)
        if session is not None:
            if session.done:
                return None
            if session.deadline is not None:
                earliest = min(earliest, session.deadline)
            if state.link != "unauthorized":
                due = polling.next_at(state), history.next_at(state), sending.next_at(state)
                earliest = min(earliest, *due)
        return None if earliest == inf else earliest

    def _has_slept(self, now: float) -> bool:
        """Whether the computer slept, and requests in flight with it; at first there are none."""
        deadline = self._deadline
        return deadline is not None and -inf < deadline < now - self.settings.suspend_gap

    def _dispatch(self, turn: ClientTurn, item: ClientInput) -> None:
        if isinstance(item, (HttpReply, HttpFailure)):
            pending = self._state.pending.pop(item.id, None)
            if pending is None:
                self._state.ignored_replies += 1
            else:
                _ON_ANSWER[pending.purpose](turn, pending, item)
        elif item.__class__ in _COMMANDS:
            _check_command(turn, item)
            turn.feed_session(cast("c.Command", item))
        elif item.__class__ in _API_REQUESTS:
            api_requests.send(turn, cast("ApiRequest", item))
        elif isinstance(item, Resume):
            _resume(turn, item)
        elif not isinstance(item, Tick):
            raise TypeError(f"{type(item).__name__} is no input of a client")


def _check_command(turn: ClientTurn, command: object) -> None:
    """Refuse what cannot be said at all; whether it may be said now, the session knows."""
    state = turn.state
    if turn.session is None:
        raise LocalProtocolError("cannot say anything: there is no chat yet")
    waiting = len(state.queue) + len(state.batch)
    if waiting >= turn.settings.max_queued and command.__class__ not in _UNBOUNDED:
        raise LocalProtocolError(f"cannot say more: {waiting} things said wait to be posted")
    if isinstance(command, c.SubmitForm):
        try:
            json.dumps(command.data, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise LocalProtocolError("cannot submit form: its answers are no JSON") from None


def _resume(turn: ClientTurn, resume: Resume) -> None:
    """Go on after the credentials were refused; the history tells what was missed meanwhile."""
    state = turn.state
    if state.link != "unauthorized":
        raise LocalProtocolError("cannot resume: no credentials were refused")
    turn.endpoint = turn.endpoint.with_credentials(resume.app_id, resume.client_id)
    state.credentials_version += 1
    state.poll_timer, state.post_timer = RetryTimer(turn.now), RetryTimer(turn.now)
    state.history_timer = RetryTimer(turn.now)
    change_link(turn, "resume")
    if turn.session is not None:
        request_history(turn)


def _advance(turn: ClientTurn) -> None:
    """Let happen what is due, and ask for what there is to ask for."""
    state = turn.state
    for request_id, pending in sorted(state.pending.items()):
        if turn.now >= pending.deadline:
            del state.pending[request_id]
            gone = HttpFailure(request_id, "timeout", "nobody said what became of it")
            _ON_ANSWER[pending.purpose](turn, pending, gone)
    session = turn.session
    if session is None:
        return
    if session.deadline is not None and turn.now >= session.deadline:
        turn.feed_session(Tick())
    sending.enqueue(turn)
    if session.done:
        _close(turn)
        return
    if state.link == "unauthorized":
        return
    for lane in (history, polling, sending):
        if turn.now >= lane.next_at(state):
            lane.send(turn)


def _close(turn: ClientTurn) -> None:
    """The chat is over: drop what is owed, and tell of the end last."""
    state = turn.state
    sending.on_terminated(turn)
    api_requests.on_terminated(turn)
    state.pending.clear()
    change_link(turn, "end", (turn.session and turn.session.outcome) or "")
    if turn.terminated is not None:
        turn.effects.append(turn.terminated)
