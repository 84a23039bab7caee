"""Client: one chat over HTTP, without IO.

`ChatClient.receive` takes one item and the time, and works in this order: dispatch the item, fail
the requests that are late, end the session if the chat is over and nothing is in doubt, let the
session handle its deadlines, queue its messages, send the requests that are due.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from math import inf, isfinite
from typing import Any, Final, Self, get_args

from attrs import frozen

from chatfsm import commands as c
from chatfsm._client import api_requests, ending, history, polling, sending, snapshot
from chatfsm._client.failures import change_link, request_history
from chatfsm._client.journal import Journal, recorded
from chatfsm._client.state import ClientState, ClientTurn, PendingRequest, RetryTimer
from chatfsm._log import current_step
from chatfsm._plain import snake_case
from chatfsm._session.session import ChatSession
from chatfsm._session.state import checked_token
from chatfsm.api import ApiRequest, Resume
from chatfsm.client_effects import ClientEffect
from chatfsm.endpoint import Endpoint, quote_segment
from chatfsm.errors import LocalProtocolError
from chatfsm.inputs import Tick
from chatfsm.settings import ClientSettings
from chatfsm.transport import HttpFailure, HttpReply, RequestPurpose

__all__ = ["ChatClient", "ClientInput", "Health"]

ClientInput = c.Command | ApiRequest | HttpReply | HttpFailure | Resume | Tick
"""All that `ChatClient.receive` takes."""

_DEFAULTS: Final = ClientSettings()
_COMMANDS: Final = frozenset(get_args(c.Command))
_API_REQUESTS: Final = frozenset(get_args(ApiRequest))
# Commands that `max_queued` does not limit: each supersedes an equal one in the queue.
_UNBOUNDED: Final = frozenset({c.StartTyping, c.StopTyping, c.Disconnect, c.End})

_ON_ANSWER: Final[
    dict[RequestPurpose, Callable[[ClientTurn, PendingRequest, HttpReply | HttpFailure], None]]
] = {
    "poll": polling.on_answer,
    "history": history.on_answer,
    "post": sending.on_answer,
    "api": api_requests.on_answer,
}


@frozen
class Health:
    """Connection health of a client at one moment, for monitoring."""

    link: str
    """The state of the link, as `LinkChanged` reports it."""
    silent_for: float | None
    """Seconds since the last reply to a poll; None if there was none."""
    next_in: float | None
    """Seconds until the client's deadline, 0 or more; None if it has no deadline."""
    failures: int
    """Failures in a row: the largest number among polls, histories and POSTs."""
    pending: int
    """Requests without a reply."""
    queued: int
    """Messages and other events of the customer's that may not have arrived, posted or not."""
    ignored: int
    """Replies that came late, twice, or for no request."""


