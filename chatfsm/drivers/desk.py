"""One chat being driven: what is heard is kept, and what follows from it is sorted.

Nothing here waits, sends or locks; both drivers do that around it, each in its own way.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable
from copy import copy
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import define, field

from chatfsm.conversation.endpoints import HISTORY, POLL
from chatfsm.conversation.exchange import HttpFailure, HttpRequest
from chatfsm.conversation.tidings import Answered, Refused
from chatfsm.drivers.machine import Keep, Machine
from chatfsm.drivers.records import record_of
from chatfsm.errors import LocalProtocolError, RemoteProtocolError, TransportError
from chatfsm.session.inputs import Tick

__all__ = ["Desk", "Question", "failure_of"]

# What brings news, and so waits while nobody hears them.
_NEWS: Final = tuple(
    re.compile(rf".*/{re.escape(method.path).replace(re.escape('{chat}'), '[^/]+')}")
    for method in (POLL, HISTORY)
)
# Seconds: one that was held back for longer could be given up by its client before the server
# has answered, which would lose the answer. Clients allow 5 beyond a request's own time.
_FRESH: Final = 4.0


def _news_of(request: HttpRequest) -> re.Pattern[str] | None:
    """Which of the requests that bring news this is; None: none of them."""
    path = urlsplit(request.url).path
    kinds = _NEWS if request.method == "GET" else ()
    return next((kind for kind in kinds if kind.fullmatch(path)), None)


def _another(call: Any) -> Any:
    return copy(call)


def _waiting(told: Iterable[object]) -> deque[object]:
    return deque(told)


@define(eq=False)
class Question:
    """A call, and what came of it; the call is a copy, so that no two are the same object."""

    call: Any = field(converter=_another)
    answer: Answered | Refused | None = None

    def value(self) -> Any:
        """What the call was answered with. Raises the `ApiError` that it was refused with."""
        if isinstance(self.answer, Answered):
            return self.answer.value
        if self.answer is None:
            raise TransportError("cancelled", "the chat was closed meanwhile")
        raise self.answer.error


@define(eq=False)
class Desk:
    """A machine, what it has told and nobody has handled, and the requests that are under way."""

    machine: Machine
    keep: Keep | None
    room: int
    """How many effects may wait for the app before no more are asked for."""
    told: deque[object] = field(converter=_waiting, factory=deque)
    """What waits for the app; the first may be in its hands."""
    broken: Exception | None = None
    """Why nothing goes on, where something is wrong with the machine or its keeping."""
    is_closed: bool = False
    _in_hand: bool = False
    _taker: int = 0
    _held: dict[re.Pattern[str], tuple[HttpRequest, float]] = field(factory=dict)
    _questions: dict[int, Question] = field(factory=dict)

    @property
    def is_over(self) -> bool:
        """Whether nothing more will be told."""
        return self.is_closed or self.broken is not None or self.machine.done

    def hear(self, item: object, now: float) -> list[HttpRequest]:
        """Hear one item; what is to be sent now. Raises as the machine does, or as `keep`."""
        try:
            effects = self.machine.receive(item, now=now)
        except RemoteProtocolError as error:  # a strict session's, which goes on
            effects = [*error.effects, error]
        requests = [request for effect in effects for request in self._sort(effect, now)]
        if effects or not isinstance(item, Tick):
            self.write_down(now)
        return requests

    def hear_safely(self, item: object, now: float) -> list[HttpRequest]:
        """The same, where nobody is there to be told of an error: the chat is broken then."""
        if self.is_closed or self.broken is not None:
            return []
        try:
            return self.hear(item, now)
        except Exception as error:  # noqa: BLE001  # told to the app as it is
            self.broken = error
            return []

    def check_open(self) -> None:
        """Refuse what the app orders too late. Raises `LocalProtocolError`, or what broke it."""
        if self.is_closed:
            raise LocalProtocolError("cannot do anything: the chat is closed here")
        if self.broken is not None:
            raise self.broken

    def write_down(self, now: float) -> None:
        """Keep what there is to know. What cannot be kept must not be sent: the chat is broken."""
        if self.keep is None:
            return
        try:
            self.keep(record_of(self.machine.snapshot(now=now), self.told, now))
        except Exception as error:
            self.broken = error
            raise

    def take(self, taker: int) -> object | None:
        """The next effect for the app, which has it in hand until `handled`; None: there is none.

        `taker`: the thread or task that takes it. Raises what a strict session found.
        """
        if not self.told or self.is_closed:
            return None
        self._in_hand, self._taker = True, taker
        effect = self.told[0]
        if isinstance(effect, RemoteProtocolError):
            raise effect
        return effect

    def handled(self, now: float) -> list[HttpRequest]:
        """The app has handled what it has in hand; what is to be sent now that there is room.

        It is kept at once, so that no more than the one in hand is ever told again.
        """
        if self._in_hand:
            self.told.popleft()
            self._in_hand = False
            if not self.is_closed:
                self.write_down(now)
        if not self._held or len(self.told) > self.room:
            return []
        requests: list[HttpRequest] = []
        held, self._held = self._held, {}
        for request, since in held.values():
            if now - since < _FRESH:
                requests.append(request)
            else:
                why = "held back, for too much waited to be handled"
                requests += self.hear_safely(HttpFailure(request.id, "connect", why), now)
        return requests

    def ask(self, call: object) -> Question:
        """A question, whose answer goes to whoever asks, and not among the effects."""
        question = Question(call)
        self._questions[id(question.call)] = question
        return question

    def withdraw(self, question: Question) -> None:
        """Nobody waits for the answer to this question any more."""
        self._questions.pop(id(question.call), None)

    def is_flushed(self, now: float) -> bool:
        """Whether waiting longer brings nothing that was said to the server."""
        if self.broken is not None or self.machine.done:
            return True
        health = self.machine.health(now)
        return bool(health.waiting == 0 or health.link == "unauthorized")

    def close(self, now: float, closer: int | None) -> None:
        """No more is heard.

        `closer`: the thread or task that closes, having handled all that it took; None: it had not.
        """
        if self._in_hand and closer == self._taker:
            self.told.popleft()
        self._in_hand = False
        self.is_closed = True
        if self.broken is None:
            self.write_down(now)

    def _sort(self, effect: object, now: float) -> list[HttpRequest]:
        """Put an effect where it belongs; a request that is to be sent now is returned."""
        if isinstance(effect, HttpRequest):
            kind = _news_of(effect)
            if kind is None or len(self.told) <= self.room:
                return [effect]
            self._held[kind] = effect, now  # one that was held before has been given up
        elif isinstance(effect, Answered | Refused) and id(effect.call) in self._questions:
            self._questions[id(effect.call)].answer = effect
        else:
            self.told.append(effect)
        return []


def failure_of(request: HttpRequest, error: Exception) -> HttpFailure:
    """What to make of a sender that raises, which none should; its words may quote anything."""
    return HttpFailure(request.id, "protocol", f"the sender raised {type(error).__name__}")
