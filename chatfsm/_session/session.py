"""ChatSession: the public face of `_session`."""

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

_count_values: Final = attrgetter(*(known.name for known in fields(Counts)))


class SessionView:
    """The read side of a session: properties that change nothing."""

    __slots__ = ("_chat_id", "_turn")

    _chat_id: str
    _turn: Turn | None
    """None before the first input, which saves memory: a server has many idle sessions."""

    @property
    def _memory(self) -> SessionState:
        return SessionState(chat_id=self._chat_id) if self._turn is None else self._turn.memory

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {quoted(self.chat_id)}, {self.state}>"

    @property
    def deadline(self) -> float | None:
        """When to call `receive` with a `Tick`, on the clock of `now`; None if not needed."""
        deadline = state.next_deadline(self._memory)
        return None if deadline == inf else deadline

    @property
    def done(self) -> bool:
        """Whether the session is over: no input has effects any more."""
        return self._memory.state in OUTCOMES

    @property
    def chat_id(self) -> str:
        """The id that the server gave the session."""
        return self._memory.chat_id

    @property
    def state(self) -> str:
        """A state of the lifecycle; `"establishing"` at first."""
        return self._memory.state

    @property
    def outcome(self) -> Outcome | None:
        """How the session ended: ended, timed_out, failed or gone; None before the end."""
        return OUTCOMES.get(self._memory.state)

    @property
    def outcome_text(self) -> str | None:
        """The server's text about the end, "" if it gave none; None before the end."""
        return self._memory.outcome_text

    @property
    def parties(self) -> tuple[Party, ...]:
        """The parties in the chat, in the order of joining; after the end, those at the end."""
        return self._memory.parties

    @property
    def agent(self) -> Party | None:
        """The human agent who joined last and is still in the chat; None if there is none."""
        for party in reversed(self._memory.parties):
            if party.is_human:
                return party
        return None

    @property
    def human_present(self) -> bool:
        """Whether a human agent is in the chat."""
        return self.agent is not None

    @property
    def typing(self) -> tuple[str, ...]:
        """The party ids of those who type."""
        return tuple(self._memory.typing or ())

    @property
    def forms(self) -> tuple[Form, ...]:
        """The forms that await an answer, in the order of opening."""
        return tuple(waiting.form for waiting in (self._memory.forms or {}).values())

    @property
    def warning(self) -> str | None:
        """The server's last inactivity warning; None after the customer was active."""
        return self._memory.warning

    @property
    def call(self) -> str:
        """A state of the call: idle (at first), requested, offered, active, ended or rejected."""
        return self._memory.call.state

    @property
    def early_candidates(self) -> tuple[IceCandidate, ...]:
        """The ICE candidates that arrived before the answer: use them when you answer."""
        return self._memory.call.candidates

    @property
    def case_id(self) -> str | None:
        """The case that the conversation belongs to; None if there is none."""
        return self._memory.service.case_id

    @property
    def service_name(self) -> str | None:
        """The name of the service; None if the server gave none."""
        return self._memory.service.name

    @property
    def cobrowsing(self) -> str | None:
        """The last step of co-browsing: requested, rejected, started or ended; None if none."""
        return self._memory.service.cobrowsing

    @property
    def outbox(self) -> dict[str, str]:
        """msg_id → delivery state of the app's last messages, in the order of sending.

        The states: pending, unconfirmed, sent, delivered, read and failed.
        """
        outbox = self._memory.outbox or {}
        return {msg_id: outgoing.state for msg_id, outgoing in outbox.items()}

    @property
    def counts(self) -> Counts:
        """Numbers of events and effects so far; a copy."""
        return Counts(*_count_values(self._memory))


_DEFAULT_SETTINGS: Final = Settings()
_LONG_AGO: Final = -inf
# Replaces the effects that `receive` has returned, so that a session keeps none of them.
_NO_EFFECTS: Final[list[Effect]] = []
_COMMAND_NAMES: Final = {cls: snake_case(cls) for cls in COMMAND_HANDLERS}


