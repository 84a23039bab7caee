"""The session: one door in."""

from __future__ import annotations

from math import inf, isfinite
from typing import Any, Final, Self

from chatfsm.errors import LocalProtocolError, RemoteProtocolError
from chatfsm.session import snapshot
from chatfsm.session.effects import Effect
from chatfsm.session.inputs import Input
from chatfsm.session.law import ORDERS, why_not
from chatfsm.session.listeners import EVENTS_IN, ORDERED, TAKEN_IN, catch_up
from chatfsm.session.plain import snake
from chatfsm.session.settings import Settings
from chatfsm.session.state import Memory, Turn
from chatfsm.session.view import View

__all__ = ["ChatSession"]

_USUAL: Final = Settings()
_LONG_AGO: Final = -inf
# In place of effects that the app has: a session keeps nothing of them.
_TOLD: Final[list[Effect]] = []
_NAMES: Final = {cls: snake(cls) for cls in ORDERED}


class ChatSession(View):  # noqa: PLW1641  # equal while they know the same: no hash
    """One chat with a contact center, as far as its events have told.

    It does no IO and reads no clock: `receive` takes what happened and the time of it, and
    returns what follows. Use one session from one thread at a time.
    """

    __slots__ = ("_settings",)

    def __init__(self, chat_id: str, *, settings: Settings = _USUAL) -> None:
        if not isinstance(chat_id, str) or not chat_id:
            raise ValueError("chat_id must be a text that is not empty")
        self._chat_id = chat_id
        self._settings = settings
        self._turn = None

    @property
    def settings(self) -> Settings:
        """What the session was made with."""
        return self._settings

    def receive(self, item: Input, *, now: float) -> list[Effect]:
        """Hear one input, and return what follows from it, in order.

        `now`: seconds on a clock of the caller's, always the same one. What was due by then is
        told before what the input brings. Early, late and repeated ticks do no harm.

        Raises `LocalProtocolError` for a command that is not allowed now, which then changes
        nothing, and for a `now` that is not finite; TypeError for what is no input; and, in a
        strict session, `RemoteProtocolError` where the server broke the protocol: its `effects`
        are those that were due before, and what else a history told.
        """
        turn = self._turn or self._begin()
        memory = turn.memory
        try:
            listener = EVENTS_IN[memory.state][item.__class__]
        except KeyError:
            return self._take(turn, item, now)
        turn.now = now
        effects = turn.effects = []
        try:
            if not _LONG_AGO < now < memory.wake:
                catch_up(turn)
            listener(turn, item)
        except RemoteProtocolError as error:
            error.effects = tuple(self._told(turn))
            raise
        memory.events += 1
        if turn.anomalies is not None:
            return self._told(turn)
        if effects:
            memory.effects += len(effects)
            turn.effects = _TOLD
        return effects

    def snapshot(self, *, now: float) -> dict[str, Any]:
        """All that the session knows, as plain JSON with a version; `now` as in `receive`.

        It holds what people wrote where that may have to be sent again, and no secure form data.
        """
        return snapshot.taken(self._memory, now)

    @classmethod
    def restore(cls, data: object, *, settings: Settings = _USUAL, now: float) -> Self:
        """The session that a snapshot was taken of, on whatever clock `now` is read from.

        Raises `SnapshotError` for what is no snapshot, is newer than this library, or was changed.
        """
        session = cls.__new__(cls)
        memory = snapshot.restored(data, now)
        session._chat_id = memory.chat_id
        session._settings = settings
        session._turn = Turn(memory, settings)
        return session

    def __eq__(self, other: object) -> bool:  # no hash: what it knows changes
        if not isinstance(other, ChatSession):
            return NotImplemented
        return self._memory == other._memory and self._settings == other._settings

    def _begin(self) -> Turn:
        memory = Memory(chat_id=self._chat_id)
        self._turn = Turn(memory, self._settings)
        return self._turn

    def _take(self, turn: Turn, item: object, now: float) -> list[Effect]:
        """Hear what is no event, or comes too late."""
        listener = TAKEN_IN[turn.memory.state].get(item.__class__)
        if listener is None:
            return self._obey(turn, item, now)
        turn.now = now
        turn.effects = []
        try:
            if not _LONG_AGO < now < turn.memory.wake:
                catch_up(turn)
            listener(turn, item)
        except RemoteProtocolError as error:
            error.effects = tuple(self._told(turn))
            raise
        return self._told(turn)

    def _obey(self, turn: Turn, order: object, now: float) -> list[Effect]:
        """Check an order, then let happen what is due, then carry it out."""
        if order.__class__ not in ORDERED:
            raise TypeError(f"{type(order).__name__} is no input of a session: decode it first")
        if not isfinite(now):
            raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
        check, listener = ORDERED[order.__class__]
        name = _NAMES[order.__class__]
        if name not in ORDERS.moves[self.state]:
            raise LocalProtocolError(f"cannot {name.replace('_', ' ')}: {why_not(self.state)}")
        turn.now = now
        turn.effects = []
        check(turn, order)
        if now >= turn.memory.wake:
            catch_up(turn)
        listener(turn, order)
        turn.post()
        return self._told(turn)

    def _told(self, turn: Turn) -> list[Effect]:
        """The effects of a turn, counted."""
        effects, turn.effects = turn.effects, _TOLD
        if turn.anomalies is not None:
            effects += turn.anomalies
            turn.anomalies = None
        turn.memory.effects += len(effects)
        return effects
