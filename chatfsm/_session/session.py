"""The session: one door in."""

from __future__ import annotations

from math import inf, isfinite
from operator import attrgetter
from typing import Any, Final, Self

from attrs import fields

from chatfsm._plain import snake_case
from chatfsm._session import snapshot, state
from chatfsm._session.dispatch import (
    COMMAND_HANDLERS,
    EVENT_HANDLERS,
    INPUT_HANDLERS,
    handle_deadlines,
)
from chatfsm._session.state import Counts, SessionState, Turn, quoted
from chatfsm._session.tables import ALLOWED_COMMANDS, OUTCOMES, refusal_reason
from chatfsm.effects import Effect
from chatfsm.errors import LocalProtocolError, RemoteProtocolError
from chatfsm.inputs import Input
from chatfsm.models import Form, Outcome, Party
from chatfsm.settings import Settings
from chatfsm.signaling import IceCandidate

__all__ = ["ChatSession", "SessionView"]

# The read side of a session: what it knows, for whoever embeds it.

_count_values: Final = attrgetter(*(known.name for known in fields(Counts)))


class SessionView:
    """What can be asked of a session; nothing here changes it."""

    __slots__ = ("_chat_id", "_turn")

    _chat_id: str
    _turn: Turn | None
    """None before the first input: most sessions wait, and do without."""

    @property
    def _memory(self) -> SessionState:
        return SessionState(chat_id=self._chat_id) if self._turn is None else self._turn.memory

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {quoted(self.chat_id)}, {self.state}>"

    @property
    def deadline(self) -> float | None:
        """When to come back with a `Tick`, on the clock of `now`; None: no need to."""
        deadline = state.next_deadline(self._memory)
        return None if deadline == inf else deadline

    @property
    def done(self) -> bool:
        """Whether the session is over: nothing will follow from anything."""
        return self._memory.state in OUTCOMES

    @property
    def chat_id(self) -> str:
        """The id that the server gave the session."""
        return self._memory.chat_id

    @property
    def state(self) -> str:
        """One of the states of the lifecycle's law; establishing at first."""
        return self._memory.state

    @property
    def outcome(self) -> Outcome | None:
        """How the session ended; None while it has not."""
        return OUTCOMES.get(self._memory.state)

    @property
    def outcome_text(self) -> str | None:
        """What the server said about the end, "" where nothing; None before it."""
        return self._memory.outcome_text

    @property
    def parties(self) -> tuple[Party, ...]:
        """Who is here, in the order of joining; after the end, who was."""
        return self._memory.parties

    @property
    def agent(self) -> Party | None:
        """The person of the contact center who joined last and is still here."""
        for party in reversed(self._memory.parties):
            if party.is_human:
                return party
        return None

    @property
    def human_present(self) -> bool:
        """Whether a person of the contact center is here."""
        return self.agent is not None

    @property
    def typing(self) -> tuple[str, ...]:
        """The ids of the parties that type."""
        return tuple(self._memory.typing or ())

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms that wait for an answer, in the order of opening."""
        return tuple(waiting.form for waiting in (self._memory.forms or {}).values())

    @property
    def warning(self) -> str | None:
        """The server's last warning of inactivity, until the customer does something."""
        return self._memory.warning

    @property
    def call(self) -> str:
        """One of the states of the call's law; idle at first."""
        return self._memory.call.state

    @property
    def early_candidates(self) -> tuple[IceCandidate, ...]:
        """The ICE candidates that came before the call's answer: use them when you answer."""
        return self._memory.call.candidates

    @property
    def case_id(self) -> str | None:
        """The case that the conversation belongs to."""
        return self._memory.service.case_id

    @property
    def service_name(self) -> str | None:
        """What the service calls itself."""
        return self._memory.service.name

    @property
    def cobrowsing(self) -> str | None:
        """The last step of co-browsing: requested, rejected, started or ended."""
        return self._memory.service.cobrowsing

    @property
    def outbox(self) -> dict[str, str]:
        """What became of the last messages that were said, by msg_id, in the order of saying.

        A state of the delivery's law: pending, unconfirmed, sent, delivered, read or failed.
        """
        outbox = self._memory.outbox or {}
        return {msg_id: outgoing.state for msg_id, outgoing in outbox.items()}

    @property
    def counts(self) -> Counts:
        """What the session has met so far; a copy."""
        return Counts(*_count_values(self._memory))