class ChatClient:
    """One chat over HTTP, without IO and without a clock.

    `receive` takes an item and the time, and returns the effects. Perform each `HttpRequest` among
    them, and return one `HttpReply` or `HttpFailure` with its id. To survive a crash, save a
    `snapshot` after each `receive`, before its requests are performed.

    `chat_id`: a chat that exists already; the client requests its history first, and posts nothing
    before. `token`: begins the ids of own messages, as in `ChatSession`; give another random text
    to each new client, as the drivers do. `journal`: called with each line of a journal of the
    session, which `chatfsm.replay.journal` can verify.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        settings: ClientSettings = _DEFAULTS,
        chat_id: str | None = None,
        token: str = "",
        journal: Journal | None = None,
    ) -> None:
        self._endpoint = endpoint
        self.settings = settings
        self._journal = journal
        self._state = ClientState(token=checked_token(token))
        self._session: ChatSession | None = None
        self.merged_histories = 0
        """Number of complete histories that were merged, in this process."""
        if chat_id is not None:
            quote_segment(chat_id)
            session = ChatSession(chat_id, settings=settings.session, token=token)
            self._session = recorded(session, journal)
            self._state.poll, self._state.history = "due", "due"
            self._state.is_joining = True
        self._note_step()

    def __repr__(self) -> str:
        chat = "no chat" if self._session is None else repr(self._session)
        return f"<{type(self).__name__} of {chat}, {self._state.link}>"

    @property
    def session(self) -> ChatSession | None:
        """The session; None until the chat's id is known."""
        return self._session

    @property
    def endpoint(self) -> Endpoint:
        """The contact center and the credentials."""
        return self._endpoint

    @property
    def done(self) -> bool:
        """Whether the chat is over: only the results of downloads may still follow."""
        return self._done

    @property
    def deadline(self) -> float | None:
        """The time of the next `Tick`, on the clock of `now`; None if no tick is needed."""
        return self._deadline

    def receive(self, item: ClientInput, *, now: float) -> list[ClientEffect]:
        """Process one item, and return the effects, in order.

        `now`: seconds, on a clock that does not go backwards. Early, late and repeated ticks are
        harmless. A reply without a pending request is counted and ignored.

        Raises `LocalProtocolError` for a command or an API request that is not allowed now, which
        then changes nothing, and for a `now` that is not finite; ValueError for credentials that no
        header can carry; TypeError for anything but an input; and, if the session is strict,
        `RemoteProtocolError`, which holds the effects of the step.
        """
        if not isfinite(now):
            raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
        turn = ClientTurn(
            self._state, self.settings, self._endpoint, self._session, self._journal, now
        )
        step = current_step.set(turn)
        try:
            self._dispatch(turn, item)
            self._session, self._endpoint = turn.session, turn.endpoint
            if self._deadline is not None and now >= self._deadline:
                if self._has_slept(now):
                    request_history(turn)
                _fail_late_requests(turn)
            if self._state.link != "over":
                _advance(turn)
        finally:
            current_step.reset(step)
            self.merged_histories += turn.has_merged
            self._note_step()
        if turn.violation is not None:
            turn.violation.effects = tuple(turn.effects)
            raise turn.violation
        return turn.effects

    def health(self, now: float) -> Health:
        """Return the health at the time `now`, on the clock of `receive`."""
        state = self._state
        answered_at, deadline = state.poll_answered_at, self._deadline
        timers = (state.poll_timer, state.history_timer, state.post_timer)
        return Health(
            link=state.link,
            silent_for=None if answered_at is None else now - answered_at,
            next_in=None if deadline is None else max(0.0, deadline - now),
            failures=max(timer.failures for timer in timers),
            pending=len(state.pending),
            queued=len(state.queue) + len(state.batch),
            ignored=state.ignored_replies,
        )

    def snapshot(self, *, now: float) -> dict[str, Any]:
        """Return the client as versioned plain JSON, without credentials.

        It holds messages that may have to be sent again, but no answers to secure forms: if such an
        answer had not arrived, the restored client reports it as `Undelivered`. Nor does it hold
        pending API requests.
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
        """Return the client of a snapshot, with the credentials of `endpoint`.

        The client requests the history first. A POST that was in flight is unconfirmed until then.
        Raises `SnapshotError` for anything but a snapshot of a client.
        """
        client = cls(endpoint, settings=settings, journal=journal)
        client._state, session = snapshot.restore(data, settings, now)
        client._session = None if session is None else recorded(session, journal)
        client._note_step()
        return client

    def _note_step(self) -> None:
        """Note, once a step, what apps and drivers ask for more often."""
        session, state = self._session, self._state
        due = [pending.deadline for pending in state.pending.values()]
        if session is not None:
            if (deadline := session.deadline) is not None:
                due.append(deadline)
            if state.ending is not None:
                due.append(ending.next_at(state))
            if state.link not in {"unauthorized", "over"}:
                due += polling.next_at(state), history.next_at(state), sending.next_at(state)
        earliest = min(due) if due else inf
        self._deadline = None if earliest == inf else earliest
        self._done = session is not None and session.done

    def _has_slept(self, now: float) -> bool:
        """Whether the computer slept, and lost the requests in flight. At first there are none."""
        if self._session is None or self._deadline is None or self._state.link == "over":
            return False
        return -inf < self._deadline < now - self.settings.suspend_gap

    def _dispatch(self, turn: ClientTurn, item: Any) -> None:
        if isinstance(item, (HttpReply, HttpFailure)):
            pending = self._state.pending.pop(item.id, None)
            if pending is None:
                self._state.ignored_replies += 1
            else:
                turn.purpose = pending.purpose
                _ON_ANSWER[pending.purpose](turn, pending, item)
        elif item.__class__ in _COMMANDS:
            _check_command(turn, item)
            turn.feed_session(item)
        elif item.__class__ in _API_REQUESTS:
            api_requests.send(turn, item)
        elif isinstance(item, Resume):
            _resume(turn, item)
        elif not isinstance(item, Tick):
            raise TypeError(
                "ChatClient.receive() takes commands, API requests, HTTP replies and failures,"
                f" Resume and Tick, not {type(item).__name__}"
            )


def _check_command(turn: ClientTurn, command: object) -> None:
    """Refuse a command that the client can never send; the session checks the rest."""
    state = turn.state
    if turn.session is None:
        raise LocalProtocolError(f"cannot {_words(command)}: there is no chat yet")
    waiting = len(state.queue) + len(state.batch)
    if waiting >= turn.settings.max_queued and command.__class__ not in _UNBOUNDED:
        raise LocalProtocolError(
            f"cannot {_words(command)}: {waiting} events wait to be sent, max_queued is"
            f" {turn.settings.max_queued}"
        )
    if isinstance(command, c.SubmitForm):
        try:
            json.dumps(command.data, allow_nan=False)
        except (TypeError, ValueError, RecursionError):
            raise LocalProtocolError("cannot submit form: data must be JSON values") from None


def _words(command: object) -> str:
    return snake_case(type(command)).replace("_", " ")


def _resume(turn: ClientTurn, resume: Resume) -> None:
    """Continue with new credentials. The history brings the events that were missed."""
    state = turn.state
    if state.link != "unauthorized":
        raise LocalProtocolError("cannot resume: the server has not refused the credentials")
    turn.endpoint = turn.endpoint.with_credentials(resume.app_id, resume.client_id)
    state.credentials_version += 1
    state.poll_timer, state.post_timer = RetryTimer(turn.now), RetryTimer(turn.now)
    state.history_timer = RetryTimer(turn.now)
    change_link(turn, "resume")
    if turn.session is not None:
        request_history(turn)


def _advance(turn: ClientTurn) -> None:
    """Handle what is due by now, and send the requests that are due."""
    state = turn.state
    if state.ending is not None:
        ending.advance(turn, state.ending)
    session = turn.session
    if session is None:
        return
    deadline = session.deadline
    if deadline is not None and turn.now >= deadline:
        turn.feed_session(Tick())
    if turn.to_post:
        sending.enqueue(turn)
    if session.done:
        _close(turn)
    elif state.link != "unauthorized":
        for module in (history, polling, sending):
            if turn.now >= module.next_at(state):
                module.send(turn)


def _fail_late_requests(turn: ClientTurn) -> None:
    """Give up the requests whose deadline has passed."""
    state = turn.state
    late = [number for number, pending in state.pending.items() if turn.now >= pending.deadline]
    for number in sorted(late):
        pending = state.pending.pop(number)
        failure = HttpFailure(number, "timeout", "the sender reported nothing in time")
        turn.purpose = pending.purpose
        _ON_ANSWER[pending.purpose](turn, pending, failure)


def _close(turn: ClientTurn) -> None:
    """End the client: fail what is pending but downloads; report the session's end last."""
    sending.on_terminated(turn)
    api_requests.on_terminated(turn)
    change_link(turn, "end", (turn.session and turn.session.outcome) or "")
    if turn.terminated is not None:
        turn.effects.append(turn.terminated)