class ChatSession(SessionView):  # noqa: PLW1641  # mutable: no hash
    """The state machine of one chat with a contact center.

    It does no IO and reads no clock: `receive` takes one input and the time, and returns the
    effects. Use a session from one thread at a time. Sessions are equal if their states and their
    settings are.

    `chat_id`: the id that the server gave the chat, not empty. `settings`: bounds and choices;
    they are not part of a snapshot.
    """

    __slots__ = ("_settings",)

    def __init__(self, chat_id: str, *, settings: Settings = _DEFAULT_SETTINGS) -> None:
        if not isinstance(chat_id, str) or not chat_id:
            raise ValueError(f"chat_id must be a text of 1 character or more, not {chat_id!r:.40}")
        self._chat_id = chat_id
        self._settings = settings
        self._turn = None

    @property
    def settings(self) -> Settings:
        """The settings that the session was created with."""
        return self._settings

    def receive(self, item: Input, *, now: float) -> list[Effect]:
        """Process one input and return its effects, in order.

        `item`: an event, a command, or one of `Tick`, `Sent`, `SendFailed`, `Lost`, `History`.
        `now`: seconds on a clock of the caller, finite, and always on the same clock. Effects of
        deadlines that have passed come first. Early, late and repeated ticks are harmless.

        Raises `LocalProtocolError` if the command is not allowed now, which then changes nothing,
        or if `now` is not finite; `TypeError` if `item` is no input; and, in a strict session,
        `RemoteProtocolError` if the server violates the protocol: its `effects` are those of the
        deadlines that have passed and of the rest of a history.
        """
        turn = self._turn or self._first_turn()
        memory = turn.memory
        try:
            handler = EVENT_HANDLERS[memory.state][item.__class__]
        except KeyError:
            return self._receive_input(turn, item, now)
        turn.now = now
        effects = turn.effects = []
        try:
            if not _LONG_AGO < now < memory.deadline_bound:
                handle_deadlines(turn)
            handler(turn, item)
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
        """Return the state of the session as plain JSON with a version; `now` as in `receive`.

        It holds the texts of messages that may have to be sent again, but no secure form data.
        """
        return snapshot.write_snapshot(self._memory, now)

    @classmethod
    def restore(cls, data: object, *, settings: Settings = _DEFAULT_SETTINGS, now: float) -> Self:
        """Return the session of a snapshot; `now` may be on another clock than before.

        Raises `SnapshotError` if `data` is no snapshot, was changed, or is of a newer version.
        """
        session = cls.__new__(cls)
        memory = snapshot.read_snapshot(data, now)
        session._chat_id = memory.chat_id
        session._settings = settings
        session._turn = Turn(memory, settings)
        return session

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ChatSession):
            return NotImplemented
        return self._memory == other._memory and self._settings == other._settings

    def _first_turn(self) -> Turn:
        memory = SessionState(chat_id=self._chat_id)
        self._turn = Turn(memory, self._settings)
        return self._turn

    def _receive_input(self, turn: Turn, item: object, now: float) -> list[Effect]:
        """Process a tick, a transport result, a history, or any input after the end."""
        handler = INPUT_HANDLERS[turn.memory.state].get(item.__class__)
        if handler is None:
            return self._receive_command(turn, item, now)
        turn.now = now
        turn.effects = []
        try:
            if not _LONG_AGO < now < turn.memory.deadline_bound:
                handle_deadlines(turn)
            handler(turn, item)
        except RemoteProtocolError as error:
            error.effects = tuple(self._collect_effects(turn))
            raise
        return self._collect_effects(turn)

    def _receive_command(self, turn: Turn, command: object, now: float) -> list[Effect]:
        """Check a command, run what is due, then execute the command."""
        if command.__class__ not in COMMAND_HANDLERS:
            raise TypeError(
                "ChatSession.receive() takes events, commands and inputs, "
                f"not {type(command).__name__}; decode() it first"
            )
        if not isfinite(now):
            raise LocalProtocolError(f"now must be a finite number of seconds, not {now}")
        guard, handler = COMMAND_HANDLERS[command.__class__]
        name = _COMMAND_NAMES[command.__class__]
        if name not in ALLOWED_COMMANDS.moves[self.state]:
            raise LocalProtocolError(
                f"cannot {name.replace('_', ' ')}: {refusal_reason(self.state)}"
            )
        turn.now = now
        turn.effects = []
        guard(turn, command)
        if now >= turn.memory.deadline_bound:
            handle_deadlines(turn)
        handler(turn, command)
        turn.flush()
        return self._collect_effects(turn)

    def _collect_effects(self, turn: Turn) -> list[Effect]:
        """Return the effects of a turn, with the anomalies last, and count them."""
        effects, turn.effects = turn.effects, _NO_EFFECTS
        if turn.anomalies is not None:
            effects += turn.anomalies
            turn.anomalies = None
        turn.memory.effects += len(effects)
        return effects