_DEFAULT_SETTINGS: Final = Settings()
_LONG_AGO: Final = -inf
# In place of effects that the app has: a session keeps nothing of them.
_NO_EFFECTS: Final[list[Effect]] = []
_COMMAND_NAMES: Final = {cls: snake_case(cls) for cls in COMMAND_HANDLERS}


class ChatSession(SessionView):  # noqa: PLW1641  # equal while they know the same: no hash
    """One chat with a contact center, as far as its events have told.

    It does no IO and reads no clock: `receive` takes what happened and the time of it, and
    returns what follows. Use one session from one thread at a time.
    """

    __slots__ = ("_settings",)

    def __init__(self, chat_id: str, *, settings: Settings = _DEFAULT_SETTINGS) -> None:
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
        turn = self._turn or self._first_turn()
        memory = turn.memory
        try:
            listener = EVENT_HANDLERS[memory.state][item.__class__]
        except KeyError:
            return self._receive_input(turn, item, now)
        turn.now = now
        effects = turn.effects = []
        try:
            if not _LONG_AGO < now < memory.deadline_bound:
                handle_deadlines(turn)
            listener(turn, item)
        except RemoteProtocolError as error:
            error.effects = tuple(self._collect_effects(turn))
            raise
        memory.events += 1
        if turn.anomalies is not None:
            return self._collect_effects(turn)
        if effects:
            memory.effects += len(effects)
            turn.effects = _NO_EFFECTS
        return effects

    def snapshot(self, *, now: float) -> dict[str, Any]:
        """All that the session knows, as plain JSON with a version; `now` as in `receive`.

        It holds what people wrote where that may have to be sent again, and no secure form data.
        """
        return snapshot.write_snapshot(self._memory, now)

    @classmethod
    def restore(cls, data: object, *, settings: Settings = _DEFAULT_SETTINGS, now: float) -> Self:
        """The session that a snapshot was taken of, on whatever clock `now` is read from.

        Raises `SnapshotError` for what is no snapshot, is newer than this library, or was changed.
        """
        session = cls.__new__(cls)
        memory = snapshot.read_snapshot(data, now)
        session._chat_id = memory.chat_id
        session._settings = settings
        session._turn = Turn(memory, settings)
        return session

    def __eq__(self, other: object) -> bool:  # no hash: what it knows changes
        if not isinstance(other, ChatSession):
            return NotImplemented
        return self._memory == other._memory and self._settings == other._settings

    def _first_turn(self) -> Turn:
        memory = SessionState(chat_id=self._chat_id)
        self._turn = Turn(memory, self._settings)
        return self._turn

    def _receive_input(self, turn: Turn, item: object, now: float) -> list[Effect]:
        """Hear what is no event, or comes too late."""
        listener = INPUT_HANDLERS[turn.memory.state].get(item.__class__)
        if listener is None:
            return self._receive_command(turn, item, now)
        turn.now = now
        turn.effects = []
        try:
            if not _LONG_AGO < now < turn.memory.deadline_bound:
                handle_deadlines(turn)
            listener(turn, item)
        except RemoteProtocolError as error:
            error.effects = tuple(self._collect_effects(turn))
            raise
        return self._collect_effects(turn)

    def _receive_command(self, turn: Turn, command: object, now: float) -> list[Effect]:
        """Check an order, then let happen what is due, then carry it out."""
        if command.__class__ not in COMMAND_HANDLERS:
            raise TypeError(f"{type(command).__name__} is no input of a session: decode it first")
        if not isfinite(now):
            raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
        check, listener = COMMAND_HANDLERS[command.__class__]
        name = _COMMAND_NAMES[command.__class__]
        if name not in ALLOWED_COMMANDS.moves[self.state]:
            raise LocalProtocolError(
                f"cannot {name.replace('_', ' ')}: {refusal_reason(self.state)}"
            )
        turn.now = now
        turn.effects = []
        check(turn, command)
        if now >= turn.memory.deadline_bound:
            handle_deadlines(turn)
        listener(turn, command)
        turn.flush()
        return self._collect_effects(turn)

    def _collect_effects(self, turn: Turn) -> list[Effect]:
        """The effects of a turn, counted."""
        effects, turn.effects = turn.effects, _NO_EFFECTS
        if turn.anomalies is not None:
            effects += turn.anomalies
            turn.anomalies = None
        turn.memory.effects += len(effects)
        return effects
