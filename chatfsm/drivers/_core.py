"""Driver core: feeds the client, saves it, and routes its effects; shared by both drivers.

Nothing here waits, sends or locks: each driver adds that in its own way.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from copy import copy
from math import inf
from typing import Any, Final
from weakref import WeakSet

from attrs import define, field, setters

from chatfsm._client.client import ChatClient
from chatfsm.api import TypedRequest
from chatfsm.client_effects import ApiFailed, ApiSucceeded, ChatEffect
from chatfsm.drivers._cookies import ChatCookies
from chatfsm.drivers._observations import ChatObservations
from chatfsm.drivers._saving import MAX_HELD, Save, Saving
from chatfsm.drivers._stores import Statement
from chatfsm.drivers.observing import Observer
from chatfsm.errors import (
    LocalProtocolError,
    RemoteProtocolError,
    StoreConflictError,
    TransportError,
)
from chatfsm.inputs import Tick
from chatfsm.transport import HttpFailure, HttpReply, HttpRequest, RequestPurpose

__all__ = [
    "LONGEST_SLEEP",
    "AsyncSender",
    "DriverCore",
    "EffectLoop",
    "HttpResult",
    "PendingCall",
    "PendingEffect",
    "Save",
    "Sender",
    "elapsed_seconds",
    "failure_of",
]

HttpResult = HttpReply | HttpFailure
Sender = Callable[[HttpRequest], HttpResult]
"""Performs one request; called by several threads at once."""
AsyncSender = Callable[[HttpRequest], Awaitable[HttpResult]]
"""Performs one request; called by several tasks at once."""
PendingEffect = ChatEffect | RemoteProtocolError
"""An effect that waits for the app, or a violation that a strict session raised."""

LONGEST_SLEEP: Final = 5.0
"""Seconds that a driver waits for a deadline at once. The time for which the computer sleeps does
not count in such a wait, but counts in `elapsed_seconds`."""
# Linux has a clock of its own that counts the sleep of the computer; that of macOS does, except in
# `time.monotonic`; that of Windows does.
_CLOCK: Final[int | None] = getattr(
    time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC if sys.platform == "darwin" else None
)


def elapsed_seconds() -> float:
    """Return the seconds since some moment, with those for which the computer slept if possible."""
    return time.monotonic() if _CLOCK is None else time.clock_gettime(_CLOCK)


# Requests that bring news, which wait while too many effects do.
_NEWS: Final = frozenset({"poll", "history"})

_ANSWERS: Final = (ApiSucceeded, ApiFailed)

_SECOND_LOOP: Final = (
    "cannot iterate over the chat: another thread or task does already; pass the effects on from"
    " there"
)


def _copied(request: Any) -> Any:
    return copy(request)


@define(eq=False)
class PendingCall:
    """A request of the app to the API that waits for its result.

    The request is a copy, so that the results of equal requests go by identity.
    """

    request: Any = field(converter=_copied)
    answer: ApiSucceeded | ApiFailed | None = None

    def result(self) -> Any:
        """Return the result. Raises `ApiError` if the request failed or the chat was closed."""
        if isinstance(self.answer, ApiSucceeded):
            return self.answer.result
        if self.answer is None:
            raise TransportError("cancelled", "the chat was closed before the reply came")
        raise self.answer.error


@define(eq=False)
class EffectLoop:
    """A `for` loop of the app over the effects of a chat, in one thread or task."""

    taker: int
    """Id of the thread or task."""


def _saving(save: Save | None) -> Saving:
    return Saving(save)


def _queue(effects: Iterable[PendingEffect]) -> deque[PendingEffect]:
    return deque(effects)


@define(eq=False, on_setattr=setters.NO_OP)
class DriverCore:
    """A client, its effects that the app has not handled, and its requests that are held back."""

    client: ChatClient
    saving: Saving = field(converter=_saving)
    max_pending: int
    """Number of pending effects above which no request for news is sent."""
    pending: deque[PendingEffect] = field(converter=_queue, factory=deque)
    """Effects for the app; the app may have the first in hand."""
    error: Exception | None = None
    """Error of the client that has stopped the chat."""
    is_closed: bool = False
    observers: tuple[Observer, ...] = field(default=(), kw_only=True)
    _observations: ChatObservations | None = field(default=None, init=False)
    """None if there are no observers."""
    _cookies: ChatCookies = field(factory=ChatCookies, init=False)
    _in_hand: bool = False
    _taker: int = 0
    _handled_change: int = field(default=0, init=False)
    """The change that the app has handled an effect."""
    _holder: int | None = field(default=None, init=False)
    """Id of the thread or task that handles the effect in a transaction."""
    _uncommitted: PendingEffect | None = field(default=None, init=False)
    """Effect of the last transaction."""
    _commit_change: int = field(default=0, init=False)
    """The change that the last transaction has made."""
    _commit_error: Exception | None = field(default=None, init=False)
    """Error of the last transaction."""
    _closing_change: int = field(default=0, init=False)
    """The change that the chat was closed."""
    _is_awaited: bool = False
    _loops: WeakSet[EffectLoop] = field(factory=WeakSet, init=False)
    _held: dict[RequestPurpose, tuple[HttpRequest, float]] = field(factory=dict)
    _calls: dict[int, PendingCall] = field(factory=dict)

    def __attrs_post_init__(self) -> None:
        if self.observers:
            self._observations = ChatObservations(self.observers, self.client)
            self.saving.on_failed = self._observations.on_save_failed

    @property
    def is_stopped(self) -> bool:
        """Whether the client receives nothing more, not even the result of a download."""
        return self.is_closed or self.error is not None

    @property
    def is_over(self) -> bool:
        """Whether no further effect will be added, but for results that the app waits for."""
        return self.is_closed or self.error is not None or self.client.done

    @property
    def deadline(self) -> float | None:
        """Time of the next `Tick`; None if none is needed."""
        if self.is_closed or self.error is not None:
            return None
        deadline, retry_at = self.client.deadline, self.saving.retry_at
        if retry_at == inf:
            return deadline
        return retry_at if deadline is None else min(deadline, retry_at)

    def receive(self, item: object, now: float) -> list[HttpRequest]:
        """Feed one input of the app to the client; return the requests to send now.

        Raises the errors of the client, which then has not taken the input, and those of `save`:
        then the input counts, and its requests are sent once a save succeeds. If the store answers
        later, `saving.change` is the change to wait for.
        """
        self._feed(item, now)
        return self._saved_requests(now)

    def receive_safely(self, item: object, now: float) -> list[HttpRequest]:
        """Feed one input of the driver to the client; return the requests to send now.

        An error of the client stops the chat, and is stored in `error`. After an error of `save`
        the chat goes on, and is saved again soon.
        """
        if self.is_closed or self.error is not None:
            return []
        try:
            self._feed(item, now)
        except Exception as error:  # noqa: BLE001  # the app gets it as it is
            self._stop(error)
            return []
        return self._saved_requests_safely(now)

    def _feed(self, item: Any, now: float) -> None:
        if isinstance(item, HttpReply):
            self._cookies.receive(item)
        try:
            effects: list[Any] = self.client.receive(item, now=now)
        except RemoteProtocolError as error:  # of a strict session, which goes on
            effects = [*error.effects, error]
        if self._observations is not None:
            self._observations.on_step(item, effects, now)
        if self.saving.save is not None and (effects or not isinstance(item, Tick)):
            self.saving.note_change()
            self.saving.records.change_client()
        for effect in effects:
            self._route(effect, now)

    def _saved_requests(self, now: float) -> list[HttpRequest]:
        """Save the chat if it has changed; return the requests that follow. Raises errors."""
        if self.saving.save is not None:  # else nothing can be late or fail
            self._fail_late_requests(now)
            try:
                self.saving.start(self.client, self.pending, now)
            finally:
                self._note_failure()
        return self._sent(self.saving.ready_requests(), now)

    def finish_save(self, now: float) -> list[HttpRequest]:
        """Take the late answer of the store, if there is one; return the requests to send now."""
        if self.saving.finish(self.client, now):
            self._note_failure()
            self._fail_late_requests(now)
        requests = self.saving.ready_requests()
        requests = [] if self.is_stopped else self._sent(requests, now)
        if self.saving.has_new_changes and self.error is None:
            requests += self._saved_requests_safely(now)
        return [] if self.is_stopped else requests

    def _fail_late_requests(self, now: float) -> None:
        """Report the requests to the client that have waited for too long to be sent."""
        why = "not sent, because the chat could not be saved"
        while not self.is_stopped and (request := self.saving.late_request(now)) is not None:
            try:
                self._feed(HttpFailure(request.id, "connect", why), now)
            except Exception as error:  # noqa: BLE001  # the app gets it as it is
                self._stop(error)

    def _saved_requests_safely(self, now: float) -> list[HttpRequest]:
        try:
            return self._saved_requests(now)
        except Exception:  # noqa: BLE001  # of `save`; `take` raises it if it lasts
            return []

    def _note_failure(self) -> None:
        """Stop the chat if another process has saved it; take back an effect not committed."""
        if self.saving.is_commit_lost and self._uncommitted is not None:
            self._commit_error, self.saving.is_commit_lost = self.saving.error, False
            self.pending.appendleft(self._uncommitted)
            self.saving.records.forget_pending()
            self.saving.note_change()
            self._in_hand = not self.is_closed
        if isinstance(self.saving.error, StoreConflictError):
            self._stop(self.saving.error)

    def _stop(self, error: Exception) -> None:
        self.error = error
        if self._observations is not None:
            self._observations.on_error()

    def _sent(self, requests: list[HttpRequest], now: float) -> list[HttpRequest]:
        """Return the requests, which the driver gives to the sender at once."""
        if self._observations is not None:
            for request in requests:
                self._observations.on_sent(request, now)
        return requests

    def check_open(self) -> None:
        """Raise `LocalProtocolError` if the chat was closed, or the error that stopped it."""
        if self.is_closed:
            raise LocalProtocolError("cannot send: the chat was closed")
        if self.error is not None:
            raise self.error

    def add_loop(self, loop: EffectLoop) -> None:
        """Note a loop, which exists as long as the app is in it.

        Raises `LocalProtocolError` if another thread or task is in one: each would miss the effects
        of the other, and count them as handled.
        """
        if any(other.taker != loop.taker for other in self._loops):
            raise LocalProtocolError(_SECOND_LOOP)
        self._loops.add(loop)

    def begin_waiting(self) -> None:
        """Note that a thread or task waits for the next effect, until `end_waiting`.

        Raises `LocalProtocolError` if another one waits already.
        """
        if self._is_awaited:
            raise LocalProtocolError(_SECOND_LOOP)
        self._is_awaited = True

    def end_waiting(self) -> None:
        """Note that the wait has ended."""
        self._is_awaited = False

    @property
    def has_next(self) -> bool:
        """Whether an effect follows the one that the app has in hand, if it has one."""
        return len(self.pending) > self._in_hand

    @property
    def has_news(self) -> bool:
        """Whether `take` gives something or raises an error, or no effect follows any more."""
        return bool(self.pending) or self.is_over or self.saving.lasting_error is not None

    def take(self, taker: int) -> ChatEffect | None:
        """Return the next effect, which the app has in hand until `finish`; None if there is none.

        `taker`: id of the thread or task. Raises the violation that a strict session found, and the
        error of `save` if it has failed several times in a row.
        """
        error, self.saving.lasting_error = self.saving.lasting_error, None
        if error is not None:
            raise error
        if isinstance(self.error, StoreConflictError):
            raise self.error
        if not self.pending or self.is_closed:
            return None
        self._in_hand, self._taker = True, taker
        effect = self.pending[0]
        if isinstance(effect, RemoteProtocolError):
            raise effect
        return effect

    def finish(self, now: float) -> list[HttpRequest]:
        """Drop the effect in hand, which the app has handled; return the requests to send now.

        The chat is saved at once, and the app gets no effect before `is_handled`: a restored chat
        gives at most this one effect again.
        """
        if self._holder is not None:
            raise LocalProtocolError("cannot give the next effect: this one is being handled")
        requests: list[HttpRequest] = []
        if self._in_hand:
            self._drop_first()
            self._handled_change = self.saving.change
            if self.saving.save is not None and not self.is_closed:
                requests += self._saved_requests_safely(now)
        if not self._held or len(self.pending) > self.max_pending:
            return requests
        held, self._held = self._held, {}
        for request, since in held.values():
            if now - since < MAX_HELD:
                requests += self._sent([request], now)
            else:
                why = "held back, because too many effects waited for the app"
                requests += self.receive_safely(HttpFailure(request.id, "connect", why), now)
        return requests

    @property
    def is_finish_a_step(self) -> bool:
        """Whether `finish` has consequences: for the store, or for a request that was held back."""
        return self.saving.save is not None or bool(self._held)

    @property
    def is_handled(self) -> bool:
        """Whether it is saved that the app has handled its last effect, or a save has failed."""
        return self.is_stopped or not self.saving.is_undecided(self._handled_change)

    def begin_handling(self, effect: PendingEffect, holder: int) -> None:
        """Save nothing until `commit_handling` or `abandon_handling`.

        `holder`: id of the thread or task. Raises `LocalProtocolError` unless the app has the
        effect in hand.
        """
        if self._holder is not None or not self._in_hand or self.pending[0] is not effect:
            raise LocalProtocolError("cannot handle this effect: it is not the one given last")
        self._holder, self.saving.is_held = holder, True

    def abandon_handling(self, now: float) -> list[HttpRequest]:
        """Save what has changed; the effect is still in hand. Return the requests to send now."""
        self._holder, self.saving.is_held = None, False
        return self._saved_requests_safely(now)

    def commit_handling(self, statements: Sequence[Statement], now: float) -> list[HttpRequest]:
        """Save, in one, what has changed, that the effect is handled, and what the app writes.

        Return the requests to send now. Wait while `is_committing`, then call `check_committed`.
        """
        self._holder, self._commit_error, self._uncommitted = None, None, self.pending[0]
        self._drop_first()
        self._commit_change = self._handled_change = self.saving.change
        self.saving.commit(statements)
        return self._saved_requests_safely(now)

    @property
    def is_committing(self) -> bool:
        """Whether the store has not answered yet."""
        return self.error is None and self.saving.is_undecided(self._commit_change)

    def check_committed(self) -> None:
        """Raise the error of the save that was to commit; then the effect is in hand again."""
        if self._commit_error is not None:
            raise self._commit_error
        self.check_saved(self._commit_change)

    def is_holder(self, taker: int) -> bool:
        """Whether a thread or task handles an effect, so that what it sends is not saved yet."""
        return self._holder == taker

    def check_saved(self, change: int) -> None:
        """Raise the error of the save that was to cover a change, or that has stopped the chat."""
        self.saving.check_saved(change)
        if self.error is not None and self.saving.is_undecided(change):
            raise self.error

    def add_call(self, request: TypedRequest[Any]) -> PendingCall:
        """Return a pending call; its result goes there, not to the pending effects."""
        call = PendingCall(request)
        self._calls[id(call.request)] = call
        return call

    def remove_call(self, call: PendingCall) -> None:
        """Forget a pending call: a later result goes to the pending effects."""
        self._calls.pop(id(call.request), None)

    def last_msg_id(self) -> str:
        """Return the msg_id of the message that was sent last."""
        session = self.client.session
        return (session and session.last_msg_id) or ""

    def is_flushed(self, now: float) -> bool:
        """Whether waiting longer brings no more events to the server."""
        if self.error is not None or self.client.done:
            return True
        health = self.client.health(now)
        return health.queued == 0 or health.link == "unauthorized"

    def close(self, now: float, closer: int | None) -> None:
        """Close the chat, and save it; raises the error of `save`.

        `closer`: id of the thread or task that closes, which has handled the effect that it took;
        None if it has not.
        """
        if self._in_hand and closer == self._taker:
            self._drop_first()
        self._in_hand = False
        self.is_closed, self.saving.is_held = True, False
        if self._observations is not None:
            self._observations.on_closed(now)
        if self.error is None:
            self.saving.note_change()
            self._closing_change = self.saving.change
            self.saving.start(self.client, self.pending, now)

    def check_closed(self) -> None:
        """Raise the error of the last save, if it has failed."""
        self.saving.check_saved(self._closing_change)

    def _drop_first(self) -> None:
        self.pending.popleft()
        self.saving.note_change()
        self.saving.records.drop_first()
        self._in_hand = False

    def unreceived(self) -> Iterator[PendingEffect]:
        """Return the pending effects without the one that the app has in hand."""
        effects = iter(self.pending)
        if self._in_hand:
            next(effects, None)
        return effects

    def _route(self, effect: Any, now: float) -> None:
        """Put an effect where it belongs."""
        if isinstance(effect, HttpRequest):
            effect = self._cookies.added_to(effect)
            if effect.purpose not in _NEWS or len(self.pending) <= self.max_pending:
                self.saving.hold_back(effect, now)
            else:
                self._held[effect.purpose] = effect, now  # the client has given up the one before
        elif isinstance(effect, _ANSWERS) and id(effect.request) in self._calls:
            self._calls[id(effect.request)].answer = effect
        else:
            self.pending.append(effect)


def failure_of(request: HttpRequest, error: Exception) -> HttpFailure:
    """Return the failure for a sender that raised; the text of the error may hold secrets."""
    return HttpFailure(request.id, "protocol", f"the sender raised {type(error).__name__}")
